//! What arrived, kept for tests that ask what travelled upstream.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header;
use http::{HeaderMap, Method, Version, request};

const KEPT: usize = 1000;
const KEPT_BODY: usize = 1024 * 1024;
const SECRET: [&str; 5] = [
    "authorization",
    "cf-aig-authorization",
    "cookie",
    "x-amz-security-token",
    "x-api-key",
];

/// What the emulator thought of a request's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Signature or API key are valid (or are not looked at).
    Accepted,
    /// A stream whose head is valid, and so is the signature of every message up to the empty one that ends it: so many
    /// came before that one.
    Chained(u64),
    /// Refused with this AWS exception, for instance `InvalidSignatureException`.
    Refused(&'static str),
    /// The request broke off before its end.
    Incomplete,
}

/// A request as it arrived.
#[derive(Clone)]
#[non_exhaustive]
pub struct ReceivedRequest {
    /// The method.
    pub method: Method,
    /// Path and query byte for byte, without scheme and authority.
    pub target: String,
    /// `:authority` in HTTP/2, or the authority of an absolute-form target.
    pub authority: Option<String>,
    /// HTTP/1.0, HTTP/1.1 or HTTP/2.
    pub version: Version,
    /// All headers.
    pub headers: HeaderMap,
    /// The body's first MiB; of a bidirectional stream the first 64 KiB.
    pub body: Bytes,
    /// The length of the whole body.
    pub body_len: u64,
    /// How many events a bidirectional stream brought.
    pub messages: u64,
    /// Whether the credentials were good.
    pub verdict: Verdict,
}

impl ReceivedRequest {
    fn new(head: &request::Parts) -> Self {
        let mut headers = head.headers.clone();
        for name in SECRET {
            if let header::Entry::Occupied(mut entry) = headers.entry(name) {
                for value in entry.iter_mut() {
                    value.set_sensitive(true);
                }
            }
        }
        Self {
            method: head.method.clone(),
            target: target(head).to_owned(),
            authority: head.uri.authority().map(|authority| authority.to_string()),
            version: head.version,
            headers,
            body: Bytes::new(),
            body_len: 0,
            messages: 0,
            verdict: Verdict::Incomplete,
        }
    }

    /// The path byte for byte.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(&self.target, |(path, _)| path)
    }

    /// The query byte for byte, without the `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// The first value of a header, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the credentials were accepted.
    #[must_use]
    pub fn accepted(&self) -> bool {
        matches!(self.verdict, Verdict::Accepted | Verdict::Chained(_))
    }
}

impl fmt::Debug for ReceivedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A query may hold a signature.
        f.debug_struct("ReceivedRequest")
            .field("method", &self.method)
            .field("path", &self.path())
            .field("authority", &self.authority)
            .field("version", &self.version)
            .field("headers", &self.headers)
            .field("body_len", &self.body_len)
            .field("verdict", &self.verdict)
            .finish_non_exhaustive()
    }
}

/// Path and query of a request line.
pub(super) fn target(head: &request::Parts) -> &str {
    head.uri
        .path_and_query()
        .map_or("", |target| target.as_str())
}

/// The last thousand requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    requests: Arc<Mutex<VecDeque<ReceivedRequest>>>,
}

impl Log {
    pub(super) fn all(&self) -> Vec<ReceivedRequest> {
        self.lock().iter().cloned().collect()
    }

    pub(super) fn take(&self) -> Vec<ReceivedRequest> {
        self.lock().drain(..).collect()
    }

    /// Opens the entry of a request that begins; it is written when it gets its verdict or is dropped.
    pub(super) fn open(&self, head: &request::Parts) -> Entry {
        Entry {
            log: self.clone(),
            request: Some(ReceivedRequest::new(head)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<ReceivedRequest>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(super) struct Entry {
    log: Log,
    request: Option<ReceivedRequest>,
}

impl Entry {
    pub(super) fn arrived(&mut self, body_len: u64) {
        if let Some(request) = &mut self.request {
            request.body_len = body_len;
        }
    }

    pub(super) fn counted(&mut self, messages: u64) {
        if let Some(request) = &mut self.request {
            request.messages = messages;
        }
    }

    pub(super) fn close(mut self, body: &Bytes, verdict: Verdict) {
        if let Some(request) = &mut self.request {
            // A copy, so that a large body is not kept alive for its beginning.
            request.body = match body.get(..KEPT_BODY) {
                Some(beginning) => Bytes::copy_from_slice(beginning),
                None => body.clone(),
            };
            request.verdict = verdict;
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(request) = self.request.take() {
            let mut requests = self.log.lock();
            if requests.len() >= KEPT {
                requests.pop_front();
            }
            requests.push_back(request);
        }
    }
}
