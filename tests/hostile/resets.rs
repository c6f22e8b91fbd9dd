//! Streams of HTTP/2 that their client resets: at each state, and as fast as it can.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};

use http::{Request, Response, Version};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower::Service;
use tower_bedrock::eventstream::event;

use crate::frames::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, Peer, RST_STREAM, frame, post,
};
use crate::support::{CONVERSE, MODEL, base, before, eventually, serve, stack};
use crate::{recorded, soon};

const CANCEL: [u8; 4] = [0, 0, 0, 8];
const NO_ERROR: [u8; 4] = [0, 0, 0, 0];
const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AK/20260102/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=00ff";

fn path(model: &str) -> String {
    format!("{}/model/{model}/converse-stream", base("prod"))
}

#[tokio::test]
async fn at_each_state() {
    let stack = stack().await;
    let address = serve(stack.gateway.clone()).await;
    let mut peer = Peer::connect(address).await;
    let reset = |stream| frame(RST_STREAM, 0, stream, &CANCEL);
    let whole = |stream| frame(DATA, END_STREAM, stream, CONVERSE.as_bytes());
    let half = |stream| frame(DATA, 0, stream, &CONVERSE.as_bytes()[..20]);
    let head = |stream, model: &str, more: &[(&str, &str)]| {
        frame(HEADERS, END_HEADERS, stream, &post(&path(model), more))
    };

    // Before its body begins, amid its body: signed by the gateway, and by the client.
    for (stream, more) in [(1, &[][..]), (3, &[("authorization", SIGNED)])] {
        peer.send(&head(stream, MODEL, more)).await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        peer.send(&reset(stream)).await;
    }
    for (stream, more) in [(5, &[][..]), (7, &[("authorization", SIGNED)])] {
        peer.send(&[head(stream, MODEL, more), half(stream)].concat())
            .await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        peer.send(&reset(stream)).await;
    }
    // While there is no answer.
    drop(stack.emulator.take_requests());
    let silent = [head(9, "us.anthropic.fault.never", &[]), whole(9)];
    peer.send(&silent.concat()).await;
    eventually("the request upstream", || {
        !stack.emulator.requests().is_empty()
    })
    .await;
    peer.send(&reset(9)).await;
    // Amid the answer.
    let slow = [
        head(11, "us.anthropic.fault.slow-frames-60000", &[]),
        whole(11),
    ];
    peer.send(&slow.concat()).await;
    let answer = soon("the answer", async {
        loop {
            let frame = peer.until(DATA).await.expect("the connection is gone");
            if frame.stream == 11 {
                return frame;
            }
        }
    });
    assert!(!answer.await.payload.is_empty());
    peer.send(&reset(11)).await;
    // A head that is nothing but a reset.
    peer.send(&[head(13, MODEL, &[]), reset(13)].concat()).await;

    // The connection serves on.
    let good = [head(15, MODEL, &[]), whole(15)];
    peer.send(&good.concat()).await;
    let end = soon("the end", async {
        loop {
            let frame = peer.until(DATA).await.expect("the connection is gone");
            if frame.stream == 15 && frame.flags & END_STREAM != 0 {
                return;
            }
        }
    });
    end.await;
    // The upstream was let go each time.
    eventually("both were dropped", || stack.emulator.aborted() >= 2).await;
    let left = "client_disconnect";
    let broken = "client_disconnect|refused";
    let mut expected = vec![broken, broken, broken, broken, left, left];
    // Of the seventh the gateway may never have heard.
    let seen = stack.records.len();
    if seen == 8 {
        expected.push(broken);
    }
    expected.push("complete");
    recorded(&stack.records, &expected).await;
}

/// Thousands of requests that are reset as soon as they are sent: the server ends that connection,
/// serves others, and has a record of each request that reached the gateway.
#[tokio::test(flavor = "multi_thread")]
async fn rapid_reset() {
    let stack = stack().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (gateway, counter) = (stack.gateway.clone(), Arc::clone(&calls));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (gateway, calls) = (gateway.clone(), Arc::clone(&counter));
            let service = service_fn(move |request: Request<Incoming>| {
                calls.fetch_add(1, Ordering::Relaxed);
                let mut gateway = gateway.clone();
                let task = &mut Context::from_waker(Waker::noop());
                let _ = Service::<Request<Incoming>>::poll_ready(&mut gateway, task);
                gateway.call(request)
            });
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });

    let head = post(&path("us.anthropic.fault.never"), &[]);
    let mut peer = Peer::connect(address).await;
    let mut sent = 0;
    for stream in (1..20_000).step_by(2) {
        let pair = [
            frame(HEADERS, END_HEADERS | END_STREAM, stream, &head),
            frame(RST_STREAM, 0, stream, &CANCEL),
        ];
        sent += 1;
        if !peer.send(&pair.concat()).await {
            break;
        }
    }
    // ENHANCE_YOUR_CALM, or a connection that is closed already.
    if let Some(goaway) = soon("the end", peer.until(GOAWAY)).await {
        assert_eq!(goaway.payload[4..8], [0, 0, 0, 11]);
    }
    assert!(sent > 100);
    let reached = calls.load(Ordering::Relaxed);
    assert!(reached < sent, "{reached} of {sent}");

    let mut other = Peer::connect(address).await;
    let good = [
        frame(HEADERS, END_HEADERS, 1, &post(&path(MODEL), &[])),
        frame(DATA, END_STREAM, 1, CONVERSE.as_bytes()),
    ];
    other.send(&good.concat()).await;
    assert!(soon("an answer", other.until(DATA)).await.is_some());
    drop(other);
    let calls = || calls.load(Ordering::Relaxed);
    eventually("a record of each", || stack.records.len() == calls()).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(stack.records.len(), calls());
}

#[derive(Debug, PartialEq)]
enum Heard {
    Beginning,
    Whole,
    Broken,
}

/// Tells what it hears of each request. Over HTTP/1.1, and over HTTP/2 for conversations.
async fn listener() -> (String, mpsc::Receiver<Heard>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (told, all) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let told = told.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let told = told.clone();
                let is_http2 = request.version() == Version::HTTP_2;
                let mut body = request.into_body();
                // By itself, for hyper drops the future of a request that breaks off.
                let reading = tokio::spawn(async move {
                    let is_broken = loop {
                        match body.frame().await {
                            Some(Ok(_)) => told.send(Heard::Beginning).await.unwrap(),
                            other => break other.is_some(),
                        }
                    };
                    let is_whole = !is_broken && (!is_http2 || body.is_end_stream());
                    let end = if is_whole {
                        Heard::Whole
                    } else {
                        Heard::Broken
                    };
                    let _ = told.send(end).await;
                });
                async move { reading.await.map(|()| Response::new(String::new())) }
            });
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    (url, all)
}

/// A client that resets its own upload without an error has not come to its end: what streams
/// through does not look whole upstream.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_an_error_amid_an_upload() {
    let (url, mut heard) = listener().await;
    let (gateway, records) = before(&url, |builder| builder);
    let address = serve(gateway).await;
    let conversation = path(MODEL).replace("converse-stream", "invoke-with-bidirectional-stream");
    let signed = &[("authorization", SIGNED)][..];
    let cases = [
        (path(MODEL), signed),
        (conversation.clone(), signed),
        (conversation, &[]),
    ];
    let message = event("chunk", br#"{"bytes":"e30="}"#);
    for (path, more) in cases.iter().cycle().take(120) {
        let mut peer = Peer::connect(address).await;
        let half = [
            frame(HEADERS, END_HEADERS, 1, &post(path, more)),
            frame(DATA, 0, 1, &message),
        ];
        peer.send(&half.concat()).await;
        let beginning = soon("the beginning", heard.recv()).await;
        assert_eq!(beginning, Some(Heard::Beginning), "{path}");
        peer.send(&frame(RST_STREAM, 0, 1, &NO_ERROR)).await;
        let end = soon("the end", heard.recv()).await;
        assert_eq!(end, Some(Heard::Broken), "{path} {more:?}");
    }
    recorded(&records, &["client_disconnect|refused"; 120]).await;
}
