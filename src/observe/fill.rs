//! What is made of an observation in the end.

use std::time::Duration;

use super::asked::Asked;
use super::bill::bill;
use super::judge::{judge, text};
use super::metadata::Metadata;
use super::observation::{Answer, End, Observation};
use super::payload::{Capture, Payload, Side};
use super::place::Place;
use super::reader::{Reader, Reading};
use super::record::{Outcome, Record};
use crate::context::{Context, Principal};
use crate::route::decode_into;

impl Observation {
    /// Fills a record, which may have been another request's: every field of it.
    pub(super) fn fill(&mut self, record: &mut Record, end: End, now: Option<Duration>) {
        let Self {
            context,
            settings,
            asked,
            answer,
            left,
            ..
        } = self;
        let mut asked = asked.take().map(|asked| *asked).unwrap_or_default();
        let now = left.or(now);
        record.duration = now.unwrap_or_else(|| context.started().elapsed());
        record.created_at = self.created_at;
        put(&mut record.id, self.log_id.to_str().unwrap_or_default());
        put(
            &mut record.event_id,
            self.event_id.to_str().unwrap_or_default(),
        );
        let place = Place::of(context);
        fill_names(record, context, &place, &asked);

        let mut reader = answer.as_mut().and_then(|answer| answer.reader.take());
        record.is_stream = reader.as_ref().is_some_and(Reader::is_stream);
        let reading = reader.as_mut().map(Reader::finish).unwrap_or_default();
        let reading = reading.in_all(context);
        fill_reading(record, &reading);
        if reading.broken.is_some() {
            settings.count_unread();
        }
        let named = settings.known.named(&settings.prices, context, &place);
        match (&named, place.raw_model) {
            (Some(named), _) => set(&mut record.model, Some(&named.model)),
            (None, Some(model)) => decode_into(model, record.model.get_or_insert_default()),
            (None, None) => record.model = None,
        }
        let model = record.model.as_deref();
        (record.custom_cost, record.cost) = bill(
            &settings.prices,
            &mut asked,
            answer.as_ref(),
            context,
            (&place, named.as_deref()),
            model,
            &reading,
        );
        if record.model.is_none() {
            set(&mut record.model, context.asked_model().or(reading.model));
        }

        let (outcome, error) = judge(context, answer.as_ref(), &reading, end);
        record.outcome = outcome;
        set(&mut record.error, error.as_deref());
        let is_refused = outcome == Outcome::Refused;
        // Without a layer that counts them there are none, which is not the same as no attempt.
        record.attempts = Some(context.attempts()).filter(|&attempts| attempts > 0 || is_refused);
        fill_answer(record, answer.as_ref());

        let capture = settings.payloads.as_ref();
        let body = answer.as_mut().and_then(|answer| answer.body.take());
        let response = body.map(|mut body| {
            body.is_ended = end == End::Whole || outcome == Outcome::Complete;
            body
        });
        record.response_body = capture.and_then(|capture| {
            let body = response.filter(|body| !body.data.is_empty() || body.is_ended)?;
            let is_whole = body.is_whole();
            capture.payload(Side::Response, body.data, is_whole)
        });
        record.request_body = capture.and_then(|capture| request_body(capture, context));

        let json = asked.metadata.take();
        record.metadata = json.and_then(|json| Metadata::read(json.as_bytes(), &mut asked.ignored));
        record.ignored = asked.ignored.into_list();
    }
}

/// Who asked for what.
fn fill_names(record: &mut Record, context: &Context, place: &Place<'_>, asked: &Asked) {
    put(&mut record.path, place.path);
    record.operation = place.operation;
    let alias = asked.alias.as_ref();
    for (name, text) in [
        (&mut record.account_id, place.account),
        (&mut record.gateway_id, place.gateway),
        (&mut record.region, place.region),
        (
            &mut record.principal,
            context.principal().map(Principal::id),
        ),
        (&mut record.credentials_id, context.credentials_id()),
        (
            &mut record.alias,
            alias.and_then(|alias| alias.to_str().ok()),
        ),
    ] {
        set(name, text);
    }
    record.request_size = context.request_size();
    record.trace_id = asked.trace_id;
    record.parent_span_id = asked.parent_span_id;
    // Nothing sets them yet.
    record.cached = false;
    record.step = 0;
}

/// What the answer tells.
fn fill_reading(record: &mut Record, reading: &Reading<'_>) {
    let usage = &reading.usage;
    record.tokens_in = usage.tokens_in();
    record.tokens_input = usage.input_tokens;
    record.tokens_out = usage.output_tokens;
    record.tokens_cache_read = usage.cache_read_tokens;
    record.tokens_cache_write = usage.cache_write_tokens;
    record.tokens_reasoning = usage.reasoning_tokens;
    record.bedrock_latency = reading.latency.map(Duration::from_millis);
    record.bytes_unread = reading.broken.map(|(_, unread)| unread);
    set(&mut record.stop_reason, reading.stop_reason);
    set(&mut record.guardrail_action, reading.guardrail_action());
    set(&mut record.service_tier, reading.service_tier);
    set(&mut record.latency_mode, reading.latency_mode);
    set(&mut record.response_id, reading.id);
}

/// When and how it came.
fn fill_answer(record: &mut Record, answer: Option<&Answer>) {
    let status = answer.map(|answer| answer.status);
    let is_success = status.is_some_and(|status| status.is_success());
    record.status_code = status.map(|status| status.as_u16());
    record.grpc_status = answer.and_then(|answer| answer.call.as_ref()?.status());
    record.success = is_success && record.outcome == Outcome::Complete;
    record.response_size = answer.map(|answer| answer.passed);
    record.time_to_first_byte = answer.and_then(|answer| answer.first_byte);
    record.time_to_first_token = answer.and_then(|answer| answer.first_content);
    record.time_between_tokens = answer.and_then(|answer| {
        let gaps = u32::try_from(answer.contents.checked_sub(1)?).ok()?;
        let first = answer.first_content?;
        let end = answer.end_of_message.unwrap_or(record.duration);
        end.checked_sub(first)?.checked_div(gaps)
    });
    record.upstream_latency = answer.and_then(|answer| answer.latency);
    let request_id = answer.and_then(|answer| answer.request_id.as_ref());
    set(&mut record.upstream_request_id, request_id.and_then(text));
}

fn request_body(capture: &Capture, context: &Context) -> Option<Payload> {
    let mut taken = context.taken()?.lock();
    let is_whole = taken.is_whole();
    let data = std::mem::take(&mut taken.data);
    drop(taken);
    (is_whole || !data.is_empty())
        .then(|| capture.payload(Side::Request, data, is_whole))
        .flatten()
}

fn put(place: &mut String, text: &str) {
    place.clear();
    place.push_str(text);
}

/// In the room of the text that was there.
fn set(place: &mut Option<String>, text: Option<&str>) {
    match (place.as_mut(), text) {
        (Some(place), Some(text)) => put(place, text),
        (None, Some(text)) => *place = Some(text.to_owned()),
        (_, None) => *place = None,
    }
}
