//! An answer before it is sent, so that faults can still be worked into it.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;

use super::refusal::Refusal;

/// The body of an answer.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Whole(Bytes),
    Frames {
        frames: Vec<Bytes>,
        /// How many frames at the end say that the message is over.
        closing: usize,
        /// An AWS event stream rather than server-sent events.
        binary: bool,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) content: Content,
}

impl Answer {
    pub(super) fn new(status: u16, content_type: &'static str, content: Content) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers,
            content,
        }
    }

    /// 200 with a JSON body.
    pub(super) fn json(body: &Value) -> Self {
        let content = Content::Whole(body.to_string().into());
        Self::new(200, "application/json", content)
    }

    /// 200 with an AWS event stream or server-sent events.
    pub(super) fn events(content: Content) -> Self {
        let content_type = match content {
            Content::Frames { binary: false, .. } => "text/event-stream",
            _ => "application/vnd.amazon.eventstream",
        };
        Self::new(200, content_type, content)
    }

    /// What AWS answers to a path that it does not know: 200, not 404.
    pub(super) fn unknown_operation() -> Self {
        Self::json(&serde_json::json!({
            "Output": { "__type": "com.amazon.coral.service#UnknownOperationException" },
            "Version": "1.0",
        }))
    }

    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        if let Ok(value) = HeaderValue::try_from(value.to_string()) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let error_type = refusal.error_type();
        let content = Content::Whole(refusal.body.to_string().into());
        Self::new(refusal.status, "application/json", content).with("x-amzn-errortype", error_type)
    }
}
