//! Signs the messages of an event stream that a client sends.
//!
//! <https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html>: each message is
//! the payload of another, which has its signature; that covers the signature of the one before.

use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::date::Second;
use super::hash::{self, PayloadHash, State};
use super::key::SigningKey;
use super::scope::Scope;
use super::unsigned::KeyPair;
use super::{Cause, SignError, Signer, SigningParams};
use crate::body::BoxError;
use crate::credentials::Credentials;
use crate::eventstream::{HeaderValue, around, encode};

/// The headers of a message that carries another, and no message has both but these.
pub(in crate::sign) const SIGNATURE: &str = ":chunk-signature";
pub(in crate::sign) const DATE: &str = ":date";

/// Signs the messages of one event stream, in the order in which they are sent.
///
/// It shares the keys of the [`Signer`] that signed the request:
/// [`Signer::sign_event_stream`] makes both.
///
/// ```
/// use std::time::SystemTime;
/// use tower_bedrock::credentials::Credentials;
/// use tower_bedrock::eventstream;
/// use tower_bedrock::sign::{Signer, SigningParams};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/invoke-with-bidirectional-stream";
/// let (mut head, ()) = http::Request::post(url).body(())?.into_parts();
///
/// let credentials = Credentials::new("AKIDEXAMPLE", "secret")?;
/// let params = SigningParams::new(&credentials, "us-east-1", SystemTime::now());
/// let mut stream =
///     Signer::new().sign_event_stream(&head.method, &head.uri, &mut head.headers, &params)?;
/// let first = stream.sign(&eventstream::event("chunk", b"{}"), SystemTime::now())?;
/// let second = stream.sign(&eventstream::event("chunk", b"{}"), SystemTime::now())?;
/// let end = stream.sign(b"", SystemTime::now())?;
/// # assert!(first != second && end.len() < first.len());
/// # Ok(()) }
/// ```
pub struct EventStreamSigner {
    signer: Signer,
    credentials: Credentials,
    region: Box<str>,
    service: Box<str>,
    /// Digits of the last signature.
    prior: [u8; 64],
    /// The key, and the day that it is for.
    key: Option<(u64, SigningKey)>,
    to_sign: Vec<u8>,
}

impl EventStreamSigner {
    /// For the body of the request with these headers, which `signer` has signed with the same
    /// credentials, region and service.
    ///
    /// # Errors
    /// If the headers hold no signature.
    pub fn new(
        signer: &Signer,
        signed: &HeaderMap,
        params: &SigningParams<'_>,
    ) -> Result<Self, SignError> {
        let prior = signed
            .get(AUTHORIZATION)
            .and_then(|value| value.as_bytes().split_last_chunk())
            .filter(|(before, _)| before.ends_with(b"Signature="))
            .map(|(_, signature)| *signature)
            .ok_or_else(|| BoxError::from("there is no signature to begin with"))?;
        Ok(Self {
            signer: signer.clone(),
            credentials: params.credentials.clone(),
            region: params.region.into(),
            service: params.service.into(),
            prior,
            key: None,
            to_sign: Vec::with_capacity(384),
        })
    }

    /// The message that carries `message`, an encoded one, with its signature. An empty one ends
    /// the stream.
    ///
    /// # Errors
    /// If it is longer than 24 MiB, or the time is not between the years 1970 and 9999; then the
    /// stream can go on with another.
    pub fn sign(&mut self, message: &[u8], time: SystemTime) -> Result<Bytes, SignError> {
        let signed = self.link(message, time)?;
        let frame = encode(&signed.headers(), message).map_err(BoxError::from)?;
        self.prior = hash::hex(&signed.signature);
        Ok(frame)
    }

    /// [`sign`](Self::sign) for a message that is sent from where it is, and not too long: what goes
    /// before it, and what after it.
    pub(in crate::sign) fn sign_around(
        &mut self,
        message: &[u8],
        time: SystemTime,
    ) -> Result<(Bytes, Bytes), SignError> {
        let signed = self.link(message, time)?;
        self.prior = hash::hex(&signed.signature);
        Ok(around(&signed.headers(), message))
    }

    /// The next link of the chain, which is not part of it yet.
    fn link(&mut self, message: &[u8], time: SystemTime) -> Result<Link, SignError> {
        let second = Second::of(time).ok_or(SignError(Cause::Time))?;
        let scope = Scope {
            second,
            region: &self.region,
            service: &self.service,
        };
        let pair = KeyPair::of(&self.credentials)
            .map_err(|_| BoxError::from("an API key signs nothing"))?;
        let (day, key) = match self.key.take() {
            Some((day, key)) if day == second.day() => (day, key),
            _ => (second.day(), self.signer.key(&pair, &scope)),
        };

        let milliseconds = second.unix() as i64 * 1000;
        let to_sign = &mut self.to_sign;
        to_sign.clear();
        scope.write_to_sign(b"AWS4-HMAC-SHA256-PAYLOAD", |part| {
            to_sign.extend_from_slice(part);
        });
        to_sign.extend_from_slice(&self.prior);
        to_sign.push(b'\n');
        to_sign.extend_from_slice(&PayloadHash::of(&date_header(milliseconds)).hex());
        to_sign.push(b'\n');
        to_sign.extend_from_slice(&PayloadHash::of(message).hex());
        let signature = key.mac(to_sign);
        self.key = Some((day, key));
        Ok(Link::new(signature, milliseconds))
    }
}

/// A message's signature and date.
struct Link {
    signature: State,
    bytes: [u8; 32],
    milliseconds: i64,
}

impl Link {
    fn new(signature: State, milliseconds: i64) -> Self {
        let mut bytes = [0; 32];
        for (word, bytes) in signature.iter().zip(bytes.as_chunks_mut().0) {
            *bytes = word.to_be_bytes();
        }
        Self {
            signature,
            bytes,
            milliseconds,
        }
    }

    fn headers(&self) -> [(&'static str, HeaderValue<'_>); 2] {
        [
            (SIGNATURE, HeaderValue::Bytes(&self.bytes)),
            (DATE, HeaderValue::Timestamp(self.milliseconds)),
        ]
    }
}

/// The header `:date` as it is encoded in a message: the length of its name, that, the type and
/// milliseconds since 1970.
fn date_header(milliseconds: i64) -> [u8; 15] {
    let mut header = *b"\x05:date\x08\0\0\0\0\0\0\0\0";
    header[7..].copy_from_slice(&milliseconds.to_be_bytes());
    header
}

impl fmt::Debug for EventStreamSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStreamSigner").finish_non_exhaustive()
    }
}
