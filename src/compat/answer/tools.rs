//! The calls of a message that comes in pieces.

/// Which of them are open. Blocks come one after the other; if they ever do not, it does not
/// matter.
#[derive(Default)]
pub(super) struct Tools {
    open: Vec<Tool>,
    calls: u32,
}

struct Tool {
    /// Of its block, in Converse's message.
    index: u64,
    kind: Kind,
    has_input: bool,
}

/// Where a tool's input goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// To the client, which sees so many calls before it.
    Call(u32),
    /// Into the content.
    Format,
    /// Nowhere: the service itself runs it, or the client has asked for no more than one.
    Ignored,
}

impl Tools {
    /// The calls that the client has seen so far.
    pub(super) fn count(&self) -> u32 {
        self.calls
    }

    pub(super) fn open(&mut self, index: u64, kind: Kind) {
        self.open.push(Tool {
            index,
            kind,
            has_input: false,
        });
    }

    /// Opens one more call that the client sees.
    pub(super) fn open_call(&mut self, index: u64) {
        self.open(index, Kind::Call(self.calls));
        self.calls = self.calls.saturating_add(1);
    }

    pub(super) fn kind(&self, index: u64) -> Option<Kind> {
        let tool = self.open.iter().find(|tool| tool.index == index);
        tool.map(|tool| tool.kind)
    }

    pub(super) fn has_input(&mut self, index: u64) {
        if let Some(tool) = self.open.iter_mut().find(|tool| tool.index == index) {
            tool.has_input = true;
        }
    }

    /// Closes the block; tells where its input would have gone, if there was none.
    pub(super) fn close(&mut self, index: u64) -> Option<Kind> {
        let at = self.open.iter().position(|tool| tool.index == index)?;
        let tool = self.open.swap_remove(at);
        (!tool.has_input).then_some(tool.kind)
    }

    /// The index of a block that is still open.
    pub(super) fn any_open(&self) -> Option<u64> {
        self.open.first().map(|tool| tool.index)
    }
}
