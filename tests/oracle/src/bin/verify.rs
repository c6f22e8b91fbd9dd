//! Random requests signed by our signer and verified by `scratchstack-aws-signature`, which shares
//! no code with us or with `aws-sigv4`; then tampered with, which it must notice.
//!
//! `verify [COUNT [SEED]]`: COUNT is 3,000 unless said. Ends with 1 if any verdict is wrong.

use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request, Uri};
use scratchstack_aws_signature::{
    GetSigningKeyRequest, GetSigningKeyResponse, KSecretKey, NO_ADDITIONAL_SIGNED_HEADERS,
    SignatureOptions, sigv4_validate_request,
};
use tower::service_fn;
use tower_bedrock_oracle::argument;
use tower_bedrock_oracle::generate::dice::Dice;
use tower_bedrock_oracle::generate::{Case, Walk};
use tower_bedrock_oracle::reference::{covers, ours, signers};

fn main() -> ExitCode {
    let count = argument(1).unwrap_or(3_000);
    let seed = argument(2).unwrap_or(1);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let mut walk = Walk::new(Dice::seeded(seed));
    let signers = signers();
    let (mut verified, mut rejected, mut passed_over, mut wrong) = (0, 0, 0, 0);
    while verified < count {
        let mut case = walk.next_case();
        // It takes secrets of 40 characters only.
        let secret: String = case.keys.secret.chars().cycle().take(40).collect();
        case.keys = case.keys.with_secret(&secret);
        let signed = match ours(&signers[case.rule], &case) {
            Ok(headers) if is_usual(&case) => headers,
            _ => {
                passed_over += 1;
                continue;
            }
        };
        let verify = |uri: &Uri, headers: HeaderMap, body: &[u8]| {
            runtime.block_on(verify(&case, uri, headers, body.to_vec()))
        };
        let mut report = |what: &str, verdict: String| {
            wrong += 1;
            if wrong <= 3 {
                println!("seed {seed}: {what}: {verdict}\n{case:?}\nsigned: {signed:?}\n");
            }
        };
        match verify(&case.uri, signed.clone(), &case.body) {
            Ok(()) => {}
            Err(error) => report("refused", error),
        }
        verified += 1;
        for (what, uri, headers, body) in tampered(&case, &signed) {
            match verify(&uri, headers, &body) {
                Err(_) => rejected += 1,
                Ok(()) => report(what, "accepted".to_owned()),
            }
        }
    }
    println!(
        "verified by scratchstack-aws-signature: {verified} requests, {rejected} tampered ones refused, {wrong} wrong verdicts; {passed_over} passed over, seed {seed}"
    );
    ExitCode::from(u8::from(wrong > 0 || rejected < 3 * count))
}

/// What the verifier reads as AWS does.
fn is_usual(case: &Case) -> bool {
    let path = case.uri.path();
    let query = case.uri.query().unwrap_or_default();
    // It knows no trailing `/.` or `/..`, and none above the root.
    let dots = path.split('/').any(|segment| matches!(segment, "." | ".."));
    // It refuses broken escapes; and those of other bytes than UTF-8 `aws-sigv4` signs, and so do
    // we, as if they were of U+FFFD.
    let sound = decoded(query).is_some_and(|bytes| str::from_utf8(&bytes).is_ok());
    // It drops a parameter without name, and sorts `a/=` before `a=`.
    let names: Vec<&str> = query
        .split('&')
        .filter_map(|pair| pair.split('=').next())
        .collect();
    let distinct = names.iter().all(|one| {
        !one.is_empty()
            && names
                .iter()
                .all(|other| one == other || !other.starts_with(one))
    });
    let presigned = query.contains("X-Amz-Algorithm");
    let plain = path.starts_with('/') && path.is_ascii() && query.is_ascii();
    plain && !dots && sound && (query.is_empty() || distinct) && !presigned
}

fn decoded(query: &str) -> Option<Vec<u8>> {
    let mut parts = query.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    Some(bytes)
}

async fn verify(case: &Case, uri: &Uri, headers: HeaderMap, body: Vec<u8>) -> Result<(), String> {
    // It encodes a path once, as for S3; so it is given one that is encoded once already.
    let path = uri.path().replace('%', "%25").replace('+', "%2B");
    let query = uri
        .query()
        .map_or(String::new(), |query| format!("?{query}"));
    let mut request = Request::new(body);
    *request.method_mut() = case.method.clone();
    *request.uri_mut() = format!("{path}{query}")
        .parse()
        .map_err(|e| format!("{e}"))?;
    *request.headers_mut() = headers;
    let secret = KSecretKey::from_str(&case.keys.secret).map_err(|error| error.to_string())?;
    let mut keys = service_fn(move |asked: GetSigningKeyRequest| {
        let key = secret.to_ksigning(asked.request_date(), asked.region(), asked.service());
        let response = GetSigningKeyResponse::builder().signing_key(key).build();
        std::future::ready(response.map_err(Into::into))
    });
    sigv4_validate_request(
        request,
        &case.region,
        &case.service,
        &mut keys,
        timestamp(case.time),
        &NO_ADDITIONAL_SIGNED_HEADERS,
        SignatureOptions::default(),
    )
    .await
    .map(drop)
    .map_err(|error| format!("{error:?}"))
}

fn timestamp(time: SystemTime) -> DateTime<Utc> {
    // Down to the whole second, before 1970 too.
    let seconds = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()),
        Err(before) => {
            i64::try_from(before.duration().as_nanos().div_ceil(1_000_000_000)).map(|ago| -ago)
        }
    };
    let seconds = seconds.expect("a year of four digits");
    DateTime::from_timestamp(seconds, 0).expect("a year of four digits")
}

/// The request with another path, with another body, and with another header.
fn tampered(case: &Case, signed: &HeaderMap) -> Vec<(&'static str, Uri, HeaderMap, Vec<u8>)> {
    let uri = &case.uri;
    let query = uri
        .query()
        .map_or(String::new(), |query| format!("?{query}"));
    let path = format!("{}x{query}", uri.path()).parse().expect("a path");
    let mut body = case.body.clone();
    match body.last_mut() {
        Some(last) => *last ^= 1,
        None => body.push(b' '),
    }
    let mut headers = signed.clone();
    let name = headers
        .keys()
        .find(|name| {
            covers(case.rule, name.as_str())
                && *name != AUTHORIZATION
                && *name != "x-amz-security-token"
        })
        .cloned()
        .expect("x-amz-date at least");
    let value = if name == "x-amz-date" {
        let time = case.time - Duration::from_secs(1);
        timestamp(time).format("%Y%m%dT%H%M%SZ").to_string().parse()
    } else {
        format!("{}x", headers[&name].to_str().expect("it was signed")).parse::<HeaderValue>()
    };
    headers.insert(name, value.expect("a value"));
    vec![
        ("another path", path, signed.clone(), case.body.clone()),
        ("another body", uri.clone(), signed.clone(), body),
        ("another header", uri.clone(), headers, case.body.clone()),
    ]
}
