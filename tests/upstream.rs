//! The edge against raw sockets: whatever the upstream does, the caller gets a response.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Empty, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_bedrock::body::{Buffered, ResponseBody, UpstreamBody};
use tower_bedrock::upstream::{
    HyperClient, TimedBody, Upstream, UpstreamError, UpstreamLayer, UpstreamResponse,
};
use tower_bedrock::{Context, Policy, Principal, Rejection, RejectionKind, Timeouts};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

type Answer = Response<ResponseBody<TimedBody<UpstreamResponse>>>;

/// A server that hands each connection, with its number from 1, to `serve`.
async fn server<F, Fut>(serve: F) -> (String, Arc<AtomicUsize>)
where
    F: Fn(usize, TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::spawn(serve(number, stream));
        }
    });
    (url, connections)
}

/// Answers the first request of each connection with these bytes, then closes it.
async fn answers(answer: &'static str) -> String {
    let serve = move |_, mut stream: TcpStream| async move {
        read_request(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
    };
    server(serve).await.0
}

/// The next request on `stream` in full; empty if the client is gone.
async fn read_request(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut request = String::new();
    let mut buffer = [0; 4096];
    loop {
        let length = match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return request,
            Ok(length) => length,
        };
        request += std::str::from_utf8(&buffer[..length]).unwrap();
        let Some((head, body)) = request.split_once("\r\n\r\n") else {
            continue;
        };
        let expected = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().unwrap())
        });
        let complete = match expected {
            Some(length) => body.len() >= length,
            None => !head.contains("chunked") || body.ends_with("0\r\n\r\n"),
        };
        if complete {
            return request;
        }
    }
}

fn gateway() -> Upstream<HyperClient> {
    UpstreamLayer::new().layer(HyperClient::new())
}

fn post(url: &str) -> Request<Buffered> {
    Request::post(url)
        .body(Buffered::from(Bytes::from("{}")))
        .unwrap()
}

fn streamed(url: &str) -> Request<UpstreamBody> {
    let body = UpstreamBody::new(Full::new(Bytes::from("{}")));
    Request::post(url).body(body).unwrap()
}

async fn ask(url: &str) -> Answer {
    gateway().oneshot(post(url)).await.unwrap()
}

/// The refusal, after a look at what the caller sees of it.
async fn refusal<R>(response: Response<ResponseBody<R>>) -> Rejection
where
    R: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let rejection = response.extensions().get::<Rejection>().unwrap().clone();
    assert_eq!(response.status(), rejection.status());
    assert_eq!(
        response.headers()["x-amzn-errortype"],
        rejection.kind().errortype()
    );
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(body.contains(rejection.text()), "{body}");
    assert!(!body.contains("127.0.0.1"), "{body}");
    assert!(!body.contains("localhost"), "{body}");
    rejection
}

/// Reads the answer of a connection that is to be used again; gives it time to get to the pool.
async fn finish(response: Answer) {
    assert_eq!(text(response.into_body()).await.unwrap(), "ok");
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn text<B>(body: B) -> Result<String, B::Error>
where
    B: http_body::Body<Data = Bytes>,
{
    let bytes = body.collect().await?.to_bytes();
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn no_answer_is_a_502() {
    // A port that nobody else gets, and on which nobody listens.
    let unused = TcpSocket::new_v4().unwrap();
    unused.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let refused = format!("http://{}/", unused.local_addr().unwrap());
    for (url, says) in [
        (refused, "could not be reached"),
        (answers("").await, "closed the connection"),
        (answers("HTTP/1.1 200").await, "closed the connection"),
        (
            answers("SSH-2.0-OpenSSH_9.6\r\n\r\n").await,
            "not valid HTTP",
        ),
        (
            answers("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok!").await,
            "not valid HTTP",
        ),
        (
            answers(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
            )
            .await,
            "not a final response",
        ),
        (
            answers("HTTP/1.1 100 Continue\r\n\r\n").await,
            "closed the connection",
        ),
    ] {
        let request = post(&url);
        let mut with_context = post(&url);
        let context = Context::of(with_context.extensions_mut());
        for request in [request, with_context] {
            let response = gateway().oneshot(request).await.unwrap();
            let rejection = refusal(response).await;
            assert_eq!(rejection.kind(), RejectionKind::UpstreamError, "{url}");
            assert!(rejection.text().contains(says), "{url}: {rejection:?}");
            assert!(rejection.internal().is_some());
        }
        assert!(context.rejection().unwrap().text().contains(says));
    }
}

#[tokio::test]
async fn other_responses_pass() {
    for (answer, status, body) in [
        ("HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n", 204, ""),
        (
            "HTTP/1.1 304 Not Modified\r\nx-a: b\r\ncontent-length: 5\r\n\r\n",
            304,
            "",
        ),
        (
            "HTTP/1.1 307 Temporary Redirect\r\nx-a: b\r\nlocation: http://elsewhere.invalid/\r\ncontent-length: 2\r\n\r\nhi",
            307,
            "hi",
        ),
        (
            "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 2\r\n\r\nok",
            200,
            "ok",
        ),
        (
            "HTTP/1.0 200 OK\r\nx-a: b\r\n\r\nuntil the end",
            200,
            "until the end",
        ),
        (
            "HTTP/1.1 500 No\r\nx-a: b\r\n\r\nown error",
            500,
            "own error",
        ),
    ] {
        let response = ask(&answers(answer).await).await;
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["x-a"], "b");
        assert_eq!(text(response.into_body()).await.unwrap(), body);
    }
}

#[tokio::test]
async fn a_cut_body_ends_with_an_error() {
    for cut in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let mut body = ask(&answers(cut).await).await.into_body();
        let first = body.frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "half");
        let error = body.frame().await.unwrap().unwrap_err();
        assert!(error.to_string().contains("broke off"), "{error}");
    }
}

/// A server that sends `answer` and then nothing, and tells when the client has gone.
async fn silent_after(answer: &'static str) -> (String, oneshot::Receiver<()>) {
    let (gone, was_gone) = oneshot::channel();
    let gone = Arc::new(Mutex::new(Some(gone)));
    let serve = move |_, mut stream: TcpStream| {
        let gone = Arc::clone(&gone);
        async move {
            read_request(&mut stream).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
            assert_eq!(read_request(&mut stream).await, "");
            gone.lock().unwrap().take().unwrap().send(()).unwrap();
        }
    };
    (server(serve).await.0, was_gone)
}

fn millis(millis: u64) -> Option<Duration> {
    Some(Duration::from_millis(millis))
}

#[tokio::test]
async fn first_byte_timeout_is_a_504_and_closes_the_connection() {
    let (url, gone) = silent_after("").await;
    let timeouts = Timeouts {
        first_byte: millis(50),
        ..Timeouts::default()
    };
    let mut service = UpstreamLayer::new()
        .with_timeouts(timeouts)
        .layer(HyperClient::new());
    let mut future = std::pin::pin!(service.call(post(&url)));
    let rejection = refusal(future.as_mut().await.unwrap()).await;
    assert_eq!(rejection.kind(), RejectionKind::UpstreamTimeout);
    assert!(rejection.text().contains("50 ms"), "{rejection:?}");
    // Although the future is still there.
    gone.await.unwrap();
}

#[tokio::test]
async fn idle_timeout_breaks_the_body_off_and_closes_the_connection() {
    let (url, gone) = silent_after("HTTP/1.1 200 OK\r\n\r\nsome").await;
    let timeouts = Timeouts {
        idle: millis(50),
        ..Timeouts::default()
    };
    let service = UpstreamLayer::new()
        .with_timeouts(timeouts)
        .layer(HyperClient::new());
    let mut body = service.oneshot(post(&url)).await.unwrap().into_body();
    // A reader that takes its time is no silence of the upstream.
    tokio::time::sleep(Duration::from_millis(150)).await;
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "some");
    let error = body.frame().await.unwrap().unwrap_err();
    let error = error.downcast_ref::<UpstreamError>().unwrap();
    assert!(error.is_timeout() && !error.is_connect());
    assert!(error.to_string().contains("50 ms"), "{error}");
    gone.await.unwrap();
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn connect_timeout_includes_tls_and_the_principal_decides() {
    // Takes connections, never speaks.
    let (url, _) = server(|_, stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let url = url.replace("http:", "https:");
    let layer = |after| {
        UpstreamLayer::new().with_timeouts(Timeouts {
            connect: millis(after),
            ..Timeouts::default()
        })
    };
    let client = || HyperClient::new().with_connect_timeout(Duration::from_millis(21));
    let policy = Policy::new().with_timeouts(Timeouts {
        connect: millis(23),
        ..Timeouts::default()
    });
    let mut with_policy = post(&url);
    Context::of(with_policy.extensions_mut())
        .set_principal(Principal::new("p").with_policy(policy));
    for (service, request, says) in [
        (UpstreamLayer::new().layer(client()), post(&url), "21 ms"),
        (layer(22).layer(client()), post(&url), "22 ms"),
        (layer(22).layer(client()), with_policy, "23 ms"),
    ] {
        let rejection = refusal(service.oneshot(request).await.unwrap()).await;
        assert_eq!(rejection.kind(), RejectionKind::UpstreamTimeout);
        assert!(rejection.text().contains(says), "{rejection:?}");
    }
}

#[tokio::test]
async fn the_principals_policy_sets_the_timeouts() {
    let (url, _) = silent_after("").await;
    let policy = Policy::new().with_timeouts(Timeouts {
        first_byte: millis(30),
        ..Timeouts::default()
    });
    let mut request = post(&url);
    Context::of(request.extensions_mut()).set_principal(Principal::new("p").with_policy(policy));
    let rejection = refusal(gateway().oneshot(request).await.unwrap()).await;
    assert!(rejection.text().contains("30 ms"), "{rejection:?}");
}

/// Answers one request, then reads another and does as told with the connection.
async fn dies_after_one(last_words: &'static str) -> (String, Arc<AtomicUsize>) {
    server(move |number, mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(OK.as_bytes()).await.unwrap();
        if number == 1 {
            read_request(&mut stream).await;
            stream.write_all(last_words.as_bytes()).await.unwrap();
        } else {
            read_request(&mut stream).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_dead_pooled_connection_costs_one_resend() {
    let (url, connections) = dies_after_one("").await;
    let service = gateway();
    for expected in [1, 2] {
        let response = service.clone().oneshot(post(&url)).await.unwrap();
        finish(response).await;
        assert_eq!(connections.load(Ordering::SeqCst), expected);
    }
}

#[tokio::test]
async fn no_resend_of_a_body_that_streamed_or_once_an_answer_began() {
    let (dead, dead_connections) = dies_after_one("").await;
    let (partial, partial_connections) = dies_after_one("HTTP/1.1 2").await;
    let service = gateway();
    for url in [&dead, &partial] {
        let response = service.clone().oneshot(post(url)).await.unwrap();
        finish(response).await;
    }
    let response = service.clone().oneshot(streamed(&dead)).await.unwrap();
    assert_eq!(response.status(), 502);
    let response = service.clone().oneshot(post(&partial)).await.unwrap();
    assert_eq!(response.status(), 502);
    assert_eq!(dead_connections.load(Ordering::SeqCst), 1);
    assert_eq!(partial_connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn no_resend_on_a_new_connection_and_only_one() {
    // Every connection dies at its second request, the first one excepted, at the first.
    let (url, connections) = server(|number, mut stream| async move {
        read_request(&mut stream).await;
        if number == 1 {
            stream.write_all(OK.as_bytes()).await.unwrap();
            read_request(&mut stream).await;
        }
    })
    .await;
    let service = gateway();
    let response = service.clone().oneshot(post(&url)).await.unwrap();
    finish(response).await;
    let response = service.clone().oneshot(post(&url)).await.unwrap();
    assert_eq!(response.status(), 502);
    assert_eq!(connections.load(Ordering::SeqCst), 2);
    let response = service.clone().oneshot(post(&url)).await.unwrap();
    assert_eq!(response.status(), 502);
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn goes_out_as_http_1_1_byte_for_byte() {
    let (sent, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let (url, connections) = server(move |_, mut stream| {
        let sent = sent.clone();
        async move {
            loop {
                let request = read_request(&mut stream).await;
                if request.is_empty() {
                    return;
                }
                sent.send(request).unwrap();
                stream.write_all(OK.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let service = gateway();
    for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
        let mut request = post(&format!("{url}model/a%3A0%2Fb/c//d?x=%2b+&y"));
        *request.version_mut() = version;
        request
            .headers_mut()
            .insert("host", "signed.example".parse().unwrap());
        let response = service.clone().oneshot(request).await.unwrap();
        finish(response).await;
        assert_eq!(
            seen.recv().await.unwrap(),
            "POST /model/a%3A0%2Fb/c//d?x=%2b+&y HTTP/1.1\r\nhost: signed.example\r\ncontent-length: 2\r\n\r\n{}"
        );
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_request_body_that_breaks_off_is_the_callers_fault() {
    let (url, _) = silent_after("").await;
    let body = frames([Ok(Bytes::from("a")), Err("client gone".into())]);
    let request = Request::post(url).body(UpstreamBody::new(body)).unwrap();
    let rejection = refusal(gateway().oneshot(request).await.unwrap()).await;
    assert_eq!(rejection.kind(), RejectionKind::InvalidBody);
}

fn frames<const N: usize>(
    frames: [Result<Bytes, BoxError>; N],
) -> impl http_body::Body<Data = Bytes, Error = BoxError> + Send + 'static {
    struct Frames(std::vec::IntoIter<Result<Bytes, BoxError>>);
    impl http_body::Body for Frames {
        type Data = Bytes;
        type Error = BoxError;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Task<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, BoxError>>> {
            Poll::Ready(self.0.next().map(|f| f.map(http_body::Frame::data)))
        }
    }
    Frames(Vec::from(frames).into_iter())
}

#[tokio::test]
async fn a_dropped_future_or_body_closes_the_connection() {
    let (url, gone) = silent_after("").await;
    let call = tokio::spawn(gateway().oneshot(post(&url)));
    tokio::time::sleep(Duration::from_millis(50)).await;
    call.abort();
    gone.await.unwrap();

    let (url, gone) = silent_after("HTTP/1.1 200 OK\r\n\r\nsome").await;
    drop(ask(&url).await);
    gone.await.unwrap();
}

#[tokio::test]
async fn towers_own_layers_fit_inside() {
    let (url, _) = silent_after("").await;
    let stack = ServiceBuilder::new()
        .layer(UpstreamLayer::new())
        .buffer(8)
        .load_shed()
        .concurrency_limit(1)
        .timeout(Duration::from_millis(100))
        .layer(UpstreamLayer::new())
        .service(HyperClient::new());
    let first = tokio::spawn(stack.clone().oneshot(post(&url)));
    tokio::time::sleep(Duration::from_millis(30)).await;
    let shed = refusal(stack.oneshot(post(&url)).await.unwrap()).await;
    assert_eq!(shed.kind(), RejectionKind::RateLimited);
    let timed_out = refusal(first.await.unwrap().unwrap()).await;
    assert_eq!(timed_out.kind(), RejectionKind::UpstreamTimeout);
}

#[tokio::test]
async fn a_readiness_error_waits_for_the_call() {
    struct NeverReady;
    impl Service<Request<Buffered>> for NeverReady {
        type Response = Response<Empty<Bytes>>;
        type Error = std::io::Error;
        type Future = std::future::Ready<Result<Self::Response, Self::Error>>;
        fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Err(std::io::ErrorKind::ConnectionRefused.into()))
        }
        fn call(&mut self, _: Request<Buffered>) -> Self::Future {
            unreachable!("called although it is not ready")
        }
    }
    let mut service = UpstreamLayer::new().layer(NeverReady);
    for _ in 0..2 {
        let ready = service.ready().await.unwrap();
        let ready = ready.ready().await.unwrap();
        let rejection = refusal(ready.call(post("/")).await.unwrap()).await;
        assert_eq!(rejection.kind(), RejectionKind::UpstreamError);
        assert!(rejection.text().contains("could not be reached"));
    }
}

#[tokio::test]
async fn speaks_the_callers_language_and_hides_unknown_errors() {
    let failing =
        service_fn(async |_: Request<Empty<Bytes>>| Err::<Response<Empty<Bytes>>, _>("10.0.0.7"));
    let service = UpstreamLayer::new().layer(failing);
    let ask = |path: &str| {
        let request = Request::post(path).body(Empty::new()).unwrap();
        service.clone().oneshot(request)
    };
    let response = ask("/v1/a/g/compat/chat/completions").await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    let openai = text(response.into_body()).await.unwrap();
    assert!(openai.contains(r#""code":"upstream_error""#), "{openai}");
    assert!(!openai.contains("10.0.0.7"), "{openai}");
    let rejection = refusal(ask("/").await.unwrap()).await;
    assert_eq!(rejection.internal().unwrap().to_string(), "10.0.0.7");
}

#[tokio::test]
async fn tls_with_a_root_of_ones_own() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let (url, connections) = server(move |number, stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            loop {
                if read_request(&mut stream).await.is_empty() {
                    return;
                }
                stream.write_all(OK.as_bytes()).await.unwrap();
                if number == 2 {
                    // Closes at the next request, with an alert in place of an answer.
                    read_request(&mut stream).await;
                    stream.shutdown().await.unwrap();
                    return;
                }
            }
        }
    })
    .await;
    let port = url.rsplit(':').next().unwrap();
    let url = format!("https://localhost:{port}");

    let rejection = refusal(ask(&url).await).await;
    assert!(rejection.text().contains("TLS"), "{rejection:?}");

    let trusting = HyperClient::new()
        .with_root_certificate_pem(own.cert.pem().as_bytes())
        .unwrap();
    let service = UpstreamLayer::new().layer(trusting.clone());
    // The second of these is resent: what TLS itself says is not the beginning of an answer.
    for expected in [2, 3] {
        let response = service.clone().oneshot(post(&url)).await.unwrap();
        finish(response).await;
        assert_eq!(connections.load(Ordering::SeqCst), expected);
    }

    // An endpoint has to show its own name, whatever the request says.
    let redirected = trusting.with_endpoint(url.parse().unwrap()).unwrap();
    let service = UpstreamLayer::new().layer(redirected);
    let request = post("http://bedrock-runtime.us-east-1.amazonaws.com/x");
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
}

#[test]
fn bad_settings_are_refused() {
    for pem in [
        "",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    ] {
        let client = HyperClient::new().with_root_certificate_pem(pem.as_bytes());
        assert_eq!(client.unwrap_err().setting(), "root certificate");
    }
    for endpoint in ["/path", "ftp://h/", "h:80"] {
        let client = HyperClient::new().with_endpoint(endpoint.parse().unwrap());
        assert_eq!(client.unwrap_err().setting(), "endpoint");
    }
}

#[test]
fn is_what_servers_ask_of_a_service() {
    fn check<T: Clone + Send + Sync + 'static>() {}
    fn unpin<T: Unpin + Default + Send + 'static>() {}
    fn service<T: Service<Request<B>, Error = Infallible, Future: Send>, B>() {}
    check::<Upstream<HyperClient>>();
    check::<UpstreamLayer>();
    unpin::<ResponseBody<TimedBody<UpstreamResponse>>>();
    service::<Upstream<HyperClient>, Buffered>();
    service::<Upstream<HyperClient>, UpstreamBody>();
}
