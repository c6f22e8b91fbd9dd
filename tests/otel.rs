//! The example `otel` and a collector that it sends its spans to: names and attributes are those of
//! OpenTelemetry's conventions for generative AI.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, SystemTime};
use std::{env, thread};

use serde_json::Value;

/// What a request may say, and of which kind it is.
const ATTRIBUTES: [(&str, &str); 30] = [
    ("gen_ai.operation.name", "stringValue"),
    ("gen_ai.provider.name", "stringValue"),
    ("gen_ai.request.model", "stringValue"),
    ("gen_ai.request.stream", "boolValue"),
    ("gen_ai.response.id", "stringValue"),
    ("gen_ai.response.finish_reasons", "stringValue"),
    ("gen_ai.response.time_to_first_chunk", "doubleValue"),
    ("gen_ai.usage.input_tokens", "intValue"),
    ("gen_ai.usage.output_tokens", "intValue"),
    ("gen_ai.usage.cache_read.input_tokens", "intValue"),
    ("gen_ai.usage.cache_creation.input_tokens", "intValue"),
    ("gen_ai.usage.reasoning.output_tokens", "intValue"),
    ("gen_ai.usage.cost", "doubleValue"),
    ("error.type", "stringValue"),
    ("aws.request_id", "stringValue"),
    ("cloud.region", "stringValue"),
    ("http.response.status_code", "intValue"),
    ("server.address", "stringValue"),
    ("server.port", "intValue"),
    ("aws.bedrock.guardrail.id", "stringValue"),
    ("tower_bedrock.log_id", "stringValue"),
    ("tower_bedrock.event_id", "stringValue"),
    ("tower_bedrock.account_id", "stringValue"),
    ("tower_bedrock.gateway_id", "stringValue"),
    ("tower_bedrock.principal", "stringValue"),
    ("tower_bedrock.operation", "stringValue"),
    ("tower_bedrock.outcome", "stringValue"),
    ("tower_bedrock.attempts", "intValue"),
    ("tower_bedrock.metadata", "stringValue"),
    ("tower_bedrock.alias", "stringValue"),
];
/// What every span of a client must say.
const REQUIRED: [&str; 2] = ["gen_ai.operation.name", "gen_ai.provider.name"];
const CLIENT: u64 = 3;
const ERROR: u64 = 2;

/// The built example. `cargo test` has built it; `cargo test --test otel` has not, so then it is
/// built here.
fn example() -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let file = profile.join(format!("examples/otel{}", env::consts::EXE_SUFFIX));
    let modified = |file: &Path| file.metadata().and_then(|meta| meta.modified()).ok();
    if modified(&file) < modified(&test).map(|built| built - Duration::from_secs(300)) {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--example", "otel"]);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        build.env("CARGO_TARGET_DIR", profile.parent().unwrap());
        assert!(build.status().unwrap().success());
    }
    file
}

/// Answers a collector's `POST /v1/traces` on one connection, as long as it is open.
fn collect(mut stream: TcpStream, got: &Sender<Value>) {
    let mut buffer = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        let end = loop {
            if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => return,
                Ok(read) => buffer.extend_from_slice(&piece[..read]),
            }
        };
        let head = String::from_utf8(buffer[..end].to_vec())
            .unwrap()
            .to_lowercase();
        assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
        assert!(head.contains("content-type: application/json"), "{head}");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let whole = end + length.unwrap().parse::<usize>().unwrap();
        while buffer.len() < whole {
            let read = stream.read(&mut piece).unwrap();
            assert!(read > 0, "cut off");
            buffer.extend_from_slice(&piece[..read]);
        }
        got.send(serde_json::from_slice(&buffer[end..whole]).unwrap())
            .unwrap();
        buffer.drain(..whole);
        stream
            .write_all(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
            )
            .unwrap();
    }
}

fn attribute<'a>(of: &'a Value, key: &str) -> Option<&'a Value> {
    let mut all = of["attributes"].as_array()?.iter();
    let found = all.find(|attribute| attribute["key"] == key)?;
    found["value"].as_object()?.values().next()
}

fn nanos(value: &Value) -> u128 {
    value.as_str().map_or_else(
        || value.as_u64().unwrap().into(),
        |text| text.parse().unwrap(),
    )
}

#[test]
fn spans_as_the_conventions_want_them() {
    let example = example();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (got, exported) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let got = got.clone();
            thread::spawn(move || collect(stream, &got));
        }
    });
    let begun = SystemTime::now();
    let run = Command::new(example)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let ended = SystemTime::now();
    assert!(run.status.success());
    assert_eq!(String::from_utf8(run.stdout).unwrap().lines().count(), 4);
    let since = |time: SystemTime| {
        time.duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_nanos()
    };

    let mut spans = Vec::new();
    for exported in exported.try_iter() {
        for resource in exported["resourceSpans"].as_array().unwrap() {
            let name = attribute(&resource["resource"], "service.name");
            assert_eq!(name.unwrap(), "gateway");
            for scope in resource["scopeSpans"].as_array().unwrap() {
                spans.extend(scope["spans"].as_array().unwrap().clone());
            }
        }
    }
    let claude = "chat us.anthropic.claude-haiku-4-5-20251001-v1:0";
    let names: Vec<_> = spans
        .iter()
        .map(|span| span["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [claude, claude, "chat us.anthropic.fault.error-429", claude]
    );

    for span in &spans {
        assert_eq!(span["kind"], CLIENT, "{span:#}");
        let (start, end) = (
            nanos(&span["startTimeUnixNano"]),
            nanos(&span["endTimeUnixNano"]),
        );
        assert!(
            since(begun) <= start && start < end && end <= since(ended),
            "{span:#}"
        );
        // The client's span, from `traceparent`.
        assert_eq!(span["traceId"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(span["parentSpanId"], "b7ad6b7169203331");
        let mut seen = Vec::new();
        for attribute in span["attributes"].as_array().unwrap() {
            let key = attribute["key"].as_str().unwrap();
            let kind = attribute["value"]
                .as_object()
                .unwrap()
                .keys()
                .next()
                .unwrap();
            assert!(ATTRIBUTES.contains(&(key, kind)), "{key} is a {kind}");
            assert!(!seen.contains(&key), "{key} came twice");
            seen.push(key);
        }
        assert!(REQUIRED.iter().all(|key| seen.contains(key)), "{span:#}");
        assert_eq!(
            attribute(span, "gen_ai.provider.name").unwrap(),
            "aws.bedrock"
        );
        let model = attribute(span, "gen_ai.request.model")
            .unwrap()
            .as_str()
            .unwrap();
        assert_eq!(span["name"], format!("chat {model}"));
    }
    let whole = |name: &str| attribute(&spans[0], name).cloned().unwrap_or_default();
    assert_eq!(whole("gen_ai.response.finish_reasons"), r#"["end_turn"]"#);
    assert!(nanos(&whole("gen_ai.usage.input_tokens")) > 0);
    assert!(nanos(&whole("gen_ai.usage.output_tokens")) > 0);
    assert_eq!(whole("tower_bedrock.outcome"), "complete");
    assert_eq!(nanos(&whole("http.response.status_code")), 200);
    // The emulator, where it was asked at all.
    for (span, address) in [(0, Some("127.0.0.1")), (2, Some("127.0.0.1")), (3, None)] {
        let found = attribute(&spans[span], "server.address").and_then(Value::as_str);
        assert_eq!(found, address);
        let port = attribute(&spans[span], "server.port").map(nanos);
        assert_eq!(port.is_some_and(|port| port > 1024), address.is_some());
    }
    assert_eq!(
        attribute(&spans[0], "gen_ai.request.stream"),
        Some(&Value::Bool(false))
    );
    assert_eq!(
        attribute(&spans[1], "gen_ai.request.stream"),
        Some(&Value::Bool(true))
    );
    assert!(
        attribute(&spans[1], "gen_ai.response.time_to_first_chunk")
            .unwrap()
            .is_f64()
    );
    for (span, error) in [
        (0, None),
        (1, None),
        (2, Some("ThrottlingException")),
        (3, Some("401")),
    ] {
        let span = &spans[span];
        let found = attribute(span, "error.type").and_then(Value::as_str);
        assert_eq!(found, error, "{span:#}");
        assert_eq!(span["status"]["code"] == ERROR, error.is_some(), "{span:#}");
    }
}
