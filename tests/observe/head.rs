//! What was used, said in the head of an answer.

use super::*;

fn held(
    limit: usize,
    response: Response<Script>,
) -> (Response<ObservedBody<Script, &'static str>>, Ring) {
    ask_of(
        ObservabilityLayer::new().with_usage_headers(limit),
        post(NATIVE),
        response,
    )
}

#[test]
fn an_answer_that_fits() {
    for script in [
        Script::chunks(ANSWER.as_bytes(), 1000),
        Script::chunks(ANSWER.as_bytes(), 9).telling_end(),
        Script::chunks(ANSWER.as_bytes(), 9).of_length(ANSWER.len() as u64),
        Script::chunks(ANSWER.as_bytes(), 9).then(Step::Trailers),
    ] {
        let (mut response, ring) = held(10_000, json(script));
        let headers = response.headers_mut();
        for (name, value) in [
            ("tokens-in", "13"),
            ("tokens-out", "4"),
            ("tokens-cache-read", "2"),
        ] {
            assert_eq!(headers[format!("x-bedrock-usage-{name}")], value, "{name}");
        }
        assert!(!headers.contains_key("x-bedrock-usage-tokens-cache-write"));
        assert!(ring.is_empty());
        let length = response.body().size_hint();
        assert!(
            length.lower() <= ANSWER.len() as u64
                && ANSWER.len() as u64 <= length.upper().unwrap_or(u64::MAX)
        );
        let body = now(response.into_body().collect()).unwrap();
        assert_eq!(body.to_bytes(), ANSWER);
        let record = only(&ring);
        assert_eq!(record.outcome, Outcome::Complete);
        assert_eq!(record.response_size, Some(ANSWER.len() as u64));
        assert_eq!(record.tokens_in, Some(13));
    }
}

#[test]
fn the_cost_is_the_records() {
    let uri =
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse";
    for (custom, cost) in [(None, "0.00000165"), (Some(r#"{"total_cost":0.5}"#), "0.5")] {
        let layer = ObservabilityLayer::new().with_usage_headers(1000);
        let mut request = post(uri);
        if let Some(custom) = custom {
            request
                .headers_mut()
                .insert("cf-aig-custom-cost", custom.parse().unwrap());
        }
        // An upstream that says so itself is not believed.
        let (mut head, body) = json(Script::new([data(ANSWER)])).into_parts();
        head.headers
            .insert("x-bedrock-usage-cost", "7".parse().unwrap());
        let (response, ring) = ask_of(layer, request, Response::from_parts(head, body));
        assert_eq!(response.headers()["x-bedrock-usage-cost"], cost);
        let _ = now(response.into_body().collect());
        assert_eq!(only(&ring).cost.unwrap().to_string(), cost);
    }
}

#[test]
fn answers_that_are_not_held_back() {
    let long = Script::chunks(ANSWER.as_bytes(), 10).then(Step::Wait);
    let announced = Script::new([Step::Wait]).of_length(101);
    let error = Response::builder()
        .status(429)
        .body(Script::new([Step::Wait]))
        .unwrap();
    for response in [
        json(long),
        json(announced),
        stream(Script::new([Step::Wait])),
        error,
    ] {
        let (response, ring) = held(100, response);
        assert!(
            !response
                .headers()
                .keys()
                .any(|name| name.as_str().starts_with("x-bedrock-usage"))
        );
        let mut body = response.into_body();
        let mut size = 0;
        while let Poll::Ready(Some(Ok(frame))) = next(&mut body) {
            size += frame.into_data().unwrap().len();
        }
        assert!(size == 0 || size == ANSWER.len());
        drop(body);
        assert_eq!(ring.len(), 1);
    }
}

#[test]
fn an_answer_that_breaks_off_while_it_is_held_back() {
    let script = Script::new([data(r#"{"usage":{"inputTokens":5},"#), Step::Fail]);
    let (response, ring) = held(1000, json(script));
    assert!(!response.headers().contains_key("x-bedrock-usage-tokens-in"));
    let mut body = response.into_body();
    assert!(!body.is_end_stream());
    assert!(matches!(next(&mut body), Poll::Ready(Some(Ok(_)))));
    assert!(ring.is_empty());
    assert!(matches!(next(&mut body), Poll::Ready(Some(Err("broken")))));
    assert_eq!(only(&ring).outcome, Outcome::UpstreamCut);
    assert!(matches!(next(&mut body), Poll::Ready(None)));
}

#[test]
fn a_client_that_leaves_while_it_is_held_back() {
    let ring = Ring::new(1);
    let inner = service_fn(|_: Request<Empty<Bytes>>| async {
        Ok::<_, Infallible>(json(Script::new([data("{"), Step::Wait])))
    });
    let layer = ObservabilityLayer::new().with_usage_headers(1000);
    let mut service = layer.with_sink(ring.clone()).layer(inner);
    let mut future = Box::pin(service.call(post(NATIVE)));
    assert!(poll(future.as_mut()).is_pending());
    drop(future);
    let record = only(&ring);
    assert_eq!(record.outcome, Outcome::ClientDisconnect);
    assert_eq!(
        (record.status_code, record.response_size),
        (Some(200), Some(0))
    );
}
