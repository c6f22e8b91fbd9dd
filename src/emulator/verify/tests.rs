use std::path::PathBuf;

use http::{HeaderName, HeaderValue, Uri};
use serde_json::Value;

use super::*;
use crate::emulator::keys::Key;

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A request that can be tampered with.
#[derive(Clone)]
struct Signed {
    method: String,
    uri: Uri,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Signed {
    fn new(method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::try_from(*name).unwrap(),
                HeaderValue::try_from(*value).unwrap(),
            );
        }
        Self {
            method: method.to_owned(),
            uri: uri.parse().unwrap(),
            headers: map,
            body: body.into(),
        }
    }

    fn arrived(&self) -> Arrived<'_> {
        Arrived {
            method: &self.method,
            path: self.uri.path(),
            query: self.uri.query(),
            authority: self.uri.authority().map(|authority| authority.as_str()),
            headers: &self.headers,
            payload: Payload::Whole(&self.body),
        }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers
            .insert(name, HeaderValue::try_from(value).unwrap());
        self
    }

    /// Replaces a part of `Authorization`.
    fn authorized(self, from: &str, to: &str) -> Self {
        let value = self.headers[AUTHORIZATION].to_str().unwrap();
        assert!(value.contains(from), "{from} is not in {value}");
        let value = value.replace(from, to);
        self.with("authorization", &value)
    }

    fn verify_at(&self, timestamp: &str) -> Result<(), Refusal> {
        verify(&self.arrived(), &keys(), at(timestamp))
    }
}

fn at(timestamp: &str) -> SystemTime {
    scope::parse_timestamp(timestamp).unwrap()
}

fn keys() -> Keys {
    let mut keys = Keys::default();
    let mut add = |id: &str, token: Option<&str>, expired| {
        let key = Key {
            secret: SECRET.to_owned(),
            token: token.map(str::to_owned),
            expired,
        };
        keys.add(id.to_owned(), key);
    };
    add(ID, None, false);
    add(ID, Some("SESSIONTOKEN/EXAMPLE+=="), false);
    add("ASIAEXPIRED", Some("old"), true);
    keys.add_api_key("bedrock-api-key-1".to_owned());
    keys
}

/// Signs with the verifier's own parts: for cases that differ from a golden vector in one thing only.
fn signed(request: Signed, id: &str, scope: &str, names: &[&str]) -> Signed {
    let value = format!(
        "AWS4-HMAC-SHA256 Credential={id}/{scope}/aws4_request, SignedHeaders={}, Signature=0",
        names.join(";")
    );
    let request = request.with("authorization", &value);
    let claim = Claim::from_header(value.as_bytes(), &request.arrived()).unwrap();
    let arrived = request.arrived();
    let canonical = canonical::request(
        arrived.method,
        &canonical::uri(arrived.path),
        &canonical::query(arrived.query.unwrap_or_default(), Plus::Space, None),
        &canonical::headers(names, arrived.headers, arrived.authority),
        &names.join(";"),
        &sha256_hex(&request.body),
    );
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{}\n{scope}/aws4_request\n{}",
        claim.timestamp,
        sha256_hex(&canonical)
    );
    let signature = hex(&hmac(
        &signing_key(SECRET, &claim.date, &claim.region, &claim.service),
        to_sign.as_bytes(),
    ));
    request.authorized("Signature=0", &format!("Signature={signature}"))
}

const NOW: &str = "20260102T030405Z";
const SCOPE: &str = "20260102/us-east-1/bedrock";

fn converse() -> Signed {
    Signed::new(
        "POST",
        "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse",
        &[("host", "127.0.0.1:4566"), ("x-amz-date", NOW)],
        "{}",
    )
}

fn good() -> Signed {
    signed(converse(), ID, SCOPE, &["host", "x-amz-date"])
}

#[track_caller]
fn refused(request: &Signed, status: u16, name: &str, text: &str) {
    let refusal = request.verify_at(NOW).unwrap_err();
    assert_eq!(
        (refusal.status, refusal.name),
        (status, name),
        "{refusal:?}"
    );
    let message = refusal.body.to_string();
    assert!(message.contains(text), "{message}");
}

#[test]
fn examples_of_the_aws_documentation() {
    let host = |host: &str| {
        vec![
            ("host".to_owned(), host.to_owned()),
            ("x-amz-date".to_owned(), "20150830T123600Z".to_owned()),
        ]
    };
    let cases = [
        (
            "/?Action=ListUsers&Version=2010-05-08",
            "iam",
            [
                vec![(
                    "content-type".to_owned(),
                    "application/x-www-form-urlencoded; charset=utf-8".to_owned(),
                )],
                host("iam.amazonaws.com"),
            ]
            .concat(),
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        ),
        (
            "/",
            "service",
            host("example.amazonaws.com"),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
    ];
    for (uri, service, headers, signature) in cases {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (&n[..], &v[..])).collect();
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let request = Signed::new("GET", uri, &headers, "");
        let value = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request, SignedHeaders={}, Signature={signature}",
            names.join(";")
        );
        let claim = Claim::from_header(value.as_bytes(), &request.arrived()).unwrap();
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        assert!(
            matches(&claim, &request.arrived(), secret, &names, &sha256_hex(b"")),
            "{uri}"
        );
        assert!(
            !matches(
                &claim,
                &request.arrived(),
                "other",
                &names,
                &sha256_hex(b"")
            ),
            "{uri}"
        );
    }
}

/// The shared folder's vectors, made by botocore.
fn vectors() -> Option<Vec<Value>> {
    let shared = std::env::var_os("TOWER_BEDROCK_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    let file = shared.join("vectors/sigv4-bedrock.json");
    match std::fs::read(&file) {
        Ok(text) => Some(serde_json::from_slice(&text).unwrap()),
        Err(error) => {
            assert!(
                std::env::var("TOWER_BEDROCK_REQUIRE_SHARED").as_deref() != Ok("1"),
                "{}: {error}",
                file.display()
            );
            println!("skipped: {} is missing", file.display());
            None
        }
    }
}

fn vector(vector: &Value) -> Signed {
    let url = vector["url"].as_str().unwrap();
    let uri: Uri = url.parse().unwrap();
    let mut headers = vec![("host", uri.host().unwrap())];
    for (name, value) in vector["headers"].as_object().unwrap() {
        headers.push((name, value.as_str().unwrap()));
    }
    let target = uri.path_and_query().unwrap().as_str();
    let body = vector["body"].as_str().unwrap_or_default();
    Signed::new(vector["method"].as_str().unwrap(), target, &headers, body)
}

#[test]
fn botocore_is_accepted() {
    let Some(vectors) = vectors() else { return };
    assert_eq!(vectors.len(), 18);
    for entry in &vectors {
        let request = vector(entry);
        let url = &entry["url"];
        request
            .verify_at(NOW)
            .unwrap_or_else(|refusal| panic!("{url}: {refusal:?}"));
        // The same over HTTP/2, where the host is the authority.
        let mut h2 = request.clone();
        h2.headers.remove("host");
        h2.uri = url.as_str().unwrap().parse().unwrap();
        h2.verify_at(NOW)
            .unwrap_or_else(|refusal| panic!("{url}: {refusal:?}"));
    }
}

#[test]
fn tampered_botocore_is_refused() {
    let Some(vectors) = vectors() else { return };
    for entry in &vectors {
        let good = vector(entry);
        let mut tampered = Vec::new();
        let mut change = |what: &'static str, change: &dyn Fn(&mut Signed)| {
            let mut request = good.clone();
            change(&mut request);
            tampered.push((what, request));
        };
        change("method", &|request| request.method = "PUT".to_owned());
        change("path", &|request| {
            let target = request.uri.to_string().replacen("e", "f", 1);
            request.uri = target.parse().unwrap();
        });
        if good.uri.path().contains("%3A") {
            change("decoded path", &|request| {
                let path = request.uri.path();
                let target = request
                    .uri
                    .to_string()
                    .replace(path, &path.replace("%3A", ":"));
                request.uri = target.parse().unwrap();
            });
        }
        change("query", &|request| {
            let mark = if request.uri.query().is_some() {
                '&'
            } else {
                '?'
            };
            request.uri = format!("{}{mark}a=1", request.uri).parse().unwrap();
        });
        change("body", &|request| request.body.push(b' '));
        change("date", &|request| {
            *request = request.clone().with("x-amz-date", "20260102T030406Z");
        });
        change("host", &|request| {
            let host = request.headers["host"]
                .to_str()
                .unwrap()
                .replace("-runtime", "");
            *request = request.clone().with("host", &host);
        });
        change("unsigned header", &|request| {
            *request = request.clone().with("x-amz-new", "1");
        });
        change("duplicated header", &|request| {
            let value = request.headers["x-amz-date"].clone();
            request.headers.append("host", value);
        });
        if good.headers.contains_key("content-type") {
            change("content type", &|request| {
                *request = request.clone().with("content-type", "application/jsom");
            });
        }
        if good.headers.contains_key("x-amzn-bedrock-trace") {
            change("bedrock header", &|request| {
                request.headers.remove("x-amzn-bedrock-trace");
            });
        }
        for (what, request) in tampered {
            let refusal = request.verify_at(NOW).expect_err(what);
            assert!(
                refusal.status == 403 || refusal.status == 400,
                "{what}: {refusal:?}"
            );
        }
    }
}

#[test]
fn own_signatures_are_accepted() {
    good().verify_at(NOW).unwrap();
    good().verify_at("20260102T030905Z").unwrap();
    good().verify_at("20260102T025905Z").unwrap();
    // A raw colon is encoded once, and `bedrock-mantle` is for other paths than `/model/…`.
    let mut raw = converse();
    raw.uri = "/model/us.anthropic.claude:0/converse".parse().unwrap();
    signed(raw, ID, SCOPE, &["host", "x-amz-date"])
        .verify_at(NOW)
        .unwrap();
    let mut mantle = converse();
    mantle.uri = "/v1/chat/completions?b=2&a=1".parse().unwrap();
    let scope = "20260102/ap-southeast-2/bedrock-mantle";
    signed(mantle, ID, scope, &["host", "x-amz-date"])
        .verify_at(NOW)
        .unwrap();
    let mut h2 = converse();
    h2.headers.remove("host");
    h2.uri = format!("http://127.0.0.1:4566{}", h2.uri).parse().unwrap();
    let h2 = signed(h2, ID, SCOPE, &[":authority", "x-amz-date"]);
    h2.verify_at(NOW).unwrap();
    // The same request over HTTP/1.1 has no `:authority`.
    let mut h1 = h2.clone();
    h1.uri = h2.uri.path().parse().unwrap();
    let h1 = h1.with("host", "127.0.0.1:4566");
    refused(&h1, 403, "InvalidSignatureException", "does not match");
}

#[test]
fn malformed_claims_are_incomplete() {
    let name = "IncompleteSignatureException";
    for (from, to, text) in [
        (
            "AWS4-HMAC-SHA256",
            "AWS4-ECDSA-P256-SHA256",
            "AWS4-ECDSA-P256-SHA256",
        ),
        ("AWS4-HMAC-SHA256", "Basic", "Basic"),
        ("Credential=", "Credential", "equal-sign"),
        (", Signature=", ", Signatur=", "Signatur"),
        ("/bedrock/", "/", "5 slash-delimited"),
        ("SignedHeaders=host;x-amz-date, ", "", "'SignedHeaders'"),
        (
            ", Signature=",
            ", Signature=0, Signature=",
            "one 'Signature'",
        ),
    ] {
        refused(&good().authorized(from, to), 400, name, text);
    }
    refused(
        &good().with("x-amz-date", "yesterday"),
        400,
        name,
        "ISO-8601",
    );
    let mut no_date = good();
    no_date.headers.remove("x-amz-date");
    refused(&no_date, 400, name, "X-Amz-Date");
    let mut twice = good();
    twice
        .headers
        .append("authorization", HeaderValue::from_static("Bearer x"));
    refused(&twice, 400, name, "more than once");
    let mut none = good();
    none.headers.remove("authorization");
    refused(
        &none,
        403,
        "MissingAuthenticationTokenException",
        "Missing Authentication Token",
    );
}

#[test]
fn wrong_scopes_are_refused() {
    let name = "InvalidSignatureException";
    for (scope, text) in [
        ("20260102/us-east-1/s3", "correct service: 'bedrock'"),
        ("20260102/us-east-1/bedrock-mantle", "correct service"),
        ("20260102/US-EAST-1/bedrock", "valid region"),
        ("20260102/us-east/bedrock", "valid region"),
        ("20260103/us-east-1/bedrock", "'20260103' != '20260102'"),
    ] {
        refused(
            &signed(converse(), ID, scope, &["host", "x-amz-date"]),
            403,
            name,
            text,
        );
    }
    refused(
        &good().authorized("aws4_request", "aws5_request"),
        403,
        name,
        "terminator",
    );
    for (host, region, service, valid) in [
        (
            "bedrock-runtime.us-east-1.amazonaws.com",
            "us-east-1",
            "bedrock",
            true,
        ),
        (
            "bedrock-runtime.us-east-1.amazonaws.com",
            "us-west-2",
            "bedrock",
            false,
        ),
        (
            "bedrock-runtime.us-east-1.amazonaws.com",
            "us-east-1",
            "bedrock-mantle",
            false,
        ),
        (
            "bedrock-runtime-fips.us-gov-west-1.amazonaws.com",
            "us-gov-west-1",
            "bedrock",
            true,
        ),
        (
            "bedrock-mantle.us-east-1.api.aws",
            "us-east-1",
            "bedrock-mantle",
            true,
        ),
        (
            "bedrock-mantle.us-east-1.api.aws",
            "us-east-1",
            "bedrock",
            false,
        ),
        (
            "BEDROCK-RUNTIME.cn-north-1.amazonaws.com.cn",
            "cn-north-1",
            "bedrock",
            true,
        ),
        ("gateway.example", "eu-isoe-west-1", "bedrock", true),
    ] {
        let mut request = converse().with("host", host);
        if service == "bedrock-mantle" {
            request.uri = "/v1/responses".parse().unwrap();
        }
        let scope = format!("20260102/{region}/{service}");
        let request = signed(request, ID, &scope, &["host", "x-amz-date"]);
        assert_eq!(
            request.verify_at(NOW).is_ok(),
            valid,
            "{host} {region} {service}"
        );
    }
}

#[test]
fn keys_and_tokens() {
    let unknown = "UnrecognizedClientException";
    refused(
        &good().authorized(ID, "AKIAOTHER"),
        403,
        unknown,
        "is invalid",
    );
    let token = |id: &str, token: &str| {
        let request = converse().with("x-amz-security-token", token);
        signed(
            request,
            id,
            SCOPE,
            &["host", "x-amz-date", "x-amz-security-token"],
        )
    };
    token(ID, "SESSIONTOKEN/EXAMPLE+==").verify_at(NOW).unwrap();
    refused(&token(ID, "other"), 403, unknown, "is invalid");
    refused(
        &token("ASIAEXPIRED", "old"),
        403,
        "ExpiredTokenException",
        "expired",
    );
    let without = signed(converse(), "ASIAEXPIRED", SCOPE, &["host", "x-amz-date"]);
    refused(&without, 403, unknown, "is invalid");

    for (value, valid) in [
        ("Bearer bedrock-api-key-1", true),
        ("bearer  bedrock-api-key-1", true),
        ("Bearer bedrock-api-key-2", false),
        ("Bearer ", false),
    ] {
        let request = converse().with("authorization", value);
        match request.verify_at(NOW) {
            Ok(()) => assert!(valid, "{value}"),
            Err(refusal) => {
                assert!(!valid, "{value}");
                assert_eq!(refusal.name, "AccessDeniedException");
            }
        }
    }
}

#[test]
fn what_must_be_signed_and_when() {
    let name = "InvalidSignatureException";
    refused(
        &good().with("x-amz-target", "x"),
        403,
        name,
        "'x-amz-target' must be a 'SignedHeader'",
    );
    refused(
        &good().with("x-amz-security-token", "x"),
        403,
        "UnrecognizedClientException",
        "",
    );
    let no_host = signed(converse(), ID, SCOPE, &["x-amz-date"]);
    refused(&no_host, 403, name, "'Host' or ':authority'");
    let hashed = |hash: &str| {
        let request = converse().with("x-amz-content-sha256", hash);
        signed(
            request,
            ID,
            SCOPE,
            &["host", "x-amz-content-sha256", "x-amz-date"],
        )
    };
    hashed(&sha256_hex(b"{}")).verify_at(NOW).unwrap();
    refused(&hashed(&sha256_hex(b"")), 403, name, "does not match");
    refused(&hashed("UNSIGNED-PAYLOAD"), 403, name, "does not match");

    let late = good().verify_at("20260102T030906Z").unwrap_err();
    assert_eq!(
        late.body["message"],
        "Signature expired: 20260102T030405Z is now earlier than 20260102T030406Z (20260102T030906Z - 5 min.)"
    );
    let early = good().verify_at("20260102T025904Z").unwrap_err();
    assert_eq!(
        early.body["message"],
        "Signature not yet current: 20260102T030405Z is still later than 20260102T030404Z (20260102T025904Z + 5 min.)"
    );
}

#[test]
fn presigned_queries() {
    let query = |expires: &str, token: &str| {
        format!(
            "/async-invoke?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={ID}%2F20260102%2Fus-east-1%2Fbedrock%2Faws4_request\
             &X-Amz-Date={NOW}&X-Amz-Expires={expires}{token}&X-Amz-SignedHeaders=host&maxResults=5"
        )
    };
    let sign = |target: String| {
        let uri: Uri = target.parse().unwrap();
        let host = "bedrock-runtime.us-east-1.amazonaws.com";
        let mut request = Signed::new("GET", &target, &[("host", host)], "");
        let canonical = canonical::request(
            "GET",
            uri.path(),
            &canonical::query(uri.query().unwrap(), Plus::Space, None),
            format!("host:{host}\n").as_bytes(),
            "host",
            &sha256_hex(b""),
        );
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{NOW}\n{SCOPE}/aws4_request\n{}",
            sha256_hex(&canonical)
        );
        let probe = format!("{}&X-Amz-Signature=0", uri.query().unwrap());
        let claim = Claim::from_query(&probe).unwrap();
        let key = signing_key(SECRET, &claim.date, &claim.region, &claim.service);
        let signature = hex(&hmac(&key, to_sign.as_bytes()));
        request.uri = format!("{target}&X-Amz-Signature={signature}")
            .parse()
            .unwrap();
        request
    };
    let good = sign(query("3600", ""));
    good.verify_at(NOW).unwrap();
    good.verify_at("20260102T040405Z").unwrap();
    let late = good.verify_at("20260102T040406Z").unwrap_err();
    assert_eq!(late.name, "InvalidSignatureException");
    sign(query(
        "60",
        "&X-Amz-Security-Token=SESSIONTOKEN%2FEXAMPLE%2B%3D%3D",
    ))
    .verify_at(NOW)
    .unwrap();
    refused(
        &sign(query("60", "&X-Amz-Security-Token=x")),
        403,
        "UnrecognizedClientException",
        "",
    );

    let mut tampered = good.clone();
    tampered.uri = tampered
        .uri
        .to_string()
        .replace("Results=5", "Results=6")
        .parse()
        .unwrap();
    refused(
        &tampered,
        403,
        "InvalidSignatureException",
        "does not match",
    );
    refused(
        &good.with("authorization", "Bearer x"),
        400,
        "IncompleteSignatureException",
        "Only one",
    );
    let mut endless = sign(query("60", ""));
    endless.uri = endless
        .uri
        .to_string()
        .replace("Expires=60", "Expires=0")
        .parse()
        .unwrap();
    refused(
        &endless,
        400,
        "IncompleteSignatureException",
        "X-Amz-Expires",
    );
}
