//! Answers with a success status that are none.

use super::{fixtures, whole};

#[test]
fn what_is_not_an_answer_is_an_error() {
    let answers = [
        "",
        " ",
        "null",
        "{}",
        "[]",
        "7",
        "\"text\"",
        "<html>",
        r#"{"output":null}"#,
        r#"{"output":{}}"#,
        r#"{"output":{"message":null}}"#,
        r#"{"output":[],"stopReason":"end_turn"}"#,
        r#"{"output":{"message":{"content":"text"}}}"#,
        r#"{"output":{"message":{"content":[7]}}}"#,
        r#"{"output":{"message":{"content":[{"text":7}]}}}"#,
        r#"{"output":{"message":{"content":[{"text":"\x"}]}}}"#,
        r#"{"output":{"message":{"content":[{"toolUse":{"name":"n","input":{}}}]}}}"#,
        r#"{"output":{"message":{"content":[{"toolUse":{"toolUseId":"a","input":{}}}]}}}"#,
        r#"{"output":{"message":{"content":[]}}} more"#,
        r#"{"message":"an error with a success status"}"#,
        r#"{"Output":{"__type":7}}"#,
    ];
    for answer in answers {
        let error = whole(answer).unwrap_err();
        assert_eq!(error.status(), 502, "{answer}");
        assert_eq!(
            (error.kind(), error.code()),
            ("api_error", Some("upstream_error"))
        );
    }
    let deep = "[".repeat(100_000);
    assert_eq!(whole(&deep).unwrap_err().status(), 502);
    let translation = super::translation(false);
    let not_text = b"{\"output\":{\"message\":{\"content\":[{\"text\":\"\xff\"}]}}}";
    let error = translation.completion(not_text, "1", 7).unwrap_err();
    assert_eq!(error.status(), 502);
}

#[test]
fn every_answer_cut_anywhere_is_an_error() {
    for fixture in fixtures::all() {
        let answer = fixture.answer();
        for at in (0..answer.trim_end().len()).filter(|at| answer.is_char_boundary(*at)) {
            assert_eq!(whole(&answer[..at]).unwrap_err().status(), 502);
        }
    }
}

#[test]
fn an_unknown_operation_is_an_unknown_model() {
    let answer = r#"{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}"#;
    let error = whole(answer).unwrap_err();
    assert_eq!(error.status(), 404);
    assert_eq!(
        (error.kind(), error.code()),
        ("invalid_request_error", Some("model_not_found"))
    );
}

#[test]
fn half_a_surrogate_pair_does_not_spoil_the_answer() {
    let answer = r#"{"output":{"message":{"content":[{"text":"a\ud83d"},{"text":"b\udd80c"}]}},"stopReason":"end_turn"}"#;
    let completion = whole(answer).unwrap();
    assert_eq!(
        completion["choices"][0]["message"]["content"],
        "a\u{fffd}b\u{fffd}c"
    );
}

/// Whatever a byte is changed to, it is an answer or an error.
#[test]
fn no_byte_makes_it_panic() {
    let translation = super::translation(false);
    let (mut answers, mut errors) = (0, 0);
    for fixture in fixtures::all() {
        let answer = fixture.answer().into_bytes();
        for at in 0..answer.len() {
            for byte in [b'"', b'\\', b'}', b'u', 0, 0xff] {
                let mut answer = answer.clone();
                answer[at] = byte;
                match translation.completion(&answer, "1", 7) {
                    Ok(json) => {
                        serde_json::from_slice::<serde_json::Value>(&json).unwrap();
                        answers += 1;
                    }
                    Err(_) => errors += 1,
                }
            }
        }
    }
    assert!(answers > 1000 && errors > 1000, "{answers} {errors}");
}
