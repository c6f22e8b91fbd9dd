//! The whole layer around a service that does nothing, and a plain one to compare it with.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use aws_sigv4::http_request::SigningInstructions;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service};
use tower_bedrock::sign::{SigV4SigningLayer, SignedBody};

use crate::variant::{BATCH, Source, Variant};
use crate::{aws, signer};

/// The inner service: answers at once and keeps the request, so that it is dropped later, when
/// the clock has stopped. Cloning it costs nothing.
pub(crate) struct Keep<B: 'static>(&'static RefCell<Vec<Request<B>>>);

impl<B> Clone for Keep<B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for Keep<B> {}

impl<B> Keep<B> {
    pub(crate) fn new(room: usize) -> Self {
        Self(Box::leak(Box::new(RefCell::new(Vec::with_capacity(room)))))
    }

    pub(crate) fn clear(self) {
        self.0.borrow_mut().clear();
    }
}

impl<B> Service<Request<B>> for Keep<B> {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.0.borrow_mut().push(request);
        ready(Ok(Response::new(())))
    }
}

/// `Service::call`, and the future polled to its end.
pub(crate) fn call<S, B, R>(service: &mut S, request: &mut Option<Request<B>>)
where
    S: Service<Request<B>, Response = Response<R>>,
{
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready());
    let request = request.take().expect("a fresh request");
    match pin!(service.call(request)).poll(&mut cx) {
        Poll::Ready(Ok(response)) => assert_eq!(response.status(), StatusCode::OK),
        _ => panic!("not answered at once"),
    }
}

/// A body as it arrives.
pub(crate) trait Arriving: Body<Data = Bytes, Error = Infallible> + 'static {
    /// So many requests are prepared at once.
    const BATCH: usize;

    fn of(body: &Bytes) -> Self;
}

impl Arriving for Full<Bytes> {
    const BATCH: usize = BATCH;

    fn of(body: &Bytes) -> Self {
        Self::new(body.clone())
    }
}

/// The layer under test, on the system's clock.
pub(crate) fn ours<B: Arriving>(row: &'static str, source: Source, token: Option<&str>) -> Variant {
    let keep = Keep::<SignedBody<B>>::new(B::BATCH);
    let service = SigV4SigningLayer::new(signer::credentials(token)).layer(keep);
    variant(row, source, service, keep)
}

/// What one writes in an afternoon: a boxed future that collects the body and calls `aws-sigv4`.
pub(crate) fn plain<B: Arriving>(
    row: &'static str,
    source: Source,
    token: Option<&str>,
) -> Variant {
    let keep = Keep::new(B::BATCH);
    let service = Plain {
        inner: keep,
        sign: aws::signer(token),
    };
    variant::<B, _, _, _>(row, source, service, keep)
}

fn variant<B, S, C, R>(
    row: &'static str,
    mut source: Source,
    mut service: S,
    keep: Keep<C>,
) -> Variant
where
    B: Arriving,
    S: Service<Request<B>, Response = Response<R>> + 'static,
{
    Variant::cleaned(
        source.column,
        row,
        B::BATCH,
        move || Some(Request::from_parts((source.parts)(), B::of(&source.body))),
        move |request| call(&mut service, request),
        move || keep.clear(),
    )
}

struct Plain<S, F> {
    inner: S,
    sign: F,
}

impl<S, F, B> Service<Request<B>> for Plain<S, F>
where
    S: Service<Request<Full<Bytes>>> + Clone + 'static,
    F: Fn(&Method, &Uri, &HeaderMap, &[u8], SystemTime) -> SigningInstructions + Clone + 'static,
    B: Arriving,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let fresh = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, fresh);
        let sign = self.sign.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let Ok(body) = body.collect().await;
            let body = body.to_bytes();
            let time = SystemTime::now();
            let signed = sign(&parts.method, &parts.uri, &parts.headers, &body, time);
            let mut request = Request::from_parts(parts, Full::new(body));
            signed.apply_to_request_http1x(&mut request);
            ready.call(request).await
        })
    }
}

/// A body that comes in frames of 16 KiB, each in memory of its own, as from a socket.
///
/// What collecting them costs depends on where the allocator finds room for the whole: in memory
/// that it has kept, 0.06 ns a byte, or in pages that the system has to provide first, 0.4 ns a
/// byte. Two requests at a time, 4 MiB, are more than glibc keeps.
pub(crate) struct Frames(VecDeque<Bytes>);

impl Arriving for Frames {
    const BATCH: usize = 2;

    fn of(body: &Bytes) -> Self {
        Self(body.chunks(16 << 10).map(Bytes::copy_from_slice).collect())
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|frame| Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|frame| frame.len() as u64).sum())
    }
}
