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
        let last = self.block(index);
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

    /// The block at `index`, which is the last one or else a new one.
    fn block(&mut self, index: u64) -> Option<&mut Block> {
        if self.blocks.last().is_none_or(|block| block.index != index) {
            self.begin(index);
        }
        self.blocks.last_mut()
    }

    fn begin(&mut self, index: u64) {
        self.blocks.push(Block {
            index,
            text: Vec::new(),
            signature: Vec::new(),
            redacted: Vec::new(),
        });
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
}
