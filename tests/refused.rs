//! Bad requests: what the caller is told, that nothing goes upstream, and that there is one record.

mod support;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::Full;

use support::{CONVERSE, MODEL, Stack, base, client_signed, send, stack};

const GOOD: (&str, &str) = ("cf-aig-authorization", "Bearer good");
const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AK/20260102/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=00ff";

struct Case<'a> {
    path: String,
    headers: Vec<(&'a str, &'a str)>,
    status: u16,
    code: u16,
    errortype: &'a str,
    /// What the text must name.
    says: &'a str,
}

fn case<'a>(
    path: impl Into<String>,
    headers: &[(&'a str, &'a str)],
    (status, code, errortype): (u16, u16, &'a str),
    says: &'a str,
) -> Case<'a> {
    Case {
        path: path.into(),
        headers: headers.to_vec(),
        status,
        code,
        errortype,
        says,
    }
}

const TOKEN: (u16, u16, &str) = (401, 2009, "AccessDeniedException");
const PATH: (u16, u16, &str) = (400, 2008, "ValidationException");
const NO_PATH: (u16, u16, &str) = (404, 2008, "UnknownOperationException");
const GATEWAY: (u16, u16, &str) = (400, 2001, "ValidationException");
const LIST: (u16, u16, &str) = (403, 4030, "AccessDeniedException");
const CLIENT: (u16, u16, &str) = (400, 4003, "ValidationException");

async fn check(stack: &Stack, case: Case<'_>) {
    let Case {
        path,
        headers,
        status,
        code,
        errortype,
        says,
    } = case;
    let mut request = Request::post(&path).header("content-type", "application/json");
    for (name, value) in &headers {
        request = request.header(*name, *value);
    }
    let (head, body) = stack
        .send(request.body(Full::from(CONVERSE)).unwrap())
        .await;
    let shown: String = format!("{path} {headers:?}").chars().take(300).collect();
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    assert_eq!(head.status, status, "{shown}: {json}");
    assert_eq!(head.headers["x-amzn-errortype"], errortype, "{shown}");
    assert_eq!(head.headers["content-type"], "application/json", "{shown}");
    assert_eq!(json["internalCode"], code, "{shown}: {json}");
    assert_eq!(json["error"][0]["code"], code, "{shown}");
    assert_eq!(json["httpCode"], status, "{shown}");
    let text = json["message"].as_str().unwrap();
    assert!(
        text.contains(says),
        "{shown}: {text:?} should name {says:?}"
    );
    for secret in ["good", "others", "guess"] {
        assert!(!text.contains(secret), "{shown}: {text}");
    }
    let log_id = head.headers["cf-aig-log-id"].to_str().unwrap();
    assert_eq!(head.headers["x-amzn-requestid"], log_id, "{shown}");
    assert_eq!(
        stack.emulator.take_requests().len(),
        0,
        "{shown} went upstream"
    );
    let records = stack.records.snapshot();
    let records: Vec<_> = records
        .iter()
        .filter(|record| record.id == log_id)
        .collect();
    assert_eq!(records.len(), 1, "{shown}");
    assert_eq!(records[0].status_code, Some(status), "{shown}");
    assert_eq!(records[0].outcome.as_str(), "refused", "{shown}");
    assert!(!records[0].success, "{shown}");
    assert_eq!(records[0].error.as_deref(), Some(text), "{shown}");
}

#[tokio::test]
async fn tokens() {
    let stack = stack().await;
    let path = format!("{}/model/{MODEL}/converse", base("prod"));
    let cases = [
        (vec![], "no gateway token"),
        (
            vec![("cf-aig-authorization", "")],
            "cf-aig-authorization is malformed",
        ),
        (vec![("cf-aig-authorization", "Bearer")], "malformed"),
        (vec![("cf-aig-authorization", "Bearer ")], "malformed"),
        (vec![("cf-aig-authorization", "good")], "malformed"),
        (vec![("cf-aig-authorization", "Basic good")], "malformed"),
        (vec![("cf-aig-authorization", "Bearer guess")], "wrong"),
        (vec![("cf-aig-authorization", "Bearer goo")], "wrong"),
        (vec![("cf-aig-authorization", "Bearer GOOD")], "wrong"),
        (
            vec![("cf-aig-authorization", "Bearer good, Bearer good")],
            "wrong",
        ),
        (vec![GOOD, GOOD], "twice"),
        (
            vec![
                ("cf-aig-authorization", "Bearer guess"),
                ("authorization", "Bearer good"),
            ],
            "wrong",
        ),
        (
            vec![("cf-aig-authorization", "Bearer others")],
            "another gateway",
        ),
        (vec![("authorization", "Bearer others")], "another gateway"),
        (vec![("authorization", "Bearer guess")], "wrong"),
        (vec![("authorization", "Bearer ")], "cf-aig-authorization"),
        (vec![("authorization", SIGNED)], "cf-aig-authorization"),
        (
            vec![("authorization", SIGNED), ("authorization", SIGNED)],
            "cf-aig-authorization",
        ),
    ];
    for (headers, says) in cases {
        check(&stack, case(&path, &headers, TOKEN, says)).await;
    }
}

#[tokio::test]
async fn paths() {
    let stack = stack().await;
    let runtime = "/v1/acme/prod/aws-bedrock/bedrock-runtime";
    let in_region = |region: &str| format!("{runtime}/{region}/model/m/converse");
    let long = "u".repeat(300);
    let rest = |rest: &str| format!("{}/{rest}", base("prod"));
    let cases = [
        case("/", &[GOOD], NO_PATH, "/v1/{account_id}"),
        case("/v1/acme/prod", &[GOOD], NO_PATH, "no such path"),
        case(
            "/v1/acme/nobody/aws-bedrock/bedrock-runtime/us-east-1/x",
            &[GOOD],
            GATEWAY,
            "gateway_id",
        ),
        case(
            "/v1/nobody/prod/aws-bedrock/bedrock-runtime/us-east-1/x",
            &[GOOD],
            GATEWAY,
            "account_id",
        ),
        case(
            "/v1/acme%2Fprod/prod/aws-bedrock/bedrock-runtime/us-east-1/x",
            &[GOOD],
            GATEWAY,
            "account_id",
        ),
        case(
            "/v1/acme/prod/openai/chat/completions",
            &[GOOD],
            PATH,
            "openai",
        ),
        case(
            "/v1/acme/prod/aws-bedrock/s3/us-east-1/x",
            &[GOOD],
            PATH,
            "s3",
        ),
        case("/v1/acme/prod/aws-bedrock", &[GOOD], PATH, "service"),
        case(in_region(""), &[GOOD], PATH, "not an AWS region"),
        case(
            in_region(".."),
            &[GOOD],
            PATH,
            "\"..\" is not an AWS region",
        ),
        case(
            in_region("us-east-1.evil.com"),
            &[GOOD],
            PATH,
            "us-east-1.evil.com",
        ),
        case(in_region("us-east-1."), &[GOOD], PATH, "us-east-1."),
        case(in_region("us-east-1%23"), &[GOOD], PATH, "us-east-1%23"),
        // What follows a `#` is no part of a request target.
        case(in_region("us-east-1#"), &[GOOD], PATH, "after the region"),
        case(in_region("%2e%2e"), &[GOOD], PATH, "%2e%2e"),
        case(in_region("US-EAST-1"), &[GOOD], PATH, "US-EAST-1"),
        case(in_region(&long), &[GOOD], PATH, "uuuu"),
        case(runtime, &[GOOD], PATH, "region"),
        case(base("prod"), &[GOOD], PATH, "after the region"),
        case(rest(""), &[GOOD], PATH, "after the region"),
        case(rest("model/./converse"), &[GOOD], PATH, "segment"),
        case(rest("model/../converse"), &[GOOD], PATH, "segment"),
        case(rest("model/%2e%2E/converse"), &[GOOD], PATH, "segment"),
        case(rest("model/.%2e/converse"), &[GOOD], PATH, "segment"),
        case(rest("model/%00/converse"), &[GOOD], PATH, "control"),
        case(rest("model/%7f/converse"), &[GOOD], PATH, "control"),
        case(rest("model/%zz/converse"), &[GOOD], PATH, "escape"),
        case(rest("model/m/converse%"), &[GOOD], PATH, "escape"),
        case(rest("model/a\\b/converse"), &[GOOD], PATH, "backslash"),
        case(rest(&"x".repeat(65_000 - 100)), &[GOOD], PATH, "8192 bytes"),
    ];
    for case in cases {
        check(&stack, case).await;
    }
}

#[tokio::test]
async fn allow_lists() {
    let stack = stack().await;
    let lists = "/v1/acme/lists/aws-bedrock/bedrock-runtime";
    for (path, says) in [
        (
            format!("{lists}/us-west-2/model/{MODEL}/converse"),
            "us-west-2",
        ),
        (
            format!("{lists}/us-east-1/model/{MODEL}/invoke"),
            "InvokeModel",
        ),
        (
            format!("{lists}/us-east-1/model/amazon.nova/converse"),
            "model",
        ),
        (format!("{lists}/us-east-1/model/x/%63onverse"), "model"),
    ] {
        check(&stack, case(path, &[GOOD], LIST, says)).await;
    }
    let allowed = support::post(&format!("{lists}/us-east-1/model/{MODEL}/converse"));
    let (head, _) = stack
        .send(allowed.body(Full::from(CONVERSE)).unwrap())
        .await;
    assert_eq!(head.status, 200);
}

#[tokio::test]
async fn credentials() {
    let stack = stack().await;
    let path = format!("{}/model/{MODEL}/converse", base("prod"));
    let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A&X-Amz-Date=D&X-Amz-SignedHeaders=host&X-Amz-Signature=0";
    let sigv4a = SIGNED.replace("HMAC-SHA256", "ECDSA-P256-SHA256");
    let over = |name: &str| SIGNED.replace("content-type;", &format!("{name};content-type;"));
    let (own, cookie, forwarded) = (
        over("cf-aig-authorization"),
        over("cookie"),
        over("x-forwarded-for"),
    );
    let alias = (400, 2040, "ValidationException");
    let none = (400, 2044, "ValidationException");
    let cases = [
        case(
            &path,
            &[GOOD, ("authorization", SIGNED), ("authorization", SIGNED)],
            CLIENT,
            "twice",
        ),
        case(
            &path,
            &[("authorization", "Bearer good"), ("authorization", SIGNED)],
            CLIENT,
            "twice",
        ),
        case(
            &path,
            &[GOOD, ("authorization", "Basic YTpi")],
            CLIENT,
            "authorization",
        ),
        case(
            &path,
            &[GOOD, ("authorization", "AWS4-HMAC-SHA256 nonsense")],
            CLIENT,
            "SignedHeaders=",
        ),
        case(
            &path,
            &[GOOD, ("authorization", "AWS4-HMAC-SHA256")],
            CLIENT,
            "Credential=",
        ),
        case(
            &path,
            &[GOOD, ("authorization", &sigv4a)],
            CLIENT,
            "authorization",
        ),
        case(
            format!("{path}?{query}"),
            &[GOOD, ("authorization", SIGNED)],
            CLIENT,
            "presigned",
        ),
        case(
            format!("{path}?X-Amz-Signature=0"),
            &[GOOD],
            CLIENT,
            "X-Amz-Credential",
        ),
        case(
            path.replace("prod", "refuse"),
            &[GOOD, ("authorization", SIGNED)],
            CLIENT,
            "remove the AWS credentials",
        ),
        case(
            path.replace("prod", "refuse"),
            &[GOOD, ("authorization", "Bearer key")],
            CLIENT,
            "remove the AWS credentials",
        ),
        case(
            path.replace("prod", "refuse") + "?" + query,
            &[GOOD],
            CLIENT,
            "remove the AWS credentials",
        ),
        case(
            &path,
            &[GOOD, ("authorization", &own)],
            CLIENT,
            "cf-aig-authorization",
        ),
        case(
            &path,
            &[GOOD, ("authorization", &cookie)],
            CLIENT,
            "add it after signing, or set client_credentials = \"ignore\"",
        ),
        case(
            &path,
            &[GOOD, ("authorization", &forwarded)],
            CLIENT,
            "x-forwarded-for",
        ),
        case(
            &path,
            &[
                GOOD,
                ("authorization", SIGNED),
                ("connection", "close, X-Amz-Date"),
            ],
            CLIENT,
            "x-amz-date",
        ),
        case(
            &path,
            &[GOOD, ("connection", "x-amz-security-token")],
            CLIENT,
            "x-amz-security-token",
        ),
        case(
            &path,
            &[GOOD, ("cf-aig-byok-alias", "nope")],
            alias,
            "'bearer', 'default', 'expired', 'short'",
        ),
        case(&path, &[GOOD, ("cf-aig-byok-alias", "")], alias, "''"),
        case(
            path.replace("prod", "open"),
            &[("cf-aig-byok-alias", "x")],
            alias,
            "none",
        ),
        case(path.replace("prod", "open"), &[], none, "no stored key"),
        case(
            path.replace("prod", "bare"),
            &[GOOD],
            none,
            "cf-aig-byok-alias",
        ),
        case(
            &path,
            &[GOOD, ("content-encoding", "gzip")],
            (415, 4015, "ValidationException"),
            "content-encoding",
        ),
    ];
    for case in cases {
        check(&stack, case).await;
    }
}

#[tokio::test]
async fn compat_speaks_openai() {
    let stack = stack().await;
    for (method, path, token, status, code) in [
        (
            Method::POST,
            "/v1/acme/prod/compat/chat/completions",
            "guess",
            401,
            "invalid_api_key",
        ),
        (
            Method::GET,
            "/v1/acme/prod/compat/chat/completions",
            "good",
            405,
            "method_not_allowed",
        ),
        (
            Method::POST,
            "/v1/acme/prod/compat/models",
            "good",
            405,
            "method_not_allowed",
        ),
        (
            Method::POST,
            "/v1/acme/prod/compat/completions",
            "good",
            404,
            "not_found",
        ),
        (
            Method::POST,
            "/v1/acme/nobody/compat/chat/completions",
            "good",
            400,
            "gateway_not_found",
        ),
    ] {
        let request = Request::builder().method(method.clone()).uri(path);
        let request = request.header("authorization", format!("Bearer {token}"));
        let (head, body) = stack
            .send(request.body(Full::<Bytes>::default()).unwrap())
            .await;
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (head.status.as_u16(), json["error"]["code"].as_str()),
            (status, Some(code)),
            "{method} {path}"
        );
        assert_eq!(head.headers["x-request-id"], head.headers["cf-aig-log-id"]);
        assert!(!head.headers.contains_key("x-amzn-errortype"));
        if status == 405 {
            assert!(head.headers.contains_key("allow"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn grpc_gets_trailers_only() {
    let stack = stack().await;
    let request = Request::post(format!("{}/x", base("prod")))
        .header("content-type", "application/grpc+proto");
    let (head, body) = stack
        .send(request.body(Full::<Bytes>::default()).unwrap())
        .await;
    assert_eq!((head.status.as_u16(), &body[..]), (200, &b""[..]));
    assert_eq!(head.headers["grpc-status"], "16");
    assert!(!stack.record().success);
}

#[tokio::test]
async fn a_log_id_of_the_clients_is_ignored() {
    let stack = stack().await;
    let path = format!("{}/model/{MODEL}/converse", base("prod"));
    let request = support::post(&path)
        .header("cf-aig-log-id", "mine")
        .header("cf-aig-event-id", "evt-1");
    let (head, _) = stack
        .send(request.body(Full::from(CONVERSE)).unwrap())
        .await;
    assert_eq!(head.headers.get_all("cf-aig-log-id").iter().count(), 1);
    assert_ne!(head.headers["cf-aig-log-id"], "mine");
    assert_eq!(head.headers["cf-aig-event-id"], "evt-1");
    assert_eq!(
        stack.record().id,
        head.headers["cf-aig-log-id"].to_str().unwrap()
    );
    assert!(
        !stack.emulator.requests()[0]
            .headers
            .contains_key("cf-aig-log-id")
    );
}

#[tokio::test]
async fn a_stale_client_signature_is_awss_to_refuse() {
    let stack = stack().await;
    let url = format!("https://bedrock-runtime.us-east-1.amazonaws.com/model/{MODEL}/converse");
    let mut headers = client_signed(&url, CONVERSE, &HeaderMap::new()).await;
    headers.insert("x-amz-date", HeaderValue::from_static("20200101T000000Z"));
    let mut request = support::post(&format!("{}/model/{MODEL}/converse", base("prod")));
    request.headers_mut().unwrap().extend(headers);
    let (head, body) = stack
        .send(request.body(Full::from(CONVERSE)).unwrap())
        .await;
    assert_eq!(head.status, 403, "{body:?}");
    let kind = head.headers["x-amzn-errortype"].to_str().unwrap();
    assert!(kind.starts_with("InvalidSignatureException"), "{kind}");
    assert_eq!(stack.record().outcome.as_str(), "upstream_error");
}

#[tokio::test]
async fn the_gateways_own_rejected_keys_are_not_the_callers_fault() {
    let stack = stack().await;
    let path = format!("{}/model/{MODEL}/converse", base("broken"));
    let (head, body) = stack
        .send(support::post(&path).body(Full::from(CONVERSE)).unwrap())
        .await;
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (head.status.as_u16(), &json["internalCode"]),
        (502, &2049.into())
    );
    assert_eq!(head.headers["x-should-retry"], "false");
    assert_eq!(
        head.headers["x-amzn-errortype"],
        "ServiceUnavailableException"
    );
    assert!(
        !String::from_utf8_lossy(&body).contains("token"),
        "AWS's text: {json}"
    );
    let record = stack.record();
    assert_eq!(record.outcome.as_str(), "upstream_error");
    assert_eq!(record.credentials_id.as_deref(), Some("ASIAEXPIRED"));

    // The same answer to a request with the client's own key is the client's.
    let fault = format!("{}/model/fault.expired/converse", base("prod"));
    for (headers, status) in [
        (vec![], 502),
        (vec![("authorization", support::API_KEY)], 403),
    ] {
        let mut request = support::post(&fault);
        for (name, key) in headers {
            request = request.header(name, format!("Bearer {key}"));
        }
        let (head, _) = send(&stack.gateway, request.body(Full::from(CONVERSE)).unwrap()).await;
        assert_eq!(head.status, status);
    }
}
