//! One request under observation.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::Body;

use super::asked::Asked;
use super::grpc::Call;
use super::judge::fault;
use super::payload::Side;
use super::reader::Reader;
use super::record::Outcome;
use super::settings::Settings;
use super::sink::RequestSpan;
use super::spare;
use crate::context::{Beginning, Context};
use crate::reject::{Dialect, Rejection};

pub(super) const LOG_ID: HeaderName = HeaderName::from_static("cf-aig-log-id");
pub(super) const EVENT_ID: HeaderName = HeaderName::from_static("cf-aig-event-id");
const STEP: HeaderName = HeaderName::from_static("cf-aig-step");
const AMZN_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request that has not ended yet.
pub(super) struct Observation {
    pub(super) context: Context,
    pub(super) settings: Arc<Settings>,
    pub(super) log_id: HeaderValue,
    pub(super) event_id: HeaderValue,
    pub(super) dialect: Dialect,
    pub(super) is_head: bool,
    pub(super) created_at: SystemTime,
    pub(super) asked: Option<Box<Asked>>,
    pub(super) answer: Option<Answer>,
    /// When the client left an answer that is read on.
    pub(super) left: Option<Duration>,
    /// The request's span; one that is disabled, unless spans are wanted.
    pub(super) span: RequestSpan,
}

/// What is known of the answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) rejection: Option<Box<Rejection>>,
    /// The upstream's own word for what is wrong.
    pub(super) fault: Option<String>,
    pub(super) request_id: Option<HeaderValue>,
    /// If it is one of gRPC.
    pub(super) call: Option<Call>,
    pub(super) reader: Option<Reader>,
    /// From the latest attempt to the answer's head.
    pub(super) latency: Option<Duration>,
    pub(super) first_byte: Option<Duration>,
    /// Of events in which the model says something: how many, when the first came, and when the
    /// message ended that they make.
    pub(super) contents: u64,
    pub(super) first_content: Option<Duration>,
    pub(super) end_of_message: Option<Duration>,
    /// Bytes that the head promised, that came, and that went to the client.
    announced: Option<u64>,
    seen: u64,
    pub(super) passed: u64,
    /// The beginning of the body, if it is to be kept.
    pub(super) body: Option<Beginning>,
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
        if !self.settings.sinks.is_empty() || self.settings.usage_headers.is_some() {
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
        let length = response.body().size_hint().exact();
        let context = &self.context;
        Answer {
            status,
            rejection: rejection.cloned().map(Box::new),
            fault: (is_upstream && is_error).then(|| fault(status, headers)),
            request_id: match is_upstream {
                true => headers.get(AMZN_REQUEST_ID),
                false => context.upstream_id(),
            }
            // Its value is a piece of all that was read at once, and a stream lasts for minutes.
            .and_then(|id| match length {
                Some(_) => Some(id.clone()),
                None => HeaderValue::from_bytes(id.as_bytes()).ok(),
            }),
            call: (self.dialect == Dialect::Grpc)
                .then(|| Call::of(headers))
                .flatten(),
            reader: (is_upstream && !is_bodiless).then(|| Reader::new(context, status, headers)),
            latency: context
                .sent_after()
                .filter(|_| is_upstream)
                .map(|sent| context.started().elapsed().saturating_sub(sent)),
            first_byte: None,
            contents: 0,
            first_content: None,
            end_of_message: None,
            announced: if is_bodiless {
                None
            } else {
                content_length(headers).or(length)
            },
            seen: 0,
            passed: 0,
            body: self.keeps(Side::Response).map(|_| Beginning::default()),
        }
    }

    /// How much of a body is kept, if anything is.
    pub(super) fn keeps(&self, side: Side) -> Option<usize> {
        let limit = self.settings.payloads.as_ref()?.limit(side);
        let is_wanted = self.asked.as_ref().is_none_or(|asked| asked.payloads);
        limit.filter(|_| is_wanted)
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

    /// Notes a piece of the answer's body that goes to the client. Gives back the time, if that
    /// had to be known.
    pub(super) fn pass(&mut self, data: &[u8]) -> Option<Duration> {
        let limit = self.keeps(Side::Response);
        let answer = self.answer.as_mut()?;
        answer.passed = answer.passed.saturating_add(data.len() as u64);
        if let (Some(body), Some(limit)) = (&mut answer.body, limit) {
            body.add(data, limit);
        }
        // What was held back has been read before.
        (answer.passed > answer.seen)
            .then(|| self.read(data))
            .flatten()
    }

    /// Reads a piece of the answer's body. The clock is read once at most, and for few of them.
    pub(super) fn read(&mut self, data: &[u8]) -> Option<Duration> {
        let answer = self.answer.as_mut().filter(|_| !data.is_empty())?;
        let started = self.context.started();
        answer.seen = answer.seen.saturating_add(data.len() as u64);
        let mut now = None;
        let mut clock = || *now.get_or_insert_with(|| started.elapsed());
        if answer.first_byte.is_none() {
            answer.first_byte = Some(clock());
        }
        if let Some(reader) = &mut answer.reader {
            let progress = reader.push(data);
            // What comes when the client has left is not what it waited for.
            if self.left.is_none() {
                answer.contents = progress.contents;
                if progress.contents > 0 && answer.first_content.is_none() {
                    answer.first_content = Some(clock());
                }
                if progress.is_over && answer.end_of_message.is_none() {
                    answer.end_of_message = Some(clock());
                }
            }
        }
        now
    }

    /// Reads what follows the answer's body.
    pub(super) fn trailers(&mut self, trailers: &HeaderMap) {
        let call = self.answer.as_mut().and_then(|answer| answer.call.as_mut());
        if let Some(call) = call {
            call.end(trailers);
        }
    }

    /// The longest answer that is held back until it is whole, if this one may be.
    pub(super) fn holds_up_to(&self) -> Option<usize> {
        let limit = self.settings.usage_headers?;
        let answer = self.answer.as_ref()?;
        let is_plain = answer.reader.as_ref().is_some_and(Reader::is_object);
        let fits = answer.announced.is_none_or(|length| length <= limit as u64);
        (is_plain && fits).then_some(limit)
    }

    /// Notes that the client has left in mid-answer; says whether to read on is of use.
    pub(super) fn leave(&mut self) -> bool {
        let is_of_use = self.answer.as_ref().is_some_and(|answer| {
            !answer.is_served() && answer.reader.as_ref().is_some_and(Reader::is_reading)
        });
        if is_of_use {
            self.left = Some(self.context.started().elapsed());
        }
        is_of_use
    }

    /// Makes the record and gives it to the sinks. It is now `now`, if that is known.
    pub(super) fn finish(&mut self, end: End, now: Option<Duration>) {
        if self.settings.sinks.is_empty() {
            return;
        }
        let collect = self.asked.as_ref().is_none_or(|asked| asked.collect);
        let mut room = spare::take();
        if let Some(record) = Arc::get_mut(&mut room) {
            self.fill(record, end, now);
        }
        // Nobody who is refused decides that it leaves no trace.
        let is_kept = collect || room.outcome == Outcome::Refused;
        self.settings
            .sinks
            .record(&room, is_kept, &self.span, &self.context);
        spare::give_back(room);
    }
}

impl Answer {
    pub(super) fn is_short(&self) -> bool {
        self.announced
            .is_some_and(|announced| self.seen < announced)
    }

    /// All that was announced has been sent. A server does not ask for more then.
    pub(super) fn is_served(&self) -> bool {
        self.announced
            .is_some_and(|announced| self.passed >= announced)
    }
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
