//! The signature: a pure function of the request's head, the body's hash, the credentials, the
//! scope and the time.

use std::error::Error;
use std::fmt;
use std::time::SystemTime;

use crate::body::BoxError;
use crate::credentials::Credentials;

pub(super) mod canonical;
mod hash;
mod signed_headers;
mod signer;
mod unusual;

pub use self::hash::{PayloadHash, PayloadHasher};
pub use self::signed_headers::SignedHeaders;
pub use self::signer::Signer;
pub(super) use self::signer::send_api_key;

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

/// A key pair, for the time of one signature.
#[derive(Clone, Copy)]
struct KeyPair<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: Option<&'a str>,
}

/// A request that cannot be signed.
#[derive(Debug)]
pub struct SignError(BoxError);

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the request cannot be signed: {}", self.0)
    }
}

impl Error for SignError {}

impl From<BoxError> for SignError {
    fn from(cause: BoxError) -> Self {
        Self(cause)
    }
}
