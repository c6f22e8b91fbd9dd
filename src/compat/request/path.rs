//! Where in a request something is, and the refusal of what is there.

use std::fmt;

use super::json::Node;
use crate::reject::{Rejection, RejectionKind};

/// A place in the request, such as `messages[3].content[1].image_url.url`. It is a chain of
/// borrowed steps; text is made of it only for a refusal.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'p> {
    above: Option<&'p At<'p>>,
    step: Step<'p>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'p> {
    Key(&'p str),
    Index(usize),
}

impl<'p> At<'p> {
    /// A parameter of the request.
    pub(super) fn parameter(name: &'p str) -> Self {
        Self {
            above: None,
            step: Step::Key(name),
        }
    }

    pub(super) fn key<'q>(&'q self, name: &'q str) -> At<'q> {
        At {
            above: Some(self),
            step: Step::Key(name),
        }
    }

    pub(super) fn index(&self, index: usize) -> At<'_> {
        At {
            above: Some(self),
            step: Step::Index(index),
        }
    }

    /// Whether this is what has the key `name`, at the end of dots or by itself.
    pub(super) fn ends_with(&self, name: &str) -> bool {
        matches!(self.step, Step::Key(key) if key.ends_with(name))
    }

    /// What is here cannot be taken.
    pub(super) fn refuse(&self, code: &'static str, text: impl fmt::Display) -> Rejection {
        Rejection::new(
            RejectionKind::InvalidBody,
            format!("Invalid '{self}': {text}"),
        )
        .with_param(self.to_string())
        .with_code(code)
    }

    /// It is understood, and wrong.
    pub(super) fn invalid(&self, text: impl fmt::Display) -> Rejection {
        self.refuse("invalid_value", text)
    }

    /// It is right at OpenAI, but Bedrock has nothing like it.
    pub(super) fn unsupported(&self, text: impl fmt::Display) -> Rejection {
        Rejection::new(
            RejectionKind::InvalidBody,
            format!("Unsupported value of '{self}': {text}"),
        )
        .with_param(self.to_string())
        .with_code("unsupported_value")
    }

    /// As [`unsupported`](Self::unsupported), of the parameter with any value.
    pub(super) fn unsupported_parameter(&self, text: impl fmt::Display) -> Rejection {
        Rejection::new(
            RejectionKind::InvalidBody,
            format!("Unsupported parameter '{self}': {text}"),
        )
        .with_param(self.to_string())
        .with_code("unsupported_parameter")
    }

    /// It is not there.
    pub(super) fn missing(&self) -> Rejection {
        Rejection::new(
            RejectionKind::InvalidBody,
            format!("Missing required parameter: '{self}'."),
        )
        .with_param(self.to_string())
        .with_code("missing_required_parameter")
    }

    /// It is of another type.
    pub(super) fn mistyped(&self, expected: &str, found: &Node<'_>) -> Rejection {
        let found = found.kind();
        Rejection::new(
            RejectionKind::InvalidBody,
            format!("Invalid type for '{self}': expected {expected}, but got {found} instead."),
        )
        .with_param(self.to_string())
        .with_code("invalid_type")
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            above.fmt(f)?;
        }
        match self.step {
            Step::Key("") if self.above.is_some() => f.write_str(".\"\""),
            Step::Key("") => f.write_str("\"\""),
            Step::Key(name) if self.above.is_some() => write!(f, ".{}", Excerpt(name)),
            Step::Key(name) => Excerpt(name).fmt(f),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// The client's own text in an answer or a header: short, and nothing but printable ASCII.
#[derive(Debug)]
pub(super) struct Excerpt<'t>(pub(super) &'t str);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LENGTH: usize = 64;
        for (count, char) in self.0.chars().enumerate() {
            if count == LENGTH {
                return f.write_str("...");
            }
            let shown = char.is_ascii_graphic() && char != ',' || char == ' ';
            write!(f, "{}", if shown { char } else { '?' })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{At, Excerpt};

    #[test]
    fn as_openai_writes_it() {
        let messages = At::parameter("messages");
        let message = messages.index(3);
        let content = message.key("content");
        let part = content.index(1);
        assert_eq!(
            part.key("image_url").key("url").to_string(),
            "messages[3].content[1].image_url.url"
        );
    }

    #[test]
    fn excerpts_fit_a_header() {
        let excerpt = Excerpt("a\r\nb, \u{202e}\u{e9}").to_string();
        assert_eq!(excerpt, "a??b? ??");
        assert_eq!(Excerpt(&"x".repeat(65)).to_string().len(), 67);
    }
}
