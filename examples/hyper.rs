//! The gateway behind plain hyper: HTTP/1.1 and HTTP/2 (by prior knowledge) on one port.
//!
//! Run with `cargo run --example hyper`, or `cargo run --example hyper 0.0.0.0:8080`. It talks to an
//! emulated Bedrock that it starts itself; for the real one leave out `endpoint` and change the key.

use std::task::{Context, Waker};
use std::{env, error::Error, io::Write, pin::pin, time::Duration};

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::{conn::auto, graceful::GracefulShutdown};
use tokio::net::TcpListener;
use tower::Service;
use tower_bedrock::Gateway;
use tower_bedrock::auth::{GatewayTokens, Gateways};
use tower_bedrock::credentials::{Credentials, StoredKey, StoredKeys};
use tower_bedrock::emulator::Emulator;

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const CURL: &str = "/v1/demo/demo/compat/chat/completions -H 'authorization: Bearer demo-token' \\
  -d '{\"model\":\"us.anthropic.claude-haiku-4-5-20251001-v1:0\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello!\"}]}'";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let emulator = Emulator::builder().credentials(ID, SECRET);
    let bedrock = emulator.start(([127, 0, 0, 1], 0).into()).await?;
    let tokens = GatewayTokens::new("demo", "demo")?.with_token("demo-token")?;
    let key = StoredKey::new(Credentials::new(ID, SECRET)?, "us-east-1")?;
    let gateway = Gateway::builder()
        .authenticate(Gateways::new().with_gateway(tokens)?)
        .credentials(StoredKeys::new().with_key("demo", "demo", "default", key)?)
        .endpoint(&bedrock.url())?
        .build()?;

    let mut http = auto::Builder::new(TokioExecutor::new());
    // What a slow reader leaves waiting waits at the sender: this bounds what is kept here.
    http.http1().timer(TokioTimer::new());
    http.http1().max_buf_size(16_384);
    http.http2().max_send_buf_size(16_384);
    http.http2().initial_stream_window_size(32_768);
    http.http2().initial_connection_window_size(1_048_576);
    http.http2().max_concurrent_streams(200);

    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:0")).await?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("listening on {url}\n\ncurl {url}{CURL}");
    std::io::stdout().flush()?;

    let graceful = GracefulShutdown::new();
    let mut stop = pin!(tokio::signal::ctrl_c());
    loop {
        let accepted = tokio::select! {
            _ = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await; // for descriptors, most likely
            continue;
        };
        // Small frames of a stream must not wait for the acknowledgement of earlier ones.
        let _ = stream.set_nodelay(true);
        let gateway = gateway.clone();
        let service = service_fn(move |request| call_now(gateway.clone(), request));
        let connection = http.serve_connection(TokioIo::new(stream), service);
        tokio::spawn(graceful.watch(connection.into_owned()));
    }
    drop(listener);
    // Answers that are under way may end, for half a minute.
    let _ = tokio::time::timeout(Duration::from_secs(30), graceful.shutdown()).await;
    Ok(())
}

/// `TowerToHyperService` calls a service when its future is first polled: a client that is gone by
/// then leaves no record. A gateway is always ready, so it can be called at once.
fn call_now<S: Service<R>, R>(mut service: S, request: R) -> S::Future {
    let _ = service.poll_ready(&mut Context::from_waker(Waker::noop()));
    service.call(request)
}
