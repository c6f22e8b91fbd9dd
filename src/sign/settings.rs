//! What the layer is told, and what it does to a request's head.

use std::time::{Duration, SystemTime};

use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use http::request::Parts;
use http::{Method, Uri};

use super::headers;
use super::reading::BodyHash;
use super::scope::Scope;
use super::sigv4::{EventStreamSigner, KeyPair, SignError, Signer, SigningParams, send_api_key};
use super::skew::Skew;
use crate::body::{Buffered, check_encoding};
#[cfg(feature = "rewrite")]
use crate::context::Stage;
use crate::context::{Context, KeyChoice, Policy};
use crate::credentials::Credentials;
use crate::headers::Present;
#[cfg(feature = "rewrite")]
use crate::headers::keep_forwarded;
use crate::reject::{Rejection, RejectionKind};
use crate::route::{Operation, Surface, host_value};

const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");

/// In cache lines of its own, for its reference count is written to by one thread only.
#[derive(Clone)]
#[repr(align(128))]
pub(super) struct Settings {
    pub(super) body_limit: usize,
    pub(super) body_grace: Duration,
    pub(super) message_limit: usize,
    /// What the provider always gives, if that is so: then it is not asked.
    pub(super) credentials: Option<Credentials>,
    pub(super) region: Option<Box<str>>,
    pub(super) service: Option<Box<str>>,
    pub(super) policy: Policy,
    pub(super) signer: Signer,
    pub(super) forwarded: Vec<HeaderName>,
    pub(super) clock: fn() -> SystemTime,
    pub(super) skew: Option<Skew>,
}

/// What becomes of a request.
pub(super) enum Plan {
    /// The client's own credentials travel on, and the body with them.
    Pass { converses: bool },
    /// We sign: the body, or its messages.
    Sign { converses: bool },
}

impl Settings {
    /// Everything that can be decided from the head.
    pub(super) fn prepare(&self, context: &Context, head: &mut Parts) -> Result<Plan, Rejection> {
        const ME: &str = "SigV4SigningLayer";
        // A plain request passes without a note of it: then the signature alone tells, and its
        // date, which nobody else would mark.
        let is_marked = |name: &HeaderName| {
            let value = head.headers.get(name);
            value.is_some_and(HeaderValue::is_sensitive)
        };
        if context.is_new() && is_marked(&AUTHORIZATION) && is_marked(&X_AMZ_DATE) {
            return Err(Rejection::twice(ME));
        }
        if head.uri.authority().is_none() {
            return Err(Rejection::misordered("BedrockPathRewriteLayer", ME));
        }
        let present = Present::in_head(&head.headers);
        if !present.has(Present::HOST) {
            add_host(head);
        }
        let converses = head.method == Method::POST
            && operation(context, head) == Operation::InvokeModelWithBidirectionalStream;
        if converses {
            context.set_conversation();
        }
        if let KeyChoice::Client(_) = context.choose_key(head, present, &self.policy)? {
            return Ok(Plan::Pass { converses });
        }
        if present.has(Present::CONTENT_ENCODING) {
            check_encoding(&head.headers)?;
        }
        #[cfg(feature = "rewrite")]
        if context.has_passed(Stage::Rewrite) {
            keep_forwarded(&mut head.headers, present, &self.forwarded);
            return Ok(Plan::Sign { converses });
        }
        headers::remove_stale(&mut head.headers, present);
        Ok(Plan::Sign { converses })
    }

    /// The time to sign a request to `uri` with.
    pub(super) fn time(&self, uri: Option<&Uri>) -> SystemTime {
        let now = (self.clock)();
        match (&self.skew, uri.and_then(Uri::authority)) {
            (Some(skew), Some(authority)) => skew.corrected(now, authority),
            _ => now,
        }
    }

    /// Writes the proof into a head whose body is known. Gives the time that it is dated with, if
    /// it is.
    pub(super) fn prove(
        &self,
        facts: Option<&Context>,
        head: &mut Parts,
        (body, hash): (&Buffered, &BodyHash),
        credentials: &Credentials,
        time: SystemTime,
    ) -> Result<Option<SystemTime>, Rejection> {
        if let Some(context) = facts {
            context.set_credentials_id(credentials.shared_id());
        }
        let keys = match KeyPair::of(credentials) {
            Ok(keys) => keys,
            Err(key) => {
                add_host(head);
                send_api_key(&mut head.headers, key).map_err(|error| cannot_sign(&error))?;
                return Ok(None);
            }
        };
        let mut begun = self.signer.begin(time);
        let payload = hash.finish(body);
        let scope = self.scope(facts, &head.uri)?;
        let params =
            SigningParams::new(credentials, scope.region, time).with_service(scope.service);
        let target = (&head.method, &head.uri);
        begun
            .sign(target, &mut head.headers, &payload, keys, &params)
            .map_err(|error| cannot_sign(&error))?;
        Ok(Some(time))
    }

    /// [`prove`](Self::prove), where the body is one side of a conversation. Gives the signer of its
    /// messages too, if they are to be signed.
    pub(super) fn prove_stream(
        &self,
        facts: &Context,
        head: &mut Parts,
        credentials: &Credentials,
        time: SystemTime,
    ) -> Result<Option<EventStreamSigner>, Rejection> {
        facts.set_credentials_id(credentials.shared_id());
        // What they say of is not the body that is sent.
        head.headers.remove(CONTENT_LENGTH);
        head.headers.remove(TRANSFER_ENCODING);
        if let Err(key) = KeyPair::of(credentials) {
            add_host(head);
            send_api_key(&mut head.headers, key).map_err(|error| cannot_sign(&error))?;
            return Ok(None);
        }
        let scope = self.scope(Some(facts), &head.uri)?;
        let params =
            SigningParams::new(credentials, scope.region, time).with_service(scope.service);
        self.signer
            .sign_event_stream(&head.method, &head.uri, &mut head.headers, &params)
            .map(Some)
            .map_err(|error| cannot_sign(&error))
    }

    #[inline]
    fn scope<'a>(
        &'a self,
        facts: Option<&'a Context>,
        uri: &'a Uri,
    ) -> Result<Scope<'a>, Rejection> {
        let (region, service) = (self.region.as_deref(), self.service.as_deref());
        Scope::of(facts, uri, region, service).ok_or_else(|| {
            Rejection::new(
                RejectionKind::StackMisordered,
                "StackMisordered: put BedrockPathRewriteLayer outside of SigV4SigningLayer, or give that a region by with_region: this host tells none",
            )
        })
    }
}

#[cold]
pub(super) fn cannot_sign(error: &SignError) -> Rejection {
    let kind = match error.is_request() {
        true => RejectionKind::InvalidBody,
        false => RejectionKind::UpstreamAuth,
    };
    Rejection::new(kind, error.to_string())
}

fn add_host(head: &mut Parts) {
    if !head.headers.contains_key(HOST)
        && let Some(host) = host_value(&head.uri)
    {
        head.headers.insert(HOST, host);
    }
}

/// From the route if there is one, else from the URL.
fn operation(context: &Context, head: &Parts) -> Operation {
    match context.route().map(|route| route.surface()) {
        Some(Surface::Native { operation, .. }) => operation,
        _ => Operation::parse(head.uri.path().trim_start_matches('/')).0,
    }
}
