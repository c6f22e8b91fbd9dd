//! The layer: asks, takes the token off the request, calls inward.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::token::{CF_AIG_AUTHORIZATION, bearer};
use super::{Authenticate, DynAuthenticate, Later};
use crate::body::ResponseBody;
use crate::context::{Context, Principal, Stage};
use crate::headers::Present;
use crate::reject::{self, Manner, Rejection, RejectionKind};

/// Lets only those in who hold a gateway token. See the [module docs](super).
#[derive(Clone)]
#[must_use]
pub struct GatewayAuthLayer {
    auth: Arc<dyn DynAuthenticate>,
}

impl GatewayAuthLayer {
    /// Asks `auth` who is calling.
    pub fn new(auth: impl Authenticate) -> Self {
        Self {
            auth: Arc::new(auth),
        }
    }
}

impl<S> Layer<S> for GatewayAuthLayer {
    type Service = GatewayAuth<S>;

    fn layer(&self, inner: S) -> GatewayAuth<S> {
        GatewayAuth {
            inner,
            auth: Arc::clone(&self.auth),
        }
    }
}

impl fmt::Debug for GatewayAuthLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayAuthLayer").finish_non_exhaustive()
    }
}

/// The service of [`GatewayAuthLayer`].
#[derive(Clone)]
pub struct GatewayAuth<S> {
    inner: S,
    auth: Arc<dyn DynAuthenticate>,
}

impl<S> GatewayAuth<S> {
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

impl<S: fmt::Debug> fmt::Debug for GatewayAuth<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayAuth")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for GatewayAuth<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    B: Body,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B, S::Future>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let (context, wrong) = Context::enter(&mut head.extensions, Stage::Auth);
        let verdict = match wrong {
            Some(rejection) => Some(Err(rejection)),
            None => self.auth.now(&head),
        };
        let Some(verdict) = verdict else {
            // The instance that was polled ready is the one to call, so it goes along.
            let fresh = self.inner.clone();
            let asking = Some(Asking {
                verdict: Arc::clone(&self.auth).later(head),
                auth: Arc::clone(&self.auth),
                context,
                body,
                ready: std::mem::replace(&mut self.inner, fresh),
            });
            let state = State::Asking { asking };
            return ResponseFuture { state };
        };
        let admitted =
            verdict.and_then(|principal| admit(&*self.auth, principal, &context, &mut head));
        let state = match admitted {
            Ok(()) => State::inner(self.inner.call(Request::from_parts(head, body))),
            Err(rejection) => {
                // What was reserved by polling ready is given back at once.
                self.inner = self.inner.clone();
                State::refused(rejection, &head, body)
            }
        };
        ResponseFuture { state }
    }
}

/// Notes who is calling and takes the gateway's tokens off the request.
fn admit(
    auth: &dyn DynAuthenticate,
    principal: Principal,
    context: &Context,
    head: &mut Parts,
) -> Result<(), Rejection> {
    let by_own_header = head.headers.remove(CF_AIG_AUTHORIZATION).is_some();
    let consumed = !by_own_header && !principal.keeps_authorization();
    let is_ours = |value: &HeaderValue| {
        bearer(value).is_some_and(|token| consumed || auth.is_gateway_token(token))
    };
    let values = head.headers.get_all(AUTHORIZATION);
    if values.iter().any(is_ours) {
        let several = values.iter().count() > 1;
        if several && !by_own_header {
            return Err(Rejection::new(
                RejectionKind::ClientCredentials,
                "the header authorization was sent twice",
            ));
        }
        // What is left, if anything, is the caller's own credential.
        let others = values.iter().filter(|value| !is_ours(value)).cloned();
        let others: Vec<HeaderValue> = others.collect();
        head.headers.remove(AUTHORIZATION);
        for value in others {
            head.headers.append(AUTHORIZATION, value);
        }
    }
    context.set_principal(principal);
    Ok(())
}

pin_project! {
    /// The response future of [`GatewayAuth`].
    pub struct ResponseFuture<S, B, F> {
        #[pin]
        state: State<S, B, F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B, F> {
        Asking { asking: Option<Asking<S, B>> },
        Answering { #[pin] future: reject::ResponseFuture<F, B> },
    }
}

/// A request that waits for an [`Authenticate`] of the user's.
struct Asking<S, B> {
    verdict: Later,
    auth: Arc<dyn DynAuthenticate>,
    context: Context,
    body: B,
    ready: S,
}

impl<S, B, F> State<S, B, F> {
    fn refused(rejection: Rejection, head: &Parts, body: B) -> Self {
        let (rejection, manner) = match Context::get(&head.extensions) {
            Some(context) => (context.rejected(rejection), context.manner(head)),
            None => (rejection, Manner::of(head, Present::in_head(&head.headers))),
        };
        Self::Answering {
            future: reject::ResponseFuture::refused(rejection, manner, body),
        }
    }

    fn inner(future: F) -> Self {
        Self::Answering {
            future: reject::ResponseFuture::inner(future),
        }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B, S::Future>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Asking { asking } => {
                    let Some(waiting) = asking else {
                        return Poll::Pending;
                    };
                    let (mut head, verdict) = ready!(waiting.verdict.as_mut().poll(cx));
                    let Some(Asking {
                        auth,
                        context,
                        body,
                        mut ready,
                        ..
                    }) = asking.take()
                    else {
                        return Poll::Pending;
                    };
                    let admitted =
                        verdict.and_then(|principal| admit(&*auth, principal, &context, &mut head));
                    state.set(match admitted {
                        Ok(()) => State::inner(ready.call(Request::from_parts(head, body))),
                        Err(rejection) => State::refused(rejection, &head, body),
                    });
                }
                StateProj::Answering { future } => return future.poll(cx),
            }
        }
    }
}

impl<S, B, F> fmt::Debug for ResponseFuture<S, B, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
