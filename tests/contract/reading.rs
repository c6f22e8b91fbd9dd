//! What signing makes of bodies that are long, slow, or broken.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};
use tower_bedrock::body::ResponseBody;
use tower_bedrock::sign::SigV4SigningLayer;
use tower_bedrock::{OpenAiCompatLayer, Rejection, RejectionKind};

use crate::cases::{URL, Vault, Warm};
use crate::probe::{Reply, Watch};
use crate::script::{MIB, Script, script};

const SECOND: Duration = Duration::from_secs(1);

async fn send(sign: &SigV4SigningLayer, body: Script) -> (Response<ResponseBody<Reply>>, Watch) {
    let watch = Watch::default();
    let service = sign.layer(watch.probe());
    let request = Request::post(URL).body(body).unwrap();
    let response = service.oneshot(request).await.unwrap();
    (response, watch)
}

/// Kind and text of the refusal, which nothing of came inside.
async fn refusal(sign: &SigV4SigningLayer, body: Script) -> (RejectionKind, String) {
    let (response, watch) = send(sign, body).await;
    assert_eq!(watch.calls(), 0);
    let rejection: &Rejection = response.extensions().get().expect("it was not refused");
    assert_eq!(response.status(), rejection.status());
    (rejection.kind(), rejection.text().to_owned())
}

fn layers() -> [SigV4SigningLayer; 2] {
    [SigV4SigningLayer::new(Warm), SigV4SigningLayer::new(Vault)]
}

#[tokio::test(start_paused = true)]
async fn over_the_limit() {
    let sign = SigV4SigningLayer::new(Warm);
    for body in [
        script().mebibytes(33),
        script().mebibytes(33).declared(33 * MIB),
    ] {
        let log = body.log();
        let (kind, text) = refusal(&sign, body).await;
        assert_eq!(kind, RejectionKind::BodyTooLarge);
        assert!(text.contains("33554432 bytes"), "{text}");
        assert!(log.is_over());
    }
    let (response, watch) = send(&sign, script().mebibytes(32)).await;
    assert_eq!((response.status().as_u16(), watch.calls()), (200, 1));

    for sign in layers() {
        let sign = sign.with_body_limit(3);
        for (body, status) in [
            (script().data("abc"), 200),
            (script().data("ab").data("cd"), 413),
            (script().data("abc").declared(4), 413),
        ] {
            assert_eq!(send(&sign, body).await.0.status(), status);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn broken_off() {
    for sign in layers() {
        for body in [script().fails(), script().data("half").wait(SECOND).fails()] {
            let (response, watch) = send(&sign, body).await;
            assert_eq!((response.status().as_u16(), watch.calls()), (400, 0));
            let rejection: &Rejection = response.extensions().get().unwrap();
            assert_eq!(rejection.kind(), RejectionKind::InvalidBody);
            assert!(rejection.text().contains("broke off"));
            let cause = rejection.internal().unwrap().to_string();
            assert_eq!(cause, "the script breaks off");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn too_slow() {
    for sign in layers() {
        for body in [
            script().hangs(),
            script().data("x").hangs(),
            script().forever("x", 10 * SECOND),
            script().forever(vec![b'x'; 400], SECOND),
        ] {
            let start = Instant::now();
            let (kind, text) = refusal(&sign, body).await;
            assert_eq!(kind, RejectionKind::InvalidBody);
            assert!(text.contains("too slowly"), "{text}");
            // 20 s until it is known in the worst case, 100 s if it is nearly fast enough; then
            // nobody waits for the rest.
            let took = start.elapsed();
            assert!((20 * SECOND..=105 * SECOND).contains(&took), "{took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_byte_in_ten_seconds_is_told_after_twenty() {
    let body = script()
        .data("x")
        .wait(10 * SECOND)
        .data("x")
        .wait(10 * SECOND)
        .data("x");
    let body = body.wait(10 * SECOND).data("x");
    let log = body.log();
    let start = Instant::now();
    let (kind, _) = refusal(&SigV4SigningLayer::new(Warm), body).await;
    assert_eq!(kind, RejectionKind::InvalidBody);
    // It was refused at 20 s, and its rest was left.
    assert!((20 * SECOND..21 * SECOND).contains(&start.elapsed()));
    assert!(log.bytes() < 4);
}

/// An upload that is translated is waited for as long as one that is signed.
#[tokio::test(start_paused = true)]
async fn too_slow_to_be_translated() {
    let watch = Watch::default();
    let compat = OpenAiCompatLayer::new().with_region("us-east-1").unwrap();
    let request = Request::post("/v1/acme/prod/compat/chat/completions");
    let request = request.body(script().data("{").hangs()).unwrap();
    let start = Instant::now();
    let service = compat.layer(watch.probe());
    let response = service.oneshot(request).await.unwrap();
    assert_eq!((response.status().as_u16(), watch.calls()), (400, 0));
    let rejection: &Rejection = response.extensions().get().unwrap();
    assert!(rejection.text().contains("too slowly"));
    assert!((20 * SECOND..21 * SECOND).contains(&start.elapsed()));
}

/// 1000 bytes per second for three minutes.
#[tokio::test(start_paused = true)]
async fn slow_but_steady_is_fast_enough() {
    let frame = Bytes::from(vec![b'x'; 1000]);
    for sign in layers() {
        let body = (0..180).fold(script(), |body, _| body.wait(SECOND).data(frame.clone()));
        let start = Instant::now();
        let (response, watch) = send(&sign, body).await;
        assert_eq!((response.status().as_u16(), watch.calls()), (200, 1));
        assert!(start.elapsed() >= 180 * SECOND);
        assert_eq!(watch.seen().hint.exact(), Some(180_000));
    }
}

#[tokio::test(start_paused = true)]
async fn late_but_quick_is_fast_enough() {
    let sign = SigV4SigningLayer::new(Warm);
    let body = script().wait(19 * SECOND).mebibytes(1);
    assert_eq!(send(&sign, body).await.0.status(), 200);
    // What came early counts: 100 s of silence after enough bytes for them.
    let body = script().mebibytes(1).wait(100 * SECOND).data("x");
    assert_eq!(send(&sign, body).await.0.status(), 200);
    let hasty = sign.with_body_grace(SECOND);
    let body = script().wait(2 * SECOND).mebibytes(1);
    assert_eq!(send(&hasty, body).await.0.status(), 400);
}

/// Where there is no Tokio, nothing is timed, and nothing panics.
#[test]
fn without_a_runtime() {
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    let watch = Watch::default();
    let mut cx = Context::from_waker(Waker::noop());
    for (body, status) in [
        (script().data("x"), Some(200)),
        (script().hangs(), None),
        (script().data("xx").hangs(), Some(413)),
    ] {
        let sign = SigV4SigningLayer::new(Warm).with_body_limit(1);
        let service = sign.layer(watch.probe());
        let request = Request::post(URL).body(body).unwrap();
        let mut future = Box::pin(service.oneshot(request));
        match (future.as_mut().poll(&mut cx), status) {
            (Poll::Ready(response), Some(status)) => {
                assert_eq!(response.unwrap().status(), status);
            }
            (Poll::Pending, None) => {}
            (_, status) => panic!("expected {status:?}"),
        }
    }
}

/// A body of many tiny pieces is signed as what it says, and weighs about as much.
#[tokio::test(start_paused = true)]
async fn many_tiny_pieces() {
    for sign in layers().map(|sign| sign.with_clock(|| SystemTime::UNIX_EPOCH)) {
        let pieces = (0..100_000_u32).map(|n| Bytes::from(vec![b'a' + (n % 26) as u8]));
        let body = pieces.clone().fold(script(), Script::data);
        let (response, watch) = send(&sign, body).await;
        assert_eq!((response.status().as_u16(), watch.calls()), (200, 1));
        let seen = watch.seen();
        assert_eq!(seen.frames.concat(), pieces.collect::<Vec<_>>().concat());
        assert!(seen.frames.len() < 100, "{}", seen.frames.len());
        // The signature is that of the same body in one piece.
        let whole = script().data(seen.frames.concat());
        let (_, once) = send(&sign, whole).await;
        let proof = |watch: &Watch| watch.seen().head.headers["authorization"].clone();
        assert_eq!(proof(&watch), proof(&once));
    }
}
