//! Fields of a JSON object, by their names.

use std::fmt;
use std::marker::PhantomData;

use serde_core::de::{Deserialize, DeserializeSeed, Deserializer, Error};
use serde_core::de::{IgnoredAny, MapAccess, Visitor};

/// What is done about a field of any other name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Others {
    Refused,
    Ignored,
}

/// The values of these names, in their order. A name may be there once, and `null` is no value.
pub(crate) fn read<'a, T: Deserialize<'a>, const N: usize>(
    json: &'a [u8],
    names: [&'static str; N],
    others: Others,
) -> serde_json::Result<[Option<T>; N]> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let fields = reader.deserialize_map(Object {
        names,
        others,
        values: PhantomData,
    })?;
    reader.end()?;
    Ok(fields)
}

struct Object<T, const N: usize> {
    names: [&'static str; N],
    others: Others,
    values: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for Object<T, N> {
    type Value = [Option<T>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        // With `Some(None)` for `null`.
        let mut fields: [Option<Option<T>>; N] = [const { None }; N];
        let name = Name {
            names: &self.names,
            others: self.others,
        };
        while let Some(place) = map.next_key_seed(name)? {
            match place.and_then(|place| fields.get_mut(place)) {
                Some(Some(_)) => return Err(A::Error::custom("a name is there twice")),
                Some(field) => *field = Some(map.next_value()?),
                None => map.next_value::<IgnoredAny>().map(|_| ())?,
            }
        }
        Ok(fields.map(Option::flatten))
    }
}

/// Which of the names a key is.
#[derive(Clone, Copy)]
struct Name<'a> {
    names: &'a [&'static str],
    others: Others,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        match (self.names.iter().position(|name| *name == key), self.others) {
            (None, Others::Refused) => Err(E::custom("there is a field of another name")),
            (place, _) => Ok(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(json: &str, others: Others) -> Result<[Option<u8>; 2], (usize, usize)> {
        read(json.as_bytes(), ["a", "b"], others).map_err(|error| (error.line(), error.column()))
    }

    #[test]
    fn by_name_and_not_by_place() {
        for (json, fields) in [
            ("{}", [None, None]),
            (r#"{"b":2,"a":1}"#, [Some(1), Some(2)]),
            (r#" {"\u0062" : 2 , "a" : null} "#, [None, Some(2)]),
        ] {
            assert_eq!(numbers(json, Others::Refused), Ok(fields), "{json}");
        }
        let more = r#"{"c":[{"a":3}],"b":2,"c":0}"#;
        assert_eq!(numbers(more, Others::Ignored), Ok([None, Some(2)]));
    }

    #[test]
    fn what_is_wrong_is_where_derived_code_finds_it() {
        #[derive(serde::Deserialize)]
        struct Open {
            a: Option<u8>,
            b: Option<u8>,
        }
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Closed {
            a: Option<u8>,
            b: Option<u8>,
        }
        let place = |error: serde_json::Error| (error.line(), error.column());
        for (json, is_wrong) in [
            ("", true),
            ("1", true),
            ("{\n\"c\" : 1}", true),
            (r#"{"a":1,"\u0063":{"a":2}}"#, true),
            (r#"{"a":1,"a":2}"#, true),
            (r#"{"a":null, "a" : 2}"#, true),
            (r#"{"a":256,"b":1}"#, true),
            (r#"{"a":1,"b":"2"}"#, true),
            (r#"{"a":1,}"#, true),
            (r#"{"a":1} x"#, true),
            (r#"{"a":1,"#, true),
            (r#" { "b" : 1 } "#, false),
        ] {
            let derived = serde_json::from_str(json).map(|Closed { a, b }| [a, b]);
            let closed = numbers(json, Others::Refused);
            assert_eq!(closed, derived.map_err(place), "{json}");
            assert_eq!(closed.is_err(), is_wrong, "{json}");
            let derived = serde_json::from_str(json).map(|Open { a, b }| [a, b]);
            assert_eq!(
                numbers(json, Others::Ignored),
                derived.map_err(place),
                "{json}"
            );
        }
        assert_eq!(numbers("[1,2]", Others::Ignored), Err((1, 0)));
    }
}
