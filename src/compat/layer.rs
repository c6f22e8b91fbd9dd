//! The layer: decides from the head whether a request is for it, and what can be refused at once.

use std::fmt;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::uri::{Authority, Scheme};
use http::{HeaderName, Request, Response, Uri};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::body::CompatBody;
use super::future::{Asked, ResponseFuture};
use super::head;
use super::models;
use super::reading::Encoding;
use crate::body::{BoxError, DEFAULT_LIMIT, RequestBody};
use crate::context::{ClientCredential, Context, KeyChoice, Policy, Stage};
#[cfg(feature = "sign")]
use crate::credentials::{DynProvideCredentials, ProvideCredentials};
use crate::error::ConfigError;
use crate::headers::{Present, check_hop};
use crate::reject::{Rejection, RejectionKind};
use crate::route::{CompatEndpoint, RouteConfig, Surface, partition};

/// Takes OpenAI's requests and gives OpenAI's answers. See the [module docs](super).
#[derive(Clone)]
#[must_use]
pub struct OpenAiCompatLayer {
    settings: Arc<Settings>,
}

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) policy: Policy,
    routes: RouteConfig,
    region: Option<Arc<str>>,
    #[cfg(feature = "sign")]
    credentials: Option<Arc<dyn DynProvideCredentials>>,
    pub(super) forwarded: Vec<HeaderName>,
    pub(super) origin: Option<(Scheme, Authority)>,
    pub(super) body_limit: usize,
    pub(super) answer_limit: usize,
    pub(super) body_grace: Duration,
    pub(super) keep_alive: Option<Duration>,
}

impl OpenAiCompatLayer {
    /// For requests at `/v1/{account}/{gateway}/compat/…`. Where they go is told by
    /// [`with_credentials`](Self::with_credentials) or [`with_region`](Self::with_region).
    pub fn new() -> Self {
        Self {
            settings: Arc::new(Settings {
                policy: Policy::new(),
                routes: RouteConfig::new(),
                region: None,
                #[cfg(feature = "sign")]
                credentials: None,
                forwarded: Vec::new(),
                origin: None,
                body_limit: DEFAULT_LIMIT,
                answer_limit: DEFAULT_LIMIT,
                body_grace: Duration::from_secs(20),
                keep_alive: Some(Duration::from_secs(15)),
            }),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }

    /// Sends requests to this region, where the credentials do not say one.
    ///
    /// # Errors
    /// If it is not the name of a region.
    pub fn with_region(self, region: &str) -> Result<Self, ConfigError> {
        if partition(region).is_none() {
            return Err(ConfigError::new(
                "region",
                "is not the name of an AWS region",
            ));
        }
        Ok(self.with(|settings| settings.region = Some(region.into())))
    }

    /// Sends requests to the region of the stored key that will sign them: give the layer what
    /// [`SigV4SigningLayer`](crate::SigV4SigningLayer) has.
    #[cfg(feature = "sign")]
    pub fn with_credentials(self, provider: impl ProvideCredentials) -> Self {
        self.with(|settings| settings.credentials = Some(Arc::new(provider)))
    }

    /// Where the gateway's paths begin.
    pub fn with_routes(self, routes: RouteConfig) -> Self {
        self.with(|settings| settings.routes = routes)
    }

    /// The aliases of models, whether parameters without a counterpart are refused, and the
    /// allow-lists, for callers whose principal has no policy of its own.
    pub fn with_policy(self, policy: Policy) -> Self {
        self.with(|settings| settings.policy = policy)
    }

    /// Writes URLs of this origin, such as `https://bedrock-runtime.us-east-1.amazonaws.com`, for
    /// use without [`BedrockPathRewriteLayer`](crate::BedrockPathRewriteLayer). Unless set, the
    /// translated request has a path alone.
    ///
    /// # Errors
    /// If it is not `http://host[:port]` or `https://host[:port]`.
    pub fn with_origin(self, origin: &str) -> Result<Self, ConfigError> {
        let wrong = || ConfigError::new("origin", "is not a URL such as https://host:port");
        let parts = origin.parse::<Uri>().map_err(|_| wrong())?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(wrong());
        };
        let has_path = parts.path_and_query.is_some_and(|path| path != "/");
        if has_path || !(scheme == Scheme::HTTP || scheme == Scheme::HTTPS) {
            return Err(wrong());
        }
        Ok(self.with(|settings| settings.origin = Some((scheme, authority))))
    }

    /// Longest request body that is translated, in bytes; 32 MiB unless set. It holds for the body
    /// as it is sent and as it is once decoded.
    pub fn with_body_limit(self, limit: usize) -> Self {
        self.with(|settings| settings.body_limit = limit)
    }

    /// Longest answer that is translated, in bytes; 32 MiB unless set. A stream may be as long as
    /// it likes.
    pub fn with_answer_limit(self, limit: usize) -> Self {
        self.with(|settings| settings.answer_limit = limit)
    }

    /// Lets this header of clients travel on too, beside those that Bedrock knows.
    pub fn with_forwarded_header(self, name: HeaderName) -> Self {
        self.with(|settings| settings.forwarded.push(name))
    }

    /// How often a stream without news gets a comment, so that nothing in between takes it for
    /// dead; every 15 seconds unless set. `None` turns it off. Needs a Tokio runtime.
    pub fn with_keep_alive(self, every: impl Into<Option<Duration>>) -> Self {
        let every = every.into().filter(|every| !every.is_zero());
        self.with(|settings| settings.keep_alive = every)
    }
}

impl Default for OpenAiCompatLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for OpenAiCompatLayer {
    type Service = OpenAiCompat<S>;

    fn layer(&self, inner: S) -> OpenAiCompat<S> {
        OpenAiCompat {
            inner,
            settings: Arc::clone(&self.settings),
        }
    }
}

impl fmt::Debug for OpenAiCompatLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiCompatLayer")
            .field("policy", &self.settings.policy)
            .finish_non_exhaustive()
    }
}

/// The service of [`OpenAiCompatLayer`].
#[derive(Clone)]
pub struct OpenAiCompat<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> OpenAiCompat<S> {
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

impl<S: fmt::Debug> fmt::Debug for OpenAiCompat<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiCompat")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for OpenAiCompat<S>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>> + Clone,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    R: Body<Data = Bytes> + Unpin,
{
    type Response = Response<CompatBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B, S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let (context, wrong) = Context::enter(&mut head.extensions, Stage::Compat);
        let manner = context.manner(&head);
        let plan = match wrong {
            None => self.settings.decide(&context, &head),
            Some(rejection) => Err(rejection),
        };
        match plan {
            Ok(Plan::Pass) => {
                let request = Request::from_parts(head, RequestBody::stream(body));
                ResponseFuture::passing(self.inner.call(request))
            }
            Ok(Plan::Translate {
                region,
                own_key,
                encoding,
            }) => {
                // The instance that was polled ready is the one to call, so it goes along.
                let fresh = self.inner.clone();
                let ready = std::mem::replace(&mut self.inner, fresh);
                let asked = Asked {
                    settings: Arc::clone(&self.settings),
                    context,
                    manner,
                    own_key,
                    encoding,
                };
                ResponseFuture::reading(asked, region, head, body, ready)
            }
            Ok(Plan::List) => {
                // What was reserved by polling ready is given back at once.
                self.inner = self.inner.clone();
                let list = models::list(context.policy(&self.settings.policy));
                ResponseFuture::answered(head::json(list), manner, body)
            }
            Err(rejection) => {
                self.inner = self.inner.clone();
                let refusal = head::refusal(context.rejected(rejection), manner);
                ResponseFuture::answered(refusal, manner, body)
            }
        }
    }
}

/// What becomes of a request.
enum Plan {
    /// It is none of ours.
    Pass,
    /// It becomes one of Bedrock's.
    Translate {
        region: Arc<str>,
        /// The caller's own Bedrock API key pays.
        own_key: bool,
        encoding: Encoding,
    },
    /// The models are listed.
    List,
}

impl Settings {
    /// Everything that can be decided from the head.
    fn decide(&self, context: &Context, head: &Parts) -> Result<Plan, Rejection> {
        if context.is_translated() {
            return Err(Rejection::translated_again());
        }
        // A path that leads nowhere is for the layer to refuse that needs it to lead somewhere.
        let Ok(parsed) = context.parse_route(head.uri.path(), &self.routes) else {
            return Ok(Plan::Pass);
        };
        let Surface::Compat(endpoint) = parsed.route().surface() else {
            return Ok(Plan::Pass);
        };
        context.set_inbound(head.uri.clone());
        if head.method != endpoint.method() {
            return Err(Rejection::method(endpoint.method()));
        }
        self.routes.check_host(head)?;
        if endpoint == CompatEndpoint::Models {
            return Ok(Plan::List);
        }
        let present = Present::in_head(&head.headers);
        check_hop(&head.headers, present)?;
        let choice = context.choose_key(head, present, &self.policy)?;
        if choice.is_client_signed() {
            return Err(Rejection::new(
                RejectionKind::ClientCredentials,
                "a signature over this request could not cover the one that goes to Bedrock: remove it, and let a stored key or a Bedrock API key serve",
            ));
        }
        let own_key = *choice == KeyChoice::Client(ClientCredential::ApiKey);
        let region = self.region(head)?.ok_or_else(|| {
            Rejection::new(
                RejectionKind::NoCredentials,
                "this gateway does not know which region to ask: it has no stored key that says one",
            )
        })?;
        let encoding = Encoding::of(&head.headers)?;
        Ok(Plan::Translate {
            region,
            own_key,
            encoding,
        })
    }

    fn region(&self, head: &Parts) -> Result<Option<Arc<str>>, Rejection> {
        #[cfg(feature = "sign")]
        if let Some(credentials) = &self.credentials
            && let Some(region) = credentials.region(head)?
        {
            return Ok(Some(region));
        }
        #[cfg(not(feature = "sign"))]
        let _ = head;
        Ok(self.region.clone())
    }
}
