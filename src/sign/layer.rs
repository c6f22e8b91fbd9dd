//! The layer: decides with whose keys, then has the request signed or passes it on.

use std::fmt;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Request, Response, Uri};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::body::SignedBody;
use super::future::{ResponseFuture, Unsigned};
use super::headers::{self, Plain};
use super::reading::BodyHash;
use super::scope::Scope;
use super::sigv4::{KeyPair, SignError, SignedHeaders, Signer, SigningParams, send_api_key};
use super::skew::Skew;
use crate::body::{BoxError, Buffered, DEFAULT_LIMIT, ResponseBody, check_encoding};
use crate::context::{Context, KeyChoice, Policy, Stage};
use crate::credentials::{Credentials, DynProvideCredentials, ProvideCredentials};
#[cfg(feature = "rewrite")]
use crate::forward::forwarded;
use crate::per_thread::PerThread;
use crate::reject::{Manner, Rejection, RejectionKind};
use crate::route::{Operation, Surface, host_value};

/// Signs requests to Bedrock. See the [module docs](super).
#[derive(Clone)]
#[must_use]
pub struct SigV4SigningLayer {
    pub(super) provider: Arc<dyn DynProvideCredentials>,
    /// All alike: a request counts its reference to one that other threads do not count.
    settings: Arc<PerThread<Arc<Settings>>>,
}

/// In cache lines of its own, for its reference count is written to by one thread only.
#[derive(Clone)]
#[repr(align(128))]
pub(super) struct Settings {
    pub(super) body_limit: usize,
    pub(super) body_grace: Duration,
    /// What the provider always gives, if that is so: then it is not asked.
    pub(super) credentials: Option<Credentials>,
    region: Option<Box<str>>,
    service: Option<Box<str>>,
    policy: Policy,
    signer: Signer,
    forwarded: Vec<HeaderName>,
    pub(super) clock: fn() -> SystemTime,
    pub(super) skew: Option<Skew>,
}

impl SigV4SigningLayer {
    /// Signs with what `provider` gives.
    pub fn new(provider: impl ProvideCredentials) -> Self {
        let credentials = provider.fixed().cloned();
        Self {
            provider: Arc::new(provider),
            settings: for_threads(&Settings {
                body_limit: DEFAULT_LIMIT,
                body_grace: Duration::from_secs(20),
                credentials,
                region: None,
                service: None,
                policy: Policy::new(),
                signer: Signer::new(),
                forwarded: Vec::new(),
                clock: SystemTime::now,
                skew: Some(Skew::default()),
            }),
        }
    }

    /// Signs with what this provider gives, instead.
    pub fn with_provider(mut self, provider: impl ProvideCredentials) -> Self {
        let credentials = provider.fixed().cloned();
        self.provider = Arc::new(provider);
        self.with(|settings| settings.credentials = credentials)
    }

    pub(super) fn settings(&self) -> &Arc<Settings> {
        self.settings.own()
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::clone(self.settings());
        change(&mut settings);
        self.settings = for_threads(&settings);
        self
    }

    /// Longest body that is signed, in bytes; [`DEFAULT_LIMIT`] unless set.
    pub fn with_body_limit(self, limit: usize) -> Self {
        self.with(|settings| settings.body_limit = limit)
    }

    /// How long a body may take whatever its speed; 20 seconds unless set. After that it must
    /// have come with 500 bytes per second at least.
    pub fn with_body_grace(self, grace: Duration) -> Self {
        self.with(|settings| settings.body_grace = grace)
    }

    /// Signs for this region, whatever the URL says.
    pub fn with_region(self, region: &str) -> Self {
        self.with(|settings| settings.region = Some(region.into()))
    }

    /// Signs for this service, whatever the URL says: `bedrock`, or `bedrock-mantle`.
    pub fn with_service(self, service: &str) -> Self {
        self.with(|settings| settings.service = Some(service.into()))
    }

    /// Which headers are signed.
    pub fn with_signed_headers(self, signed: SignedHeaders) -> Self {
        self.with(|settings| settings.signer = Signer::new().with_signed_headers(signed))
    }

    /// Forwards this header of a gateway's clients too.
    pub fn with_forwarded_header(self, name: HeaderName) -> Self {
        self.with(|settings| settings.forwarded.push(name))
    }

    /// What callers may do whose principal has no policy of its own: here, whether their own
    /// credentials count.
    pub fn with_policy(self, policy: Policy) -> Self {
        self.with(|settings| settings.policy = policy)
    }

    /// Asks this clock for the time, instead of the system's.
    pub fn with_clock(self, clock: fn() -> SystemTime) -> Self {
        self.with(|settings| {
            settings.clock = clock;
            // What was learned was learned of the other clock.
            settings.skew = settings.skew.is_some().then(Skew::default);
        })
    }

    /// Whether a wrong clock is made up for; it is unless set.
    ///
    /// If AWS refuses a signature of ours as it does one of a wrong time (`InvalidSignature…`,
    /// `RequestTimeTooSkewed`, `RequestExpired`), the `Date` of its answer tells its time; later
    /// requests to that host are dated by it, and the refusal (502, code 2049) leaves out
    /// `x-should-retry: false`. Offsets from 1 minute to 24 hours are believed, of the 64 hosts
    /// that were last heard of. Clones of the layer share them.
    pub fn with_clock_skew_correction(self, correct: bool) -> Self {
        self.with(|settings| {
            let known = settings.skew.take();
            settings.skew = correct.then(|| known.unwrap_or_default());
        })
    }
}

fn for_threads(settings: &Settings) -> Arc<PerThread<Arc<Settings>>> {
    Arc::new(PerThread::new(|| Arc::new(settings.clone())))
}

impl<S> Layer<S> for SigV4SigningLayer {
    type Service = SigV4Signing<S>;

    fn layer(&self, inner: S) -> SigV4Signing<S> {
        SigV4Signing {
            inner,
            layer: self.clone(),
        }
    }
}

impl fmt::Debug for SigV4SigningLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigV4SigningLayer").finish_non_exhaustive()
    }
}

/// The service of [`SigV4SigningLayer`].
#[derive(Debug, Clone)]
pub struct SigV4Signing<S> {
    inner: S,
    layer: SigV4SigningLayer,
}

impl<S> SigV4Signing<S> {
    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, R> Service<Request<B>> for SigV4Signing<S>
where
    S: Service<Request<SignedBody<B>>, Response = Response<R>> + Clone,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B, S::Future>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, body) = request.into_parts();
        match headers::plain(&head) {
            // It has no facts that anybody keeps.
            Some(plain) => self.sign(None, Some(plain), Manner::PLAIN, head, body),
            None => self.decide(head, body),
        }
    }
}

impl<S> SigV4Signing<S> {
    /// Passes the request on, has it signed, or refuses it.
    fn decide<B, R>(&mut self, mut head: Parts, body: B) -> ResponseFuture<S, B, S::Future>
    where
        S: Service<Request<SignedBody<B>>, Response = Response<R>> + Clone,
    {
        let (context, wrong) = Context::enter(&mut head.extensions, Stage::Sign);
        let manner = context.manner(&head);
        let prepare = || self.layer.settings().prepare(&context, &mut head);
        match wrong.map_or_else(prepare, Err) {
            Ok(Plan::Sign) => self.sign(Some(context), None, manner, head, body),
            Ok(Plan::Pass) => {
                context.attempt();
                let request = Request::from_parts(head, SignedBody::untouched(body));
                ResponseFuture::passing(self.inner.call(request))
            }
            Err(rejection) => {
                // What was reserved by polling ready is given back at once.
                self.inner = self.inner.clone();
                ResponseFuture::refused(Some(context), rejection, manner, body)
            }
        }
    }

    #[inline]
    fn sign<B, R>(
        &mut self,
        facts: Option<Context>,
        plain: Option<Plain>,
        manner: Manner,
        head: Parts,
        body: B,
    ) -> ResponseFuture<S, B, S::Future>
    where
        S: Service<Request<SignedBody<B>>, Response = Response<R>> + Clone,
    {
        let settings = self.layer.settings();
        // The instance that was polled ready is the one to call, so it goes along.
        let fresh = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, fresh);
        let unsigned = |head| Unsigned {
            plain,
            manner,
            ready,
            head,
        };
        if settings.credentials.is_some() {
            return ResponseFuture::signing(settings, facts, unsigned(head), body, None);
        }
        match self.layer.provider.now(&head) {
            Some(Ok(keys)) => {
                ResponseFuture::signing(settings, facts, unsigned(head), body, Some(keys))
            }
            Some(Err(rejection)) => ResponseFuture::refused(facts, rejection, manner, body),
            None => {
                let answer = Arc::clone(&self.layer.provider).later(head);
                let (lent, ()) = Request::new(()).into_parts();
                ResponseFuture::asking(settings, facts, unsigned(lent), body, answer)
            }
        }
    }
}

enum Plan {
    /// The client's own credentials travel on, and the body with them.
    Pass,
    /// We sign.
    Sign,
}

impl Settings {
    /// Everything that can be decided from the head.
    fn prepare(&self, context: &Context, head: &mut Parts) -> Result<Plan, Rejection> {
        const ME: &str = "SigV4SigningLayer";
        let proof = head
            .headers
            .get(AUTHORIZATION)
            .filter(|value| value.is_sensitive());
        let is_signed = |proof: &HeaderValue| proof.as_bytes().starts_with(b"AWS4-HMAC-SHA256");
        // A plain request passes without a note of it: then the proof alone tells.
        if context.is_new() && proof.is_some_and(is_signed) {
            return Err(Rejection::twice(ME));
        }
        if head.uri.authority().is_none() {
            return Err(Rejection::misordered("BedrockPathRewriteLayer", ME));
        }
        add_host(head);
        if operation(context, head) == Operation::InvokeModelWithBidirectionalStream {
            return Err(Rejection::new(
                RejectionKind::Unsupported,
                "InvokeModelWithBidirectionalStream is not supported by this gateway",
            ));
        }
        if let KeyChoice::Client(_) = context.choose_key(head, &self.policy)? {
            return Ok(Plan::Pass);
        }
        check_encoding(&head.headers)?;
        #[cfg(feature = "rewrite")]
        if context.has_passed(Stage::Rewrite) {
            head.headers = forwarded(std::mem::take(&mut head.headers), &self.forwarded);
            return Ok(Plan::Sign);
        }
        headers::remove_stale(&mut head.headers);
        Ok(Plan::Sign)
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
        let refuse = |error: SignError| match error.is_request() {
            true => Rejection::new(RejectionKind::InvalidBody, error.to_string()),
            false => Rejection::new(RejectionKind::UpstreamAuth, error.to_string()),
        };
        let keys = match KeyPair::of(credentials) {
            Ok(keys) => keys,
            Err(key) => {
                add_host(head);
                send_api_key(&mut head.headers, key).map_err(refuse)?;
                return Ok(None);
            }
        };
        let mut begun = self.signer.begin(time);
        let payload = hash.finish(body);
        let (region, service) = (self.region.as_deref(), self.service.as_deref());
        let scope = Scope::of(facts, &head.uri, region, service).ok_or_else(|| {
            Rejection::new(
                RejectionKind::StackMisordered,
                "StackMisordered: put BedrockPathRewriteLayer outside of SigV4SigningLayer, or give that a region by with_region: this host tells none",
            )
        })?;
        let params =
            SigningParams::new(credentials, scope.region, time).with_service(scope.service);
        let target = (&head.method, &head.uri);
        begun
            .sign(target, &mut head.headers, &payload, keys, &params)
            .map_err(refuse)?;
        Ok(Some(time))
    }
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
