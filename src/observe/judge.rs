//! How a request ended, and what is said of it.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::grpc::Call;
use super::observation::{Answer, End};
use super::place::Place;
use super::reader::Reading;
use super::record::Outcome;
use crate::context::Context;
use crate::reject::RejectionKind;

const ERRORTYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// The longest text of an upstream's header that is kept.
const MAX_TEXT: usize = 256;

/// What the upstream was seen to do wrong weighs more than that the client then left.
pub(super) fn judge<'a>(
    context: &'a Context,
    answer: Option<&'a Answer>,
    reading: &Reading<'a>,
    end: End,
) -> (Outcome, Option<Cow<'a, str>>) {
    let rejection = match answer {
        Some(answer) => answer.rejection.as_deref(),
        None => context.rejection(),
    };
    if let Some(rejection) = rejection {
        let outcome = match rejection.kind().is_upstream() {
            true => Outcome::UpstreamError,
            false => Outcome::Refused,
        };
        return (outcome, Some(rejection.text().into()));
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
    let cut = |text: &'static str| {
        let silence = silence(context).map(Cow::from);
        (Outcome::UpstreamCut, silence.or(Some(text.into())))
    };
    // What was made of such an answer may have an error's status.
    if reading.is_cut && reading.exception.is_none() {
        return cut("the upstream's answer ended before it was complete");
    }
    let fault: Option<Cow<'a, str>> =
        if let Some(fault) = reading.exception.or(answer.fault.as_deref()) {
            Some(fault.into())
        } else if reading.unknown_operation {
            Some("UnknownOperationException".into())
        } else if let Some((error, _)) = reading.broken {
            Some(error.to_string().into())
        } else {
            let call = answer.call.as_ref();
            call.and_then(Call::fault).map(Cow::from)
        };
    if fault.is_some() {
        return (Outcome::UpstreamError, fault);
    }
    if end != End::Whole
        && let Some(rejection) = context.rejection()
        && matches!(
            rejection.kind(),
            RejectionKind::InvalidBody | RejectionKind::BodyTooLarge
        )
    {
        // The client's side of a conversation ended what was already answered: by what it said, or
        // by breaking off, of which there is a cause.
        return match rejection.internal() {
            None => (Outcome::Refused, Some(rejection.text().into())),
            Some(_) => (Outcome::ClientDisconnect, None),
        };
    }
    match end {
        End::Failed => cut("the upstream's answer broke off"),
        End::Dropped if !answer.is_served() => (Outcome::ClientDisconnect, None),
        End::Whole | End::Dropped if answer.is_short() => {
            cut("the upstream's answer is shorter than announced")
        }
        End::Whole | End::Dropped
            if reading.truncated
                || (reading.is_missing && Place::of(context).is_inference())
                || (reading.is_silent && !Place::of(context).is_conversation()) =>
        {
            cut("the upstream's answer ended before it was complete")
        }
        End::Whole
            if answer
                .call
                .as_ref()
                .is_some_and(|call| call.status().is_none()) =>
        {
            cut("the upstream's answer ended without a gRPC status")
        }
        End::Whole | End::Dropped => (Outcome::Complete, None),
    }
}

/// If the answer was broken off here for the upstream's silence, how long that was.
fn silence(context: &Context) -> Option<String> {
    #[cfg(feature = "upstream")]
    if let Some(silence) = context.silence() {
        let ms = silence.as_millis();
        return Some(format!(
            "the upstream fell silent for {ms} ms amid its answer"
        ));
    }
    let _ = context;
    None
}

/// The name of the error that an upstream answers with.
pub(super) fn fault(status: StatusCode, headers: &HeaderMap) -> String {
    let errortype = headers.get(ERRORTYPE).and_then(text).and_then(|text| {
        // `namespace#Name:http://…` in some answers.
        let name = text.split(':').next()?;
        let name = name.rsplit('#').next()?;
        Some(name.to_owned()).filter(|name| !name.is_empty())
    });
    errortype.unwrap_or_else(|| status.to_string())
}

/// The beginning of a header's value, if it is text.
pub(super) fn text(value: &HeaderValue) -> Option<&str> {
    let text = value.to_str().ok()?;
    text.get(..text.len().min(MAX_TEXT))
}
