//! What is hardly a request: signed as `aws-sigv4` signs it, or clearly refused.

use std::thread;
use std::time::{Duration, SystemTime};

use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tower_bedrock::credentials::Credentials;
use tower_bedrock::sign::{PayloadHash, PayloadHasher, Signer, SigningParams};

use crate::generate::Case;
use crate::generate::clock::{YEAR_1, at};
use crate::generate::keys::Keys;
use crate::reference::{Verdict, compare, host_of, ours};

const URL: &str = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m%3A0/converse";

/// A signer answers alike whatever it has cached.
#[track_caller]
pub(crate) fn check(what: &str, case: &Case, wanted: Verdict) {
    let signer = Signer::new();
    if let (None, Some(host)) = (case.headers.get(HOST), host_of(&case.uri)) {
        // And the same with a Host header, which may take another way.
        check(what, &case.clone().with_host(&host), wanted);
    }
    for round in 0..4 {
        match compare(&signer, case) {
            Ok(verdict) => assert_eq!(verdict, wanted, "{what}, round {round}: {case:?}"),
            Err(difference) => panic!("{what}, round {round}: {difference}"),
        }
    }
    if let Err(error) = ours(&signer, case) {
        assert!(error.len() > 10, "{what}: {error}");
    }
    // And it still signs the next request.
    match compare(&signer, &Case::post(URL)) {
        Ok(verdict) => assert_eq!(verdict, Verdict::Signed, "{what}"),
        Err(difference) => panic!("after {what}: {difference}"),
    }
}

/// Value of a signed header, whether it can be signed.
const VALUES: &[(&[u8], Verdict)] = &[
    (b"", Verdict::Signed),
    (b" ", Verdict::Signed),
    (b"          ", Verdict::Signed),
    (b"\t", Verdict::Signed),
    (b"\t\t", Verdict::Signed),
    (b" \t ", Verdict::Signed),
    (b"a\tb", Verdict::Signed),
    (b"a  \t  b", Verdict::Signed),
    (b"  a    b      c  ", Verdict::Signed),
    (b"a      ", Verdict::Signed),
    (b"\"a  b\"", Verdict::Signed),
    (b"a,b;c=d:e\\", Verdict::Signed),
    (b"~}|{", Verdict::Signed),
    (b"\x80", Verdict::Refused),
    (b"\xff", Verdict::Refused),
    (b"caf\xe9", Verdict::Refused),
    ("caf\u{e9}".as_bytes(), Verdict::Refused),
    ("\u{1f980}".as_bytes(), Verdict::Refused),
    (b"a b \xa0", Verdict::Refused),
    (b"0123456789abcdef0123456789abcdef\xe9", Verdict::Refused),
];

#[test]
fn values_of_signed_headers() {
    for (value, verdict) in VALUES {
        let value = HeaderValue::from_bytes(value).unwrap();
        for name in ["x-amz-foo", "content-type", "host"] {
            let mut case = Case::post(URL);
            case.headers.insert(name, value.clone());
            check(name, &case, *verdict);
            case.headers
                .append(name, HeaderValue::from_static("and another"));
            check(name, &case, *verdict);
        }
        // What is not signed may hold anything.
        let mut case = Case::post(URL);
        case.headers.insert("x-mine", value);
        check("x-mine", &case, Verdict::Signed);
    }
    for value in [&b"\0"[..], b"\n", b"\r", b"\x7f", b"\x1f", b"a\r\nb"] {
        assert!(
            HeaderValue::from_bytes(value).is_err(),
            "the http types let no {value:?} pass"
        );
    }
}

/// What the signature replaces was never meant to be signed: whatever it held is gone.
#[test]
fn values_of_replaced_headers() {
    for (value, verdict) in VALUES {
        for name in ["x-amz-date", "x-amz-security-token", "authorization"] {
            let mut case = Case::post(URL);
            let value = HeaderValue::from_bytes(value).unwrap();
            case.headers.insert(name, value.clone());
            case.headers.append(name, value);
            let signer = Signer::new();
            for _ in 0..3 {
                match ours(&signer, &case) {
                    Ok(headers) => {
                        assert_eq!(Ok(headers), ours(&signer, &Case::post(URL)), "{name}");
                    }
                    Err(error) => assert_eq!(*verdict, Verdict::Refused, "{name}: {error}"),
                }
            }
        }
    }
}

#[test]
fn many_headers_and_long_ones() {
    for count in [19, 20, 21, 64, 200, 1000] {
        let mut case = Case::post(URL);
        for number in 0..count {
            let name: HeaderName = format!("x-amz-{number}").parse().unwrap();
            case.headers.insert(name, number.into());
        }
        check("many headers", &case, Verdict::Signed);
        let mut case = Case::post(URL);
        for number in 0..count {
            case.headers.append("x-amz-foo", number.into());
        }
        check("many values", &case, Verdict::Signed);
    }
    for length in [1023, 1024, 4095, 8192, 64 * 1024, 1 << 20] {
        let long = "a  b ".repeat(length / 5 + 1);
        let mut case = Case::post(URL);
        case.headers
            .insert("x-amz-foo", long[..length].parse().unwrap());
        check("a long header", &case, Verdict::Signed);
        let mut case = Case::post(URL);
        let name: HeaderName = format!("x-amz-{}", "a".repeat(length.min(32_000)))
            .parse()
            .unwrap();
        case.headers.insert(name, HeaderValue::from_static("1"));
        check("a long name", &case, Verdict::Signed);
        let mut case = Case::post(URL);
        case.keys = case.keys.with_token(Some(&"t".repeat(length)));
        check("a long token", &case, Verdict::Signed);
    }
    let mut case = Case::post(&format!("{URL}/{}", "%3A.".repeat(15_000)));
    check("a long path", &case, Verdict::Signed);
    case.uri = format!("{URL}?{}", "a=b&".repeat(15_000)).parse().unwrap();
    check("a long query", &case, Verdict::Signed);
    // What is too long for a URI once it is encoded.
    for piece in ["/", "a&", "%2f+"] {
        let query = piece.repeat(60_000 / piece.len());
        case.uri = format!("{URL}?{query}").parse().unwrap();
        check("a query that grows", &case, Verdict::Refused);
    }
}

#[test]
fn times() {
    const YEAR_10000: i64 = 253_402_300_800;
    let mut case = Case::post(URL);
    for (seconds, verdict) in [
        (-1, Verdict::Signed),
        (-86_401, Verdict::Signed),
        (YEAR_1, Verdict::Signed),
        (0, Verdict::Signed),
        (951_782_400, Verdict::Signed),   // 2000-02-29
        (4_107_542_400, Verdict::Signed), // 2100-03-01
        (1 << 32, Verdict::Signed),
        (YEAR_10000 - 1, Verdict::Signed),
        (YEAR_10000, Verdict::Refused),
        (YEAR_10000 + 1, Verdict::Refused),
        (1 << 50, Verdict::Refused),
        (i64::MAX, Verdict::Refused),
    ] {
        case.time = at(seconds);
        check(&format!("{seconds} s"), &case, verdict);
    }
    case.time = SystemTime::UNIX_EPOCH - Duration::from_nanos(1);
    check("just before 1970", &case, Verdict::Signed);
    for seconds in [YEAR_1 - 1, -62_167_219_201, -(1 << 50), i64::MIN + 1] {
        case.time = at(seconds);
        check(&format!("{seconds} s"), &case, Verdict::Refused);
    }
}

#[test]
fn the_clock_of_another_thread() {
    let signer = Signer::new();
    let case = |seconds| Case {
        time: at(seconds),
        ..Case::post(URL)
    };
    let sign = |seconds| match compare(&signer, &case(seconds)) {
        Ok(verdict) => assert_eq!(verdict, Verdict::Signed),
        Err(difference) => panic!("{difference}"),
    };
    const MIDNIGHT: i64 = 1_767_312_000;
    (0..3).for_each(|_| sign(MIDNIGHT));
    thread::scope(|scope| _ = scope.spawn(|| (0..3).for_each(|_| sign(MIDNIGHT - 1))));
    (0..3).for_each(|_| sign(MIDNIGHT));
    thread::scope(|scope| {
        scope.spawn(|| assert!(ours(&signer, &case(i64::MAX)).is_err()));
    });
    (0..3).for_each(|_| sign(MIDNIGHT));
}

#[test]
fn credentials() {
    let long = "t".repeat(8192);
    for (id, secret, token, good) in [
        ("AKID", "secret", None, true),
        ("AKID", "secret", Some(&*long), true),
        ("AKID", &*long, Some("t"), true),
        ("", "secret", None, false),
        ("AKID", "", None, false),
        ("AKID", "secret", Some(""), false),
        ("AKID\n", "secret", None, false),
        ("AKID", "secret\n", None, false),
        ("AKID", "secret", Some("token\n"), false),
        ("AK ID", "secret", None, false),
        ("AKID", "sec ret", None, false),
        ("AKID", "secret", Some("to ken"), false),
        ("AKID", "secret\0", None, false),
        ("AKID", "s\u{e9}cret", None, false),
        ("AKID/x", "secret", None, false),
        ("AKID,", "secret", None, false),
        (&*long, "secret", None, false),
    ] {
        let credentials = match token {
            Some(token) => Credentials::with_session_token(id, secret, token),
            None => Credentials::new(id, secret),
        };
        assert_eq!(
            credentials.is_ok(),
            good,
            "{id:.9} {secret:.9?} {token:.9?}"
        );
        if good {
            let keys = Keys::new(id, secret, token);
            check(
                "credentials",
                &Case {
                    keys,
                    ..Case::post(URL)
                },
                Verdict::Signed,
            );
        }
    }
    // An API key signs nothing, and leaves no key pair's proof behind.
    let key = Credentials::api_key("key").unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(
        "authorization",
        HeaderValue::from_static("AWS4-HMAC-SHA256 old"),
    );
    let params = SigningParams::new(&key, "us-east-1", at(0));
    let payload = PayloadHash::of(b"");
    Signer::new()
        .sign(
            &Method::POST,
            &Uri::from_static(URL),
            &mut headers,
            &payload,
            &params,
        )
        .unwrap();
    assert_eq!(headers["authorization"], "Bearer key");
    assert!(headers["authorization"].is_sensitive());
}

/// Region and service are the program's own; what would end them in a credential scope is refused
/// or signed as it stands, but never panics.
#[test]
fn scopes() {
    for (region, service) in [
        ("", "bedrock"),
        ("us-east-1", ""),
        ("", ""),
        ("a", &*"s".repeat(5000)),
    ] {
        let (region, service) = (region.to_owned(), service.to_owned());
        check(
            "a scope",
            &Case {
                region,
                service,
                ..Case::post(URL)
            },
            Verdict::Signed,
        );
    }
    for odd in [
        "us east", "us/east", "us,east", "us\neast", "\u{e9}", "a\0b",
    ] {
        for (region, service) in [(odd, "bedrock"), ("us-east-1", odd)] {
            let (region, service) = (region.to_owned(), service.to_owned());
            let case = Case {
                region,
                service,
                ..Case::post(URL)
            };
            let signer = Signer::new();
            for _ in 0..3 {
                if ours(&signer, &case).is_ok() {
                    assert_eq!(compare(&signer, &case), Ok(Verdict::Signed), "{odd:?}");
                }
            }
        }
    }
}

#[test]
fn bodies_in_pieces() {
    let whole: Vec<u8> = (0..100_000_u32)
        .map(|number| number.to_le_bytes()[0])
        .collect();
    for length in [
        0, 1, 55, 56, 63, 64, 65, 119, 120, 127, 128, 129, 4096, 100_000,
    ] {
        for piece in [1, 3, 63, 64, 65, 127, 1000, 100_000] {
            let mut hasher = PayloadHasher::new();
            for piece in whole[..length].chunks(piece) {
                hasher.update(b"");
                hasher.update(piece);
            }
            hasher.update(b"");
            assert_eq!(
                hasher.finish(),
                PayloadHash::of(&whole[..length]),
                "{length} by {piece}"
            );
        }
    }
}
