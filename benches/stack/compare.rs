//! What the stack costs a whole proxy: two of them in turn, with it and without, and only the time
//! that their own threads spend on a processor.

use std::fmt;
use std::time::Duration;

use tokio::runtime::Builder;

use crate::peer::{Load, Seen, Work, upstream};
use crate::proxy::{Proxy, Running};
use crate::report::median;

/// Connections at a time.
const CONNECTIONS: [usize; 3] = [1, 16, 64];
/// The one that is judged.
const JUDGED: usize = 16;
const RUNS: usize = 5;
/// A run is cut into slices, in which the proxies take turns: what disturbs the machine for a while
/// disturbs both.
const SLICES: usize = 10;
const SLICE: Duration = Duration::from_millis(60);
/// For a proxy that has sent its last answer to fall asleep.
const REST: Duration = Duration::from_millis(3);

/// One kind of work over so many connections.
pub(crate) struct Comparison {
    work: Work,
    connections: usize,
    bare: Side,
    full: Side,
    /// Processor time of the full one in times of the bare one's, run by run.
    ratios: Vec<f64>,
}

/// What one proxy did.
#[derive(Default)]
struct Side {
    seen: Seen,
    busy: Duration,
}

impl Side {
    fn add(&mut self, other: Self) {
        self.busy += other.busy;
        self.seen.took += other.seen.took;
        self.seen.latencies.extend(other.seen.latencies);
    }

    /// Microseconds on a processor for each request.
    fn cost(&self) -> f64 {
        self.busy.as_secs_f64() * 1e6 / self.seen.latencies.len() as f64
    }

    fn per_second(&self) -> f64 {
        self.seen.latencies.len() as f64 / self.seen.took.as_secs_f64()
    }

    /// In microseconds.
    fn latency(&mut self, part: f64) -> f64 {
        self.seen.latencies.sort_unstable();
        let at = (self.seen.latencies.len() as f64 * part) as usize;
        let latency = self.seen.latencies.get(at).or(self.seen.latencies.last());
        latency.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e6)
    }
}

struct Contender {
    proxy: Running,
    load: Load,
}

impl Contender {
    async fn new(
        proxy: Proxy,
        upstream: std::net::SocketAddr,
        work: Work,
        connections: usize,
    ) -> Self {
        let proxy = proxy.start(upstream);
        let load = Load::connect(proxy.address, work, connections).await;
        Self { proxy, load }
    }

    async fn slice(&mut self, time: Duration, most: usize) -> Side {
        let before = self.proxy.clock.now();
        let seen = self.load.run(time, most).await;
        tokio::time::sleep(REST).await;
        let busy = self.proxy.clock.now().zip(before);
        Side {
            seen,
            busy: busy.map_or(Duration::ZERO, |(after, before)| after - before),
        }
    }
}

/// Both proxies in turn, for every kind of work.
pub(crate) fn all(smoke: bool) -> Vec<Comparison> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let upstream = upstream().await;
        let mut all = Vec::new();
        for work in [Work::Calls, Work::Streams] {
            for connections in CONNECTIONS {
                let bare = Contender::new(Proxy::Bare, upstream, work, connections).await;
                let full = Contender::new(Proxy::Gateway, upstream, work, connections).await;
                all.push(compare(work, connections, [bare, full], smoke).await);
            }
        }
        all
    })
}

async fn compare(
    work: Work,
    connections: usize,
    [mut bare, mut full]: [Contender; 2],
    smoke: bool,
) -> Comparison {
    let (runs, slices, time, most) = match smoke {
        true => (1, 1, SLICE, 2),
        false => (RUNS, SLICES, SLICE, usize::MAX),
    };
    let mut whole = Comparison {
        work,
        connections,
        bare: Side::default(),
        full: Side::default(),
        ratios: Vec::new(),
    };
    // Connections and caches are warm when it begins.
    bare.slice(time, most.min(100)).await;
    full.slice(time, most.min(100)).await;
    for _ in 0..runs {
        let (mut without, mut with) = (Side::default(), Side::default());
        for slice in 0..slices {
            // Each begins as often as the other.
            if slice % 2 == 0 {
                without.add(bare.slice(time, most).await);
                with.add(full.slice(time, most).await);
            } else {
                with.add(full.slice(time, most).await);
                without.add(bare.slice(time, most).await);
            }
        }
        whole.ratios.push(with.cost() / without.cost());
        whole.bare.add(without);
        whole.full.add(with);
    }
    whole
}

impl Comparison {
    /// The ratio for this work that is held against the goal.
    pub(crate) fn judged(all: &[Self], work: Work) -> f64 {
        let judged = all
            .iter()
            .find(|one| one.work == work && one.connections == JUDGED);
        judged.map_or(f64::NAN, |one| median(one.ratios.clone()))
    }

    /// In Markdown.
    pub(crate) fn table(all: &mut [Self]) -> String {
        let mut table = "| work | connections | CPU µs, bare | with the stack | ratio | requests/s, bare | with the stack | added p50 µs | added p99 µs |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n".to_owned();
        for one in all {
            table += &one.to_string();
            let added = |part, one: &mut Self| one.full.latency(part) - one.bare.latency(part);
            let (p50, p99) = (added(0.5, one), added(0.99, one));
            table += &format!(" {p50:.1} | {p99:.1} |\n");
        }
        table
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "| {} | {} | {:.1} | {:.1} | {:.3} | {:.0} | {:.0} |",
            self.work.name(),
            self.connections,
            self.bare.cost(),
            self.full.cost(),
            median(self.ratios.clone()),
            self.bare.per_second(),
            self.full.per_second(),
        )
    }
}

/// Everything on one thread and one connection, so many requests: for a profiler that counts.
pub(crate) fn drive(proxy: Proxy, work: Work, requests: usize) {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let address = proxy.serve(upstream().await).await;
        let mut load = Load::connect(address, work, 1).await;
        let seen = load.run(Duration::MAX, requests).await;
        assert_eq!(seen.latencies.len(), requests);
    });
}
