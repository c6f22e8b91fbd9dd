//! A request that is kept, to be sent once more if its connection proves to be dead.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};

use super::client::Pools;
use super::sending::{Failure, Sending};
use crate::body::{Begun, UpstreamBody};

/// All that is needed to send the request again.
#[derive(Debug)]
pub(super) struct Spare {
    pools: Arc<Pools>,
    method: Method,
    uri: Uri,
    version: Version,
    headers: Written,
    body: UpstreamBody,
    begun: Arc<Begun>,
}

impl Spare {
    /// Of a request over HTTP/1 whose body is held. In a box, for futures are moved about.
    pub(super) fn of(pools: &Arc<Pools>, request: &mut Request<UpstreamBody>) -> Option<Box<Self>> {
        if request.version() == Version::HTTP_2 {
            return None;
        }
        Some(Box::new(Self {
            body: request.body().try_clone()?,
            begun: request.body_mut().watch(),
            pools: Arc::clone(pools),
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers: Written::of(request.headers()),
        }))
    }

    /// Whether the upstream cannot have seen the request that failed so.
    pub(super) fn is_called_for(&self, failure: &Failure) -> bool {
        failure.is_of_a_dead_connection(&self.begun)
    }

    pub(super) fn send(self, connect: Duration) -> Sending {
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.version_mut() = self.version;
        *request.headers_mut() = self.headers.read();
        Sending::new(&self.pools, request, connect)
    }
}

/// Headers written down in one piece: a copy of the map itself is several, and counts a reference
/// to each name and value. It is read for the few requests that are sent twice.
struct Written(Vec<u8>);

impl Written {
    /// Before each header: the lengths of name and value, and whether it is sensitive.
    fn of(headers: &HeaderMap) -> Self {
        // Of a request to Bedrock that is signed.
        let mut text = Vec::with_capacity(1024);
        for (name, value) in headers {
            let (name, value, is_sensitive) = (
                name.as_str().as_bytes(),
                value.as_bytes(),
                value.is_sensitive(),
            );
            let [a, b, c, d] = Self::length(name);
            let [e, f, g, h] = Self::length(value);
            text.extend_from_slice(&[a, b, c, d, e, f, g, h, u8::from(is_sensitive)]);
            text.extend_from_slice(name);
            text.extend_from_slice(value);
        }
        Self(text)
    }

    /// No head is 4 GiB long; one that were would not be read back.
    fn length(part: &[u8]) -> [u8; 4] {
        u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes()
    }

    fn read(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut rest = &self.0[..];
        while let Some((name, value, after)) = Self::next(rest) {
            headers.append(name, value);
            rest = after;
        }
        headers
    }

    fn next(text: &[u8]) -> Option<(HeaderName, HeaderValue, &[u8])> {
        let (name, text) = text.split_first_chunk()?;
        let (value, text) = text.split_first_chunk()?;
        let (is_sensitive, text) = text.split_first()?;
        let length = |bytes| usize::try_from(u32::from_le_bytes(bytes)).ok();
        let (name, text) = text.split_at_checked(length(*name)?)?;
        let (value, text) = text.split_at_checked(length(*value)?)?;
        let mut value = HeaderValue::from_bytes(value).ok()?;
        value.set_sensitive(*is_sensitive == 1);
        Some((HeaderName::from_bytes(name).ok()?, value, text))
    }
}

/// It holds secrets.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::Written;

    #[test]
    fn headers_written_down_are_the_same_when_read() {
        let mut headers = HeaderMap::new();
        assert_eq!(Written::of(&headers).read(), headers);
        let mut secret = HeaderValue::from_static("AWS4-HMAC-SHA256 Signature=00ff");
        secret.set_sensitive(true);
        headers.insert("authorization", secret);
        headers.insert("x-empty", HeaderValue::from_static(""));
        headers.append("x-two", HeaderValue::from_bytes(b"\xff").unwrap());
        headers.append("x-two", HeaderValue::from_static("b"));
        let written = Written::of(&headers);
        let read = written.read();
        assert_eq!(read, headers);
        assert!(read["authorization"].is_sensitive() && !read["x-empty"].is_sensitive());
        assert_eq!(read.get_all("x-two").iter().count(), 2);
    }
}
