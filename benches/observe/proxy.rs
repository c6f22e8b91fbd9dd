//! A whole proxy over loopback sockets, with the layer and without: hyper's server, its client, and
//! streams of 60 frames that are 10 KB together.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tower::{Layer, Service};
use tower_bedrock::observe::{ObservabilityLayer, Ring};

use crate::report::median;
use crate::{events, request};

const FRAMES: usize = 60;
const LENGTH: usize = 170;
const PATH: &str = "/v1/acme/prod/aws-bedrock/bedrock-runtime/us-east-1/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse-stream";
/// Clients at a time, and requests of each in one run.
const CLIENTS: usize = 8;
const REQUESTS: usize = 40;
const BUDGET: Duration = Duration::from_secs(30);

/// Requests per second, and how they compare.
pub(crate) struct Comparison {
    without: f64,
    with: f64,
    /// With the layer, in times of without.
    pub(crate) ratio: f64,
    rounds: usize,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            without,
            with,
            ratio,
            rounds,
        } = self;
        write!(
            f,
            "proxy: {without:.0} requests per second without the layer, {with:.0} with it ({ratio:.3}x), {rounds} rounds"
        )
    }
}

/// A stream as its upstream sends it, frame by frame.
struct Frames {
    frames: Arc<[Bytes]>,
    next: usize,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = self.frames.get(self.next).cloned();
        self.next += 1;
        Poll::Ready(frame.map(|frame| Ok(Frame::data(frame))))
    }
}

/// Forwards to the upstream.
#[derive(Clone)]
struct Forward {
    client: Client<HttpConnector, Incoming>,
    upstream: SocketAddr,
}

type Sending<R> = Pin<Box<dyn Future<Output = R> + Send>>;

impl Service<Request<Incoming>> for Forward {
    type Response = Response<Incoming>;
    type Error = hyper_util::client::legacy::Error;
    type Future = Sending<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        let path = request.uri().path();
        let uri = format!("http://{}{path}", self.upstream);
        *request.uri_mut() = Uri::try_from(uri).expect("a URI");
        request.headers_mut().remove(header::HOST);
        Box::pin(self.client.request(request))
    }
}

/// Serves on a free port for as long as the runtime lives.
async fn serve<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: std::error::Error + Send + Sync + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let service = service.clone();
            let service = service_fn(move |request| service.clone().call(request));
            let server = http1::Builder::new();
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

async fn upstream() -> SocketAddr {
    let frames: Arc<[Bytes]> = events::whole(FRAMES, LENGTH).into();
    serve(tower::service_fn(move |request: Request<Incoming>| {
        let frames = Arc::clone(&frames);
        async move {
            request.into_body().collect().await?;
            let mut response = Response::new(Frames { frames, next: 0 });
            let kind = HeaderValue::from_static("application/vnd.amazon.eventstream");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            Ok::<_, hyper::Error>(response)
        }
    }))
    .await
}

async fn connect(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.expect("the proxy");
    stream.set_nodelay(true).expect("a socket");
    let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("a connection");
    tokio::spawn(connection);
    sender
}

/// Keeps its connections from run to run.
struct Load(Vec<SendRequest<Full<Bytes>>>);

impl Load {
    async fn new(proxy: SocketAddr) -> Self {
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            clients.push(connect(proxy).await);
        }
        Self(clients)
    }

    /// Requests per second.
    async fn run(&mut self, requests: usize) -> f64 {
        let begun = Instant::now();
        let mut clients = JoinSet::new();
        for mut client in self.0.drain(..) {
            clients.spawn(async move {
                for _ in 0..requests {
                    client.ready().await.expect("a connection");
                    let request = Request::post(PATH)
                        .header(header::HOST, "gateway.test")
                        .header(header::CONTENT_TYPE, "application/json")
                        .body(Full::new(request::body(256)))
                        .expect("a request");
                    let response = client.send_request(request).await.expect("a response");
                    let body = response.into_body().collect().await.expect("a whole body");
                    assert!(body.to_bytes().len() > 9 << 10);
                }
                client
            });
        }
        self.0 = clients.join_all().await;
        (CLIENTS * requests) as f64 / begun.elapsed().as_secs_f64()
    }
}

/// Both proxies in turn, round after round.
pub(crate) fn compare(smoke: bool) -> Comparison {
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let forward = Forward {
            client: Client::builder(TokioExecutor::new()).build_http(),
            upstream: upstream().await,
        };
        let ring = Ring::new(64);
        let layer = ObservabilityLayer::new().with_sink(ring.clone());
        let mut without = Load::new(serve(forward.clone()).await).await;
        let mut with = Load::new(serve(layer.layer(forward)).await).await;
        let (requests, budget) = match smoke {
            true => (1, Duration::ZERO),
            false => (REQUESTS, BUDGET),
        };
        let (begun, mut rounds) = (Instant::now(), Vec::new());
        loop {
            // Each begins as often as the other.
            let pair = if rounds.len() % 2 == 0 {
                let first = without.run(requests).await;
                (first, with.run(requests).await)
            } else {
                let first = with.run(requests).await;
                (without.run(requests).await, first)
            };
            rounds.push(pair);
            if begun.elapsed() >= budget {
                break;
            }
        }
        assert!(!ring.is_empty() && ring.snapshot().iter().all(|record| record.success));
        Comparison {
            without: median(rounds.iter().map(|(without, _)| *without).collect()),
            with: median(rounds.iter().map(|(_, with)| *with).collect()),
            ratio: median(
                rounds
                    .iter()
                    .map(|(without, with)| with / without)
                    .collect(),
            ),
            rounds: rounds.len(),
        }
    })
}
