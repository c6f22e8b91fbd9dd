//! HTTP/2: gRPC without a token, two names for one host, `CONNECT`.

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, Peer, RST_STREAM, block, frame, post};
use crate::support::{CONVERSE, MODEL, base, serve, stack};
use crate::{recorded, soon};

fn converse() -> String {
    format!("{}/model/{MODEL}/converse", base("prod"))
}

/// Trailers-only: one frame of headers, which ends the stream.
#[tokio::test]
async fn grpc_without_a_token() {
    let stack = stack().await;
    let address = serve(stack.gateway.clone()).await;
    let mut peer = Peer::connect(address).await;
    let head = block(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "gateway.test"),
        (":path", &converse()),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]);
    // Whether its side has ended or not: it may go on for hours.
    for (id, end) in [(1, END_STREAM), (3, 0)] {
        let message = frame(DATA, end, id, &[0, 0, 0, 0, 0]);
        let start = std::time::Instant::now();
        peer.send(&[frame(HEADERS, END_HEADERS, id, &head), message].concat())
            .await;
        let answer = soon("an answer", peer.until(HEADERS)).await.unwrap();
        assert_eq!((answer.stream, answer.flags & END_STREAM), (id, END_STREAM));
        assert!(start.elapsed() < std::time::Duration::from_secs(5));
    }

    // What it says.
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let made = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await;
    let (mut sender, connection) = made.unwrap();
    tokio::spawn(connection);
    let request = http::Request::post(format!("http://gateway.test{}", converse()))
        .header("content-type", "application/grpc+proto")
        .header("te", "trailers");
    let request = request.body(Empty::<bytes::Bytes>::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["grpc-status"]),
        (200, &"16".parse().unwrap())
    );
    assert!(answer.headers().contains_key("grpc-message"));
    assert!(
        answer
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .is_empty()
    );
    recorded(&stack.records, &["refused"; 3]).await;
}

/// Neither of them travels on.
#[tokio::test]
async fn authority_and_host_that_differ() {
    let stack = stack().await;
    let address = serve(stack.gateway.clone()).await;
    let mut peer = Peer::connect(address).await;
    let head = post(&converse(), &[("host", "elsewhere.test")]);
    let body = frame(DATA, END_STREAM, 1, CONVERSE.as_bytes());
    peer.send(&[frame(HEADERS, END_HEADERS, 1, &head), body].concat())
        .await;
    let answer = soon("an answer", peer.until(DATA)).await.unwrap();
    assert!(answer.payload.starts_with(b"{\"metrics\"") || answer.payload.starts_with(b"{"));
    let arrived = stack.emulator.take_requests();
    assert!(arrived[0].accepted());
    let hosts: Vec<_> = arrived[0].headers.get_all("host").iter().collect();
    assert_eq!(hosts.len(), 1);
    assert!(stack.emulator.url().ends_with(hosts[0].to_str().unwrap()));
    let record = stack.record();
    assert_eq!(
        (record.outcome.as_str(), record.path.as_str()),
        ("complete", &*converse())
    );
}

/// One of them might be what something in between went by.
#[tokio::test]
async fn two_hosts() {
    let stack = stack().await;
    let address = serve(stack.gateway.clone()).await;
    let mut peer = Peer::connect(address).await;
    let head = post(&converse(), &[("host", "a.test"), ("host", "a.test")]);
    let body = frame(DATA, END_STREAM, 1, CONVERSE.as_bytes());
    peer.send(&[frame(HEADERS, END_HEADERS, 1, &head), body].concat())
        .await;
    let answer = soon("an answer", peer.until(HEADERS)).await.unwrap();
    // `:status` 400, from the static table.
    assert_eq!(answer.payload[0], 0x8c);
    assert!(stack.emulator.requests().is_empty());
    recorded(&stack.records, &["refused"]).await;
}

/// With a target of its own, and as RFC 8441 extends it.
#[tokio::test]
async fn connect_makes_no_tunnel() {
    let stack = stack().await;
    let address = serve(stack.gateway.clone()).await;
    let mut peer = Peer::connect(address).await;
    let plain = block(&[
        (":method", "CONNECT"),
        (":authority", "127.0.0.1:22"),
        ("cf-aig-authorization", "Bearer good"),
    ]);
    peer.send(&frame(HEADERS, END_HEADERS, 1, &plain)).await;
    let answer = soon("an answer", peer.until(HEADERS)).await.unwrap();
    // `:status` 404 or 405, from the static table or written out: no 200, which is 0x88.
    assert_ne!(answer.payload[0], 0x88);
    let extended = block(&[
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", &converse()),
        (":authority", "gateway.test"),
        ("cf-aig-authorization", "Bearer good"),
    ]);
    let mut peer = Peer::connect(address).await;
    peer.send(&frame(HEADERS, END_HEADERS, 1, &extended)).await;
    // It was not offered, so it is an error of the stream.
    assert!(soon("a reset", peer.until(RST_STREAM)).await.is_some());
    recorded(&stack.records, &["refused"]).await;
}
