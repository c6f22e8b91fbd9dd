//! Bidirectional streams, their messages signed by `aws-sigv4`.

use std::pin::Pin;
use std::task::{Context, Poll};

use aws_sigv4::event_stream::{SigningParams, sign_empty_message, sign_message};
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue as Value_, Message};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use tokio::sync::mpsc;

use super::*;

const SONIC: &str = "amazon.nova-2-sonic-v1%3A0";
const EVENTS: &str = "STREAMING-AWS4-HMAC-SHA256-EVENTS";
const PATIENCE: Duration = Duration::from_secs(20);

/// A request body that is written while it travels.
struct Pipe(mpsc::Receiver<Result<Bytes, std::io::Error>>);

impl Body for Pipe {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0
            .poll_recv(cx)
            .map(|data| data.map(|data| data.map(Frame::data)))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Auth {
    /// The head signed with the hash of nothing, as the SDK for Rust does, or with the word for streams.
    Signed {
        declared: bool,
    },
    Bearer,
}

const SIGNED: Auth = Auth::Signed { declared: false };

/// One open stream, seen by its client.
struct Talk {
    pipe: Option<mpsc::Sender<Result<Bytes, std::io::Error>>>,
    /// The last signature; none where messages travel bare.
    prior: Option<String>,
    at: SystemTime,
    head: http::response::Parts,
    body: Incoming,
    received: Vec<u8>,
}

impl Talk {
    async fn open(emulator: &Emulator, model: &str, auth: Auth, h2: bool) -> Self {
        let mut call = Call::model(model, "invoke-with-bidirectional-stream", "");
        call.headers
            .insert("content-type", HeaderValue::from_static(STREAM));
        Self::with(emulator, call, auth, h2).await
    }

    async fn with(emulator: &Emulator, mut call: Call, auth: Auth, h2: bool) -> Self {
        let host = emulator.addr().to_string();
        let mut prior = None;
        match auth {
            Auth::Signed { declared } => {
                call.sign_as(&host, declared.then_some(EVENTS));
                let authorization = call.headers["authorization"].to_str().unwrap();
                let (_, signature) = authorization.split_once("Signature=").unwrap();
                prior = Some(signature.to_owned());
            }
            Auth::Bearer => {
                let key = HeaderValue::from_static("Bearer bedrock-api-key-1");
                call.headers.insert("authorization", key);
            }
        }
        let (pipe, receiver) = mpsc::channel(4);
        let stream = TcpStream::connect(emulator.addr()).await.unwrap();
        let mut request = Request::post(if h2 {
            format!("http://{host}{}", call.target)
        } else {
            call.headers.insert("host", host.parse().unwrap());
            call.target
        })
        .body(Pipe(receiver))
        .unwrap();
        *request.headers_mut() = call.headers;
        let io = TokioIo::new(stream);
        let response = timeout(PATIENCE, async {
            if h2 {
                let (mut client, connection) =
                    hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
                        .await
                        .unwrap();
                tokio::spawn(connection);
                client.send_request(request).await.unwrap()
            } else {
                let (mut client, connection) =
                    hyper::client::conn::http1::handshake(io).await.unwrap();
                tokio::spawn(connection);
                client.send_request(request).await.unwrap()
            }
        });
        let (head, body) = response.await.unwrap().into_parts();
        Self {
            pipe: Some(pipe),
            prior,
            at: SystemTime::now(),
            head,
            body,
            received: Vec::new(),
        }
    }

    /// Signs a message, or the end, as the next link of the chain.
    fn link(&mut self, message: Option<&Message>) -> Message {
        let identity = Credentials::new(ID, SECRET, None, None, "test").into();
        let params: SigningParams<'_> = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name("bedrock")
            .time(self.at)
            .settings(())
            .build()
            .unwrap();
        let prior = self.prior.take().unwrap();
        let (message, signature) = match message {
            Some(message) => sign_message(message, &prior, &params),
            None => sign_empty_message(&prior, &params),
        }
        .unwrap()
        .into_parts();
        self.prior = Some(signature);
        message
    }

    async fn write(&self, bytes: impl Into<Bytes>) {
        let pipe = self.pipe.as_ref().unwrap();
        let sent = timeout(PATIENCE, pipe.send(Ok(bytes.into())))
            .await
            .unwrap();
        // The other side may have left already, which the test sees in its answer.
        drop(sent);
    }

    async fn send(&mut self, chunk: &[u8]) {
        let message = message(chunk);
        let message = match self.prior {
            Some(_) => self.link(Some(&message)),
            None => message,
        };
        self.write(wire(&message)).await;
    }

    async fn event(&mut self, name: &str, event: Value) {
        let chunk = json!({ "event": { name: event } }).to_string();
        self.send(chunk.as_bytes()).await;
    }

    /// Ends the request as it should be ended.
    async fn end(&mut self) {
        if self.prior.is_some() {
            let end = self.link(None);
            self.write(wire(&end)).await;
        }
        self.pipe = None;
    }

    /// The next message of the answer: what it is, and its payload. Nothing at the clean end.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            let length = self
                .received
                .get(..4)
                .map_or(usize::MAX, |length| (&length[..]).get_u32() as usize);
            if self.received.len() >= length {
                let rest = self.received.split_off(length);
                let one = std::mem::replace(&mut self.received, rest);
                let message = read_message_from(&mut &one[..]).unwrap();
                let name = message.headers()[0].value().as_string().unwrap().as_str();
                let payload = serde_json::from_slice(message.payload()).unwrap();
                return Some((name.to_owned(), payload));
            }
            match timeout(PATIENCE, self.body.frame()).await.unwrap() {
                Some(frame) => {
                    let data = frame.unwrap().into_data().unwrap_or_default();
                    self.received.extend_from_slice(&data);
                }
                None => {
                    assert!(self.received.is_empty());
                    return None;
                }
            }
        }
    }

    /// The bytes of the next chunk of the answer.
    async fn chunk(&mut self) -> Vec<u8> {
        let (name, payload) = self.next().await.unwrap();
        assert_eq!(name, "chunk", "{payload}");
        base64::engine::general_purpose::STANDARD
            .decode(payload["bytes"].as_str().unwrap())
            .unwrap()
    }

    /// The answer's events up to `completionEnd`.
    async fn completion(&mut self) -> Vec<(String, Value)> {
        let mut events = Vec::new();
        loop {
            let chunk: Value = serde_json::from_slice(&self.chunk().await).unwrap();
            let (name, event) = chunk["event"].as_object().unwrap().iter().next().unwrap();
            events.push((name.clone(), event.clone()));
            if name == "completionEnd" {
                return events;
            }
        }
    }

    /// One content from its start to its end.
    async fn say(&mut self, name: &str, role: &str, text: &str) {
        let start = json!({ "promptName": "p", "contentName": name, "type": "TEXT", "role": role });
        self.event("contentStart", start).await;
        let input = json!({ "promptName": "p", "contentName": name, "content": text });
        self.event("textInput", input).await;
        let end = json!({ "promptName": "p", "contentName": name });
        self.event("contentEnd", end).await;
    }

    /// An exception of this name, and after it the end.
    async fn fails(&mut self, name: &str, text: &str) {
        let (got, payload) = self.next().await.unwrap();
        assert_eq!(got, name, "{payload}");
        let message = payload["message"].as_str().unwrap();
        assert!(message.contains(text), "{message}");
        assert_eq!(self.next().await, None);
    }

    async fn refused(self) -> (StatusCode, String, Value) {
        let error = self.head.headers["x-amzn-errortype"].to_str().unwrap();
        let name = error.split(':').next().unwrap().to_owned();
        let body = timeout(PATIENCE, self.body.collect()).await.unwrap();
        let body = serde_json::from_slice(&body.unwrap().to_bytes()).unwrap();
        (self.head.status, name, body)
    }
}

/// A chunk event.
fn message(chunk: &[u8]) -> Message {
    let bytes = base64::engine::general_purpose::STANDARD.encode(chunk);
    let text =
        |name: &'static str, value: &'static str| Header::new(name, Value_::String(value.into()));
    Message::new_from_parts(
        vec![
            text(":message-type", "event"),
            text(":event-type", "chunk"),
            text(":content-type", "application/json"),
        ],
        json!({ "bytes": bytes }).to_string(),
    )
}

fn wire(message: &Message) -> Vec<u8> {
    let mut wire = Vec::new();
    write_message_to(message, &mut wire).unwrap();
    wire
}

/// The verdict on the only request, and how many events it brought.
fn verdict(emulator: &Emulator) -> (Verdict, u64) {
    let [request] = &emulator.take_requests()[..] else {
        panic!("not one request")
    };
    (request.verdict, request.messages)
}

#[tokio::test]
async fn ping_pong_in_a_chain() {
    let emulator = emulator().await;
    for (auth, h2) in [
        (SIGNED, true),
        (SIGNED, false),
        (Auth::Signed { declared: true }, true),
        (Auth::Signed { declared: true }, false),
        (Auth::Bearer, true),
        (Auth::Bearer, false),
    ] {
        let mut talk = Talk::open(&emulator, "example.echo", auth, h2).await;
        assert_eq!(talk.head.status, 200);
        assert_eq!(talk.head.headers["content-type"], STREAM);
        for turn in 0..3 {
            let said = format!("turn {turn}");
            talk.send(said.as_bytes()).await;
            // The request is still open.
            assert_eq!(talk.chunk().await, said.as_bytes());
        }
        assert!(emulator.requests().is_empty());
        talk.end().await;
        assert_eq!(talk.next().await, None);
        let wanted = match auth {
            Auth::Bearer => Verdict::Accepted,
            Auth::Signed { .. } => Verdict::Chained(3),
        };
        let request = &emulator.requests()[0];
        assert!(request.accepted());
        assert_eq!(request.body_len, request.body.len() as u64);
        assert_eq!(verdict(&emulator), (wanted, 3));
    }
    assert_eq!(emulator.aborted(), 0);
}

#[tokio::test]
async fn a_conversation_with_sonic() {
    let emulator = emulator().await;
    let mut talk = Talk::open(&emulator, SONIC, SIGNED, true).await;
    talk.event("sessionStart", json!({ "inferenceConfiguration": {} }))
        .await;
    talk.event("promptStart", json!({ "promptName": "p" }))
        .await;
    talk.say("system", "SYSTEM", "be brief").await;
    for (turn, input) in [("one", 3), ("two", 4)] {
        talk.say(turn, "USER", turn).await;
        let events = talk.completion().await;
        assert_eq!(events[0].0, "completionStart");
        let text: String = events
            .iter()
            .filter(|(name, _)| name == "textOutput")
            .map(|(_, event)| event["content"].as_str().unwrap())
            .collect();
        assert_eq!(text, format!("You said: \"{turn}\""));
        let (_, usage) = events
            .iter()
            .find(|(name, _)| name == "usageEvent")
            .unwrap();
        assert_eq!(usage["totalInputTokens"], input);
    }
    talk.event("promptEnd", json!({ "promptName": "p" })).await;
    talk.event("sessionEnd", json!({})).await;
    talk.end().await;
    assert_eq!(talk.next().await, None);
    assert_eq!(verdict(&emulator), (Verdict::Chained(13), 13));

    let mut talk = Talk::open(&emulator, SONIC, SIGNED, true).await;
    talk.event("promptStart", json!({ "promptName": "p" }))
        .await;
    talk.fails("validationException", "promptStart precedes sessionStart")
        .await;
    let (verdict, messages) = verdict(&emulator);
    assert_eq!(
        (verdict, messages),
        (Verdict::Refused("ValidationException"), 1)
    );
}

#[tokio::test]
async fn heads_that_are_refused() {
    let emulator = emulator().await;
    let call = || {
        let mut call = Call::model("example.echo", "invoke-with-bidirectional-stream", "");
        call.headers
            .insert("content-type", HeaderValue::from_static(STREAM));
        call
    };
    for h2 in [true, false] {
        // The hash of another body than none.
        let hash = hex(&Sha256::digest("x"));
        let other = call().header("x-amz-content-sha256", &hash);
        let refused = Talk::with(&emulator, other, SIGNED, h2)
            .await
            .refused()
            .await;
        assert_eq!(
            (refused.0, &*refused.1),
            (StatusCode::FORBIDDEN, "InvalidSignatureException")
        );
        let verdict = verdict(&emulator);
        assert_eq!(verdict, (Verdict::Refused("InvalidSignatureException"), 0));
        let json = Call::model("example.echo", "invoke-with-bidirectional-stream", "");
        let refused = Talk::with(&emulator, json, SIGNED, h2)
            .await
            .refused()
            .await;
        assert_eq!(
            (refused.0, &*refused.1),
            (StatusCode::BAD_REQUEST, "ValidationException")
        );
        drop(emulator.take_requests());
        let busy = Talk::open(&emulator, "fault.error-429", SIGNED, h2)
            .await
            .refused()
            .await;
        assert_eq!(
            (busy.0, &*busy.1),
            (StatusCode::TOO_MANY_REQUESTS, "ThrottlingException")
        );
        drop(emulator.take_requests());
    }
}

/// Breaks a chain after one good message; what the answer says and what the log says of it.
async fn broken(
    emulator: &Emulator,
    h2: bool,
    text: &str,
    wanted: (Verdict, u64),
    spoil: impl AsyncFnOnce(&mut Talk),
) {
    let mut talk = Talk::open(emulator, "example.echo", SIGNED, h2).await;
    talk.send(b"good").await;
    assert_eq!(talk.chunk().await, b"good");
    spoil(&mut talk).await;
    talk.fails("validationException", text).await;
    assert_eq!(verdict(emulator), wanted, "{text}");
}

#[tokio::test]
async fn broken_chains() {
    let emulator = emulator().await;
    let unsigned = (Verdict::Refused("InvalidSignatureException"), 1);
    let malformed = (Verdict::Refused("ValidationException"), 1);
    let mismatch = "does not match";
    for h2 in [true, false] {
        broken(&emulator, h2, mismatch, unsigned, async |talk| {
            talk.prior = Some("0".repeat(64));
            talk.send(b"forged").await;
        })
        .await;
        broken(&emulator, h2, mismatch, unsigned, async |talk| {
            let [one, two] = [b"one", b"two"].map(|chunk| talk.link(Some(&message(chunk))));
            talk.write([wire(&two), wire(&one)].concat()).await;
        })
        .await;
        broken(&emulator, h2, "and no others", unsigned, async |talk| {
            talk.write(wire(&message(b"bare"))).await;
        })
        .await;
        broken(&emulator, h2, "5 min.", unsigned, async |talk| {
            talk.at = SystemTime::now() - Duration::from_secs(301);
            talk.send(b"late").await;
        })
        .await;
        broken(&emulator, h2, "follows", unsigned, async |talk| {
            let end = talk.link(None);
            talk.write(wire(&end)).await;
            talk.send(b"more").await;
        })
        .await;
        let incomplete = (Verdict::Incomplete, 1);
        broken(
            &emulator,
            h2,
            "without the signed empty",
            incomplete,
            async |talk| {
                talk.pipe = None;
            },
        )
        .await;
        broken(&emulator, h2, "checksum", malformed, async |talk| {
            let message = talk.link(Some(&message(b"x")));
            let mut wire = wire(&message);
            *wire.last_mut().unwrap() ^= 1;
            talk.write(wire).await;
        })
        .await;
        broken(
            &emulator,
            h2,
            "middle of a frame",
            malformed,
            async |talk| {
                let message = wire(&talk.link(Some(&message(b"x"))));
                talk.write(message[..40].to_vec()).await;
                talk.pipe = None;
            },
        )
        .await;
        broken(&emulator, h2, "exactly one", malformed, async |talk| {
            let two = Message::new([wire(&message(b"1")), wire(&message(b"2"))].concat());
            let frame = talk.wrapped(two.payload());
            talk.write(frame).await;
        })
        .await;
        broken(&emulator, h2, "of type chunk", malformed, async |talk| {
            let other = talk.link(Some(&Message::new("{}")));
            talk.write(wire(&other)).await;
        })
        .await;
    }
    // A million bytes are a chunk, one more is none.
    broken(
        &emulator,
        true,
        "less than or equal to 1000000",
        (malformed.0, 2),
        async |talk| {
            let most = vec![b'x'; 1_000_000];
            talk.send(&most).await;
            assert_eq!(talk.chunk().await, most);
            talk.send(&[&most[..], b"x"].concat()).await;
        },
    )
    .await;
    broken(&emulator, true, "bytes where", malformed, async |talk| {
        let huge = vec![b'x'; 3_000_000];
        talk.send(&huge).await;
    })
    .await;
}

impl Talk {
    /// Signs any bytes in the place of an inner message.
    fn wrapped(&mut self, payload: &Bytes) -> Vec<u8> {
        let seconds = self
            .at
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let mut date = b"\x05:date\x08".to_vec();
        date.extend_from_slice(&(seconds * 1000).to_be_bytes());
        let stamp = httpdate(self.at);
        let to_sign = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{stamp}\n{}/us-east-1/bedrock/aws4_request\n{}\n{}\n{}",
            &stamp[..8],
            self.prior.take().unwrap(),
            hex(&Sha256::digest(date)),
            hex(&Sha256::digest(payload)),
        );
        let key = v4::generate_signing_key(SECRET, self.at, "us-east-1", "bedrock");
        let signature = v4::calculate_signature(key, to_sign.as_bytes());
        let raw: Vec<u8> = (0..32)
            .map(|at| u8::from_str_radix(&signature[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        self.prior = Some(signature);
        let date = aws_smithy_types::DateTime::from_secs(seconds.try_into().unwrap());
        wire(&Message::new_from_parts(
            vec![
                Header::new(":date", Value_::Timestamp(date)),
                Header::new(":chunk-signature", Value_::ByteArray(raw.into())),
            ],
            payload.clone(),
        ))
    }
}

#[tokio::test]
async fn either_side_leaves() {
    let emulator = emulator().await;
    for (index, h2) in [true, false].into_iter().enumerate() {
        // The client breaks off its request, then it is gone.
        let mut talk = Talk::open(&emulator, "example.echo", SIGNED, h2).await;
        talk.send(b"here").await;
        assert_eq!(talk.chunk().await, b"here");
        let pipe = talk.pipe.take().unwrap();
        pipe.send(Err(std::io::Error::other("gone"))).await.unwrap();
        drop(talk);
        aborted(&emulator, index as u64 + 1).await;
        assert_eq!(verdict(&emulator), (Verdict::Incomplete, 1));

        // The model ends its answer while the client still listens and could speak.
        let mut talk = Talk::open(&emulator, "fault.exception-first", SIGNED, h2).await;
        talk.send(b"hello").await;
        talk.fails("validationException", "does not suit").await;
        drop(emulator.take_requests());
    }
}

#[tokio::test]
async fn faults() {
    let emulator = emulator().await;
    let mut talk = Talk::open(&emulator, "sonic-fault.exception-mid", SIGNED, true).await;
    talk.event("sessionStart", json!({})).await;
    talk.event("promptStart", json!({ "promptName": "p" }))
        .await;
    talk.say("c", "USER", "hello there").await;
    talk.chunk().await;
    loop {
        let (name, _) = talk.next().await.unwrap();
        if name != "chunk" {
            assert_eq!(name, "modelStreamErrorException");
            break;
        }
    }
    assert_eq!(talk.next().await, None);

    let mut talk = Talk::open(&emulator, "fault.cut", SIGNED, true).await;
    talk.send(b"hello").await;
    let cut = timeout(PATIENCE, async {
        loop {
            match talk.body.frame().await {
                Some(Ok(_)) => {}
                Some(Err(_)) => break true,
                None => break false,
            }
        }
    });
    assert!(cut.await.unwrap());

    let mut talk = Talk::open(&emulator, "fault.slow-frames-300", SIGNED, true).await;
    let begun = Instant::now();
    talk.send(b"hello").await;
    assert_eq!(talk.chunk().await, b"hello");
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

/// Who does not read its answer is not read any further.
#[tokio::test]
async fn a_reader_that_stalls_holds_the_request() {
    let emulator = emulator().await;
    for h2 in [true, false] {
        let mut talk = Talk::open(&emulator, "example.echo", Auth::Bearer, h2).await;
        let chunk = vec![b'x'; 100_000];
        let message = Bytes::from(wire(&message(&chunk)));
        let pipe = talk.pipe.take().unwrap();
        let flood = tokio::spawn(async move {
            for _ in 0..200 {
                pipe.send(Ok(message.clone())).await.unwrap();
            }
        });
        sleep(Duration::from_millis(500)).await;
        assert!(!flood.is_finished());
        for _ in 0..200 {
            assert_eq!(talk.chunk().await.len(), chunk.len());
        }
        assert_eq!(talk.next().await, None);
        assert_eq!(verdict(&emulator), (Verdict::Accepted, 200));
    }
}
