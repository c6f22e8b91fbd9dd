//! One request under observation, and what is made of it in the end.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::Body;

use super::place::place;
use super::reader::{Progress, Reader, Reading};
use super::record::{Outcome, Record};
use super::sink::{RequestSpan, Sinks};
use crate::context::{Context, Principal};
use crate::reject::{Dialect, Rejection};

pub(super) const LOG_ID: HeaderName = HeaderName::from_static("cf-aig-log-id");
pub(super) const EVENT_ID: HeaderName = HeaderName::from_static("cf-aig-event-id");
const STEP: HeaderName = HeaderName::from_static("cf-aig-step");
const AMZN_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const ERRORTYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// The longest text of an upstream's header that is kept.
const MAX_TEXT: usize = 256;

/// A request that has not ended yet.
pub(super) struct Observation {
    pub(super) context: Context,
    pub(super) sinks: Arc<Sinks>,
    pub(super) log_id: HeaderValue,
    pub(super) event_id: HeaderValue,
    pub(super) dialect: Dialect,
    pub(super) is_head: bool,
    pub(super) created_at: SystemTime,
    pub(super) answer: Option<Answer>,
    /// The request's span; one that is disabled, unless spans are wanted.
    pub(super) span: RequestSpan,
}

/// What is known of the answer.
pub(super) struct Answer {
    status: StatusCode,
    rejection: Option<Box<Rejection>>,
    /// The upstream's own word for what is wrong.
    fault: Option<String>,
    request_id: Option<String>,
    reader: Option<Reader>,
    /// From the latest attempt to the answer's head.
    latency: Option<Duration>,
    first_byte: Option<Duration>,
    first_content: Option<Duration>,
    /// Bytes that the head promised, and bytes that came.
    announced: Option<u64>,
    seen: u64,
}

/// How an observation came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The answer's body ended.
    Whole,
    /// The inner service failed, or the answer's body did.
    Failed,
    /// The response was dropped, or its future.
    Dropped,
}

impl Observation {
    /// Notes the head of the answer and puts the ids on it. Says whether a body will follow.
    pub(super) fn answered<R: Body>(&mut self, response: &mut Response<R>) -> bool {
        let status = response.status();
        let is_bodiless = self.is_head
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if !self.sinks.is_empty() {
            self.answer = Some(self.answer(response, is_bodiless));
        }
        let is_refusal = response.extensions().get::<Rejection>().is_some();
        self.write_ids(response.headers_mut(), is_refusal);
        !is_bodiless && !response.body().is_end_stream()
    }

    fn answer<R: Body>(&self, response: &Response<R>, is_bodiless: bool) -> Answer {
        let (status, headers) = (response.status(), response.headers());
        let rejection = response.extensions().get::<Rejection>();
        let is_upstream = rejection.is_none();
        let is_error = status.is_client_error() || status.is_server_error();
        let hint = || response.body().size_hint().exact();
        let context = &self.context;
        Answer {
            status,
            rejection: rejection.cloned().map(Box::new),
            fault: (is_upstream && is_error).then(|| fault(status, headers)),
            request_id: headers
                .get(AMZN_REQUEST_ID)
                .filter(|_| is_upstream)
                .and_then(text),
            reader: (is_upstream && !is_bodiless).then(|| Reader::new(status, headers)),
            latency: context
                .sent_after()
                .filter(|_| is_upstream)
                .map(|sent| context.started().elapsed().saturating_sub(sent)),
            first_byte: None,
            first_content: None,
            announced: if is_bodiless {
                None
            } else {
                content_length(headers).or_else(hint)
            },
            seen: 0,
        }
    }

    fn write_ids(&self, headers: &mut HeaderMap, is_refusal: bool) {
        let mut insert = |name, value| {
            // Only a head with tens of thousands of headers has no place.
            let _ = headers.try_insert(name, value);
        };
        insert(LOG_ID, self.log_id.clone());
        insert(EVENT_ID, self.event_id.clone());
        insert(STEP, HeaderValue::from_static("0"));
        match self.dialect {
            Dialect::OpenAi => insert(REQUEST_ID, self.log_id.clone()),
            Dialect::Envelope if is_refusal => insert(AMZN_REQUEST_ID, self.log_id.clone()),
            Dialect::Envelope | Dialect::Grpc => {}
        }
    }

    /// Notes a piece of the answer's body.
    pub(super) fn read(&mut self, data: &[u8]) {
        let Some(answer) = &mut self.answer else {
            return;
        };
        if data.is_empty() {
            return;
        }
        let started = self.context.started();
        answer.seen = answer.seen.saturating_add(data.len() as u64);
        answer.first_byte.get_or_insert_with(|| started.elapsed());
        if let Some(reader) = &mut answer.reader
            && reader.push(data) == Progress::FirstContent
        {
            answer.first_content = Some(started.elapsed());
        }
    }

    /// Makes the record and gives it to the sinks.
    pub(super) fn finish(mut self, end: End) {
        let sinks = Arc::clone(&self.sinks);
        if !sinks.is_empty() {
            let span = std::mem::replace(&mut self.span, RequestSpan::none());
            sinks.record(self.into_record(end), &span);
        }
    }

    fn into_record(self, end: End) -> Record {
        let context = &self.context;
        let owned = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let mut record = Record::new(owned(&self.log_id), owned(&self.event_id), self.created_at);
        record.duration = context.started().elapsed();
        record.request_size = context.request_size();
        record.principal = context.principal().map(|who| Principal::id(who).to_owned());
        record.credentials_id = context.credentials_id().map(str::to_owned);
        place(&mut record, context);

        let mut answer = self.answer;
        let reader = answer.as_mut().and_then(|answer| answer.reader.take());
        let mut reading = reader.map(Reader::finish).unwrap_or_default();
        #[cfg(feature = "compat")]
        if let Some(told) = context.told() {
            reading = Reading::of(told);
        }
        let (outcome, error) = judge(context, answer.as_ref(), &reading, end);
        (record.outcome, record.error) = (outcome, error.map(Cow::into_owned));
        record.tokens_in = reading.usage.tokens_in();
        record.tokens_out = reading.usage.output_tokens;
        record.tokens_cache_read = reading.usage.cache_read_tokens;
        record.tokens_cache_write = reading.usage.cache_write_tokens;
        record.stop_reason = reading.stop_reason;

        let is_refused = outcome == Outcome::Refused;
        // Without a layer that counts them there are none, which is not the same as no attempt.
        record.attempts = Some(context.attempts()).filter(|&attempts| attempts > 0 || is_refused);
        if let Some(answer) = answer {
            record.status_code = Some(answer.status.as_u16());
            record.success = outcome == Outcome::Complete && answer.status.is_success();
            record.response_size = Some(answer.seen);
            record.time_to_first_byte = answer.first_byte;
            record.time_to_first_token = answer.first_content;
            record.upstream_latency = answer.latency;
            record.upstream_request_id = answer.request_id;
        }
        record
    }
}

impl Answer {
    fn is_short(&self) -> bool {
        self.announced
            .is_some_and(|announced| self.seen < announced)
    }

    /// All that was announced has come. A server does not ask for more then.
    fn is_served(&self) -> bool {
        self.announced.is_some() && !self.is_short()
    }
}

/// How the request ended, and what is said of it.
///
/// What the upstream was seen to do wrong weighs more than that the client then left.
fn judge(
    context: &Context,
    answer: Option<&Answer>,
    reading: &Reading,
    end: End,
) -> (Outcome, Option<Cow<'static, str>>) {
    let rejection = match answer {
        Some(answer) => answer.rejection.as_deref(),
        None => context.rejection(),
    };
    if let Some(rejection) = rejection {
        let outcome = match rejection.kind().is_upstream() {
            true => Outcome::UpstreamError,
            false => Outcome::Refused,
        };
        return (outcome, Some(rejection.text().to_owned().into()));
    }
    let Some(answer) = answer else {
        return match end {
            End::Dropped => (Outcome::ClientDisconnect, None),
            End::Whole | End::Failed => (
                Outcome::UpstreamError,
                Some("the inner service failed".into()),
            ),
        };
    };
    let fault: Option<Cow<'static, str>> =
        if let Some(fault) = reading.exception.as_ref().or(answer.fault.as_ref()) {
            Some(fault.clone().into())
        } else if reading.unknown_operation {
            Some("UnknownOperationException".into())
        } else {
            reading
                .broken
                .as_ref()
                .map(|error| error.to_string().into())
        };
    if fault.is_some() {
        return (Outcome::UpstreamError, fault);
    }
    let cut = |text: &'static str| (Outcome::UpstreamCut, Some(text.into()));
    match end {
        End::Failed => cut("the upstream's answer broke off"),
        End::Dropped if !answer.is_served() => (Outcome::ClientDisconnect, None),
        End::Whole | End::Dropped if answer.is_short() => {
            cut("the upstream's answer is shorter than announced")
        }
        End::Whole | End::Dropped if reading.truncated => {
            cut("the upstream's answer ended before it was complete")
        }
        End::Whole | End::Dropped => (Outcome::Complete, None),
    }
}

/// The name of the error that an upstream answers with.
fn fault(status: StatusCode, headers: &HeaderMap) -> String {
    let errortype = headers.get(ERRORTYPE).and_then(text).and_then(|text| {
        // `namespace#Name:http://…` in some answers.
        let name = text.split(':').next()?;
        let name = name.rsplit('#').next()?;
        Some(name.to_owned()).filter(|name| !name.is_empty())
    });
    errortype.unwrap_or_else(|| status.to_string())
}

fn text(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?;
    text.get(..text.len().min(MAX_TEXT)).map(str::to_owned)
}

/// The one valid `content-length`, if there is one.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let text = value.to_str().ok()?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Ends an observation, if nothing else does before it is dropped.
pub(super) struct Guard(Option<Observation>);

impl Guard {
    pub(super) fn new(observation: Option<Observation>) -> Self {
        Self(observation)
    }

    pub(super) fn get_mut(&mut self) -> Option<&mut Observation> {
        self.0.as_mut()
    }

    /// Does `work` within the request's span.
    pub(super) fn in_span<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(observation) => observation.span.in_scope(work),
            None => work(),
        }
    }

    pub(super) fn take(&mut self) -> Option<Observation> {
        self.0.take()
    }

    pub(super) fn finish(&mut self, end: End) {
        if let Some(observation) = self.take() {
            observation.finish(end);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.finish(End::Dropped);
    }
}
