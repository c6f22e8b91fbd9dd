//! Answers that are read on when their client has left.

use std::time::Duration;

use super::*;

/// A body from a channel, as an upstream's is.
struct Channel {
    pieces: tokio::sync::mpsc::UnboundedReceiver<Bytes>,
    dropped: Arc<AtomicBool>,
}

impl Body for Channel {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.pieces
            .poll_recv(cx)
            .map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::Relaxed);
    }
}

struct Upstream {
    pieces: tokio::sync::mpsc::UnboundedSender<Bytes>,
    dropped: Arc<AtomicBool>,
    ring: Ring,
}

/// A client that has read the first two frames of a stream and left.
async fn left(time: Duration, bytes: u64, content_type: &'static str) -> Upstream {
    let (pieces, receiver) = tokio::sync::mpsc::unbounded_channel();
    let dropped = Arc::new(AtomicBool::new(false));
    let body = Channel {
        pieces: receiver,
        dropped: Arc::clone(&dropped),
    };
    let ring = Ring::new(10);
    let mut response = Some(
        Response::builder()
            .header("content-type", content_type)
            .body(body)
            .unwrap(),
    );
    let inner = service_fn(move |_: Request<Empty<Bytes>>| {
        let response = response.take().unwrap();
        async { Ok::<_, Infallible>(response) }
    });
    let layer = ObservabilityLayer::new().with_drain(time, bytes);
    let mut service = layer.with_sink(ring.clone()).layer(inner);
    let Ok(response) = service.call(post(NATIVE)).await;
    let mut body = response.into_body();
    for frame in frames().into_iter().take(2) {
        pieces.send(frame).unwrap();
        assert!(body.frame().await.unwrap().is_ok());
    }
    drop(body);
    Upstream {
        pieces,
        dropped,
        ring,
    }
}

impl Upstream {
    /// The record, once there is one.
    async fn record(&self) -> Arc<Record> {
        for _ in 0..1000 {
            if let Some(record) = self.ring.snapshot().first() {
                return Arc::clone(record);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no record");
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn the_usage_is_known_afterwards() {
    let upstream = left(HOUR, 10_000, STREAM).await;
    tokio::task::yield_now().await;
    assert!(upstream.ring.is_empty(), "not before the answer has ended");
    let sent: usize = frames().iter().take(2).map(Bytes::len).sum();
    for frame in frames().into_iter().skip(2) {
        upstream.pieces.send(frame).unwrap();
    }
    let Upstream {
        pieces,
        ring,
        dropped,
    } = upstream;
    drop(pieces);
    let upstream = Upstream {
        pieces: tokio::sync::mpsc::unbounded_channel().0,
        ring,
        dropped,
    };
    let record = upstream.record().await;
    assert_eq!(record.outcome, Outcome::ClientDisconnect);
    assert!(!record.success);
    assert_eq!((record.tokens_in, record.tokens_out), (Some(7), Some(3)));
    assert_eq!(record.stop_reason.as_deref(), Some("max_tokens"));
    // As far as the client had it.
    assert_eq!(record.response_size, Some(sent as u64));
    assert!(upstream.dropped.load(Ordering::Relaxed));
    assert_eq!(upstream.ring.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn for_as_long_as_was_said() {
    let upstream = left(Duration::from_secs(5), 10_000, STREAM).await;
    let start = tokio::time::Instant::now();
    let record = upstream.record().await;
    assert!(
        (4..7).contains(&start.elapsed().as_secs()),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(record.outcome, Outcome::ClientDisconnect);
    assert_eq!(record.tokens_in, None);
    assert!(upstream.dropped.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn for_as_many_bytes_as_was_said() {
    let upstream = left(HOUR, 150, STREAM).await;
    for _ in 0..100 {
        let _ = upstream.pieces.send(frames().remove(1));
    }
    upstream.record().await;
    assert!(upstream.dropped.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_no_use_is_let_go() {
    let upstream = left(HOUR, 10_000, "image/png").await;
    assert!(upstream.dropped.load(Ordering::Relaxed));
    assert_eq!(upstream.record().await.outcome, Outcome::ClientDisconnect);
}

#[test]
fn without_a_runtime_and_when_the_runtime_ends() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
    };
    let first = runtime();
    let upstream = first.block_on(left(HOUR, 10_000, STREAM));
    assert!(upstream.ring.is_empty());
    drop(first);
    assert_eq!(only(&upstream.ring).outcome, Outcome::ClientDisconnect);
    assert!(upstream.dropped.load(Ordering::Relaxed));

    let script = Script::new([Step::Data(frames().remove(0)), Step::Wait]);
    let ring = Ring::new(1);
    let mut response = Some(stream(script));
    let inner = service_fn(move |_: Request<Empty<Bytes>>| {
        let response = response.take().unwrap();
        async { Ok::<_, Infallible>(response) }
    });
    let layer = ObservabilityLayer::new().with_drain(HOUR, 10_000);
    let mut service = layer.with_sink(ring.clone()).layer(inner);
    let Ok(response) = now(service.call(post(NATIVE)));
    let mut body = response.into_body();
    assert!(next(&mut body).is_ready());
    drop(body);
    assert_eq!(only(&ring).outcome, Outcome::ClientDisconnect);
}
