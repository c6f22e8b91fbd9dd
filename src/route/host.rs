//! `Host`: its value for a URI, decided in one place, and what it may be in a request that arrives.

use http::{HeaderValue, Uri, uri::Scheme};
#[cfg(any(feature = "rewrite", feature = "compat"))]
use http::{Version, header::HOST, request::Parts};

#[cfg(any(feature = "rewrite", feature = "compat"))]
use super::{RouteConfig, config::bad_path};
#[cfg(any(feature = "rewrite", feature = "compat"))]
use crate::reject::Rejection;

/// The `Host` value with which a request to `uri` is sent and signed: lower case, without user
/// information, with the port only if it is not the scheme's default (RFC 9110 §7.2).
///
/// `None` if the URI has no authority.
pub(crate) fn host_value(uri: &Uri) -> Option<HeaderValue> {
    let authority = uri.authority()?;
    let host = authority.host();
    let port = authority
        .port_u16()
        .filter(|&port| Some(port) != default_port(uri.scheme()));
    let clean = authority.as_str().len() == host.len() + port.map_or(0, digits);
    if clean && !host.bytes().any(|b| b.is_ascii_uppercase()) {
        return HeaderValue::from_str(authority.as_str()).ok();
    }
    let mut value = host.to_ascii_lowercase();
    if let Some(port) = port {
        value.push(':');
        value.push_str(&port.to_string());
    }
    HeaderValue::try_from(value).ok()
}

fn default_port(scheme: Option<&Scheme>) -> Option<u16> {
    match scheme.map(Scheme::as_str) {
        Some("http") => Some(80),
        Some("https") => Some(443),
        _ => None,
    }
}

/// Length of `:port`.
fn digits(port: u16) -> usize {
    1 + port.checked_ilog10().unwrap_or(0) as usize + 1
}

#[cfg(any(feature = "rewrite", feature = "compat"))]
impl RouteConfig {
    /// Refuses a request whose `Host` is there twice or is none (RFC 9112 §3.2).
    pub(crate) fn check_host(&self, head: &Parts) -> Result<(), Rejection> {
        let mut values = head.headers.get_all(HOST).iter();
        let problem = match (values.next(), values.next()) {
            (Some(_), Some(_)) => "the header host was sent twice: send it once",
            (Some(value), None) if !is_host(value.as_bytes()) => {
                "the header host holds no host: expected a name or an address, and a port after a colon if any"
            }
            (None, _) if self.needs_host() && head.version == Version::HTTP_11 => {
                "the header host is missing, without which there is no request in HTTP/1.1"
            }
            _ => return Ok(()),
        };
        Err(bad_path(problem.to_owned()))
    }
}

/// The bytes that a name may have. Every request comes by here.
#[cfg(any(feature = "rewrite", feature = "compat"))]
const IS_OF_NAME: [bool; 256] = {
    let mut all = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        all[byte] = (byte as u8).is_ascii_alphanumeric()
            || matches!(
                byte as u8,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b'%'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b','
                    | b';'
                    | b'='
            );
        byte += 1;
    }
    all
};

/// Whether this is `uri-host [ ":" port ]` (RFC 9110 §7.2), of which the host may be empty.
#[cfg(any(feature = "rewrite", feature = "compat"))]
fn is_host(value: &[u8]) -> bool {
    let is_of_name = |byte: &u8| IS_OF_NAME[usize::from(*byte)];
    let is_of_address = |byte: &u8| *byte == b':' || is_of_name(byte);
    let (is_good, port) = match value.strip_prefix(b"[") {
        Some(rest) => match rest.iter().position(|byte| *byte == b']') {
            Some(end) => {
                let (address, port) = rest.split_at(end);
                let is_good = !address.is_empty() && address.iter().all(is_of_address);
                (is_good, port.strip_prefix(b"]").unwrap_or_default())
            }
            None => return false,
        },
        None => {
            let end = value.iter().position(|byte| *byte == b':');
            let (name, port) = value.split_at(end.unwrap_or(value.len()));
            (name.iter().all(is_of_name), port)
        }
    };
    let is_port = |port: &[u8]| port.iter().all(u8::is_ascii_digit);
    is_good && (port.is_empty() || port.strip_prefix(b":").is_some_and(is_port))
}

#[cfg(test)]
mod tests {
    use super::host_value;

    #[cfg(any(feature = "rewrite", feature = "compat"))]
    #[test]
    fn what_may_be_a_host() {
        for good in [
            "",
            "gateway",
            "Gateway.Example:8787",
            "gateway:",
            "127.0.0.1:80",
            "[::1]",
            "[::1]:443",
            "under_score.example",
            "%C3%A4.example",
        ] {
            assert!(super::is_host(good.as_bytes()), "{good}");
        }
        for bad in [
            "a b",
            "a, b",
            "a/b",
            "a?b",
            "a#b",
            "user@a",
            "a:b",
            "a:80:80",
            "::1",
            "[::1",
            "[]",
            "[::1]x",
            "[::1]:x",
            "http://a",
            "\u{e4}.example",
            "a\\b",
        ] {
            assert!(!super::is_host(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn host_is_normalised_once_for_all() {
        for (uri, host) in [
            ("https://bedrock.example/x", "bedrock.example"),
            ("https://Bedrock.Example:443/x", "bedrock.example"),
            ("http://bedrock.example:443/x", "bedrock.example:443"),
            ("http://bedrock.example:80", "bedrock.example"),
            ("http://127.0.0.1:8787/", "127.0.0.1:8787"),
            ("http://user:pw@h.example:81/", "h.example:81"),
            ("https://[::1]:8443/", "[::1]:8443"),
            ("https://[::1]:443/", "[::1]"),
        ] {
            assert_eq!(host_value(&uri.parse().unwrap()).unwrap(), host, "{uri}");
        }
        assert!(host_value(&"/model/x".parse().unwrap()).is_none());
    }
}
