//! What an error says in headers.

use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Retry;

const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// In milliseconds.
const AWS_RETRY_AFTER: HeaderName = HeaderName::from_static("x-amz-retry-after");

/// How long the upstream wants the caller to wait; a date is not read.
pub(super) fn wait(headers: &HeaderMap) -> Option<Duration> {
    let number = |name| headers.get(name)?.to_str().ok()?.trim().parse().ok();
    number(&AWS_RETRY_AFTER)
        .map(Duration::from_millis)
        .or_else(|| number(&RETRY_AFTER).map(Duration::from_secs))
}

/// Puts on an answer what goes with an error object.
pub(super) fn write(retry: Retry, headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    match retry {
        Retry::Unsaid => {}
        Retry::Never => {
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        Retry::After(wait) => {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, seconds.into());
            let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            headers.insert(RETRY_AFTER_MS, millis.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = [(&'static str, &'static str)];

    fn map(pairs: &Pairs) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        pairs.collect()
    }

    #[test]
    fn waits() {
        let table: [(&Pairs, Option<u64>); 7] = [
            (&[], None),
            (&[("retry-after", "3")], Some(3000)),
            (&[("x-amz-retry-after", "1500")], Some(1500)),
            (
                &[("retry-after", "3"), ("x-amz-retry-after", "1500")],
                Some(1500),
            ),
            (&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")], None),
            (&[("retry-after", "-1")], None),
            (
                &[("retry-after", "2"), ("x-amz-retry-after", "soon")],
                Some(2000),
            ),
        ];
        for (pairs, millis) in table {
            assert_eq!(wait(&map(pairs)), millis.map(Duration::from_millis));
        }
    }

    #[test]
    fn what_goes_with_an_error() {
        let json = ("content-type", "application/json");
        let table: [(Retry, &Pairs); 5] = [
            (Retry::Unsaid, &[json]),
            (Retry::Never, &[json, ("x-should-retry", "false")]),
            (
                Retry::After(Duration::from_millis(1500)),
                &[json, ("retry-after", "2"), ("retry-after-ms", "1500")],
            ),
            (
                Retry::After(Duration::from_secs(2)),
                &[json, ("retry-after", "2"), ("retry-after-ms", "2000")],
            ),
            (
                Retry::After(Duration::from_secs(u64::MAX)),
                &[
                    json,
                    ("retry-after", "18446744073709551615"),
                    ("retry-after-ms", "18446744073709551615"),
                ],
            ),
        ];
        for (retry, expected) in table {
            let mut headers = map(&[("content-type", "text/html"), ("content-type", "again")]);
            write(retry, &mut headers);
            assert_eq!(headers, map(expected));
        }
    }
}
