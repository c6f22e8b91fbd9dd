//! Where in a request a value stands.

use serde_json::value::RawValue;

use super::json::Node;

/// Keys whose objects and lists are kept as text: they are schemas, or fields that pass through.
const VERBATIM: [&str; 3] = ["parameters", "schema", "additionalModelRequestFields"];

/// Where a value stands, as far as that matters to how it is kept.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Request,
    Messages,
    Message,
    /// Of a message: a string or parts.
    Content,
    Part,
    /// Of a part.
    Text,
    /// An object or a list here stays text.
    Verbatim,
    Other,
}

impl Place {
    /// Of the value under `key`.
    pub(super) fn under(self, key: &str) -> Self {
        match (self, key) {
            (Self::Request, "messages") => Self::Messages,
            (Self::Message, "content") => Self::Content,
            (Self::Part, "text") => Self::Text,
            _ if VERBATIM.contains(&key) => Self::Verbatim,
            _ => Self::Other,
        }
    }

    /// Of the elements of a list.
    pub(super) fn within(self) -> Self {
        match self {
            Self::Messages => Self::Message,
            Self::Content => Self::Part,
            _ => Self::Other,
        }
    }

    /// Whether `raw` is kept as it is.
    pub(super) fn keeps<'de>(self, raw: &'de RawValue) -> Option<Node<'de>> {
        let is_text = raw.get().starts_with('"');
        match self {
            Self::Verbatim if raw.get().starts_with(['{', '[']) => Some(Node::Verbatim(raw)),
            // Escapes by number may be halves of characters, so these are read.
            Self::Content | Self::Text if is_text && !has_numbered_escape(raw.get()) => {
                Some(Node::Written(raw))
            }
            _ => None,
        }
    }
}

/// Most texts have no escape at all, which is told at once.
fn has_numbered_escape(text: &str) -> bool {
    text.as_bytes().contains(&b'\\') && text.contains("\\u")
}
