//! Bodies that are kept with a record.

use std::fmt;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// The beginning of a body.
///
/// It serializes to `{"text": …, "complete": …}`, or with `base64` for what is not UTF-8.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    data: Bytes,
    is_complete: bool,
}

impl Payload {
    /// The bytes that are kept.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Whether that is the whole body.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut payload = serializer.serialize_struct("Payload", 2)?;
        match std::str::from_utf8(&self.data) {
            Ok(text) => payload.serialize_field("text", text)?,
            Err(_) => {
                let text = Base64Display::new(&self.data, &STANDARD).to_string();
                payload.serialize_field("base64", &text)?;
            }
        }
        payload.serialize_field("complete", &self.is_complete)?;
        payload.end()
    }
}

/// The bytes are not shown.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("len", &self.data.len())
            .field("is_complete", &self.is_complete)
            .finish_non_exhaustive()
    }
}
