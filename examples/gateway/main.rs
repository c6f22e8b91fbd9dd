//! A gateway before Amazon Bedrock, ready to run.
//!
//! ```text
//! cargo run --release --example gateway                      # a demo: no key, no network
//! cargo run --release --example gateway -- --config my.toml  # as in examples/gateway.toml
//! ```
//!
//! `args` reads the command line, `config`, `bodies`, `records` and `file` the configuration, `server`,
//! `places` and `patient` serve HTTP/1.1 and HTTP/2 with or without TLS, `admin`, `logs` and `rendering` answer
//! the operator, `signals` hears what the system says. All of it is made to be copied.

mod admin;
mod args;
mod bodies;
mod config;
mod file;
mod logs;
mod opening;
mod pace;
mod patient;
mod places;
mod records;
mod rendering;
mod running;
mod server;
mod signals;

use std::convert::Infallible;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::service_fn;
use tower_bedrock::Gateway;
use tower_bedrock::emulator::Emulator;
use tower_bedrock::observe::{JsonLines, Metrics, Ring};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use self::admin::Admin;
use self::args::Options;
use self::config::Config;
use self::server::Limits;

const DEFAULT_ADMIN: ([u8; 4], u16) = ([127, 0, 0, 1], 8788);
/// How many records `/logs` can show.
const RECORDS: usize = 1000;
/// How often what was measured is added up, whether or not anybody asks for it.
const UPKEEP: Duration = Duration::from_secs(5);

/// Why the gateway does not start.
enum Failure {
    Configuration(String),
    Bind(String),
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = match args::parse(std::env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            let _ = writeln!(io::stdout(), "{}", args::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("gateway: {problem}\n\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    let wanted = std::env::var("RUST_LOG").ok();
    let filter = wanted
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| {
            Targets::new()
                .with_default(LevelFilter::WARN)
                .with_target("gateway", LevelFilter::INFO)
        });
    let log = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    tracing_subscriber::registry()
        .with(log.with_filter(filter))
        .init();
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Configuration(problem)) => {
            eprintln!("gateway: {problem}");
            ExitCode::from(2)
        }
        Err(Failure::Bind(problem)) => {
            eprintln!("gateway: {problem}");
            ExitCode::from(1)
        }
    }
}

async fn run(options: Options) -> Result<(), Failure> {
    let config = match &options.config {
        Some(path) => Config::read(path),
        None => Config::demo(),
    };
    let config = config.map_err(Failure::Configuration)?;
    let tls = match &options.tls {
        Some((cert, key)) => Some(server::tls(cert, key).map_err(Failure::Configuration)?),
        None => None,
    };

    let metrics =
        prometheus().map_err(|error| Failure::Configuration(format!("metrics: {error}")))?;
    // The whole stack: observe, auth, compat, rewrite, sign, upstream.
    let records = Ring::new(RECORDS);
    let gateway = Gateway::builder()
        .authenticate(config.gateways)
        .credentials(config.keys)
        .routes(config.routes);
    let gateway = config.bodies.apply(gateway);
    let mut gateway = config
        .records
        .apply(gateway)
        .sink(records.clone())
        .sink(Metrics::new());
    if let Some(path) = &options.log_file {
        let file = JsonLines::to_file(path).map_err(|error| {
            Failure::Configuration(format!("--log-file: {}: {error}", path.display()))
        })?;
        signals::reopen_on_hangup(file.clone(), path)
            .map_err(|error| Failure::Bind(format!("signals: {error}")))?;
        gateway = gateway.sink(file);
    }
    let emulator = match (&options.config, &options.endpoint) {
        (None, None) => Some(emulator().await?),
        _ => None,
    };
    if let Some(url) = options.endpoint.or(emulator.as_ref().map(Emulator::url)) {
        gateway = gateway
            .endpoint(&url)
            .map_err(|error| Failure::Configuration(format!("--endpoint: {}", error.problem())))?;
    }
    let gateway = gateway
        .build()
        .map_err(|error| Failure::Configuration(error.to_string()))?;

    let listener = bind("--listen", options.listen).await?;
    let admin_listener = admin_listener(options.admin, config.admin_token.is_some()).await?;
    let address = listener.local_addr().unwrap_or(options.listen);
    let admin_address = admin_listener.as_ref().and_then(|l| l.local_addr().ok());
    let scheme = if tls.is_some() { "https" } else { "http" };

    let signal = signals::stop().map_err(|error| Failure::Bind(format!("signals: {error}")))?;
    let (stop, stopped) = watch::channel(false);
    let serving = server::serve(listener, tls, gateway, Limits::CLIENTS, stopped.clone());
    let servers = async {
        let Some((listener, address)) = admin_listener.zip(admin_address) else {
            return serving.await;
        };
        let token = config.admin_token.as_deref();
        let admin = Admin::new(records, metrics, token, address);
        let admin = service_fn(move |request: Request<Incoming>| {
            let answer = admin.clone().respond(request.into_parts().0);
            async { Ok::<_, Infallible>(answer.await) }
        });
        let admin = server::serve(listener, None, admin, Limits::ADMIN, stopped);
        tokio::join!(serving, admin);
    };
    let emulator_url = emulator.as_ref().map(Emulator::url);
    announce(
        &format!("{scheme}://{address}"),
        emulator_url,
        admin_address,
        options.config.is_none(),
    );
    tokio::pin!(servers, signal);
    tokio::select! {
        () = &mut servers => return Ok(()),
        () = &mut signal => tracing::info!("stopping: running answers may finish"),
    }
    stop.send_replace(true);
    // Whoever asks twice means at once.
    let again = signals::stop().map_err(|error| Failure::Bind(format!("signals: {error}")))?;
    tokio::select! {
        () = servers => {}
        () = again => tracing::warn!("stopped at once"),
    }
    Ok(())
}

/// Collects what is measured, for `/metrics`.
fn prometheus() -> Result<PrometheusHandle, BuildError> {
    let mut builder = PrometheusBuilder::new().with_recommended_naming(true);
    for (name, buckets) in Metrics::BUCKETS {
        builder = builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), buckets)?;
    }
    let handle = builder.install_recorder()?;
    let metrics = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            let metrics = metrics.clone();
            let _ = tokio::task::spawn_blocking(move || metrics.run_upkeep()).await;
        }
    });
    Ok(handle)
}

/// A Bedrock on this machine that knows the demo's key pair.
async fn emulator() -> Result<Emulator, Failure> {
    Emulator::builder()
        .credentials(
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        )
        .start(([127, 0, 0, 1], 0).into())
        .await
        .map_err(|error| Failure::Bind(format!("emulator: {error}")))
}

async fn bind(option: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .await
        .map_err(|error| Failure::Bind(format!("{option}: cannot bind {address}: {error}")))
}

async fn admin_listener(
    address: Option<SocketAddr>,
    has_token: bool,
) -> Result<Option<TcpListener>, Failure> {
    let Some(address) = address else {
        let listener = bind("--admin", DEFAULT_ADMIN.into()).await;
        return Ok(listener
            .inspect_err(|_| eprintln!("gateway: 127.0.0.1:8788 is taken: no admin address"))
            .ok());
    };
    if !address.ip().is_loopback() && !has_token {
        let problem = format!("--admin: {address} is off loopback: the file must set admin_token");
        return Err(Failure::Configuration(problem));
    }
    bind("--admin", address).await.map(Some)
}

/// Says on stdout that connections are accepted, and what to try.
fn announce(url: &str, emulator: Option<String>, admin: Option<SocketAddr>, demo: bool) {
    let mut out = io::stdout().lock();
    // Nobody has to read this to the end: whoever wants only the first line may close the pipe.
    let _ = writeln!(out, "listening on {url}").and_then(|()| out.flush());
    let mut text = String::new();
    if let Some(emulator) = emulator {
        text += &format!("emulator on {emulator}\n");
    }
    if let Some(admin) = admin {
        text += &format!("admin on http://{admin}\n");
    }
    if demo {
        text += &commands(url);
    }
    if let Some(admin) = admin.filter(|_| demo) {
        text += &format!("\ncurl http://{admin}/logs\ncurl http://{admin}/metrics\n");
    }
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn commands(url: &str) -> String {
    let model = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
    let curl = if url.starts_with("https") {
        "curl -k"
    } else {
        "curl"
    };
    let call = |flags: &str, operation: &str, body: &str| {
        format!(
            r#"
{curl}{flags} "{url}/v1/demo/demo/aws-bedrock/bedrock-runtime/us-east-1/model/{model}/{operation}" \
  -H "cf-aig-authorization: Bearer demo-token" -H "Content-Type: application/json" \
  -d '{body}'
"#
        )
    };
    let compat = format!(
        r#"
{curl} "{url}/v1/demo/demo/compat/chat/completions" \
  -H "Authorization: Bearer demo-token" -H "Content-Type: application/json" \
  -d '{{"model":"aws-bedrock/{model}","messages":[{{"role":"user","content":"What is Cloudflare?"}}]}}'
"#
    );
    let converse = r#"{"messages":[{"role":"user","content":[{"text":"What is Cloudflare?"}]}]}"#;
    let invoke = r#"{"messages":[{"role":"user","content":"What is Cloudflare?"}],"max_tokens":256,"anthropic_version":"bedrock-2023-05-31"}"#;
    format!(
        "\nTo try it:\n{}{}{}{compat}",
        call("", "invoke", invoke),
        call("", "converse", converse),
        call(" -N --output -", "converse-stream", converse),
    )
}
