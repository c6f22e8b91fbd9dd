//! What travels upstream, and that the emulator, which verifies every signature, accepts it.

mod support;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::Full;

use support::{API_KEY, CLAUDE, CONVERSE, MODEL, base, client_signed, post, stack};

const ARN: &str = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc";

#[tokio::test]
async fn a_stored_key_signs_every_operation() {
    let stack = stack().await;
    for (action, body, content_type) in [
        ("invoke", CLAUDE, "application/json"),
        ("converse", CONVERSE, "application/json"),
        (
            "invoke-with-response-stream",
            CLAUDE,
            "application/vnd.amazon.eventstream",
        ),
        (
            "converse-stream",
            CONVERSE,
            "application/vnd.amazon.eventstream",
        ),
    ] {
        let path = format!("{}/model/{MODEL}/{action}", base("prod"));
        let (head, answer) = stack
            .send(post(&path).body(Full::from(body)).unwrap())
            .await;
        assert_eq!(head.status, 200, "{action}: {answer:?}");
        assert_eq!(head.headers["content-type"], content_type, "{action}");
        assert!(!head.headers.contains_key("connection"));
        for name in ["cf-aig-log-id", "cf-aig-event-id", "cf-aig-step"] {
            assert!(head.headers.contains_key(name), "{action} {name}");
        }
        let arrived = stack.emulator.take_requests();
        assert_eq!(arrived.len(), 1);
        assert!(arrived[0].accepted());
        assert_eq!(arrived[0].body, body.as_bytes());
        for name in [
            "cf-aig-authorization",
            "x-amz-content-sha256",
            "accept-encoding",
        ] {
            assert!(!arrived[0].headers.contains_key(name), "{action} {name}");
        }
    }
    let records = stack.records.snapshot();
    assert_eq!(records.len(), 4);
    for record in records {
        assert!(record.success, "{record:?}");
        assert_eq!(record.model.as_deref(), Some(MODEL));
        assert_eq!(record.principal.as_deref(), Some("acme/prod/1"));
        assert_eq!(record.account_id.as_deref(), Some("acme"));
        assert_eq!(record.region.as_deref(), Some("us-east-1"));
        assert_eq!(record.attempts, Some(1));
        assert!(
            record.tokens_in.is_some() && record.tokens_out.is_some(),
            "{record:?}"
        );
        assert!(record.upstream_request_id.is_some());
    }
}

/// Path and query behind the region: sent, arrived when the gateway signs, arrived when the client does.
#[tokio::test]
async fn path_and_query_arrive_as_they_came() {
    let encoded = ARN.replace(':', "%3A").replace('/', "%2F");
    let cases = [
        (format!("/model/{MODEL}/converse"), None),
        (
            format!("/model/{}/converse", MODEL.replace(':', "%3A")),
            None,
        ),
        (
            format!("/model/{}/converse", MODEL.replace(':', "%253A")),
            None,
        ),
        (format!("/model/{encoded}/converse"), None),
        (
            format!("/model/{ARN}/converse"),
            Some(format!("/model/{}/converse", ARN.replace('/', "%2F"))),
        ),
        (format!("/model/{MODEL}/converse/"), None),
        (format!("/model//{MODEL}/converse"), None),
        (
            format!("/model/{MODEL}/converse?a=+&b=%2b&a=1&a=0&flag&e="),
            None,
        ),
        (format!("/model/{MODEL}/converse?"), None),
        (
            "/async-invoke?statusEquals=Completed&maxResults=1".to_owned(),
            None,
        ),
        ("/model/a b/converse".replace(' ', "%20"), None),
        ("/model/\u{e9}|x/converse".to_owned(), None),
    ];
    for (sent, when_signed) in cases {
        let stack = stack().await;
        let (_, answer) = stack
            .send(
                post(&format!("{}{sent}", base("prod")))
                    .body(Full::from(CONVERSE))
                    .unwrap(),
            )
            .await;
        let arrived = stack.emulator.take_requests();
        assert!(
            arrived[0].accepted(),
            "{sent}: {:?} {answer:?}",
            arrived[0].verdict
        );
        assert_eq!(arrived[0].target, *when_signed.as_ref().unwrap_or(&sent));

        let url = format!("https://bedrock-runtime.us-east-1.amazonaws.com{sent}");
        let headers = client_signed(&url, CONVERSE, &HeaderMap::new()).await;
        let mut request = post(&format!("{}{sent}", base("prod")));
        request.headers_mut().unwrap().extend(headers);
        stack
            .send(request.body(Full::from(CONVERSE)).unwrap())
            .await;
        let arrived = stack.emulator.take_requests();
        assert_eq!(arrived[0].target, sent);
        assert!(arrived[0].accepted(), "{sent}: {:?}", arrived[0].verdict);
        assert_eq!(
            arrived[0].header("host"),
            Some("bedrock-runtime.us-east-1.amazonaws.com")
        );
    }
}

#[tokio::test]
async fn doubled_slash_after_the_region_collapses() {
    let stack = stack().await;
    let path = format!("{}//model/{MODEL}/converse", base("prod"));
    let (head, _) = stack
        .send(post(&path).body(Full::from(CONVERSE)).unwrap())
        .await;
    assert_eq!(head.status, 200);
    assert_eq!(
        stack.emulator.requests()[0].target,
        format!("/model/{MODEL}/converse")
    );
}

#[tokio::test]
async fn tokens_in_either_header_and_any_case() {
    let stack = stack().await;
    let path = format!("{}/model/{MODEL}/converse", base("prod"));
    for (name, value) in [
        ("cf-aig-authorization", "Bearer good"),
        ("cf-aig-authorization", "bearer good"),
        ("cf-aig-authorization", "BEARER   good "),
        ("authorization", "Bearer good"),
        ("authorization", "bEaReR good"),
    ] {
        let request = Request::post(&path)
            .header(name, value)
            .body(Full::from(CONVERSE))
            .unwrap();
        assert_eq!(stack.send(request).await.0.status, 200, "{name}: {value}");
        let arrived = stack.emulator.take_requests();
        let authorization = arrived[0].header("authorization").unwrap();
        assert!(
            authorization.starts_with("AWS4-HMAC-SHA256 "),
            "{authorization}"
        );
    }
}

/// Whose credentials travel: `(gateway, extra headers, what arrives in Authorization)`.
#[tokio::test]
async fn whose_credentials() {
    let ours = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/";
    let theirs = format!("Bearer {API_KEY}");
    for (gateway, headers, arrives) in [
        ("prod", vec![("authorization", theirs.as_str())], &*theirs),
        ("prod", vec![("cf-aig-byok-alias", "default")], ours),
        ("prod", vec![("cf-aig-byok-alias", "bearer")], &theirs),
        (
            "prod",
            vec![("cf-aig-byok-alias", "short")],
            "AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/",
        ),
        (
            "prod",
            vec![("cf-aig-byok-alias", "default"), ("authorization", &theirs)],
            ours,
        ),
        // The token of any gateway is taken off, wherever it stands.
        ("prod", vec![("authorization", "Bearer others")], ours),
        (
            "ignore",
            vec![("authorization", "AWS4-HMAC-SHA256 dummy")],
            ours,
        ),
        (
            "ignore",
            vec![
                ("authorization", "Basic YTpi"),
                ("authorization", "Bearer x"),
            ],
            ours,
        ),
        (
            "prod",
            vec![
                ("cf-aig-byok-alias", "default"),
                ("authorization", "Bearer others"),
                ("authorization", &theirs),
            ],
            ours,
        ),
        (
            "prod",
            vec![("authorization", "Bearer good, Bearer good")],
            "refused",
        ),
        (
            "prod",
            vec![("transfer-encoding", "gzip, chunked")],
            "refused",
        ),
        (
            "prod",
            vec![("transfer-encoding", "chunked"), ("content-length", "2")],
            "refused",
        ),
        ("open", vec![("authorization", &theirs)], &theirs),
        ("bare", vec![("cf-aig-byok-alias", "other")], ours),
    ] {
        let stack = stack().await;
        let path = format!("{}/model/{MODEL}/converse", base(gateway));
        let mut request = post(&path).header("x-amz-date", "20000101T000000Z");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let (head, body) = stack
            .send(request.body(Full::from(CONVERSE)).unwrap())
            .await;
        let arrived = stack.emulator.take_requests();
        if arrives == "refused" {
            assert!(head.status.is_client_error(), "{gateway}: {body:?}");
            assert_eq!(arrived.len(), 0);
            continue;
        }
        let authorization = arrived[0].header("authorization").unwrap_or_default();
        assert!(
            authorization.starts_with(arrives),
            "{gateway}: {authorization}"
        );
        assert_eq!(head.status, 200, "{gateway} {arrives}: {body:?}");
    }
}

#[tokio::test]
async fn presigned_query_is_the_clients_credential_or_is_dropped() {
    let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20260102%2Fus-east-1%2Fbedrock%2Faws4_request&X-Amz-Date=20260102T030405Z&X-Amz-SignedHeaders=host&X-Amz-Signature=00";
    for (gateway, target) in [
        ("prod", format!("/model/{MODEL}/converse?a=1&{query}")),
        ("ignore", format!("/model/{MODEL}/converse?a=1")),
    ] {
        let stack = stack().await;
        let path = format!("{}/model/{MODEL}/converse?a=1&{query}", base(gateway));
        stack
            .send(post(&path).body(Full::from(CONVERSE)).unwrap())
            .await;
        let arrived = stack.emulator.take_requests();
        assert_eq!(arrived[0].target, target);
        assert_eq!(
            arrived[0].headers.contains_key("authorization"),
            gateway == "ignore"
        );
    }
}

#[tokio::test]
async fn client_signed_headers_arrive_with_their_values() {
    let stack = stack().await;
    let mut more = HeaderMap::new();
    more.insert("content-type", HeaderValue::from_static("application/json"));
    more.insert("x-amzn-bedrock-trace", HeaderValue::from_static("ENABLED"));
    let url = format!("https://bedrock-runtime.us-east-1.amazonaws.com/model/{MODEL}/invoke");
    let signed = client_signed(&url, CLAUDE, &more).await;
    let mut request = Request::post(format!("{}/model/{MODEL}/invoke", base("prod")))
        .header("cf-aig-authorization", "Bearer good")
        .header("x-forwarded-for", "10.0.0.1")
        .header("cookie", "a=b");
    request.headers_mut().unwrap().extend(signed.clone());
    let (head, answer) = stack.send(request.body(Full::from(CLAUDE)).unwrap()).await;
    assert_eq!(head.status, 200, "{answer:?}");
    let arrived = stack.emulator.take_requests();
    assert!(arrived[0].accepted());
    for (name, value) in &signed {
        assert_eq!(arrived[0].headers.get(name), Some(value), "{name}");
    }
    for name in ["cf-aig-authorization", "x-forwarded-for", "cookie"] {
        assert!(!arrived[0].headers.contains_key(name), "{name}");
    }
    let record = stack.record();
    assert_eq!(record.attempts, Some(1));
    assert_eq!(record.credentials_id, None);
}

#[tokio::test]
async fn an_empty_body_is_signed_and_its_length_stated() {
    let stack = stack().await;
    let path = format!("{}/async-invoke", base("prod"));
    for request in [
        post(&path),
        Request::get(&path).header("authorization", "Bearer good"),
    ] {
        stack
            .send(request.body(Full::<Bytes>::default()).unwrap())
            .await;
        let arrived = stack.emulator.take_requests();
        assert!(arrived[0].accepted(), "{:?}", arrived[0].verdict);
        assert_eq!(
            (arrived[0].body_len, arrived[0].header("content-length")),
            (0, Some("0"))
        );
    }
}

#[tokio::test]
async fn mantle_is_signed_for_its_own_name() {
    let stack = stack().await;
    let path = "/v1/acme/prod/aws-bedrock/bedrock-mantle/us-east-1/v1/chat/completions";
    let body = r#"{"model":"openai.gpt-oss-120b","messages":[{"role":"user","content":"hi"}]}"#;
    let (head, answer) = stack.send(post(path).body(Full::from(body)).unwrap()).await;
    assert_eq!(head.status, 200, "{answer:?}");
    let arrived = stack.emulator.take_requests();
    assert_eq!(arrived[0].target, "/v1/chat/completions");
    let authorization = arrived[0].header("authorization").unwrap();
    assert!(
        authorization.contains("/us-east-1/bedrock-mantle/aws4_request"),
        "{authorization}"
    );
}
