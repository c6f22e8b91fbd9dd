//! An emulated Bedrock in a process of its own, with a second port on which tests ask what arrived.
//!
//! ```text
//! cargo run --example emulator -- [--listen 127.0.0.1:0] [--replay FILE] [--chunk-size N]
//!                                 [--tls-cert FILE --tls-key FILE]
//! ```
//!
//! It accepts the key pair of AWS's documentation and the API key `bedrock-api-key-emulator`. On the
//! control port `GET /_requests` answers what arrived as a JSON array, `DELETE /_requests` forgets it.
//! With a certificate and its key (PEM) there is a third port, with TLS, for clients that want HTTP/2 agreed on.

use std::convert::Infallible;
use std::error::Error;
use std::future::ready;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tower_bedrock::emulator::{Emulator, EmulatorBuilder, ReceivedRequest};

const USAGE: &str = "usage: emulator [--listen ADDR] [--replay FILE] [--chunk-size N] [--tls-cert FILE --tls-key FILE]";

#[tokio::main]
async fn main() -> ExitCode {
    let (builder, address, tls) = match parse(std::env::args().skip(1)) {
        Ok(parsed) => parsed,
        Err(problem) => {
            eprintln!("emulator: {problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(builder, address, tls).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

type Parsed = (EmulatorBuilder, SocketAddr, Option<TlsAcceptor>);

fn parse(mut args: impl Iterator<Item = String>) -> Result<Parsed, Box<dyn Error>> {
    let (mut cert, mut key) = (None, None);
    let mut address = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut builder = Emulator::builder()
        .credentials(
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        )
        .api_key("bedrock-api-key-emulator");
    while let Some(option) = args.next() {
        let mut value = || args.next().ok_or(format!("{option} needs a value"));
        match option.as_str() {
            "--listen" => address = value()?.parse()?,
            "--replay" => builder = builder.replay(value()?)?,
            "--chunk-size" => builder = builder.chunk_size(value()?.parse()?),
            "--tls-cert" => cert = Some(value()?),
            "--tls-key" => key = Some(value()?),
            _ => return Err(format!("unknown option {option}").into()),
        }
    }
    let tls = match (cert, key) {
        (Some(cert), Some(key)) => Some(acceptor(&cert, &key)?),
        (None, None) => None,
        _ => return Err("--tls-cert and --tls-key need each other".into()),
    };
    Ok((builder, address, tls))
}

async fn run(
    builder: EmulatorBuilder,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
) -> io::Result<()> {
    let emulator = builder.start(address).await?;
    let control = TcpListener::bind(("127.0.0.1", 0)).await?;
    let mut out = io::stdout();
    writeln!(out, "emulator on {}", emulator.url())?;
    if let Some(tls) = tls {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        writeln!(out, "tls on https://{}", listener.local_addr()?)?;
        tokio::spawn(terminate(listener, tls, emulator.addr()));
    }
    writeln!(out, "control on http://{}", control.local_addr()?)?;
    out.flush()?;
    loop {
        let (stream, _) = control.accept().await?;
        let emulator = emulator.clone();
        tokio::spawn(async move {
            let service =
                service_fn(move |request| ready(Ok::<_, Infallible>(answer(&emulator, &request))));
            http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await
        });
    }
}

fn acceptor(cert: &str, key: &str) -> Result<TlsAcceptor, Box<dyn Error>> {
    let chain = CertificateDer::pem_file_iter(cert)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Takes TLS off what arrives and hands the rest to the emulator, which sees from it what protocol it is.
async fn terminate(listener: TcpListener, tls: TlsAcceptor, emulator: SocketAddr) {
    loop {
        let Ok((outside, _)) = listener.accept().await else {
            continue;
        };
        let tls = tls.clone();
        tokio::spawn(async move {
            outside.set_nodelay(true)?;
            let mut outside = tls.accept(outside).await?;
            let mut inside = TcpStream::connect(emulator).await?;
            inside.set_nodelay(true)?;
            tokio::io::copy_bidirectional(&mut outside, &mut inside).await
        });
    }
}

fn answer(emulator: &Emulator, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/_requests") => (
            StatusCode::OK,
            emulator.requests().iter().map(describe).collect(),
        ),
        (&Method::DELETE, "/_requests") => {
            let forgotten = emulator.take_requests().len();
            (StatusCode::OK, json!({ "forgotten": forgotten }))
        }
        _ => (
            StatusCode::NOT_FOUND,
            json!({ "error": "only GET and DELETE /_requests" }),
        ),
    };
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response
}

fn describe(request: &ReceivedRequest) -> Value {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers: Vec<_> = request
        .headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), text(value.as_bytes())]))
        .collect();
    // Only the beginning of a large body is kept, and its hash would mislead.
    let whole = request.body.len() as u64 == request.body_len;
    let hash = || {
        Sha256::digest(&request.body)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect()
    };
    json!({
        "method": request.method.as_str(),
        "path": request.target,
        "authority": request.authority,
        "version": format!("{:?}", request.version),
        "headers": headers,
        "body_len": request.body_len,
        "messages": request.messages,
        "body_sha256": whole.then(hash).map(|hash: String| hash),
        "json": serde_json::from_slice::<Value>(&request.body).ok(),
        "verdict": format!("{:?}", request.verdict),
    })
}
