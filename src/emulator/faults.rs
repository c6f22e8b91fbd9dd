//! Faults, chosen by the model id. The [module docs](super) have the table.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde_json::json;

use super::answer::{Answer, Content};
use super::refusal::Refusal;
use super::script::Step;
use crate::eventstream;

/// How long what was sent before an abort gets to reach the wire.
const BEFORE_ABORT: Duration = Duration::from_millis(50);
const LARGEST: usize = 64 * 1024 * 1024;
const LONGEST: u64 = 10 * 60 * 1000;

/// The modelled exceptions, by what follows `fault.error-`.
const ERRORS: [(&str, u16, &str, &str); 10] = [
    (
        "400",
        400,
        "ValidationException",
        "The provided model identifier is invalid.",
    ),
    (
        "403",
        403,
        "AccessDeniedException",
        "You don't have access to the model with the specified model ID.",
    ),
    (
        "404",
        404,
        "ResourceNotFoundException",
        "Could not resolve the model from the provided model identifier.",
    ),
    (
        "408",
        408,
        "ModelTimeoutException",
        "The model took too long to process the request.",
    ),
    (
        "424",
        424,
        "ModelErrorException",
        "The model returned the following errors: internal error",
    ),
    ("429", 429, "ThrottlingException", TOO_MANY),
    (
        "500",
        500,
        "InternalServerException",
        "The system encountered an unexpected error during processing. Try your request again.",
    ),
    (
        "503",
        503,
        "ServiceUnavailableException",
        "Bedrock is unable to process your request.",
    ),
    (
        "quota",
        400,
        "ServiceQuotaExceededException",
        "Your request exceeds the service quota for your account.",
    ),
    (
        "not-ready",
        429,
        "ModelNotReadyException",
        "The model is not ready for inference. Try again.",
    ),
];
const TOO_MANY: &str = "Too many requests, please wait before trying again.";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Throttle(u64),
    Error(u16, &'static str, &'static str),
    SlowFirstByte(Duration),
    SlowFrames(Duration),
    ExceptionFirst,
    ExceptionMid,
    Cut,
    NoMessageStop,
    BadCrc,
    OversizedFrame,
    UnknownOperation,
    Expired,
    Never,
    HangBody,
    Large(usize),
}

impl Fault {
    /// The fault that a model id names. A misspelt one is an error, lest a test pass for the wrong reason.
    pub(super) fn of(id: &str) -> Result<Option<Self>, Refusal> {
        let Some((_, name)) = id.rsplit_once("fault.") else {
            return Ok(None);
        };
        let name = name.split_once(':').map_or(name, |(name, _)| name);
        Self::parse(name).map(Some).ok_or_else(|| {
            Refusal::validation(&format!("The emulator has no fault named \"{name}\"."))
        })
    }

    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "exception-first" => Self::ExceptionFirst,
            "exception-mid" => Self::ExceptionMid,
            "cut" => Self::Cut,
            "no-message-stop" => Self::NoMessageStop,
            "bad-crc" => Self::BadCrc,
            "oversized-frame" => Self::OversizedFrame,
            "unknown-operation" => Self::UnknownOperation,
            "expired" => Self::Expired,
            "never" => Self::Never,
            "hang-body" => Self::HangBody,
            _ => {
                if let Some(key) = name.strip_prefix("error-") {
                    let (_, status, name, message) = ERRORS.iter().find(|error| error.0 == key)?;
                    return Some(Self::Error(*status, name, message));
                }
                let (kind, number) = name.rsplit_once('-')?;
                let number: u64 = number.parse().ok()?;
                let millis = Duration::from_millis(number.min(LONGEST));
                match kind {
                    "throttle" => Self::Throttle(number),
                    "slow-first-byte" => Self::SlowFirstByte(millis),
                    "slow-frames" => Self::SlowFrames(millis),
                    "large" => Self::Large(usize::try_from(number).ok()?.min(LARGEST)),
                    _ => return None,
                }
            }
        })
    }

    /// The answer instead of the operation's own, if this fault has one. `calls` counts this model's calls, this one
    /// included.
    pub(super) fn instead(self, calls: u64, streaming: bool) -> Option<Answer> {
        Some(match self {
            Self::Throttle(times) if calls <= times => {
                Refusal::service(429, "ThrottlingException", TOO_MANY).into()
            }
            Self::Error(status, name, message) => {
                let mut refusal = Refusal::service(status, name, message);
                if status == 424 {
                    refusal.body["originalStatusCode"] = json!(500);
                    refusal.body["resourceName"] = json!("emulator");
                }
                refusal.into()
            }
            Self::ExceptionFirst if !streaming => Refusal::validation(FIRST).into(),
            Self::ExceptionMid if !streaming => {
                Refusal::service(424, "ModelErrorException", MID).into()
            }
            Self::UnknownOperation => Answer::unknown_operation(),
            Self::Expired => Refusal::expired_token().into(),
            _ => return None,
        })
    }

    /// Whether nothing comes after the answer that this fault was worked into.
    pub(super) fn ends_stream(self) -> bool {
        matches!(
            self,
            Self::ExceptionFirst
                | Self::ExceptionMid
                | Self::Cut
                | Self::NoMessageStop
                | Self::OversizedFrame
        )
    }

    /// Works the fault into the steps of a body.
    pub(super) fn steps(self, content: Content) -> Vec<Step> {
        let (mut frames, closing, binary) = match content {
            Content::Whole(bytes) => return self.whole_steps(bytes),
            Content::Frames {
                frames,
                closing,
                binary,
            } => (frames, closing, binary),
        };
        let middle = frames.len() / 2;
        match self {
            Self::ExceptionFirst => {
                let payload = json!({ "message": FIRST });
                return flushed([exception(binary, "validationException", payload)]);
            }
            Self::ExceptionMid => {
                frames.truncate(middle);
                let payload = json!({
                    "message": MID,
                    "originalMessage": "internal error",
                    "originalStatusCode": 500,
                });
                frames.push(exception(binary, "modelStreamErrorException", payload));
            }
            Self::NoMessageStop => frames.truncate(frames.len().saturating_sub(closing)),
            Self::BadCrc => {
                if let Some(frame) = frames.get_mut(middle) {
                    *frame = broken(frame);
                }
            }
            Self::OversizedFrame => {
                frames.truncate(middle);
                frames.push(oversized_prelude());
            }
            Self::Cut => {
                // Half a frame, then the end.
                let next = frames.get(middle).cloned().unwrap_or_default();
                frames.truncate(middle);
                frames.push(next.slice(..next.len() / 2));
                let mut steps = flushed(frames);
                steps.extend([Step::Wait(BEFORE_ABORT), Step::Abort]);
                return steps;
            }
            Self::HangBody => return vec![Step::Hang],
            Self::SlowFrames(time) => {
                return frames
                    .into_iter()
                    .flat_map(|frame| [Step::Wait(time), Step::Data(frame)])
                    .skip(1)
                    .collect();
            }
            _ => {}
        }
        flushed(frames)
    }

    fn whole_steps(self, bytes: Bytes) -> Vec<Step> {
        match self {
            Self::Cut => vec![
                Step::Data(bytes.slice(..bytes.len() / 2)),
                Step::Wait(BEFORE_ABORT),
                Step::Abort,
            ],
            Self::HangBody => vec![Step::Hang],
            _ => vec![Step::Data(bytes)],
        }
    }
}

const FIRST: &str = "The model returned the following errors: the input does not suit the model.";
const MID: &str =
    "The system encountered an unexpected error during processing. Try your request again.";

/// Frames as they travel: each in a write of its own.
pub(super) fn flushed(frames: impl IntoIterator<Item = Bytes>) -> Vec<Step> {
    frames
        .into_iter()
        .flat_map(|frame| [Step::Flush, Step::Data(frame)])
        .skip(1)
        .collect()
}

fn exception(binary: bool, name: &str, payload: serde_json::Value) -> Bytes {
    if binary {
        eventstream::exception(name, payload.to_string().as_bytes())
    } else {
        let error = json!({ "error": { "type": name, "message": payload["message"] } });
        format!("data: {error}\n\n").into()
    }
}

fn broken(frame: &Bytes) -> Bytes {
    let mut frame = BytesMut::from(&frame[..]);
    if let Some(last) = frame.last_mut() {
        *last ^= 0xff;
    }
    frame.freeze()
}

/// A prelude with a valid checksum that announces a message of 4 GiB.
fn oversized_prelude() -> Bytes {
    let mut prelude = vec![0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    let checksum = crc32fast::hash(&prelude);
    prelude.extend_from_slice(&checksum.to_be_bytes());
    prelude.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsed_from_any_id() {
        for (id, wanted) in [
            ("us.anthropic.fault.throttle-2", Fault::Throttle(2)),
            (
                "fault.slow-frames-50",
                Fault::SlowFrames(Duration::from_millis(50)),
            ),
            ("amazon.nova-fault.cut:0", Fault::Cut),
            (
                "arn:aws:bedrock:us-east-1::foundation-model/fault.large-10",
                Fault::Large(10),
            ),
        ] {
            assert_eq!(Fault::of(id).unwrap(), Some(wanted), "{id}");
        }
        assert_eq!(Fault::of("us.anthropic.claude-haiku-4-5").unwrap(), None);
        for id in [
            "fault.",
            "fault.cutt",
            "fault.error-418",
            "fault.throttle-x",
        ] {
            assert!(Fault::of(id).is_err(), "{id}");
        }
    }
}
