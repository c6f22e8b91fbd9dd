//! A stream of events in chunks of 64 frames: with the layer, without it, and beside the CRC-32 of
//! as many bytes.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, header};
use http_body::{Body, Frame};
use http_body_util::Full;
use tower::{Layer, Service};
use tower_bedrock::observe::{ObservabilityLayer, Ring};

use crate::call::as_hyper_does;
use crate::events::frame;
use crate::variant::{Contest, Variant};

pub(crate) const CRC: &str = "CRC-32 of 200 bytes";
pub(crate) const BARE: &str = "frame of a stream without the layer";
pub(crate) const OBSERVED: &str = "frame of a stream with the layer and a ring";
const COLUMN: &str = "frames of 200 B, 64 a chunk";

const FRAMES: usize = 64;
/// Chunks of one stream that are timed.
const CHUNKS: usize = 32;
const LENGTH: usize = 200;

/// What the upstream sends: one chunk, again and again.
pub(crate) struct Stream {
    chunk: Bytes,
    left: usize,
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(self.chunk.clone()))))
    }
}

/// Frames in one piece of memory: of this length on average, for the model's words are not all of
/// one length.
fn chunk(frames: usize, length: usize) -> Bytes {
    let mut chunk = BytesMut::new();
    for n in 0..frames {
        let shift = n / 2 % 20;
        let length = if n % 2 == 0 {
            length - shift
        } else {
            length + shift
        };
        chunk.extend_from_slice(&frame(length));
    }
    assert_eq!(chunk.len(), frames * length);
    chunk.freeze()
}

#[derive(Clone)]
struct Streams(Bytes);

impl<B> Service<Request<B>> for Streams {
    type Response = Response<Stream>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let body = Stream {
            chunk: self.0.clone(),
            left: usize::MAX,
        };
        let mut response = Response::new(body);
        let kind = HeaderValue::from_static("application/vnd.amazon.eventstream");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        ready(Ok(response))
    }
}

/// The body of a call, of which the first chunk has passed: the model has begun to speak.
fn begun<S, R>(service: &mut S) -> Pin<Box<R>>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>>,
    R: Body<Data = Bytes>,
{
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(response)) = pin!(service.call(as_hyper_does(false))).poll(&mut cx) else {
        panic!("not answered at once");
    };
    let mut body = Box::pin(response.into_body());
    next(&mut body);
    body
}

fn next<R: Body<Data = Bytes>>(body: &mut Pin<Box<R>>) -> Bytes {
    let mut cx = Context::from_waker(Waker::noop());
    match body.as_mut().poll_frame(&mut cx) {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        _ => panic!("no frame"),
    }
}

fn variant<S, R>(row: &'static str, mut service: S) -> Variant
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + 'static,
    R: Body<Data = Bytes> + 'static,
{
    let mut inner = Variant::cleaned(
        COLUMN,
        row,
        4,
        move || begun(&mut service),
        |body| (0..CHUNKS).for_each(|_| drop(next(body))),
        || (),
    );
    Variant::timed(COLUMN, row, move |count| per_frame(inner.time(count)))
}

/// Of all the frames that were timed in a run.
fn per_frame(time: Duration) -> Duration {
    time.div_f64((CHUNKS * FRAMES) as f64)
}

pub(crate) fn contest() -> Contest {
    let chunk = chunk(FRAMES, LENGTH);
    let one = chunk.slice(..LENGTH);
    let layer = ObservabilityLayer::new().with_sink(Ring::new(64));
    Contest {
        count: 64,
        variants: vec![
            Variant::timed(COLUMN, CRC, move |count| {
                let begun = std::time::Instant::now();
                for _ in 0..count as usize * CHUNKS * FRAMES {
                    std::hint::black_box(crc32fast::hash(std::hint::black_box(&one)));
                }
                per_frame(begun.elapsed())
            }),
            variant(BARE, Streams(chunk.clone())),
            variant(OBSERVED, layer.layer(Streams(chunk))),
        ],
    }
}

/// What goes out is what came in: the same memory.
pub(crate) fn nothing_is_copied() {
    let chunk = chunk(FRAMES, LENGTH);
    let layer = ObservabilityLayer::new().with_sink(Ring::new(1));
    let mut body = begun(&mut layer.layer(Streams(chunk.clone())));
    for _ in 0..CHUNKS {
        assert_eq!(next(&mut body).as_ptr_range(), chunk.as_ptr_range());
    }
}
