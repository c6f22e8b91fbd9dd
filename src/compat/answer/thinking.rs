//! Reasoning, in a form in which it can come back.

use bytes::BufMut;

use super::text::Quoted;

/// The blocks of reasoning of one message.
///
/// A model that has reasoned before it called a tool wants its reasoning back with the tool's
/// result, word by word and signed. `reasoning_content` is for people; `thinking_blocks` is for
/// that: a client that sends the message back as it came sends them along.
#[derive(Default)]
pub(super) struct Thinking {
    blocks: Vec<Block>,
}

struct Block {
    /// Its place in Converse's message.
    index: u64,
    /// All as it is written in JSON.
    text: Vec<u8>,
    signature: Vec<u8>,
    redacted: Vec<u8>,
}

impl Thinking {
    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    pub(super) fn add_text(&mut self, index: u64, text: Quoted<'_>) {
        if let Some(block) = self.block(index) {
            text.write(&mut block.text);
        }
    }

    pub(super) fn add_signature(&mut self, index: u64, signature: Quoted<'_>) {
        if let Some(block) = self.block(index) {
            signature.write(&mut block.signature);
        }
    }

    /// `data` is base64. What follows padding is another block: two such texts are not one.
    pub(super) fn add_redacted(&mut self, index: u64, data: Quoted<'_>) {
        let last = self.last(index).and_then(|at| self.blocks.get(at));
        if last.is_some_and(|block| block.redacted.ends_with(b"=")) {
            self.begin(index);
        }
        if let Some(block) = self.block(index) {
            data.write(&mut block.redacted);
        }
    }

    /// Appends the field `thinking_blocks`.
    pub(super) fn write(&self, out: &mut impl BufMut) {
        for (at, block) in self.blocks.iter().enumerate() {
            out.put_slice(if at == 0 {
                b"\"thinking_blocks\":["
            } else {
                b","
            });
            if block.redacted.is_empty() {
                out.put_slice(b"{\"type\":\"thinking\",\"thinking\":\"");
                out.put_slice(&block.text);
                if !block.signature.is_empty() {
                    out.put_slice(b"\",\"signature\":\"");
                    out.put_slice(&block.signature);
                }
            } else {
                out.put_slice(b"{\"type\":\"redacted_thinking\",\"data\":\"");
                out.put_slice(&block.redacted);
            }
            out.put_slice(b"\"}");
        }
        if !self.blocks.is_empty() {
            out.put_slice(b"]");
        }
    }

    /// The block at `index`, the last of them if there are several; a new one if there is none.
    fn block(&mut self, index: u64) -> Option<&mut Block> {
        let at = self.last(index).unwrap_or_else(|| self.begin(index));
        self.blocks.get_mut(at)
    }

    fn last(&self, index: u64) -> Option<usize> {
        self.blocks.iter().rposition(|block| block.index == index)
    }

    /// Begins a block after those at `index`, or after all.
    fn begin(&mut self, index: u64) -> usize {
        let at = self.last(index).map_or(self.blocks.len(), |at| at + 1);
        let block = Block {
            index,
            text: Vec::new(),
            signature: Vec::new(),
            redacted: Vec::new(),
        };
        self.blocks.insert(at, block);
        at
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn quoted(json: &str) -> Quoted<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn pieces_become_blocks() {
        let mut thinking = Thinking::default();
        thinking.add_text(0, quoted(r#""a\n""#));
        thinking.add_text(0, quoted(r#""b""#));
        thinking.add_signature(0, quoted(r#""si""#));
        thinking.add_signature(0, quoted(r#""gn==""#));
        thinking.add_redacted(1, quoted(r#""AAAA""#));
        thinking.add_redacted(1, quoted(r#""BBB=""#));
        thinking.add_redacted(1, quoted(r#""CCCC""#));
        thinking.add_signature(4, quoted(r#""only""#));
        thinking.add_text(5, quoted(r#""unsigned""#));
        let mut out = b"{".to_vec();
        thinking.write(&mut out);
        out.push(b'}');
        let written: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            written,
            json!({"thinking_blocks": [
                {"type": "thinking", "thinking": "a\nb", "signature": "sign=="},
                {"type": "redacted_thinking", "data": "AAAABBB="},
                {"type": "redacted_thinking", "data": "CCCC"},
                {"type": "thinking", "thinking": "", "signature": "only"},
                {"type": "thinking", "thinking": "unsigned"},
            ]})
        );
    }

    #[test]
    fn blocks_that_alternate_stay_whole() {
        let mut thinking = Thinking::default();
        thinking.add_text(3, quoted(r#""a""#));
        thinking.add_redacted(1, quoted(r#""AA==""#));
        thinking.add_text(3, quoted(r#""b""#));
        thinking.add_text(4, quoted(r#""c""#));
        thinking.add_redacted(1, quoted(r#""BB==""#));
        thinking.add_signature(3, quoted(r#""sign""#));
        let mut out = b"{".to_vec();
        thinking.write(&mut out);
        out.push(b'}');
        let written: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            written,
            json!({"thinking_blocks": [
                {"type": "thinking", "thinking": "ab", "signature": "sign"},
                {"type": "redacted_thinking", "data": "AA=="},
                {"type": "redacted_thinking", "data": "BB=="},
                {"type": "thinking", "thinking": "c"},
            ]})
        );
    }
}
