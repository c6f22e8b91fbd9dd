//! A call that is answered at once with a JSON body, as a server makes it: with the layer, without
//! it, and beside one signature.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri};
use http_body::Body;
use http_body_util::Full;
use tower::{Layer, Service};
use tower_bedrock::observe::{ObservabilityLayer, Ring};

use crate::variant::{BATCH, Contest, Source, Variant};
use crate::{aws, request};

pub(crate) const AWS: &str = "one aws-sigv4 signature";
pub(crate) const BARE: &str = "call without the layer";
pub(crate) const OBSERVED: &str = "call with the layer and a ring";
pub(crate) const BARE_WITH_MAP: &str = "call without the layer, extensions map there already";
pub(crate) const OBSERVED_WITH_MAP: &str =
    "call with the layer and a ring, extensions map there already";
const COLUMN: &str = "256 B";

const PATH: &str = "/v1/acme/prod/aws-bedrock/bedrock-runtime/us-east-1/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse";
const HEADERS: [(&str, &str); 5] = [
    ("host", "gateway.test"),
    ("user-agent", "aws-sdk-rust/1.3"),
    ("content-type", "application/json"),
    ("content-length", "256"),
    ("cf-aig-authorization", "Bearer s3cret"),
];
const ANSWER: &[u8] = br#"{"metrics":{"latencyMs":551},"output":{"message":{"content":[{"text":"Paris is the capital of France, and has been since the tenth century."}],"role":"assistant"}},"stopReason":"end_turn","usage":{"inputTokens":14,"outputTokens":19,"serverToolUsage":{},"totalTokens":33}}"#;
/// Records that the ring keeps; it is full when the clock starts.
const RING: usize = 64;

/// Stands in for another layer's.
#[derive(Clone)]
struct Other;

/// The inner service.
#[derive(Clone)]
pub(crate) struct Answers;

impl<B> Service<Request<B>> for Answers {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let mut response = Response::new(Full::from(Bytes::from_static(ANSWER)));
        // As from a client: room for some more.
        let mut headers = HeaderMap::with_capacity(12);
        for (name, value) in [
            ("content-type", "application/json"),
            ("x-amzn-requestid", "8d4a1a60-8a35-4d8c-9d6a-6d6f0a6a3f0e"),
        ] {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        *response.headers_mut() = headers;
        ready(Ok(response))
    }
}

/// As hyper makes it: URI and header values are slices of the buffer that was read.
pub(crate) fn as_hyper_does(with_map: bool) -> Request<Full<Bytes>> {
    let mut buffer = BytesMut::with_capacity(16 * 1024);
    let mut put = |text: &str| {
        buffer.extend_from_slice(text.as_bytes());
        buffer.split().freeze()
    };
    let uri = put(PATH);
    let mut headers = HeaderMap::with_capacity(HEADERS.len());
    for (name, value) in HEADERS {
        let value = HeaderValue::from_maybe_shared(put(value)).expect("plain ASCII");
        headers.insert(HeaderName::from_static(name), value);
    }
    let mut made = Request::new(Full::new(request::body(256)));
    *made.method_mut() = http::Method::POST;
    *made.uri_mut() = Uri::from_maybe_shared(uri).expect("a URI");
    *made.headers_mut() = headers;
    if with_map {
        made.extensions_mut().insert(Other);
    }
    made
}

/// The call, its future and the body of the answer, to the end.
fn call<S, R>(service: &mut S, request: &mut Option<Request<Full<Bytes>>>)
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>>,
    R: Body<Data = Bytes>,
{
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready());
    let request = request.take().expect("a fresh request");
    let Poll::Ready(Ok(response)) = pin!(service.call(request)).poll(&mut cx) else {
        panic!("not answered at once");
    };
    let mut body = pin!(response.into_body());
    while !body.is_end_stream() {
        let frame = Pin::new(&mut body).poll_frame(&mut cx);
        assert!(matches!(frame, Poll::Ready(Some(Ok(_)))));
    }
}

fn variant<S, R>(row: &'static str, with_map: bool, mut service: S) -> Variant
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + 'static,
    R: Body<Data = Bytes>,
{
    let fresh = move || Some(as_hyper_does(with_map));
    for _ in 0..2 * RING {
        call(&mut service, &mut fresh());
    }
    let run = move |request: &mut _| call(&mut service, request);
    Variant::cleaned(COLUMN, row, BATCH, fresh, run, || ())
}

fn layer() -> ObservabilityLayer {
    ObservabilityLayer::new().with_sink(Ring::new(RING))
}

pub(crate) fn contest() -> Contest {
    Contest {
        count: 256,
        variants: vec![
            aws::variant(AWS, Source::steady(COLUMN, &request::body(256)), None),
            variant(BARE, false, Answers),
            variant(OBSERVED, false, layer().layer(Answers)),
            variant(BARE_WITH_MAP, true, Answers),
            variant(OBSERVED_WITH_MAP, true, layer().layer(Answers)),
        ],
    }
}

/// How many more allocations a call makes with the layer than without, on average.
pub(crate) fn allocations(with_map: bool) -> f64 {
    const CALLS: u64 = 1000;
    fn count<S, R>(mut service: S, with_map: bool) -> u64
    where
        S: Service<Request<Full<Bytes>>, Response = Response<R>>,
        R: Body<Data = Bytes>,
    {
        let run = |count: u64, service: &mut S| -> u64 {
            let mut requests: Vec<_> = (0..count).map(|_| Some(as_hyper_does(with_map))).collect();
            measure(|| {
                requests
                    .iter_mut()
                    .for_each(|request| call(service, request))
            })
            .count_total
        };
        run(2 * RING as u64, &mut service);
        run(CALLS, &mut service)
    }
    let with = count(layer().layer(Answers), with_map);
    let without = count(Answers, with_map);
    with.saturating_sub(without) as f64 / CALLS as f64
}

/// What is measured does what it should, or there is nothing to compare.
pub(crate) fn is_observed() {
    let ring = Ring::new(RING);
    let mut service = ObservabilityLayer::new()
        .with_sink(ring.clone())
        .layer(Answers);
    call(&mut service, &mut Some(as_hyper_does(false)));
    let records = ring.snapshot();
    let [record] = &records[..] else {
        panic!("not one record: {records:#?}");
    };
    assert!(record.success);
    assert_eq!((record.tokens_in, record.tokens_out), (Some(14), Some(19)));
    assert_eq!(record.stop_reason.as_deref(), Some("end_turn"));
}
