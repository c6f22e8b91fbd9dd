//! Targets of all forms, and the host that goes with them.

use http::{HeaderValue, Method};
use tower_bedrock::sign::Signer;

use crate::bad_input::check;
use crate::generate::Case;
use crate::reference::{Verdict, ours};

/// URI, `Host` header, the `Host` after signing; none where it is refused.
const TARGETS: &[(&str, Option<&str>, Option<&str>)] = &[
    ("https://a.example", None, Some("a.example")),
    ("https://a.example/", None, Some("a.example")),
    ("https://a.example?", None, Some("a.example")),
    ("https://a.example?a=1", None, Some("a.example")),
    ("https://A.Example/", None, Some("a.example")),
    ("https://a.example:443/", None, Some("a.example")),
    ("https://A.EXAMPLE:443/", None, Some("a.example")),
    ("https://a.example:0443/", None, Some("a.example")),
    ("https://a.example:80/", None, Some("a.example:80")),
    ("http://a.example:80/", None, Some("a.example")),
    ("http://a.example:443/", None, Some("a.example:443")),
    ("https://user@a.example/", None, Some("a.example")),
    (
        "https://user:pass@A.example:8443/",
        None,
        Some("a.example:8443"),
    ),
    ("https://a.example./", None, Some("a.example.")),
    ("https://[::1]/", None, Some("[::1]")),
    ("https://[::1]:443/", None, Some("[::1]")),
    (
        "https://[2001:DB8::1]:8443/",
        None,
        Some("[2001:db8::1]:8443"),
    ),
    ("ftp://a.example:21/", None, Some("a.example:21")),
    ("https://a.example/", Some("b.example"), Some("b.example")),
    (
        "https://a.example/",
        Some("B.Example:443"),
        Some("B.Example:443"),
    ),
    ("https://a.example/", Some(""), Some("")),
    ("/a", Some("a.example"), Some("a.example")),
    ("//a", Some("a.example"), Some("a.example")),
    ("///", Some("a.example"), Some("a.example")),
    ("/a", None, None),
    ("*", Some("a.example"), Some("a.example")),
    ("*", None, None),
    ("/?", Some("a.example"), Some("a.example")),
    ("/%", Some("a.example"), Some("a.example")),
    ("/%0", Some("a.example"), Some("a.example")),
    ("/%00?%00", Some("a.example"), Some("a.example")),
    ("/\u{e9}?\u{e9}=%ff", Some("a.example"), Some("a.example")),
];

#[test]
fn targets() {
    for &(uri, host, wanted) in TARGETS {
        let mut case = Case::post("https://localhost/");
        case.uri = uri.parse().unwrap();
        if let Some(host) = host {
            case.headers.insert("host", HeaderValue::from_static(host));
        }
        let signer = Signer::new();
        let Some(wanted) = wanted else {
            let error = ours(&signer, &case).unwrap_err();
            assert!(error.contains("host"), "{uri}: {error}");
            continue;
        };
        // `aws-sigv4` is given the host that we must have found.
        let mut named = case.clone();
        named
            .headers
            .insert("host", HeaderValue::from_static(wanted));
        check(uri, &named, Verdict::Signed);
        for _ in 0..3 {
            assert_eq!(ours(&signer, &case), ours(&signer, &named), "{uri}");
        }
    }
    // `aws-sigv4` panics on a target that is a bare authority, so there is nothing to compare.
    let mut case = Case::post("https://localhost/");
    (case.method, case.uri) = (Method::CONNECT, "a.example:443".parse().unwrap());
    let _ = ours(&Signer::new(), &case);
}
