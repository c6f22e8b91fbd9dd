//! Whole requests through a gateway whose upstream speaks HTTP/2 and HTTP/1.1 over TLS: bodies of
//! every type, trailers, lengths.

mod support;

use std::cell::Cell;
use std::collections::VecDeque;
use std::marker::PhantomPinned;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version, request};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Sleep, sleep, timeout};
use tower::ServiceExt;
use tower_bedrock::Gateway;
use tower_bedrock::body::{BoxError, Buffered};
use tower_bedrock::observe::Ring;
use tower_bedrock::upstream::HyperClient;

use support::{base, before, eventually, post, serve};

/// Only what is signed for `:authority` goes by HTTP/2.
const BY_AUTHORITY: &str = "AWS4-HMAC-SHA256 Credential=AK/20260102/us-east-1/bedrock/aws4_request, SignedHeaders=:authority;x-amz-date, Signature=00ff";
const BY_HOST: &str = "AWS4-HMAC-SHA256 Credential=AK/20260102/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=00ff";
const PAUSE: Duration = Duration::from_millis(100);
const TEXT: &str = "a body of some length";

/// A request as the upstream has seen it.
#[derive(Debug)]
struct Seen {
    head: request::Parts,
    hint: SizeHint,
    body: Bytes,
    trailers: Option<HeaderMap>,
}

struct Upstream {
    gateway: Gateway,
    records: Ring,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Upstream {
    fn seen(&self) -> Seen {
        self.seen.lock().unwrap().pop().expect("nothing arrived")
    }
}

/// An upstream that notes every request and answers as its `x-amz-answer` asks.
async fn upstream() -> Upstream {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, notes) = (acceptor.clone(), Arc::clone(&notes));
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await.unwrap();
                let service = service_fn(move |request| answer(request, Arc::clone(&notes)));
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    let client = HyperClient::new()
        .with_root_certificate_pem(own.cert.pem().as_bytes())
        .unwrap();
    let url = format!("https://localhost:{port}");
    let (gateway, records) = before(&url, |builder| builder.client(client));
    Upstream {
        gateway,
        records,
        seen,
    }
}

type Answer = UnsyncBoxBody<Bytes, BoxError>;

async fn answer(
    request: Request<Incoming>,
    notes: Arc<Mutex<Vec<Seen>>>,
) -> Result<Response<Answer>, hyper::Error> {
    let (head, body) = request.into_parts();
    let hint = body.size_hint();
    let collected = body.collect().await?;
    let trailers = collected.trailers().cloned();
    let is_head = head.method == Method::HEAD;
    let wanted = head.headers.get("x-amz-answer").cloned();
    notes.lock().unwrap().push(Seen {
        head,
        hint,
        body: collected.to_bytes(),
        trailers,
    });
    let empty = || full("");
    let response = Response::builder().header("x-amzn-requestid", "r");
    let response = match wanted.as_ref().and_then(|value| value.to_str().ok()) {
        Some("trailers") => response
            .header("trailer", "x-checksum")
            .body(own(TEXT).trailers().boxed_unsync()),
        Some("unknown length") => response.body(own(TEXT).boxed_unsync()),
        Some("breaks off") => response.body(own(TEXT).fails().boxed_unsync()),
        Some("204") => response.status(204).body(empty()),
        Some("304") => response.status(304).header("etag", "x").body(empty()),
        Some("length only") => response.header("content-length", "1234").body(empty()),
        _ if is_head => response.header("content-length", TEXT.len()).body(empty()),
        _ => response.body(full(TEXT)),
    };
    Ok(response.unwrap())
}

fn full(text: &'static str) -> Answer {
    Full::from(text)
        .map_err(|never| match never {})
        .boxed_unsync()
}

pin_project_lite::pin_project! {
    /// A body of the user's own: neither `Unpin` nor `Sync`, in pieces of which some are empty, and
    /// never sure whether it is at its end.
    struct Own {
        frames: VecDeque<Frame<Bytes>>,
        fails: bool,
        sleep: Option<Pin<Box<Sleep>>>,
        says_end: bool,
        _not_sync: Cell<()>,
        #[pin]
        _not_unpin: PhantomPinned,
    }
}

fn own(text: &str) -> Own {
    let pieces = text.split_inclusive(' ').flat_map(|piece| [piece, ""]);
    let frames = pieces.map(|piece| Frame::data(Bytes::from(piece.to_owned())));
    Own {
        frames: frames.collect(),
        fails: false,
        sleep: None,
        says_end: false,
        _not_sync: Cell::new(()),
        _not_unpin: PhantomPinned,
    }
}

fn checksum() -> HeaderMap {
    HeaderMap::from_iter([("x-checksum".parse().unwrap(), "1234".parse().unwrap())])
}

impl Own {
    fn trailers(mut self) -> Self {
        self.frames.push_back(Frame::trailers(checksum()));
        self
    }

    /// Says that it is at its end while there is more.
    fn lies(mut self) -> Self {
        self.says_end = true;
        self
    }

    /// Without empty pieces, of which an HTTP/2 connection takes a hundred.
    fn solid(mut self) -> Self {
        self.frames
            .retain(|frame| frame.data_ref().is_none_or(|data| !data.is_empty()));
        self
    }

    fn without_frames(mut self) -> Self {
        self.frames.clear();
        self
    }

    fn fails(mut self) -> Self {
        self.fails = true;
        self
    }
}

impl Body for Own {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        Poll::Ready(match this.frames.pop_front() {
            Some(frame) => Some(Ok(frame)),
            None if *this.fails => {
                // What came before is on its way by then.
                let sleep = this.sleep.get_or_insert_with(|| Box::pin(sleep(PAUSE)));
                ready!(sleep.as_mut().poll(cx));
                Some(Err("it breaks off".into()))
            }
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.says_end
    }
}

fn converse() -> String {
    format!("{}/model/m/converse", base("prod"))
}

/// What the gateway sends on by whose authority: its own key, a client's over HTTP/1.1 or HTTP/2.
const WAYS: [(Option<&str>, Version); 3] = [
    (None, Version::HTTP_11),
    (Some(BY_HOST), Version::HTTP_11),
    (Some(BY_AUTHORITY), Version::HTTP_2),
];

fn to_converse(authorization: Option<&str>) -> request::Builder {
    let request = post(&converse());
    match authorization {
        Some(value) => request
            .header("authorization", value)
            .header("x-amz-date", "20260102T000000Z"),
        None => request,
    }
}

/// Sends `body` each way; it must arrive as `expected`.
async fn send<B>(upstream: &Upstream, body: impl Fn() -> B, expected: &str)
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    for (authorization, version) in WAYS {
        let request = to_converse(authorization).body(body()).unwrap();
        let exact = request.body().size_hint().exact();
        let response = upstream.gateway.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(
            response.into_body().collect().await.unwrap().to_bytes(),
            TEXT
        );
        let seen = upstream.seen();
        assert_eq!(
            (&seen.body[..], seen.head.version),
            (expected.as_bytes(), version)
        );
        if let Some(exact) = exact.or(authorization.is_none().then_some(expected.len() as u64)) {
            assert_eq!(seen.hint.exact(), Some(exact), "{version:?}");
            let stated = seen.head.headers.get("content-length");
            assert!(exact == 0 || stated.is_some_and(|value| value == &*exact.to_string()));
        }
    }
}

#[tokio::test]
async fn any_body_goes_through() {
    let upstream = &upstream().await;
    let text = "{\"a\": [1, 2]}";
    send(upstream, || Full::<Bytes>::from(text), text).await;
    send(upstream, Empty::<Bytes>::new, "").await;
    send(upstream, || Full::<Bytes>::from(text).boxed(), text).await;
    send(upstream, || Full::<Bytes>::from(text).boxed_unsync(), text).await;
    send(upstream, || Buffered::from(Bytes::from(text)), text).await;
    send(upstream, || axum::body::Body::from(text), text).await;
    send(upstream, || axum::body::Body::new(own(text)), text).await;
    send(upstream, || tonic::body::Body::new(own(text)), text).await;
    send(upstream, tonic::body::Body::empty, "").await;
    send(upstream, || own(text), text).await;
    send(upstream, || Box::pin(own(text)), text).await;
    send(upstream, || own(text).trailers(), text).await;
    send(upstream, || own(""), "").await;
    let records = upstream.records.len();
    assert_eq!(records, 3 * 13);
}

/// An HTTP/2 upstream takes no more than a hundred empty frames from a connection.
#[tokio::test]
async fn empty_pieces_stay_here() {
    let upstream = upstream().await;
    let text = "{ ".to_owned() + &" ".repeat(150) + "}";
    for (authorization, _) in WAYS.iter().chain(&WAYS) {
        let request = to_converse(*authorization).body(own(&text)).unwrap();
        let response = upstream.gateway.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200, "{authorization:?}");
        assert_eq!(upstream.seen().body, text);
    }
}

/// Whoever says that it is over is believed, and then not asked any more; nothing hangs.
#[tokio::test]
async fn a_body_that_says_it_is_over_is_believed() {
    let upstream = upstream().await;
    for (authorization, _) in WAYS {
        let body = own("{\"a\": [1, 2]}").lies();
        let request = to_converse(authorization).body(body).unwrap();
        let answered = upstream.gateway.clone().oneshot(request);
        let response = timeout(Duration::from_secs(10), answered)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(response.status(), 200);
        let seen = upstream.seen();
        assert!(
            "{\"a\": [1, 2]}".as_bytes().starts_with(&seen.body),
            "{:?}",
            seen.body
        );
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_clients_fault() {
    let upstream = upstream().await;
    for (authorization, _) in WAYS {
        let request = to_converse(authorization).body(own("{ }").fails()).unwrap();
        let response = upstream.gateway.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 400, "{authorization:?} {response:?}");
        drop(response);
    }
    let records = upstream.records.snapshot();
    assert!(records.iter().all(|record| record.status_code == Some(400)));
    assert_eq!((records.len(), upstream.seen.lock().unwrap().len()), (3, 0));
}

/// A connection to the gateway.
enum Client {
    Http1(hyper::client::conn::http1::SendRequest<Pin<Box<Own>>>),
    Http2(hyper::client::conn::http2::SendRequest<Pin<Box<Own>>>),
}

impl Client {
    async fn connect(address: SocketAddr, version: Version) -> Self {
        let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
        if version == Version::HTTP_2 {
            let executor = TokioExecutor::new();
            let made = hyper::client::conn::http2::handshake(executor, io).await;
            let (sender, connection) = made.unwrap();
            tokio::spawn(connection);
            return Self::Http2(sender);
        }
        let (sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        Self::Http1(sender)
    }

    async fn send(&mut self, request: Request<Own>) -> Response<Incoming> {
        let mut request = request.map(Box::pin);
        let host = "gateway.test";
        let sent = match self {
            Self::Http1(sender) => {
                sender.ready().await.unwrap();
                request.headers_mut().insert("host", host.parse().unwrap());
                timeout(Duration::from_secs(10), sender.send_request(request)).await
            }
            Self::Http2(sender) => {
                let uri = format!("http://{host}{}", request.uri());
                *request.uri_mut() = uri.parse().unwrap();
                timeout(Duration::from_secs(10), sender.send_request(request)).await
            }
        };
        sent.unwrap().unwrap()
    }
}

const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

/// HTTP/2 from end to end: client, gateway, upstream over TLS.
#[tokio::test]
async fn trailers_pass_both_ways() {
    let upstream = upstream().await;
    let address = serve(upstream.gateway.clone()).await;
    let mut client = Client::connect(address, Version::HTTP_2).await;
    let request = to_converse(Some(BY_AUTHORITY))
        .header("x-amz-answer", "trailers")
        .body(own("{ }").trailers());
    let response = client.send(request.unwrap()).await;
    assert_eq!(
        (response.status(), response.version()),
        (StatusCode::OK, Version::HTTP_2)
    );
    assert!(!response.headers().contains_key("content-length"));
    let answer = response.into_body().collect().await.unwrap();
    assert_eq!(answer.trailers(), Some(&checksum()));
    assert_eq!(answer.to_bytes(), TEXT);
    let seen = upstream.seen();
    assert_eq!(seen.head.version, Version::HTTP_2);
    assert_eq!(
        (seen.trailers, &seen.body[..]),
        (Some(checksum()), &b"{ }"[..])
    );
    eventually("a record", || upstream.records.len() == 1).await;
    assert_eq!(upstream.records.snapshot()[0].outcome.as_str(), "complete");

    // The answer to a request that the gateway signs comes over HTTP/1.1; its trailers too.
    let request = to_converse(None)
        .header("x-amz-answer", "trailers")
        .body(own("{ }").trailers());
    let response = client.send(request.unwrap()).await;
    let answer = response.into_body().collect().await.unwrap();
    assert_eq!(answer.trailers(), None);
    assert_eq!(answer.to_bytes(), TEXT);
}

#[tokio::test]
async fn lengths_are_kept_where_they_are_known() {
    let upstream = upstream().await;
    let address = serve(upstream.gateway.clone()).await;
    let length = TEXT.len().to_string();
    let mut requests = 0;
    for inbound in VERSIONS {
        let mut client = Client::connect(address, inbound).await;
        for (authorization, _) in WAYS {
            for (method, answer, status, expected, body) in [
                (Method::POST, "", 200, Some(&*length), TEXT),
                (Method::POST, "unknown length", 200, None, TEXT),
                (Method::HEAD, "length only", 200, Some("1234"), ""),
                (Method::HEAD, "", 200, Some(&*length), ""),
                (Method::GET, "204", 204, None, ""),
                (Method::POST, "304", 304, None, ""),
                (Method::HEAD, "304", 304, None, ""),
            ] {
                let request = to_converse(authorization)
                    .method(method.clone())
                    .header("x-amz-answer", answer)
                    .body(own("").without_frames());
                let response = client.send(request.unwrap()).await;
                let what = format!("{inbound:?} {authorization:?} {method} {answer}");
                assert_eq!(response.status(), status, "{what}");
                let found = response.headers().get("content-length");
                assert_eq!(found.map(|v| v.to_str().unwrap()), expected, "{what}");
                let read = response.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(read, body, "{what}");
                assert_eq!(upstream.seen().head.method, method, "{what}");
                requests += 1;
                eventually("a record", || upstream.records.len() == requests).await;
            }
        }
    }
    let records = upstream.records.snapshot();
    let ends: Vec<_> = records
        .iter()
        .map(|record| record.outcome.as_str())
        .collect();
    assert!(ends.iter().all(|end| *end == "complete"), "{ends:?}");
}

/// An answer that breaks off is never ended cleanly.
#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off() {
    let upstream = upstream().await;
    let address = serve(upstream.gateway.clone()).await;
    for inbound in VERSIONS {
        for (authorization, _) in WAYS {
            let mut client = Client::connect(address, inbound).await;
            let request = to_converse(authorization)
                .header("x-amz-answer", "breaks off")
                .body(own("{ }"));
            let response = client.send(request.unwrap()).await;
            assert_eq!(response.status(), 200);
            let read = timeout(Duration::from_secs(10), response.into_body().collect()).await;
            assert!(read.unwrap().is_err(), "{inbound:?} {authorization:?}");
        }
    }
    eventually("six records", || upstream.records.len() == 6).await;
    let records = upstream.records.snapshot();
    assert!(
        records
            .iter()
            .all(|record| record.outcome.as_str() == "upstream_cut")
    );
}

/// A refusal says as much in its head to HEAD as to GET, and sends no body.
#[tokio::test]
async fn refusals_to_head_have_no_body() {
    let upstream = upstream().await;
    let address = serve(upstream.gateway.clone()).await;
    let paths = [
        converse(),
        converse().replace("us-east-1", "nowhere"),
        "/v1/acme/prod/compat/models".to_owned(),
        "/".to_owned(),
    ];
    for inbound in VERSIONS {
        let mut client = Client::connect(address, inbound).await;
        for path in &paths {
            let mut lengths = Vec::new();
            for method in [Method::PUT, Method::HEAD] {
                let request = Request::builder().method(&method).uri(path);
                let request = request.header("cf-aig-authorization", "Bearer guess");
                let response = client
                    .send(request.body(own("").without_frames()).unwrap())
                    .await;
                assert!(
                    response.status().is_client_error(),
                    "{path} {}",
                    response.status()
                );
                lengths.push(response.headers()["content-length"].clone());
                let body = response.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(
                    body.is_empty(),
                    method == Method::HEAD,
                    "{inbound:?} {path}"
                );
            }
            assert_eq!(lengths[0], lengths[1], "{path}");
        }
    }
}

/// Whoever uploads to an upstream that is not there gets to the end of it, and a clean answer.
#[tokio::test]
async fn uploads_are_read_away_where_there_is_no_upstream() {
    // A port that nobody else gets, and on which nobody listens.
    let unused = TcpSocket::new_v4().unwrap();
    unused.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", unused.local_addr().unwrap());
    let (gateway, records) = before(&url, |builder| builder);
    let address = serve(gateway).await;
    let piece = "x".repeat(99_999) + " ";
    let mut requests = 0;
    for inbound in VERSIONS {
        let mut client = Client::connect(address, inbound).await;
        // The same connection serves on.
        for (authorization, _) in WAYS.iter().chain(&WAYS) {
            let request = to_converse(*authorization).body(own(&piece.repeat(50)).solid());
            let response = client.send(request.unwrap()).await;
            assert_eq!(response.status(), 502, "{inbound:?} {authorization:?}");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert!(body.starts_with(b"{\"success\":false,"));
            requests += 1;
            eventually("a record", || records.len() == requests).await;
        }
    }
}
