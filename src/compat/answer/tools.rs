//! The calls of a message that comes in pieces.

use std::borrow::Cow;

use super::embedded::Pieces;
use super::text::Quoted;

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
    input: Pieces,
}

/// Where a tool's input goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// To the client, which sees so many calls before it.
    Call(u32),
    /// Into the content.
    Format,
    /// Nowhere: the service itself runs it, or the client has asked for no more than one, or none.
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
            input: Pieces::default(),
        });
    }

    /// Opens one more call that the client sees.
    pub(super) fn open_call(&mut self, index: u64) {
        self.open(index, Kind::Call(self.calls));
        self.calls = self.calls.saturating_add(1);
    }

    /// Where a piece of input goes, and what there is to be told of it; `None` if its block is not
    /// open.
    pub(super) fn add_input<'a>(
        &mut self,
        index: u64,
        piece: Quoted<'a>,
    ) -> Option<(Kind, Cow<'a, str>)> {
        let tool = self.open.iter_mut().find(|tool| tool.index == index)?;
        tool.has_input |= !piece.is_empty();
        Some((tool.kind, tool.input.push(piece)))
    }

    /// Closes the block; tells where its input goes, and what is left of it. An input that never
    /// came is `{}`.
    pub(super) fn close(&mut self, index: u64) -> Option<(Kind, Cow<'static, str>)> {
        let at = self.open.iter().position(|tool| tool.index == index)?;
        let tool = self.open.swap_remove(at);
        let left = match tool.has_input {
            true => tool.input.finish(),
            false => Cow::Borrowed("{}"),
        };
        Some((tool.kind, left))
    }

    /// The index of a block that is still open.
    pub(super) fn any_open(&self) -> Option<u64> {
        self.open.first().map(|tool| tool.index)
    }
}
