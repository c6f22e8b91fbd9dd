//! The signatures of a stream's messages, each of which covers the one before it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::emulator::hash::{hex, hmac, sha256_hex};
use crate::emulator::refusal::Refusal;
use crate::emulator::scope::{self, Claim};
use crate::eventstream::{Frame, HeaderValue};

use super::{MISMATCH, SKEW, signing_key};

/// What the next message of a stream must continue: begun by the signature of the request's head.
pub(in crate::emulator) struct Chain {
    secret: String,
    region: String,
    service: String,
    /// The last signature, in hexadecimal.
    prior: String,
    ended: bool,
}

impl Chain {
    pub(super) fn new(claim: Claim, secret: String) -> Self {
        Self {
            secret,
            region: claim.region,
            service: claim.service,
            prior: claim.signature,
            ended: false,
        }
    }

    /// Whether the signed empty message has come.
    pub(in crate::emulator) fn ended(&self) -> bool {
        self.ended
    }

    /// The message that `frame` wraps; nothing for the signed empty one, with which the chain ends.
    pub(in crate::emulator) fn unwrap(
        &mut self,
        frame: &Frame,
        now: SystemTime,
    ) -> Result<Option<Bytes>, Refusal> {
        if self.ended {
            return Err(Refusal::invalid_signature(
                "A message follows the signed empty message that ends the stream.",
            ));
        }
        let (millis, signature) = signed_headers(frame).ok_or_else(|| {
            Refusal::invalid_signature(
                "A message must have the headers ':date' and ':chunk-signature' and no others.",
            )
        })?;
        let timestamp = time_of(millis, now).map(scope::timestamp)?;
        let date = timestamp.get(..8).unwrap_or_default();
        let to_sign = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{timestamp}\n{date}/{}/{}/aws4_request\n{}\n{}\n{}",
            self.region,
            self.service,
            self.prior,
            sha256_hex(&date_header(millis)),
            sha256_hex(frame.payload()),
        );
        let key = signing_key(&self.secret, date, &self.region, &self.service);
        let wanted = hmac(&key, to_sign.as_bytes());
        if wanted != signature {
            return Err(Refusal::invalid_signature(MISMATCH));
        }
        self.prior = hex(&wanted);
        self.ended = frame.payload().is_empty();
        Ok((!self.ended).then(|| frame.payload().clone()))
    }
}

/// The two headers that a signed message has, in whatever order.
fn signed_headers(frame: &Frame) -> Option<(i64, [u8; 32])> {
    let (mut date, mut signature) = (None, None);
    for header in frame.headers() {
        let twice = match header {
            (":date", HeaderValue::Timestamp(millis)) => date.replace(millis).is_some(),
            (":chunk-signature", HeaderValue::Bytes(bytes)) => {
                signature.replace(bytes.try_into().ok()?).is_some()
            }
            _ => return None,
        };
        if twice {
            return None;
        }
    }
    Some((date?, signature?))
}

/// The time of a message, at most five minutes from `now`.
fn time_of(millis: i64, now: SystemTime) -> Result<SystemTime, Refusal> {
    let off = || Refusal::invalid_signature("The ':date' of a message is more than 5 min. off.");
    let since_epoch = u64::try_from(millis).map(Duration::from_millis);
    let time = since_epoch
        .ok()
        .and_then(|since_epoch| SystemTime::UNIX_EPOCH.checked_add(since_epoch))
        .ok_or_else(off)?;
    let distance = match now.duration_since(time) {
        Ok(age) => age,
        Err(ahead) => ahead.duration(),
    };
    if distance > SKEW {
        Err(off())
    } else {
        Ok(time)
    }
}

/// `:date` as it stands in the frame: the length of its name, the name, the type, the milliseconds.
fn date_header(millis: i64) -> Vec<u8> {
    let mut header = b"\x05:date\x08".to_vec();
    header.extend_from_slice(&millis.to_be_bytes());
    header
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain")
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
