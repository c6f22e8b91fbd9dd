//! The client's side: bodies that are written while they are read, and the messages in them.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as AwsCredentials;
use aws_sigv4::event_stream::{sign_empty_message, sign_message};
use aws_sigv4::sign::v4;
use aws_smithy_eventstream::frame::{read_message_from, write_message_to};
use bytes::Bytes;
use http::{Request, request};
use http_body::{Body, Frame};
use tokio::sync::mpsc;
use tower::BoxError;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt};
use tower_bedrock::body::ResponseBody;
use tower_bedrock::credentials::Credentials;
use tower_bedrock::eventstream::{Decoder, event};
use tower_bedrock::sign::SigV4SigningLayer;
use tower_bedrock::upstream::{HyperClient, UpstreamLayer};

use super::support::KEY;

pub const PATH: &str = "/model/amazon.nova-sonic-v1%3A0/invoke-with-bidirectional-stream";

/// A body that ends when its sender is dropped.
pub struct Piped(mpsc::Receiver<Result<Bytes, BoxError>>);

pub type Sender = mpsc::Sender<Result<Bytes, BoxError>>;

impl Piped {
    pub fn new(room: usize) -> (Sender, Self) {
        let (sender, receiver) = mpsc::channel(room);
        (sender, Self(receiver))
    }

    /// All of it is there.
    pub fn of(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let pieces: Vec<Bytes> = pieces.into_iter().collect();
        let (sender, body) = Self::new(pieces.len().max(1));
        for piece in pieces {
            sender.try_send(Ok(piece)).unwrap();
        }
        body
    }
}

impl Body for Piped {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = self.0.poll_recv(cx);
        polled.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// The `n`th message of a client, as an SDK encodes it.
pub fn message(n: usize) -> Bytes {
    event("chunk", payload(n).as_bytes())
}

/// What it carries.
pub fn payload(n: usize) -> String {
    format!(r#"{{"bytes":"{n:08}"}}"#)
}

/// An SDK that signs with keys of its own, which nobody knows.
pub struct Wrapper {
    prior: String,
}

impl Wrapper {
    pub fn new() -> Self {
        let prior = "0".repeat(64);
        Self { prior }
    }

    pub fn wrap(&mut self, message: Bytes) -> Bytes {
        self.signed(Some(message))
    }

    pub fn end(&mut self) -> Bytes {
        self.signed(None)
    }

    fn signed(&mut self, message: Option<Bytes>) -> Bytes {
        let identity = AwsCredentials::new("AKIATHROWAWAY", "nobody's", None, None, "test").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("eu-north-1")
            .name("other")
            .time(SystemTime::UNIX_EPOCH)
            .settings(())
            .build()
            .unwrap();
        let (outer, prior) = match message {
            Some(mut message) => {
                let message = read_message_from(&mut message).unwrap();
                sign_message(&message, &self.prior, &params)
                    .unwrap()
                    .into_parts()
            }
            None => sign_empty_message(&self.prior, &params)
                .unwrap()
                .into_parts(),
        };
        self.prior = prior;
        let mut bytes = Vec::new();
        write_message_to(&outer, &mut bytes).unwrap();
        bytes.into()
    }
}

/// A conversation that one client has had.
pub fn wrapped(messages: usize) -> Vec<Bytes> {
    let mut wrapper = Wrapper::new();
    let mut all: Vec<_> = (0..messages).map(|n| wrapper.wrap(message(n))).collect();
    all.push(wrapper.end());
    all
}

pub fn request(url: &str) -> request::Builder {
    Request::post(format!("{url}{PATH}"))
        .header("content-type", "application/vnd.amazon.eventstream")
}

pub type Answer = http::Response<
    ResponseBody<
        ResponseBody<tower_bedrock::upstream::TimedBody<tower_bedrock::upstream::UpstreamResponse>>,
    >,
>;
pub type Stack = BoxCloneSyncService<Request<Piped>, Answer, std::convert::Infallible>;

pub fn layer() -> SigV4SigningLayer {
    SigV4SigningLayer::new(Credentials::new(KEY.0, KEY.1).unwrap()).with_region("us-east-1")
}

/// This layer before the ready-made client.
pub fn stack(layer: &SigV4SigningLayer) -> Stack {
    let upstream = UpstreamLayer::new().layer(HyperClient::new());
    BoxCloneSyncService::new(layer.layer(upstream))
}

/// Reads the messages of an answer, one after the other.
pub struct Heard<B> {
    body: Pin<Box<B>>,
    decoder: Decoder,
}

impl<B> Heard<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    pub fn new(body: B) -> Self {
        Self {
            body: Box::pin(body),
            decoder: Decoder::new(),
        }
    }

    /// The payload of the next message; `None` at a clean end.
    pub async fn next(&mut self) -> Option<Result<Bytes, BoxError>> {
        use http_body_util::BodyExt;
        loop {
            if let Some(frame) = self.decoder.next().unwrap() {
                return Some(Ok(frame.payload().clone()));
            }
            match self.body.frame().await? {
                Ok(frame) => self.decoder.push(frame.into_data().unwrap()),
                Err(error) => return Some(Err(error.into())),
            }
        }
    }

    pub async fn all(mut self) -> Vec<Bytes> {
        let mut all = Vec::new();
        while let Some(message) = self.next().await {
            all.push(message.unwrap());
        }
        all
    }
}

pub async fn ask(stack: &Stack, request: Request<Piped>) -> Answer {
    match stack.clone().oneshot(request).await {
        Ok(answer) => answer,
    }
}

/// A test hangs no longer than this.
pub async fn soon<F: Future>(future: F) -> F::Output {
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, future).await.expect("in time")
}
