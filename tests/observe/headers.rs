//! What a client asks for in its request's headers.

use super::*;

fn asking(headers: &[(&str, &str)]) -> Request<Empty<Bytes>> {
    let mut request = Request::post(NATIVE);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Empty::new()).unwrap()
}

fn answer() -> Response<Script> {
    json(Script::new([data(ANSWER)]))
}

fn record(headers: &[(&str, &str)]) -> Arc<Record> {
    record_of(asking(headers), answer())
}

#[test]
fn metadata() {
    let record_of_json = |json: &str| record(&[("cf-aig-metadata", json)]);
    let record = record_of_json(r#"{"team":"a","n":1,"cf.user":2,"gen_ai.x":3,"o":{}}"#);
    let json = serde_json::to_value(&*record).unwrap();
    assert_eq!(json["metadata"], serde_json::json!({"team": "a", "n": 1}));
    assert_eq!(
        record.ignored,
        [
            "cf-aig-metadata: cf.user",
            "cf-aig-metadata: gen_ai.x",
            "cf-aig-metadata: o"
        ]
    );
    let metadata = record.metadata.as_ref().unwrap();
    assert_eq!(metadata.get("team").unwrap().to_string(), "a");
    assert_eq!(metadata.len(), 2);

    let huge = format!(r#"{{"a":"{}"}}"#, "x".repeat(1024 * 1024));
    for (json, named) in [
        ("team=a", "cf-aig-metadata: not a JSON object"),
        ("", "cf-aig-metadata: not a JSON object"),
        (&huge, "cf-aig-metadata: too long"),
    ] {
        let record = record_of_json(json);
        assert_eq!(record.metadata, None);
        assert_eq!(record.ignored, [named]);
    }
    // Sent twice: the first counts. Nothing is ignored of a request that asks for nothing.
    let record = self::record(&[("cf-aig-metadata", r#"{"a":1}"#), ("cf-aig-metadata", "x")]);
    assert_eq!(record.metadata.as_ref().unwrap().len(), 1);
    assert!(self::record(&[]).ignored.is_empty());
}

#[test]
fn traces() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let ids = |record: &Record| {
        let trace = record.trace_id.map(|id| id.to_string());
        (trace, record.parent_span_id.map(|id| id.to_string()))
    };
    let some = |trace: &str, span: &str| (Some(trace.to_owned()), Some(span.to_owned()));
    let theirs = some("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let (own, span) = ("cf-aig-otel-trace-id", "cf-aig-otel-parent-span-id");
    for (headers, expected, ignored) in [
        (&[("traceparent", PARENT)][..], theirs.clone(), 0),
        (&[(own, TRACE), (span, SPAN)], some(TRACE, SPAN), 0),
        (&[(own, TRACE)], (Some(TRACE.to_owned()), None), 0),
        // Cloudflare's ids win, and are not mixed with the other's.
        (
            &[("traceparent", PARENT), (own, TRACE), (span, SPAN)],
            some(TRACE, SPAN),
            0,
        ),
        (
            &[("traceparent", PARENT), (own, TRACE)],
            (Some(TRACE.to_owned()), None),
            0,
        ),
        (&[("traceparent", PARENT), (own, "xyz")], theirs.clone(), 1),
        (
            &[("traceparent", PARENT), (own, &TRACE[1..])],
            theirs.clone(),
            1,
        ),
        (&[("traceparent", PARENT), (span, SPAN)], theirs, 1),
        (&[(span, SPAN)], (None, None), 1),
        (
            &[(own, TRACE), (span, "g7ad6b7169203331")],
            (Some(TRACE.to_owned()), None),
            1,
        ),
        (&[("traceparent", "00-xyz")], (None, None), 1),
        (&[("traceparent", "")], (None, None), 1),
    ] {
        let record = record(headers);
        assert_eq!(ids(&record), expected, "{headers:?}");
        assert_eq!(
            record.ignored.len(),
            ignored,
            "{headers:?}: {:?}",
            record.ignored
        );
    }
}

/// Keeps nothing, and counts.
#[derive(Clone, Default)]
struct Counter(Arc<AtomicUsize>);

impl Sink for Counter {
    fn record(&self, _: &Arc<Record>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn keeps_records(&self) -> bool {
        false
    }
}

#[test]
fn a_client_that_wants_no_record() {
    let kept = |value: &str, answer: Response<Script>| {
        let counter = Counter::default();
        let layer = ObservabilityLayer::new().with_sink(counter.clone());
        let (response, ring) = ask_of(layer, asking(&[("cf-aig-collect-log", value)]), answer);
        assert!(response.headers().contains_key("cf-aig-log-id"));
        let _ = now(response.into_body().collect());
        assert_eq!(counter.0.load(Ordering::Relaxed), 1, "it is counted");
        ring.len()
    };
    assert_eq!(kept("false", answer()), 0);
    assert_eq!(kept("FALSE", answer()), 0);
    assert_eq!(kept("true", answer()), 1);
    assert_eq!(kept("no", answer()), 1);
    // Whoever is refused leaves a record.
    let mut refused = answer();
    let rejection = Rejection::new(RejectionKind::Unauthenticated, "no");
    refused.extensions_mut().insert(rejection);
    assert_eq!(kept("false", refused), 1);
    let record = record(&[("cf-aig-collect-log", "no")]);
    assert_eq!(
        record.ignored,
        ["cf-aig-collect-log: neither true nor false"]
    );
}

#[test]
fn a_thousand_requests_with_one_event_id() {
    let ring = Ring::new(2000);
    let inner = service_fn(|_: Request<Empty<Bytes>>| async { Ok::<_, Infallible>(answer()) });
    let mut service = ObservabilityLayer::new()
        .with_sink(ring.clone())
        .layer(inner);
    for _ in 0..1000 {
        let request = asking(&[("cf-aig-event-id", "same"), ("cf-aig-log-id", "mine")]);
        let Ok(response) = now(service.call(request));
        let _ = now(response.into_body().collect());
    }
    let records = ring.snapshot();
    assert!(records.iter().all(|record| record.event_id == "same"));
    let mut ids: Vec<_> = records.iter().map(|record| &record.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 1000);
    assert!(ids.iter().all(|id| ring.get(id).unwrap().id == **id));
}

#[test]
fn the_alias_that_was_asked_for() {
    let alias = |value: &str| record(&[("cf-aig-byok-alias", value)]).alias.clone();
    assert_eq!(alias("team-a").as_deref(), Some("team-a"));
    assert_eq!(alias(&"x".repeat(129)), None);
    assert_eq!(record(&[]).alias, None);
    let request = Request::post(NATIVE).header("cf-aig-byok-alias", &b"\xe9"[..]);
    let record = record_of(request.body(Empty::new()).unwrap(), answer());
    assert_eq!(record.alias, None);
}

#[test]
fn nothing_of_one_request_is_in_the_record_of_the_next() {
    let all = [
        ("cf-aig-metadata", r#"{"a":1,"b":[]}"#),
        ("cf-aig-byok-alias", "team"),
        ("cf-aig-otel-trace-id", "0af7651916cd43dd8448eb211c80319c"),
        ("cf-aig-otel-parent-span-id", "b7ad6b7169203331"),
        ("cf-aig-custom-cost", r#"{"total_cost":1}"#),
    ];
    let ring = Ring::new(1);
    let full = r#"{"amazon-bedrock-guardrailAction":"NONE","service_tier":"flex","metrics":{"latencyMs":5},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":1,"cacheReadInputTokens":1,"cacheWriteInputTokens":1,"output_tokens_details":{"reasoning_tokens":1}}}"#;
    let inner = service_fn(|request: Request<Empty<Bytes>>| async move {
        let answer = match request.uri().path() {
            "/" => Response::new(Script::new([])),
            _ => json(Script::new([data(full)])),
        };
        Ok::<_, Infallible>(answer)
    });
    let mut service = ObservabilityLayer::new()
        .with_sink(ring.clone())
        .layer(inner);
    let mut send = |request| {
        let Ok(response) = now(service.call(request));
        let _ = now(response.into_body().collect());
        let record = only(&ring);
        serde_json::to_value(&*record).unwrap()
    };
    for _ in 0..3 {
        let full = send(asking(&all));
        assert_eq!(full["cost"], 1.0);
        assert_eq!(full["guardrail_action"], "NONE");
        assert_eq!(full["tokens_reasoning"], 1);
        assert_eq!(full["bedrock_latency"], 5.0);
        let bare = send(post("/"));
        for (name, value) in bare.as_object().unwrap() {
            let is_own = [
                "id",
                "event_id",
                "created_at",
                "duration",
                "provider",
                "path",
                "status_code",
                "success",
                "outcome",
                "request_size",
                "response_size",
            ]
            .contains(&name.as_str());
            let is_nothing =
                value.is_null() || value == false || value == 0 || *value == serde_json::json!([]);
            assert!(is_own || is_nothing, "{name}: {value}");
        }
        assert_eq!(
            (&bare["path"], &bare["response_size"]),
            (&"/".into(), &0.into())
        );
    }
}
