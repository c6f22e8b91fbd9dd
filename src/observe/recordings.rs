//! Usage of recorded exchanges, against a reading of them that works differently.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use super::reader::{Progress, Reader, Reading};

/// What a full parse of an exchange says: input, output, cache read, cache write; stop reason.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    counts: [Option<u64>; 4],
    stop: Option<String>,
}

#[test]
fn usage_of_every_recording() {
    let Some(shared) = shared() else { return };
    let text = std::fs::read_to_string(shared.join("recordings/exchanges.jsonl")).unwrap();
    let mut table: BTreeMap<(String, String), [usize; 2]> = BTreeMap::new();
    let (mut missing, mut exceptions, mut all) = (Vec::new(), Vec::new(), 0);
    for line in text.lines() {
        let exchange: Value = serde_json::from_str(line).unwrap();
        let response = &exchange["response"];
        let id = exchange["id"].as_str().unwrap();
        let op = exchange["op"].as_str().unwrap();
        let status = StatusCode::from_u16(response["status"].as_u64().unwrap() as u16).unwrap();
        let headers = headers(&response["headers"]);
        let body = match response["body_b64"].as_str() {
            Some(text) => STANDARD.decode(text).unwrap(),
            None => response["body"].as_str().unwrap().as_bytes().to_vec(),
        };
        let expected = expected(&exchange, status, &headers, &body);

        for size in [1, 3, 7, 1000, usize::MAX] {
            let mut reader = Reader::new(status, &headers);
            let mut first = 0;
            for piece in body.chunks(size.min(body.len().max(1))) {
                first += usize::from(reader.push(piece) == Progress::FirstContent);
            }
            let reading = reader.finish();
            let streams =
                status.is_success() && !headers["content-type"].as_bytes().ends_with(b"json");
            let says = streams && reading.exception.as_deref() != Some("validationException");
            assert_eq!(first, usize::from(says), "{id}: first content");
            assert_eq!(seen(&reading), expected, "{id} in pieces of {size}");
            assert!(
                !reading.truncated && reading.broken.is_none(),
                "{id}: {reading:?}"
            );
            assert!(!reading.unknown_operation, "{id}");
            if size == 1 {
                exceptions.extend(reading.exception.map(|name| format!("{id} {name}")));
            }
        }
        all += 1;
        if status.is_success() {
            let found = expected.counts[0].is_some() || expected.counts[1].is_some();
            table.entry((op.to_owned(), vendor(&exchange))).or_default()[usize::from(!found)] += 1;
            if !found {
                missing.push(format!("{id} {op} {}", exchange["model"]));
            }
        }
    }
    println!(
        "{:<28} {:<14} {:>6} {:>8}",
        "operation", "vendor", "found", "missing"
    );
    for ((op, vendor), [found, lacking]) in &table {
        println!("{op:<28} {vendor:<14} {found:>6} {lacking:>8}");
    }
    println!("without usage: {missing:#?}\nexceptions: {exceptions:#?}");
    assert_eq!(all, 519);
    assert_eq!(exceptions, ["req_llm-0130 validationException"]);
    // These do not tell: counts and rerankings, two answers recorded without their headers, one of
    // a guardrail, one exception, one of the control plane.
    assert_eq!(missing.len(), 11, "{missing:#?}");
}

fn seen(reading: &Reading) -> Expected {
    let usage = reading.usage;
    Expected {
        counts: [
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_read_tokens,
            usage.cache_write_tokens,
        ],
        stop: reading.stop_reason.clone(),
    }
}

/// By operation and key, from a full parse.
fn expected(exchange: &Value, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Expected {
    if !status.is_success() {
        return Expected::default();
    }
    let mut counts = [None; 4];
    let mut stops = Vec::new();
    let op = exchange["op"].as_str().unwrap();
    let parse = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap();
    match op {
        "converse" => {
            let body = parse(body);
            counts = camel(&body["usage"]);
            stops.push(body["stopReason"].clone());
        }
        "converse-stream" => {
            for event in exchange["eventstream"]["events"].as_array().unwrap() {
                let payload = parse(event["payload"].as_str().unwrap().as_bytes());
                match event["headers"][":event-type"].as_str() {
                    Some("metadata") => counts = camel(&payload["usage"]),
                    Some("messageStop") => stops.push(payload["stopReason"].clone()),
                    _ => {}
                }
            }
        }
        "invoke" => {
            let body = parse(body);
            counts = vendor_usage(&body);
            stops.extend(reasons(&body));
            for (count, name) in
                counts
                    .iter_mut()
                    .zip(["input", "output", "cache-read-input", "cache-write-input"])
            {
                if let Some(value) = headers.get(format!("x-amzn-bedrock-{name}-token-count")) {
                    *count = Some(value.to_str().unwrap().parse().unwrap());
                }
            }
        }
        "invoke-with-response-stream" => {
            let mut measured = [None; 4];
            let chunks = exchange["eventstream"]["events"].as_array().unwrap().iter();
            for chunk in chunks.map(|event| &event["chunk"]) {
                for told in [chunk, &chunk["message"], &chunk["metadata"]] {
                    update(&mut counts, vendor_usage(told));
                }
                update(
                    &mut counts,
                    [
                        number(&chunk["inputTextTokenCount"]),
                        number(&chunk["totalOutputTextTokenCount"]),
                        None,
                        None,
                    ],
                );
                let metrics = &chunk["amazon-bedrock-invocationMetrics"];
                update(
                    &mut measured,
                    [
                        "inputTokenCount",
                        "outputTokenCount",
                        "cacheReadInputTokenCount",
                        "cacheWriteInputTokenCount",
                    ]
                    .map(|key| number(&metrics[key])),
                );
                stops.extend(reasons(chunk));
                stops.extend([
                    chunk["delta"]["stop_reason"].clone(),
                    chunk["messageStop"]["stopReason"].clone(),
                    chunk["response"]["finish_reason"].clone(),
                ]);
            }
            update(&mut counts, measured);
        }
        "chat/completions" => {
            let body = parse(body);
            counts = openai(&body["usage"]);
            stops.extend(reasons(&body));
        }
        "responses" if body.starts_with(b"{") => counts = openai(&parse(body)["usage"]),
        "responses" => {
            let text = std::str::from_utf8(body).unwrap();
            let data = text.lines().filter_map(|line| line.strip_prefix("data: {"));
            for event in data.map(|rest| parse(format!("{{{rest}").as_bytes())) {
                update(&mut counts, openai(&event["response"]["usage"]));
            }
        }
        _ => {}
    }
    let stop = stops.iter().rev().find_map(|stop| stop.as_str());
    Expected {
        counts,
        stop: stop.map(str::to_owned),
    }
}

fn update(counts: &mut [Option<u64>; 4], later: [Option<u64>; 4]) {
    for (count, later) in counts.iter_mut().zip(later) {
        *count = later.or(*count);
    }
}

fn camel(usage: &Value) -> [Option<u64>; 4] {
    [
        number(&usage["inputTokens"]),
        number(&usage["outputTokens"]),
        number(&usage["cacheReadInputTokens"]).or(number(&usage["cacheReadInputTokenCount"])),
        number(&usage["cacheWriteInputTokens"]).or(number(&usage["cacheWriteInputTokenCount"])),
    ]
}

fn openai(usage: &Value) -> [Option<u64>; 4] {
    let input = number(&usage["input_tokens"]).or(number(&usage["prompt_tokens"]));
    let details = &usage["input_tokens_details"];
    let (read, write) = (
        number(&details["cached_tokens"]),
        number(&details["cache_write_tokens"]),
    );
    let output = number(&usage["output_tokens"]).or(number(&usage["completion_tokens"]));
    let cached = read.unwrap_or(0) + write.unwrap_or(0);
    [input.map(|input| input - cached), output, read, write]
}

fn vendor_usage(body: &Value) -> [Option<u64>; 4] {
    let usage = &body["usage"];
    if usage["inputTokens"].is_number() {
        return camel(usage);
    }
    if usage["prompt_tokens"].is_number() {
        return openai(usage);
    }
    let results = body["results"].as_array().into_iter().flatten();
    let parts: Vec<u64> = results
        .filter_map(|result| number(&result["tokenCount"]))
        .collect();
    let titan = (!parts.is_empty()).then(|| parts.iter().sum());
    [
        number(&usage["input_tokens"])
            .or(number(&body["inputTextTokenCount"]))
            .or(number(&body["prompt_token_count"])),
        number(&usage["output_tokens"])
            .or(number(&body["generation_token_count"]))
            .or(titan),
        number(&usage["cache_read_input_tokens"]),
        number(&usage["cache_creation_input_tokens"]),
    ]
}

/// Every stop reason at the places where vendors put it, in their order within the body.
fn reasons(body: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    for key in [
        "stopReason",
        "stop_reason",
        "finish_reason",
        "completionReason",
    ] {
        all.push(body[key].clone());
    }
    for list in [
        "choices",
        "outputs",
        "results",
        "generations",
        "completions",
    ] {
        for each in body[list].as_array().into_iter().flatten() {
            for key in ["finish_reason", "stop_reason", "completionReason"] {
                all.push(each[key].clone());
            }
            all.push(each["finishReason"]["reason"].clone());
        }
    }
    all
}

fn number(value: &Value) -> Option<u64> {
    value.as_f64().map(|number| number as u64)
}

fn headers(pairs: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for pair in pairs.as_array().unwrap() {
        headers.append(
            HeaderName::from_bytes(pair[0].as_str().unwrap().as_bytes()).unwrap(),
            HeaderValue::from_str(pair[1].as_str().unwrap()).unwrap(),
        );
    }
    headers
}

fn vendor(exchange: &Value) -> String {
    let model = exchange["model"].as_str().unwrap_or("?");
    let model = model.rsplit('/').next().unwrap_or(model);
    let mut parts = model
        .split('.')
        .filter(|part| !matches!(*part, "us" | "eu" | "global" | "apac"));
    let vendor = parts.next().unwrap_or("?");
    if parts.next().is_some() || vendor == "?" {
        vendor.to_owned()
    } else {
        "(by ARN)".to_owned()
    }
}

/// The folder of recordings, which is not part of this repository.
fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("TOWER_BEDROCK_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    if folder.join("recordings").is_dir() {
        return Some(folder);
    }
    let required = std::env::var("TOWER_BEDROCK_REQUIRE_SHARED").is_ok_and(|value| value == "1");
    assert!(!required, "{} is missing", folder.display());
    println!("skipped: {} is missing", folder.display());
    None
}
