//! Requests that are hardly ones, through the layer: what goes upstream is rightly signed, and
//! what does not is refused with a text.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use serde_json::Value;
use tower_bedrock::BoxError;
use tower_bedrock::sign::SigV4SigningLayer;

use crate::generate::Case;
use crate::generate::clock::at;
use crate::layer::{Outcome, Provider, send};

const HOST: &str = "https://bedrock-runtime.us-east-1.amazonaws.com";
const URL: &str = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m%3A0/converse";
const SCOPE: (&str, &str) = ("us-east-1", "bedrock");

fn layer() -> SigV4SigningLayer {
    let keys = Case::post(URL).keys;
    SigV4SigningLayer::new(Provider(move || keys.anew()))
        .with_region("us-east-1")
        .with_service("bedrock")
}

/// The envelope in which a refusal comes.
#[track_caller]
fn is_refusal(what: &str, response: &Response<Bytes>, status: u16) {
    assert_eq!(response.status(), status, "{what}: {response:?}");
    let envelope: Value = serde_json::from_slice(response.body()).unwrap();
    let texts = [
        &envelope["message"],
        &envelope["errors"][0]["message"],
        &envelope["error"]["message"],
    ];
    assert!(
        texts
            .iter()
            .any(|text| text.as_str().is_some_and(|text| text.len() > 10)),
        "{what}: {envelope}"
    );
}

/// Sends it four times, since a layer must not mend its ways.
async fn expect<B>(
    what: &str,
    layer: &SigV4SigningLayer,
    wanted: Result<usize, u16>,
    request: impl Fn() -> Request<B>,
) where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    for _ in 0..4 {
        match (send(layer, SCOPE, request()).await, wanted) {
            (Outcome::Arrived(body), Ok(length)) => assert_eq!(body.len(), length, "{what}"),
            (Outcome::Refused(response), Err(status)) => is_refusal(what, &response, status),
            (Outcome::Arrived(_), Err(_)) => panic!("{what} arrived"),
            (Outcome::Refused(response), Ok(_)) => panic!("{what} was refused: {response:?}"),
        }
    }
}

#[tokio::test]
async fn heads() {
    let layer = layer();
    let long: &'static str = "a  b ".repeat(64 * 1024 / 5).leak();
    let path: &'static str = format!("{HOST}/{}", "%3A".repeat(7 * 1024)).leak();
    let query: &'static str = format!("{HOST}/?{}", "/".repeat(60_000)).leak();
    for (url, name, value, status) in [
        (URL, "x-amz-foo", &b"a\tb  c"[..], None),
        (URL, "x-amz-foo", b"", None),
        (URL, "x-amz-foo", b"     ", None),
        (URL, "x-amz-foo", long.as_bytes(), None),
        (URL, "x-amz-foo", b"caf\xe9", Some(400)),
        (URL, "x-amz-foo", "caf\u{e9}".as_bytes(), Some(400)),
        (URL, "x-mine", b"caf\xe9", None),
        (URL, "content-type", b"\x80", Some(400)),
        (URL, "host", b"\x80", Some(400)),
        (URL, "host", b"Another.Example:443", None),
        (URL, "content-length", b"1000", None),
        (URL, "content-length", b"-1", None),
        (URL, "transfer-encoding", b"chunked", None),
        (URL, "x-amz-date", b"\xff", None),
        (URL, "x-amz-security-token", b"\xff", None),
        (URL, "x-amz-content-sha256", b"UNSIGNED-PAYLOAD", None),
        (HOST, "x-amz-foo", b"1", None),
        (query, "x-amz-foo", b"1", Some(400)),
        (path, "x-amz-foo", b"1", None),
        (
            "https://bedrock-runtime.us-east-1.amazonaws.com?a=1",
            "x-amz-foo",
            b"1",
            None,
        ),
        (
            "https://BEDROCK-runtime.us-east-1.amazonaws.com:443/a/../b//",
            "x-amz-foo",
            b"1",
            None,
        ),
        ("https://user@localhost:8443/", "x-amz-foo", b"1", None),
        ("http://[::1]:80/%zz", "x-amz-foo", b"1", None),
        ("https://localhost./?%ff&=&", "x-amz-foo", b"1", None),
        ("/model/m%3A0/converse", "x-amz-foo", b"1", Some(500)),
        ("/model/m%3A0/converse", "host", b"localhost", Some(500)),
        ("*", "x-amz-foo", b"1", Some(500)),
    ] {
        let what = format!("{url:.99} {name}: {:.99}", value.escape_ascii().to_string());
        let wanted = status.map_or(Ok(2), Err);
        let request = || {
            let body = Full::new(Bytes::from_static(b"{}"));
            Request::post(url).header(name, value).body(body).unwrap()
        };
        expect(&what, &layer, wanted, request).await;
    }
    let many = || {
        let mut request = Request::new(Full::new(Bytes::from_static(b"{}")));
        *request.uri_mut() = URL.parse().unwrap();
        for number in 0..200 {
            let name: HeaderName = format!("x-amz-{number}").parse().unwrap();
            request.headers_mut().insert(name, number.into());
        }
        request
    };
    expect("200 headers", &layer, Ok(2), many).await;
}

/// A clock that is wrong is not the caller's fault.
#[tokio::test]
async fn clocks() {
    fn early() -> SystemTime {
        at(-1)
    }
    fn last() -> SystemTime {
        at(253_402_300_799)
    }
    fn late() -> SystemTime {
        at(253_402_300_800)
    }
    type Row = (&'static str, fn() -> SystemTime, Result<usize, u16>);
    let rows: [Row; 3] = [
        ("before 1970", early, Ok(2)),
        ("the last second of 9999", last, Ok(2)),
        ("the year 10000", late, Err(502)),
    ];
    for (what, clock, wanted) in rows {
        let layer = layer().with_clock(clock);
        let request = || {
            Request::post(URL)
                .body(Full::new(Bytes::from_static(b"{}")))
                .unwrap()
        };
        expect(what, &layer, wanted, request).await;
    }
}

/// A body of these frames; an error where there is none. Some bodies say with the last of their
/// frames that it was the last.
struct Pieces {
    frames: VecDeque<Option<Frame<Bytes>>>,
    says_end: bool,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let next = self.frames.pop_front();
        Poll::Ready(next.map(|frame| frame.ok_or_else(|| BoxError::from("broken"))))
    }

    fn is_end_stream(&self) -> bool {
        self.says_end && self.frames.is_empty()
    }
}

fn data(piece: &'static [u8]) -> Option<Frame<Bytes>> {
    Some(Frame::data(Bytes::from_static(piece)))
}

fn trailers() -> Option<Frame<Bytes>> {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-amz-trailer", HeaderValue::from_static("1"));
    Some(Frame::trailers(trailers))
}

#[tokio::test]
async fn bodies() {
    const MANY: usize = 100_000;
    type Row = (
        &'static str,
        fn() -> Vec<Option<Frame<Bytes>>>,
        Result<usize, u16>,
    );
    static LONG: [u8; MANY + 1] = [b'a'; MANY + 1];
    let rows: [Row; 16] = [
        ("no frame", Vec::new, Ok(0)),
        ("an empty frame", || vec![data(b"")], Ok(0)),
        (
            "empty frames",
            || vec![data(b""), data(b"{"), data(b""), data(b"}"), data(b"")],
            Ok(2),
        ),
        (
            "100,000 of one byte",
            || (0..MANY).map(|_| data(b"a")).collect(),
            Ok(MANY),
        ),
        (
            "100,000 of none",
            || (0..MANY).map(|_| data(b"")).collect(),
            Ok(0),
        ),
        ("trailers", || vec![data(b"{}"), trailers()], Ok(2)),
        ("trailers alone", || vec![trailers()], Ok(0)),
        ("broken at once", || vec![None], Err(400)),
        ("broken later", || vec![data(b"{}"), None], Err(400)),
        ("one frame", || vec![data(b"{}")], Ok(2)),
        ("a long frame", || vec![data(&LONG[..5000])], Ok(5000)),
        ("the longest", || vec![data(&LONG[..MANY])], Ok(MANY)),
        ("a frame too long", || vec![data(&LONG)], Err(413)),
        (
            "long frames",
            || {
                let lengths = [1024, 1, 5000, 64, 2000];
                lengths.map(|length| data(&LONG[..length])).into()
            },
            Ok(8089),
        ),
        (
            "a long frame, then an empty one",
            || vec![data(&LONG[..5000]), data(b"")],
            Ok(5000),
        ),
        (
            "too long",
            || (0..MANY + 1).map(|_| data(b"a")).collect(),
            Err(413),
        ),
    ];
    let layer = layer().with_body_limit(MANY);
    for (what, frames, wanted) in rows {
        for (length, says_end) in [None, Some("1"), Some("18446744073709551615")]
            .into_iter()
            .flat_map(|length| [(length, false), (length, true)])
        {
            let request = || {
                let mut request = Request::post(URL);
                if let Some(length) = length {
                    request = request.header("content-length", length);
                }
                let frames = frames().into();
                request.body(Pieces { frames, says_end }).unwrap()
            };
            expect(what, &layer, wanted, request).await;
        }
    }
}
