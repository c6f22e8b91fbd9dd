use proptest::prelude::*;

use super::*;

static PATHS: Table<char> = Table::new(&[
    path('u', &["usage"], 64),
    path('s', &["stop"], 8),
    path('n', &["results", EACH, "tokenCount"], 16),
    path('d', &["deep", "er", "still", "usage"], 16),
    path('p', &["deep"], 0),
]);

const fn path(field: char, keys: &'static [&'static str], limit: usize) -> Path<char> {
    Path { field, keys, limit }
}

/// What is found, and whether the object is still open, for pieces of this size.
fn scan(text: &[u8], piece: usize) -> (Vec<(char, Option<String>)>, bool) {
    let mut scanner = Scanner::new(&PATHS);
    let mut all = Vec::new();
    for piece in text.chunks(piece) {
        scanner.push(piece, &mut |field, value| {
            let value = value.map(|value| String::from_utf8_lossy(value).into_owned());
            all.push((field, value));
        });
    }
    (all, scanner.is_open())
}

fn check(text: &str, expected: &[(char, Option<&str>)]) {
    for piece in [1, 2, 3, 7, 1000] {
        let (all, open) = scan(text.as_bytes(), piece);
        let all: Vec<_> = all.iter().map(|(f, v)| (*f, v.as_deref())).collect();
        assert_eq!(all, expected, "{text} in pieces of {piece}");
        assert!(!open, "{text}");
    }
}

#[test]
fn finds() {
    check(r#"{"usage":{"a":1}}"#, &[('u', Some(r#"{"a":1}"#))]);
    check(
        " {\n \"a\" : [1,{\"b\":2}] ,\r\n \"usage\" : { \"a\" : \"}\" } , \"stop\":\t12}\n",
        &[('u', Some(r#"{ "a" : "}" }"#)), ('s', Some("12"))],
    );
    check(
        r#"{"stop":null,"stop":"a\\","x":"\\\"","stop":-1.5e3,"stop":[]}"#,
        &[
            ('s', Some("null")),
            ('s', Some(r#""a\\""#)),
            ('s', Some("-1.5e3")),
            ('s', Some("[]")),
        ],
    );
    check(
        r#"{"results":[{"tokenCount":7,"t":"x"},{"t":["]"],"tokenCount":8.0},3,[{"tokenCount":9}]]}"#,
        &[('n', Some("7")), ('n', Some("8.0"))],
    );
    check(r#"{"us\u0061ge":1,"\\usage":2}"#, &[('u', Some("1"))]);
    check(
        r#"{"deep":{"er":{"still":{"usage":5}},"usage":6}}"#,
        &[('p', None), ('d', Some("5"))],
    );
    check(r#"{"deep":3}"#, &[('p', None)]);
}

#[test]
fn passes_over() {
    check(
        r#"{"text":"\"usage\":{\"a\":1}","output":{"usage":{"a":1},"stop":"x"}}"#,
        &[],
    );
    check(
        r#"{"a":[{"usage":1}],"b":"usage","c":{"d":[[{"usage":2}]]}}"#,
        &[],
    );
    check(
        r#"{"[]":{"tokenCount":1},"results":{"[]":{"tokenCount":2}}}"#,
        &[],
    );
    check(r#"[{"usage":1}]"#, &[]);
    check(r#""usage":1"#, &[]);
    check("", &[]);
    check("{}", &[]);
    check(r#"{"usage":1}{"usage":2}"#, &[('u', Some("1"))]);
    let long = format!(r#"{{"{}":1,"usag":2}}"#, "usage".repeat(100));
    check(&long, &[]);
}

#[test]
fn long_values_are_named_only() {
    check(
        r#"{"stop":"1234567","usage":1}"#,
        &[('s', None), ('u', Some("1"))],
    );
    check(r#"{"stop":"123456"}"#, &[('s', Some(r#""123456""#))]);
}

#[test]
fn open_until_closed() {
    for cut in 1..r#"{"usage":{"a":1}}"#.len() {
        assert!(scan(&br#"{"usage":{"a":1}}"#[..cut], 100).1, "{cut}");
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let key = prop_oneof![
        Just("usage".to_owned()),
        Just("stop".to_owned()),
        Just("results".to_owned()),
        Just("tokenCount".to_owned()),
        "[a-z\"\\\\\u{e9}\n]{0,3}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z\"\\\\{}\\[\\],:]{0,9}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..5)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_a_full_parse(value in json(), piece in 1usize..20, pretty: bool) {
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        let (all, open) = scan(text.as_bytes(), piece);
        prop_assert!(!open);
        let mut expected = Vec::new();
        for (key, value) in value.as_object().into_iter().flatten() {
            match key.as_str() {
                "usage" => expected.push(('u', value)),
                "stop" => expected.push(('s', value)),
                "results" => expected.extend(
                    value.as_array().into_iter().flatten()
                        .filter_map(|each| Some(('n', each.get("tokenCount")?))),
                ),
                _ => {}
            }
        }
        prop_assert_eq!(all.len(), expected.len());
        for ((found, text), (field, value)) in all.into_iter().zip(expected) {
            prop_assert_eq!(found, field);
            if let Some(text) = text {
                prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
            }
        }
    }

    #[test]
    fn any_bytes(bytes: Vec<u8>, piece in 1usize..9) {
        let mut text = b"{\"usage\"".to_vec();
        text.extend(&bytes);
        prop_assert_eq!(scan(&text, piece), scan(&text, 1000));
        prop_assert_eq!(scan(&bytes, piece), scan(&bytes, 1000));
    }
}
