//! The layer: decides at once, waits for nothing.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};

use http::header::HOST;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{Endpoints, headers, uri};
use crate::body::ResponseBody;
use crate::context::{Context, Policy, Stage, signed_headers};
use crate::headers::{Present, check_hop};
use crate::reject::{self, Rejection, RejectionKind};
use crate::route::{RouteConfig, Surface};

/// Turns the gateway's paths into Bedrock's URLs. See the [module docs](super).
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct BedrockPathRewriteLayer {
    routes: RouteConfig,
    endpoints: Endpoints,
    policy: Policy,
}

impl BedrockPathRewriteLayer {
    /// Sends requests to AWS.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the gateway's paths begin.
    pub fn with_routes(mut self, routes: RouteConfig) -> Self {
        self.routes = routes;
        self
    }

    /// Where requests are sent.
    pub fn with_endpoints(mut self, endpoints: Endpoints) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// What callers may do whose principal has no policy of its own.
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }
}

impl<S> Layer<S> for BedrockPathRewriteLayer {
    type Service = BedrockPathRewrite<S>;

    fn layer(&self, inner: S) -> BedrockPathRewrite<S> {
        let shared = Shared {
            layer: self.clone(),
            known: uri::Known::new(),
        };
        BedrockPathRewrite {
            inner,
            shared: Arc::new(shared),
        }
    }
}

/// The service of [`BedrockPathRewriteLayer`].
#[derive(Clone)]
pub struct BedrockPathRewrite<S> {
    inner: S,
    shared: Arc<Shared>,
}

struct Shared {
    layer: BedrockPathRewriteLayer,
    known: uri::Known,
}

impl<S> BedrockPathRewrite<S> {
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

impl<S: fmt::Debug> fmt::Debug for BedrockPathRewrite<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BedrockPathRewrite")
            .field("inner", &self.inner)
            .field("layer", &self.shared.layer)
            .finish()
    }
}

impl<S, B, R> Service<Request<B>> for BedrockPathRewrite<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: Body,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let (context, wrong) = Context::enter(&mut head.extensions, Stage::Rewrite);
        let manner = context.manner(&head);
        let rewritten = match wrong {
            None => self.shared.rewrite(&context, &mut head),
            Some(rejection) => Err(rejection),
        };
        let inner = match rewritten {
            Ok(()) => {
                let future = self.inner.call(Request::from_parts(head, body));
                reject::ResponseFuture::inner(future)
            }
            Err(rejection) => {
                let rejection = context.rejected(rejection);
                reject::ResponseFuture::refused(rejection, manner, body)
            }
        };
        ResponseFuture { inner }
    }
}

impl Shared {
    fn rewrite(&self, context: &Context, head: &mut Parts) -> Result<(), Rejection> {
        let BedrockPathRewriteLayer {
            routes,
            endpoints,
            policy,
        } = &self.layer;
        let parsed = context.parse_route(head.uri.path(), routes)?;
        let route = parsed.route();
        if head.method == Method::CONNECT {
            return Err(Rejection::new(
                RejectionKind::Unsupported,
                "CONNECT is not supported by this gateway",
            ));
        }
        if let Surface::Compat(_) = route.surface() {
            return Err(Rejection::new(
                RejectionKind::Unsupported,
                "the OpenAI-compatible API is not served here: OpenAiCompatLayer must be outside of BedrockPathRewriteLayer",
            ));
        }
        context
            .policy(policy)
            .admits(&route)
            .map_err(|problem| Rejection::new(RejectionKind::NotAllowed, problem))?;
        let present = Present::in_head(&head.headers);
        check_hop(&head.headers, present)?;
        // One that was translated had its own host, which was looked at there.
        if !context.is_translated() {
            routes.check_host(head)?;
        }
        let choice = context.choose_key(head, present, policy)?;
        let client_signed = choice.is_client_signed();
        if choice.signs_authority() && !endpoints.keeps_authority() {
            return Err(Rejection::new(
                RejectionKind::UpstreamError,
                "the signature covers :authority, which cannot be kept on the way to this gateway's endpoint: sign host instead",
            ));
        }
        if client_signed && let Some(signed) = signed_headers(head) {
            headers::check_signed(&head.headers, &signed)?;
        }
        let query = head.uri.query();
        let target = self.known.upstream(endpoints, parsed, query, client_signed);
        let (uri, host) = target.ok_or_else(|| {
            Rejection::new(RejectionKind::InvalidPath, "the path leads to no valid URL")
        })?;
        context.set_upstream(&uri);
        context.set_inbound(std::mem::replace(&mut head.uri, uri));
        headers::strip_request(&mut head.headers, present);
        head.headers.insert(HOST, host);
        Ok(())
    }
}

pin_project! {
    /// The response future of [`BedrockPathRewrite`].
    #[derive(Debug)]
    pub struct ResponseFuture<F, B> {
        #[pin]
        inner: reject::ResponseFuture<F, B>,
    }
}

impl<F, B, R, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<R>, E>>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let mut response = ready!(self.project().inner.poll(cx))?;
        headers::strip_response(response.headers_mut());
        Poll::Ready(Ok(response))
    }
}
