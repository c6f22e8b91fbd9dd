//! Thousands of streams at a time through the gateway example, in a process of its own: all end
//! well, and none of them costs more memory than it should, read or not.
//!
//! `TOWER_BEDROCK_STREAMS` says how many; each takes two file descriptors here and two there.
//!
//! ```text
//! TOWER_BEDROCK_STREAMS=10000 cargo test --release --test streams -- --nocapture
//! ```
#![cfg(target_os = "linux")]

#[path = "support/built.rs"]
mod built;

use std::fs;
use std::future::ready;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, request};
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::server;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower_bedrock::eventstream::event;

/// The most that a stream may cost which nobody reads, or whose upstream reads nothing.
const MOST: usize = 64 * 1024;
const BODY: &str = r#"{"messages":[{"role":"user","content":[{"text":"hello"}]}]}"#;
const PATH: &str = "/v1/demo/demo/aws-bedrock/bedrock-runtime/us-east-1/model/m/converse-stream";
const CONVERSATION: &str =
    "/v1/demo/demo/aws-bedrock/bedrock-runtime/us-east-1/model/m/invoke-with-bidirectional-stream";
const CLIENTS_KEY: &str = "AWS4-HMAC-SHA256 Credential=AK/20260102/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=00ff";

fn streams() -> usize {
    let wanted = std::env::var("TOWER_BEDROCK_STREAMS");
    wanted.map_or(150, |text| text.parse().expect("a number"))
}

/// The gateway example, before `upstream`.
struct Gateway {
    child: Child,
    address: SocketAddr,
}

impl Gateway {
    fn before(upstream: SocketAddr, log: Option<&str>) -> Self {
        let mut command = Command::new(built::binary("gateway"));
        command
            .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .args(["--endpoint", &format!("http://{upstream}")])
            .args(log.into_iter().flat_map(|log| ["--log-file", log]))
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://");
        let address = address.expect(&line).parse().unwrap();
        Self { child, address }
    }

    /// Memory in use, in bytes.
    fn memory(&self) -> usize {
        let file = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(file).unwrap();
        let line = text.lines().find(|line| line.starts_with("RssAnon:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        kib.unwrap().parse::<usize>().unwrap() * 1024
    }

    /// Time that it has used of the processor, in hundredths of a second.
    fn ticks(&self) -> u64 {
        let file = format!("/proc/{}/stat", self.child.id());
        let text = fs::read_to_string(file).unwrap();
        // After the name, which may be anything: the state is the third field.
        let (_, fields) = text.rsplit_once(") ").unwrap();
        let field = |number: usize| fields.split(' ').nth(number - 3);
        let ticks = |number| field(number).unwrap().parse::<u64>().unwrap();
        ticks(14) + ticks(15)
    }

    /// Memory in use once it has nothing to do any more: until then, what is sent goes into what the
    /// kernel holds for each connection, and nothing waits here.
    async fn stalled(&self) -> usize {
        let start = Instant::now();
        let mut before = self.ticks();
        loop {
            sleep(Duration::from_millis(500)).await;
            let now = self.ticks();
            if now <= before + 1 {
                return self.memory();
            }
            assert!(start.elapsed() < Duration::from_secs(120), "it goes on");
            before = now;
        }
    }

    /// Once it does not change any more.
    async fn settled(&self) -> usize {
        let mut before = self.memory();
        for _ in 0..40 {
            sleep(Duration::from_millis(250)).await;
            let now = self.memory();
            if now.abs_diff(before) < 64 * 1024 {
                return now;
            }
            before = now;
        }
        before
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What an upstream does with every request.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Sends a frame now and then, and the end of the message when it is told to.
    Trickle,
    /// Sends as fast as it can, without end: a frame with so much text, again and again.
    Flood(usize),
    /// Reads the head and no more.
    Deaf,
    /// Over HTTP/2, reads the head and no more, and sends as fast as it can.
    Conversation,
}

struct Upstream {
    address: SocketAddr,
    /// Requests that came.
    begun: Arc<AtomicUsize>,
    finish: watch::Sender<bool>,
}

impl Upstream {
    async fn start(way: Way) -> Self {
        // What the kernel holds is not what is measured: let it be little.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(32 * 1024).unwrap();
        socket.set_recv_buffer_size(32 * 1024).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(4096).unwrap();
        let address = listener.local_addr().unwrap();
        let (finish, told) = watch::channel(false);
        let begun = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&begun);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (told, counter) = (told.clone(), Arc::clone(&counter));
                tokio::spawn(async move {
                    match way {
                        Way::Conversation => converse(stream, &counter).await,
                        _ => serve(stream, way, told, &counter).await,
                    }
                });
            }
        });
        Self {
            address,
            begun,
            finish,
        }
    }

    async fn has_begun(&self, count: usize) {
        let start = Instant::now();
        while self.begun.load(Ordering::Relaxed) < count {
            assert!(
                start.elapsed() < Duration::from_secs(120),
                "not all arrived"
            );
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Serves the requests of one connection.
async fn serve(
    mut stream: TcpStream,
    way: Way,
    mut told: watch::Receiver<bool>,
    begun: &AtomicUsize,
) -> Option<()> {
    let mut head = [0; 8192];
    let piece = match way {
        Way::Flood(length) => delta(length),
        Way::Trickle | Way::Deaf | Way::Conversation => delta(20),
    };
    loop {
        let length = stream.read(&mut head).await.ok().filter(|read| *read > 0)?;
        assert!(head[..length].starts_with(b"POST /model/m/converse-stream"));
        begun.fetch_add(1, Ordering::Relaxed);
        if way == Way::Deaf {
            return std::future::pending().await;
        }
        let start = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\nx-amzn-requestid: fee46e85-5227-4ed7-b80e-6b0f40a4f808\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(start.as_bytes()).await.ok()?;
        write(&mut stream, &first()).await?;
        while !*told.borrow() {
            write(&mut stream, &piece).await?;
            if way == Way::Trickle {
                let _ = timeout(Duration::from_secs(1), told.changed()).await;
            }
        }
        write(&mut stream, &last()).await?;
        stream.write_all(b"0\r\n\r\n").await.ok()?;
    }
}

/// The same again and again; what comes from the other side, if anything does, is not read.
struct Endless {
    piece: Bytes,
    _unread: Option<Incoming>,
}

impl Endless {
    /// An upload.
    fn bytes() -> Self {
        let (piece, _unread) = (vec![b'x'; 16 * 1024].into(), None);
        Self { piece, _unread }
    }

    /// One side of a conversation.
    fn messages(_unread: Option<Incoming>) -> Self {
        let words = format!(r#"{{"bytes":"{}"}}"#, "x".repeat(1000));
        let piece = event("chunk", words.as_bytes());
        Self { piece, _unread }
    }
}

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(Some(Ok(Frame::data(self.piece.clone()))))
    }
}

/// Serves conversations that nobody listens to.
async fn converse(stream: TcpStream, begun: &AtomicUsize) -> Option<()> {
    let service = service_fn(|request: Request<Incoming>| {
        begun.fetch_add(1, Ordering::Relaxed);
        let answer = Response::builder()
            .header("content-type", "application/vnd.amazon.eventstream")
            .body(Endless::messages(Some(request.into_body())).boxed());
        ready(answer)
    });
    server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await
        .ok()
}

async fn write(stream: &mut TcpStream, frame: &[u8]) -> Option<()> {
    let mut chunk = format!("{:x}\r\n", frame.len()).into_bytes();
    chunk.extend_from_slice(frame);
    chunk.extend_from_slice(b"\r\n");
    stream.write_all(&chunk).await.ok()
}

fn first() -> Bytes {
    event("messageStart", br#"{"role":"assistant"}"#)
}

fn delta(length: usize) -> Bytes {
    let text = "x".repeat(length);
    let json = format!(r#"{{"contentBlockIndex":0,"delta":{{"text":"{text}"}}}}"#);
    event("contentBlockDelta", json.as_bytes())
}

fn last() -> Vec<u8> {
    let metadata = br#"{"usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3},"metrics":{"latencyMs":1}}"#;
    let stop = event("messageStop", br#"{"stopReason":"end_turn"}"#);
    [&stop[..], &event("metadata", metadata)].concat()
}

type Body = BoxBody<Bytes, std::convert::Infallible>;

/// Connections of HTTP/2, each for as many streams as the gateway takes on one.
struct Clients {
    address: SocketAddr,
    sender: Option<http2::SendRequest<Body>>,
    /// Streams on each.
    most: usize,
    used: usize,
}

impl Clients {
    fn of(gateway: &Gateway) -> Self {
        Self {
            address: gateway.address,
            sender: None,
            most: 200,
            used: 0,
        }
    }

    async fn sender(&mut self) -> http2::SendRequest<Body> {
        if self.used.is_multiple_of(self.most) {
            let stream = TcpStream::connect(self.address).await.unwrap();
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                // Small, so that what is not read stays in the gateway.
                .initial_stream_window_size(16 * 1024)
                .initial_connection_window_size(64 * 1024 * 1024)
                .handshake(TokioIo::new(stream))
                .await
                .unwrap();
            tokio::spawn(connection);
            self.sender = Some(sender);
        }
        self.used += 1;
        self.sender.clone().unwrap()
    }

    /// So many streams, which have begun.
    async fn open_many(&mut self, count: usize) -> Vec<Response<Incoming>> {
        let mut open = Vec::new();
        while open.len() < count {
            let mut some = JoinSet::new();
            for _ in 0..200.min(count - open.len()) {
                let mut sender = self.sender().await;
                let request = ask(self.address).body(whole()).unwrap();
                some.spawn(async move {
                    sender.ready().await.unwrap();
                    sender.send_request(request).await.unwrap()
                });
            }
            open.extend(some.join_all().await);
        }
        open
    }
}

fn ask(address: SocketAddr) -> request::Builder {
    Request::post(format!("http://{address}{PATH}"))
        .header("cf-aig-authorization", "Bearer demo-token")
        .header("content-type", "application/json")
}

fn whole() -> Body {
    Full::from(BODY).boxed()
}

fn report(what: &str, count: usize, before: usize, after: usize) -> usize {
    let each = after.saturating_sub(before) / count;
    println!(
        "{what}: {count} streams, {each} bytes each ({} KiB before, {} KiB with them)",
        before / 1024,
        after / 1024
    );
    each
}

/// All of them at a time, each to its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_at_a_time() {
    let count = streams();
    let upstream = Upstream::start(Way::Trickle).await;
    let log = std::env::temp_dir().join(format!("streams-{}.jsonl", std::process::id()));
    let gateway = Gateway::before(upstream.address, Some(log.to_str().unwrap()));
    let mut clients = Clients::of(&gateway);
    let warm = clients.open_many(20).await;
    let before = gateway.settled().await;

    let start = Instant::now();
    let mut open = clients.open_many(count).await;
    let took = start.elapsed();
    upstream.has_begun(count + 20).await;
    sleep(Duration::from_secs(2)).await;
    let after = gateway.memory();
    let each = report("open", count, before, after);
    println!("open: all of them after {took:?}");
    open.extend(warm);
    upstream.finish.send_replace(true);
    let mut reading = JoinSet::new();
    for response in open {
        reading.spawn(async move {
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert!(body.starts_with(&first()));
            assert!(body.ends_with(&last()));
        });
    }
    let all = timeout(Duration::from_secs(120), reading.join_all()).await;
    assert_eq!(all.unwrap().len(), count + 20);
    let records = || fs::read_to_string(&log).unwrap_or_default();
    let start = Instant::now();
    while records().lines().count() < count + 20 && start.elapsed() < Duration::from_secs(20) {
        sleep(Duration::from_millis(50)).await;
    }
    let records = records();
    let ended = records.lines();
    let complete = ended.filter(|line| line.contains(r#""outcome":"complete""#));
    assert_eq!(
        (complete.count(), records.lines().count()),
        (count + 20, count + 20)
    );
    fs::remove_file(&log).unwrap();
    assert!(each < MOST);
}

/// Texts as a model sends them, and longer than all that is held of one.
const LENGTHS: [usize; 2] = [20, 200_000];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_nobody_reads_over_http2() {
    let count = streams();
    for length in LENGTHS {
        let upstream = Upstream::start(Way::Flood(length)).await;
        let gateway = Gateway::before(upstream.address, None);
        let mut clients = Clients::of(&gateway);
        let warm = clients.open_many(20).await;
        let before = gateway.stalled().await;
        let open = clients.open_many(count).await;
        let after = gateway.stalled().await;
        let each = report("not read, HTTP/2", count, before, after);
        drop((warm, open));
        assert!(each < MOST);
    }
}

/// Requests over HTTP/1.1, on a connection each.
async fn http1(gateway: &Gateway, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let mut open = Vec::new();
    for _ in 0..count {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let mut stream = socket.connect(gateway.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        open.push(stream);
    }
    open
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_nobody_reads_over_http1() {
    let count = streams().min(4000);
    for length in LENGTHS {
        let upstream = Upstream::start(Way::Flood(length)).await;
        let gateway = Gateway::before(upstream.address, None);
        let request = format!(
            "POST {PATH} HTTP/1.1\r\nhost: gateway\r\ncf-aig-authorization: Bearer demo-token\r\ncontent-length: {}\r\n\r\n{BODY}",
            BODY.len()
        );
        let warm = http1(&gateway, 20, request.as_bytes()).await;
        upstream.has_begun(20).await;
        let before = gateway.stalled().await;
        let open = http1(&gateway, count, request.as_bytes()).await;
        upstream.has_begun(count + 20).await;
        let after = gateway.stalled().await;
        let each = report("not read, HTTP/1.1", count, before, after);
        drop((warm, open));
        assert!(each < MOST);
    }
}

/// Uploads that stream through to an upstream that does not read them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_that_nobody_reads() {
    let count = streams().min(4000);
    let upstream = Upstream::start(Way::Deaf).await;
    let gateway = Gateway::before(upstream.address, None);
    let mut clients = Clients::of(&gateway);
    // More of them would have to share a connection's window.
    clients.most = 8;
    let mut open = JoinSet::new();
    let mut before = 0;
    for number in 0..count + 20 {
        if number == 20 {
            upstream.has_begun(20).await;
            before = gateway.stalled().await;
        }
        let mut sender = clients.sender().await;
        let request = ask(gateway.address).header("authorization", CLIENTS_KEY);
        let request = request.body(Endless::bytes().boxed()).unwrap();
        open.spawn(async move {
            let _ = sender.send_request(request).await;
        });
    }
    upstream.has_begun(count + 20).await;
    let after = gateway.stalled().await;
    let http2 = report("upload, HTTP/2", count, before, after);
    drop(open);

    let gateway = Gateway::before(upstream.address, None);
    let request = format!(
        "POST {PATH} HTTP/1.1\r\nhost: gateway\r\ncf-aig-authorization: Bearer demo-token\r\nauthorization: {CLIENTS_KEY}\r\ncontent-length: {}\r\n\r\n",
        1u64 << 40
    );
    let mut writing = JoinSet::new();
    let mut before = 0;
    let seen = upstream.begun.load(Ordering::Relaxed);
    for number in 0..count + 20 {
        if number == 20 {
            upstream.has_begun(seen + 20).await;
            before = gateway.stalled().await;
        }
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        let request = request.clone();
        writing.spawn(async move {
            stream.write_all(request.as_bytes()).await.unwrap();
            while stream.write_all(&[b'x'; 16 * 1024]).await.is_ok() {}
        });
    }
    upstream.has_begun(seen + count + 20).await;
    let after = gateway.stalled().await;
    let http1 = report("upload, HTTP/1.1", count, before, after);
    // Over HTTP/2, a window of 32 KiB and a frame of 16 KiB.
    assert!(http2 < MOST + 32 * 1024 && http1 < MOST);
}

/// Conversations of which neither side listens: two connections of HTTP/2, or nearly, and a window of
/// 32 KiB on each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conversations_that_nobody_follows() {
    let count = (streams() / 3).min(1000);
    for (on_each, most) in [(1, 3 * MOST), (8, 3 * MOST - 16 * 1024)] {
        let upstream = Upstream::start(Way::Conversation).await;
        let gateway = Gateway::before(upstream.address, None);
        let mut clients = Clients::of(&gateway);
        clients.most = on_each;
        let mut open = Vec::new();
        let mut before = 0;
        for number in 0..count + 20 {
            if number == 20 {
                before = gateway.stalled().await;
            }
            let mut sender = clients.sender().await;
            let request = Request::post(format!("http://{}{CONVERSATION}", gateway.address))
                .header("cf-aig-authorization", "Bearer demo-token")
                .header("content-type", "application/vnd.amazon.eventstream")
                .body(Endless::messages(None).boxed())
                .unwrap();
            open.push(sender.send_request(request).await.unwrap());
        }
        let after = gateway.stalled().await;
        let what = format!("conversations, {on_each} on a connection");
        let each = report(&what, count, before, after);
        drop(open);
        assert!(each < most);
    }
}

/// A gateway that is told to stop waits for answers, and not for a peer that has sent half of a
/// request, on a new connection or on one that was used.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_answers_alone() {
    let upstream = Upstream::start(Way::Trickle).await;
    let mut gateway = Gateway::before(upstream.address, None);
    let refused = "POST / HTTP/1.1\r\nhost: gateway\r\ncontent-length: 0\r\n\r\n";
    let mut halves = http1(&gateway, 2, b"").await;
    halves[1].write_all(refused.as_bytes()).await.unwrap();
    halves[1].read_exact(&mut [0; 100]).await.unwrap();
    for half in &mut halves {
        half.write_all(b"POST /v1/demo").await.unwrap();
    }
    let mut clients = Clients::of(&gateway);
    let open = clients.open_many(1).await.pop().unwrap();
    sleep(Duration::from_millis(200)).await;

    let id = gateway.child.id().to_string();
    let kill = Command::new("kill").args(["-TERM", &id]).status().unwrap();
    assert!(kill.success());
    let start = Instant::now();
    let mut end = [0; 4096];
    for half in &mut halves {
        let ended = timeout(Duration::from_secs(20), async {
            while half.read(&mut end).await.is_ok_and(|read| read > 0) {}
        });
        assert!(ended.await.is_ok(), "it is still open");
    }
    // Longer than that, the stream goes on.
    sleep(Duration::from_secs(2)).await;
    assert!(gateway.child.try_wait().unwrap().is_none());
    upstream.finish.send_replace(true);
    let body = open.into_body().collect().await.unwrap().to_bytes();
    assert!(body.ends_with(&last()));
    drop(clients);
    while gateway.child.try_wait().unwrap().is_none() {
        assert!(
            start.elapsed() < Duration::from_secs(25),
            "it does not stop"
        );
        sleep(Duration::from_millis(20)).await;
    }
}
