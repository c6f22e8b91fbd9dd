use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::SystemTime;

use http::header::{DATE, HeaderMap};
use http::{HeaderValue, Uri};

use super::{Dated, HOSTS, Skew, date, is_of_time, seconds, shifted};

/// Tue, 06 Jan 2026 12:00:00 GMT.
const NOON: i64 = 1_767_700_800;
const HOUR: i64 = 3600;
const TIME: &str = "InvalidSignatureException";

fn at(time: i64) -> SystemTime {
    shifted(SystemTime::UNIX_EPOCH, time)
}

fn noon() -> SystemTime {
    at(NOON)
}

fn headers(dates: &[&str]) -> HeaderMap {
    let values = dates
        .iter()
        .map(|date| (DATE, HeaderValue::from_bytes(date.as_bytes()).unwrap()));
    values.collect()
}

fn http_date(time: i64) -> HeaderMap {
    let format = aws_smithy_types::date_time::Format::HttpDate;
    let text = aws_smithy_types::DateTime::from_secs(time).fmt(format);
    headers(&[&text.unwrap()])
}

fn uri(host: &str) -> Uri {
    format!("https://{host}/model/m/converse").parse().unwrap()
}

/// Signs for `host` at `clock`'s time.
fn signed(skew: &Skew, clock: fn() -> SystemTime, host: &str) -> Dated {
    let uri = uri(host);
    let time = skew.corrected(clock(), uri.authority().unwrap());
    let mut dated = Dated::never();
    dated.set(&uri, time);
    dated
}

/// Signs for `host` at `clock`'s time, and hears AWS's refusal with the date `aws`.
fn refused(skew: &Skew, clock: fn() -> SystemTime, host: &str, aws: i64) -> bool {
    signed(skew, clock, host).learn(clock, skew, TIME, &http_date(aws))
}

#[test]
fn dates() {
    for (values, time) in [
        (&["Tue, 06 Jan 2026 12:00:00 GMT"][..], Some(NOON)),
        (&["Tue, 06 Jan 2026 12:00:00.250 GMT"], Some(NOON)),
        (&["Thu, 01 Jan 1970 00:00:00 GMT"], Some(0)),
        (&["Wed, 31 Dec 1969 23:59:59 GMT"], Some(-1)),
        (&["Tuesday, 06-Jan-26 12:00:00 GMT"], None),
        (&["Tue Jan  6 12:00:00 2026"], None),
        (&["Tue, 06 Jan 2026 12:00:00 CET"], None),
        (&["Tue, 06 Jan 2026 12:00:00"], None),
        (&["Tue, 31 Feb 2026 12:00:00 GMT"], None),
        (&["Tue, 06 Jan 2026 24:00:00 GMT"], None),
        (&["2026-01-06T12:00:00Z"], None),
        (&["1767700800"], None),
        (&[""], None),
        (&["Tue, 06 Jan 2026 12:00:0\u{e9} GMT"], None),
        (&[], None),
        (&["Tue, 06 Jan 2026 12:00:00 GMT"; 2], None),
    ] {
        assert_eq!(date(&headers(values)), time, "{values:?}");
    }
}

/// Every byte of a good date is replaced by every other one, left out, and doubled.
#[test]
fn no_date_panics() {
    let good = b"Tue, 06 Jan 2026 12:00:00.250 GMT";
    for at in 0..good.len() {
        for byte in 0..=255 {
            for keep in [&[][..], &[byte], &[byte, byte]] {
                let text = [&good[..at], keep, &good[at + 1..]].concat();
                if let Ok(value) = HeaderValue::from_bytes(&text) {
                    let _ = date(&HeaderMap::from_iter([(DATE, value)]));
                }
            }
        }
    }
}

#[test]
fn only_answers_about_the_time_teach() {
    for (kind, of_time) in [
        ("RequestTimeTooSkewed", true),
        ("RequestTimeTooSkewedException", true),
        ("InvalidSignatureException", true),
        ("RequestExpired", true),
        ("SignatureDoesNotMatch", false),
        ("IncompleteSignatureException", false),
        ("ExpiredTokenException", false),
        ("UnrecognizedClientException", false),
        ("AccessDeniedException", false),
        ("", false),
    ] {
        assert_eq!(is_of_time(kind), of_time, "{kind}");
        let skew = Skew::default();
        let learned = signed(&skew, noon, "h").learn(noon, &skew, kind, &http_date(NOON + HOUR));
        assert_eq!(learned, of_time, "{kind}");
        assert_eq!(skew.known("h"), if of_time { HOUR } else { 0 }, "{kind}");
    }
}

#[test]
fn bounds() {
    const DAY: i64 = 24 * HOUR;
    for (offset, believed) in [
        (0, false),
        (59, false),
        (60, true),
        (HOUR, true),
        (DAY, true),
        (DAY + 1, false),
        (30 * HOUR, false),
        (365 * DAY, false),
    ] {
        for offset in [offset, -offset] {
            let skew = Skew::default();
            let fresh = refused(&skew, noon, "h", NOON + offset);
            assert_eq!(fresh, believed, "{offset}");
            let kept = if believed { offset } else { 0 };
            assert_eq!(skew.known("h"), kept, "{offset}");
            let time = signed(&skew, noon, "h").time.unwrap();
            assert_eq!(seconds(time), NOON + kept, "{offset}");
        }
    }
    // However often it is told: the whole offset counts, not the step.
    let skew = Skew::default();
    assert!(refused(&skew, noon, "h", NOON + 20 * HOUR));
    assert!(!refused(&skew, noon, "h", NOON + 40 * HOUR));
    assert_eq!(skew.known("h"), 20 * HOUR);
}

#[test]
fn one_host_says_nothing_of_another() {
    let skew = Skew::default();
    assert!(refused(&skew, noon, "user@One.test:8443", NOON - HOUR));
    for (host, offset) in [
        ("one.test:8443", -HOUR),
        ("ONE.test:8443", -HOUR),
        ("one.test", 0),
        ("two.test:8443", 0),
        ("", 0),
    ] {
        assert_eq!(skew.known(host), offset, "{host}");
    }
}

#[test]
fn the_oldest_host_gives_way() {
    let skew = Skew::default();
    let learn = |n: usize, offset| skew.learn(&format!("h{n}"), offset);
    for n in 0..HOSTS {
        assert!(learn(n, HOUR));
    }
    // News of the first makes it the youngest.
    assert!(learn(0, 2 * HOUR));
    assert!(learn(HOSTS, HOUR));
    assert_eq!(skew.0.hosts.read().unwrap().len(), HOSTS);
    for (n, offset) in [(0, 2 * HOUR), (1, 0), (2, HOUR), (HOSTS, HOUR)] {
        assert_eq!(skew.known(&format!("h{n}")), offset, "h{n}");
    }
}

static CLOCK: AtomicI64 = AtomicI64::new(NOON);

fn clock() -> SystemTime {
    at(CLOCK.load(SeqCst))
}

#[test]
fn a_later_answer_corrects_and_clears() {
    let skew = Skew::default();
    assert!(skew.learn("h", HOUR));
    assert!(!skew.learn("h", HOUR + 59), "as good as known");
    assert!(skew.learn("h", HOUR + 60));
    assert_eq!(skew.known("h"), HOUR + 60);
    assert!(skew.learn("h", -HOUR));
    assert_eq!(skew.known("h"), -HOUR);
    assert!(skew.learn("h", 30));
    assert_eq!(skew.known("h"), 0);
    assert!(!skew.0.any.load(SeqCst), "nothing is left to look up");

    // Two requests are signed before the first is refused: both may go again.
    let sign = || signed(&skew, clock, "h");
    let (first, second) = (sign(), sign());
    assert!(first.learn(clock, &skew, TIME, &http_date(NOON + HOUR)));
    assert!(second.learn(clock, &skew, TIME, &http_date(NOON + HOUR)));
    // Dated right and yet refused: the key is wrong, and a third attempt of no use.
    assert!(!refused(&skew, clock, "h", NOON + HOUR));
    assert_eq!(skew.known("h"), HOUR);

    // Ten minutes on its way: that is too late, but says nothing of the clock.
    let slow = sign();
    CLOCK.store(NOON + 600, SeqCst);
    assert!(slow.learn(clock, &skew, TIME, &http_date(NOON + HOUR + 600)));
    assert_eq!(skew.known("h"), HOUR);
    // The machine slept with the answer at hand, and finds it an hour later.
    let overslept = sign();
    CLOCK.store(NOON + 600 + HOUR, SeqCst);
    assert!(!overslept.learn(clock, &skew, TIME, &http_date(NOON + HOUR + 600)));
    assert_eq!(skew.known("h"), HOUR);
}

#[test]
fn hosts_of_every_length() {
    for length in [1, 62, 63, 64, 200] {
        let host = "h".repeat(length);
        let skew = Skew::default();
        assert!(refused(&skew, noon, &host, NOON + HOUR), "{length}");
        assert_eq!(skew.known(&host), HOUR, "{length}");
    }
    let skew = Skew::default();
    assert!(refused(&skew, noon, "user@h", NOON + HOUR));
    assert_eq!(skew.known("h"), HOUR);
}

#[test]
fn nothing_is_learned_without_a_date_or_a_host() {
    let skew = Skew::default();
    let mut dated = Dated::never();
    assert!(!dated.learn(noon, &skew, TIME, &http_date(NOON + HOUR)));
    dated.set(&Uri::from_static("/no/host"), noon());
    assert!(!dated.learn(noon, &skew, TIME, &http_date(NOON + HOUR)));
}

#[test]
fn odd_clocks() {
    for time in [0, -1, 1, NOON, -NOON] {
        assert_eq!(seconds(at(time)), time);
    }
    let edge = shifted(SystemTime::UNIX_EPOCH, i64::MAX - 1);
    assert_eq!(seconds(shifted(edge, i64::MAX)), seconds(edge));
    for clock in [
        (|| shifted(SystemTime::UNIX_EPOCH, i64::MAX)) as fn() -> SystemTime,
        || shifted(SystemTime::UNIX_EPOCH, i64::MIN),
    ] {
        assert!(!refused(&Skew::default(), clock, "h", NOON));
    }
}
