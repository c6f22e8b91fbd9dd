//! Bodies that are no request at all, and some that are barely one.

use tower_bedrock::Policy;
use tower_bedrock::compat::Translation;

fn refused(body: &[u8]) -> (u16, Option<String>, &'static str) {
    match Translation::of(body, &Policy::new()) {
        Ok(translation) => panic!("not refused: {:?}", translation.body()),
        Err(rejection) => {
            assert!(rejection.text().len() < 400, "{rejection}");
            let param = rejection.param().map(str::to_owned);
            (rejection.status().as_u16(), param, rejection.code())
        }
    }
}

const MODEL: &str = r#""model": "aws-bedrock/amazon.nova-lite-v1:0""#;
const HI: &str = r#""messages": [{"role": "user", "content": "Hi"}]"#;

#[test]
fn bodies() {
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let deeper = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    let whole = format!("{{{MODEL}, {HI}}}");
    let cut = &whole[..whole.len() - 5];
    for (body, code) in [
        ("", "invalid_json"),
        (" ", "invalid_json"),
        ("hello", "invalid_json"),
        ("NaN", "invalid_json"),
        (cut, "invalid_json"),
        (&format!("\u{feff}{whole}"), "invalid_json"),
        (&format!("{whole} {{}}"), "invalid_json"),
        (&format!("{whole}x"), "invalid_json"),
        (&deep, "invalid_type"),
        (&deeper, "invalid_json"),
        (
            &format!("{{{MODEL}, {HI}, \"x\": {deeper}}}"),
            "invalid_json",
        ),
        ("null", "invalid_type"),
        ("[]", "invalid_type"),
        ("7", "invalid_type"),
        ("\"text\"", "invalid_type"),
        (
            &format!("{{{MODEL}, {HI}, \"temperature\": NaN}}"),
            "invalid_json",
        ),
        (
            &format!("{{{MODEL}, {HI}, \"temperature\": 1e400}}"),
            "invalid_json",
        ),
        (
            &format!("{{{MODEL}, {HI}, \"temperature\": 01}}"),
            "invalid_json",
        ),
        (
            &format!(r#"{{{MODEL}, "messages": [{{"role": "user", "content": "\ud800"}}]}}"#),
            "invalid_json",
        ),
        (
            &format!(r#"{{{MODEL}, {HI}, "user": "\udc00x"}}"#),
            "invalid_json",
        ),
        (
            &format!("{{{MODEL}, {HI}, \"user\": \"a\nb\"}}"),
            "invalid_json",
        ),
        (
            &format!("{{{MODEL}, \"messages\": [{{\"role\": \"user\", \"content\": \"a\nb\"}}]}}"),
            "invalid_json",
        ),
        (
            &format!(r#"{{{MODEL}, "messages": [{{"role": "user", "content": "\x"}}]}}"#),
            "invalid_json",
        ),
        (
            &format!(
                r#"{{{MODEL}, "messages": [{{"role": "user", "content": [{{"type": "text", "text": "\udead"}}]}}]}}"#
            ),
            "invalid_json",
        ),
    ] {
        assert_eq!(refused(body.as_bytes()), (400, None, code), "{body}");
    }
    assert_eq!(
        refused(b"{\"model\": \"\xff\"}"),
        (400, None, "invalid_json")
    );
}

#[test]
fn keys_that_are_there_twice() {
    for (body, param) in [
        (
            format!(r#"{{{MODEL}, "model": "aws-bedrock/x", {HI}}}"#),
            "model",
        ),
        (
            format!(r#"{{{MODEL}, {HI}, "m\u006fdel": "aws-bedrock/x"}}"#),
            "model",
        ),
        (format!(r#"{{{MODEL}, {HI}, "x": 1, "x": null}}"#), "x"),
        (
            format!(
                r#"{{{MODEL}, "messages": [{{"role": "user", "content": "a", "content": "b"}}]}}"#
            ),
            "messages[0].content",
        ),
        (
            format!(
                r#"{{{MODEL}, {HI}, "tools": [{{"type": "function", "function": {{"name": "a", "name": "b"}}}}]}}"#
            ),
            "tools[0].function.name",
        ),
        (
            format!(
                r#"{{{MODEL}, {HI}, "tools": [{{"type": "function", "function": {{"name": "a", "parameters": {{"type": "object", "type": "object"}}}}}}]}}"#
            ),
            "tools[0].function.parameters.type",
        ),
        (
            format!(r#"{{{MODEL}, {HI}, "additionalModelRequestFields": {{"a": 1, "a": 2}}}}"#),
            "additionalModelRequestFields.a",
        ),
    ] {
        let param = Some(param.to_owned());
        assert_eq!(
            refused(body.as_bytes()),
            (400, param, "invalid_value"),
            "{body}"
        );
    }
}

/// What passes through as text is checked to the bottom.
#[test]
fn schemas() {
    let deep = format!(
        "{}{}",
        r#"{"a":"#.repeat(300),
        "1".to_owned() + &"}".repeat(300)
    );
    for schema in [
        r#"{"type": "object", "x": 1e400}"#,
        r#"{"type": "object", "x": "\ud800"}"#,
        &deep,
    ] {
        let body = format!(
            r#"{{{MODEL}, {HI}, "tools": [{{"type": "function", "function": {{"name": "a", "parameters": {schema}}}}}]}}"#
        );
        let param = Some("tools[0].function.parameters".to_owned());
        assert_eq!(
            refused(body.as_bytes()),
            (400, param, "invalid_json"),
            "{schema}"
        );
        let body = format!(r#"{{{MODEL}, {HI}, "additionalModelRequestFields": {schema}}}"#);
        let param = Some("additionalModelRequestFields".to_owned());
        assert_eq!(
            refused(body.as_bytes()),
            (400, param, "invalid_json"),
            "{schema}"
        );
    }
}

#[test]
fn numbers_at_the_edge() {
    let body = |parameter: &str| format!("{{{MODEL}, {HI}, {parameter}}}");
    for parameter in [
        r#""max_tokens": -0"#,
        r#""max_tokens": 18446744073709551616"#,
        r#""max_tokens": -9223372036854775809"#,
        r#""max_tokens": 1e300"#,
        r#""temperature": 1e300"#,
        r#""top_k": 9223372036854775807"#,
    ] {
        assert_eq!(refused(body(parameter).as_bytes()).0, 400, "{parameter}");
    }
    for (parameter, expected) in [
        (r#""temperature": -0.0"#, r#"{"temperature":0.0}"#),
        (r#""temperature": 1e-320"#, r#"{"temperature":1e-320}"#),
        (r#""max_tokens": 1e2"#, r#"{"maxTokens":100}"#),
        (r#""max_tokens": 2147483647"#, r#"{"maxTokens":2147483647}"#),
    ] {
        let translation = Translation::of(body(parameter).as_bytes(), &Policy::new()).unwrap();
        let expected = format!(r#""inferenceConfig":{expected}}}"#);
        let body = translation.body();
        let body = std::str::from_utf8(&body).unwrap();
        assert!(body.ends_with(&expected), "{body}");
    }
}

/// Base64 that is written with escapes is base64 all the same.
#[test]
fn escaped_base64() {
    let body = format!(
        r#"{{{MODEL}, "messages": [{{"role": "user", "content": [{{"type": "image_url", "image_url": {{"url": "data:image\/png;base64,\/9j\u002bQQ\u003d\n="}}}}]}}]}}"#
    );
    let translation = Translation::of(body.as_bytes(), &Policy::new()).unwrap();
    let body = translation.body();
    let body = std::str::from_utf8(&body).unwrap();
    assert!(body.contains(r#"{"bytes":"/9j+QQ=="}"#), "{body}");
}

/// Time and memory grow with the body, whatever is in it.
#[test]
fn large_bodies() {
    let many = |piece: &str, count: usize| vec![piece; count].join(",");
    for (body, is_fine) in [
        // A list of half a million numbers, and of as many keys.
        (
            format!("{{{MODEL}, {HI}, \"x\": [{}]}}", many("0", 600_000)),
            false,
        ),
        (
            format!("{{{MODEL}, {HI}, \"x\": {{{}}}}}", many("\"a\":0", 200_000)),
            true,
        ),
        (
            format!(
                "{{{MODEL}, \"messages\": [{}]}}",
                many(r#"{"role":"user","content":"x"}"#, 100_000)
            ),
            true,
        ),
        (
            format!(
                "{{{MODEL}, {HI}, \"additionalModelRequestFields\": {{{}}}}}",
                (0..100_000)
                    .map(|n| format!("\"{n}\":0"))
                    .collect::<Vec<_>>()
                    .join(",")
            ),
            true,
        ),
        (
            format!(
                "{{{MODEL}, {HI}, \"tools\": [{}]}}",
                (0..20_000)
                    .map(|n| format!(r#"{{"type":"function","function":{{"name":"a.{n}"}}}}"#))
                    .collect::<Vec<_>>()
                    .join(",")
            ),
            true,
        ),
        (
            format!(
                "{{{MODEL}, \"messages\": [{{\"role\":\"assistant\",\"tool_calls\":[{}]}}]}}",
                many(r#"{"id":"a","function":{"name":"f"}}"#, 2_000)
            ),
            false,
        ),
    ] {
        let start = std::time::Instant::now();
        let translated = Translation::of(body.as_bytes(), &Policy::new());
        assert_eq!(translated.is_ok(), is_fine, "{:?}", translated.err());
        assert!(
            start.elapsed().as_secs() < 20,
            "{} bytes: {:?}",
            body.len(),
            start.elapsed()
        );
    }
}

/// Each byte of a rich request cut off, or changed: translated or refused, and never a panic.
#[test]
fn broken_everywhere() {
    let golden = include_str!("../golden/history.json");
    let requests: Vec<serde_json::Value> = serde_json::from_str(golden).unwrap();
    for pair in requests.iter().step_by(5) {
        let request = pair["request"].to_string().into_bytes();
        for at in 0..request.len() {
            let _ = Translation::of(&request[..at], &Policy::new());
            for byte in [b'"', b'{', b']', b',', b'0', b'\\', 0, 0xff] {
                let mut changed = request.clone();
                changed[at] = byte;
                if let Err(rejection) = Translation::of(&changed, &Policy::new()) {
                    assert!([400, 404].contains(&rejection.status().as_u16()));
                }
            }
        }
    }
}

/// Ten megabytes of an image pass through as a slice of the request.
#[test]
fn a_large_image_is_not_copied() {
    let image = "A".repeat(10 << 20);
    let request = bytes::Bytes::from(format!(
        r#"{{{MODEL}, "messages": [{{"role": "user", "content": [{{"type": "image_url", "image_url": {{"url": "data:image/png;base64,{image}"}}}}]}}]}}"#
    ));
    drop(image);
    let mut translated = None;
    let counted = allocation_counter::measure(|| {
        translated = Translation::of_bytes(&request, &Policy::new()).ok();
    });
    let translation = translated.unwrap();
    assert!(counted.bytes_max < 128 * 1024, "{counted:?}");
    let frames: Vec<_> = translation.frames().frames().collect();
    assert_eq!(frames.len(), 3);
    assert_eq!(translation.frames().len(), translation.body().len() as u64);
    let copied = Translation::of(&request, &Policy::new()).unwrap();
    assert_eq!(copied.body(), translation.body());
}

/// What is made such that a naive translation takes the square of its length.
#[test]
fn bodies_that_ask_for_too_much() {
    let function = |parameters: &str| {
        format!(
            r#"{{{MODEL}, {HI}, "tools": [{{"type": "function", "function": {{"name": "a", "parameters": {parameters}}}}}]}}"#
        )
    };
    let join = |count: usize, piece: &dyn Fn(usize) -> String| {
        (0..count).map(piece).collect::<Vec<_>>().join(",")
    };
    // Calls of one id, answered from the last to the first.
    let calls = join(250, &|_| r#"{"id":"a","function":{"name":"f"}}"#.into());
    let results = join(250, &|_| r#"{"role":"tool","tool_call_id":"a"}"#.into());
    let turns = join(80, &|_| {
        format!(r#"{{"role":"assistant","tool_calls":[{calls}]}},{results}"#)
    });
    let names = join(40_000, &|n| format!("\"n{n}\""));
    let alternatives = join(3000, &|n| {
        format!(r#"{{"properties":{{"p{n}":{{}}}},"required":["p{n}"]}}"#)
    });
    let long = "x".repeat(500_000);
    let (open, close) = (r#"{"properties":{"a":"#.repeat(40), "}}".repeat(40));
    let strict = format!(
        r#"{{"model": "aws-bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", {HI}, "response_format": {{"type": "json_schema", "json_schema": {{"name": "a", "schema": {open}{{"title":"{long}"}}{close}}}}}}}"#
    );
    for (what, body, is_fine) in [
        (
            "calls of one id",
            format!("{{{MODEL}, \"messages\": [{turns}]}}"),
            true,
        ),
        (
            "required",
            function(&format!(
                r#"{{"anyOf":[{{"required":[{names}]}},{{"required":[{names}]}}]}}"#
            )),
            false,
        ),
        (
            "alternatives",
            function(&format!(r#"{{"oneOf":[{alternatives}]}}"#)),
            true,
        ),
        ("a deep schema", strict, true),
        (
            "assistants in a row",
            format!(
                "{{{MODEL}, \"messages\": [{}]}}",
                join(80_000, &|_| r#"{"role":"assistant","content":"x"}"#.into())
            ),
            true,
        ),
        (
            "unknown keys",
            format!(
                "{{{MODEL}, {HI}, {}}}",
                join(100_000, &|n| format!("\"x{n}\":1"))
            ),
            true,
        ),
        (
            "names alike",
            format!(
                "{{{MODEL}, {HI}, \"tools\": [{}]}}",
                join(20_000, &|n| format!(
                    r#"{{"type":"function","function":{{"name":"{}{n}"}}}}"#,
                    "x".repeat(64)
                ))
            ),
            true,
        ),
    ] {
        let start = std::time::Instant::now();
        let translated = Translation::of(body.as_bytes(), &Policy::new());
        let took = start.elapsed();
        assert_eq!(
            translated.is_ok(),
            is_fine,
            "{what}: {:?}",
            translated.err()
        );
        assert!(
            took.as_secs() < 20,
            "{what}, {} bytes: {took:?}",
            body.len()
        );
        println!("{what}: {} bytes, {took:?}", body.len());
    }
}

/// As deep as Bedrock takes, and deeper.
#[test]
fn depth() {
    let nested = |levels: usize| {
        let (open, close) = (r#"{"a":"#.repeat(levels), "}".repeat(levels));
        format!("{open}1{close}")
    };
    for (levels, is_fine) in [(90, true), (100, false), (120, false)] {
        let deep = nested(levels);
        let arguments = serde_json::to_string(&deep).unwrap();
        for body in [
            format!(r#"{{{MODEL}, {HI}, "additionalModelRequestFields": {deep}}}"#),
            format!(
                r#"{{{MODEL}, {HI}, "tools": [{{"type": "function", "function": {{"name": "a", "parameters": {deep}}}}}]}}"#
            ),
            format!(
                r#"{{{MODEL}, "messages": [{{"role": "assistant", "tool_calls": [{{"id": "a", "function": {{"name": "f", "arguments": {arguments}}}}}]}}, {{"role": "tool", "tool_call_id": "a", "content": "1"}}]}}"#
            ),
        ] {
            match Translation::of(body.as_bytes(), &Policy::new()) {
                Ok(_) => assert!(is_fine, "{body}"),
                Err(rejection) => {
                    assert!(!is_fine, "{rejection}");
                    assert!(rejection.param().is_some(), "{rejection}");
                }
            }
        }
    }
    // What is only looked at for its name is ignored at any depth that is JSON.
    let body = format!(r#"{{{MODEL}, {HI}, "x": {}}}"#, nested(100));
    let translation = Translation::of(body.as_bytes(), &Policy::new()).unwrap();
    assert_eq!(translation.dropped(), ["x"]);
}

/// Each parameter of the contract with values of all types: one that is refused is refused by its
/// name, and each parameter refuses some.
#[test]
fn wrong_types_of_every_parameter() {
    let contract = include_str!("../../../src/compat/contract.md");
    let rows = contract.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    let cells = cells.filter(|cell| !cell.contains(['.', '[', '\u{2026}']));
    let names: Vec<&str> = cells
        .flat_map(|cell| cell.split(", "))
        .map(|name| name.trim_matches('`'))
        .collect();
    assert!(names.len() > 40);
    let good = serde_json::json!({
        "model": "aws-bedrock/amazon.nova-lite-v1:0",
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"type": "function", "function": {"name": "a"}}],
    });
    for name in names {
        let mut refused = 0;
        for value in [
            "true",
            "-1",
            "1.5",
            "9223372036854775808",
            "\"text\"",
            "\"\"",
            "[]",
            "[[]]",
            "[{\"a\": 1}]",
            "{}",
            "{\"a\": {\"b\": []}}",
            "{\"type\": [], \"name\": 1}",
        ] {
            let mut request = good.clone();
            request[name] = serde_json::from_str(value).unwrap();
            let Err(rejection) = Translation::of(request.to_string().as_bytes(), &Policy::new())
            else {
                continue;
            };
            refused += 1;
            let param = rejection.param().unwrap_or_default();
            assert!(param.starts_with(name), "{name}: {value}: {rejection}");
            assert!(
                [400, 404].contains(&rejection.status().as_u16()),
                "{rejection}"
            );
        }
        // What may be anything.
        assert!(refused > 1 || name == "moderation", "{name}: {refused}");
    }
}

/// A chat of two kilobytes takes few allocations.
#[test]
fn few_allocations() {
    let text = "word ".repeat(400);
    let request = bytes::Bytes::from(format!(
        r#"{{{MODEL}, "messages": [{{"role": "system", "content": "Be brief."}}, {{"role": "user", "content": "{text}"}}], "max_tokens": 64, "temperature": 0.5}}"#
    ));
    let counted = allocation_counter::measure(|| {
        drop(Translation::of_bytes(&request, &Policy::new()));
    });
    assert!(counted.count_total <= 20, "{counted:?}");
}
