//! What the compiler can tell: checked for every inner service, body and future.

use std::fmt::Debug;

use http_body::Body;
use tower_bedrock::auth::{self, BearerTokens, GatewayAuth, GatewayAuthLayer, Gateways};
use tower_bedrock::body::{Buffered, RequestBody, ResponseBody, UpstreamBody};
use tower_bedrock::compat::{self, CompatBody, OpenAiCompat, OpenAiCompatLayer};
use tower_bedrock::credentials::{Credentials, StoredKey, StoredKeys};
use tower_bedrock::observe::{
    self, CaptureRequest, CapturedBody, JsonLines, Observability, ObservabilityLayer, ObservedBody,
    Ring, Tracing,
};
use tower_bedrock::rewrite::{self, BedrockPathRewrite, BedrockPathRewriteLayer, Endpoints};
use tower_bedrock::sign::{self, SigV4Signing, SigV4SigningLayer, SignedBody};
use tower_bedrock::upstream::{self, HyperClient, TimedBody, Upstream, UpstreamLayer};
use tower_bedrock::{
    ConfigError, Context, Gateway, Policy, Principal, Rejection, RouteConfig, reject,
};

fn shared<T: Send + Sync + Clone + 'static>() {}
fn sent<T: Send>() {}
fn unpin<T: Unpin>() {}
fn shown<T: Debug>() {}
fn default<T: Default>() {}

/// No `Debug` asked of the inner service.
fn service<S: Send + Sync + Clone + 'static>() {
    shared::<GatewayAuth<S>>();
    shared::<OpenAiCompat<S>>();
    shared::<BedrockPathRewrite<S>>();
    shared::<SigV4Signing<S>>();
    shared::<Observability<S>>();
    shared::<Observability<S, observe::Drain>>();
    shared::<CaptureRequest<S>>();
    shared::<Upstream<S>>();
}

fn future<S: Send, B: Send, F: Send>() {
    sent::<auth::ResponseFuture<S, B, F>>();
    sent::<rewrite::ResponseFuture<F, B>>();
    sent::<compat::ResponseFuture<S, B, F, B>>();
    sent::<sign::ResponseFuture<S, B, F>>();
    sent::<reject::ResponseFuture<F, B>>();
    sent::<observe::ResponseFuture<F, B>>();
    sent::<upstream::ResponseFuture<F, B>>();
    shown::<auth::ResponseFuture<S, B, F>>();
    shown::<compat::ResponseFuture<S, B, F, B>>();
    shown::<sign::ResponseFuture<S, B, F>>();
}

fn request_body<B: Body + Send + Unpin>() {
    sent::<RequestBody<B>>();
    sent::<SignedBody<B>>();
    unpin::<RequestBody<B>>();
    unpin::<SignedBody<B>>();
    sent::<CapturedBody<B>>();
    unpin::<CapturedBody<B>>();
}

fn response_body<R: Body + Send + Unpin>() {
    sent::<ResponseBody<R>>();
    unpin::<ResponseBody<R>>();
    sent::<CompatBody<R>>();
    unpin::<CompatBody<R>>();
    sent::<ObservedBody<R>>();
    unpin::<ObservedBody<R>>();
    sent::<TimedBody<R>>();
    unpin::<TimedBody<R>>();
}

/// Nothing at all is asked of the inner body.
fn any_body<R>() {
    default::<ResponseBody<R>>();
    default::<CompatBody<R>>();
    default::<ObservedBody<R>>();
    default::<TimedBody<R>>();
}

#[test]
fn bounds() {
    struct NotDefault;

    service::<crate::probe::Probe>();
    future::<(), (), ()>();
    request_body::<Buffered>();
    response_body::<Buffered>();
    any_body::<NotDefault>();

    shared::<GatewayAuthLayer>();
    shared::<OpenAiCompatLayer>();
    shared::<BedrockPathRewriteLayer>();
    shared::<SigV4SigningLayer>();
    shared::<ObservabilityLayer>();
    shared::<UpstreamLayer>();
    shared::<HyperClient>();
    shared::<Gateway>();
    shown::<GatewayAuthLayer>();
    shown::<OpenAiCompatLayer>();
    shown::<BedrockPathRewriteLayer>();
    shown::<SigV4SigningLayer>();
    shown::<ObservabilityLayer>();
    shown::<UpstreamLayer>();
    shown::<HyperClient>();
    shown::<Gateway>();

    shared::<Gateways>();
    shared::<BearerTokens>();
    shared::<Endpoints>();
    shared::<Credentials>();
    shared::<StoredKey>();
    shared::<StoredKeys>();
    shared::<RouteConfig>();
    shared::<Policy>();
    shared::<Principal>();
    shared::<Context>();
    shared::<Rejection>();
    shared::<ConfigError>();
    shared::<Ring>();
    shared::<Tracing>();
    shared::<JsonLines>();
    shared::<Buffered>();
    sent::<UpstreamBody>();
    unpin::<UpstreamBody>();
}
