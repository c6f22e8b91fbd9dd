//! What the record knows of an answer, whatever its bytes are.

use super::*;

fn read_json(text: &str) -> Arc<Record> {
    let script = Script::chunks(text.as_bytes(), 7);
    record_of(post(NATIVE), json(script))
}

fn read_stream(wire: &[u8]) -> Arc<Record> {
    record_of(post(NATIVE), stream(Script::chunks(wire, 1000)))
}

/// A `chunk` of InvokeModelWithResponseStream.
fn chunk(json: &str) -> Bytes {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.encode(json);
    eventstream::event(
        "chunk",
        format!(r#"{{"bytes":"{bytes}","p":"abc"}}"#).as_bytes(),
    )
}

#[test]
fn each_count_and_their_sum() {
    let record = read_json(
        r#"{"usage":{"inputTokens":11,"outputTokens":236,"cacheReadInputTokens":80,"cacheWriteInputTokens":20,"totalTokens":347},"metrics":{"latencyMs":1830},"serviceTier":{"type":"flex"},"stopReason":"guardrail_intervened"}"#,
    );
    assert_eq!(
        (record.tokens_in, record.tokens_input),
        (Some(111), Some(11))
    );
    assert_eq!(
        (record.tokens_cache_read, record.tokens_cache_write),
        (Some(80), Some(20))
    );
    assert_eq!(
        (record.tokens_out, record.tokens_reasoning),
        (Some(236), None)
    );
    assert_eq!(record.bedrock_latency.unwrap().as_millis(), 1830);
    assert_eq!(record.service_tier.as_deref(), Some("flex"));
    assert_eq!(record.guardrail_action.as_deref(), Some("INTERVENED"));
}

#[test]
fn what_only_some_answers_tell() {
    let tier = |json: &str| read_json(json).service_tier.clone();
    assert_eq!(
        tier(r#"{"service_tier":"default"}"#).as_deref(),
        Some("default")
    );
    assert_eq!(
        tier(r#"{"usage":{"service_tier":"standard"}}"#).as_deref(),
        Some("standard")
    );
    assert_eq!(tier(r#"{"service_tier":{"type":"x"}}"#), None);
    let guardrail = |json: &str| read_json(json).guardrail_action.clone();
    assert_eq!(
        guardrail(r#"{"amazon-bedrock-guardrailAction":"NONE"}"#).as_deref(),
        Some("NONE")
    );
    assert_eq!(
        guardrail(r#"{"action":"GUARDRAIL_INTERVENED"}"#).as_deref(),
        Some("INTERVENED")
    );
    assert_eq!(guardrail(r#"{"action":"NONE"}"#).as_deref(), Some("NONE"));
    assert_eq!(guardrail(r#"{"action":"jump"}"#), None);
    let reasoning = |json: &str| read_json(json).tokens_reasoning;
    assert_eq!(
        reasoning(r#"{"usage":{"completion_tokens_details":{"reasoning_tokens":9}}}"#),
        Some(9)
    );
    assert_eq!(
        reasoning(r#"{"usage":{"output_tokens_details":{"thinking_tokens":9}}}"#),
        Some(9)
    );

    let head = json(Script::new([data("{}")]));
    let (mut parts, body) = head.into_parts();
    for (name, value) in [
        ("x-amzn-bedrock-input-token-count", "5"),
        ("x-amzn-bedrock-invocation-latency", "77"),
        ("x-amzn-bedrock-service-tier", "priority"),
    ] {
        parts.headers.insert(name, value.parse().unwrap());
    }
    let record = record_of(post(NATIVE), Response::from_parts(parts, body));
    assert_eq!(record.tokens_in, Some(5));
    assert_eq!(record.bedrock_latency.unwrap().as_millis(), 77);
    assert_eq!(record.service_tier.as_deref(), Some("priority"));
}

#[test]
fn only_the_top_level_counts() {
    for text in [
        r#"{"output":{"usage":{"inputTokens":9000000000}}}"#,
        r#"{"content":[{"text":"{\"usage\":{\"inputTokens\":9000000000}}"}]}"#,
        r#"{"content":[{"type":"tool_use","input":{"usage":{"inputTokens":9000000000}}}]}"#,
        r#"["usage",{"usage":{"inputTokens":9000000000}}]"#,
    ] {
        assert_eq!(read_json(text).tokens_in, None, "{text}");
    }
}

#[test]
fn odd_json() {
    for (usage, input, output) in [
        (r#"{"inputTokens":"7","outputTokens":3}"#, None, Some(3)),
        (r#"{"inputTokens":-7,"outputTokens":3}"#, None, Some(3)),
        (
            r#"{"inputTokens":28.0,"outputTokens":3.5}"#,
            Some(28),
            Some(3),
        ),
        (
            r#"{"inputTokens":9007199254740993,"outputTokens":18446744073709551615}"#,
            None,
            None,
        ),
        (
            r#"{"inputTokens":1000000000000,"outputTokens":1e400}"#,
            Some(1_000_000_000_000),
            None,
        ),
        (
            r#"{"inputTokens":1,"inputTokens":2,"outputTokens":3}"#,
            Some(2),
            Some(3),
        ),
        (
            r#"{"inputTokens":18446744073709551616,"outputTokens":1e999}"#,
            None,
            None,
        ),
        (r#"{"inputTokens":[7],"outputTokens":{"a":3}}"#, None, None),
        (r#"{"inputTokens":null}"#, None, None),
        ("7", None, None),
        (r#""inputTokens""#, None, None),
    ] {
        let record = read_json(&format!(r#"{{"usage":{usage}}}"#));
        assert_eq!(
            (record.tokens_input, record.tokens_out),
            (input, output),
            "{usage}"
        );
        assert_eq!(record.outcome, Outcome::Complete);
    }
    let most = 1_000_000_000_000_u64;
    let record = read_json(&format!(
        r#"{{"usage":{{"inputTokens":{most},"cacheReadInputTokens":{most}}}}}"#
    ));
    assert_eq!(record.tokens_in, Some(2 * most));
    // Of two objects the later one counts.
    let record = read_json(r#"{"usage":{"inputTokens":1},"usage":{"inputTokens":2}}"#);
    assert_eq!(record.tokens_in, Some(2));
    // There is no sum of what is not known, and no price.
    let record = read_json(r#"{"usage":{"inputTokens":18446744073709551615,"outputTokens":1}}"#);
    assert_eq!((record.tokens_in, record.cost), (None, None));
}

#[test]
fn a_compressed_answer_is_not_read() {
    let (mut head, body) = json(Script::new([data(ANSWER)])).into_parts();
    head.headers
        .insert("content-encoding", "gzip".parse().unwrap());
    let record = record_of(post(NATIVE), Response::from_parts(head, body));
    assert_eq!((record.tokens_in, record.cost), (None, None));
    assert_eq!(record.outcome, Outcome::Complete);
}

#[test]
fn the_stream_of_invoke() {
    let wire = [
        chunk(r#"{"type":"message_start","message":{"model":"m","usage":{"input_tokens":9,"output_tokens":1}}}"#),
        chunk(r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"\"usage\":{\"input_tokens\":5}"}}"#),
        chunk(r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":98}}"#),
        chunk(r#"{"type":"message_stop","amazon-bedrock-guardrailAction":"INTERVENED","amazon-bedrock-invocationMetrics":{"inputTokenCount":10,"outputTokenCount":130,"invocationLatency":1500,"firstByteLatency":3}}"#),
    ]
    .concat();
    let record = read_stream(&wire);
    assert_eq!(record.outcome, Outcome::Complete);
    // Bedrock's own count is what is billed.
    assert_eq!((record.tokens_in, record.tokens_out), (Some(10), Some(130)));
    assert_eq!(record.bedrock_latency.unwrap().as_millis(), 1500);
    assert_eq!(record.guardrail_action.as_deref(), Some("INTERVENED"));
    assert_eq!(record.stop_reason.as_deref(), Some("end_turn"));
    assert_eq!(record.bytes_unread, None);
}

/// What the beginning of a message says of its length is no count of it, unless it is all that a
/// message has to say.
#[test]
fn the_start_of_a_message_does_not_count_its_tokens() {
    let start = |output: u64| {
        chunk(&format!(
            r#"{{"type":"message_start","message":{{"usage":{{"input_tokens":9,"output_tokens":{output}}}}}}}"#
        ))
    };
    let cut = read_stream(&start(1));
    assert_eq!((cut.tokens_in, cut.tokens_out), (Some(9), None));
    assert_eq!(cut.outcome, Outcome::UpstreamCut);
    // A guardrail has let nothing through.
    let blocked = [start(0), chunk(r#"{"type":"message_stop"}"#)].concat();
    let blocked = read_stream(&blocked);
    assert_eq!((blocked.tokens_in, blocked.tokens_out), (Some(9), Some(0)));
    assert_eq!(blocked.outcome, Outcome::Complete);
}

#[test]
fn a_stream_cut_at_every_byte() {
    let wire = frames().concat();
    for cut in 0..wire.len() {
        let record = read_stream(&wire[..cut]);
        assert_eq!(record.outcome, Outcome::UpstreamCut, "{cut}");
        assert_eq!(record.tokens_in, None, "{cut}");
    }
    assert_eq!(read_stream(&wire).tokens_in, Some(7));
}

#[test]
fn broken_frames_stop_the_reading_and_not_the_stream() {
    let frames = frames();
    let prelude = |total: u32, headers: u32| {
        let mut bytes = [total.to_be_bytes(), headers.to_be_bytes()].concat();
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        bytes.extend([0; 40]);
        bytes
    };
    let flipped = |frame: &Bytes, at: usize| {
        let mut bytes = frame.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    let last = frames[4].len() - 1;
    for (what, bad) in [
        ("length 0", prelude(0, 0)),
        ("length 15", prelude(15, 0)),
        ("length 0xFFFFFFFF", prelude(u32::MAX, 0)),
        ("headers longer than frame", prelude(40, 25)),
        ("headers of 0xFFFFFFFF", prelude(40, u32::MAX)),
        ("prelude checksum", flipped(&frames[1], 8)),
        (
            "prelude checksum of a frame that is needed",
            flipped(&frames[4], 9),
        ),
        ("checksum of metadata", flipped(&frames[4], last)),
        ("payload of metadata", flipped(&frames[4], last - 6)),
        (
            "no event stream",
            b"{\"message\":\"no stream at all, but an object\"}".to_vec(),
        ),
    ] {
        for size in [1, 5, 10_000] {
            let wire = [&frames[0][..], &bad, &frames[1]].concat();
            let layer = ObservabilityLayer::new();
            let unread = layer.clone();
            let script = Script::chunks(&wire, size);
            let (response, ring) = ask_of(layer, post(NATIVE), stream(script));
            let body = now(response.into_body().collect()).ok().unwrap();
            assert_eq!(body.to_bytes(), wire, "{what}: not a byte is changed");
            let record = only(&ring);
            assert_eq!(record.outcome, Outcome::UpstreamError, "{what}");
            assert!(record.error.as_ref().unwrap().starts_with("event stream: "));
            assert!(
                record.bytes_unread.unwrap() >= frames[1].len() as u64,
                "{what}"
            );
            assert_eq!(unread.unread_streams(), 1);
        }
    }
}

#[test]
fn frames_that_tell_nothing_are_hopped_over() {
    // Their checksum is not looked at, nor what they carry.
    let mut frames = frames();
    let mut delta = frames[1].to_vec();
    *delta.last_mut().unwrap() ^= 1;
    frames[1] = delta.into();
    let record = read_stream(&frames.concat());
    assert_eq!(record.outcome, Outcome::Complete);
    assert_eq!(record.tokens_in, Some(7));
    assert!(record.time_to_first_token.is_some());

    // In another order of headers, or with more of them.
    for headers in [
        &[
            (":message-type", "event"),
            (":event-type", "contentBlockDelta"),
            (":content-type", "application/json"),
        ][..],
        &[
            (":event-type", "contentBlockDelta"),
            (":message-type", "event"),
            ("x", "y"),
        ],
    ] {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).into()));
        let headers: Vec<_> = headers.collect();
        frames[1] = eventstream::encode(&headers, b"not JSON").unwrap();
        let record = read_stream(&frames.concat());
        assert_eq!(record.outcome, Outcome::Complete);
        assert!(record.time_to_first_token.is_some());
    }
    // An exception that calls itself an event.
    frames[1] = eventstream::event("throttlingException", b"{}");
    let record = read_stream(&frames.concat());
    assert_eq!(record.error.as_deref(), Some("throttlingException"));
}

/// OpenAI's completions end with `[DONE]`; one that does not was cut off.
#[test]
fn completions_as_events() {
    const CHUNKS: &str = concat!(
        "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
        "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"data: [DONE]\"}}]}\n\n",
        "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        "data: {\"id\":\"chatcmpl-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n",
    );
    const FAILED: &str = "data: {\"error\":{\"type\":\"server_error\",\"message\":\"no\"}}\n\n";
    for (end, outcome) in [
        ("data: [DONE]\n\n", Outcome::Complete),
        ("data:[DONE]\r\n\r\n", Outcome::Complete),
        ("data: [DONE]\n", Outcome::Complete),
        ("data: [DONE]", Outcome::Complete),
        ("", Outcome::UpstreamCut),
        (": still here\n\n", Outcome::UpstreamCut),
        ("data: [DON", Outcome::UpstreamCut),
        ("data: [DONE]]\n\n", Outcome::UpstreamCut),
        ("data: x[DONE]\n\n", Outcome::UpstreamCut),
        (FAILED, Outcome::UpstreamError),
    ] {
        let wire = format!("{CHUNKS}{end}");
        for size in [1, 5, 10_000] {
            let script = Script::chunks(wire.as_bytes(), size);
            let uri = "https://bedrock-mantle.us-east-1.api.aws/v1/chat/completions";
            let record = record_of(post(uri), events(script));
            assert_eq!(record.outcome, outcome, "{end:?} in pieces of {size}");
            assert_eq!((record.tokens_in, record.tokens_out), (Some(7), Some(3)));
            assert_eq!(record.stop_reason.as_deref(), Some("stop"));
            assert_eq!(record.response_id.as_deref(), Some("chatcmpl-1"));
        }
    }
    // Cut in mid-chunk, and before any.
    for (end, outcome) in [
        (CHUNKS.len() - 90, Outcome::UpstreamCut),
        (0, Outcome::UpstreamCut),
    ] {
        let script = Script::chunks(&CHUNKS.as_bytes()[..end], 100);
        let record = record_of(post("/v1/chat/completions"), events(script));
        assert_eq!(record.outcome, outcome);
    }
    // The same chunks in frames end as frames do.
    let wire = [chunk(r#"{"choices":[{"delta":{"content":"a"}}]}"#)].concat();
    assert_eq!(read_stream(&wire).outcome, Outcome::Complete);
}

/// Of what is compressed only the head tells something, and never a wrong number.
#[test]
fn compressed_answers() {
    for (encoding, kind, body) in [
        ("gzip", "application/json", ANSWER),
        (
            "br, gzip",
            "text/event-stream",
            "data: {\"usage\":{\"input_tokens\":5}}\n\n",
        ),
        ("x-new", "application/vnd.amazon.eventstream", "\0\0\0\x10"),
    ] {
        let mut squeezed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        io::Write::write_all(&mut squeezed, body.as_bytes()).unwrap();
        for body in [squeezed.finish().unwrap(), body.as_bytes().to_vec()] {
            let answer = Response::builder()
                .header("content-type", kind)
                .header("content-encoding", encoding)
                .header("x-amzn-bedrock-input-token-count", "12");
            let answer = answer.body(Script::chunks(&body, 9)).unwrap();
            let record = record_of(post(NATIVE), answer);
            assert_eq!(
                (record.tokens_in, record.tokens_out),
                (Some(12), None),
                "{kind}"
            );
            assert_eq!((record.cost, record.bytes_unread), (None, None), "{kind}");
            assert_eq!(record.outcome, Outcome::Complete, "{kind}");
            assert_eq!(record.response_size, Some(body.len() as u64));
        }
    }
}
