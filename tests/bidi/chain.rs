//! What becomes of a client's messages, without a network.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll, Waker};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_bedrock::credentials::{Credentials, ProvideCredentials};
use tower_bedrock::eventstream::{Decoder, event};
use tower_bedrock::sign::{SigV4SigningLayer, SignedBody};
use tower_bedrock::upstream::UpstreamLayer;
use tower_bedrock::{Rejection, RejectionKind};

use super::support::API_KEY;
use super::talk::{Piped, Wrapper, layer, message, payload, request, soon, wrapped};
use super::upstream::{Verified, payloads};

const URL: &str = "https://bedrock-runtime.us-east-1.amazonaws.com";

/// What goes inward for a request, and how its body ended.
pub struct Sent {
    pub head: Parts,
    pub pieces: Vec<Bytes>,
    pub error: Option<String>,
}

/// Sends a body through the layer to an upstream that reads it all before it answers.
pub async fn send(layer: &SigV4SigningLayer, body: Piped) -> (Option<Sent>, Response<Bytes>) {
    let sent = Arc::new(Mutex::new(None));
    let place = Arc::clone(&sent);
    let upstream = service_fn(move |request: Request<SignedBody<Piped>>| {
        let place = Arc::clone(&place);
        async move {
            let (head, mut body) = request.into_parts();
            assert!(body.try_clone().is_none());
            assert!(body.size_hint().exact().is_none() || body.is_end_stream());
            let (mut pieces, mut error) = (Vec::new(), None);
            while let Some(frame) = body.frame().await {
                assert!(error.is_none(), "more after an error");
                match frame {
                    Ok(frame) => pieces.push(frame.into_data().unwrap()),
                    Err(broken) => error = Some(broken),
                }
            }
            let text = error.as_ref().map(ToString::to_string);
            *place.lock().unwrap() = Some(Sent {
                head,
                pieces,
                error: text,
            });
            match error {
                Some(error) => Err(error),
                None => Ok(Response::new(Full::from("{}"))),
            }
        }
    });
    let stack = layer.layer(UpstreamLayer::new().layer(upstream));
    let response = soon(stack.oneshot(request(URL).body(body).unwrap())).await;
    let Ok(response) = response;
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let sent = sent.lock().unwrap().take();
    (sent, Response::from_parts(head, body))
}

/// The same, if all goes well.
async fn sent(layer: &SigV4SigningLayer, body: Piped) -> Sent {
    let (sent, response) = send(layer, body).await;
    assert_eq!(response.status(), 200, "{:?}", response.body());
    sent.unwrap()
}

/// The verified payloads of what was sent.
fn verified(sent: &Sent) -> Vec<Bytes> {
    let mut verified = Verified::head(&sent.head);
    let messages = sent.pieces.iter().flat_map(|piece| verified.push(piece));
    let messages: Vec<_> = messages.collect();
    assert!(verified.ended, "no end");
    payloads(&messages)
}

fn wanted(messages: usize) -> Vec<Bytes> {
    (0..messages).map(|n| payload(n).into()).collect()
}

/// Pieces of these sizes in turn, of the bytes together.
fn cut(pieces: &[Bytes], sizes: &[usize]) -> Vec<Bytes> {
    let mut whole = Bytes::from(pieces.concat());
    let mut cut = Vec::new();
    for size in sizes.iter().cycle() {
        if whole.is_empty() {
            break;
        }
        cut.push(whole.split_to(whole.len().min(*size)));
    }
    cut
}

/// A client that signs with nobody's keys and one that does not sign leave the same messages,
/// however their bytes are cut.
#[tokio::test]
async fn wrapped_or_bare_and_however_cut() {
    let layer = layer();
    let bare: Vec<_> = (0..20).map(message).collect();
    let without_end = wrapped(20)[..20].to_vec();
    for pieces in [bare, without_end, wrapped(20)] {
        let whole = pieces.concat().len();
        for sizes in [
            &[1][..],
            &[7],
            &[12, 4],
            &[100, 1, 1, 300],
            &[whole],
            &[whole - 1],
        ] {
            let sent = sent(&layer, Piped::of(cut(&pieces, sizes))).await;
            assert_eq!(verified(&sent), wanted(20), "{sizes:?}");
        }
        let sent = sent(&layer, Piped::of(pieces)).await;
        assert_eq!(verified(&sent), wanted(20));
        assert_eq!(sent.pieces.len(), 21, "a short message goes in one piece");
    }
}

#[tokio::test]
async fn long_messages_are_not_copied() {
    let long = |size: usize| event("chunk", &vec![b'x'; size]);
    for size in [3000, 4095, 5000, 65_536, 1_400_000] {
        let message = long(size);
        let mut wrapper = Wrapper::new();
        let whole = wrapper.wrap(message.clone());
        for (body, at) in [
            (message.clone(), 0),
            (whole.clone(), whole.len() - message.len() - 4),
        ] {
            let sent = sent(&layer(), Piped::of([body.clone()])).await;
            assert_eq!(verified(&sent), [vec![b'x'; size]]);
            if size < 4000 {
                assert_eq!(sent.pieces.len(), 2);
                continue;
            }
            let carried = &sent.pieces[1];
            assert_eq!(carried.as_ptr(), body[at..].as_ptr(), "{size}");
        }
        let sent = sent(&layer(), Piped::of(cut(&[whole], &[16_384]))).await;
        assert_eq!(verified(&sent), [vec![b'x'; size]]);
    }
}

/// Nothing but the end.
#[tokio::test]
async fn conversations_of_no_message() {
    for body in [
        Piped::of([]),
        Piped::of([Bytes::new()]),
        Piped::of([Wrapper::new().end()]),
    ] {
        let sent = sent(&layer(), body).await;
        assert!(verified(&sent).is_empty());
        assert_eq!(sent.pieces.len(), 1);
    }
    // What comes after the end does not go upstream.
    let mut pieces = wrapped(2);
    pieces.extend([message(7), "rubbish".into()]);
    for body in [Piped::of(cut(&pieces, &[100_000])), Piped::of(pieces)] {
        assert_eq!(verified(&sent(&layer(), body).await), wanted(2));
    }
}

/// A body that makes messages while they are read, and counts how many were asked for.
struct Endless {
    left: usize,
    asked: Arc<AtomicU64>,
}

impl Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut Task<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        self.asked.fetch_add(1, SeqCst);
        let long = vec![b'x'; 8 * 1024];
        Poll::Ready(Some(Ok(http_body::Frame::data(event("chunk", &long)))))
    }
}

/// Ten thousand messages, 80 MB: one is held at a time, and asked for when it is needed.
#[test]
fn bounded_memory() {
    const MESSAGES: usize = 10_000;
    let asked = Arc::new(AtomicU64::new(0));
    let place = Arc::new(Mutex::new(None));
    let to = Arc::clone(&place);
    let upstream = service_fn(move |request: Request<SignedBody<Endless>>| {
        *to.lock().unwrap() = Some(request.into_body());
        std::future::pending::<Result<Response<Full<Bytes>>, std::convert::Infallible>>()
    });
    let body = Endless {
        left: MESSAGES,
        asked: Arc::clone(&asked),
    };
    let service = layer().layer(upstream);
    let mut future = Box::pin(service.oneshot(request(URL).body(body).unwrap()));
    let task = &mut Task::from_waker(Waker::noop());
    assert!(future.as_mut().poll(task).is_pending());
    let mut body = Box::pin(place.lock().unwrap().take().unwrap());
    assert_eq!(
        asked.load(SeqCst),
        0,
        "nothing is read before it is asked for"
    );

    let mut decoder = Decoder::new();
    let mut messages = 0_u64;
    let measured = allocation_counter::measure(|| {
        while let Poll::Ready(Some(piece)) = body.as_mut().poll_frame(task) {
            decoder.push(piece.unwrap().into_data().unwrap());
            while decoder.next().unwrap().is_some() {
                messages += 1;
            }
            let asked = asked.load(SeqCst);
            assert!(
                asked.saturating_sub(messages) <= 1,
                "{asked} asked, {messages} out"
            );
        }
    });
    assert_eq!(messages, MESSAGES as u64 + 1);
    assert!(body.is_end_stream());
    assert!(measured.bytes_max < 64 * 1024, "{measured:?}");
}

/// 2025-12-31T23:59:50Z, and a second later with every look at it.
static CLOCK: AtomicU64 = AtomicU64::new(1_767_225_590);

fn clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(CLOCK.fetch_add(1, SeqCst))
}

/// The key and the scope of a message are those of its own day.
#[tokio::test]
async fn midnight() {
    let sent = sent(&layer().with_clock(clock), Piped::of(wrapped(30))).await;
    let mut verified = Verified::head(&sent.head);
    let messages: usize = sent
        .pieces
        .iter()
        .map(|piece| verified.push(piece).len())
        .sum();
    assert_eq!(messages, 30);
    assert!(verified.ended);
    let midnight = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    let before = verified
        .dates
        .iter()
        .filter(|date| **date < midnight)
        .count();
    assert!((1..30).contains(&before), "{before}");
    assert!(
        sent.head.headers["x-amz-date"]
            .to_str()
            .unwrap()
            .starts_with("20251231T2359")
    );
}

/// A provider whose keys change with every request.
struct Rotating {
    asked: Arc<AtomicU64>,
    at_once: bool,
}

impl Rotating {
    fn next(&self) -> Result<Credentials, Rejection> {
        let n = self.asked.fetch_add(1, SeqCst);
        let [id, secret, token] = ["AKIA", "secret-", "token-"].map(|name| format!("{name}{n}"));
        Ok(Credentials::with_session_token(&id, &secret, &token).unwrap())
    }
}

impl ProvideCredentials for Rotating {
    async fn credentials(&self, _: &Parts) -> Result<Credentials, Rejection> {
        tokio::task::yield_now().await;
        self.next()
    }

    fn credentials_now(&self, _: &Parts) -> Option<Result<Credentials, Rejection>> {
        self.at_once.then(|| self.next())
    }
}

/// The provider is asked once for a conversation, and its keys sign to the end.
#[tokio::test]
async fn keys_that_rotate() {
    for at_once in [true, false] {
        let asked = Arc::default();
        let rotating = Rotating {
            asked: Arc::clone(&asked),
            at_once,
        };
        let layer = SigV4SigningLayer::new(rotating);
        for n in 0..3 {
            let sent = sent(&layer, Piped::of(wrapped(10))).await;
            assert_eq!(
                sent.head.headers["x-amz-security-token"],
                format!("token-{n}")
            );
            let mut verified = Verified::head_of(&sent.head, &format!("secret-{n}"));
            let messages: usize = sent
                .pieces
                .iter()
                .map(|piece| verified.push(piece).len())
                .sum();
            assert!(messages == 10 && verified.ended);
            assert_eq!(asked.load(SeqCst), n + 1);
        }
    }
}

struct Refusing;

impl ProvideCredentials for Refusing {
    async fn credentials(&self, _: &Parts) -> Result<Credentials, Rejection> {
        tokio::task::yield_now().await;
        Err(Rejection::new(RejectionKind::NoCredentials, "none today"))
    }
}

#[tokio::test]
async fn no_keys() {
    let (sent, response) = send(&SigV4SigningLayer::new(Refusing), Piped::of(wrapped(3))).await;
    assert!(sent.is_none());
    assert_eq!(response.status(), 400);
    assert!(
        response
            .body()
            .windows(10)
            .any(|text| text == b"none today")
    );
    // A clock that is out of every calendar is ours to mend.
    let late = layer().with_clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40));
    let (sent, response) = send(&late, Piped::of(wrapped(3))).await;
    assert!(sent.is_none());
    assert_eq!(response.status(), 502);
}

/// With a Bedrock API key nothing is signed, whatever the client did.
#[tokio::test]
async fn an_api_key() {
    let layer = SigV4SigningLayer::new(Credentials::api_key(API_KEY).unwrap());
    let bare: Vec<_> = (0..5).map(message).collect();
    for pieces in [bare.clone(), wrapped(5)] {
        let sent = sent(&layer, Piped::of(cut(&pieces, &[50]))).await;
        let headers = &sent.head.headers;
        assert_eq!(headers["authorization"], format!("Bearer {API_KEY}"));
        for name in ["x-amz-date", "x-amz-content-sha256", "content-length"] {
            assert!(!headers.contains_key(name), "{name}");
        }
        assert_eq!(sent.pieces, bare);
    }
}

/// What a client's own signature left in the head does not go on.
#[tokio::test]
async fn stale_headers() {
    let place = Arc::new(Mutex::new(None));
    let to = Arc::clone(&place);
    let upstream = service_fn(move |request: Request<SignedBody<Full<Bytes>>>| {
        *to.lock().unwrap() = Some(request.into_parts().0);
        async { Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default())) }
    });
    let stack = layer().layer(UpstreamLayer::new().layer(upstream));
    let body = Bytes::from(wrapped(2).concat());
    let request = request(URL)
        .header("content-length", body.len())
        .header("x-amz-date", "20200101T000000Z")
        .header("x-amz-content-sha256", "00")
        .header("x-amz-security-token", "theirs")
        .header("x-amzn-bedrock-trace", "ENABLED");
    let response = stack
        .oneshot(request.body(Full::from(body)).unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let head = place.lock().unwrap().take().unwrap();
    Verified::head(&head);
    assert!(!head.headers.contains_key("x-amz-security-token"));
    let signed = head.headers["authorization"].to_str().unwrap();
    assert!(signed.contains("x-amzn-bedrock-trace"), "{signed}");
    assert_eq!(
        head.headers["host"],
        "bedrock-runtime.us-east-1.amazonaws.com"
    );
}

/// A wrong clock that AWS has told us of is made up for in messages too.
#[tokio::test]
async fn a_wrong_clock() {
    const HOUR: Duration = Duration::from_secs(3600);
    let layer = layer().with_clock(|| SystemTime::now() - HOUR);
    let place = Arc::new(Mutex::new(None));
    let to = Arc::clone(&place);
    let refused = Arc::new(AtomicU64::new(0));
    let upstream = service_fn(move |request: Request<SignedBody<Piped>>| {
        let (to, refused) = (Arc::clone(&to), Arc::clone(&refused));
        async move {
            if refused.fetch_add(1, SeqCst) == 0 {
                let now = aws_smithy_types::DateTime::from(SystemTime::now());
                let now = now
                    .fmt(aws_smithy_types::date_time::Format::HttpDate)
                    .unwrap();
                return Response::builder()
                    .status(403)
                    .header("x-amzn-errortype", "InvalidSignatureException")
                    .header("date", now)
                    .body(Full::<Bytes>::default());
            }
            let (head, body) = request.into_parts();
            let pieces = body.collect().await.unwrap().to_bytes();
            *to.lock().unwrap() = Some((head, pieces));
            Ok(Response::new(Full::default()))
        }
    });
    let stack = layer.layer(UpstreamLayer::new().layer(upstream));
    for status in [502, 200] {
        let request = request(URL).body(Piped::of(wrapped(3))).unwrap();
        let response = stack.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
    }
    let (head, pieces) = place.lock().unwrap().take().unwrap();
    let mut verified = Verified::head(&head);
    assert_eq!(verified.push(&BytesMut::from(&pieces[..])).len(), 3);
    for date in &verified.dates {
        let off = SystemTime::now().duration_since(*date).unwrap();
        assert!(off < HOUR / 2, "{off:?}");
    }
}
