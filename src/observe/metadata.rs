//! What a client says of its request.

use std::borrow::Cow;
use std::fmt;

use serde_core::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_core::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::ignored::Ignored;

const HEADER: &str = "cf-aig-metadata";

/// As many entries as Cloudflare keeps.
const MOST: usize = 5;
const MAX_KEY: usize = 128;
const MAX_TEXT: usize = 1024;

/// The entries of `cf-aig-metadata`, in the client's order. It serializes to an object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata(Vec<(String, MetadataValue)>);

/// A value in [`Metadata`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum MetadataValue {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// True or false.
    Bool(bool),
}

impl Metadata {
    /// The first five fit entries of a JSON object; the others are named in `ignored`.
    pub(super) fn read(json: &[u8], ignored: &mut Ignored) -> Option<Self> {
        let Ok(Entries(entries)) = serde_json::from_slice(json) else {
            ignored.add(HEADER, "not a JSON object");
            return None;
        };
        let mut kept: Vec<(String, MetadataValue)> = Vec::new();
        for (key, value) in entries {
            let key = key.as_ref();
            let is_fit = !key.is_empty()
                && key.len() <= MAX_KEY
                && !key.starts_with("cf.")
                && !key.starts_with("gen_ai.")
                && kept.len() < MOST
                && kept.iter().all(|(name, _)| name != key);
            match MetadataValue::read(value.get()).filter(|_| is_fit) {
                Some(value) => kept.push((key.to_owned(), value)),
                None => ignored.add(HEADER, key),
            }
        }
        Some(Self(kept)).filter(|metadata| !metadata.is_empty())
    }

    /// The value of this key.
    pub fn get(&self, key: &str) -> Option<&MetadataValue> {
        self.iter().find(|(name, _)| *name == key).map(|(_, v)| v)
    }

    /// The entries.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &MetadataValue)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl MetadataValue {
    fn read(json: &str) -> Option<Self> {
        Some(match *json.as_bytes().first()? {
            b'"' => {
                let text: String = serde_json::from_str(json).ok()?;
                Self::Text(Some(text).filter(|text| text.len() <= MAX_TEXT)?)
            }
            b't' => Self::Bool(true),
            b'f' => Self::Bool(false),
            b'-' | b'0'..=b'9' => match json.parse() {
                Ok(number) => Self::Integer(number),
                Err(_) => Self::Float(json.parse().ok().filter(|float: &f64| float.is_finite())?),
            },
            _ => return None,
        })
    }
}

/// The entries of an object, in their order, whatever their values are.
struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    entries.push((key, map.next_value()?));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(text.into()))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(text.to_owned().into()))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl Serialize for MetadataValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Bool(is) => serializer.serialize_bool(*is),
        }
    }
}

impl fmt::Display for MetadataValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => number.fmt(f),
            Self::Float(number) => number.fmt(f),
            Self::Bool(is) => is.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> (String, Vec<String>) {
        let mut ignored = Ignored::default();
        let metadata = Metadata::read(json.as_bytes(), &mut ignored);
        let json = serde_json::to_string(&metadata).unwrap();
        (json, ignored.into_list())
    }

    #[test]
    fn fit_entries_are_kept_in_their_order() {
        let json = r#"{"team":"a\"b","user":-7,"rate":0.5,"big":18446744073709551616,"beta":true}"#;
        let (kept, ignored) = read(json);
        assert_eq!(
            kept,
            r#"{"team":"a\"b","user":-7,"rate":0.5,"big":1.8446744073709552e+19,"beta":true}"#
        );
        assert!(ignored.is_empty());
    }

    #[test]
    fn bad_entries_are_named() {
        let long = "x".repeat(MAX_TEXT + 1);
        let key = "k".repeat(MAX_KEY + 1);
        for (json, kept, named) in [
            (r#"{"a":{"b":1},"c":2}"#, r#"{"c":2}"#, "a"),
            (r#"{"a":null,"c":2}"#, r#"{"c":2}"#, "a"),
            (r#"{"a":[1],"c":2}"#, r#"{"c":2}"#, "a"),
            (r#"{"cf.user_id":1,"c":2}"#, r#"{"c":2}"#, "cf.user_id"),
            (r#"{"gen_ai.x":1,"c":2}"#, r#"{"c":2}"#, "gen_ai.x"),
            (r#"{"c":2,"c":3}"#, r#"{"c":2}"#, "c"),
            (r#"{"c":2,"":3}"#, r#"{"c":2}"#, ""),
            (r#"{"c":2,"a":1e999}"#, r#"{"c":2}"#, "a"),
            (&format!(r#"{{"c":2,"a":"{long}"}}"#), r#"{"c":2}"#, "a"),
            (&format!(r#"{{"c":2,"{key}":3}}"#), r#"{"c":2}"#, &key[..64]),
            (r#"{"a":{}}"#, "null", "a"),
            ("{", "null", "not a JSON object"),
            ("[1]", "null", "not a JSON object"),
            (r#"{"a":NaN}"#, "null", "not a JSON object"),
            (r#"{"a":1}}"#, "null", "not a JSON object"),
            ("", "null", "not a JSON object"),
        ] {
            let named = vec![format!("{HEADER}: {named}")];
            assert_eq!(read(json), (kept.to_owned(), named), "{json}");
        }
        assert_eq!(read("{}"), ("null".to_owned(), vec![]));
    }

    #[test]
    fn a_hundred_entries() {
        let entries: Vec<_> = (0..100).map(|n| format!(r#""k{n}":{n}"#)).collect();
        let (kept, ignored) = read(&format!("{{{}}}", entries.join(",")));
        assert_eq!(kept, r#"{"k0":0,"k1":1,"k2":2,"k3":3,"k4":4}"#);
        assert_eq!(ignored.len(), 17);
        assert_eq!(ignored[0], "cf-aig-metadata: k5");
        assert_eq!(ignored[16], "79 more");
    }
}
