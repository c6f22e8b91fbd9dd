use std::sync::Arc;

use super::{CompatEndpoint, Operation, RouteConfig, Service, Surface};
use crate::reject::RejectionKind;

const BASE: &str = "/v1/acme/prod/aws-bedrock/bedrock-runtime/us-east-1";

fn parse(path: &str) -> Result<Arc<super::Parsed>, RejectionKind> {
    RouteConfig::new().parse(path).map_err(|r| r.kind())
}

#[test]
fn native_path_is_taken_apart_without_decoding() {
    let path = format!("{BASE}/model/us.anthropic.claude%3A0/converse");
    let parsed = parse(&path).unwrap();
    let route = parsed.route();
    assert_eq!((route.account(), route.gateway()), ("acme", "prod"));
    assert_eq!(route.raw_model(), Some("us.anthropic.claude%3A0"));
    assert_eq!(route.model().unwrap(), "us.anthropic.claude:0");
    assert_eq!(
        route.surface(),
        Surface::Native {
            service: Service::Runtime,
            region: "us-east-1",
            rest: "model/us.anthropic.claude%3A0/converse",
            operation: Operation::Converse,
        }
    );
}

#[test]
fn rest_travels_as_it_came() {
    for (tail, rest) in [
        ("/model/m:0/invoke", "model/m:0/invoke"),
        ("//model/m/invoke", "model/m/invoke"),
        ("/model/m/invoke/", "model/m/invoke/"),
        ("/model//m/invoke", "model//m/invoke"),
        ("/model/m%253A0/invoke", "model/m%253A0/invoke"),
        ("/model/é;|^/invoke", "model/é;|^/invoke"),
        ("/model/%ff/invoke", "model/%ff/invoke"),
        ("/x", "x"),
    ] {
        let path = format!("{BASE}{tail}");
        match parse(&path).unwrap().route().surface() {
            Surface::Native { rest: found, .. } => assert_eq!(found, rest),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn compat_and_custom_domain() {
    let path = "/v1/a/g/compat/chat/completions/";
    let compat = Surface::Compat(CompatEndpoint::ChatCompletions);
    assert_eq!(parse(path).unwrap().route().surface(), compat);

    let routes = RouteConfig::new().with_prefix("/ai/").unwrap();
    let routes = routes.with_custom_domain("acme", "prod").unwrap();
    let path = "/ai/compat/models";
    let parsed = routes.parse(path).unwrap();
    assert_eq!(parsed.route().gateway(), "prod");
    assert_eq!(
        parsed.route().surface(),
        Surface::Compat(CompatEndpoint::Models)
    );
    assert!(routes.parse("/ai/v1/a/g/compat/models").is_ok());
    assert_eq!(
        routes.parse("/aix/compat/models").unwrap_err().kind(),
        RejectionKind::NotFound
    );
    assert_eq!(
        parse("/compat/models").unwrap_err(),
        RejectionKind::NotFound
    );
}

#[test]
fn refused_paths() {
    use RejectionKind::{InvalidPath, NotFound};
    let runtime = "/v1/a/g/aws-bedrock/bedrock-runtime";
    for (path, kind) in [
        ("", NotFound),
        ("/", NotFound),
        ("*", NotFound),
        ("/v1", NotFound),
        ("/v1/a", NotFound),
        ("/v1/a/g", NotFound),
        ("/v1//g/aws-bedrock/bedrock-runtime/us-east-1/x", NotFound),
        ("/v2/a/g/aws-bedrock/bedrock-runtime/us-east-1/x", NotFound),
        ("/v1/a/g/compat", NotFound),
        ("/v1/a/g/compat/completions", NotFound),
        ("/v1/a/g/openai/x", InvalidPath),
        ("/v1/a/g/aws-bedrock", InvalidPath),
        ("/v1/a/g/aws-bedrock/s3/us-east-1/x", InvalidPath),
        (runtime, InvalidPath),
        (&format!("{runtime}//x"), InvalidPath),
        (&format!("{runtime}/us-east-1"), InvalidPath),
        (&format!("{runtime}/us-east-1/"), InvalidPath),
        (&format!("{runtime}/us-east-1///"), InvalidPath),
        (&format!("{runtime}/../x"), InvalidPath),
        (&format!("{runtime}/us-east-1.evil.com/x"), InvalidPath),
        (&format!("{runtime}/us-east-1./x"), InvalidPath),
        (&format!("{runtime}/us-east-1%23/x"), InvalidPath),
        (&format!("{runtime}/%2e%2e/x"), InvalidPath),
        (&format!("{runtime}/US-EAST-1/x"), InvalidPath),
        (&format!("{runtime}/{}/x", "u".repeat(300)), InvalidPath),
        (&format!("{BASE}/model/./converse"), InvalidPath),
        (&format!("{BASE}/model/../converse"), InvalidPath),
        (&format!("{BASE}/model/%2e%2E/converse"), InvalidPath),
        (&format!("{BASE}/model/.%2e/converse"), InvalidPath),
        (&format!("{BASE}/model/x/.."), InvalidPath),
        (&format!("{BASE}/model/%00/converse"), InvalidPath),
        (&format!("{BASE}/model/%0a/converse"), InvalidPath),
        (&format!("{BASE}/model/%7F/converse"), InvalidPath),
        (&format!("{BASE}/model/\u{7f}/converse"), InvalidPath),
        (&format!("{BASE}/model/%zz/converse"), InvalidPath),
        (&format!("{BASE}/model/x%2"), InvalidPath),
        (&format!("{BASE}/model/a\\b/converse"), InvalidPath),
        (&format!("{BASE}/model/a%5Cb/converse"), InvalidPath),
        (&format!("{BASE}/{}", "x".repeat(64 * 1024)), InvalidPath),
    ] {
        let shown: String = path.chars().take(80).collect();
        assert_eq!(parse(path).unwrap_err(), kind, "{shown}");
    }
}

#[test]
fn names_must_fit_in_a_path() {
    for bad in ["", "a/b", "a%2Fb", "ä", "a b", "..", &"x".repeat(65)] {
        assert!(
            RouteConfig::new().with_custom_domain(bad, "g").is_err(),
            "{bad}"
        );
    }
    for bad in ["ai", "/a b", "/ä", "/a?b"] {
        assert!(RouteConfig::new().with_prefix(bad).is_err(), "{bad}");
    }
}
