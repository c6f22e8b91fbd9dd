//! The emulator's verifier, which shares no code with the signer: generated requests over a
//! socket, then tampered with.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_bedrock::emulator::{Emulator, Verdict};

use crate::generate::clock::at;
use crate::generate::dice::Dice;
use crate::generate::{Case, Walk};
use crate::reference::{covers, host_of, ours, signers};

const WANTED: usize = 1500;

/// What belongs to the connection, not to the request.
const HOP: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-amz-content-sha256",
];

/// Makes of a case one that can be sent to Bedrock; none where it cannot.
fn sendable(mut case: Case) -> Option<Case> {
    for name in HOP {
        case.headers.remove(name);
    }
    let host = match case.headers.get(HOST) {
        Some(host) => host.clone(),
        None => host_of(&case.uri)?,
    };
    // The verifier takes the scope from the host, or any that looks like one.
    let host = host.to_str().ok()?.trim().to_ascii_lowercase();
    let name = host.split(':').next()?;
    let (service, region) = match name {
        "bedrock-runtime.us-east-1.amazonaws.com" => ("bedrock", "us-east-1"),
        "bedrock-mantle.eu-west-1.api.aws" => ("bedrock-mantle", "eu-west-1"),
        _ if name.starts_with("bedrock") && !name.ends_with('.') => return None,
        _ => (
            "bedrock",
            ["us-east-1", "us-gov-west-1"][case.region.len() % 2],
        ),
    };
    (case.region, case.service) = (region.to_owned(), service.to_owned());

    let text = case.uri.path_and_query()?.as_str();
    let path = case.uri.path();
    let dots = path.ends_with("/.") || path.ends_with("/..");
    let one_host = case.headers.get_all(HOST).iter().count() < 2;
    let stray_token =
        case.keys.token.is_none() && case.headers.contains_key("x-amz-security-token");
    // A tab at either end of a value does not arrive: HTTP takes it off.
    let tabs = case.headers.values().any(|value| {
        value.as_bytes().first() == Some(&b'\t')
            || value.as_bytes().trim_ascii() != trim_spaces(value)
    });
    // `aws-sigv4` signs escapes of no UTF-8 as if they were of U+FFFD.
    let utf8 = !text.contains("%ff")
        && case
            .uri
            .query()
            .is_none_or(|query| !query.contains("%e1%88x"));
    let usual = path.starts_with('/')
        && text.is_ascii()
        && case.method != Method::CONNECT
        && utf8
        && one_host
        && !dots
        && !tabs
        && !stray_token;
    usual.then_some(case)
}

fn trim_spaces(value: &HeaderValue) -> &[u8] {
    let mut bytes = value.as_bytes();
    while let [b' ', rest @ ..] | [rest @ .., b' '] = bytes {
        bytes = rest;
    }
    bytes
}

/// A connection to the emulator, and the clock that it reads.
struct Line {
    emulator: Emulator,
    seconds: Arc<AtomicI64>,
    sender: SendRequest<Full<Bytes>>,
}

impl Line {
    async fn connect(emulator: &Emulator) -> SendRequest<Full<Bytes>> {
        let stream = TcpStream::connect(emulator.addr()).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    /// What the emulator says of the request.
    async fn verdict(
        &mut self,
        case: &Case,
        target: &str,
        headers: HeaderMap,
        body: &[u8],
    ) -> Verdict {
        self.seconds.store(seconds(case.time), Ordering::SeqCst);
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(body)));
        *request.method_mut() = case.method.clone();
        *request.uri_mut() = target
            .parse()
            .unwrap_or_else(|error| panic!("{error}: {target}"));
        *request.headers_mut() = headers;
        if self.sender.ready().await.is_err() {
            self.sender = Self::connect(&self.emulator).await;
        }
        let response = self.sender.send_request(request).await;
        response
            .unwrap_or_else(|error| panic!("{error}: {case:?}"))
            .collect()
            .await
            .unwrap();
        let requests = self.emulator.take_requests();
        assert_eq!(requests.len(), 1, "{case:?}");
        requests[0].verdict
    }
}

fn seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_secs().try_into().unwrap(),
        Err(before) => {
            -i64::try_from(before.duration().as_nanos().div_ceil(1_000_000_000)).unwrap()
        }
    }
}

#[tokio::test]
async fn generated_requests_and_tampered_ones() {
    // The emulator has to know all keys beforehand: of each id and token, the first.
    let mut secrets = HashMap::new();
    let mut walk = Walk::new(Dice::seeded(1));
    let mut cases = Vec::new();
    while cases.len() < WANTED {
        let Some(case) = sendable(walk.next_case()) else {
            continue;
        };
        let key = (case.keys.id.clone(), case.keys.token.clone());
        let secret = secrets
            .entry(key)
            .or_insert_with(|| case.keys.secret.clone());
        if *secret == case.keys.secret && ours(&signers()[case.rule], &case).is_ok() {
            cases.push(case);
        }
    }
    let seconds = Arc::new(AtomicI64::new(0));
    let clock = Arc::clone(&seconds);
    let mut builder = Emulator::builder().clock(move || at(clock.load(Ordering::SeqCst)));
    for ((id, token), secret) in secrets {
        builder = match token {
            Some(token) => builder.session_credentials(id, secret, token),
            None => builder.credentials(id, secret),
        };
    }
    let emulator = builder.start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let sender = Line::connect(&emulator).await;
    let mut line = Line {
        emulator,
        seconds,
        sender,
    };

    let signers = signers();
    for case in &cases {
        let signed = ours(&signers[case.rule], case).unwrap();
        // Not what is between the authority and the query, which may be nothing.
        let query = case
            .uri
            .query()
            .map_or(String::new(), |query| format!("?{query}"));
        let target = &*format!("{}{query}", case.uri.path());
        let verdict = line.verdict(case, target, signed.clone(), &case.body).await;
        assert_eq!(
            verdict,
            Verdict::Accepted,
            "{case:?}\n{:?}",
            signed["authorization"].to_str()
        );

        let other_target = format!("{}x{query}", case.uri.path());
        let other_body = [&case.body, &b" "[..]].concat();
        let changed = |name: &'static str, value: String| {
            let mut headers = signed.clone();
            headers.insert(name, value.parse().unwrap());
            headers
        };
        let date = signed["x-amz-date"].to_str().unwrap();
        let another = ours(
            &signers[case.rule],
            &Case {
                time: another_second(case.time),
                ..case.clone()
            },
        );
        let another = another.unwrap()["x-amz-date"].to_str().unwrap().to_owned();
        assert_ne!(date, another);
        let host = format!("x{}", signed[HOST].to_str().unwrap().trim());
        let authorization = signed["authorization"].to_str().unwrap();
        let last = if authorization.ends_with('0') {
            "1"
        } else {
            "0"
        };
        let authorization = format!("{}{last}", &authorization[..authorization.len() - 1]);
        assert!(covers(case.rule, "host"));
        for (what, target, headers, body) in [
            ("path", &*other_target, signed.clone(), &case.body),
            ("body", target, signed.clone(), &other_body),
            ("date", target, changed("x-amz-date", another), &case.body),
            ("host", target, changed("host", host), &case.body),
            (
                "signature",
                target,
                changed("authorization", authorization),
                &case.body,
            ),
        ] {
            let verdict = line.verdict(case, target, headers, body).await;
            assert!(
                matches!(verdict, Verdict::Refused(_)),
                "{what}: {verdict:?} {case:?}"
            );
        }
    }
    println!(
        "{} accepted, {} tampered ones refused",
        cases.len(),
        5 * cases.len()
    );
}

/// On the same day, so that nothing but the signature is wrong.
fn another_second(time: SystemTime) -> SystemTime {
    let second = Duration::from_secs(1);
    if seconds(time).rem_euclid(60) == 0 {
        time + second
    } else {
        time - second
    }
}
