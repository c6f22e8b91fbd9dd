use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::*;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        (
            name.parse::<HeaderName>().unwrap(),
            HeaderValue::from_str(value).unwrap(),
        )
    });
    pairs.collect()
}

fn answered(status: u16, name: &str, body: &str, own_key: bool) -> OpenAiError {
    let headers = headers(&[("x-amzn-errortype", name)]);
    let status = StatusCode::from_u16(status).unwrap();
    OpenAiError::of_answer(status, &headers, body.as_bytes(), own_key)
}

type Expected = (u16, &'static str, Option<&'static str>, bool);

/// Status, type, code, and whether to try again is of no use.
fn seen(error: &OpenAiError) -> (u16, &str, Option<&str>, bool) {
    let is_final = error.retry == Retry::Never;
    (
        error.status().as_u16(),
        error.kind(),
        error.code(),
        is_final,
    )
}

const INVALID: Expected = (400, "invalid_request_error", None, true);
const TOO_LONG: Expected = (
    400,
    "invalid_request_error",
    Some("context_length_exceeded"),
    true,
);
const NO_MODEL: Expected = (404, "invalid_request_error", Some("model_not_found"), true);
const DENIED: Expected = (403, "permission_error", Some("model_access_denied"), true);
const OUR_KEY: Expected = (502, "api_error", Some("upstream_auth_error"), true);
const CALLERS_KEY: Expected = (401, "invalid_request_error", Some("invalid_api_key"), true);
const THROTTLED: Expected = (429, "rate_limit_error", Some("rate_limit_exceeded"), false);
const NO_QUOTA: Expected = (429, "insufficient_quota", Some("insufficient_quota"), true);
const NOT_READY: Expected = (503, "api_error", Some("model_not_ready"), false);
const TIMEOUT: Expected = (504, "api_error", Some("timeout"), false);
const MODEL_ERROR: Expected = (502, "api_error", Some("model_error"), false);
const SERVER_ERROR: Expected = (500, "api_error", Some("server_error"), false);
const UNAVAILABLE: Expected = (503, "api_error", Some("service_unavailable"), false);
const UPSTREAM: Expected = (502, "api_error", Some("upstream_error"), false);

#[test]
fn exceptions_by_name() {
    let table = [
        (400, "ValidationException", "m", INVALID),
        (404, "ResourceNotFoundException", "m", NO_MODEL),
        (404, "UnknownOperationException", "m", NO_MODEL),
        (403, "AccessDeniedException", "m", DENIED),
        (
            403,
            "AccessDeniedException",
            "Authentication failed: Please make sure your API Key is valid.",
            OUR_KEY,
        ),
        (403, "InvalidSignatureException", "m", OUR_KEY),
        (403, "SignatureDoesNotMatch", "m", OUR_KEY),
        (400, "IncompleteSignature", "m", OUR_KEY),
        (403, "ExpiredTokenException", "m", OUR_KEY),
        (400, "RequestExpired", "m", OUR_KEY),
        (403, "RequestTimeTooSkewedException", "m", OUR_KEY),
        (403, "UnrecognizedClientException", "m", OUR_KEY),
        (403, "InvalidClientTokenId", "m", OUR_KEY),
        (403, "MissingAuthenticationTokenException", "m", OUR_KEY),
        (429, "ThrottlingException", "m", THROTTLED),
        // By its name, whatever it says.
        (
            429,
            "ThrottlingException",
            "Too many tokens, please wait before trying again.",
            THROTTLED,
        ),
        (429, "TooManyRequestsException", "m", THROTTLED),
        (400, "ServiceQuotaExceededException", "m", NO_QUOTA),
        (429, "ModelNotReadyException", "m", NOT_READY),
        (408, "ModelTimeoutException", "m", TIMEOUT),
        (424, "ModelErrorException", "m", MODEL_ERROR),
        (424, "ModelStreamErrorException", "m", MODEL_ERROR),
        (500, "InternalServerException", "m", SERVER_ERROR),
        (500, "InternalFailure", "m", SERVER_ERROR),
        (503, "ServiceUnavailableException", "m", UNAVAILABLE),
        (400, "ConflictException", "m", INVALID),
        (
            418,
            "TeapotException",
            "m",
            (418, "invalid_request_error", None, true),
        ),
        (599, "TeapotException", "m", UPSTREAM),
    ];
    for (status, name, message, expected) in table {
        for suffix in ["", ":http://internal.amazon.com/coral/com.amazon.bedrock/"] {
            for prefix in ["", "com.amazon.coral.service#"] {
                let body = json!({ "message": message }).to_string();
                let error = answered(status, &format!("{prefix}{name}{suffix}"), &body, false);
                assert_eq!(seen(&error), expected, "{name}");
                assert_eq!(error.fault(), name);
            }
        }
        let body = json!({"__type": format!("com.amazon#{name}"), "Message": message}).to_string();
        let error = answered(status, "", &body, false);
        assert_eq!(seen(&error), expected, "{name} in the body");
        assert_eq!(error.fault(), name);
    }
}

#[test]
fn validation_by_text() {
    let table = [
        ("The provided model identifier is invalid.", NO_MODEL),
        (
            "Invocation of model ID a.b with on-demand throughput isn\u{2019}t supported. Retry your request with the ID or ARN of an inference profile that contains this model.",
            NO_MODEL,
        ),
        (
            "Invocation of model ID a.b with on-demand throughput isn't supported.",
            NO_MODEL,
        ),
        (
            "The model returned the following errors: Input Tokens Exceeded: Number of input tokens exceeds maximum length. Please update the input to try again.",
            TOO_LONG,
        ),
        ("Input is too long for requested model.", TOO_LONG),
        (
            "prompt is too long: 200001 tokens > 200000 maximum",
            TOO_LONG,
        ),
        (
            "Malformed input request: expected maxLength: 20, actual: 21",
            TOO_LONG,
        ),
        (
            "input length and `max_tokens` exceed context limit: 1 + 2 > 2",
            TOO_LONG,
        ),
        (
            "This model's maximum context length is 8192 tokens.",
            TOO_LONG,
        ),
        ("Too many input tokens.", TOO_LONG),
        (
            "This model doesn't support the s3Uri field. Remove s3Uri and try again.",
            INVALID,
        ),
        (
            "The text field in the ContentBlock object is blank.",
            INVALID,
        ),
    ];
    for (message, expected) in table {
        let body = json!({ "message": message }).to_string();
        for name in ["ValidationException", ""] {
            let error = answered(400, name, &body, false);
            assert_eq!(seen(&error), expected, "{message}");
            assert_eq!(error.to_string(), message);
        }
        let streamed = OpenAiError::of_exception("validationException", body.as_bytes());
        assert_eq!(seen(&streamed), expected, "{message}");
        let elsewhere = answered(400, "ConflictException", &body, false);
        assert_eq!(seen(&elsewhere), INVALID);
        let elsewhere = answered(500, "InternalServerException", &body, false);
        assert_eq!(seen(&elsewhere), SERVER_ERROR);
    }
}

#[test]
fn whose_key_it_is() {
    let texts = [
        "The security token included in the request is expired",
        "The security token included in the request is invalid.",
        "Signature expired: 20250130T064508Z is now earlier than 20250210T013411Z (20250210T013911Z - 5 min.)",
        "The request signature we calculated does not match the signature you provided.",
        "Authentication failed: Please make sure your API Key is valid.",
    ];
    for text in texts {
        let body = json!({ "message": text }).to_string();
        for name in ["", "UnrecognizedClientException"] {
            let ours = answered(403, name, &body, false);
            assert_eq!(seen(&ours), OUR_KEY, "{text}");
            assert_eq!(
                ours.to_string(),
                "AWS rejects the gateway's own credentials"
            );
            let callers = answered(403, name, &body, true);
            assert_eq!(seen(&callers), CALLERS_KEY, "{text}");
            assert_eq!(callers.to_string(), text);
        }
    }
    // A denial of the key's owner is none of the key.
    let denied = answered(403, "AccessDeniedException", r#"{"Message":"no"}"#, true);
    assert_eq!(seen(&denied), DENIED);
}

#[test]
fn exceptions_in_streams() {
    let table = [
        ("internalServerException", SERVER_ERROR),
        ("modelStreamErrorException", MODEL_ERROR),
        ("validationException", INVALID),
        ("throttlingException", THROTTLED),
        ("serviceUnavailableException", UNAVAILABLE),
        ("modelTimeoutException", TIMEOUT),
        ("serviceQuotaExceededException", NO_QUOTA),
        ("accessDeniedException", DENIED),
        ("somethingNewException", UPSTREAM),
        ("", UPSTREAM),
    ];
    for (name, expected) in table {
        for (payload, message) in [
            (r#"{"message":"m"}"#, "m"),
            (r#"{"originalMessage":"o","originalStatusCode":400}"#, "o"),
            ("{}", "the model's service reported an error"),
            ("", "the model's service reported an error"),
            ("garbage", "the model's service reported an error"),
        ] {
            let error = OpenAiError::of_exception(name, payload.as_bytes());
            assert_eq!(seen(&error), expected, "{name}");
            assert_eq!((error.fault(), error.message.as_str()), (name, message));
        }
    }
}

#[test]
fn answers_that_are_not_of_aws() {
    let table = [
        (400, INVALID),
        (403, DENIED),
        (404, NO_MODEL),
        (408, TIMEOUT),
        (413, (413, "invalid_request_error", None, true)),
        (424, MODEL_ERROR),
        (429, THROTTLED),
        (500, SERVER_ERROR),
        (502, UPSTREAM),
        (503, UNAVAILABLE),
        (504, TIMEOUT),
        (301, UPSTREAM),
    ];
    for (status, expected) in table {
        for body in [
            "",
            "<html>bedrock-runtime.us-east-1.amazonaws.com</html>",
            "null",
        ] {
            let error = answered(status, "", body, false);
            assert_eq!(seen(&error), expected, "{status}");
            let message = format!("the model's service answered with status {status}");
            assert_eq!((error.to_string(), error.fault()), (message, ""));
        }
    }
}

#[test]
fn when_to_try_again() {
    let table = [
        (
            429,
            "ThrottlingException",
            Retry::After(Duration::from_secs(7)),
        ),
        (
            429,
            "ModelNotReadyException",
            Retry::After(Duration::from_secs(7)),
        ),
        (
            503,
            "ServiceUnavailableException",
            Retry::After(Duration::from_secs(7)),
        ),
        (400, "ServiceQuotaExceededException", Retry::Never),
        (400, "ValidationException", Retry::Never),
        (500, "InternalServerException", Retry::Unsaid),
        (403, "ExpiredTokenException", Retry::Never),
    ];
    for (status, name, expected) in table {
        let headers = headers(&[("x-amzn-errortype", name), ("retry-after", "7")]);
        let status = StatusCode::from_u16(status).unwrap();
        let error = OpenAiError::of_answer(status, &headers, b"{}", false);
        assert_eq!(error.retry, expected, "{name}");
        let mut written = HeaderMap::new();
        error.write_headers(&mut written);
        assert_eq!(written["content-type"], "application/json");
        assert_eq!(
            written.contains_key("x-should-retry"),
            expected == Retry::Never
        );
        let waits = matches!(expected, Retry::After(_));
        assert_eq!(written.contains_key("retry-after-ms"), waits);
    }
}

#[test]
fn nothing_of_the_owners_account_is_told() {
    let body = json!({"Message": "User: arn:aws:sts::123456789012:assumed-role/gateway/i-0 is not authorized to perform: bedrock:InvokeModel on resource: arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"});
    let error = answered(403, "AccessDeniedException", &body.to_string(), false);
    assert_eq!(
        error.to_string(),
        "User: [arn] is not authorized to perform: bedrock:InvokeModel on resource: [arn]"
    );
}

#[test]
fn answers_that_were_not_asked_for() {
    let unknown = br#"{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}"#;
    let error = OpenAiError::of_unexpected_answer(unknown);
    assert_eq!(
        (seen(&error), error.fault()),
        (NO_MODEL, "UnknownOperationException")
    );
    for body in [
        &b""[..],
        b"{}",
        b"\xff",
        b"<html>",
        b"[]",
        br#"{"message":"hello"}"#,
    ] {
        let error = OpenAiError::of_unexpected_answer(body);
        assert_eq!((seen(&error), error.fault()), (UPSTREAM, ""));
    }
    let other = br#"{"Output":{"__type":"a#ThrottlingException"}}"#;
    let error = OpenAiError::of_unexpected_answer(other);
    assert_eq!(
        (seen(&error), error.fault()),
        (THROTTLED, "ThrottlingException")
    );
}

#[test]
fn streams_that_end_badly() {
    let cut = OpenAiError::of_cut_stream();
    assert_eq!((seen(&cut), cut.fault()), (UPSTREAM, ""));
    assert_eq!(OpenAiError::of_broken_stream(&DecodeError::Truncated), cut);
    let broken = OpenAiError::of_broken_stream(&DecodeError::MessageChecksum);
    assert_eq!((seen(&broken), broken.fault()), (UPSTREAM, ""));
    assert_ne!(broken.to_string(), cut.to_string());
}

#[test]
fn the_object_is_openais() {
    let body = json!({"message": "a \"b\"\n\u{2028}data: [DONE]"}).to_string();
    let error = answered(400, "ValidationException", &body, false);
    let object: Value = serde_json::from_slice(&error.to_json()).unwrap();
    assert_eq!(
        object,
        json!({"error": {"message": "a \"b\"\n\u{2028}data: [DONE]", "type": "invalid_request_error", "param": null, "code": null}})
    );
    let mut event = BytesMut::from("before".as_bytes());
    error.write_event(&mut event);
    let event = String::from_utf8(event.to_vec()).unwrap();
    let data = event.strip_prefix("beforedata: ").unwrap();
    let data = data.strip_suffix("\n\n").unwrap();
    assert!(!data.contains(['\n', '\u{2028}']), "{data}");
    assert_eq!(serde_json::from_str::<Value>(data).unwrap(), object);
}
