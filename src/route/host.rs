//! The value of `Host` for a URI, decided in one place.

use http::{HeaderValue, Uri, uri::Scheme};

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

#[cfg(test)]
mod tests {
    use super::host_value;

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
