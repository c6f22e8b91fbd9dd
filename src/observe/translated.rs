//! An answer that a layer inside has translated: it tells itself what was in it.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::reader::Progress;
use crate::context::Context;

#[derive(Debug)]
pub(super) struct Translated {
    context: Context,
    is_stream: bool,
}

impl Translated {
    /// Nothing, if the answer is as the upstream gave it.
    pub(super) fn of(context: &Context, headers: &HeaderMap) -> Option<Self> {
        context.is_translated().then(|| Self {
            context: context.clone(),
            is_stream: headers
                .get(CONTENT_TYPE)
                .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream")),
        })
    }

    pub(super) fn is_stream(&self) -> bool {
        self.is_stream
    }

    /// Whether the layer has not told all yet.
    pub(super) fn is_reading(&self) -> bool {
        self.context.told().is_none()
    }

    pub(super) fn progress(&self) -> Progress {
        let (contents, is_over) = self.context.progress().get();
        Progress { contents, is_over }
    }
}
