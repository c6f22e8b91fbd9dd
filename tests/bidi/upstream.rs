//! An upstream that speaks HTTP/2, and verifies the head and every message of a conversation.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::event_stream::{sign_empty_message, sign_message};
use aws_sigv4::sign::v4;
use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder, read_message_from};
use aws_smithy_types::event_stream::Message;
use bytes::{Bytes, BytesMut};
use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use super::support::KEY;
use super::talk::Piped;

/// An upstream, and how many connections it has accepted.
pub struct Upstream {
    pub url: String,
    pub connections: Arc<AtomicUsize>,
}

/// Serves HTTP/2 by prior knowledge, with windows of 64 KiB.
pub async fn upstream<F, Fut>(answer: F) -> Upstream
where
    F: Fn(Parts, Incoming) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Response<Piped>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let (head, body) = request.into_parts();
                let answer = answer(head, body);
                async move { Ok::<_, std::convert::Infallible>(answer.await) }
            });
            tokio::spawn(async move {
                let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                server
                    .initial_stream_window_size(64 * 1024)
                    .initial_connection_window_size(64 * 1024);
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Upstream { url, connections }
}

/// What an upstream has verified of one conversation.
pub struct Verified {
    decoder: MessageFrameDecoder,
    buffer: BytesMut,
    credentials: Credentials,
    region: String,
    prior: String,
    pub dates: Vec<SystemTime>,
    pub ended: bool,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

impl Verified {
    /// Verifies the head, as AWS documents it.
    pub fn head(head: &Parts) -> Self {
        Self::head_of(head, KEY.1)
    }

    pub fn head_of(head: &Parts, secret: &str) -> Self {
        const EVENTS: &str = "STREAMING-AWS4-HMAC-SHA256-EVENTS";
        assert_eq!(head.version, http::Version::HTTP_2);
        assert_eq!(head.headers["x-amz-content-sha256"], EVENTS);
        for name in ["content-length", "transfer-encoding"] {
            assert!(!head.headers.contains_key(name), "{name}");
        }
        let authorization = head.headers["authorization"].to_str().unwrap();
        let field = |name: &str| {
            let (_, rest) = authorization.split_once(name).unwrap();
            rest.split(',').next().unwrap().to_owned()
        };
        let credential = field("Credential=");
        let mut parts = credential.split('/');
        let id = parts.next().unwrap().to_owned();
        let scope: Vec<&str> = parts.collect();
        let names = field("SignedHeaders=");
        assert!(names.contains("x-amz-content-sha256"), "{names}");
        let signature = field("Signature=");

        let headers: String = names
            .split(';')
            .map(|name| format!("{name}:{}\n", head.headers[name].to_str().unwrap().trim()))
            .collect();
        let path = head.uri.path().replace('%', "%25");
        let canonical = format!("{}\n{path}\n\n{headers}\n{names}\n{EVENTS}", head.method);
        let date = head.headers["x-amz-date"].to_str().unwrap();
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{date}\n{}\n{}",
            scope.join("/"),
            hex(&Sha256::digest(canonical.as_bytes()))
        );
        let key = scope
            .iter()
            .fold(format!("AWS4{secret}").into_bytes(), |key, part| {
                mac(&key, part)
            });
        assert_eq!(signature, hex(&mac(&key, &to_sign)), "{canonical}");

        let token = head.headers.get("x-amz-security-token");
        let token = token.map(|token| token.to_str().unwrap().to_owned());
        Self {
            decoder: MessageFrameDecoder::new(),
            buffer: BytesMut::new(),
            credentials: Credentials::new(id, secret, token, None, "test"),
            region: scope[1].to_owned(),
            prior: signature,
            dates: Vec::new(),
            ended: false,
        }
    }

    /// Verifies the messages that are complete with these bytes, and gives what they carry.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Message> {
        self.buffer.extend_from_slice(bytes);
        let mut messages = Vec::new();
        while let DecodedFrame::Complete(outer) =
            self.decoder.decode_frame(&mut self.buffer).unwrap()
        {
            assert!(!self.ended, "a message after the last one");
            messages.extend(self.verify(&outer));
        }
        messages
    }

    fn verify(&mut self, outer: &Message) -> Option<Message> {
        assert_eq!(outer.headers().len(), 2);
        let header = |name| {
            let mut headers = outer.headers().iter();
            headers
                .find(|header| header.name().as_str() == name)
                .unwrap()
                .value()
        };
        let date = header(":date").as_timestamp().unwrap();
        let time = SystemTime::try_from(date).unwrap();
        self.dates.push(time);
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("bedrock")
            .time(time)
            .settings(())
            .build()
            .unwrap();
        self.ended = outer.payload().is_empty();
        let inner = (!self.ended).then(|| read_message_from(&mut outer.payload().clone()).unwrap());
        let (wanted, signature) = match &inner {
            Some(inner) => sign_message(inner, &self.prior, &params)
                .unwrap()
                .into_parts(),
            None => sign_empty_message(&self.prior, &params)
                .unwrap()
                .into_parts(),
        };
        self.prior = signature;
        assert_eq!(&wanted, outer, "the chain is broken");
        inner
    }

    /// Reads a body to its end.
    pub async fn all(&mut self, mut body: Incoming) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(frame) = body.frame().await {
            messages.extend(self.push(&frame.unwrap().into_data().unwrap()));
        }
        assert!(self.ended && self.buffer.is_empty(), "no end");
        messages
    }
}

/// An answer of one message for each of the client's, sent as soon as that has come.
pub async fn echo(head: Parts, mut body: Incoming) -> Response<Piped> {
    let mut verified = Verified::head(&head);
    let (sender, answer) = Piped::new(1);
    tokio::spawn(async move {
        while let Some(Ok(frame)) = body.frame().await {
            for message in verified.push(frame.data_ref().unwrap()) {
                let answer = tower_bedrock::eventstream::event("chunk", message.payload());
                if sender.send(Ok(answer)).await.is_err() {
                    return;
                }
            }
        }
        assert!(verified.ended);
    });
    Response::builder()
        .header("content-type", "application/vnd.amazon.eventstream")
        .body(answer)
        .unwrap()
}

/// The payloads of messages.
pub fn payloads(messages: &[Message]) -> Vec<Bytes> {
    messages
        .iter()
        .map(|message| message.payload().clone())
        .collect()
}
