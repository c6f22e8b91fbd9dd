//! What is cached: that nothing outdated signs, nor anything that belongs to another.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request};
use http_body_util::Full;
use tower_bedrock::sign::{SigV4SigningLayer, Signer};

use crate::generate::clock::at;
use crate::generate::keys::Keys;
use crate::generate::{Case, dice::Dice};
use crate::layer::{Outcome, Provider, send};
use crate::reference::{Verdict, compare, host_of};

const URL: &str = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m%3A0/converse";

#[track_caller]
pub(crate) fn signed_alike(signer: &Signer, case: &Case) {
    match compare(signer, case) {
        Ok(verdict) => assert_eq!(verdict, Verdict::Signed),
        Err(difference) => panic!("{difference}"),
    }
}

/// What tells one signature from another, and what must not be mistaken for it: each pair is
/// signed by turns, so that either finds what the other left.
#[test]
fn pairs_that_are_not_the_same() {
    type Change = fn(&mut Case);
    let changes: &[(&str, Change, Change)] = &[
        (
            "secret",
            |_| {},
            |case| case.keys = case.keys.with_secret("another"),
        ),
        (
            "token",
            |_| {},
            |case| case.keys = case.keys.with_token(Some("A-token")),
        ),
        (
            "no token",
            |_| {},
            |case| case.keys = case.keys.with_token(None),
        ),
        (
            "an empty token header",
            |case| case.keys = case.keys.with_token(None),
            |case| {
                case.keys = case.keys.with_token(None);
                case.headers
                    .insert("x-amz-security-token", HeaderValue::from_static(""));
            },
        ),
        (
            "id and secret, read together",
            |case| case.keys = Keys::new("AK", "IDsecret", None),
            |case| case.keys = Keys::new("AKID", "secret", None),
        ),
        (
            "secret and token, read together",
            |case| case.keys = Keys::new("AK", "secret", Some("token")),
            |case| case.keys = Keys::new("AK", "secrett", Some("oken")),
        ),
        (
            "region and service, read together",
            |case| (case.region, case.service) = ("us-east-1".into(), "bedrock".into()),
            |case| (case.region, case.service) = ("us-east-1b".into(), "edrock".into()),
        ),
        (
            "day",
            |_| {},
            |case| case.time += Duration::from_secs(86_400),
        ),
        ("second", |_| {}, |case| case.time += Duration::from_secs(1)),
        (
            "minute",
            |_| {},
            |case| case.time += Duration::from_secs(60),
        ),
        (
            "year",
            |_| {},
            |case| case.time += Duration::from_secs(365 * 86_400),
        ),
        (
            "2^32 seconds",
            |_| {},
            |case| case.time += Duration::from_secs(1 << 32),
        ),
        (
            "before 1970",
            |case| case.time = at(100),
            |case| case.time = at(-100),
        ),
        ("body", |_| {}, |case| case.body.push(b' ')),
        (
            "method",
            |_| {},
            |case| case.method = "PUT".parse().unwrap(),
        ),
        (
            "case of the method",
            |_| {},
            |case| case.method = "post".parse().unwrap(),
        ),
        (
            "path",
            |_| {},
            |case| case.uri = URL.replace("m%3A0", "n%3A0").parse().unwrap(),
        ),
        (
            "case of an escape",
            |_| {},
            |case| case.uri = URL.replace("%3A", "%3a").parse().unwrap(),
        ),
        (
            "no escape",
            |_| {},
            |case| case.uri = URL.replace("%3A", ":").parse().unwrap(),
        ),
        (
            "host",
            |_| {},
            |case| case.uri = URL.replace("east", "west").parse().unwrap(),
        ),
        (
            "port",
            |_| {},
            |case| case.uri = URL.replace(".com", ".com:80").parse().unwrap(),
        ),
        (
            "scheme",
            |case| case.uri = URL.replace(".com", ".com:80").parse().unwrap(),
            |case| {
                case.uri = URL
                    .replace("https", "http")
                    .replace(".com", ".com:80")
                    .parse()
                    .unwrap();
            },
        ),
        (
            "query",
            |_| {},
            |case| case.uri = format!("{URL}?a=1").parse().unwrap(),
        ),
        (
            "empty query",
            |_| {},
            |case| case.uri = format!("{URL}?").parse().unwrap(),
        ),
        ("a header", |_| {}, |case| header(case, "x-amz-a", "1")),
        (
            "its value",
            |case| header(case, "x-amz-a", "1"),
            |case| header(case, "x-amz-a", "2"),
        ),
        (
            "its name",
            |case| header(case, "x-amz-a", "1"),
            |case| header(case, "x-amz-b", "1"),
        ),
        (
            "its spaces",
            |case| header(case, "x-amz-a", "1 2"),
            |case| header(case, "x-amz-a", " 1  2 "),
        ),
        (
            "its tabs",
            |case| header(case, "x-amz-a", "1 2"),
            |case| header(case, "x-amz-a", "1\t2"),
        ),
        (
            "one value or two",
            |case| header(case, "x-amz-a", "1,2"),
            |case| {
                header(case, "x-amz-a", "1");
                header(case, "x-amz-a", "2");
            },
        ),
        (
            "values of two headers",
            |case| {
                header(case, "x-amz-a", "12");
                header(case, "x-amz-b", "3");
            },
            |case| {
                header(case, "x-amz-a", "1");
                header(case, "x-amz-b", "23");
            },
        ),
        (
            "values changed about",
            |case| {
                header(case, "x-amz-a", "1");
                header(case, "x-amz-b", "2");
            },
            |case| {
                header(case, "x-amz-a", "2");
                header(case, "x-amz-b", "1");
            },
        ),
        (
            "order of two values",
            |case| {
                header(case, "x-amz-a", "1");
                header(case, "x-amz-a", "2");
            },
            |case| {
                header(case, "x-amz-a", "2");
                header(case, "x-amz-a", "1");
            },
        ),
        (
            "what is not signed",
            |_| {},
            |case| header(case, "traceparent", "00-1"),
        ),
        (
            "the client's date",
            |_| {},
            |case| header(case, "x-amz-date", "20200101T000000Z"),
        ),
        (
            "the client's host",
            |_| {},
            |case| header(case, "host", "another.example"),
        ),
    ];
    for (what, one, other) in changes {
        for host in [true, false] {
            let mut cases = [Case::post(URL), Case::post(URL)];
            one(&mut cases[0]);
            other(&mut cases[1]);
            if host {
                cases = cases.map(hosted);
            }
            by_turns(what, &cases);
        }
    }
}

fn by_turns(what: &str, cases: &[Case]) {
    let signer = Signer::new();
    for round in 0..4 {
        for (index, case) in cases.iter().enumerate() {
            // Several times in a row too, since some things are kept from the second time on.
            for _ in 0..1 + round % 3 {
                if let Err(difference) = compare(&signer, case) {
                    panic!("{what}, number {index}, round {round}: {difference}");
                }
            }
        }
    }
}

/// With a `Host` header.
fn hosted(case: Case) -> Case {
    if case.headers.contains_key(HOST) {
        return case;
    }
    let host = host_of(&case.uri).unwrap();
    case.with_host(&host)
}

fn header(case: &mut Case, name: &'static str, value: &'static str) {
    case.headers.append(name, HeaderValue::from_static(value));
}

/// Credentials are dropped and others come to lie at the same address, with the same id; so do
/// values of headers.
#[test]
fn an_address_is_no_identity() {
    let signer = Signer::new();
    let mut dice = Dice::seeded(1);
    for round in 0..1500 {
        let mut case = hosted(Case::post(URL));
        case.keys = Keys::new("AKIDEXAMPLE", &dice.text(b"abcdefgh", 40), None);
        let value = dice.text(b"abcdefgh", 40);
        case.headers.insert("x-amz-a", value.parse().unwrap());
        for _ in 0..1 + round % 3 {
            signed_alike(&signer, &case);
        }
    }
}

/// Two tenants with one access key id, and secrets that rotate, on a route that everyone takes.
#[test]
fn one_id_two_tenants() {
    let signer = Signer::new();
    let mut dice = Dice::seeded(2);
    let key = |dice: &mut Dice| Keys::new("AKIDEXAMPLE", &dice.text(b"ABCDabcd", 40), None);
    let mut tenants = [key(&mut dice), key(&mut dice)];
    for _ in 0..2000 {
        let tenant = dice.below(2);
        if dice.chance(10) {
            tenants[tenant] = key(&mut dice);
        }
        let mut case = hosted(Case::post(URL));
        case.keys = tenants[tenant].clone();
        signed_alike(&signer, &case);
    }
}

/// One thread is past midnight, the other is not, over and over.
#[test]
fn midnight_in_two_threads() {
    let signer = Signer::new();
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        for seconds in [1_767_311_999, 1_767_312_000] {
            let (signer, barrier) = (&signer, &barrier);
            scope.spawn(move || {
                let mut case = hosted(Case::post(URL));
                for round in 0..1000 {
                    if round % 50 == 0 {
                        barrier.wait();
                    }
                    // Now and then it is the other side's turn to be there.
                    case.time = at(seconds + if round % 7 == 0 { 1 } else { 0 }
                        - if round % 11 == 0 { 1 } else { 0 });
                    signed_alike(signer, &case);
                }
            });
        }
    });
}

thread_local! {
    static CLOCK: Cell<i64> = const { Cell::new(0) };
}

/// Each thread has its own.
fn clock() -> SystemTime {
    at(CLOCK.get())
}

/// A provider that rotates its secret under one id, asked from several threads through one layer.
#[test]
fn a_stale_secret_never_signs() {
    let asked = Arc::new(AtomicU64::new(0));
    let provider = Provider({
        let asked = Arc::clone(&asked);
        move || {
            // Everyone gets the new secret from some moment on, and those in between the old.
            let version = asked.fetch_add(1, Ordering::Relaxed) / 7;
            let token = (version.is_multiple_of(3)).then(|| format!("token-{version}"));
            Keys::new("ASIAEXAMPLE", &format!("{version:040}"), token.as_deref())
        }
    });
    let layer = SigV4SigningLayer::new(provider).with_clock(clock);
    thread::scope(|scope| {
        for thread in 0..4 {
            let layer = layer.clone();
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build()
                    .unwrap();
                let mut dice = Dice::seeded(thread);
                CLOCK.set(1_767_311_990 + i64::try_from(thread).unwrap());
                for _ in 0..600 {
                    CLOCK.set(CLOCK.get() + [0, 0, 0, 1, -1][dice.below(5)]);
                    let url = if dice.chance(50) {
                        URL
                    } else {
                        "https://bedrock-mantle.eu-west-1.api.aws/openai/v1/models"
                    };
                    let mut request = Request::post(url).header("content-type", "application/json");
                    if dice.chance(30) {
                        request = request.header("x-amz-later", "1");
                    }
                    let request = request.body(Full::new(Bytes::from("{}"))).unwrap();
                    let scope = if url == URL {
                        ("us-east-1", "bedrock")
                    } else {
                        ("eu-west-1", "bedrock-mantle")
                    };
                    match runtime.block_on(send(&layer, scope, request)) {
                        Outcome::Arrived(body) => assert_eq!(body, "{}"),
                        Outcome::Refused(response) => panic!("{response:?}"),
                    }
                }
            });
        }
    });
    assert_eq!(asked.load(Ordering::Relaxed), 2400);
}
