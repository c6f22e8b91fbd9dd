//! Bytes that flow both ways, over sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tower_bedrock::eventstream::event;

use super::support::{base, before, eventually, post, serve};
use super::talk::{
    Heard, PATH, Piped, Wrapper, ask, layer, message, payload, request, soon, stack,
};
use super::upstream::{Verified, echo, upstream};

/// The next message is sent only when the answer to the one before has come.
#[tokio::test]
async fn both_sides_at_the_same_time() {
    let upstream = upstream(echo).await;
    let stack = stack(&layer());
    soon(async {
        let (sender, body) = Piped::new(1);
        let request = request(&upstream.url).body(body).unwrap();
        let answer = ask(&stack, request).await;
        assert_eq!(answer.status(), 200);
        let mut heard = Heard::new(answer.into_body());
        for n in 0..100 {
            sender.send(Ok(message(n))).await.unwrap();
            assert_eq!(heard.next().await.unwrap().unwrap(), payload(n));
        }
        drop(sender);
        assert!(heard.next().await.is_none());
    })
    .await;
}

/// Sends a request over a connection of its own.
async fn send(to: SocketAddr, over_http2: bool, request: Request<Piped>) -> Response<Incoming> {
    let stream = TokioIo::new(TcpStream::connect(to).await.unwrap());
    if over_http2 {
        let (mut client, connection) = http2::handshake(TokioExecutor::new(), stream)
            .await
            .unwrap();
        tokio::spawn(connection);
        client.send_request(request).await.unwrap()
    } else {
        let (mut client, connection) = http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        client.send_request(request).await.unwrap()
    }
}

/// The whole gateway, its client over either version of HTTP.
#[tokio::test]
async fn through_the_gateway() {
    let upstream = upstream(echo).await;
    for over_http2 in [true, false] {
        for is_wrapped in [true, false] {
            let (gateway, records) = before(&upstream.url, |builder| builder);
            let address = serve(gateway).await;
            let (mut sent, mut received) = (0, 0);
            soon(async {
                let (sender, body) = Piped::new(1);
                let request = post(&format!("http://{address}{}{PATH}", base("prod")))
                    .header("host", address.to_string())
                    .body(body)
                    .unwrap();
                let answer = send(address, over_http2, request).await;
                assert_eq!(answer.status(), 200);
                let mut heard = Heard::new(answer.into_body());
                let mut wrapper = Wrapper::new();
                for n in 0..50 {
                    let mut piece = message(n);
                    if is_wrapped {
                        piece = wrapper.wrap(piece);
                    }
                    sent += piece.len();
                    received += event("chunk", payload(n).as_bytes()).len();
                    sender.send(Ok(piece)).await.unwrap();
                    assert_eq!(heard.next().await.unwrap().unwrap(), payload(n));
                }
                if is_wrapped {
                    let end = wrapper.end();
                    sent += end.len();
                    sender.send(Ok(end)).await.unwrap();
                }
                drop(sender);
                assert!(heard.next().await.is_none());
            })
            .await;
            eventually("a record", || records.len() == 1).await;
            let record = records.snapshot().remove(0);
            assert!(record.success, "{record:?}");
            assert_eq!(record.operation, Some("InvokeModelWithBidirectionalStream"));
            assert_eq!(record.model.as_deref(), Some("amazon.nova-sonic-v1:0"));
            assert_eq!(record.request_size, Some(sent as u64));
            assert_eq!(record.response_size, Some(received as u64));
            assert!(record.time_to_first_byte.unwrap() < record.duration);
            assert_eq!(record.attempts, Some(1));
            assert!(record.is_stream);
        }
    }
    // Each had a connection of its own.
    assert_eq!(upstream.connections.load(SeqCst), 4);
}

/// What Nova Sonic says of its tokens: the last sums are those of the conversation.
#[tokio::test]
async fn tokens() {
    let upstream = upstream(|head, mut body| async move {
        let mut verified = Verified::head(&head);
        let (sender, answer) = Piped::new(100);
        tokio::spawn(async move {
            while let Some(Ok(frame)) = body.frame().await {
                verified.push(frame.data_ref().unwrap());
            }
            let events = [
                r#"{"event":{"completionStart":{"completionId":"c"}}}"#,
                r#"{"event":{"usageEvent":{"details":{"delta":{"input":{"speechTokens":7,"textTokens":100},"output":{"speechTokens":0,"textTokens":0}},"total":{"input":{"speechTokens":7,"textTokens":100},"output":{"speechTokens":0,"textTokens":0}}},"totalInputTokens":107,"totalOutputTokens":0,"totalTokens":107}}}"#,
                r#"{"event":{"contentStart":{"type":"AUDIO","role":"ASSISTANT"}}}"#,
                r#"{"event":{"audioOutput":{"content":"AAAA"}}}"#,
                r#"{"event":{"usageEvent":{"details":{},"totalInputTokens":150,"totalOutputTokens":42,"totalTokens":192}}}"#,
                r#"{"event":{"contentEnd":{"stopReason":"PARTIAL_TURN","type":"AUDIO"}}}"#,
                r#"{"event":{"completionEnd":{"completionId":"c","stopReason":"END_TURN"}}}"#,
            ];
            for text in events {
                let chunk = format!(r#"{{"bytes":"{}"}}"#, STANDARD.encode(text));
                sender.send(Ok(event("chunk", chunk.as_bytes()))).await.unwrap();
            }
        });
        Response::builder()
            .header("content-type", "application/vnd.amazon.eventstream")
            .body(answer)
            .unwrap()
    })
    .await;
    let (gateway, records) = before(&upstream.url, |builder| builder);
    let address = serve(gateway).await;
    soon(async {
        let request = post(&format!("http://{address}{}{PATH}", base("prod")));
        let body = Piped::of([message(0)]);
        let answer = send(address, true, request.body(body).unwrap()).await;
        assert_eq!(Heard::new(answer.into_body()).all().await.len(), 7);
    })
    .await;
    eventually("a record", || records.len() == 1).await;
    let record = records.snapshot().remove(0);
    assert!(record.success, "{record:?}");
    assert_eq!(record.tokens_in, Some(150));
    assert_eq!(record.tokens_out, Some(42));
    assert_eq!(record.stop_reason.as_deref(), Some("END_TURN"));
    assert!(record.time_to_first_token.is_some());
}

/// Sends until nothing is taken any more; gives the bytes that were.
async fn until_stalled(sender: &super::talk::Sender, piece: impl Fn(usize) -> Bytes) -> usize {
    let (mut n, mut sent) = (0, 0);
    loop {
        let piece = piece(n);
        let length = piece.len();
        let waited = Duration::from_millis(500);
        if tokio::time::timeout(waited, sender.send(Ok(piece)))
            .await
            .is_err()
        {
            return sent;
        }
        n += 1;
        sent += length;
        assert!(sent < 64 * 1024 * 1024, "nothing holds the sender back");
    }
}

fn long(n: usize) -> Bytes {
    event("chunk", &vec![b'a' + (n % 26) as u8; 10_000])
}

/// An upstream that does not read stops the client's upload, until it reads again.
#[tokio::test]
async fn a_stalled_upstream_stops_the_client() {
    let go_on = Arc::new(Notify::new());
    let read = Arc::new(AtomicU64::new(0));
    let (wait, count) = (Arc::clone(&go_on), Arc::clone(&read));
    let upstream = upstream(move |head, mut body| {
        let (wait, count) = (Arc::clone(&wait), Arc::clone(&count));
        async move {
            let mut verified = Verified::head(&head);
            let (sender, answer) = Piped::new(1);
            tokio::spawn(async move {
                wait.notified().await;
                while let Some(Ok(frame)) = body.frame().await {
                    let messages = verified.push(frame.data_ref().unwrap());
                    count.fetch_add(messages.len() as u64, SeqCst);
                }
                assert!(verified.ended);
                drop(sender);
            });
            Response::new(answer)
        }
    })
    .await;
    let (gateway, _records) = before(&upstream.url, |builder| builder);
    for over_http2 in [true, false] {
        let address = serve(gateway.clone()).await;
        soon(async {
            let (sender, body) = Piped::new(1);
            let request = post(&format!("http://{address}{}{PATH}", base("prod")));
            let answer = send(address, over_http2, request.body(body).unwrap()).await;
            let sent = until_stalled(&sender, long).await;
            // The windows of two connections, and what hyper holds for each.
            assert!(sent > 0);
            assert!(sent < 8 * 1024 * 1024, "{sent}");
            let before = read.load(SeqCst);
            go_on.notify_one();
            for n in 0..200 {
                sender.send(Ok(long(n))).await.unwrap();
            }
            drop(sender);
            assert!(Heard::new(answer.into_body()).next().await.is_none());
            // One message was given up when it had waited too long.
            let all = sent / long(0).len() + 200;
            assert_eq!(read.load(SeqCst) - before, all as u64);
        })
        .await;
    }
}

/// A client that does not read stops the upstream, and not its own upload.
#[tokio::test]
async fn a_slow_client_stops_the_upstream() {
    let (answers, mut stalled) = tokio::sync::mpsc::channel(1);
    let upstream = upstream(move |head, mut body| {
        let answers = answers.clone();
        async move {
            let mut verified = Verified::head(&head);
            let (sender, answer) = Piped::new(1);
            tokio::spawn(async move {
                let sent = until_stalled(&sender, long).await;
                answers.send(sent).await.unwrap();
                // It still listens.
                while let Some(Ok(frame)) = body.frame().await {
                    verified.push(frame.data_ref().unwrap());
                }
                assert!(verified.ended);
                sender.send(Ok(message(0))).await.unwrap();
            });
            Response::new(answer)
        }
    })
    .await;
    let (gateway, _records) = before(&upstream.url, |builder| builder);
    for over_http2 in [true, false] {
        let address = serve(gateway.clone()).await;
        soon(async {
            let (sender, body) = Piped::new(1);
            let request = post(&format!("http://{address}{}{PATH}", base("prod")));
            let answer = send(address, over_http2, request.body(body).unwrap()).await;
            let sent = stalled.recv().await.unwrap();
            assert!(sent > 0);
            assert!(sent < 16 * 1024 * 1024, "{sent}");
            for n in 0..5 {
                sender.send(Ok(message(n))).await.unwrap();
            }
            drop(sender);
            let heard = Heard::new(answer.into_body()).all().await;
            assert_eq!(heard.len(), sent / long(0).len() + 1);
            assert_eq!(heard.last().unwrap(), &payload(0));
        })
        .await;
    }
}
