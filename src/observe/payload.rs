//! Bodies that are kept with a record.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_core::ser::SerializeStruct;
use serde_core::{Serialize, Serializer};

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
            Err(error) if !self.is_complete && error.error_len().is_none() => {
                // Cut off within a character.
                let (text, _) = self.data.split_at(error.valid_up_to());
                payload.serialize_field("text", &String::from_utf8_lossy(text))?;
            }
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

/// Which of the two bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Side {
    /// What the client sent.
    Request,
    /// What it was answered.
    Response,
}

/// Keeps the beginning of bodies with the record.
///
/// Nothing is kept unless [`with_payloads`](super::ObservabilityLayer::with_payloads) says so, and
/// nothing of a request whose client sends `cf-aig-collect-log-payload: false`. Bodies hold what
/// users wrote: see to it who reads the records.
///
/// ```
/// use tower_bedrock::observe::{Capture, ObservabilityLayer};
///
/// let capture = Capture::new(64 * 1024).with_redaction(|_side, body| {
///     let text = String::from_utf8_lossy(body).replace("4111 1111 1111 1111", "[card]");
///     *body = text.into_bytes();
/// });
/// let layer = ObservabilityLayer::default().with_payloads(capture);
/// ```
#[derive(Clone)]
#[must_use]
pub struct Capture {
    request: usize,
    response: usize,
    redact: Option<Arc<Redact>>,
}

type Redact = dyn Fn(Side, &mut Vec<u8>) + Send + Sync;

impl Capture {
    /// Keeps up to so many bytes of either body.
    pub fn new(limit: usize) -> Self {
        Self {
            request: limit,
            response: limit,
            redact: None,
        }
    }

    /// Keeps up to so many bytes of the request's body; 0 for nothing of it.
    pub fn with_request_limit(mut self, limit: usize) -> Self {
        self.request = limit;
        self
    }

    /// Keeps up to so many bytes of the answer's body; 0 for nothing of it.
    pub fn with_response_limit(mut self, limit: usize) -> Self {
        self.response = limit;
        self
    }

    /// Shows what is about to be kept to `redact`, which may change it. If it panics, that body is
    /// not kept.
    pub fn with_redaction(
        mut self,
        redact: impl Fn(Side, &mut Vec<u8>) + Send + Sync + 'static,
    ) -> Self {
        self.redact = Some(Arc::new(redact));
        self
    }

    /// How much of a body is kept, if anything is.
    pub(super) fn limit(&self, side: Side) -> Option<usize> {
        let limit = match side {
            Side::Request => self.request,
            Side::Response => self.response,
        };
        Some(limit).filter(|&limit| limit > 0)
    }

    pub(super) fn payload(
        &self,
        side: Side,
        mut data: Vec<u8>,
        is_complete: bool,
    ) -> Option<Payload> {
        if let Some(redact) = &self.redact {
            catch_unwind(AssertUnwindSafe(|| redact(side, &mut data))).ok()?;
        }
        let data = data.into();
        Some(Payload { data, is_complete })
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("request", &self.request)
            .field("response", &self.response)
            .finish_non_exhaustive()
    }
}
