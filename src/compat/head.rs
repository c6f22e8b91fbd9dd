//! Heads: of the request that goes to Bedrock, and of the answer that comes back translated.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_RANGE, CONTENT_TYPE, ETAG, EXPECT, TRAILER, TRANSFER_ENCODING,
};
use http::uri::{self, PathAndQuery};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, Uri, request, response};

use super::body::CompatBody;
use super::error::OpenAiError;
use super::layer::Settings;
use super::translation::Translation;
use crate::body::ResponseBody;
use crate::reject::{Rejection, RejectionKind};
use crate::route::push_segment;

/// Names the parameters that were left out.
const DROPPED_PARAMS: HeaderName = HeaderName::from_static("x-bedrock-dropped-params");
const AMZN_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");

/// Turns the head of a chat completion request into that of a Converse request.
pub(super) fn translate(
    head: &mut request::Parts,
    translation: &Translation,
    settings: &Settings,
) -> Result<(), Rejection> {
    let operation = match translation.is_stream() {
        true => "converse-stream",
        false => "converse",
    };
    head.uri = converse_uri(translation.model(), operation, settings).ok_or_else(|| {
        Rejection::new(
            RejectionKind::InvalidPath,
            "the model's name does not fit into a URL",
        )
    })?;
    head.method = Method::POST;
    for name in [
        ACCEPT,
        ACCEPT_ENCODING,
        CONTENT_ENCODING,
        TRANSFER_ENCODING,
        TRAILER,
        EXPECT,
    ] {
        head.headers.remove(name);
    }
    head.headers.insert(CONTENT_TYPE, JSON);
    head.headers
        .insert(CONTENT_LENGTH, translation.body().len().into());
    Ok(())
}

fn converse_uri(model: &str, operation: &str, settings: &Settings) -> Option<Uri> {
    let mut path = String::with_capacity("/model//".len() + 3 * model.len() + operation.len());
    path.push_str("/model/");
    push_segment(&mut path, model);
    path.push('/');
    path.push_str(operation);
    let mut parts = uri::Parts::default();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    if let Some((scheme, authority)) = &settings.origin {
        parts.scheme = Some(scheme.clone());
        parts.authority = Some(authority.clone());
    }
    Uri::from_parts(parts).ok()
}

/// Whether an answer is of the type `wanted`.
pub(super) fn is_type(headers: &HeaderMap, wanted: &str) -> bool {
    let value = headers.get(CONTENT_TYPE);
    let essence = value
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(wanted))
}

/// Takes off an answer's head what was said of the body that it no longer has.
pub(super) fn strip(head: &mut response::Parts) {
    for name in [
        ACCEPT_RANGES,
        CONTENT_ENCODING,
        CONTENT_LENGTH,
        CONTENT_RANGE,
        CONTENT_TYPE,
        ETAG,
        TRAILER,
        TRANSFER_ENCODING,
        HeaderName::from_static("x-amzn-bedrock-content-type"),
        HeaderName::from_static("x-amzn-errortype"),
    ] {
        head.headers.remove(name);
    }
    if let Some(id) = head.headers.get(AMZN_REQUEST_ID).cloned() {
        head.headers.insert(REQUEST_ID, id);
    }
}

/// Says what the body is now, and what was left out on the way to it.
pub(super) fn describe(head: &mut response::Parts, translation: &Translation) {
    strip(head);
    let headers = &mut head.headers;
    if translation.is_stream() {
        headers.insert(CONTENT_TYPE, EVENTS);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    } else {
        headers.insert(CONTENT_TYPE, JSON);
    }
    report(headers, translation);
}

/// Turns the head into that of an error.
pub(super) fn fail(head: &mut response::Parts, error: &OpenAiError, translation: &Translation) {
    strip(head);
    head.status = error.status();
    head.headers.remove(CACHE_CONTROL);
    error.write_headers(&mut head.headers);
    report(&mut head.headers, translation);
}

fn report(headers: &mut HeaderMap, translation: &Translation) {
    let dropped = translation.dropped().join(", ");
    if !dropped.is_empty()
        && let Ok(dropped) = HeaderValue::try_from(dropped)
    {
        headers.insert(DROPPED_PARAMS, dropped);
    }
}

/// An answer of our own.
pub(super) fn json<R>(body: Vec<u8>) -> Response<CompatBody<R>> {
    let mut response = Response::new(CompatBody::plain(ResponseBody::own(body)));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// What makes an answer's `id` unique: AWS's id of the request, else a number of our own.
pub(super) fn answer_id(headers: &HeaderMap) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let fits = |id: &&str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=64).contains(&id.len()) && id.bytes().all(is_plain)
    };
    let id = headers.get(AMZN_REQUEST_ID).and_then(|id| id.to_str().ok());
    id.filter(fits).map_or_else(
        || {
            let nanos = since_1970().as_nanos();
            format!("{nanos:x}-{:x}", COUNT.fetch_add(1, Ordering::Relaxed))
        },
        str::to_owned,
    )
}

/// The time as OpenAI's `created` gives it.
pub(super) fn created() -> u64 {
    since_1970().as_secs()
}

fn since_1970() -> std::time::Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
}
