//! The layer: decides with whose keys, then has the request signed or passes it on.

use std::fmt;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::HeaderName;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::body::SignedBody;
use super::future::{ResponseFuture, Unsigned};
use super::headers::{self, Plain};
use super::settings::{Plan, Settings};
use super::sigv4::{SignedHeaders, Signer};
use super::skew::Skew;
use crate::body::{BoxError, DEFAULT_LIMIT, ResponseBody};
use crate::context::{Context, Policy, Stage};
use crate::credentials::{DynProvideCredentials, ProvideCredentials};
use crate::kept::PerThread;
use crate::reject::Manner;

/// Signs requests to Bedrock. See the [module docs](super).
#[derive(Clone)]
#[must_use]
pub struct SigV4SigningLayer {
    pub(super) provider: Arc<dyn DynProvideCredentials>,
    /// All alike: a request counts its reference to one that other threads do not count.
    settings: Arc<PerThread<Arc<Settings>>>,
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
                message_limit: 2 * 1024 * 1024,
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

    /// Longest message of a bidirectional stream, in bytes, with all that it comes wrapped in; 2 MiB
    /// unless set, into which 1,000,000 bytes fit in base64 within JSON. At most 24 MiB.
    pub fn with_message_limit(self, limit: usize) -> Self {
        self.with(|settings| settings.message_limit = limit)
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
            Ok(Plan::Sign { converses: false }) => {
                self.sign(Some(context), None, manner, head, body)
            }
            Ok(Plan::Sign { converses: true }) => self.converse(context, manner, head, body),
            Ok(Plan::Pass { converses }) => {
                context.attempt();
                let body = match converses {
                    true => SignedBody::counted(body, context),
                    false => SignedBody::untouched(body),
                };
                ResponseFuture::passing(self.inner.call(Request::from_parts(head, body)))
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
                ResponseFuture::asking(settings, facts, unsigned(lent), (Some(body), None), answer)
            }
        }
    }

    /// [`sign`](Self::sign), for one side of a conversation.
    #[cold]
    fn converse<B, R>(
        &mut self,
        facts: Context,
        manner: Manner,
        head: Parts,
        body: B,
    ) -> ResponseFuture<S, B, S::Future>
    where
        S: Service<Request<SignedBody<B>>, Response = Response<R>> + Clone,
    {
        let settings = self.layer.settings();
        let fresh = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, fresh);
        let unsigned = |head| Unsigned {
            plain: None,
            manner,
            ready,
            head,
        };
        let fixed = settings.credentials.clone().map(Ok);
        match fixed.or_else(|| self.layer.provider.now(&head)) {
            Some(Ok(keys)) => {
                ResponseFuture::conversing(settings, facts, unsigned(head), body, &keys)
            }
            Some(Err(rejection)) => ResponseFuture::refused(Some(facts), rejection, manner, body),
            None => {
                let answer = Arc::clone(&self.layer.provider).later(head);
                let (lent, ()) = Request::new(()).into_parts();
                ResponseFuture::asking(
                    settings,
                    Some(facts),
                    unsigned(lent),
                    (None, Some(body)),
                    answer,
                )
            }
        }
    }
}
