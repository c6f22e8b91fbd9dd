//! A wrong clock before an AWS that is strict about time: refused once, right ever after.

use std::convert::Infallible;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower::util::BoxCloneService;
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_bedrock::Rejection;
use tower_bedrock::credentials::Credentials;
use tower_bedrock::emulator::Emulator;
use tower_bedrock::sign::{SigV4SigningLayer, SignedBody};

const KEY: (&str, &str) = (
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
);
const MODEL: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
const PROMPT: &str = r#"{"messages":[{"role":"user","content":[{"text":"Hello there"}]}]}"#;
const HOUR: Duration = Duration::from_secs(3600);

/// Status, code of ours, and what the caller is told of trying again.
type Seen = (u16, u64, Option<String>);
type Stack = BoxCloneService<Request<Full<Bytes>>, Seen, BoxError>;

fn ok() -> Seen {
    (200, 0, None)
}

/// Our credentials are rejected, and may be again.
fn hopeless() -> Seen {
    (502, 2049, Some("false".into()))
}

/// The same, but another attempt may do better.
fn mended() -> Seen {
    (502, 2049, None)
}

async fn emulator() -> Emulator {
    Emulator::builder()
        .credentials(KEY.0, KEY.1)
        .start(([127, 0, 0, 1], 0).into())
        .await
        .unwrap()
}

fn layer(clock: fn() -> SystemTime) -> SigV4SigningLayer {
    let credentials = Credentials::new(KEY.0, KEY.1).unwrap();
    SigV4SigningLayer::new(credentials)
        .with_region("us-east-1")
        .with_clock(clock)
}

/// The layer before a client to which `forge` shows other headers than the upstream sent.
fn stack(layer: &SigV4SigningLayer, forge: fn(&mut HeaderMap)) -> Stack {
    let client = Client::builder(TokioExecutor::new()).build_http::<SignedBody<Full<Bytes>>>();
    let forged = ServiceBuilder::new()
        .map_response(move |mut response: Response<_>| {
            forge(response.headers_mut());
            response
        })
        .service(client);
    let signing = layer.layer(forged).map_err(BoxError::from);
    BoxCloneService::new(signing.and_then(async |response: Response<_>| Ok(seen(response).await?)))
}

async fn seen<B>(response: Response<B>) -> Result<Seen, BoxError>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(Into::into)?.to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let retry = head.headers.get("x-should-retry");
    Ok((
        head.status.as_u16(),
        body["internalCode"].as_u64().unwrap_or_default(),
        retry.map(|value| value.to_str().unwrap().to_owned()),
    ))
}

fn request(url: &str, model: &str) -> Request<Full<Bytes>> {
    Request::post(format!("{url}/model/{model}/converse"))
        .header("content-type", "application/json")
        .body(Full::from(PROMPT))
        .unwrap()
}

async fn ask(stack: &Stack, emulator: &Emulator) -> Seen {
    let request = request(&emulator.url(), MODEL);
    stack.clone().oneshot(request).await.unwrap()
}

fn keep(_: &mut HeaderMap) {}

fn behind() -> SystemTime {
    SystemTime::now() - HOUR
}

fn ahead() -> SystemTime {
    SystemTime::now() + HOUR
}

#[tokio::test]
async fn the_first_refusal_sets_the_clock_right() {
    let emulator = emulator().await;
    for clock in [behind as fn() -> SystemTime, ahead] {
        let layer = layer(clock);
        let stack_of_clone = stack(&layer.clone(), keep);
        let stack = stack(&layer, keep);
        assert_eq!(ask(&stack, &emulator).await, mended());
        assert_eq!(ask(&stack, &emulator).await, ok());
        assert_eq!(ask(&stack, &emulator).await, ok());
        assert_eq!(ask(&stack_of_clone, &emulator).await, ok());
    }
}

#[tokio::test]
async fn without_correction_it_stays_refused() {
    let emulator = emulator().await;
    let off = layer(behind).with_clock_skew_correction(false);
    let stack_off = stack(&off, keep);
    for _ in 0..3 {
        assert_eq!(ask(&stack_off, &emulator).await, hopeless());
    }
    let on = stack(&off.with_clock_skew_correction(true), keep);
    assert_eq!(ask(&on, &emulator).await, mended());
    assert_eq!(ask(&on, &emulator).await, ok());
}

/// The same answer has other causes than time.
#[tokio::test]
async fn a_wrong_secret_teaches_nothing() {
    let emulator = emulator().await;
    let wrong = Credentials::new(KEY.0, "another").unwrap();
    let right = Credentials::new(KEY.0, KEY.1).unwrap();
    let layer = layer(SystemTime::now);
    let bad = stack(&layer.clone().with_provider(wrong.clone()), keep);
    for _ in 0..2 {
        assert_eq!(ask(&bad, &emulator).await, hopeless());
    }
    let good = stack(&layer.with_provider(right), keep);
    assert_eq!(ask(&good, &emulator).await, ok());

    // With a wrong clock too, one more attempt shows that the time was not all.
    let both = self::layer(behind).with_provider(wrong);
    let both = stack(&both, keep);
    assert_eq!(ask(&both, &emulator).await, mended());
    assert_eq!(ask(&both, &emulator).await, hopeless());
}

fn date(text: &'static str) -> HeaderValue {
    HeaderValue::from_static(text)
}

fn off_by(seconds: i64) -> HeaderValue {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let then = i64::try_from(now).unwrap() + seconds;
    let format = aws_smithy_types::date_time::Format::HttpDate;
    let text = aws_smithy_types::DateTime::from_secs(then).fmt(format);
    text.unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_forged_date_teaches_nothing() {
    let emulator = emulator().await;
    let forgeries: [fn(&mut HeaderMap); 7] = [
        |headers| drop(headers.insert("date", off_by(30 * 3600))),
        |headers| drop(headers.insert("date", off_by(-30 * 3600))),
        |headers| drop(headers.insert("date", date("Thu, 01 Jan 1970 00:00:00 GMT"))),
        |headers| drop(headers.insert("date", date("Fri, 31 Dec 9999 23:59:59 GMT"))),
        |headers| drop(headers.insert("date", date("yesterday"))),
        |headers| assert!(headers.append("date", off_by(0))),
        |headers| drop(headers.remove("date")),
    ];
    for (number, forge) in forgeries.into_iter().enumerate() {
        let stack = stack(&layer(behind), forge);
        for _ in 0..2 {
            assert_eq!(ask(&stack, &emulator).await, hopeless(), "{number}");
        }
    }
}

#[tokio::test]
async fn each_host_has_its_own_clock() {
    let (one, two) = (emulator().await, emulator().await);
    let stack = stack(&layer(ahead), keep);
    assert_eq!(ask(&stack, &one).await, mended());
    assert_eq!(ask(&stack, &two).await, mended());
    assert_eq!(ask(&stack, &one).await, ok());
    assert_eq!(ask(&stack, &two).await, ok());
}

/// Neither an error of another kind nor a success tells the time.
#[tokio::test]
async fn other_answers_teach_nothing() {
    let emulator = emulator().await;
    let stack = stack(&layer(SystemTime::now), |headers| {
        headers.insert("date", off_by(-3600));
    });
    for (model, status) in [
        ("fault.error-403", 403),
        ("fault.error-400", 400),
        (MODEL, 200),
        ("fault.expired", 502),
    ] {
        let request = request(&emulator.url(), model);
        let (seen, ..) = stack.clone().oneshot(request).await.unwrap();
        assert_eq!(seen, status, "{model}");
        assert_eq!(ask(&stack, &emulator).await, ok(), "after {model}");
    }
}

static OFF: AtomicI64 = AtomicI64::new(-3600);

fn repaired_later() -> SystemTime {
    let off = OFF.load(SeqCst);
    SystemTime::now() - Duration::from_secs(off.unsigned_abs())
}

#[tokio::test]
async fn what_was_learned_is_unlearned() {
    let emulator = emulator().await;
    let stack = stack(&layer(repaired_later), keep);
    assert_eq!(ask(&stack, &emulator).await, mended());
    assert_eq!(ask(&stack, &emulator).await, ok());
    for off in [0, -7200] {
        OFF.store(off, SeqCst);
        assert_eq!(ask(&stack, &emulator).await, mended(), "{off}");
        assert_eq!(ask(&stack, &emulator).await, ok(), "{off}");
    }
}

/// An upstream that answers `kind` with a `Date` an hour off, to whom a right clock is wrong.
async fn refused_with(
    kind: &'static str,
    layer: &SigV4SigningLayer,
    authorization: Option<&str>,
) -> (Seen, Option<String>) {
    let upstream = service_fn(async |_: Request<SignedBody<Full<Bytes>>>| {
        let mut response = Response::new(Empty::<Bytes>::new());
        *response.status_mut() = http::StatusCode::FORBIDDEN;
        let kind = format!("{kind}:http://internal.amazon.com/coral/");
        let headers = response.headers_mut();
        headers.insert("x-amzn-errortype", kind.parse().unwrap());
        headers.insert("date", off_by(3600));
        Ok::<_, Infallible>(response)
    });
    let mut request = request("http://bedrock.test", MODEL);
    if let Some(authorization) = authorization {
        let value = authorization.parse().unwrap();
        request.headers_mut().insert("authorization", value);
    }
    let response = layer.layer(upstream).oneshot(request).await.unwrap();
    let rejection = response.extensions().get::<Rejection>();
    let internal = rejection.map(|rejection| rejection.internal().unwrap().to_string());
    (seen(response).await.unwrap(), internal)
}

#[tokio::test]
async fn whose_refusals_count() {
    const BEARER: &str = "Bearer bedrock-api-key";
    let api_key = Credentials::api_key("bedrock-api-key").unwrap();
    for (kind, ours) in [
        ("RequestTimeTooSkewed", mended()),
        ("RequestTimeTooSkewedException", mended()),
        ("RequestExpired", mended()),
        ("InvalidSignatureException", mended()),
        (
            "com.amazon.coral.service#InvalidSignatureException",
            mended(),
        ),
        ("SignatureDoesNotMatch", hopeless()),
        ("ExpiredTokenException", hopeless()),
        ("AccessDeniedException", (403, 0, None)),
    ] {
        let layer = layer(SystemTime::now);
        let (seen, internal) = refused_with(kind, &layer, None).await;
        assert_eq!(seen, ours, "{kind}");
        let name = kind.rsplit('#').next().unwrap();
        assert_eq!(internal.as_deref(), (seen.0 == 502).then_some(name));

        // The caller's own credentials: its own business, and nothing to be learned from.
        let layer = self::layer(SystemTime::now);
        for _ in 0..2 {
            let (seen, _) = refused_with(kind, &layer, Some(BEARER)).await;
            assert_eq!(seen, (403, 0, None), "{kind}");
        }
        // An API key has no date.
        let layer = layer.with_provider(api_key.clone());
        let (seen, _) = refused_with(kind, &layer, None).await;
        assert_eq!(seen.2.is_some(), seen.0 == 502, "{kind}");
    }
}
