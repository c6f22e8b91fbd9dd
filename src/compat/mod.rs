//! OpenAI outside, Bedrock inside: what would OpenAI's request be at Bedrock?
//!
//! 1. `POST /v1/{account}/{gateway}/compat/chat/completions` becomes `POST /model/{id}/converse` or
//!    `…/converse-stream`, and the answer becomes a chat completion or its chunks. Everything else
//!    passes untouched.
//! 2. `model` is an alias of the caller's [`Policy`](crate::Policy), or
//!    `aws-bedrock/{id}`: a model id, an inference profile or any ARN of either. The answer
//!    repeats the name as it was asked for.
//! 3. The region is that of the stored key that will sign ([`with_credentials`]), else the one that
//!    is set ([`with_region`]).
//! 4. Every parameter is *supported*, *ignored and reported* in the response header
//!    `x-bedrock-dropped-params`, or *refused* with 400 and its name in `param`; see
//!    [the contract](#the-contract). With [`Policy::with_strict_parameters`] nothing is ignored.
//! 5. The head of a stream is given once its first frame is known, so that an exception that comes
//!    instead of an answer is an HTTP error. Each frame is sent on as soon as it is complete. A
//!    stream that ends badly (an exception, a cut, a broken frame) ends with an error object and
//!    without a `finish_reason`, usage or `[DONE]` that Bedrock did not send.
//! 6. `GET …/compat/models` lists the aliases, and the models that the caller's allow-list names in
//!    full.
//!
//! [`with_credentials`]: OpenAiCompatLayer::with_credentials
//! [`with_region`]: OpenAiCompatLayer::with_region
//! [`Policy::with_strict_parameters`]: crate::Policy::with_strict_parameters
//!
//! # Refusal
//! OpenAI's error object: 400 with `param` and `code` for what the caller has to change, 404
//! (`model_not_found`) for a model with no such name, 405 with `Allow`, 413 over the limit, as sent or
//! decoded, 415 for a body that is compressed by anything but gzip, 400 for one that broke off or came
//! too slowly (less than 500 bytes per second after 20 seconds), for a request that the caller signed
//! for AWS, since its signature cannot cover the translation, and for the `Host`, `Connection` and
//! `Transfer-Encoding` headers that [`BedrockPathRewriteLayer`](crate::rewrite) refuses too. Errors of Bedrock's are translated:
//!
//! | Bedrock | HTTP | type / code |
//! |---|---|---|
//! | ValidationException | 400 | invalid_request_error / `context_length_exceeded` where that is it |
//! | an unknown model, UnknownOperationException | 404 | invalid_request_error / model_not_found |
//! | AccessDeniedException | 403 | permission_error / model_access_denied |
//! | ThrottlingException | 429, with `retry-after` if known | rate_limit_error / rate_limit_exceeded |
//! | ServiceQuotaExceededException | 429 | insufficient_quota / insufficient_quota |
//! | ModelNotReadyException | 503 | api_error / model_not_ready |
//! | ModelTimeoutException | 504 | api_error / timeout |
//! | ModelErrorException, ModelStreamErrorException | 502 | api_error / model_error |
//! | InternalServerException | 500 | api_error / server_error |
//! | ServiceUnavailableException | 503 | api_error / service_unavailable |
//! | the gateway's own credentials rejected | 502 | api_error / upstream_auth_error |
//!
//! `x-should-retry: false` where trying again cannot help. Account ids and ARNs are left out of texts.
//!
//! # Order
//! Inside [`GatewayAuthLayer`](crate::GatewayAuthLayer), whose token OpenAI's SDKs send as their API
//! key; outside [`BedrockPathRewriteLayer`](crate::BedrockPathRewriteLayer) and
//! [`SigV4SigningLayer`](crate::SigV4SigningLayer), which see a request to Bedrock's Converse and
//! apply their own rules to it: allow-lists, host, signature. Of the caller's headers those go inward
//! that Bedrock knows. Retries belong inside rewriting and outside of signing, as ever.
//!
//! # Deployment
//! A compressing layer outside must leave `text/event-stream` alone, as `tower_http`'s does by
//! default. A proxy that buffers answers takes away what streaming is for.
//!
//! # Cancellation
//! Dropping the future or the body drops the request upstream; what is known by then of tokens is
//! in the record.
//!
//! # Cost
//! A request is parsed once and written once; base64 data is neither decoded nor copied in between.
//! `cargo bench --bench compat` sets it against parsing the same bytes into `serde_json::Value`.
//! A stream holds no more than what came in one piece. The inner service must be [`Clone`], since
//! the request is read before it is called, and its body [`Unpin`], since the first frame is held.
//!
//! # Examples
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_bedrock::body::RequestBody;
//! use tower_bedrock::compat::OpenAiCompatLayer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Stands in for Bedrock.
//! let converse = service_fn(|request: Request<RequestBody<Full<Bytes>>>| async move {
//!     assert_eq!(request.uri(), "/model/amazon.nova-lite-v1%3A0/converse");
//!     let answer = r#"{"output":{"message":{"role":"assistant","content":[{"text":"Hi!"}]}},
//!         "stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}}"#;
//!     let response = Response::builder().header("content-type", "application/json");
//!     Ok::<_, std::convert::Infallible>(response.body(Full::<Bytes>::from(answer)).unwrap())
//! });
//! let service = OpenAiCompatLayer::new().with_region("us-east-1")?.layer(converse);
//!
//! let ask = |body: &'static str| {
//!     Request::post("/v1/acme/prod/compat/chat/completions").body(Full::<Bytes>::from(body))
//! };
//! let request = ask(r#"{"model": "aws-bedrock/amazon.nova-lite-v1:0",
//!     "messages": [{"role": "user", "content": "Hello"}]}"#)?;
//! let response = service.clone().oneshot(request).await?;
//! let body = response.into_body().collect().await?.to_bytes();
//! let completion: serde_json::Value = serde_json::from_slice(&body)?;
//! assert_eq!(completion["choices"][0]["message"]["content"], "Hi!");
//! assert_eq!(completion["usage"]["total_tokens"], 3);
//!
//! let request = ask(r#"{"model": "gpt-4o", "messages": []}"#)?;
//! let response = service.oneshot(request).await?;
//! assert_eq!(response.status(), 404); // no alias of that name
//! # Ok(()) }
//! ```
//! Names of OpenAI's for models of Bedrock's, and nothing ignored in silence:
//! ```
//! use tower_bedrock::{ModelAlias, OpenAiCompatLayer, Policy};
//!
//! # fn main() -> Result<(), tower_bedrock::ConfigError> {
//! let haiku = ModelAlias::new("us.anthropic.claude-haiku-4-5-20251001-v1:0")?;
//! let policy = Policy::new()
//!     .with_model_alias("gpt-4o-mini", haiku)?
//!     .with_strict_parameters(true);
//! let layer = OpenAiCompatLayer::new().with_region("eu-central-1")?.with_policy(policy);
//! # Ok(()) }
//! ```
//!
//! # Limitations
//! Chat completions only, one choice. Images and files are sent as `data:` URLs (or `s3://`, where
//! the model takes that): nothing is fetched. A document costs its model's tokens whole.
//!
//! # The contract
#![doc = include_str!("contract.md")]

mod answer;
mod body;
mod collecting;
mod error;
mod family;
mod future;
mod head;
mod layer;
mod models;
mod plan;
mod reading;
mod request;
mod translation;

pub use self::answer::Chunks;
pub use self::body::CompatBody;
pub use self::error::OpenAiError;
pub use self::future::ResponseFuture;
pub use self::layer::{OpenAiCompat, OpenAiCompatLayer};
pub use self::translation::Translation;
