//! What needs the facts of a request; the rest is in `tests/upstream.rs`.

use std::convert::Infallible;
use std::future::{poll_fn, ready};
use std::pin::Pin;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tower::{Layer, ServiceExt, service_fn};

use super::{HyperClient, TimedBody, UpstreamLayer, UpstreamResponse};
use crate::body::{Buffered, ResponseBody};
use crate::headers::Present;
use crate::{Context, Policy, Rejection, Timeouts};

const BY_AUTHORITY: &str = "AWS4-HMAC-SHA256 Credential=AK/20260102/us-east-1/bedrock/aws4_request, SignedHeaders=:authority;x-amz-date, Signature=00ff";

fn signed_by_authority(uri: &str) -> Request<Buffered> {
    let request = Request::post(uri).header("authorization", BY_AUTHORITY);
    let (mut head, body) = request
        .body(Buffered::from(Bytes::from("{}")))
        .unwrap()
        .into_parts();
    let context = Context::of(&mut head.extensions);
    let present = Present::in_head(&head.headers);
    context.choose_key(&head, present, &Policy::new()).unwrap();
    Request::from_parts(head, body)
}

#[tokio::test]
async fn only_a_signature_over_authority_goes_by_http2() {
    for inbound in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
        let inner = service_fn(|request: Request<Buffered>| async move {
            let version = match request.headers().contains_key("authorization") {
                true => Version::HTTP_2,
                false => Version::HTTP_11,
            };
            assert_eq!(request.version(), version);
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        });
        let service = UpstreamLayer::new().layer(inner);
        for mut request in [
            signed_by_authority("http://h/"),
            Request::new(Buffered::empty()),
        ] {
            *request.version_mut() = inbound;
            service.clone().oneshot(request).await.unwrap();
        }
    }
}

/// An endpoint override and a signature over `:authority`: the connection goes there, the name
/// stays.
#[tokio::test]
async fn connects_elsewhere() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let echo = hyper::service::service_fn(|request: Request<Incoming>| async move {
                let uri = request.uri().to_string();
                Ok::<_, Infallible>(
                    Response::builder()
                        .header("x-uri", uri)
                        .body(Empty::<Bytes>::new())
                        .unwrap(),
                )
            });
            tokio::spawn(
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), echo),
            );
        }
    });
    let client = HyperClient::new()
        .with_endpoint(endpoint.parse().unwrap())
        .unwrap();
    let service = UpstreamLayer::new().layer(client);
    for _ in 0..2 {
        let request =
            signed_by_authority("https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse");
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(
            response.headers()["x-uri"],
            "http://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse"
        );
    }
}

#[tokio::test]
async fn an_upstream_without_http2_is_a_502_that_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let never = hyper::service::service_fn(|_: Request<Incoming>| async {
                Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), never),
            );
        }
    });
    let service = UpstreamLayer::new().layer(HyperClient::new());
    let request = signed_by_authority(&uri);
    let context = Context::get(request.extensions()).unwrap().clone();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 502);
    let rejection = response.extensions().get::<Rejection>().unwrap();
    assert!(rejection.text().contains(":authority"), "{rejection:?}");
    assert!(rejection.text().contains("HTTP/2"), "{rejection:?}");
    assert_eq!(context.rejection().unwrap().text(), rejection.text());
}

/// A body whose frames come over a channel.
struct Channel(mpsc::UnboundedReceiver<Bytes>);

impl Body for Channel {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(cx)
            .map(|data| data.map(|data| Ok(Frame::data(data))))
    }
}

/// The body of an answer with an idle timeout of 16 seconds, and where its frames come from.
async fn timed() -> (
    mpsc::UnboundedSender<Bytes>,
    ResponseBody<TimedBody<Channel>>,
) {
    let (frames, body) = mpsc::unbounded_channel();
    let mut body = Some(body);
    let inner = service_fn(move |_: Request<Buffered>| {
        let body = body.take().map(|body| Response::new(Channel(body)));
        ready(body.ok_or("once"))
    });
    let timeouts = Timeouts {
        idle: Some(Duration::from_secs(16)),
        ..Timeouts::default()
    };
    let service = UpstreamLayer::new().with_timeouts(timeouts).layer(inner);
    let response = service.oneshot(Request::new(Buffered::empty())).await;
    (frames, response.unwrap().into_body())
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_body_in_time() {
    let seconds = Duration::from_secs;
    // Without a frame to the point.
    let (_frames, mut body) = timed().await;
    let begun = Instant::now();
    assert!(body.frame().await.unwrap().is_err());
    assert_eq!(begun.elapsed().as_secs(), 16);

    // After frames within a sixteenth, and not before.
    for gap in [
        Duration::from_millis(1),
        Duration::from_millis(700),
        seconds(3),
        seconds(15),
    ] {
        let (frames, mut body) = timed().await;
        let sender = tokio::spawn(async move {
            for _ in 0..100 {
                sleep(gap).await;
                frames.send(Bytes::from_static(b"x")).unwrap();
            }
            (Instant::now(), frames)
        });
        for _ in 0..100 {
            assert!(body.frame().await.unwrap().is_ok(), "{gap:?}");
        }
        let (last, _frames) = sender.await.unwrap();
        assert!(body.frame().await.unwrap().is_err());
        let silence = last.elapsed();
        assert!(
            seconds(16) <= silence && silence <= seconds(17),
            "{gap:?}: {silence:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_that_of_the_upstream_whoever_reads() {
    // A slow reader is none.
    let (frames, mut body) = timed().await;
    for _ in 0..5 {
        frames.send(Bytes::from_static(b"x")).unwrap();
        sleep(Duration::from_secs(40)).await;
        assert!(body.frame().await.unwrap().is_ok());
    }
    // Nor one that goes on in another task.
    let begun = Instant::now();
    for _ in 0..3 {
        let waiting = timeout(Duration::from_secs(4), body.frame());
        assert!(waiting.await.is_err());
    }
    let read = tokio::spawn(async move { body.frame().await.unwrap().is_err() });
    assert!(read.await.unwrap());
    let silence = begun.elapsed().as_secs();
    assert!((16..=17).contains(&silence), "{silence}");
}

/// A task that has used up its turn is woken all the same.
#[tokio::test(start_paused = true)]
async fn silence_ends_a_body_of_a_busy_task() {
    let (_frames, mut body) = timed().await;
    let busy = tokio::spawn(async move {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        for _ in 0..1000 {
            sender.send(()).unwrap();
        }
        poll_fn(|cx| {
            // Until the turn is over.
            while receiver.poll_recv(cx).is_ready() {}
            Pin::new(&mut body).poll_frame(cx)
        })
        .await
    });
    let ended = timeout(Duration::from_secs(60), busy).await;
    assert!(ended.unwrap().unwrap().unwrap().is_err());
}

/// An upstream that writes these pieces one by one, each once it is told to, and then goes.
async fn writes(pieces: Vec<String>) -> (Response<UpstreamResponse>, mpsc::UnboundedSender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    let (next, mut told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head).await.unwrap();
        for piece in pieces {
            told.recv().await;
            stream.write_all(piece.as_bytes()).await.unwrap();
        }
        told.recv().await;
    });
    let request = Request::get(uri).body(Buffered::empty()).unwrap();
    let response = HyperClient::new().oneshot(request).await.unwrap();
    (response, next)
}

async fn next_data(body: &mut UpstreamResponse) -> Bytes {
    let frame = timeout(Duration::from_secs(20), body.frame()).await;
    let frame = frame.expect("nothing waits for what has not come");
    frame.unwrap().unwrap().into_data().unwrap()
}

#[tokio::test]
async fn chunks_of_one_read_are_one_frame() {
    let text = "ab".repeat(32);
    let many = |count: usize| format!("40\r\n{text}\r\n").repeat(count);
    let last = format!("{}0\r\nx-end: 1\r\n\r\n", many(3));
    let pieces = vec![many(40), many(1), many(2), last];
    let (response, next) = writes(pieces).await;
    let mut body = response.into_body();
    for count in [40, 1, 2, 3] {
        next.send(()).unwrap();
        assert_eq!(next_data(&mut body).await, text.repeat(count));
        assert!(!body.is_end_stream());
    }
    let trailers = body.frame().await.unwrap().unwrap();
    assert_eq!(trailers.trailers_ref().unwrap()["x-end"], "1");
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn what_came_before_a_cut_is_handed_on() {
    let (response, next) = writes(vec!["2\r\nab\r\n".repeat(3) + "9\r\ncd"]).await;
    let mut body = response.into_body();
    next.send(()).unwrap();
    drop(next);
    let mut read = Vec::new();
    while let Ok(frame) = body.frame().await.unwrap() {
        read.extend_from_slice(frame.data_ref().unwrap());
    }
    assert_eq!(read, b"abababcd");
}

/// A long answer is not gathered without end, and none of it is lost.
#[tokio::test]
async fn what_is_gathered_is_bounded() {
    let chunk = format!("80\r\n{}\r\n", "x".repeat(128));
    let (response, next) = writes(vec![chunk.repeat(1000) + "0\r\n\r\n"]).await;
    let mut body = response.into_body();
    next.send(()).unwrap();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let data = frame.unwrap().into_data().unwrap();
        assert!(data.len() <= 8 * 1024 + 128, "{}", data.len());
        length += data.len();
    }
    assert_eq!(length, 128_000);
}
