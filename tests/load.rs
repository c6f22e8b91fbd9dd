//! Many requests over real sockets, of which some are refused, some are cut off by the upstream and
//! some by the client: each leaves one record, and the right one.

#[path = "support/mod.rs"]
mod support;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use support::{CONVERSE, MODEL, base, before, emulator, eventually, post, serve};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tower_bedrock::Timeouts;
use tower_bedrock::observe::{Metrics, Outcome, Record, Ring};

const REQUESTS: usize = 10_000;
/// So many at a time.
const CLIENTS: usize = 32;

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Whole,
    Streamed,
    Refused,
    /// By the upstream, in the middle of a stream.
    Cut,
    /// The client leaves before there is an answer, after its head, or in the middle.
    LeftWaiting,
    LeftAtHead,
    LeftInside,
}

impl Fate {
    /// 70 % are well, 10 % are refused, 10 % cut off, and of 10 % the client leaves.
    fn of(random: u64) -> Self {
        match random % 30 {
            0..10 => Self::Whole,
            10..21 => Self::Streamed,
            21..24 => Self::Refused,
            24..27 => Self::Cut,
            27 => Self::LeftWaiting,
            28 => Self::LeftAtHead,
            _ => Self::LeftInside,
        }
    }

    fn outcome(self) -> Outcome {
        match self {
            Self::Whole | Self::Streamed => Outcome::Complete,
            Self::Refused => Outcome::Refused,
            Self::Cut => Outcome::UpstreamCut,
            Self::LeftWaiting | Self::LeftAtHead | Self::LeftInside => Outcome::ClientDisconnect,
        }
    }

    fn status(self) -> Option<u16> {
        match self {
            Self::Refused => Some(401),
            Self::LeftWaiting => None,
            _ => Some(200),
        }
    }

    fn request(self, number: usize) -> Request<Full<Bytes>> {
        let (model, operation) = match self {
            Self::Whole => (MODEL, "converse"),
            Self::Streamed | Self::Refused => (MODEL, "converse-stream"),
            Self::Cut => ("us.anthropic.fault.cut", "converse-stream"),
            Self::LeftWaiting => ("us.anthropic.fault.never", "converse"),
            Self::LeftAtHead => ("us.anthropic.fault.hang-body", "converse-stream"),
            Self::LeftInside => ("us.anthropic.fault.slow-frames-60000", "converse-stream"),
        };
        let path = format!("{}/model/{model}/{operation}", base("prod"));
        let mut request = post(&path)
            .header("host", "gateway.test")
            .header("cf-aig-event-id", number.to_string())
            .body(Full::from(CONVERSE))
            .unwrap();
        if let Self::Refused = self {
            let wrong = "Bearer wrong".parse().unwrap();
            request.headers_mut().insert("cf-aig-authorization", wrong);
        }
        request
    }
}

/// As HTTP/1.1.
fn written(request: &Request<Full<Bytes>>) -> Vec<u8> {
    let path = request.uri().path();
    let mut text = format!(
        "POST {path} HTTP/1.1\r\ncontent-length: {}\r\n",
        CONVERSE.len()
    );
    for (name, value) in request.headers() {
        text += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    format!("{text}\r\n{CONVERSE}").into_bytes()
}

/// SplitMix64: the same numbers in every run.
fn random(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A client with one connection at a time.
struct Client {
    address: SocketAddr,
    sender: Option<SendRequest<Full<Bytes>>>,
    connection: JoinSet<()>,
}

impl Client {
    async fn send(&mut self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        loop {
            let mut sender = match self.sender.take() {
                Some(sender) => sender,
                None => self.connect().await,
            };
            if sender.ready().await.is_err() {
                continue;
            }
            let response = sender.send_request(request).await.unwrap();
            self.sender = Some(sender);
            return response;
        }
    }

    async fn connect(&mut self) -> SendRequest<Full<Bytes>> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        self.connection.spawn(async move {
            let _ = connection.await;
        });
        sender
    }

    /// Closes the connection.
    async fn leave(&mut self) {
        self.sender = None;
        self.connection.shutdown().await;
    }

    async fn run(&mut self, fate: Fate, number: usize) {
        let request = fate.request(number);
        if let Fate::LeftWaiting = fate {
            // By hand: the request has left for certain.
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(&written(&request)).await.unwrap();
            return sleep(Duration::from_millis(random(number as u64) % 20)).await;
        }
        let response = self.send(request).await;
        assert_eq!(Some(response.status().as_u16()), fate.status(), "{fate:?}");
        let mut body = response.into_body();
        match fate {
            Fate::LeftAtHead => self.leave().await,
            Fate::LeftInside => {
                body.frame().await.unwrap().unwrap();
                self.leave().await;
            }
            Fate::Cut => {
                assert!(body.collect().await.is_err(), "it was not cut off");
                self.leave().await;
            }
            _ => {
                body.collect().await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_record_of_each_request() {
    let emulator = emulator().await;
    let timeouts = Timeouts {
        connect: Some(Duration::from_secs(20)),
        first_byte: None,
        idle: None,
    };
    let (gateway, records) = before(&emulator.url(), |builder| {
        builder.timeouts(timeouts).sink(Metrics::new())
    });
    let address = serve(gateway).await;

    let next = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let next = Arc::clone(&next);
        clients.spawn(async move {
            let mut client = Client {
                address,
                sender: None,
                connection: JoinSet::new(),
            };
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= REQUESTS {
                    return;
                }
                client.run(Fate::of(random(number as u64)), number).await;
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    let begun = Instant::now();
    while records.len() < REQUESTS && begun.elapsed() < Duration::from_secs(20) {
        sleep(Duration::from_millis(50)).await;
    }
    sleep(Duration::from_millis(300)).await;
    let records = records.snapshot();
    assert_eq!(records.len(), REQUESTS);
    let ids: HashSet<_> = records.iter().map(|record| &record.id).collect();
    assert_eq!(ids.len(), REQUESTS, "an id came twice");
    let by_number: HashMap<usize, &Record> = records
        .iter()
        .map(|record| (record.event_id.parse().unwrap(), &**record))
        .collect();
    let mut counts = HashMap::<_, usize>::new();
    for number in 0..REQUESTS {
        let fate = Fate::of(random(number as u64));
        let record = by_number[&number];
        let found = (record.outcome, record.status_code);
        assert_eq!(
            found,
            (fate.outcome(), fate.status()),
            "{fate:?} {record:#?}"
        );
        assert_eq!(record.success, record.outcome == Outcome::Complete);
        // All of the right kind is known, whenever the client left.
        assert_eq!(record.gateway_id.as_deref(), Some("prod"));
        assert_eq!(
            record.principal.is_some(),
            record.outcome != Outcome::Refused
        );
        let has_usage = record.outcome == Outcome::Complete;
        assert_eq!(
            record.tokens_out.is_some(),
            has_usage,
            "{fate:?} {record:#?}"
        );
        *counts.entry(fate.outcome()).or_default() += 1;
    }
    println!("{counts:?}");
    for outcome in [
        Outcome::Refused,
        Outcome::UpstreamCut,
        Outcome::ClientDisconnect,
    ] {
        assert!((900..1100).contains(&counts[&outcome]), "{counts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_with_one_event_id() {
    let emulator = emulator().await;
    let (gateway, records): (_, Ring) = before(&emulator.url(), |builder| builder);
    let address = serve(gateway).await;
    let mut clients = JoinSet::new();
    for _ in 0..10 {
        clients.spawn(async move {
            let mut client = Client {
                address,
                sender: None,
                connection: JoinSet::new(),
            };
            let mut log_ids = Vec::new();
            for _ in 0..100 {
                let response = client.send(Fate::Whole.request(7)).await;
                assert_eq!(response.headers()["cf-aig-event-id"], "7");
                let id = response.headers()["cf-aig-log-id"].to_str().unwrap();
                log_ids.push(id.to_owned());
                response.into_body().collect().await.unwrap();
            }
            log_ids
        });
    }
    let sent: HashSet<_> = clients.join_all().await.into_iter().flatten().collect();
    assert_eq!(sent.len(), 1000);
    eventually("all records", || records.len() >= 1000).await;
    let records = records.snapshot();
    let kept: HashSet<_> = records.iter().map(|record| record.id.clone()).collect();
    assert_eq!((records.len(), &kept), (1000, &sent));
    assert!(records.iter().all(|record| record.event_id == "7"));
}
