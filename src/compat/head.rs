//! Heads: of the request that goes to Bedrock, and of the answer that comes back translated.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{
    ACCEPT, ACCEPT_RANGES, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING,
    CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HOST, LOCATION, RETRY_AFTER, SET_COOKIE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{self, PathAndQuery};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, request, response,
};

use super::body::CompatBody;
use super::error::OpenAiError;
use super::layer::Settings;
use super::translation::Translation;
use crate::body::ResponseBody;
use crate::headers::{Present, keep_forwarded, remove_named_in_connection};
use crate::reject::{Manner, Rejection, RejectionKind};
use crate::route::push_segment;

/// Names the parameters that were left out.
const DROPPED_PARAMS: HeaderName = HeaderName::from_static("x-bedrock-dropped-params");
const AMZN_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");

/// Turns the head of a chat completion request into that of a Converse request. Of the client's
/// headers those travel on that Bedrock knows; its `Authorization` only if that is its own key.
pub(super) fn translate(
    head: &mut request::Parts,
    translation: &Translation,
    settings: &Settings,
    own_key: bool,
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
    let authorization = head.headers.remove(AUTHORIZATION).filter(|_| own_key);
    let present = Present::in_head(&head.headers);
    if present.has(Present::CONNECTION) {
        remove_named_in_connection(&mut head.headers);
    }
    keep_forwarded(&mut head.headers, present, &settings.forwarded);
    // Whoever sends or signs the request names its host.
    for name in [HOST, ACCEPT] {
        head.headers.remove(name);
    }
    head.headers.insert(CONTENT_TYPE, JSON);
    head.headers
        .insert(CONTENT_LENGTH, translation.frames().len().into());
    if let Some(authorization) = authorization {
        head.headers.insert(AUTHORIZATION, authorization);
    }
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

/// Takes off an answer's head what was said of the body that it no longer has, and what is between
/// the upstream and us.
pub(super) fn strip(head: &mut response::Parts) {
    for name in [
        ACCEPT_RANGES,
        CONNECTION,
        CONTENT_ENCODING,
        CONTENT_LENGTH,
        CONTENT_RANGE,
        CONTENT_TYPE,
        ETAG,
        LOCATION,
        RETRY_AFTER,
        SET_COOKIE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
        HeaderName::from_static("x-amzn-bedrock-content-type"),
        HeaderName::from_static("x-amzn-errortype"),
    ] {
        head.headers.remove(name);
    }
    head.headers.remove(REQUEST_ID);
    identify(&mut head.headers);
}

/// Sees that an answer has an `x-request-id`, as OpenAI's have. An `ObservabilityLayer` outside
/// sets its own.
pub(super) fn identify(headers: &mut HeaderMap) {
    if headers.contains_key(REQUEST_ID) {
        return;
    }
    let aws = headers.get(AMZN_REQUEST_ID).cloned();
    let own = || HeaderValue::try_from(answer_id(&HeaderMap::new())).ok();
    if let Some(id) = aws.or_else(own) {
        headers.insert(REQUEST_ID, id);
    }
}

/// Says what the body is now, and what was left out on the way to it.
pub(super) fn describe(head: &mut response::Parts, translation: &Translation) {
    strip(head);
    head.status = StatusCode::OK;
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

/// The list of models.
pub(super) fn json<R>(body: Vec<u8>) -> Response<CompatBody<R>> {
    let mut response = Response::new(CompatBody::plain(ResponseBody::own(body)));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    identify(response.headers_mut());
    response
}

/// A refusal of ours.
pub(super) fn refusal<R>(rejection: Rejection, manner: Manner) -> Response<CompatBody<R>> {
    let mut response = rejection.answer(manner).map(CompatBody::plain);
    identify(response.headers_mut());
    response
}

/// A refusal of an inner layer's, which may not have known whose language the caller speaks.
pub(super) fn translated_refusal<R>(
    mut head: response::Parts,
    rejection: Rejection,
    manner: Manner,
) -> Response<CompatBody<R>> {
    let (ours, body) = refusal(rejection, manner).into_parts();
    strip(&mut head);
    head.headers.extend(ours.headers);
    head.status = ours.status;
    Response::from_parts(head, body)
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
