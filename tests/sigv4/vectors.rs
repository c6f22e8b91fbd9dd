//! Requests to Bedrock that botocore signed.

use std::path::PathBuf;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde_json::Value;
use tower_bedrock::credentials::Credentials;
use tower_bedrock::sign::{PayloadHash, SignedHeaders, Signer, SigningParams};

use crate::generate::clock::at;

const KEY: (&str, &str) = (
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
);
/// 2026-01-02T03:04:05Z
const TIME: i64 = 1_767_323_045;

/// The vectors, if they are here; they are not part of the repository.
fn vectors() -> Option<Vec<Value>> {
    let folder = std::env::var_os("TOWER_BEDROCK_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    let file = folder.join("vectors/sigv4-bedrock.json");
    match std::fs::read_to_string(&file) {
        Ok(text) => Some(serde_json::from_str(&text).unwrap()),
        Err(error) => {
            let required = std::env::var_os("TOWER_BEDROCK_REQUIRE_SHARED").is_some();
            assert!(!required, "{}: {error}", file.display());
            println!("skipped: {}: {error}", file.display());
            None
        }
    }
}

#[test]
fn every_vector_of_botocore() {
    let Some(vectors) = vectors() else { return };
    assert_eq!(vectors.len(), 18);
    let one = Signer::new();
    for vector in &vectors {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let uri: Uri = text(&vector["url"]).parse().unwrap();
        let method: Method = text(&vector["method"]).parse().unwrap();
        let mut wanted: HeaderMap = vector["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| {
                let value: HeaderValue = text(value).parse().unwrap();
                (name.parse::<HeaderName>().unwrap(), value)
            })
            .collect();
        let mut unsigned = wanted.clone();
        for added in ["authorization", "x-amz-date", "x-amz-security-token"] {
            unsigned.remove(added);
        }
        // It sends no Host of its own accord: the connection adds it.
        wanted.insert("host", uri.host().unwrap().parse().unwrap());

        // botocore signs `accept` where an operation has it.
        let with_accept = wanted["authorization"]
            .to_str()
            .unwrap()
            .contains("=accept;");
        let rule = if with_accept {
            SignedHeaders::EssentialAnd([http::header::ACCEPT].into())
        } else {
            SignedHeaders::Essential
        };
        let signer = one.clone().with_signed_headers(rule);
        let credentials = match wanted.get("x-amz-security-token") {
            Some(token) => Credentials::with_session_token(KEY.0, KEY.1, token.to_str().unwrap()),
            None => Credentials::new(KEY.0, KEY.1),
        }
        .unwrap();
        let region = text(&vector["region"]);
        let params = SigningParams::new(&credentials, &region, at(TIME));
        let payload = PayloadHash::of(vector["body"].as_str().unwrap_or_default().as_bytes());
        for _ in 0..3 {
            let mut headers = unsigned.clone();
            signer
                .sign(&method, &uri, &mut headers, &payload, &params)
                .unwrap();
            assert_eq!(headers, wanted, "{} {uri}", vector["op"]);
        }
    }
}
