//! AWS's own test suite, as the published `aws-sigv4` ships it: one folder for each request.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use http::{HeaderMap, HeaderName, Method, Uri};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tower_bedrock::sign::{PayloadHash, SignedHeaders, Signer, SigningParams};

use crate::generate::keys::Keys;

/// Cases that this signer reproduces.
const ELIGIBLE: &[&str] = &[
    "double-encode-path",
    "double-url-encode",
    "get-header-key-duplicate",
    "get-header-value-order",
    "get-header-value-trim",
    "get-relative-normalized",
    "get-relative-relative-normalized",
    "get-slash-dot-slash-normalized",
    "get-slash-normalized",
    "get-slash-pointless-dot-normalized",
    "get-slashes-normalized",
    "get-unreserved",
    "get-utf8",
    "get-vanilla",
    "get-vanilla-empty-query-key",
    "get-vanilla-query",
    "get-vanilla-query-order-encoded",
    "get-vanilla-query-order-key-case",
    "get-vanilla-query-unreserved",
    "get-vanilla-utf8-query",
    "get-vanilla-with-session-token",
    "post-header-key-case",
    "post-header-key-sort",
    "post-header-value-case",
    "post-sts-header-before",
    "post-vanilla",
    "post-vanilla-empty-query-value",
    "post-vanilla-query",
];

/// Cases that are signed otherwise, and why.
const INELIGIBLE: &[(&str, &str)] = &[
    (
        "get-header-value-multiline",
        "a folded header value cannot be held by the http types",
    ),
    ("get-relative-relative-unnormalized", NORMALISED),
    ("get-relative-unnormalized", NORMALISED),
    ("get-slash-dot-slash-unnormalized", NORMALISED),
    ("get-slash-pointless-dot-unnormalized", NORMALISED),
    ("get-slash-unnormalized", NORMALISED),
    ("get-slashes-unnormalized", NORMALISED),
    (
        "get-space-normalized",
        "its path is encoded once, as for S3; Bedrock's is encoded twice",
    ),
    (
        "get-space-unnormalized",
        "a raw space in a path cannot be held by the http types",
    ),
    (
        "post-sts-header-after",
        "it leaves the session token unsigned, as no AWS service needs today",
    ),
    ("post-x-www-form-urlencoded", LENGTH),
    ("post-x-www-form-urlencoded-parameters", LENGTH),
];

const NORMALISED: &str = "paths are always normalised, as all services but S3 have it";
const LENGTH: &str = "it signs content-length, which proxies may take off";

/// For two old cases that come without: the first has the key of the tests of `aws-sigv4`.
const CONTEXTS: [(&str, &str); 2] = [
    (
        "double-encode-path",
        r#"{"credentials": {"access_key_id": "ANOTREAL", "secret_access_key": "notrealrnrELgWzOk3IfjzDKtFBhDby"},
            "region": "us-east-1", "service": "service", "timestamp": "2015-08-30T12:36:00Z"}"#,
    ),
    (
        "double-url-encode",
        r#"{"credentials": {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"},
            "region": "us-east-2", "service": "lambda", "timestamp": "2021-05-11T15:40:45Z"}"#,
    ),
];

/// The folder inside the crate's sources, wherever Cargo has them.
fn suite() -> PathBuf {
    let cargo = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO"))
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "cargo {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    };
    // For this platform alone: a build has not fetched what only others need.
    let version = cargo(&["-vV"]);
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let metadata = cargo(&[
        "metadata",
        "--offline",
        "--format-version=1",
        "--filter-platform",
        host,
    ]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let manifest = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .find(|package| package["name"] == "aws-sigv4")
        .and_then(|package| package["manifest_path"].as_str())
        .unwrap();
    Path::new(manifest).with_file_name("aws-signing-test-suite/v4")
}

struct Context {
    keys: Keys,
    region: String,
    service: String,
    time: SystemTime,
}

impl Context {
    fn read(folder: &Path) -> Self {
        let json = std::fs::read_to_string(folder.join("context.json")).unwrap_or_else(|_| {
            let name = folder.file_name().and_then(OsStr::to_str);
            let (_, context) = CONTEXTS
                .iter()
                .find(|(case, _)| Some(*case) == name)
                .unwrap();
            (*context).to_owned()
        });
        let json: Value = serde_json::from_str(&json).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let credentials = &json["credentials"];
        Self {
            keys: Keys::new(
                &text(&credentials["access_key_id"]),
                &text(&credentials["secret_access_key"]),
                credentials["token"].as_str(),
            ),
            region: text(&json["region"]),
            service: text(&json["service"]),
            time: OffsetDateTime::parse(&text(&json["timestamp"]), &Rfc3339)
                .unwrap()
                .into(),
        }
    }
}

struct Message {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
}

impl Message {
    fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap();
        let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
        let mut lines = head.lines();
        let (method, rest) = lines.next().unwrap().split_once(' ').unwrap();
        let target = rest.strip_suffix(" HTTP/1.1").unwrap_or(rest);
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (HeaderName::try_from(name).unwrap(), value.parse().unwrap())
        });
        Self {
            method: method.parse().unwrap(),
            uri: target.parse().unwrap(),
            headers: headers.collect(),
            body: body.to_owned(),
        }
    }
}

/// `name: value` lines in one order, since a request's may come in any.
fn sorted(headers: &HeaderMap) -> Vec<String> {
    let mut pairs: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes().trim_ascii().escape_ascii()))
        .collect();
    // Stable, so that the values of one name keep theirs.
    pairs.sort_by_key(|(name, _)| *name);
    pairs
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect()
}

#[test]
fn every_case_of_the_suite() {
    let suite = suite();
    let mut names: Vec<String> = std::fs::read_dir(&suite)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    let mut known: Vec<&str> = ELIGIBLE.to_vec();
    known.extend(INELIGIBLE.iter().map(|(name, _)| *name));
    known.sort_unstable();
    assert_eq!(
        names, known,
        "each case is listed once, as eligible or with a reason"
    );

    let one = Signer::new();
    for name in ELIGIBLE {
        let folder = suite.join(name);
        let context = Context::read(&folder);
        let request = Message::read(&folder.join("request.txt"));
        let wanted = Message::read(&folder.join("header-signed-request.txt"));
        let all: Vec<HeaderName> = request.headers.keys().cloned().collect();
        let signer = one
            .clone()
            .with_signed_headers(SignedHeaders::EssentialAnd(all.into()));
        let params = SigningParams::new(&context.keys.credentials, &context.region, context.time)
            .with_service(&context.service);
        let payload = PayloadHash::of(request.body.as_bytes());
        // The third time from every cache there is.
        for _ in 0..3 {
            let mut headers = request.headers.clone();
            signer
                .sign(
                    &request.method,
                    &request.uri,
                    &mut headers,
                    &payload,
                    &params,
                )
                .unwrap();
            assert_eq!(sorted(&headers), sorted(&wanted.headers), "{name}");
            if let Ok(signature) = std::fs::read_to_string(folder.join("header-signature.txt")) {
                let authorization = headers["authorization"].to_str().unwrap();
                assert!(
                    authorization.ends_with(&format!("Signature={}", signature.trim())),
                    "{name}"
                );
            }
        }
    }
    println!("{} of {} cases reproduced", ELIGIBLE.len(), names.len());
}
