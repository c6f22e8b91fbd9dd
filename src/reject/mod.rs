//! Refusals: what went wrong, and how it is said in the caller's own language.
//!
//! A layer that refuses answers `Ok(response)`; the [`Rejection`] is also in the response's
//! extensions. The [`Dialect`] depends on the request alone:
//!
//! | request | answer |
//! |---|---|
//! | path `…/compat/…` | OpenAI's error object |
//! | `content-type: application/grpc*` | gRPC, trailers only: HTTP 200 with `grpc-status` |
//! | any other | Cloudflare's envelope, with `x-amzn-errortype` so that AWS SDKs raise the right exception and retry only what retrying can mend |
//!
//! | [`RejectionKind`] | HTTP | code | `x-amzn-errortype` | OpenAI type / code |
//! |---|---|---|---|---|
#![doc = include_str!("table.md")]

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, EXPECT};
use http::{Method, StatusCode, Version, request};

mod drain;
mod future;
mod kind;
mod misordered;
mod render;

use crate::headers::Present;
use crate::route::Operation;

pub(crate) use self::drain::Drain;
pub use self::future::ResponseFuture;
pub use self::kind::RejectionKind;
#[cfg(feature = "upstream")]
pub(crate) use self::misordered::RESENT;

/// The language of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// Cloudflare's envelope with the headers of an AWS error.
    Envelope,
    /// OpenAI's error object.
    OpenAi,
    /// A gRPC status without messages.
    Grpc,
}

/// How a request is refused, told by its head as it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manner {
    pub(crate) dialect: Dialect,
    /// The client waits for `100 Continue` before it sends its body (RFC 9110 §10.1.1): it is
    /// not asked to.
    pub(crate) awaits_continue: bool,
    /// The answer has no body. HTTP/1.1 servers leave it away, those of HTTP/2 do not.
    pub(crate) is_head: bool,
    /// The client may keep its side open for as long as it likes to go on talking, and hears an
    /// answer in between: gRPC, and bidirectional streams.
    pub(crate) converses: bool,
}

impl Manner {
    /// Of a request that says nothing else.
    #[cfg(feature = "sign")]
    pub(crate) const PLAIN: Self = Self {
        dialect: Dialect::Envelope,
        awaits_continue: false,
        is_head: false,
        converses: false,
    };

    /// In one byte, which is not 0.
    pub(crate) fn packed(self) -> u8 {
        let dialect = match self.dialect {
            Dialect::Envelope => 1,
            Dialect::OpenAi => 2,
            Dialect::Grpc => 3,
        };
        let flags = [self.awaits_continue, self.is_head, self.converses];
        let flags = flags.into_iter().rev();
        dialect | flags.fold(0, |byte, flag| byte << 1 | u8::from(flag)) << 2
    }

    pub(crate) fn unpacked(byte: u8) -> Option<Self> {
        let dialect = match byte & 3 {
            0 => return None,
            1 => Dialect::Envelope,
            2 => Dialect::OpenAi,
            _ => Dialect::Grpc,
        };
        Some(Self {
            dialect,
            awaits_continue: byte & 4 != 0,
            is_head: byte & 8 != 0,
            converses: byte & 16 != 0,
        })
    }

    /// Of a request with these headers in its head.
    pub(crate) fn of(head: &request::Parts, present: Present) -> Self {
        let path = head.uri.path();
        let value = |name, kind| present.has(kind).then(|| head.headers.get(name)).flatten();
        let is_grpc = value(CONTENT_TYPE, Present::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
        let dialect = if path.contains("/compat/") && !path.contains("/aws-bedrock/") {
            Dialect::OpenAi
        } else if is_grpc {
            Dialect::Grpc
        } else {
            Dialect::Envelope
        };
        Self {
            dialect,
            is_head: head.method == Method::HEAD,
            converses: is_grpc || Operation::is_bidirectional(path),
            // Over HTTP/2 the stream would be reset under the client, and some then lose the answer.
            awaits_continue: head.version < Version::HTTP_2
                && value(EXPECT, Present::EXPECT)
                    .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")),
        }
    }
}

/// Why a request was refused, or could not be served.
///
/// It has two texts: the public one goes to the caller, the internal one to the log only.
///
/// ```
/// use tower_bedrock::{Rejection, RejectionKind};
///
/// let rejection = Rejection::new(RejectionKind::Unauthenticated, "this token has been revoked")
///     .with_internal("revoked by admin on 2026-01-02");
/// assert_eq!(rejection.status(), 401);
/// assert_eq!(rejection.text(), "this token has been revoked");
/// ```
#[derive(Debug, Clone)]
pub struct Rejection {
    kind: RejectionKind,
    text: Cow<'static, str>,
    internal: Option<Arc<dyn Error + Send + Sync>>,
    allow: Option<Method>,
    param: Option<Cow<'static, str>>,
    code: Option<&'static str>,
    mended: bool,
}

impl Rejection {
    /// A refusal with the text that the caller reads.
    pub fn new(kind: RejectionKind, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            text: text.into(),
            internal: None,
            allow: None,
            param: None,
            code: None,
            mended: false,
        }
    }

    /// Adds what only the log may say.
    #[must_use]
    pub fn with_internal(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.internal = Some(cause.into().into());
        self
    }

    /// Names the parameter at fault, as OpenAI's `param`.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Says more exactly what is wrong, as OpenAI's `code`; without it, that of the kind is given.
    #[must_use]
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// What was wrong with the gateway has just been set right, so the caller is not told that
    /// trying again is of no use.
    pub(crate) fn mended(mut self) -> Self {
        self.mended = true;
        self
    }

    /// A method that is not answered; `allow` is.
    #[cfg(any(feature = "compat", test))]
    pub(crate) fn method(allow: Method) -> Self {
        let text = format!("this path answers {allow} only");
        let mut rejection = Self::new(RejectionKind::MethodNotAllowed, text);
        rejection.allow = Some(allow);
        rejection
    }

    /// What kind of refusal this is.
    pub fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// Its HTTP status (a gRPC caller gets 200 and a `grpc-status`).
    pub fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// The text that the caller reads.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The parameter at fault, if one is.
    pub fn param(&self) -> Option<&str> {
        self.param.as_deref()
    }

    /// OpenAI's `code`.
    pub fn code(&self) -> &'static str {
        self.code.unwrap_or(self.kind.openai().1)
    }

    /// What only the log may say.
    pub fn internal(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.internal.as_deref()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Rejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.internal
            .as_ref()
            .map(|e| &**e as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manner_in_one_byte() {
        for dialect in [Dialect::Envelope, Dialect::OpenAi, Dialect::Grpc] {
            for flags in 0..8 {
                let manner = Manner {
                    dialect,
                    awaits_continue: flags & 1 != 0,
                    is_head: flags & 2 != 0,
                    converses: flags & 4 != 0,
                };
                assert_eq!(Manner::unpacked(manner.packed()), Some(manner));
            }
        }
        assert_eq!(Manner::unpacked(0), None);
    }
}
