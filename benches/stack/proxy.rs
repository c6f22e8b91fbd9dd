//! The proxies: hyper's server, a client over hyper-util, and nothing between them or the stack.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri, uri};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tower::{Layer, Service, ServiceBuilder};
use tower_bedrock::auth::GatewayAuthLayer;
use tower_bedrock::rewrite::{BedrockPathRewriteLayer, Endpoints};
use tower_bedrock::sign::SigV4SigningLayer;
use tower_bedrock::upstream::{HyperClient, UpstreamLayer};
use tower_bedrock::{BoxError, Gateway};

use crate::layers;

/// What is between server and client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// Nothing.
    Bare,
    /// One layer of the four.
    Observe,
    /// The four layers, put together by hand, and the crate's own client with its layer.
    Layers,
    /// All that there is.
    Gateway,
}

impl Proxy {
    pub(crate) const ALL: [Self; 4] = [Self::Bare, Self::Observe, Self::Layers, Self::Gateway];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Observe => "observe",
            Self::Layers => "layers",
            Self::Gateway => "gateway",
        }
    }

    /// Serves on a free port for as long as the runtime lives.
    pub(crate) async fn serve(self, upstream: SocketAddr) -> SocketAddr {
        match self {
            Self::Bare => serve(forward(upstream)).await,
            Self::Observe => serve(layers::observe().layer(forward(upstream))).await,
            Self::Layers => {
                let endpoint = format!("http://{upstream}");
                let endpoints = Endpoints::fixed(&endpoint).expect("an address");
                let stack = ServiceBuilder::new()
                    .layer(layers::observe())
                    .layer(GatewayAuthLayer::new(layers::gateways()))
                    .layer(BedrockPathRewriteLayer::new().with_endpoints(endpoints))
                    .layer(SigV4SigningLayer::new(layers::keys()))
                    .layer(UpstreamLayer::new())
                    .service(HyperClient::new());
                serve(stack).await
            }
            Self::Gateway => {
                let gateway = Gateway::builder()
                    .authenticate(layers::gateways())
                    .credentials(layers::keys())
                    .sink(tower_bedrock::observe::Ring::new(64))
                    .endpoint(&format!("http://{upstream}"))
                    .expect("an address")
                    .build();
                serve(gateway.expect("a gateway")).await
            }
        }
    }

    /// Serves on a thread of its own.
    pub(crate) fn start(self, upstream: SocketAddr) -> Running {
        let (tell, told) = mpsc::channel();
        let proxy = move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let address = self.serve(upstream).await;
                let clock = Clock::of_this_thread();
                tell.send(Running { address, clock })
                    .expect("somebody listens");
                std::future::pending::<()>().await;
            });
        };
        let builder = thread::Builder::new().name(self.name().to_owned());
        builder.spawn(proxy).expect("a thread");
        told.recv().expect("a proxy")
    }
}

/// A proxy on a thread of its own.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Clock,
}

/// How long a thread has been on a processor.
pub(crate) struct Clock(Option<PathBuf>);

impl Clock {
    /// It is kept by Linux; elsewhere there is none.
    fn of_this_thread() -> Self {
        let thread = std::fs::read_link("/proc/thread-self").ok();
        Self(thread.map(|thread| PathBuf::from("/proc").join(thread).join("schedstat")))
    }

    /// To the nanosecond, if the thread sleeps.
    pub(crate) fn now(&self) -> Option<Duration> {
        let text = std::fs::read_to_string(self.0.as_ref()?).ok()?;
        let nanos = text.split(' ').next()?.parse().ok()?;
        Some(Duration::from_nanos(nanos))
    }
}

/// Passes everything on, to the same place, over a client with the settings of [`HyperClient`].
fn forward(
    upstream: SocketAddr,
) -> impl Service<
    Request<Incoming>,
    Response = Response<Incoming>,
    Error = hyper_util::client::legacy::Error,
    Future = hyper_util::client::legacy::ResponseFuture,
> + Clone
+ Send
+ 'static {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_keepalive(Some(Duration::from_secs(60)));
    let client: Client<_, Incoming> = Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(90))
        .build(connector);
    let authority: uri::Authority = upstream.to_string().parse().expect("an address");
    tower::service_fn(move |mut request: Request<Incoming>| {
        let mut parts = uri::Parts::default();
        parts.scheme = Some(uri::Scheme::HTTP);
        parts.authority = Some(authority.clone());
        parts.path_and_query = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::from_parts(parts).expect("a URI");
        client.request(request)
    })
}

async fn serve<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
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
