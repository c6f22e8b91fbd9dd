//! What the emulated model says: a pure function of the prompt.

use serde_json::Value;

use super::prompt::{self, Prompt};

const PIECES: usize = 32;
const WORDS_A_PIECE: usize = 2048;

/// A model's answer with its token counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) text: String,
    pub(super) input: u64,
    pub(super) output: u64,
    /// `maxTokens` cut the text.
    pub(super) cut: bool,
}

impl Reply {
    /// Repeats the prompt's last user text (its first 64 words), at most `max_tokens` words in all.
    pub(super) fn to(body: &Value) -> Self {
        let prompt = Prompt::read(body);
        let said: Vec<&str> = prompt.last.split_whitespace().take(64).collect();
        let whole = format!(
            "You said: \"{}\" This is an emulated answer, so that is all there is to say about it.",
            said.join(" ")
        );
        let limit = prompt
            .limit
            .and_then(|limit| usize::try_from(limit).ok())
            .unwrap_or(usize::MAX);
        let words: Vec<&str> = whole.split_whitespace().take(limit).collect();
        let text = words.join(" ");
        Self {
            cut: text.len() < whole.len(),
            input: prompt.tokens,
            output: prompt::tokens(&text),
            text,
        }
    }

    /// The same with a text of exactly `bytes` bytes.
    pub(super) fn enlarged(self, bytes: usize) -> Self {
        let text: String = "lorem ipsum dolor sit amet "
            .chars()
            .cycle()
            .take(bytes)
            .collect();
        Self {
            output: prompt::tokens(&text),
            text,
            cut: false,
            ..self
        }
    }

    /// The same with this text, which may have so many words.
    pub(super) fn saying(self, text: &str, limit: usize) -> Self {
        let words: Vec<&str> = text.split_whitespace().collect();
        let kept = words.get(..limit).filter(|kept| kept.len() < words.len());
        let text = kept.map_or_else(|| text.to_owned(), |words| words.join(" "));
        Self {
            output: prompt::tokens(&text),
            cut: limit < words.len(),
            text,
            ..self
        }
    }

    /// The text in the pieces in which a stream carries it.
    pub(super) fn pieces(&self) -> Vec<String> {
        pieces(&self.text)
    }

    /// Milliseconds that the model claims to have taken.
    pub(super) fn latency(&self) -> u64 {
        100 + 5 * self.output
    }

    pub(super) fn total(&self) -> u64 {
        self.input + self.output
    }

    /// Picks the word for how the answer ended.
    pub(super) fn stop<'a>(&self, end: &'a str, cut: &'a str) -> &'a str {
        if self.cut { cut } else { end }
    }
}

/// A text in the pieces in which a stream carries it.
pub(super) fn pieces(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_inclusive(' ').collect();
    let size = words.len().div_ceil(PIECES).clamp(1, WORDS_A_PIECE);
    words.chunks(size).map(<[&str]>::concat).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn counts_words_and_echoes() {
        let body = json!({"system": "be brief", "messages": [
            {"role": "user", "content": "one two"},
            {"role": "assistant", "content": [{"type": "text", "text": "three"}]},
            {"role": "user", "content": [{"text": "four  five six"}]},
        ]});
        let reply = Reply::to(&body);
        assert_eq!(reply.input, 8);
        assert!(
            reply.text.starts_with("You said: \"four five six\" This"),
            "{}",
            reply.text
        );
        assert_eq!(reply.output, 20);
        assert!(!reply.cut);
        assert_eq!(reply.pieces().concat(), reply.text);
        assert!(reply.pieces().len() > 3);
    }

    #[test]
    fn respects_the_limit_and_the_size() {
        let body = json!({"max_tokens": 3, "messages": [{"role": "user", "content": "a b"}]});
        let reply = Reply::to(&body);
        assert_eq!(
            (reply.text.as_str(), reply.cut, reply.output),
            ("You said: \"a", true, 3)
        );
        let large = reply.enlarged(100_000);
        assert_eq!(large.text.len(), 100_000);
        assert_eq!(large.pieces().concat(), large.text);
    }
}
