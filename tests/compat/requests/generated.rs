//! Requests that are generated.

use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq};
use proptest::proptest;
use proptest::test_runner::{Config, TestCaseError};
use serde_json::Value;
use tower_bedrock::Policy;
use tower_bedrock::compat::Translation;

use super::{generate, rules};

fn config() -> Config {
    Config {
        cases: 2000,
        failure_persistence: None,
        ..Config::default()
    }
}

/// A translation that Bedrock takes.
fn is_fine(request: &Value, translation: &Translation) -> Result<(), TestCaseError> {
    let converse: Value = serde_json::from_slice(&translation.body()).unwrap();
    let problems = rules::problems(&converse);
    prop_assert!(problems.is_empty(), "{problems:?}\n{request}\n{converse}");
    for name in translation.dropped() {
        let top = name.split(['.', '[']).next().unwrap_or_default();
        prop_assert!(request.get(top).is_some(), "{name}\n{request}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_supported_is_translated(choices in vec(any::<u16>(), 0..160)) {
        let request = generate::request(&choices, true);
        let body = request.to_string();
        match Translation::of(body.as_bytes(), &Policy::new()) {
            Ok(translation) => is_fine(&request, &translation)?,
            Err(rejection) => prop_assert!(false, "{rejection}\n{request}"),
        }
    }

    #[test]
    fn what_is_valid_is_translated_or_refused_by_name(choices in vec(any::<u16>(), 0..160)) {
        let request = generate::request(&choices, false);
        let body = request.to_string();
        match Translation::of(body.as_bytes(), &Policy::new()) {
            Ok(translation) => is_fine(&request, &translation)?,
            Err(rejection) => {
                prop_assert_eq!(rejection.status(), 400);
                let param = rejection.param().unwrap_or_default();
                let top = param.split(['.', '[']).next().unwrap_or_default();
                prop_assert!(request.get(top).is_some(), "{}\n{}", rejection, request);
            }
        }
    }

    /// What is ignored is what a strict gateway refuses, and nothing else changes.
    #[test]
    fn strict_refuses_what_is_ignored(choices in vec(any::<u16>(), 0..160)) {
        let body = generate::request(&choices, true).to_string();
        let lenient = Translation::of(body.as_bytes(), &Policy::new()).unwrap();
        let policy = Policy::new().with_strict_parameters(true);
        let strict = Translation::of(body.as_bytes(), &policy);
        match (lenient.dropped().first(), strict) {
            (None, Ok(strict)) => prop_assert_eq!(lenient.body(), strict.body()),
            (Some(name), Err(rejection)) => {
                prop_assert_eq!(rejection.param(), Some(*name));
            }
            (dropped, strict) => prop_assert!(false, "{:?} {:?}\n{}", dropped, strict.err(), body),
        }
    }

    /// No bytes make it panic.
    #[test]
    fn any_bytes(body in vec(any::<u8>(), 0..200)) {
        prop_assert!(Translation::of(&body, &Policy::new()).is_err());
    }

    /// Whatever JSON a parameter holds, the refusal names it.
    #[test]
    fn any_value_of_any_parameter(choices in vec(any::<u16>(), 0..60), at in any::<usize>(), value in 0..9_usize) {
        let mut request = generate::request(&choices, true);
        let values = [
            serde_json::json!(null), serde_json::json!(true), serde_json::json!(-1), serde_json::json!(0.5),
            serde_json::json!("text"), serde_json::json!([]), serde_json::json!({}),
            serde_json::json!([{"a": [1]}]), serde_json::json!({"type": "x", "name": {}}),
        ];
        let object = request.as_object_mut().unwrap();
        let key = object.keys().nth(at % object.len()).unwrap().clone();
        object.insert(key, values[value].clone());
        let body = request.to_string();
        match Translation::of(body.as_bytes(), &Policy::new()) {
            Ok(translation) => is_fine(&request, &translation)?,
            Err(rejection) => prop_assert!(rejection.param().is_some(), "{}\n{}", rejection, body),
        }
    }
}
