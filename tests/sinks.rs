//! Sinks that are slow, broken or measured: they may cost records, which are counted, and never
//! requests; and what they say is what happened.

use std::convert::Infallible;
use std::fmt::Debug;
use std::io::{self, Write};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Task, Poll, Waker};
use std::time::{Duration, Instant};

use allocation_counter::measure;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};
use tower::{Layer, Service, service_fn};
use tower_bedrock::observe::{
    Background, Cost, JsonLines, MetricLabel, Metrics, ObservabilityLayer, Record, Ring, Sink,
    Spans, from_fn,
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

/// Takes so many bytes, and then nothing until it is given room for more.
#[derive(Clone, Default)]
struct Small {
    room: Arc<AtomicU64>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Write for Small {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let room = self.room.load(Ordering::SeqCst) as usize;
        if room == 0 {
            return Err(io::Error::other("no space left"));
        }
        let now = data.len().min(room);
        self.room.fetch_sub(now as u64, Ordering::SeqCst);
        self.written.lock().unwrap().extend_from_slice(&data[..now]);
        Ok(now)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_line_after_a_torn_one_is_whole() {
    let record = record();
    let length = serde_json::to_vec(&*record).unwrap().len() as u64 + 1;
    // Nothing of the third line, some of it, all but its end.
    for (more, torn) in [(0, 0), (7, 1), (length - 1, 1)] {
        let writer = Small::default();
        writer.room.store(2 * length + more, Ordering::SeqCst);
        let sink = JsonLines::new(writer.clone());
        for _ in 0..3 {
            sink.record(&record);
            sink.flush();
        }
        assert_eq!(sink.dropped(), 1, "{more}");
        // Full, still.
        sink.record(&record);
        sink.flush();
        assert_eq!(sink.dropped(), 2, "{more}");
        writer.room.store(u64::MAX, Ordering::SeqCst);
        for _ in 0..2 {
            sink.record(&record);
        }
        sink.flush();
        assert_eq!(sink.dropped(), 2, "{more}");
        let written = String::from_utf8(writer.written.lock().unwrap().clone()).unwrap();
        assert!(written.ends_with('\n'));
        let (whole, other): (Vec<_>, Vec<_>) = written
            .lines()
            .partition(|line| serde_json::from_str::<serde_json::Value>(line).is_ok());
        // All but its end: that came with the next one.
        let torn = if more == length - 1 { 0 } else { torn };
        assert_eq!(other.len(), torn, "{more}: {other:?}");
        let ended = usize::from(more == length - 1);
        assert_eq!(whole.len(), 4 + ended, "{more}: {written}");
    }
}

/// Of several lines in one write those count as written that were.
#[test]
fn what_was_written_before_a_failure_is_not_lost() {
    let record = record();
    let length = serde_json::to_vec(&*record).unwrap().len() as u64 + 1;
    let (writer, gate) = (Small::default(), Arc::new(Mutex::new(())));
    writer.room.store(3 * length + 5, Ordering::SeqCst);
    let held = gate.lock().unwrap();
    let slow = Held(writer.clone(), Arc::clone(&gate));
    let sink = JsonLines::new(slow);
    for _ in 0..6 {
        sink.record(&record);
    }
    drop(held);
    sink.flush();
    assert_eq!(sink.dropped(), 3);
}

/// Waits at its gate.
struct Held(Small, Arc<Mutex<()>>);

impl Write for Held {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        drop(self.1.lock());
        self.0.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_file_that_ends_in_the_middle_of_a_line() {
    let name = format!("tower-bedrock-torn-{}.jsonl", std::process::id());
    let path = std::env::temp_dir().join(name);
    for (before, lines) in [("", 1), ("{}\n", 2), ("{}\n{\"a", 3)] {
        std::fs::write(&path, before).unwrap();
        JsonLines::to_file(&path).unwrap().record(&record());
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), lines, "{text}");
        let last = text.lines().last().unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(last).is_ok());
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_file_that_is_opened_anew() {
    let name = format!("tower-bedrock-anew-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let (path, old) = (folder.join("log"), folder.join("log.1"));
    let lines = |path| std::fs::read_to_string(path).unwrap().lines().count();
    let sink = JsonLines::to_file(&path).unwrap();
    let record = record();
    for _ in 0..1000 {
        sink.record(&record);
    }
    std::fs::rename(&path, &old).unwrap();
    sink.reopen().unwrap();
    // Whoever made it first left half a line.
    assert_eq!((lines(&old), lines(&path)), (1000, 0));
    std::fs::write(&path, "{\"a").unwrap();
    sink.reopen().unwrap();
    for _ in 0..1000 {
        sink.record(&record);
    }
    sink.flush();
    assert_eq!((lines(&old), lines(&path)), (1000, 1001));
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(sink.reopen().unwrap_err().kind(), io::ErrorKind::NotFound);
    sink.record(&record);
    sink.flush();
    assert_eq!(sink.dropped(), 0);

    let sink = JsonLines::new(Vec::new());
    let error = sink.reopen().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
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
    let held = gate.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..5 {
        ask(&layer, &path("m"), 200);
    }
    assert_eq!(seen.len() as u64 + lost, 101 + 1);
    drop(held);
    drop((sink, layer));
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
fn prices_that_clients_name_are_told_apart() {
    let text = measured(|| {
        let metrics = Metrics::new();
        let mut one = (*record()).clone();
        for (dollars, custom) in [(3, false), (1_000, true), (4, false)] {
            one.cost = Some(Cost::from_picodollars(dollars * 1_000_000_000_000));
            one.custom_cost = custom;
            metrics.record(&Arc::new(one.clone()));
        }
    });
    let sum = |label: &str| value(&text, "tower_bedrock_request_cost_usd_sum", &[label]);
    assert_eq!(sum("custom=\"false\""), 7.0);
    assert_eq!(sum("custom=\"true\""), 1000.0);
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
fn requests_that_fail_make_no_model_known() {
    let text = measured(|| {
        let layer = ObservabilityLayer::new().with_sink(Metrics::new());
        for model in 0..250 {
            let status = if model % 2 == 0 { 400 } else { 404 };
            ask(&layer, &path(&format!("nothing-{model}")), status);
        }
        ask(&layer, &path("real"), 200);
        ask(&layer, &path("real"), 429);
    });
    let requests = |labels: &[&str]| value(&text, "tower_bedrock_requests_total", labels);
    let real = "gen_ai_request_model=\"real\"";
    assert_eq!(requests(&[real, "outcome=\"complete\""]), 1.0);
    assert_eq!(requests(&[real, "error_type=\"429\""]), 1.0);
    let other = "gen_ai_request_model=\"other\"";
    assert_eq!(requests(&[other, "error_type=\"404\""]), 125.0);
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

#[test]
fn what_was_not_lost_is_seen_not_to_be() {
    let text = measured(|| drop(Metrics::new()));
    for sink in ["json_lines", "background", "panicked"] {
        let label = format!("sink=\"{sink}\"");
        let lost = value(&text, "tower_bedrock_records_lost_total", &[&label]);
        assert_eq!(lost, 0.0);
    }
    assert_eq!(value(&text, "tower_bedrock_streams_unread_total", &[]), 0.0);
    let text = measured(|| {
        let layer = ObservabilityLayer::new().with_sink(Metrics::new());
        let mut service = layer.layer(service_fn(|_: Request<Empty<Bytes>>| async {
            let body = Full::<Bytes>::from("these are not the frames of an event stream");
            let mut answer = Response::new(body);
            let kind = "application/vnd.amazon.eventstream".parse().unwrap();
            answer.headers_mut().insert("content-type", kind);
            Ok::<_, Infallible>(answer)
        }));
        let request = Request::post("/model/m/converse-stream");
        let Ok(response) = now(service.call(request.body(Empty::new()).unwrap()));
        now(response.into_body().collect()).unwrap();
        assert_eq!(layer.unread_streams(), 1);
    });
    assert_eq!(value(&text, "tower_bedrock_streams_unread_total", &[]), 1.0);
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
fn where_a_request_went_and_what_guarded_it() {
    let ask = |layer: &ObservabilityLayer, request: http::request::Builder| {
        let mut service = layer.layer(service_fn(|_: Request<Empty<Bytes>>| async {
            let answer = r#"{"id":"msg_bdrk_01","type":"message","stop_reason":"end_turn"}"#;
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(answer)))
        }));
        let Ok(response) = now(service.call(request.body(Empty::new()).unwrap()));
        now(response.into_body().collect()).unwrap();
    };
    let url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/invoke";
    let said = spans(|layer| {
        let guarded = Request::post(url).header("x-amzn-bedrock-guardrailidentifier", "gr-1");
        ask(layer, guarded);
    });
    let has = |line: &str| assert!(said.iter().any(|said| said == line), "{line} in {said:#?}");
    has("server.address = \"bedrock-runtime.us-east-1.amazonaws.com\"");
    has("server.port = 443");
    has("gen_ai.response.id = \"msg_bdrk_01\"");
    has("aws.bedrock.guardrail.id = \"gr-1\"");

    let url = "http://localhost:8080/guardrail/gr%2D2/version/1/apply";
    let said = spans(|layer| ask(layer, Request::post(url)));
    let has = |line: &str| assert!(said.iter().any(|said| said == line), "{line} in {said:#?}");
    has("server.port = 8080");
    has("aws.bedrock.guardrail.id = \"gr-2\"");
    // A path alone says not where it leads.
    let said = spans(|layer| ask(layer, Request::post("/model/m/invoke")));
    assert!(
        !said.iter().any(|said| said.starts_with("server.")),
        "{said:#?}"
    );
    assert!(
        !said.iter().any(|said| said.contains("guardrail")),
        "{said:#?}"
    );
}

#[test]
fn a_trace_without_a_span_is_a_trace() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const OTHER: &str = "00-11111111111111111111111111111111-2222222222222222-01";
    for (headers, trace, parent) in [
        (&[("cf-aig-otel-trace-id", TRACE)][..], Some(TRACE), None),
        (
            &[("cf-aig-otel-trace-id", TRACE), ("traceparent", OTHER)],
            Some(TRACE),
            None,
        ),
        (
            &[
                ("cf-aig-otel-trace-id", TRACE),
                ("cf-aig-otel-parent-span-id", "00f067aa0ba902b7"),
            ],
            Some(TRACE),
            Some("00f067aa0ba902b7"),
        ),
        (
            &[("cf-aig-otel-trace-id", "g"), ("traceparent", OTHER)],
            Some(&OTHER[3..35]),
            Some("2222222222222222"),
        ),
        (
            &[("cf-aig-otel-parent-span-id", "00f067aa0ba902b7")],
            None,
            None,
        ),
    ] {
        let (seen, ring) = (Arc::new(Mutex::new(None)), Ring::new(1));
        let into = Arc::clone(&seen);
        let set = Spans::new().with_parent(move |_, trace, parent| {
            *into.lock().unwrap() = Some((trace.to_string(), parent.to_string()));
        });
        let layer = ObservabilityLayer::new()
            .with_spans(set)
            .with_sink(ring.clone());
        let subscriber = tracing_subscriber::registry();
        tracing::subscriber::with_default(subscriber, || {
            let mut service = layer.layer(service_fn(|_: Request<Empty<Bytes>>| async {
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(ANSWER)))
            }));
            let mut request = Request::post("/model/m/converse");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let Ok(response) = now(service.call(request.body(Empty::new()).unwrap()));
            now(response.into_body().collect()).unwrap();
        });
        let seen = seen.lock().unwrap().clone();
        assert_eq!(
            seen.as_ref().map(|(trace, _)| &**trace),
            trace,
            "{headers:?}"
        );
        if let Some((_, span)) = seen {
            assert_ne!(span, "0000000000000000");
            assert!(parent.is_none_or(|parent| parent == span), "{headers:?}");
        }
        let record = Arc::clone(&ring.snapshot()[0]);
        let told = record.parent_span_id.map(|span| span.to_string());
        assert_eq!(told.as_deref(), parent, "{headers:?}");
        assert_eq!(record.trace_id.map(|id| id.to_string()).as_deref(), trace);
    }
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
