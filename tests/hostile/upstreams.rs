//! Upstreams: interim answers, streams that are reset, connections that say goodbye.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower::{Service, ServiceExt};

use crate::frames::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, Peer, RST_STREAM, SETTINGS, block, frame, post,
};
use crate::support::{CONVERSE, base, before, serve, stack};
use crate::{exchange, recorded, soon};

/// Only what is signed for `:authority` goes by HTTP/2.
const BY_AUTHORITY: &str = "AWS4-HMAC-SHA256 Credential=AK/20260102/us-east-1/bedrock/aws4_request, SignedHeaders=:authority;x-amz-date, Signature=00ff";

fn path() -> String {
    format!("{}/model/m/converse", base("prod"))
}

#[tokio::test]
async fn interim_answers_are_not_the_answer() {
    for (method, answer, body) in [
        (
            "POST",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            "ok",
        ),
        (
            "POST",
            "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "2\r\nok\r\n0\r\n\r\n",
        ),
        (
            "HEAD",
            "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n",
            "",
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 64 * 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.read(&mut request).await;
        });
        let (gateway, records) = before(&url, |builder| builder);
        let address = serve(gateway).await;
        let request = format!(
            "{method} {} HTTP/1.1\r\nhost: gateway\r\ncf-aig-authorization: Bearer good\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            path()
        );
        let answer = exchange(address, request.as_bytes()).await;
        let (head, found) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200") && !head.contains("link"),
            "{answer}"
        );
        assert_eq!(found, body);
        recorded(&records, &["complete"]).await;
    }
}

/// What an upstream that speaks HTTP/2 does with a request, once it has come.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// Says goodbye amid its answer, and ends it.
    GoodbyeAndEnd,
    /// Says that something is wrong amid its answer, and is gone.
    GoodbyeAndGone,
    /// Says goodbye, and that this request was not looked at.
    NotSeen,
    ResetAtOnce,
    ResetAmid,
    /// Without an error, as if there were no more to say.
    ResetWithoutErrorAmid,
    /// Says goodbye amid its answer, and that this request was not looked at.
    NotSeenAmid,
}

fn goaway(last: u32, code: u8) -> Vec<u8> {
    let mut payload = last.to_be_bytes().to_vec();
    payload.extend([0, 0, 0, code]);
    frame(GOAWAY, 0, 0, &payload)
}

/// Its URL, and how many connections it has had.
async fn http2_upstream(then: Then) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut preface = [0; 24];
                stream.read_exact(&mut preface).await.unwrap();
                let mut peer = Peer(stream);
                peer.send(&frame(SETTINGS, 0, 0, &[])).await;
                peer.send(&frame(SETTINGS, 1, 0, &[])).await;
                let request = peer.until(HEADERS).await.unwrap();
                let id = request.stream;
                let head = frame(HEADERS, END_HEADERS, id, &block(&[(":status", "200")]));
                let some = frame(DATA, 0, id, b"some, ");
                let end = frame(DATA, END_STREAM, id, b"and the end");
                let reset = frame(RST_STREAM, 0, id, &[0, 0, 0, 2]);
                let pause = || tokio::time::sleep(Duration::from_millis(50));
                match then {
                    Then::GoodbyeAndEnd => {
                        peer.send(&[head, some, goaway(id, 0)].concat()).await;
                        pause().await;
                        peer.send(&end).await;
                    }
                    Then::GoodbyeAndGone => {
                        peer.send(&[head, some].concat()).await;
                        pause().await;
                        peer.send(&goaway(id, 2)).await;
                        return;
                    }
                    Then::NotSeen => {
                        peer.send(&goaway(0, 0)).await;
                    }
                    Then::ResetAtOnce => {
                        peer.send(&reset).await;
                    }
                    Then::ResetAmid => {
                        peer.send(&[head, some].concat()).await;
                        pause().await;
                        peer.send(&reset).await;
                    }
                    Then::ResetWithoutErrorAmid => {
                        peer.send(&[head, some].concat()).await;
                        pause().await;
                        peer.send(&frame(RST_STREAM, 0, id, &[0; 4])).await;
                    }
                    Then::NotSeenAmid => {
                        peer.send(&[head, some].concat()).await;
                        pause().await;
                        peer.send(&goaway(0, 0)).await;
                    }
                }
                while peer.next().await.is_some() {}
            });
        }
    });
    (url, connections)
}

#[tokio::test]
async fn goodbyes_and_resets() {
    use http_body_util::{BodyExt, Full};
    for (then, status, outcome, connections) in [
        (Then::GoodbyeAndEnd, 200, "complete", 2),
        (Then::GoodbyeAndGone, 200, "upstream_cut", 2),
        (Then::NotSeen, 502, "upstream_error", 2),
        (Then::ResetAtOnce, 502, "upstream_error", 1),
        (Then::ResetAmid, 200, "upstream_cut", 1),
        (Then::ResetWithoutErrorAmid, 200, "upstream_cut", 1),
        (Then::NotSeenAmid, 200, "upstream_cut", 2),
    ] {
        let (url, seen) = http2_upstream(then).await;
        let (gateway, records) = before(&url, |builder| builder);
        let request = || {
            crate::support::post(&path())
                .header("authorization", BY_AUTHORITY)
                .header("x-amz-date", "20260102T000000Z")
                .body(Full::<bytes::Bytes>::from(CONVERSE))
                .unwrap()
        };
        let answered = soon("an answer", gateway.clone().oneshot(request())).await;
        let response = answered.unwrap();
        assert_eq!(response.status(), status, "{then:?}");
        let read = soon("its end", response.into_body().collect()).await;
        if status == 200 {
            assert_eq!(read.is_ok(), outcome == "complete", "{then:?}");
        }
        if let (Ok(read), "complete") = (read, outcome) {
            assert_eq!(read.to_bytes(), "some, and the end");
        }
        recorded(&records, &[outcome]).await;
        if connections == 2 {
            // A connection that has said goodbye is not used any more.
            let response = soon("an answer", gateway.clone().oneshot(request())).await;
            assert_eq!(response.unwrap().status(), status, "{then:?}");
            assert_eq!(seen.load(Ordering::Relaxed), 2, "{then:?}");
        }
    }
}

/// A gateway that stops says goodbye, and ends what it has begun.
#[tokio::test]
async fn goodbye_to_the_client() {
    let stack = stack().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let gateway = stack.gateway.clone();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper::service::service_fn(move |request| {
            let mut gateway = gateway.clone();
            Service::<http::Request<hyper::body::Incoming>>::call(&mut gateway, request)
        });
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let mut connection = std::pin::pin!(server.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            _ = stopped => connection.as_mut().graceful_shutdown(),
            _ = connection.as_mut() => panic!("it ended by itself"),
        }
        connection.await
    });
    let mut peer = Peer::connect(address).await;
    let slow = format!(
        "{}/model/us.anthropic.fault.slow-frames-100/converse-stream",
        base("prod")
    );
    let request = [
        frame(HEADERS, END_HEADERS, 1, &post(&slow, &[])),
        frame(DATA, END_STREAM, 1, CONVERSE.as_bytes()),
    ];
    peer.send(&request.concat()).await;
    soon("the beginning", peer.until(DATA)).await.unwrap();
    stop.send(()).unwrap();
    let mut said_goodbye = false;
    let end = async {
        loop {
            let next = peer.next().await.expect("it was cut short");
            said_goodbye |= next.kind == GOAWAY;
            match next.kind {
                // A PING, to learn what has been sent by now.
                6 if next.flags == 0 => {
                    peer.send(&frame(6, 1, 0, &next.payload)).await;
                }
                DATA if next.flags & END_STREAM != 0 => return,
                _ => {}
            }
        }
    };
    soon("the end", end).await;
    assert!(said_goodbye);
    drop(peer);
    let _ = soon("the server's end", serving).await.unwrap();
    recorded(&stack.records, &["complete"]).await;
}
