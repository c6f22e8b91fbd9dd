//! Code of the user's that panics: the others on the connection, and those who come later, do not
//! notice.

use http::request::Parts;
use tower_bedrock::auth::Authenticate;
use tower_bedrock::{Principal, Rejection};

use crate::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, Peer, RST_STREAM, frame, post};
use crate::support::{CONVERSE, MODEL, base, serve, stack_with};
use crate::{exchange, recorded, soon};

/// Panics at once, or later, if it is asked to.
struct Panics;

impl Authenticate for Panics {
    async fn authenticate(&self, head: &Parts) -> Result<Principal, Rejection> {
        tokio::task::yield_now().await;
        assert!(!head.headers.contains_key("x-later"), "on purpose");
        Ok(Principal::new("someone"))
    }

    fn authenticate_now(&self, head: &Parts) -> Option<Result<Principal, Rejection>> {
        assert!(!head.headers.contains_key("x-now"), "on purpose");
        None
    }
}

fn path(model: &str) -> String {
    format!("{}/model/{model}/converse-stream", base("prod"))
}

#[tokio::test]
async fn over_http1() {
    let stack = stack_with(|builder| builder.authenticate(Panics)).await;
    let address = serve(stack.gateway.clone()).await;
    for (when, is_answered) in [("x-now", false), ("x-later", false), ("x-never", true)] {
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n{when}: 1\r\ncontent-length: {}\r\n\r\n{CONVERSE}",
            path(MODEL),
            CONVERSE.len()
        );
        let answer = exchange(address, request.as_bytes()).await;
        assert_eq!(answer.starts_with("HTTP/1.1 200"), is_answered, "{answer}");
        assert_eq!(answer.is_empty(), !is_answered);
    }
    let left = "client_disconnect";
    recorded(&stack.records, &[left, left, "complete"]).await;
}

#[tokio::test]
async fn over_http2_one_stream_alone() {
    let stack = stack_with(|builder| builder.authenticate(Panics)).await;
    let address = serve(stack.gateway.clone()).await;
    let mut peer = Peer::connect(address).await;
    let slow = "us.anthropic.fault.slow-frames-100";
    let whole = |stream, model, more: &[(&str, &str)]| {
        let head = frame(HEADERS, END_HEADERS, stream, &post(&path(model), more));
        let body = frame(DATA, END_STREAM, stream, CONVERSE.as_bytes());
        [head, body].concat()
    };
    peer.send(&whole(1, slow, &[])).await;
    soon("the beginning", peer.until(DATA)).await.unwrap();
    peer.send(&whole(3, MODEL, &[("x-later", "1")])).await;
    let mut was_reset = false;
    let end = async {
        loop {
            let next = peer.next().await.expect("the connection is gone");
            was_reset |= (next.kind, next.stream) == (RST_STREAM, 3);
            if next.kind == DATA && next.flags & END_STREAM != 0 {
                return next.stream;
            }
        }
    };
    assert_eq!(soon("the end", end).await, 1);
    assert!(was_reset);
    recorded(&stack.records, &["complete", "client_disconnect"]).await;
}
