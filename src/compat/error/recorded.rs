//! Real errors.

use std::path::PathBuf;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use super::OpenAiError;

/// The recorded traffic, if there is any; panics if `TOWER_BEDROCK_REQUIRE_SHARED` is set and
/// there is none.
fn exchanges() -> Option<String> {
    let folder = std::env::var_os("TOWER_BEDROCK_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    let file = folder.join("recordings/exchanges.jsonl");
    let text = std::fs::read_to_string(&file).ok();
    if text.is_none() {
        let required = std::env::var_os("TOWER_BEDROCK_REQUIRE_SHARED").is_some();
        assert!(!required, "{} cannot be read", file.display());
        println!("skipped: {} cannot be read", file.display());
    }
    text
}

/// By what the recorded answer says, read without the code under test.
fn expected(status: u64, message: &str) -> (u16, &'static str, Option<&'static str>) {
    match (status, message) {
        (400, "The provided model identifier is invalid.") => {
            (404, "invalid_request_error", Some("model_not_found"))
        }
        (400, _) => (400, "invalid_request_error", None),
        (403, "You don't have access to the model with the specified model ID.") => {
            (403, "permission_error", Some("model_access_denied"))
        }
        (403, _) => (502, "api_error", Some("upstream_auth_error")),
        _ => panic!("not expected: {status} {message}"),
    }
}

#[test]
fn every_error_is_translated() {
    let Some(text) = exchanges() else { return };
    let mut count = 0;
    for line in text.lines() {
        let exchange: Value = serde_json::from_str(line).unwrap();
        let response = &exchange["response"];
        let status = response["status"].as_u64().unwrap();
        if status < 400 {
            continue;
        }
        let mut headers = HeaderMap::new();
        for pair in response["headers"].as_array().unwrap() {
            let name: HeaderName = pair[0].as_str().unwrap().parse().unwrap();
            headers.append(
                name,
                HeaderValue::from_str(pair[1].as_str().unwrap()).unwrap(),
            );
        }
        let body = response["body"].as_str().unwrap();
        let message = serde_json::from_str::<Value>(body).unwrap()["message"].take();
        let message = message.as_str().unwrap();
        let code = StatusCode::from_u16(u16::try_from(status).unwrap()).unwrap();
        let error = OpenAiError::of_answer(code, &headers, body.as_bytes(), false);
        let seen = (error.status().as_u16(), error.kind(), error.code());
        assert_eq!(
            seen,
            expected(status, message),
            "{}: {body}",
            exchange["id"]
        );
        let object: Value = serde_json::from_slice(&error.to_json()).unwrap();
        let told = object["error"]["message"].as_str().unwrap();
        assert_eq!(told == message, seen.0 != 502, "{told}");
        let name = headers
            .get("x-amzn-errortype")
            .map(|name| name.to_str().unwrap());
        let bare = name.map_or("", |name| name.split(':').next().unwrap());
        assert_eq!(error.fault(), bare);
        count += 1;
    }
    println!("{count} errors");
    assert!(count >= 15, "{count}");
}
