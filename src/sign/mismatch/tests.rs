use http::request::Parts;
use http::{HeaderValue, Request};
use proptest::prelude::*;

use super::signed::Signed;
use super::{computed, explain_mismatch};
use crate::sign::PayloadHash;

const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=00ff";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLETOKEN";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn head() -> Parts {
    let url = "https://bedrock.test/model/a%3A0/converse?b=2&a=%2f";
    let request = Request::post(url)
        .header("content-type", " application/json;  charset=utf-8")
        .header("host", "bedrock.test")
        .header("x-amz-date", "20260102T030405Z")
        .header("x-amz-security-token", TOKEN)
        .header("x-not-signed", "1")
        .header("authorization", AUTHORIZATION);
    request.body(()).unwrap().into_parts().0
}

/// AWS's text for `head()` if nothing was changed.
fn text() -> String {
    let request = format!(
        "POST\n/model/a%253A0/converse\na=%2F&b=2\ncontent-type:application/json; charset=utf-8\nhost:bedrock.test\nx-amz-date:20260102T030405Z\nx-amz-security-token:{TOKEN}\n\ncontent-type;host;x-amz-date;x-amz-security-token\n{EMPTY}"
    );
    let hash = Signed::of(&head(), &PayloadHash::of(b"")).unwrap().hash();
    format!(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for this request should have been\n'{request}'\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256\n20260102T030405Z\n20260102/us-east-1/bedrock/aws4_request\n{hash}'\n"
    )
}

fn explain(head: &Parts, aws: &str) -> String {
    explain_mismatch(head, &PayloadHash::of(b""), aws)
}

const WRONG_KEY: &str = "all lines agree: the secret access key is not that of this access key id, or not of this session";
const NO_TEXT: &str = "AWS's text holds no canonical request to compare with";
const NOT_SIGNED: &str =
    "the request carries no Authorization of AWS4-HMAC-SHA256 with Credential and SignedHeaders";

#[test]
fn every_line_has_its_name() {
    let long = format!("host:{}", "bedrock.test".repeat(20));
    for (ours, theirs, line) in [
        (
            "POST\n",
            "GET\n",
            r#"canonical request, line 1 (method): signed "POST", AWS computed "GET""#,
        ),
        (
            "a%253A0",
            "a%3A0",
            r#"canonical request, line 2 (path): signed "/model/a%253A0/converse", AWS computed "/model/a%3A0/converse""#,
        ),
        (
            "a=%2F&b=2",
            "",
            r#"canonical request, line 3 (query): signed "a=%2F&b=2", AWS computed """#,
        ),
        (
            "a=%2F",
            "a=%252F",
            r#"canonical request, line 3 (query): signed "a=%2F&b=2", AWS computed "a=%252F&b=2""#,
        ),
        (
            "; charset",
            ";charset",
            r#"canonical request, line 4 (header content-type): signed "application/json; charset=utf-8", AWS computed "application/json;charset=utf-8""#,
        ),
        (
            "host:bedrock.test",
            "host:gw.test",
            r#"canonical request, line 5 (header host): signed "bedrock.test", AWS computed "gw.test""#,
        ),
        (
            "host:bedrock.test",
            "host:",
            r#"canonical request, line 5 (header host): signed "bedrock.test", AWS computed """#,
        ),
        (
            "host:bedrock.test\n",
            "",
            r#"canonical request, line 5 (header host): signed "bedrock.test", AWS computed nothing"#,
        ),
        (
            "host:bedrock.test",
            &long,
            r#"canonical request, line 5 (header host): signed "bedrock.test", AWS computed "bedrock.testbedrock.testbedrock.testbedrock.testbedrock.testbedr…""#,
        ),
        (
            "405Z\nx",
            "406Z\nx",
            r#"canonical request, line 6 (header x-amz-date): signed "20260102T030405Z", AWS computed "20260102T030406Z""#,
        ),
        (
            "\n\ncontent",
            "\nx-more:1\n\ncontent",
            r#"canonical request, line 8 (header x-more): signed nothing, AWS computed "1""#,
        ),
        (
            TOKEN,
            "another",
            "canonical request, line 7 (header x-amz-security-token): differs",
        ),
        (
            TOKEN,
            "",
            r#"canonical request, line 7 (header x-amz-security-token): signed (not shown), AWS computed """#,
        ),
        (
            "date;x-amz",
            "date;x-more;x-amz",
            r#"canonical request, line 9 (signed headers): signed "content-type;host;x-amz-date;x-amz-security-token", AWS computed "content-type;host;x-amz-date;x-more;x-amz-security-token""#,
        ),
        (
            EMPTY,
            "UNSIGNED-PAYLOAD",
            r#"canonical request, line 10 (payload hash): signed "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", AWS computed "UNSIGNED-PAYLOAD""#,
        ),
        (
            "'AWS4-HMAC-SHA256",
            "'AWS4-ECDSA-P256-SHA256",
            r#"string to sign, line 1 (algorithm): signed "AWS4-HMAC-SHA256", AWS computed "AWS4-ECDSA-P256-SHA256""#,
        ),
        (
            "05Z\n2026",
            "06Z\n2026",
            r#"string to sign, line 2 (date): signed "20260102T030405Z", AWS computed "20260102T030406Z""#,
        ),
        (
            "us-east-1",
            "us-west-2",
            r#"string to sign, line 3 (scope): signed "20260102/us-east-1/bedrock/aws4_request", AWS computed "20260102/us-west-2/bedrock/aws4_request""#,
        ),
        ("", "", WRONG_KEY),
    ] {
        let aws = text().replace(ours, theirs);
        assert_eq!(explain(&head(), &aws), line, "{ours:?} -> {theirs:?}");
    }
    let hash = text().trim_end().replace("_request\n", "_request\n0");
    let said = explain(&head(), &hash);
    assert!(said.starts_with("string to sign, line 4 (hash of the canonical request): "));
}

/// What a request may lose or gain on its way, told by the request.
#[test]
fn changes_to_the_request() {
    type Change = fn(&mut Parts);
    let changes: [(Change, &str); 7] = [
        (
            |head| drop(head.headers.remove("x-amz-date")),
            "canonical request, line 6 (header x-amz-date): SignedHeaders names it, but the request was sent without it",
        ),
        // The URI tells the host as well.
        (|head| drop(head.headers.remove("host")), WRONG_KEY),
        (
            |head| head.uri = "/model/a%3A0/converse?b=2&a=%2F".parse().unwrap(),
            WRONG_KEY,
        ),
        (
            |head| head.uri = "/x/../model//a:0/converse?a=/&b=2".parse().unwrap(),
            r#"canonical request, line 2 (path): signed "/model/a%3A0/converse", AWS computed "/model/a%253A0/converse""#,
        ),
        (
            |head| assert!(head.headers.append("host", HeaderValue::from_static(" b "))),
            r#"canonical request, line 5 (header host): signed "bedrock.test,b", AWS computed "bedrock.test""#,
        ),
        (
            |head| {
                drop(
                    head.headers
                        .insert("host", HeaderValue::from_bytes(b"\xffb\t\"").unwrap()),
                )
            },
            "canonical request, line 5 (header host): signed \"\u{fffd}b\\t\\\"\", AWS computed \"bedrock.test\"",
        ),
        (|head| drop(head.headers.remove("x-not-signed")), WRONG_KEY),
    ];
    for (number, (change, line)) in changes.into_iter().enumerate() {
        let mut head = head();
        change(&mut head);
        assert_eq!(explain(&head, &text()), line, "{number}");
    }
    assert_eq!(
        explain_mismatch(&head(), &PayloadHash::of(b"{}"), &text()),
        format!(
            r#"canonical request, line 10 (payload hash): signed "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", AWS computed "{EMPTY}""#
        )
    );
}

/// As the AWS SDK for JavaScript signs over HTTP/2.
#[test]
fn authority() {
    let mut head = head();
    let names = AUTHORIZATION.replace("content-type;host", ":authority;content-type");
    head.headers.insert("authorization", names.parse().unwrap());
    let aws = text()
        .replace(
            "\ncontent-type:",
            "\n:authority:bedrock.test\ncontent-type:",
        )
        .replace("\nhost:bedrock.test", "")
        .replace("content-type;host", ":authority;content-type");
    // The hash is that of the other request.
    let (aws, _) = aws.split_once("\n\nThe String").unwrap();
    assert_eq!(explain(&head, aws), WRONG_KEY);
    let aws = aws.replace("bedrock.test", "gw.test");
    assert_eq!(
        explain(&head, &aws),
        r#"canonical request, line 4 (header :authority): signed "bedrock.test", AWS computed "gw.test""#
    );
}

#[test]
fn a_long_value_is_shown_where_it_differs() {
    let mut head = head();
    let model = "m".repeat(300);
    head.uri = format!("/model/{model}%3A0/converse").parse().unwrap();
    let aws = text()
        .replace("/model/a%253A0", &format!("/model/{model}:0"))
        .replace("a=%2F&b=2", "");
    assert_eq!(
        explain(&head, &aws),
        r#"canonical request, line 2 (path): signed "…mmmmmmmmmmmmmmmm%253A0/converse", AWS computed "…mmmmmmmmmmmmmmmm:0/converse""#
    );
}

#[test]
fn however_the_text_came() {
    let good = text();
    let message = serde_json::Value::from(good.clone());
    let escaped = message.to_string();
    for aws in [
        good.clone(),
        good.replace('\n', "\r\n"),
        format!("service error: {good}"),
        serde_json::json!({ "message": message }).to_string(),
        serde_json::json!({ "message": message, "__type": "X", "a": ["'"] }).to_string(),
        format!(r#"{{"errors":[{{"message":"{good}","code":"InvalidSignature"}}]}}"#),
        format!("log body={escaped} status=403"),
        escaped.replace('\'', "\\u0027"),
        // With an escape that JSON does not know.
        format!("{}\\x\"", escaped.trim_end_matches('"')),
        // Cut off behind the canonical request.
        good.split_once("\n\nThe String").unwrap().0.to_owned(),
        good.split_once("'\n\nThe String").unwrap().0.to_owned(),
    ] {
        assert_eq!(explain(&head(), &aws), WRONG_KEY, "{aws}");
        let other = aws.replace("a%253A0", "a:0");
        let said = explain(&head(), &other);
        assert!(
            said.starts_with("canonical request, line 2 (path): "),
            "{said}"
        );
    }
}

#[test]
fn what_cannot_be_compared() {
    for aws in [
        "",
        "Signature expired: 20250130T064508Z is now earlier than 20250210T013411Z",
        r#"{"message":"The security token included in the request is invalid."}"#,
        "The Canonical String for this request should have been",
        "The Canonical String for this request should have been POST",
        r#"The Canonical String for this request should have been\"#,
    ] {
        assert_eq!(explain(&head(), aws), NO_TEXT, "{aws}");
    }
    for authorization in [
        "",
        "Bearer bedrock-api-key",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=AK, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=AK/20260102/r/s/aws4_request, Signature=0",
    ] {
        let mut head = head();
        head.headers
            .insert("authorization", authorization.parse().unwrap());
        assert_eq!(explain(&head, &text()), NOT_SIGNED, "{authorization}");
    }
    let mut head = head();
    head.headers.remove("authorization");
    assert_eq!(explain(&head, &text()), NOT_SIGNED);
}

#[test]
fn no_secret_is_shown() {
    let good = text();
    let at_names = format!("\n{TOKEN}:x\n\ncontent");
    for aws in [
        good.replace('\n', " "),
        good.replace(":bed", ":\nbed"),
        good.replace(&format!("x-amz-security-token:{TOKEN}"), TOKEN),
        good.replace(
            &format!("x-amz-security-token:{TOKEN}"),
            &format!("host:{TOKEN}"),
        ),
        good.replace("\n\ncontent", &at_names),
        good.replace("POST", TOKEN),
        good.replace("a=%2F", &format!("X-Amz-Security-Token={TOKEN}")),
        good.replace(EMPTY, &format!("{EMPTY}{TOKEN}")),
        good.replace(TOKEN, &format!("{TOKEN},{TOKEN}")),
    ] {
        let said = explain(&head(), &aws);
        assert!(!said.contains("IQoJ"), "{said}");
        assert!(said.starts_with("canonical request, line "), "{said}");
    }
    // A token that AWS was sent in a query, and that we know nothing of.
    let aws = good.replace("a=%2F", "X-Amz-Security-Token=another");
    assert!(!explain(&head(), &aws).contains("another"));
    let mut head = head();
    head.uri = "/model/a%3A0/converse?x-amz-security-token=another"
        .parse()
        .unwrap();
    assert_eq!(
        explain(&head, &good),
        "canonical request, line 3 (query): differs"
    );
    // What the program marked.
    let mut head = self::head();
    let mut value = HeaderValue::from_static("mine");
    value.set_sensitive(true);
    head.headers.insert("content-type", value);
    assert_eq!(
        explain(&head, &good),
        "canonical request, line 4 (header content-type): differs"
    );
}

/// One line, whatever AWS says.
fn check(aws: &str) {
    for head in [&head(), &Request::new(()).into_parts().0] {
        let said = explain(head, aws);
        assert!(!said.is_empty() && said.lines().count() == 1, "{said:?}");
        assert!(said.chars().count() < 400, "{said}");
    }
}

#[test]
fn any_cut_and_any_doubled_piece() {
    let good = text();
    for text in [&good, &serde_json::Value::from(good.clone()).to_string()] {
        for at in 0..=text.len() {
            let (before, after) = text.split_at(at);
            check(before);
            check(after);
            check(&format!("{before}'\n\u{2028}\u{0}\u{e9}:\\\"{after}"));
        }
    }
    let lines: Vec<&str> = good.split('\n').collect();
    for at in 0..lines.len() {
        let mut changed = lines.clone();
        let line = changed.remove(at);
        check(&changed.join("\n"));
        changed.insert(at, line);
        changed.insert(at, line);
        check(&changed.join("\n"));
        changed[at] = "";
        check(&changed.join("\n"));
    }
}

proptest! {
    #[test]
    fn any_text(text in "\\PC*", piece in "[\n'\\\\\":;a-c\u{e9}\u{1F600}]{0,80}") {
        check(&text);
        let start = "The Canonical String for this request should have been";
        let to_sign = "The String-to-Sign should have been";
        for aws in [
            format!("{start}{piece}"),
            format!("{start}\n'{piece}"),
            format!("{start}\\n'{piece}"),
            format!("{start}\n'{piece}{to_sign}{text}"),
            format!("{start}\n'{text}'\n\n{to_sign}\n'{piece}"),
        ] {
            check(&aws);
            let _ = computed::find(&aws);
        }
    }

    #[test]
    fn any_authorization(names in "[ -~]{0,60}", scope in "[ -~]{0,40}") {
        let mut head = head();
        let value = format!("AWS4-HMAC-SHA256 Credential={scope},SignedHeaders={names}");
        head.headers.insert("authorization", value.parse().unwrap());
        prop_assert_eq!(explain(&head, &text()).lines().count(), 1);
    }
}
