//! Requests: what is usual, and what is hard to canonicalise.

use http::{HeaderMap, HeaderValue, Method, Uri};

use super::dice::Dice;
use super::headers::headers;

pub const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// Everything that a signature is made of, but time, keys and body.
#[derive(Debug, Clone)]
pub struct Route {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub region: String,
    pub service: String,
    /// Whose keys of the ring.
    pub tenant: usize,
    /// Which of the rules that say what is signed.
    pub rule: usize,
}

impl Route {
    pub fn new(dice: &mut Dice, tenants: usize, rules: usize) -> Self {
        let (uri, host) = target(dice);
        Self {
            method: method(dice),
            uri,
            headers: headers(dice, host),
            region: region(dice),
            service: service(dice),
            tenant: dice.below(tenants),
            rule: if dice.chance(60) {
                0
            } else {
                dice.below(rules)
            },
        }
    }

    /// The same in other memory.
    pub fn deep_copy(&self) -> Self {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| {
                let copy = HeaderValue::from_bytes(value.as_bytes()).expect("it was one");
                (name.clone(), copy)
            })
            .collect();
        Self {
            uri: self.uri.to_string().parse().expect("it was one"),
            method: Method::from_bytes(self.method.as_str().as_bytes()).expect("it was one"),
            headers,
            ..self.clone()
        }
    }
}

pub fn method(dice: &mut Dice) -> Method {
    let name = match dice.below(10) {
        0..6 => "POST",
        6 => "GET",
        7 => dice.pick(&[
            "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT",
        ]),
        8 => "post", // methods are case-sensitive
        _ => dice.pick(&[
            "M",
            "PURGE",
            "M-SEARCH",
            "!#$%&'*+-.^_`|~",
            "A-METHOD-OF-MORE-THAN-FIFTEEN-BYTES",
        ]),
    };
    Method::from_bytes(name.as_bytes()).expect("it is a token")
}

pub fn region(dice: &mut Dice) -> String {
    match dice.below(10) {
        0..6 => "us-east-1".to_owned(),
        6 | 7 => {
            (*dice.pick(&["eu-central-1", "us-gov-west-1", "cn-north-1", "us-east-2"])).to_owned()
        }
        _ => {
            let length = 1 + dice.below(60);
            dice.text(LETTERS, length)
        }
    }
}

pub fn service(dice: &mut Dice) -> String {
    match dice.below(10) {
        0..7 => "bedrock".to_owned(),
        7 => "bedrock-mantle".to_owned(),
        _ => {
            let length = 1 + dice.below(60);
            dice.text(LETTERS, length)
        }
    }
}

/// A URI, and the `Host` that goes with it; without one the URI's own authority counts, which is
/// in normal form then.
fn target(dice: &mut Dice) -> (Uri, Option<HeaderValue>) {
    for _ in 0..20 {
        let path_and_query = format!("{}{}", path(dice), query(dice));
        let host = dice.pick(&[
            "bedrock-runtime.us-east-1.amazonaws.com",
            "bedrock-runtime.us-east-1.amazonaws.com",
            "bedrock-mantle.eu-west-1.api.aws",
            "localhost",
            "a",
            "127.0.0.1",
            "[::1]",
            "[2001:db8::8:800:200c:417a]",
        ]);
        let scheme = dice.pick(&["https", "https", "http"]);
        let (uri, host) = match dice.below(10) {
            // No Host header.
            0..2 => {
                let port = dice.pick(&["", "", "", ":443", ":80", ":8443", ":1"]);
                (format!("{scheme}://{host}{port}{path_and_query}"), None)
            }
            2..6 => {
                let port = dice.pick(&["", "", ":443", ":80", ":8443"]);
                let user = dice.pick(&["", "", "", "user@", "user:pass@"]);
                let named = host_header(dice, host);
                (
                    format!("{scheme}://{user}{host}{port}{path_and_query}"),
                    Some(named),
                )
            }
            // Origin form, as a server gets it.
            _ => (path_and_query, Some(host_header(dice, host))),
        };
        if let Ok(uri) = uri.parse() {
            return (uri, host.map(|host| host.parse().expect("it is printable")));
        }
    }
    (Uri::from_static("https://localhost/"), None)
}

fn host_header(dice: &mut Dice, host: &str) -> String {
    let port = dice.pick(&["", "", "", ":443", ":80", ":8443"]);
    match dice.below(8) {
        0 => format!("{}{port}", host.to_ascii_uppercase()),
        1 => format!("{host}.{port}"),
        2 => format!(" {host}{port} "),
        3 => "another.example".to_owned(),
        _ => format!("{host}{port}"),
    }
}

pub fn path(dice: &mut Dice) -> String {
    const PIECES: &[&str] = &[
        ".",
        "..",
        "",
        "",
        "a",
        "%2F",
        "%2f",
        "%3A",
        "%3a",
        ":",
        "a:0",
        "%E1%88%B4",
        "%e1%88%b4",
        "%20",
        "%25",
        "%2525",
        "%",
        "%zz",
        "%4",
        "@",
        "!$&'()*+,;=",
        "~-._",
        "...",
        ".a",
        "a.",
        "..a",
        "\u{e9}",
        "\u{1234}",
        "\"",
        "{}",
        "|",
        "^",
        "[]",
        "arn%3Aaws%3Abedrock%3Aus-east-1",
    ];
    match dice.below(20) {
        0..9 => {
            let model = dice.pick(&[
                "us.anthropic.claude-haiku-4-5-20251001-v1%3A0",
                "us.anthropic.claude-haiku-4-5-20251001-v1:0",
                "anthropic.claude-3-haiku-20240307-v1%3A0",
                "amazon.nova-lite-v1%3a0",
                "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.m-v1%3A0",
            ]);
            let operation = dice.pick(&["converse", "invoke", "converse-stream", "count-tokens"]);
            format!("/model/{model}/{operation}")
        }
        9 => (*dice.pick(&[
            "", "/", "//", "/.", "/..", "/./", "/../", "/a/.", "/a/..", "/a/b/../",
        ]))
        .to_owned(),
        10 => {
            let length = 7 * 1024 - dice.below(64);
            format!("/{}", dice.text(b"abc%25.:/~", length))
        }
        11 => {
            let length = dice.below(130);
            format!("/model/{}", dice.text(LETTERS, length))
        }
        _ => {
            let mut path = String::new();
            for _ in 0..1 + dice.below(7) {
                path.push('/');
                for _ in 0..1 + dice.below(2) {
                    path.push_str(dice.pick(PIECES));
                }
            }
            if dice.chance(30) {
                path.push_str(dice.pick(&["/", "//", "/.", "/..", "."]));
            }
            path
        }
    }
}

pub fn query(dice: &mut Dice) -> String {
    const PIECES: &[&str] = &[
        "a",
        "b",
        "a=1",
        "a=2",
        "a=",
        "=",
        "=a",
        "&",
        "b=c+d",
        "b=c%20d",
        "%2b=%2B",
        "a=b=c",
        "k=/",
        "k=%2f",
        "A=~-._",
        "a=%e1%88%b4",
        "a=%ff",
        "a=%",
        "a=%4",
        "\u{e9}=1",
        "a=?",
        "a=:@!$'()*,;",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        "maxResults=10",
    ];
    match dice.below(10) {
        0..8 => String::new(),
        8 => (*dice.pick(&["?", "?a=1", "?b=2&a=1", "?a&a=&a=1"])).to_owned(),
        _ => {
            let pairs: Vec<&str> = (0..1 + dice.below(5)).map(|_| dice.pick(PIECES)).collect();
            format!("?{}", pairs.join("&"))
        }
    }
}
