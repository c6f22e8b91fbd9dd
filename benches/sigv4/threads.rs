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
pub(crate) const RUN: usize = 1024;

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
        for worker in &workers {
            worker.orders.send(count).expect("a thread that waits");
        }
        let times = workers
            .each_ref()
            .map(|worker| worker.times.recv().expect("a thread that answers"));
        times.iter().sum::<Duration>() / 2
    })
}

/// Ends when its channels are closed.
struct Worker {
    orders: mpsc::Sender<u64>,
    times: mpsc::Receiver<Duration>,
}

impl Worker {
    fn start(layer: SigV4SigningLayer, body: Bytes, gate: Arc<Gate>) -> Self {
        let (orders, next) = mpsc::channel();
        let (answer, times) = mpsc::channel();
        thread::spawn(move || {
            let keep = Keep::new(RUN);
            let mut service = layer.layer(keep);
            let mut parts = request::same();
            let mut requests = Vec::with_capacity(RUN);
            for count in next {
                let mut total = Duration::ZERO;
                for count in batches(count, RUN) {
                    requests.extend((0..count).map(|_| {
                        let body = Full::new(body.clone());
                        Some(Request::from_parts(parts(), body))
                    }));
                    gate.pass();
                    let start = Instant::now();
                    for request in &mut requests {
                        call(&mut service, request);
                    }
                    total += start.elapsed();
                    requests.clear();
                    keep.clear();
                }
                if answer.send(total).is_err() {
                    return;
                }
            }
        });
        Self { orders, times }
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
