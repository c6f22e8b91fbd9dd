//! The signature: a pure function of the request's head, the body's hash, the credentials, the
//! scope and the time.

use std::error::Error;
use std::fmt;
use std::time::SystemTime;

use crate::body::BoxError;
use crate::credentials::Credentials;

mod cache;
pub(super) mod canonical;
mod date;
mod event_stream;
mod hash;
mod key;
mod keys;
mod proof;
pub(super) mod query;
mod route;
mod scope;
mod shard;
mod signed_headers;
mod signer;
mod tail;
mod unsigned;
mod unusual;

pub use self::event_stream::EventStreamSigner;
pub(super) use self::event_stream::{DATE, SIGNATURE};
pub use self::hash::{PayloadHash, PayloadHasher};
pub use self::signed_headers::SignedHeaders;
pub use self::signer::Signer;
pub(super) use self::signer::send_api_key;
pub(super) use self::unsigned::KeyPair;

/// With whose keys, for which region and service, and when.
#[derive(Debug, Clone, Copy)]
pub struct SigningParams<'a> {
    pub(super) credentials: &'a Credentials,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) time: SystemTime,
}

impl<'a> SigningParams<'a> {
    /// For the service `bedrock`; AWS takes a `time` that is within 5 minutes of its own.
    pub fn new(credentials: &'a Credentials, region: &'a str, time: SystemTime) -> Self {
        Self {
            credentials,
            region,
            service: "bedrock",
            time,
        }
    }

    /// For another service: `bedrock-mantle`.
    #[must_use]
    pub fn with_service(mut self, service: &'a str) -> Self {
        self.service = service;
        self
    }
}

/// Why a request was not signed.
#[derive(Debug)]
pub struct SignError(Cause);

#[derive(Debug)]
enum Cause {
    Request(BoxError),
    Time,
}

impl SignError {
    /// Whether it is for the caller to mend: the request cannot be signed. Else the time cannot
    /// be written as SigV4 does, so the clock is wrong.
    pub fn is_request(&self) -> bool {
        matches!(self.0, Cause::Request(_))
    }
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request cannot be signed: ")?;
        match &self.0 {
            Cause::Request(cause) => cause.fmt(f),
            Cause::Time => f.write_str("the clock is not between the years 1 and 9999"),
        }
    }
}

impl Error for SignError {}

impl From<BoxError> for SignError {
    fn from(cause: BoxError) -> Self {
        Self(Cause::Request(cause))
    }
}
