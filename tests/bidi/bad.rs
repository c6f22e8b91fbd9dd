//! Input that is no conversation: how it is refused, and that the upstream never takes it for one.

use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tower::ServiceExt;
use tower_bedrock::eventstream::event;
use tower_bedrock::observe::Outcome;
use tower_bedrock::sign::SigV4SigningLayer;

use super::chain::send;
use super::support::{before, eventually, post};
use super::talk::{
    Heard, PATH, Piped, Wrapper, ask, layer, message, payload, request, soon, stack, wrapped,
};
use super::upstream::{Verified, upstream};

struct Bad {
    name: &'static str,
    pieces: Vec<Bytes>,
    status: u16,
    says: &'static str,
}

/// A frame's prelude with the right checksum, and some bytes more.
fn prelude(total: u32, headers: u32) -> Bytes {
    let mut bytes = [total.to_be_bytes(), headers.to_be_bytes()].concat();
    let sum = crc32(&bytes);
    bytes.extend_from_slice(&sum.to_be_bytes());
    bytes.extend_from_slice(&[0; 64]);
    bytes.into()
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg());
        }
    }
    !sum
}

/// A wrapper with right checksums around these bytes.
fn around(payload: &[u8]) -> Bytes {
    use tower_bedrock::eventstream::{HeaderValue, encode};
    let headers = [
        (":date", HeaderValue::Timestamp(0)),
        (":chunk-signature", HeaderValue::Bytes(&[0; 32])),
    ];
    encode(&headers, payload).unwrap()
}

fn flipped(bytes: &Bytes, at: usize) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes.into()
}

fn all() -> Vec<Bad> {
    let bad = |name, pieces: Vec<Bytes>, status, says| Bad {
        name,
        pieces,
        status,
        says,
    };
    let first = wrapped(1)[0].clone();
    let long = event("chunk", &vec![b'x'; 2 * 1024 * 1024]);
    let last = first.len() - 1;
    let nested = Wrapper::new().wrap(Wrapper::new().wrap(message(0)));
    let cut = |bytes: &Bytes, by: usize| bytes.slice(..bytes.len() - by);
    let middle = "ended in the middle of a message";
    let mixed = "signed messages come between others";
    vec![
        bad(
            "bare after signed",
            vec![first.clone(), message(1)],
            400,
            mixed,
        ),
        bad(
            "signed after bare",
            vec![message(0), first.clone()],
            400,
            mixed,
        ),
        bad(
            "end after bare",
            vec![message(0), Wrapper::new().end()],
            400,
            mixed,
        ),
        bad(
            "prelude's checksum",
            vec![flipped(&first, 8)],
            400,
            "prelude checksum",
        ),
        bad(
            "length that lies",
            vec![flipped(&first, 3)],
            400,
            "prelude checksum",
        ),
        bad(
            "message's checksum",
            vec![flipped(&first, last)],
            400,
            "message checksum",
        ),
        bad(
            "changed payload",
            vec![flipped(&first, last - 9)],
            400,
            "message checksum",
        ),
        bad(
            "second is broken",
            vec![message(0), flipped(&message(1), 40)],
            400,
            "message checksum",
        ),
        bad("too long", vec![long.clone()], 413, "2097152 are allowed"),
        bad(
            "too long, in a wrapper",
            vec![Wrapper::new().wrap(long)],
            413,
            "2097152 are allowed",
        ),
        bad(
            "too long, by its word",
            vec![prelude(u32::MAX, 0)],
            413,
            "4294967295 bytes",
        ),
        bad(
            "headers too long",
            vec![prelude(200_000, 150_000)],
            413,
            "131072 are allowed",
        ),
        bad("length 0", vec![prelude(0, 0)], 400, "impossible lengths"),
        bad("length 15", vec![prelude(15, 0)], 400, "impossible lengths"),
        bad(
            "headers beyond the end",
            vec![prelude(20, 5)],
            400,
            "impossible lengths",
        ),
        bad(
            "cut in a prelude",
            vec![message(0), message(1).slice(..5)],
            400,
            middle,
        ),
        bad(
            "cut at the end",
            vec![message(0), cut(&message(1), 1)],
            400,
            middle,
        ),
        bad(
            "cut wrapper",
            vec![first.clone(), cut(&first, 3)],
            400,
            middle,
        ),
        bad(
            "text",
            vec!["{\"event\":{}}".into()],
            400,
            "prelude checksum",
        ),
        bad("a word", vec!["hello".into()], 400, middle),
        bad(
            "wrapper around text",
            vec![around(b"hello")],
            400,
            "ended in the middle",
        ),
        bad(
            "wrapper around more text",
            vec![around(&[b'x'; 40])],
            400,
            "prelude checksum",
        ),
        bad(
            "wrapper around two",
            vec![around(&[message(0), message(1)].concat())],
            400,
            "a signed message cannot be read",
        ),
        bad(
            "wrapper around a broken one",
            vec![around(&flipped(&message(0), 60))],
            400,
            "message checksum",
        ),
        bad(
            "wrapper in a wrapper",
            vec![nested],
            400,
            "carries a signed message",
        ),
    ]
}

/// Before there is an answer, the caller is told what is wrong.
#[tokio::test]
async fn refused_in_clear_words() {
    let api_key = tower_bedrock::credentials::Credentials::api_key("key").unwrap();
    for layer in [layer(), SigV4SigningLayer::new(api_key)] {
        for bad in all() {
            for size in [usize::MAX, 1, 1000] {
                // A long one need not be sent byte by byte.
                let length: usize = bad.pieces.iter().map(Bytes::len).sum();
                if size == 1 && length > 10_000 {
                    continue;
                }
                let pieces = bad.pieces.iter().flat_map(|piece| {
                    let chunks = piece.chunks(size.min(piece.len()));
                    chunks.map(Bytes::copy_from_slice).collect::<Vec<_>>()
                });
                let (sent, response) = send(&layer, Piped::of(pieces)).await;
                let text = String::from_utf8(response.body().to_vec()).unwrap();
                assert_eq!(response.status(), bad.status, "{}: {text}", bad.name);
                assert!(text.contains(bad.says), "{}: {text}", bad.name);
                let kind = response.headers()["x-amzn-errortype"].to_str().unwrap();
                assert_eq!(kind, "ValidationException");
                let error = sent.unwrap().error.expect("the upstream sees no end");
                assert!(error.contains(bad.says), "{}: {error}", bad.name);
            }
        }
    }
}

#[tokio::test]
async fn another_limit() {
    let layer = layer().with_message_limit(200);
    let (_, response) = send(&layer, Piped::of([message(0)])).await;
    assert_eq!(response.status(), 200);
    let (_, response) = send(&layer, Piped::of([event("chunk", &[0; 200])])).await;
    assert_eq!(response.status(), 413);
}

#[tokio::test]
async fn a_body_that_fails() {
    let (sender, body) = Piped::new(2);
    sender.try_send(Ok(message(0))).unwrap();
    sender.try_send(Err("wire cut".into())).unwrap();
    let (sent, response) = send(&layer(), body).await;
    assert_eq!(response.status(), 400);
    let text = String::from_utf8(response.body().to_vec()).unwrap();
    assert!(text.contains("broke off"), "{text}");
    assert!(!text.contains("wire cut"), "{text}");
    assert!(sent.unwrap().error.is_some());
}

/// Over the wire: reset upstream, 400 to the caller.
#[tokio::test]
async fn the_stream_upstream_is_reset() {
    let (seen, mut ends) = mpsc::channel(100);
    let upstream = upstream(move |head, mut body| {
        let seen = seen.clone();
        async move {
            Verified::head(&head);
            loop {
                match body.frame().await {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        seen.send(error.to_string()).await.unwrap();
                        std::future::pending::<()>().await;
                    }
                    None => seen.send("end".into()).await.unwrap(),
                }
            }
        }
    })
    .await;
    let stack = stack(&layer());
    for bad in all() {
        soon(async {
            let body = Piped::of(bad.pieces.clone());
            let request = request(&upstream.url).body(body).unwrap();
            let answer = ask(&stack, request).await;
            assert_eq!(answer.status(), bad.status, "{}", bad.name);
            let text = answer.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8(text.to_vec()).unwrap();
            assert!(text.contains(bad.says), "{}: {text}", bad.name);
        })
        .await;
    }
    // Some of them are reset before a byte of them is sent, head included.
    while let Ok(end) = ends.try_recv() {
        assert_ne!(end, "end");
    }
}

/// Once there is an answer, it breaks off; the record says whose fault that was.
#[tokio::test]
async fn under_an_answer_that_has_begun() {
    let upstream = upstream(super::upstream::echo).await;
    for bad in all() {
        let (gateway, records) = before(&upstream.url, |builder| builder);
        soon(async {
            let (sender, body) = Piped::new(1);
            let url = format!("{}{PATH}", super::support::base("prod"));
            let request = post(&url).body(body).unwrap();
            let answer = gateway.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), 200);
            let mut heard = Heard::new(answer.into_body());
            // The first of them is a good one, where the bad ones do not depend on it.
            for piece in &bad.pieces {
                sender.send(Ok(piece.clone())).await.unwrap();
            }
            drop(sender);
            loop {
                match heard.next().await {
                    Some(Ok(message)) => assert_eq!(message, payload(0)),
                    Some(Err(_)) => break,
                    None => panic!("{}: a clean end", bad.name),
                }
            }
        })
        .await;
        eventually("a record", || records.len() == 1).await;
        let record = records.snapshot().remove(0);
        assert_eq!(record.outcome, Outcome::Refused, "{}", bad.name);
        let error = record.error.as_deref().unwrap();
        assert!(error.contains(bad.says), "{}: {error}", bad.name);
        assert!(!record.success);
    }
}
