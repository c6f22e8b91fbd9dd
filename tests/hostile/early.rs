//! Answers that come while the request's body still flows.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, Peer, frame, post};
use crate::support::{base, before, serve};
use crate::{recorded, soon};

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AK/20260102/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=00ff";
const EARLY: &str = "HTTP/1.1 403 Forbidden\r\nx-amzn-errortype: AccessDeniedException\r\ncontent-length: 5\r\n\r\nearly";

/// Answers as soon as a head is there; then reads on, or closes.
async fn hasty(reads_on: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut some = vec![0; 64 * 1024];
                while let Ok(read @ 1..) = stream.read(&mut some).await {
                    if some[..read].starts_with(b"POST ") {
                        let _ = stream.write_all(EARLY.as_bytes()).await;
                    }
                    if !reads_on {
                        return;
                    }
                }
            });
        }
    });
    url
}

fn path() -> String {
    format!("{}/model/m/converse", base("prod"))
}

#[tokio::test]
async fn over_http1() {
    for reads_on in [true, false] {
        let (gateway, records) = before(&hasty(reads_on).await, |builder| builder);
        let address = serve(gateway).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: gateway\r\ncf-aig-authorization: Bearer good\r\nauthorization: {SIGNED}\r\ncontent-length: 200000\r\n\r\nthe beginning",
            path()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = async {
            while !answer.ends_with(b"early") {
                let read = stream.read_buf(&mut answer).await.unwrap();
                assert!(read > 0, "{:?}", String::from_utf8_lossy(&answer));
            }
        };
        soon("the answer", read).await;
        assert!(answer.starts_with(b"HTTP/1.1 403"));
        // The client goes on, as some do; nothing of that is an error any more.
        let _ = stream.write_all(&[b'x'; 100_000]).await;
        drop(stream);
        recorded(&records, &["upstream_error"]).await;
        assert_eq!(records.snapshot()[0].status_code, Some(403));
    }
}

#[tokio::test]
async fn over_http2() {
    for reads_on in [true, false] {
        let (gateway, records) = before(&hasty(reads_on).await, |builder| builder);
        let address = serve(gateway).await;
        let mut peer = Peer::connect(address).await;
        for stream in [1, 3] {
            let head = post(&path(), &[("authorization", SIGNED)]);
            let head = frame(HEADERS, END_HEADERS, stream, &head);
            let beginning = frame(DATA, 0, stream, b"the beginning");
            peer.send(&[head, beginning].concat()).await;
            let answer = soon("the answer", async {
                loop {
                    let frame = peer.until(DATA).await.expect("the connection is gone");
                    if frame.stream == stream {
                        return frame;
                    }
                }
            });
            let answer = answer.await;
            assert_eq!(
                (&answer.payload[..], answer.flags),
                (&b"early"[..], END_STREAM)
            );
            // What is on its way by then does no harm.
            peer.send(&frame(DATA, END_STREAM, stream, b"the end"))
                .await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        recorded(&records, &["upstream_error"; 2]).await;
    }
}
