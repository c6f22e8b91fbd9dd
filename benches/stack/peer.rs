//! Both ends of the wire: clients that make requests, and the upstream that answers them. They know
//! just as much of HTTP as that takes, so that the proxy between them is what is busy.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::converse::{ANSWER, ANSWER_HEADERS, on_the_wire};
use crate::events;

const FRAMES: usize = 60;
const FRAME: usize = 170;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Calls,
    Streams,
}

impl Work {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Streams => "streams",
        }
    }

    fn operation(self) -> &'static str {
        match self {
            Self::Calls => "converse",
            Self::Streams => "converse-stream",
        }
    }

    /// The upstream's answer, of which a stream is chunked frame by frame.
    fn answer(self) -> Vec<u8> {
        let mut answer = b"HTTP/1.1 200 OK\r\n".to_vec();
        for (name, value) in ANSWER_HEADERS {
            let value = match (self, name) {
                (Self::Streams, "content-type") => "application/vnd.amazon.eventstream",
                _ => value,
            };
            answer.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        match self {
            Self::Calls => {
                let length = format!("content-length: {}\r\n\r\n", ANSWER.len());
                answer.extend_from_slice(length.as_bytes());
                answer.extend_from_slice(ANSWER);
            }
            Self::Streams => {
                answer.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
                for frame in events::whole(FRAMES, FRAME) {
                    answer.extend_from_slice(format!("{:x}\r\n", frame.len()).as_bytes());
                    answer.extend_from_slice(&frame);
                    answer.extend_from_slice(b"\r\n");
                }
                answer.extend_from_slice(b"0\r\n\r\n");
            }
        }
        answer
    }
}

/// Where the head ends, and how long the body is that it announces.
fn head(message: &[u8]) -> Option<(usize, Option<usize>)> {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = str::from_utf8(&message[..end]).expect("ASCII");
    let length = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse().expect("a length"))
    });
    Some((end, length))
}

/// Whether all of a message is there.
fn is_whole(message: &[u8]) -> bool {
    match head(message) {
        Some((end, Some(length))) => message.len() >= end + length,
        Some((_, None)) => message.ends_with(b"\r\n0\r\n\r\n"),
        None => false,
    }
}

/// Answers on a free port for as long as the runtime lives.
pub(crate) async fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        let answers = [Work::Calls, Work::Streams].map(|work| (work.operation(), work.answer()));
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, answers.clone()));
        }
    });
    address
}

async fn answer(mut stream: TcpStream, answers: [(&'static str, Vec<u8>); 2]) {
    stream.set_nodelay(true).expect("a socket");
    let mut request = Vec::with_capacity(16 << 10);
    while stream
        .read_buf(&mut request)
        .await
        .is_ok_and(|read| read > 0)
    {
        if !is_whole(&request) {
            continue;
        }
        let line = request.split(|byte| *byte == b'\r').next();
        let line = str::from_utf8(line.unwrap_or_default()).expect("ASCII");
        let asked =
            |(operation, _): &&(&str, _)| line.split([' ', '/']).any(|piece| piece == *operation);
        let (_, answer) = answers.iter().find(asked).expect("an operation");
        if stream.write_all(answer).await.is_err() {
            return;
        }
        request.clear();
    }
}

/// Clients that keep their connections from run to run.
pub(crate) struct Load {
    work: Work,
    clients: Vec<(TcpStream, Vec<u8>)>,
}

/// What clients saw.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) took: Duration,
    pub(crate) latencies: Vec<Duration>,
}

impl Load {
    pub(crate) async fn connect(proxy: SocketAddr, work: Work, connections: usize) -> Self {
        let mut clients = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(proxy).await.expect("the proxy");
            stream.set_nodelay(true).expect("a socket");
            clients.push((stream, Vec::with_capacity(32 << 10)));
        }
        Self { work, clients }
    }

    /// Each client makes one request after the other, until the time is up or so many are made.
    pub(crate) async fn run(&mut self, time: Duration, most: usize) -> Seen {
        let request: &'static [u8] = on_the_wire(self.work.operation()).leak();
        let begun = Instant::now();
        let mut clients = JoinSet::new();
        for (mut stream, mut response) in self.clients.drain(..) {
            clients.spawn(async move {
                let mut latencies = Vec::new();
                while latencies.len() < most {
                    let sent = Instant::now();
                    stream.write_all(request).await.expect("sent");
                    response.clear();
                    while !is_whole(&response) {
                        let read = stream.read_buf(&mut response).await.expect("an answer");
                        assert!(read > 0, "the proxy has closed the connection");
                    }
                    assert!(response.starts_with(b"HTTP/1.1 200 OK\r\n"));
                    latencies.push(sent.elapsed());
                    if begun.elapsed() >= time {
                        break;
                    }
                }
                ((stream, response), latencies)
            });
        }
        let mut seen = Seen::default();
        for (client, latencies) in clients.join_all().await {
            self.clients.push(client);
            seen.latencies.extend(latencies);
        }
        seen.took = begun.elapsed();
        seen
    }
}
