//! Prove it: AWS Signature Version 4, made for the request that is sent.
//!
//! 1. A request that the client signed itself (SigV4 in `Authorization` or in the query) passes
//!    untouched, and so does one with a Bedrock API key in `Authorization: Bearer`.
//! 2. Any other is signed with the credentials that a [`ProvideCredentials`] gives. Its body is
//!    held (up to [`with_body_limit`](SigV4SigningLayer::with_body_limit)), hashed as it arrives
//!    and forwarded as the same frames.
//! 3. Signed are `host`, `content-type`, `x-amz-*` and `x-amzn-bedrock-*`
//!    ([`with_signed_headers`](SigV4SigningLayer::with_signed_headers)); what a proxy in between
//!    may change is not. `x-amz-content-sha256` is not sent.
//! 4. Behind [`BedrockPathRewriteLayer`](crate::rewrite) only the headers that Bedrock knows are
//!    forwarded: `content-type`, `accept`, `user-agent`, `amz-sdk-*`, `x-amz-*`,
//!    `x-amzn-bedrock-*`, `anthropic-*`, `openai-*`
//!    ([`with_forwarded_header`](SigV4SigningLayer::with_forwarded_header) adds others). Without
//!    it the request is the program's own, and keeps its headers.
//! 5. If AWS rejects the credentials of this layer, the caller gets 502 with code 2049: it is not
//!    the caller's fault, and AWS's error type goes to the log.
//! 6. If AWS rejects them for the time they were used at, its clock is taken from the `Date` of
//!    the answer, and the next attempt is dated by it
//!    ([`with_clock_skew_correction`](SigV4SigningLayer::with_clock_skew_correction)).
//! 7. `POST /model/{id}/invoke-with-bidirectional-stream` is a conversation: its body is never held,
//!    its messages are signed one by one, see [below](#bidirectional-streams).
//!
//! # What is signed
//! The request as it leaves this layer: method, path, query, the headers of
//! [`SignedHeaders`], and the SHA-256 of the body. The path is normalised and percent-encoded once
//! more for the signature, as AWS does for Bedrock (`%3A` is signed as `%253A`); what is sent
//! stays as it is. Never signed are hop-by-hop headers, `content-length`, `user-agent` and those
//! of tracing (`traceparent`, `tracestate`, `baggage`, `x-amzn-trace-id`), even if named. So this
//! layer is the innermost: a layer inside of it that changed path, host, a signed header or the
//! body would make the signature a wrong one.
//!
//! # What is kept
//! [`Signer`], of which the layer has one, keeps what signatures have in common; its clones and
//! those of the layer share it.
//!
//! | what | good for | at most, per thread that signs at a time |
//! |---|---|---|
//! | the signing key, with HMAC's pads hashed | one day, region, service | 128 |
//! | `x-amz-date` | one second | 1 |
//! | the canonical request's beginning, hashed, and `Authorization` up to the signature | one method, path and set of signed headers; redone in part for a new second | 512 |
//!
//! All of it is kept under the SHA-256 of the credentials (access key id, secret and token), so
//! that rotated ones begin anew and the same id with another secret is another. A request's path
//! and headers are kept only once they come again. What was made from a secret is wiped when it is
//! dropped: with the last clone of the signer, or when others take its place. Requests with a
//! query, with more than 24 signed header values or with a target that is not a path are signed by
//! [`aws_sigv4`], and nothing is kept of them; every signature is the same as its. A request whose
//! route is known costs five SHA-256 blocks beside those of its body, and no allocation.
//!
//! # Bidirectional streams
//! In `InvokeModelWithBidirectionalStream` both sides speak at the same time, for up to eight
//! minutes, and each message of the client's is the payload of another that has its signature,
//! over that of the one before. The chain begins with the signature of the head, which has
//! `STREAMING-AWS4-HMAC-SHA256-EVENTS` in place of the body's hash and in `x-amz-content-sha256`:
//! so AWS documents it, and its SDKs for Java, Kotlin, C++ and Python send it. (That for Rust signs
//! the hash of an empty body and sends no such header; with it, nobody has to guess what was
//! signed.)
//!
//! The client may sign its messages with keys of its own, which nobody checks, as SDKs do that are
//! given some; then each is unwrapped: headers that are just `:date` and `:chunk-signature`, and a
//! message for a payload. Or it sends them bare, as SDKs do with a bearer token. Either way they are
//! wrapped and signed anew, dated by the clock at which each goes out, with the credentials that the
//! conversation began with. Their end is the client's own empty message, or the end of its body;
//! what comes after that message is not read. With a Bedrock API key they go out bare.
//!
//! A message goes on as soon as it is complete. One is held at a time, of at most
//! [`with_message_limit`](SigV4SigningLayer::with_message_limit) (2 MiB) with what it is wrapped in,
//! and the next is asked for when it has been taken. One of more than 4 KiB is not copied but to
//! join it, if it came in pieces. The limits for other bodies, of size and time, are not for these,
//! and `content-length` is removed. Where the client has signed itself, or sent an API key of its
//! own, its bytes pass as they come. The upstream must speak HTTP/2
//! (`UpstreamLayer` asks for it); the client may use HTTP/1.1.
//!
//! What is no conversation ends it. The body inward fails, so that a client resets the stream and
//! the upstream never sees an end that looks good. The caller is refused, if there is no answer
//! yet, and else finds the answer broken off; the record says `refused`, and why:
//!
//! | what | refusal |
//! |---|---|
//! | a checksum that does not match, impossible lengths (0, 15, headers beyond the end), headers that cannot be read | 400 (4000) |
//! | the body ends in the middle of a message | 400 (4000) |
//! | the body fails: the client has left, most likely | 400 (4000); in the record `client_disconnect`, once there is an answer |
//! | bare messages between signed ones, or signed between bare ones, an end included | 400 (4000) |
//! | a signed message that carries something else than one message, or again a signed one | 400 (4000) |
//! | a message over the limit, by its first 12 bytes; headers over 128 KiB | 413 (4013) |
//! | a clock outside of the years 1970 to 9999 | 502 (2049) |
//!
//! An answer that is an error passes, however much of the client's side is still to come.
//!
//! # If AWS does not agree
//! [`explain_mismatch`] takes the request as it was sent and the text of AWS's 403, and says in
//! one line what differs.
//!
//! # Refusal
//! 400 without credentials (code 2044), with an unknown alias (2040), with a body that broke off
//! or came too slowly (4000: less than 500 bytes per second after 20 seconds); 413 (4013); 415
//! (4015).
//!
//! # Order
//! Innermost, but for the client: what is signed must be what is sent. A retry goes outside, so
//! that each attempt is dated afresh: where `UpstreamLayer` or `HyperClient` can tell, a signature
//! that is sent a second time is answered with 500 `StackMisordered` instead. While a client uploads
//! its body the inner service is held ready: put a `concurrency_limit` outside of this layer.
//!
//! # Deployment caveats
//! The host that is signed is that of `Host`, else of the URL, so nothing inside may dial another
//! under its own name: an endpoint override belongs into the rewriting layer or the ready-made
//! client. Bodies that are signed are in memory while they are sent, up to the limit each: a
//! `concurrency_limit` bounds their sum. A provider that waits is asked before the body is read.
//!
//! # Cancellation
//! Dropping the future drops what was read of the body, and the inner service.
//!
//! # Examples
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{Empty, Full};
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_bedrock::credentials::Credentials;
//! use tower_bedrock::sign::{SigV4SigningLayer, SignedBody};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let inner = service_fn(|request: Request<SignedBody<Full<Bytes>>>| async move {
//!     let authorization = request.headers()["authorization"].to_str().unwrap();
//!     assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
//!     assert!(authorization.contains("/us-east-1/bedrock/aws4_request"));
//!     Ok::<_, std::convert::Infallible>(Response::new(Empty::<Bytes>::new()))
//! });
//! let credentials = Credentials::new("AKIDEXAMPLE", "secret")?;
//! let service = SigV4SigningLayer::new(credentials).layer(inner);
//!
//! let url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m%3A0/converse";
//! let request = Request::post(url).body(Full::from("{}"))?;
//! assert_eq!(service.clone().oneshot(request).await?.status(), 200);
//!
//! let request = Request::post(url).header("authorization", "Basic YTpi").body(Full::default())?;
//! assert_eq!(service.oneshot(request).await?.status(), 400);
//! # Ok(()) }
//! ```
//! For a VPC endpoint, whose name tells no region, with smaller bodies and a header more:
//! ```
//! use http::HeaderName;
//! use tower_bedrock::credentials::Credentials;
//! use tower_bedrock::sign::{SigV4SigningLayer, SignedHeaders};
//!
//! const TEAM: HeaderName = HeaderName::from_static("x-team");
//!
//! # fn main() -> Result<(), tower_bedrock::ConfigError> {
//! let layer = SigV4SigningLayer::new(Credentials::new("AKIDEXAMPLE", "secret")?)
//!     .with_region("eu-west-1")
//!     .with_body_limit(4 * 1024 * 1024)
//!     .with_signed_headers(SignedHeaders::EssentialAnd([TEAM].into()))
//!     .with_forwarded_header(TEAM);
//! # let _ = layer;
//! # Ok(()) }
//! ```
//!
//! # Limitations
//! SigV4 only: no SigV4A, no presigned URLs of ours, no `aws-chunked` bodies. A retry inside of this
//! layer is not noticed if no other layer of this crate is there.
//!
//! [`ProvideCredentials`]: crate::credentials::ProvideCredentials

mod body;
mod chain;
mod conversation;
mod future;
mod headers;
mod judge;
mod layer;
mod mismatch;
mod reading;
mod scope;
mod settings;
mod sigv4;
mod skew;

pub use self::body::SignedBody;
pub use self::future::ResponseFuture;
pub use self::layer::{SigV4Signing, SigV4SigningLayer};
pub use self::mismatch::explain_mismatch;
pub use self::sigv4::{
    EventStreamSigner, PayloadHash, PayloadHasher, SignError, SignedHeaders, Signer, SigningParams,
};
