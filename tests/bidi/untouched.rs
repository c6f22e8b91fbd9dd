//! Conversations that the client has signed itself, or sent with a Bedrock API key of its own.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::support::{base, before, eventually};
use super::talk::{Heard, PATH, Piped, message, payload, soon, wrapped};
use super::upstream::upstream;

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIACLIENT/20260102/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date, Signature=00ff";

/// Whatever the bytes are, and piece for piece as they come.
#[tokio::test]
async fn byte_for_byte() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&seen);
    let upstream = upstream(move |head, mut body| {
        let to = Arc::clone(&to);
        async move {
            assert_eq!(head.version, http::Version::HTTP_2);
            let (sender, answer) = Piped::new(1);
            tokio::spawn(async move {
                let mut pieces = Vec::new();
                while let Some(frame) = body.frame().await {
                    let piece = frame.unwrap().into_data().unwrap();
                    // Each is answered before the next is sent.
                    if !piece.is_empty() {
                        pieces.push(piece);
                        sender.send(Ok(message(pieces.len()))).await.unwrap();
                    }
                }
                to.lock().unwrap().push((head, pieces));
            });
            Response::builder()
                .header("content-type", "application/vnd.amazon.eventstream")
                .body(answer)
                .unwrap()
        }
    })
    .await;
    let mut pieces = wrapped(3);
    pieces.extend([Bytes::from("no message at all"), Bytes::from(vec![7; 9000])]);
    let size: usize = pieces.iter().map(Bytes::len).sum();
    for authorization in [SIGNED, "Bearer a-bedrock-api-key"] {
        let (gateway, records) = before(&upstream.url, |builder| builder);
        let request = Request::post(format!("{}{PATH}", base("prod")))
            .header("cf-aig-authorization", "Bearer good")
            .header("content-type", "application/vnd.amazon.eventstream")
            .header("x-amz-date", "20260102T030405Z")
            .header("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-EVENTS")
            .header("authorization", authorization);
        soon(async {
            let (sender, body) = Piped::new(1);
            let answer = gateway.oneshot(request.body(body).unwrap()).await.unwrap();
            assert_eq!(answer.status(), 200);
            let mut heard = Heard::new(answer.into_body());
            for (n, piece) in pieces.iter().enumerate() {
                sender.send(Ok(piece.clone())).await.unwrap();
                assert_eq!(heard.next().await.unwrap().unwrap(), payload(n + 1));
            }
            drop(sender);
            assert!(heard.next().await.is_none());
        })
        .await;
        eventually("a record", || records.len() == 1).await;
        let record = records.snapshot().remove(0);
        assert!(record.success, "{record:?}");
        assert_eq!(record.request_size, Some(size as u64));
        let (head, seen) = seen.lock().unwrap().pop().unwrap();
        assert_eq!(seen, pieces);
        assert_eq!(head.headers["authorization"], authorization);
        assert_eq!(head.headers["x-amz-date"], "20260102T030405Z");
        assert_eq!(
            head.headers["x-amz-content-sha256"],
            "STREAMING-AWS4-HMAC-SHA256-EVENTS"
        );
    }
}
