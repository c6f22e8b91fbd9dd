//! The layers, each with a request that it lets through and one that it refuses.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::{self, Parts};
use http::{Request, Response};
use http_body::Body;
use tower::layer::util::Stack as Layers;
use tower::{Layer, Service, ServiceExt};
use tower_bedrock::auth::{Authenticate, GatewayAuthLayer, GatewayTokens, Gateways, bearer_token};
use tower_bedrock::body::BoxError;
use tower_bedrock::credentials::{Credentials, ProvideCredentials};
use tower_bedrock::eventstream::event;
use tower_bedrock::observe::{CaptureRequestLayer, ObservabilityLayer, Outcome, Ring};
use tower_bedrock::rewrite::BedrockPathRewriteLayer;
use tower_bedrock::sign::SigV4SigningLayer;
use tower_bedrock::upstream::UpstreamLayer;
use tower_bedrock::{OpenAiCompatLayer, Principal, Rejection, RejectionKind};

use crate::probe::{Probe, Readiness, Watch};
use crate::script::{Script, script};

pub(crate) const PATH: &str =
    "/v1/acme/prod/aws-bedrock/bedrock-runtime/us-east-1/model/m/converse";
pub(crate) const URL: &str = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse";
pub(crate) const TOKEN: &str = "s3cret";

/// A service that is tested here.
pub(crate) trait Stack:
    Service<Request<Script>, Response = Response<<Self as Stack>::Reply>, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
    type Reply: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static;
}

impl<S, R> Stack for S
where
    S: Service<Request<Script>, Response = Response<R>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    R: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Reply = R;
}

/// Waits until `service` is ready.
pub(crate) async fn ready<S: Service<Request<Script>>>(service: &mut S) -> Result<(), S::Error> {
    service.ready().await.map(|_| ())
}

/// Calls `service` once it is ready.
pub(crate) async fn ask<S: Service<Request<Script>>>(
    service: &mut S,
    request: Request<Script>,
) -> Result<S::Response, S::Error> {
    service.ready().await?.call(request).await
}

pub(crate) struct Case<L> {
    pub(crate) layer: L,
    good: fn(request::Builder) -> request::Builder,
    bad: fn(request::Builder) -> request::Builder,
    /// Of the refusal.
    pub(crate) status: u16,
    /// Whether a refusal gives readiness back.
    pub(crate) gives_back: bool,
    /// Steers the probe into what makes the layer refuse.
    pub(crate) spoil: fn(&Watch),
    /// The length of a body that is refused for it, if that is what this case is about.
    pub(crate) declared: Option<usize>,
    /// What the outcome of a refusal is.
    pub(crate) outcome: Outcome,
    /// A request body that is worth an answer, piece by piece.
    pub(crate) sample: fn() -> Script,
    /// Steers the probe into an answer that suits the request.
    pub(crate) suit: fn(&Watch),
    /// Where records go, if the layer is observed.
    records: Option<Ring>,
}

impl<L> Case<L> {
    pub(crate) fn service<S>(&self) -> (S, Watch)
    where
        L: Layer<Probe, Service = S>,
    {
        let watch = Watch::default();
        (self.layer.layer(watch.probe()), watch)
    }

    /// The same with an observer around it.
    pub(crate) fn observed(self) -> Case<Layers<L, ObservabilityLayer>> {
        let records = Ring::new(10_000);
        let observe = ObservabilityLayer::new().with_sink(records.clone());
        Case {
            layer: Layers::new(self.layer, observe),
            good: self.good,
            bad: self.bad,
            status: self.status,
            gives_back: self.gives_back,
            spoil: self.spoil,
            declared: self.declared,
            outcome: self.outcome,
            sample: self.sample,
            suit: self.suit,
            records: Some(records),
        }
    }

    /// If it is observed, these records and no others were left, in this order.
    #[track_caller]
    pub(crate) fn assert_recorded(&self, outcomes: &[Outcome]) {
        self.assert_records(outcomes.len());
        if self.records.is_some() {
            assert_eq!(self.outcomes(), outcomes);
        }
    }

    /// Of all records, in the order of the requests.
    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        let records = self.records.as_ref().map(Ring::snapshot);
        let mut found: Vec<Arc<_>> = records.unwrap_or_default();
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found.iter().map(|record| record.outcome).collect()
    }

    /// If it is observed, so many records were left.
    #[track_caller]
    pub(crate) fn assert_records(&self, count: usize) {
        let found = self.records.as_ref().map(Ring::len);
        assert!(found.is_none_or(|found| found == count), "{found:?}");
    }

    pub(crate) fn good(&self, body: Script) -> Request<Script> {
        (self.good)(Request::post(PATH)).body(body).unwrap()
    }

    pub(crate) fn bad(&self, body: Script) -> Request<Script> {
        let body = match self.declared {
            Some(length) => body.declared(length),
            None => body,
        };
        (self.bad)(Request::post(PATH)).body(body).unwrap()
    }
}

/// `{"a":1}`, piece by piece, with an empty one among them.
fn in_pieces() -> Script {
    ["{\"a\":", "", "1}"]
        .into_iter()
        .fold(script(), |body, piece| body.wait(WAIT).data(piece))
}

fn chat(more: &str) -> Script {
    let text = r#"{"model":"us.anthropic.claude-haiku-4-5-20251001-v1:0","messages":["#;
    let rest = format!(r#"{{"role":"user","content":"hello"}}]{more}}}"#);
    script().wait(WAIT).data(text).wait(WAIT).data(rest)
}

fn with_token(request: request::Builder) -> request::Builder {
    let request = request.header("host", "gateway.test");
    request.header("cf-aig-authorization", format!("Bearer {TOKEN}"))
}

fn by_chat(request: request::Builder) -> request::Builder {
    request.uri("/v1/acme/prod/compat/chat/completions")
}

fn by_url(request: request::Builder) -> request::Builder {
    request.uri(URL).header("content-type", "application/json")
}

/// Lets requests with the token in, and takes its time for it.
pub(crate) struct Slow;

impl Authenticate for Slow {
    async fn authenticate(&self, head: &Parts) -> Result<Principal, Rejection> {
        tokio::task::yield_now().await;
        tokio::time::sleep(WAIT).await;
        match bearer_token(&head.headers)? {
            TOKEN => Ok(Principal::new("slow")),
            _ => Err(Rejection::new(RejectionKind::Unauthenticated, "no")),
        }
    }
}

/// How long [`Slow`] and [`Vault`] take.
pub(crate) const WAIT: Duration = Duration::from_millis(10);

/// Has a key unless the request says otherwise, and takes its time for it.
pub(crate) struct Vault;

impl ProvideCredentials for Vault {
    async fn credentials(&self, head: &Parts) -> Result<Credentials, Rejection> {
        tokio::task::yield_now().await;
        tokio::time::sleep(WAIT).await;
        look_up(head)
    }
}

/// The same at once.
pub(crate) struct Warm;

impl ProvideCredentials for Warm {
    fn credentials(
        &self,
        head: &Parts,
    ) -> impl Future<Output = Result<Credentials, Rejection>> + Send {
        std::future::ready(look_up(head))
    }

    fn credentials_now(&self, head: &Parts) -> Option<Result<Credentials, Rejection>> {
        Some(look_up(head))
    }
}

fn look_up(head: &Parts) -> Result<Credentials, Rejection> {
    if head.headers.contains_key("x-no-key") {
        return Err(Rejection::new(RejectionKind::NoCredentials, "no key"));
    }
    Ok(key())
}

pub(crate) fn key() -> Credentials {
    Credentials::new("AKIDEXAMPLE", "secret").unwrap()
}

pub(crate) fn gateways() -> Gateways {
    let gateway = GatewayTokens::new("acme", "prod").unwrap();
    Gateways::new()
        .with_gateway(gateway.with_token(TOKEN).unwrap())
        .unwrap()
}

/// Authentication that is decided at once.
pub(crate) fn auth_now() -> Case<GatewayAuthLayer> {
    Case {
        layer: GatewayAuthLayer::new(gateways()),
        good: with_token,
        bad: |request| request,
        status: 401,
        gives_back: true,
        spoil: |_| {},
        declared: None,
        outcome: Outcome::Refused,
        sample: in_pieces,
        suit: |_| {},
        records: None,
    }
}

/// Authentication by an `async fn` of the user's.
pub(crate) fn auth_later() -> Case<GatewayAuthLayer> {
    Case {
        layer: GatewayAuthLayer::new(Slow),
        ..auth_now()
    }
}

pub(crate) fn rewrite() -> Case<BedrockPathRewriteLayer> {
    Case {
        layer: BedrockPathRewriteLayer::new(),
        good: with_token,
        bad: |request| request.uri("/v1/acme/prod/aws-bedrock/bedrock-runtime/nowhere/x"),
        status: 400,
        gives_back: false,
        spoil: |_| {},
        declared: None,
        outcome: Outcome::Refused,
        sample: in_pieces,
        suit: |_| {},
        records: None,
    }
}

/// Translation, of which a request to Bedrock itself has no need; refused for the method.
pub(crate) fn compat() -> Case<OpenAiCompatLayer> {
    Case {
        layer: OpenAiCompatLayer::new().with_region("us-east-1").unwrap(),
        good: with_token,
        bad: |request| request.uri("/v1/acme/prod/compat/models"),
        status: 405,
        gives_back: true,
        spoil: |_| {},
        declared: None,
        outcome: Outcome::Refused,
        sample: in_pieces,
        suit: |_| {},
        records: None,
    }
}

/// Translation, refused for the length that the body declares.
pub(crate) fn compat_long() -> Case<OpenAiCompatLayer> {
    Case {
        bad: by_chat,
        status: 413,
        declared: Some(40 << 20),
        ..compat()
    }
}

/// Translation of what is good only if its body is.
pub(crate) fn compat_chat() -> Case<OpenAiCompatLayer> {
    Case {
        good: by_chat,
        sample: || chat(""),
        suit: |watch| {
            let answer = r#"{"output":{"message":{"role":"assistant","content":[{"text":"hi"}]}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2}}"#;
            let (a, b) = answer.split_at(40);
            watch.say("application/json", vec![a.into(), b.into()]);
        },
        ..compat()
    }
}

/// The same, streamed.
pub(crate) fn compat_stream() -> Case<OpenAiCompatLayer> {
    Case {
        sample: || chat(r#","stream":true"#),
        suit: |watch| {
            let frames = [
                ("messageStart", r#"{"role":"assistant"}"#),
                (
                    "contentBlockDelta",
                    r#"{"contentBlockIndex":0,"delta":{"text":"hi"}}"#,
                ),
                ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
                ("messageStop", r#"{"stopReason":"end_turn"}"#),
                (
                    "metadata",
                    r#"{"usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2},"metrics":{"latencyMs":1}}"#,
                ),
            ];
            let frames = frames.map(|(name, json)| event(name, json.as_bytes()));
            watch.say("application/vnd.amazon.eventstream", frames.into());
        },
        ..compat_chat()
    }
}

/// Signing, refused for the request's head.
pub(crate) fn sign_now() -> Case<SigV4SigningLayer> {
    Case {
        layer: SigV4SigningLayer::new(Warm),
        good: by_url,
        bad: |request| by_url(request).header("authorization", "Basic YTpi"),
        status: 400,
        gives_back: true,
        spoil: |_| {},
        declared: None,
        outcome: Outcome::Refused,
        sample: in_pieces,
        suit: |_| {},
        records: None,
    }
}

/// Signing, refused by a provider that knows at once.
pub(crate) fn sign_keyless() -> Case<SigV4SigningLayer> {
    Case {
        bad: |request| by_url(request).header("x-no-key", "1"),
        ..sign_now()
    }
}

/// Signing with a provider that takes its time.
pub(crate) fn sign_later() -> Case<SigV4SigningLayer> {
    Case {
        layer: SigV4SigningLayer::new(Vault),
        ..sign_keyless()
    }
}

/// Signing, refused for the length that the body declares.
pub(crate) fn sign_long() -> Case<SigV4SigningLayer> {
    Case {
        bad: by_url,
        status: 413,
        declared: Some(40 << 20),
        ..sign_now()
    }
}

/// Keeps the beginning of request bodies.
pub(crate) fn capture() -> Case<CaptureRequestLayer> {
    refuses_nothing(CaptureRequestLayer::new())
}

/// Only watches.
pub(crate) fn observe() -> Case<ObservabilityLayer> {
    refuses_nothing(ObservabilityLayer::new().with_sink(Ring::new(10)))
}

fn refuses_nothing<L>(layer: L) -> Case<L> {
    Case {
        layer,
        good: with_token,
        bad: with_token,
        status: 200,
        gives_back: false,
        spoil: |_| {},
        declared: None,
        outcome: Outcome::Complete,
        sample: in_pieces,
        suit: |_| {},
        records: None,
    }
}

/// Refuses what its client is not ready for.
pub(crate) fn upstream() -> Case<UpstreamLayer> {
    Case {
        layer: UpstreamLayer::new(),
        good: by_url,
        bad: by_url,
        status: 502,
        gives_back: true,
        spoil: |watch| watch.readiness(Readiness::Broken),
        declared: None,
        outcome: Outcome::UpstreamError,
        sample: in_pieces,
        suit: |_| {},
        records: None,
    }
}
