use serde_json::json;

use super::*;

fn read(json: &str) -> Usage {
    Counts::read(json.as_bytes()).usage
}

fn usage(counts: [Option<u64>; 4], more: [Option<u64>; 2]) -> Usage {
    Usage {
        input_tokens: counts[0],
        output_tokens: counts[1],
        cache_read_tokens: counts[2],
        cache_write_tokens: counts[3],
        cache_write_1h_tokens: more[0],
        reasoning_tokens: more[1],
        ..Usage::default()
    }
}

#[test]
fn shapes() {
    let table = [
        (
            json!({"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}),
            [Some(1), Some(2), None, None],
        ),
        (
            json!({"inputTokens": 11, "outputTokens": 236, "cacheReadInputTokenCount": 0, "cacheReadInputTokens": 0,
                "cacheWriteInputTokenCount": 1028, "cacheWriteInputTokens": 1028, "serverToolUsage": {}}),
            [Some(11), Some(236), Some(0), Some(1028)],
        ),
        (
            json!({"inputTokens": 5, "outputTokens": 6, "cacheReadInputTokenCount": 7, "cacheWriteInputTokenCount": 8}),
            [Some(5), Some(6), Some(7), Some(8)],
        ),
        (
            json!({"inputTokenCount": 5, "outputTokenCount": 6, "cacheReadInputTokenCount": 7, "cacheWriteInputTokenCount": 8}),
            [Some(5), Some(6), Some(7), Some(8)],
        ),
        (
            json!({"input_tokens": 5, "output_tokens": 6, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 8,
                "cache_creation": {"ephemeral_5m_input_tokens": 8}, "output_tokens_details": {"thinking": 3}}),
            [Some(5), Some(6), Some(7), Some(8)],
        ),
        (
            json!({"prompt_tokens": 72, "completion_tokens": 56, "total_tokens": 128}),
            [Some(72), Some(56), None, None],
        ),
        (
            json!({"prompt_tokens": 72, "completion_tokens": 56, "prompt_tokens_details": {"cached_tokens": 70, "audio_tokens": 0}}),
            [Some(2), Some(56), Some(70), None],
        ),
        (
            json!({"prompt_tokens": 72, "completion_tokens": 56, "prompt_tokens_details": null}),
            [Some(72), Some(56), None, None],
        ),
        (
            json!({"input_tokens": 88, "input_tokens_details": {"cache_write_tokens": 80, "cached_tokens": 6}, "output_tokens": 14}),
            [Some(2), Some(14), Some(6), Some(80)],
        ),
        (
            json!({"input_tokens": 1, "input_tokens_details": {"cached_tokens": 6}}),
            [Some(0), None, Some(6), None],
        ),
        (
            json!({"inputTokens": 28.0, "outputTokens": -1, "cacheReadInputTokens": "7"}),
            [Some(28), None, None, None],
        ),
        (json!({"topicPolicyUnits": 1}), [None; 4]),
        (json!(null), [None; 4]),
        (json!([1]), [None; 4]),
    ];
    for (value, expected) in table {
        assert_eq!(
            read(&value.to_string()),
            usage(expected, [None; 2]),
            "{value}"
        );
    }
}

#[test]
fn parts() {
    for (json, more) in [
        (
            r#"{"cache_creation":{"ephemeral_5m_input_tokens":8,"ephemeral_1h_input_tokens":3}}"#,
            [Some(3), None],
        ),
        (
            r#"{"cacheDetails":[{"ttl":"1h","inputTokens":3},{"inputTokens":4,"ttl":"5m"},{"ttl":"1h","inputTokens":5},7]}"#,
            [Some(8), None],
        ),
        (
            r#"{"cacheDetails":{"ttl":"1h"},"cache_creation":[1]}"#,
            [None, None],
        ),
        (
            r#"{"completion_tokens_details":{"reasoning_tokens":9}}"#,
            [None, Some(9)],
        ),
        (
            r#"{"output_tokens_details":{"thinking_tokens":0}}"#,
            [None, Some(0)],
        ),
        (
            r#"{"output_tokens_details":null,"reasoning_tokens":4}"#,
            [None, None],
        ),
    ] {
        assert_eq!(read(json), usage([None; 4], more), "{json}");
    }
    let json = br#"{"inputTokenCount":1,"invocationLatency":1830,"service_tier":"standard"}"#;
    let counts = Counts::read(json);
    assert_eq!(counts.latency, Some(1830));
    assert_eq!(counts.service_tier, Some("standard"));
}

#[test]
fn bad_counts() {
    for json in [
        r#"{"inputTokens":"7","outputTokens":-1,"cacheReadInputTokens":[7],"cacheWriteInputTokens":{"inputTokens":7}}"#,
        r#"{"inputTokens":1e300,"outputTokens":99999999999999999999999,"service_tier":{"a":[1]}}"#,
        r#"{"inputTokens":1000000000001}"#,
        r#"{"inputTokens":7"#,
        r#"{"inputTokens":7}}"#,
        r#"{"inputTokens":NaN}"#,
        "7",
        "",
    ] {
        assert_eq!(Counts::read(json.as_bytes()), Counts::default(), "{json}");
    }
    assert_eq!(read(r#"{"inputTokens":2.9}"#).input_tokens, Some(2));
    for (number, count) in [
        ("1000000000000", Some(1_000_000_000_000)),
        ("1e12", Some(1_000_000_000_000)),
        ("1000000000001", None),
        ("1000000000000.5", None),
        ("18446744073709551615", None),
        ("18446744073709551616", None),
        ("1e400", None),
        ("-1e400", None),
    ] {
        let json =
            format!(r#"{{"outputTokens":5,"inputTokens":{number},"cacheReadInputTokens":6}}"#);
        let expected = usage([count, Some(5), Some(6), None], [None; 2]);
        assert_eq!(read(&json), expected, "{number}");
    }
    // The last number counts.
    for (json, count) in [
        (r#"{"inputTokens":1,"inputTokens":2}"#, 2),
        (r#"{"inputTokens":1,"inputTokens":2,"service_tier":"x"}"#, 2),
        (r#"{"inputTokens":1,"inputTokens":null}"#, 1),
    ] {
        assert_eq!(read(json).input_tokens, Some(count), "{json}");
    }
}

/// Whatever is seen at a glance is what is seen at length.
#[test]
fn at_a_glance() {
    let seen = |json: &str| {
        let glance = Counts::at_a_glance(json.as_bytes());
        if let Some(glance) = glance {
            assert_eq!(glance, Counts::at_length(json.as_bytes()), "{json}");
        }
        glance.is_some()
    };
    let usual = [
        r#"{"inputTokens":14,"outputTokens":19,"serverToolUsage":{},"totalTokens":33}"#,
        r#"{"input_tokens":0,"cache_creation_input_tokens":7,"cache_read_input_tokens":123456789012,"output_tokens":19}"#,
        r#"{"inputTokenCount":1,"outputTokenCount":2,"invocationLatency":3,"firstByteLatency":4}"#,
        r#"{"inputTokens":{},"inputTokens":3,"inputTokens":4,"é":1}"#,
    ];
    for json in usual {
        assert!(seen(json), "{json}");
        for at in 0..json.len() {
            let (Some(head), Some(tail)) = (json.get(..at), json.get(at + 1..)) else {
                continue;
            };
            seen(head);
            for byte in 0..128u8 {
                seen(&format!("{head}{}{tail}", char::from(byte)));
            }
        }
    }
    for json in [
        "",
        "{}",
        "{ }",
        r#"{"inputTokens":01}"#,
        r#"{"inputTokens":-1}"#,
        r#"{"inputTokens":1.0}"#,
        r#"{"inputTokens":1e2}"#,
        r#"{"inputTokens":12345678901234567890}"#,
        r#"{"inputTokens":1,}"#,
        r#"{"inputTokens":1}}"#,
        r#"{"inputTokens":1} "#,
        r#"{"input\u0054okens":1}"#,
        r#"{"prompt_tokens_details":{}}"#,
        r#"{"service_tier":"flex"}"#,
        r#"{"cacheDetails":[]}"#,
    ] {
        assert!(!seen(json), "{json}");
    }
}
