//! What `aws-sigv4` makes of a case, and what our signer makes of it.

#![allow(dead_code, unreachable_pub, missing_debug_implementations)] // each program uses a part

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use tower_bedrock::sign::{PayloadHash, SignedHeaders, Signer, SigningParams};

use crate::generate::clock::{YEAR_1, at};
use crate::generate::{Case, RULES};

/// Signed in addition to the essential ones, by rule.
const OTHERS: [&[&str]; RULES] = [
    &[],
    &["accept"],
    // Some of these are never signed, and some always.
    &[
        "x-mine",
        "te",
        "user-agent",
        "host",
        "content-length",
        "traceparent",
        "authorization",
        "x-amz-date",
        "proxy-connection",
        "anthropic-beta",
        "accept",
    ],
    &[
        "accept-encoding",
        "amz-sdk-request",
        "cookie",
        "x-amz-a",
        "x-amzn-requestid",
        "x-mine",
    ],
];

/// One signer for each rule; all are clones of one, so they share whatever is cached.
pub fn signers() -> Vec<Signer> {
    let one = Signer::new();
    (0..RULES)
        .map(|index| one.clone().with_signed_headers(rule(index)))
        .collect()
}

pub fn rule(index: usize) -> SignedHeaders {
    match OTHERS[index] {
        [] => SignedHeaders::Essential,
        names => SignedHeaders::EssentialAnd(
            names
                .iter()
                .map(|&name| HeaderName::from_static(name))
                .collect(),
        ),
    }
}

/// The rule as it is documented, said once more.
pub fn covers(rule: usize, name: &str) -> bool {
    const NEVER: [&str; 14] = [
        "authorization",
        "baggage",
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-amzn-trace-id",
    ];
    if NEVER.contains(&name) || name.starts_with("proxy-") {
        return false;
    }
    name == "host"
        || name == "content-type"
        || name.starts_with("x-amz-")
        || name.starts_with("x-amzn-bedrock-")
        || OTHERS[rule].contains(&name)
}

/// The headers after signing with `aws-sigv4`, or why it does not sign.
pub fn expected(case: &Case) -> Result<HeaderMap, String> {
    // `aws-sigv4` signs that too, with a date of five characters.
    if case.time < at(YEAR_1) {
        return Err("it is before the year 1".to_owned());
    }
    let mut covered = Vec::new();
    for (name, value) in &case.headers {
        // What is replaced is not signed as it was, so it may have been anything.
        if covers(case.rule, name.as_str()) && !replaces(case, name.as_str()) {
            // Of other bytes `aws-sigv4` signs what is UTF-8; we sign none of them.
            let value = value
                .to_str()
                .map_err(|_| format!("{name} is not visible ASCII"))?;
            covered.push((name.as_str(), value));
        }
    }
    let mut headers = case.headers.clone();
    if !headers.contains_key(HOST) {
        headers.insert(HOST, host_of(&case.uri).ok_or("there is no host")?);
    }
    // It panics on what it cannot sign at all, such as the year 10000.
    let added = catch_unwind(AssertUnwindSafe(|| added(case, covered)))
        .map_err(|_| "aws-sigv4 panics".to_owned())??;
    for (name, value) in added {
        headers.insert(
            name,
            HeaderValue::from_str(&value).map_err(|error| error.to_string())?,
        );
    }
    Ok(headers)
}

/// Whether the signature brings a header of its own in place of this one.
fn replaces(case: &Case, name: &str) -> bool {
    name == "x-amz-date" || name == "x-amz-security-token" && case.keys.token.is_some()
}

fn added(case: &Case, covered: Vec<(&str, &str)>) -> Result<Vec<(&'static str, String)>, String> {
    let keys = &case.keys;
    let identity = aws_credential_types::Credentials::new(
        &keys.id,
        &keys.secret,
        keys.token.clone(),
        None,
        "test",
    )
    .into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&case.region)
        .name(&case.service)
        .time(case.time)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let request = SignableRequest::new(
        case.method.as_str(),
        case.uri.to_string(),
        covered.into_iter(),
        SignableBody::Bytes(&case.body),
    )
    .map_err(|error| error.to_string())?;
    let (instructions, _) = sign(request, &params)
        .map_err(|error| error.to_string())?
        .into_parts();
    let (headers, _) = instructions.into_parts();
    Ok(headers
        .into_iter()
        .map(|header| (header.name(), header.value().to_owned()))
        .collect())
}

/// The `Host` that is sent to a URI.
pub fn host_of(uri: &Uri) -> Option<HeaderValue> {
    let default = match uri.scheme_str() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    };
    let mut host = uri.host()?.to_ascii_lowercase();
    if let Some(port) = uri.port_u16().filter(|&port| Some(port) != default) {
        write!(host, ":{port}").ok()?;
    }
    host.parse().ok()
}

/// The headers after signing with our signer, or why it does not sign.
pub fn ours(signer: &Signer, case: &Case) -> Result<HeaderMap, String> {
    let mut headers = case.headers.clone();
    let params = SigningParams::new(&case.keys.credentials, &case.region, case.time)
        .with_service(&case.service);
    let payload = PayloadHash::of(&case.body);
    signer
        .sign(&case.method, &case.uri, &mut headers, &payload, &params)
        .map_err(|error| error.to_string())?;
    Ok(headers)
}

/// Signs `case` with both.
///
/// # Errors
/// If they differ: the case, what each made of it, and what a signer makes of it that has cached
/// nothing.
pub fn compare(signer: &Signer, case: &Case) -> Result<Verdict, String> {
    let expected = expected(case);
    let ours = ours(signer, case);
    let same = match (&expected, &ours) {
        (Ok(expected), Ok(ours)) => expected == ours && is_hidden(case, ours),
        (Err(_), Err(_)) => true,
        // One may refuse what was never visible ASCII, though it is replaced.
        (Ok(_), Err(_)) => case
            .headers
            .iter()
            .any(|(name, value)| replaces(case, name.as_str()) && value.to_str().is_err()),
        _ => false,
    };
    if same {
        return Ok(if ours.is_ok() {
            Verdict::Signed
        } else {
            Verdict::Refused
        });
    }
    let fresh = self::ours(&Signer::new().with_signed_headers(rule(case.rule)), case);
    let blame = match (&fresh, &expected) {
        (Ok(fresh), Ok(expected)) if fresh == expected => "a fresh signer agrees with aws-sigv4",
        (Err(_), Err(_)) => "a fresh signer agrees with aws-sigv4",
        _ => "a fresh signer is wrong too",
    };
    Err(format!(
        "{case:?}\n--- aws-sigv4: {}\n--- ours: {}\n--- {blame}",
        show(&expected),
        show(&ours)
    ))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    Signed,
    Refused,
}

/// Neither signature nor token may show in the `Debug` of the headers.
fn is_hidden(case: &Case, headers: &HeaderMap) -> bool {
    let hidden = |name| headers.get(name).is_some_and(HeaderValue::is_sensitive);
    hidden("authorization") && (case.keys.token.is_none() || hidden("x-amz-security-token"))
}

fn show(outcome: &Result<HeaderMap, String>) -> String {
    match outcome {
        Err(error) => format!("refused: {error}"),
        Ok(headers) => {
            let mut text = format!("{} headers", headers.len());
            for name in [
                "host",
                "x-amz-date",
                "x-amz-security-token",
                "authorization",
            ] {
                for value in headers.get_all(name) {
                    let hidden = if value.is_sensitive() {
                        " (hidden)"
                    } else {
                        ""
                    };
                    let value = value.as_bytes().escape_ascii();
                    text.push_str(&format!("\n{name}: {value}{hidden}"));
                }
            }
            text
        }
    }
}
