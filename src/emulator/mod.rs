//! A loopback Amazon Bedrock that verifies every signature itself and answers like the real one.
//!
//! It speaks HTTP/1.1 and HTTP/2 (by prior knowledge) on one port, and shares no code with the signing layer: what it
//! accepts was signed correctly, from the request line and headers that really arrived.
//!
//! # Examples
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use tower_bedrock::emulator::Emulator;
//!
//! let emulator = Emulator::builder()
//!     .credentials("AKIDEXAMPLE", "secret")
//!     .start(([127, 0, 0, 1], 0).into())
//!     .await?;
//! println!("Bedrock is at {}", emulator.url());
//! // … send requests, then ask what arrived:
//! assert!(emulator.requests().is_empty());
//! emulator.shutdown().await;
//! # Ok::<_, std::io::Error>(()) }).unwrap();
//! ```
//!
//! # Credentials
//! The canonical request is computed anew: the path as it arrived, percent-encoded once more, the sorted query, the
//! signed headers with `host` from `Host` or `:authority`, the hash of the body that arrived. In this order:
//!
//! | what | answer |
//! |---|---|
//! | no credentials | 403 `MissingAuthenticationTokenException` |
//! | a wrong `Authorization: Bearer` | 403 `AccessDeniedException` |
//! | a malformed claim, two of them, another algorithm | 400 `IncompleteSignatureException` |
//! | wrong terminator, date, service or region in the scope | 403 `InvalidSignatureException` |
//! | unknown key, wrong or missing session token | 403 `UnrecognizedClientException` |
//! | expired credentials | 403 `ExpiredTokenException` |
//! | more than five minutes off, `host` or an `x-amz-*` header not signed, wrong signature or `x-amz-content-sha256` | 403 `InvalidSignatureException` |
//!
//! An AWS host (`bedrock-runtime.us-east-1.amazonaws.com`) fixes service and region; with any other host `/model/…` is
//! service `bedrock`, the rest `bedrock` or `bedrock-mantle`, in any region.
//!
//! # Operations
//! Converse, ConverseStream, InvokeModel, InvokeModelWithResponseStream and CountTokens below `/model/{id}/`, the id one
//! segment; `/v1` and `/openai/v1` chat completions and responses, `/anthropic/v1/messages`, `GET /foundation-models`.
//! InvokeModelWithBidirectionalStream is [below](#bidirectional-streams). Anything else, an ARN spread over several segments included, is the 200 with `UnknownOperationException` that AWS sends.
//! InvokeModel bodies are Anthropic's for ids with `anthropic`, Nova's for ids with `nova`, else they follow the request.
//!
//! The answer repeats the last user message. **A token is a whitespace-separated word**: input tokens are the words of all
//! texts in `system` and `messages`, output tokens those of the answer, which the request's token limit may cut.
//!
//! # Converse
//! Converse and ConverseStream look at a request as the service does, and refuse it with a 400 `ValidationException` in
//! the service's words (a 403 `AccessDeniedException` where caching is not to be had):
//!
//! 1. **Shapes**: every member of the service model with its type, length, range, pattern and enumeration; unknown keys;
//!    unions with other than one member; base64; base64 of nothing.
//! 2. **The conversation**: who begins, ends and alternates; no empty message or blank text; `toolUse` only from the
//!    assistant and `toolResult` only from the user, each call answered in the next turn and nothing else answered;
//!    `toolConfig` wherever there are calls; names, number and company of documents; at most four cache points.
//! 3. **The model**, by a part of its id: `system` beside and among the messages, tools, `toolChoice`, `strict`,
//!    `temperature` and `topP`, thinking and effort, `stopSequences`, media and where they come from, what may stand
//!    beside and in a tool result, prefill, `outputConfig.textFormat`, unknown `additionalModelRequestFields` (Claude,
//!    Nova). What no documentation and no recording tells is taken, and so is everything for an id that hides its
//!    model.
//!
//! An id without a vendor names no model. Messages of one role in a row are one turn, but Nova wants them to
//! alternate. `outputConfig.textFormat` is taken by Claude 4.5 and 4.6, Opus 4.8, Sonnet 5 and 5.5, Haiku 5.5 and by
//! the open models that answered it in recordings.
//!
//! The answer then is
//!
//! | request | answer |
//! |---|---|
//! | a guardrail and a user's text with `blocked-by-guardrail` | its message, `guardrail_intervened`, no usage, a trace if asked for |
//! | `toolChoice` `any` or `tool` | a call of the first tool or of that one, without text |
//! | the names of tools in the last user message, which brings no results | a text if it says more than that, then a call of each in the order of the list; of one only with `disable_parallel_tool_use` |
//! | `outputConfig.textFormat` | JSON that fits the schema |
//! | tool results | a text that repeats their texts |
//! | anything else | the text above, cut at a stop sequence or by `maxTokens` |
//!
//! Values for schemas have the required properties: the first of an enumeration, 1, `true`, one item, and for a string the
//! word after "in", else the last word of the prompt. Tool input is streamed in fragments by Claude (for no parameters:
//! one empty fragment), whole by Nova (`{}`) and the others (nothing).
//!
//! With thinking on, Claude begins with a signed thought, or with one that it does not show if the prompt says
//! `redacted-thinking`; a thought that comes back must carry the signature that this emulator gave it. Nova 2 shows
//! `[REDACTED]`, gpt-oss and Qwen an unsigned thought if they are told how hard to think.
//!
//! A request with cache points has `cacheReadInputTokens` for its longest prefix that an earlier request of the same model
//! ended a cache point with, and `cacheWriteInputTokens` for the rest of what it marks. The last 4096 prefixes are known;
//! there is no least length, nothing expires, and tools count no words. `serviceTier` and `performanceConfig` come back.
//!
//! # Bidirectional streams
//! `POST /model/{id}/invoke-with-bidirectional-stream` is answered message by message while the request arrives, over HTTP/2
//! and HTTP/1.1. The request is read only as its answer is, one message at a time.
//!
//! With a signed head (over the hash of nothing, or with `x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-EVENTS`) every
//! message must have `:date` and `:chunk-signature` and no other header, continue the chain that the head's signature
//! begins, be dated at most five minutes off, and wrap one message; its own date stands in the scope. A signed empty
//! message ends the stream. [`Verdict::Chained`] says that all of that was so. With an API key the messages come bare, and
//! the end of the body is the end.
//!
//! A message is an event `chunk` with `{"bytes":"<base64>"}`, at most 1,000,000 bytes. What is wrong with one is told in a
//! `validationException`, after which the answer ends; [`ReceivedRequest::verdict`] has the exception that a whole request
//! would have got, such as `InvalidSignatureException`.
//!
//! - An id with `sonic` is a Nova Sonic: `sessionStart`, `promptStart`, contents (`contentStart`, `textInput` or
//!   `audioInput` or `toolResult`, `contentEnd`), `promptEnd`, `sessionEnd`, in that order. After each content of the user
//!   (but for `"interactive": false`) and of a tool come `completionStart`, what was heard, the answer as text and, where
//!   the prompt has an `audioOutputConfiguration`, as audio that repeats the user's, `usageEvent`, `completionEnd`. 1000
//!   bytes of audio are a token. A session lasts eight minutes at most, the request five seconds longer than its last event.
//! - Any other model repeats every chunk.
//!
//! # Faults
//! A model id that contains `fault.`, such as `us.anthropic.fault.throttle-2`, chooses one:
//!
//! | `fault.` | what happens |
//! |---|---|
//! | `throttle-N` | 429 `ThrottlingException` for the first N calls of this id |
//! | `error-S` | the exception of status S: 400, 403, 404, 408, 424, 429, 500, 503; or `quota`, `not-ready` |
//! | `slow-first-byte-MS` | nothing, not even the head, for MS milliseconds |
//! | `slow-frames-MS` | MS milliseconds between frames |
//! | `exception-first` | 200, and the first frame is a `validationException` |
//! | `exception-mid` | a `modelStreamErrorException` after half of the frames |
//! | `cut` | the transfer is aborted half way |
//! | `no-message-stop` | the stream ends cleanly before `messageStop` |
//! | `bad-crc` | the middle frame has a wrong checksum |
//! | `oversized-frame` | half way a valid prelude announces 4 GiB |
//! | `unknown-operation` | 200 with `UnknownOperationException` |
//! | `expired` | 403 `ExpiredTokenException` |
//! | `never` | no answer |
//! | `hang-body` | the head and nothing more |
//! | `large-N` | a text of N bytes (64 MiB at most) |
//!
//! In a bidirectional stream `throttle`, `error`, `slow-first-byte`, `never`, `expired` and `unknown-operation` come instead
//! of the head, `slow-frames` goes before every frame, `large` does nothing, and the others spoil the first completion (the
//! first chunk of a model that is no Nova Sonic).
//!
//! # Replay
//! [`EmulatorBuilder::replay`] answers from a file instead: one JSON object a line with `id`, `request` (`method`, `url`,
//! `body` or `body_omitted` with its `sha256`) and `response` (`status`, `headers` as pairs, `body` or `body_b64`). The
//! request header `x-replay-id` chooses by id; else operation, model and body (bytes or JSON value) do, and equal requests
//! get their recordings in file order, from the start again after the last. Nothing found is a 404.
//!
//! # Limitations
//! Asynchronous invocations, citations and the contents of files are not emulated; tools, schemas,
//! thinking and guardrails are in Converse only. A Nova Sonic calls no tools, and only the end of a content ends a turn.
//! Bodies are read whole, up to 64 MiB, but for bidirectional streams, which are not replayed.

mod answer;
mod builder;
mod canonical;
mod claude;
mod converse;
mod duplex;
mod faults;
mod hash;
mod keys;
mod log;
mod native;
mod nova;
mod operations;
mod prompt;
mod refusal;
mod replay;
mod reply;
mod scope;
mod script;
mod server;
mod verify;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use self::builder::EmulatorBuilder;
pub use self::log::{ReceivedRequest, Verdict};

use self::builder::Settings;
use self::server::State;

/// A running emulator. Clones share it; when the last is dropped it stops to accept and closes what is open.
///
/// See the [module docs](self).
#[derive(Clone)]
pub struct Emulator {
    inner: Arc<Inner>,
}

struct Inner {
    address: SocketAddr,
    state: Arc<State>,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Emulator {
    /// Begins the configuration of an emulator.
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::new()
    }

    async fn start(settings: Settings, address: SocketAddr) -> io::Result<Self> {
        let state = Arc::new(State::new(settings));
        let (stop, stopped) = watch::channel(false);
        let (address, task) = server::start(address, Arc::clone(&state), stopped).await?;
        let inner = Inner {
            address,
            state,
            stop,
            task: Mutex::new(Some(task)),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The address that it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.inner.address
    }

    /// Its endpoint, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.inner.address)
    }

    /// The last thousand requests, in the order in which their bodies were complete.
    #[must_use]
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.inner.state.log.all()
    }

    /// The same, and forgets them.
    #[must_use]
    pub fn take_requests(&self) -> Vec<ReceivedRequest> {
        self.inner.state.log.take()
    }

    /// How many exchanges their peer left before the request or the answer was over.
    #[must_use]
    pub fn aborted(&self) -> u64 {
        self.inner.state.aborted.load(Ordering::Relaxed)
    }

    /// Stops to accept, gives open connections half a second to finish, closes them.
    pub async fn shutdown(&self) {
        self.inner.stop.send_replace(true);
        let task = self
            .inner
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator")
            .field("addr", &self.inner.address)
            .finish_non_exhaustive()
    }
}
