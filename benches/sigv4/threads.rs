//! Two threads that sign at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower::Layer;
use tower_bedrock::sign::SigV4SigningLayer;

use crate::layer::{Keep, call};
use crate::variant::{Variant, batches};
use crate::{request, signer};

/// So many requests a thread signs without a pause.
pub(crate) const RUN: usize = 256;

/// When a thread began, and when it was done.
type Span = (Instant, Instant);

/// Both threads use one layer; each has a service of its own.
pub(crate) fn shared(column: &'static str, row: &'static str, body: &Bytes) -> Variant {
    let layer = SigV4SigningLayer::new(signer::credentials(None));
    variant(column, row, body, [layer.clone(), layer])
}

/// Each thread uses a layer of its own.
pub(crate) fn apart(column: &'static str, row: &'static str, body: &Bytes) -> Variant {
    let layers = [(), ()].map(|()| SigV4SigningLayer::new(signer::credentials(None)));
    variant(column, row, body, layers)
}

/// Time per request is that of one thread, the mean of both.
fn variant(
    column: &'static str,
    row: &'static str,
    body: &Bytes,
    layers: [SigV4SigningLayer; 2],
) -> Variant {
    let gate = Arc::new(Gate::default());
    let workers = layers.map(|layer| Worker::start(layer, body.clone(), Arc::clone(&gate)));
    Variant::timed(column, row, move |count| {
        batches(count, RUN)
            .map(|count| together(&workers, count))
            .sum()
    })
}

/// Has both sign so many requests. Again, if something else kept one of them from its CPU: then
/// they were not at it at the same time.
fn together(workers: &[Worker; 2], count: usize) -> Duration {
    let mut tries = 0..20;
    loop {
        for worker in workers {
            worker.orders.send(count).expect("a thread that waits");
        }
        let [a, b] = workers
            .each_ref()
            .map(|worker| worker.spans.recv().expect("a thread that answers"));
        let common = a.1.min(b.1).saturating_duration_since(a.0.max(b.0));
        let [a, b] = [a, b].map(|(start, end)| end - start);
        if common > a.max(b) * 9 / 10 || tries.next().is_none() {
            return (a + b) / 2;
        }
    }
}

/// Ends when its channels are closed.
struct Worker {
    orders: mpsc::Sender<usize>,
    spans: mpsc::Receiver<Span>,
}

impl Worker {
    fn start(layer: SigV4SigningLayer, body: Bytes, gate: Arc<Gate>) -> Self {
        let (orders, next) = mpsc::channel();
        let (answer, spans) = mpsc::channel();
        thread::spawn(move || {
            let keep = Keep::new(RUN);
            let mut service = layer.layer(keep);
            let mut parts = request::same();
            let mut requests = Vec::with_capacity(RUN);
            for count in next {
                requests.extend((0..count).map(|_| {
                    let body = Full::new(body.clone());
                    Some(Request::from_parts(parts(), body))
                }));
                gate.pass();
                let start = Instant::now();
                for request in &mut requests {
                    call(&mut service, request);
                }
                let span = (start, Instant::now());
                requests.clear();
                keep.clear();
                if answer.send(span).is_err() {
                    return;
                }
            }
        });
        Self { orders, spans }
    }
}

/// Lets two threads go on in the same moment: a barrier that neither of them sleeps at.
#[derive(Default)]
struct Gate(AtomicUsize);

impl Gate {
    fn pass(&self) {
        let ticket = self.0.fetch_add(1, Ordering::AcqRel);
        let open = (ticket / 2 + 1) * 2;
        while self.0.load(Ordering::Acquire) < open {
            thread::yield_now();
        }
    }
}
