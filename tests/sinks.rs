//! Sinks that are slow, broken or measured: they may cost records, which are counted, and never
//! requests; and what they say is what happened.

use std::convert::Infallible;
use std::fmt::Debug;
use std::io::{self, Write};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll, Waker};
use std::time::{Duration, Instant};

use allocation_counter::measure;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};
use tower::{Layer, Service, service_fn};
use tower_bedrock::observe::{
    Background, JsonLines, MetricLabel, Metrics, ObservabilityLayer, Record, Ring, Sink, Spans,
    from_fn,
};
use tracing::field::{Field, Visit};
use tracing_subscriber::prelude::*;

const ANSWER: &str = r#"{"stopReason":"end_turn","usage":{"inputTokens":11,"outputTokens":4,"cacheReadInputTokens":80}}"#;

fn path(model: &str) -> String {
    format!("/model/{model}/converse")
}

/// A request through `layer`, answered with `status`, to its end.
fn ask(layer: &ObservabilityLayer, path: &str, status: u16) {
    let mut service = layer.layer(service_fn(|_: Request<Empty<Bytes>>| async move {
        tracing::info!("inside");
        let mut answer = Response::new(Full::<Bytes>::from(ANSWER));
        *answer.status_mut() = status.try_into().unwrap();
        Ok::<_, Infallible>(answer)
    }));
    let future = service.call(Request::post(path).body(Empty::new()).unwrap());
    let Ok(response) = now(future);
    now(response.into_body().collect()).unwrap();
}

/// Polls once, which must be enough.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

fn record() -> Arc<Record> {
    let ring = Ring::new(1);
    let layer = ObservabilityLayer::new().with_sink(ring.clone());
    ask(&layer, &path("m"), 200);
    Arc::clone(&ring.snapshot()[0])
}

// Files and threads.

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_costs_records_and_no_requests() {
    let sink = JsonLines::to_file("/dev/full").unwrap();
    let ring = Ring::new(1000);
    let layer = ObservabilityLayer::new().with_sink(sink.clone());
    let layer = layer.with_sink(ring.clone());
    for _ in 0..100 {
        ask(&layer, &path("m"), 200);
    }
    sink.flush();
    assert_eq!((sink.dropped(), ring.len()), (100, 100));
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_written_to() {
    let folder = std::env::temp_dir().join(format!("tower-bedrock-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("read-only.jsonl");
    std::fs::write(&path, "").unwrap();
    // Opened for reading alone: as good as read-only, for root too.
    let sink = JsonLines::new(std::fs::File::open(&path).unwrap());
    for _ in 0..3 {
        sink.record(&record());
    }
    sink.flush();
    assert_eq!(sink.dropped(), 3);
    assert_eq!(std::fs::read(&path).unwrap(), b"");
    // Said at once where it can be: a folder is no file.
    assert!(JsonLines::to_file(&folder).is_err());
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Takes a while for each write, or for ever.
struct Slow(Duration, Arc<AtomicU64>);

impl Write for Slow {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        std::thread::sleep(self.0);
        let lines = data.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.1.fetch_add(lines, Ordering::SeqCst);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_slow_writer_holds_nobody_up() {
    let written = Arc::new(AtomicU64::new(0));
    let sink = JsonLines::new(Slow(Duration::from_millis(40), Arc::clone(&written)));
    let record = record();
    let begun = Instant::now();
    for _ in 0..20_000 {
        sink.record(&record);
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "it waited");
    sink.flush();
    let (lost, written) = (sink.dropped(), written.load(Ordering::SeqCst));
    assert!(
        lost > 0 && written >= 4096,
        "{lost} lost, {written} written"
    );
    assert_eq!(lost + written, 20_000);
}

#[test]
fn a_sink_in_the_background_may_block_and_panic() {
    let (gate, seen) = (Arc::new(Mutex::new(())), Ring::new(1000));
    let held = gate.lock().unwrap();
    let (inside, ring) = (Arc::clone(&gate), seen.clone());
    let sink = from_fn(move |record| {
        drop(inside.lock());
        assert_ne!(record.status_code, Some(500), "on purpose");
        ring.record(record);
    });
    let sink = Background::with_capacity(sink, 10);
    let layer = ObservabilityLayer::new().with_sink(sink.clone());
    ask(&layer, &path("first"), 200);
    // The thread may or may not have taken the first one out of the queue yet.
    for _ in 0..100 {
        ask(&layer, &path("m"), 200);
    }
    let lost = sink.dropped();
    assert!((90..=91).contains(&lost), "{lost}");
    drop(held);
    sink.flush();
    assert_eq!(seen.len() as u64 + lost, 101);

    ask(&layer, &path("m"), 500);
    ask(&layer, &path("last"), 200);
    sink.flush();
    assert_eq!(sink.dropped(), lost + 1, "it panicked");
    assert_eq!(seen.snapshot()[0].model.as_deref(), Some("last"));
    assert_eq!(layer.sink_panics(), 0);

    // The last handle waits for what waits.
    for _ in 0..5 {
        ask(&layer, &path("m"), 200);
    }
    let before = seen.len();
    drop((sink, layer));
    assert!(seen.len() > before || seen.len() == 1000);
    assert_eq!(seen.len() as u64 + lost, 101 + 1 + 5);
}

#[test]
fn a_sink_that_never_returns_is_left_behind() {
    let sink = Background::new(from_fn(|_| std::thread::sleep(Duration::from_secs(60))));
    sink.record(&record());
    let begun = Instant::now();
    drop(sink);
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn shapes() {
    fn common<T: Send + Sync + Clone + Debug + 'static>(_: T) {}
    common(Background::new(Ring::new(1)));
    common(Metrics::new());
    common(Spans::new());
    // Whoever asks that nothing be kept is counted all the same.
    assert!(!Metrics::new().keeps_records());
    assert!(!Background::new(Metrics::new()).keeps_records());
    assert!(Background::new(Ring::new(1)).keeps_records());
}

// Metrics.

fn prometheus() -> PrometheusRecorder {
    let builder = PrometheusBuilder::new().with_recommended_naming(true);
    let with = |builder: PrometheusBuilder, (name, buckets): &(&str, &[f64])| {
        builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), buckets)
    };
    let mut buckets = Metrics::BUCKETS.iter();
    buckets.try_fold(builder, with).unwrap().build_recorder()
}

/// What `/metrics` says after `work`.
fn measured(work: impl FnOnce()) -> String {
    let recorder = prometheus();
    metrics::with_local_recorder(&recorder, work);
    recorder.handle().render()
}

/// The value of the one line that begins with `name` and has all of `labels`.
fn value(text: &str, name: &str, labels: &[&str]) -> f64 {
    let mut lines = text.lines().filter(|line| {
        let is_it = line.split(['{', ' ']).next() == Some(name);
        is_it && labels.iter().all(|label| line.contains(label))
    });
    let line = lines
        .next()
        .unwrap_or_else(|| panic!("no {name} {labels:?} in\n{text}"));
    assert_eq!(lines.next(), None, "another {name} {labels:?}");
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn metrics_say_what_happened() {
    let text = measured(|| {
        let layer = ObservabilityLayer::new().with_sink(Metrics::new());
        for _ in 0..3 {
            ask(&layer, &path("m%3A0"), 200);
        }
        ask(&layer, &path("m%3A0"), 429);
    });
    let ok = "outcome=\"complete\"";
    assert_eq!(value(&text, "tower_bedrock_requests_total", &[ok]), 3.0);
    let throttled = ["outcome=\"upstream_error\"", "error_type=\"429\""];
    assert_eq!(
        value(&text, "tower_bedrock_requests_total", &throttled),
        1.0
    );
    let labels = [
        "gen_ai_operation_name=\"chat\"",
        "gen_ai_provider_name=\"aws.bedrock\"",
        "gen_ai_request_model=\"m:0\"",
    ];
    for (kind, sum) in [("input", 3.0 * 91.0), ("output", 12.0)] {
        let kind = format!("gen_ai_token_type=\"{kind}\"");
        let labels = [&labels[..], &[&kind]].concat();
        let found = |suffix| {
            value(
                &text,
                &format!("gen_ai_client_token_usage_{suffix}"),
                &labels,
            )
        };
        assert_eq!((found("sum"), found("count")), (sum, 3.0));
    }
    let kind = |kind: &str| format!("kind=\"{kind}\"");
    let tokens = |name| value(&text, "tower_bedrock_tokens_total", &[&kind(name)]);
    assert_eq!((tokens("input"), tokens("cache_read")), (33.0, 240.0));
    // With OpenTelemetry's units and buckets.
    assert!(text.contains("# TYPE gen_ai_client_operation_duration_seconds histogram"));
    let longest = |name: &str| -> f64 {
        let name = format!("{name}_seconds_bucket{{");
        let lines = text.lines().filter(|line| line.starts_with(&name));
        let lines = lines.filter(|line| line.contains("le=\"81.92\""));
        lines
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    };
    assert_eq!(longest("gen_ai_client_operation_duration"), 4.0);
    assert_eq!(longest("gen_ai_server_request_duration"), 4.0);
    let bucket = "gen_ai_client_token_usage_bucket";
    assert_eq!(value(&text, bucket, &["le=\"64\"", "type=\"input\""]), 0.0);
    assert_eq!(value(&text, bucket, &["le=\"256\"", "type=\"input\""]), 3.0);
}

#[test]
fn series_are_bounded_whatever_clients_send() {
    let recorder = prometheus();
    metrics::with_local_recorder(&recorder, || {
        let layer = ObservabilityLayer::new().with_sink(Metrics::new());
        let ask = |models: std::ops::Range<u32>| {
            for model in models {
                ask(&layer, &path(&format!("model-{model}")), 200);
                if model % 1000 == 0 {
                    recorder.handle().run_upkeep();
                }
            }
            recorder.handle().run_upkeep();
        };
        ask(0..10_000);
        let kept = measure(|| ask(10_000..100_000)).bytes_current;
        assert!(kept < 64 * 1024, "{kept} bytes are kept of 90,000 models");
    });
    let text = recorder.handle().render();
    let requests = || {
        text.lines()
            .filter(|l| l.starts_with("tower_bedrock_requests_total{"))
    };
    assert_eq!(requests().count(), 201);
    let other = value(&text, "tower_bedrock_requests_total", &["model=\"other\""]);
    assert_eq!(other, 99_800.0);
    let total: f64 = requests()
        .map(|l| l.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    assert_eq!(total, 100_000.0);
}

#[test]
fn sets_of_labels_are_bounded_too() {
    let text = measured(|| {
        let metrics = Metrics::new().with_limits(100, 10);
        let layer = ObservabilityLayer::new().with_sink(metrics.clone());
        for model in 0..50 {
            ask(&layer, &path(&format!("m-{model}")), 200);
        }
    });
    let requests = text
        .lines()
        .filter(|l| l.starts_with("tower_bedrock_requests_total{"));
    assert_eq!(requests.count(), 11);
    let other = ["gen_ai_request_model=\"other\""];
    assert_eq!(value(&text, "tower_bedrock_requests_total", &other), 40.0);
}

#[test]
fn labels_with_quotes_and_newlines() {
    let text = measured(|| {
        let metrics = Metrics::new().with_labels([MetricLabel::Region]);
        let layer = ObservabilityLayer::new().with_sink(metrics);
        ask(&layer, &path("a%22b%0Ac%7D%201"), 200);
    });
    let label = r#"gen_ai_request_model="a\"b\nc} 1""#;
    assert_eq!(value(&text, "tower_bedrock_requests_total", &[label]), 1.0);
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let number = line.rsplit(' ').next().unwrap();
        assert!(number.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn lost_records_are_measured() {
    let text = measured(|| {
        let layer = ObservabilityLayer::new().with_sink(Metrics::new());
        let layer = layer.with_sink(from_fn(|_| panic!("on purpose")));
        // A thread that counts on a recorder of its own would not be seen here: no place at all.
        let full =
            Background::with_capacity(from_fn(|_| std::thread::sleep(Duration::from_secs(1))), 0);
        let layer = layer.with_sink(full.clone());
        for _ in 0..5 {
            ask(&layer, &path("m"), 200);
        }
        assert!(full.dropped() >= 4);
    });
    let lost = |sink| value(&text, "tower_bedrock_records_lost_total", &[sink]);
    assert_eq!(lost("sink=\"panicked\""), 5.0);
    assert!(lost("sink=\"background\"") >= 4.0);
}

// Spans.

/// Keeps what spans say, and which of them events were in.
#[derive(Clone, Default)]
struct Keep(Arc<Mutex<Vec<String>>>);

struct Fields<'a>(&'a mut Vec<String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push(format!("{} = {value:?}", field.name()));
    }
}

impl<S> tracing_subscriber::Layer<S> for Keep
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    fn on_new_span(
        &self,
        attributes: &tracing::span::Attributes<'_>,
        _: &tracing::span::Id,
        _: tracing_subscriber::layer::Context<'_, S>,
    ) {
        attributes.record(&mut Fields(&mut self.0.lock().unwrap()));
    }

    fn on_record(
        &self,
        _: &tracing::span::Id,
        values: &tracing::span::Record<'_>,
        _: tracing_subscriber::layer::Context<'_, S>,
    ) {
        values.record(&mut Fields(&mut self.0.lock().unwrap()));
    }

    fn on_event(&self, _: &tracing::Event<'_>, context: tracing_subscriber::layer::Context<'_, S>) {
        let inside = context.lookup_current().map(|span| span.name());
        self.0.lock().unwrap().push(format!("event in {inside:?}"));
    }

    fn on_close(&self, _: tracing::span::Id, _: tracing_subscriber::layer::Context<'_, S>) {
        self.0.lock().unwrap().push("closed".to_owned());
    }
}

fn spans(work: impl FnOnce(&ObservabilityLayer)) -> Vec<String> {
    let keep = Keep::default();
    let subscriber = tracing_subscriber::registry().with(keep.clone());
    let layer = ObservabilityLayer::new().with_spans(Spans::new());
    tracing::subscriber::with_default(subscriber, || work(&layer));
    keep.0.lock().unwrap().clone()
}

#[test]
fn a_span_for_each_request() {
    let said = spans(|layer| ask(layer, &path("us.anthropic.claude%3A0"), 200));
    let has = |line: &str| assert!(said.iter().any(|said| said == line), "{line} in {said:#?}");
    has("otel.name = \"chat us.anthropic.claude:0\"");
    has("otel.kind = \"client\"");
    has("gen_ai.operation.name = \"chat\"");
    has("gen_ai.provider.name = \"aws.bedrock\"");
    has("gen_ai.request.model = \"us.anthropic.claude:0\"");
    has("gen_ai.usage.input_tokens = 91");
    has("gen_ai.usage.cache_read.input_tokens = 80");
    has("gen_ai.usage.output_tokens = 4");
    has("gen_ai.response.finish_reasons = \"[\\\"end_turn\\\"]\"");
    has("http.response.status_code = 200");
    has("event in Some(\"request\")");
    assert_eq!(said.last().unwrap(), "closed");
    assert!(!said.iter().any(|said| said.starts_with("error.type")));
    assert!(!said.iter().any(|said| said.starts_with("otel.status")));

    let said = spans(|layer| ask(layer, &path("m"), 503));
    let has = |line: &str| assert!(said.iter().any(|said| said == line), "{line} in {said:#?}");
    has("error.type = \"503\"");
    has("otel.status_description = \"503 Service Unavailable\"");

    // Where the path names no model, the span is not entered, and is named in the end.
    let said = spans(|layer| ask(layer, "/openai/v1/chat/completions", 200));
    assert!(said.contains(&"event in None".to_owned()), "{said:#?}");
    assert!(
        said.contains(&"otel.name = \"chat\"".to_owned()),
        "{said:#?}"
    );
}

#[test]
fn without_spans_there_are_none() {
    let keep = Keep::default();
    let subscriber = tracing_subscriber::registry().with(keep.clone());
    let layer = ObservabilityLayer::new().with_sink(Ring::new(1));
    tracing::subscriber::with_default(subscriber, || ask(&layer, &path("m"), 200));
    assert_eq!(
        *keep.0.lock().unwrap(),
        ["message = inside", "event in None"][1..]
    );
}
