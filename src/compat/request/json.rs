//! A request's JSON, read once: a tree that borrows from the text.
//!
//! Nothing is judged here but the grammar; who reads the tree knows where he is, and names that
//! place when he refuses. What Bedrock is to get word for word (schemas) stays text.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::check::{Problem, check};
use super::path::At;
use super::place::Place;
use super::words::Words;
use crate::reject::{Rejection, RejectionKind};

/// More values than any request has. A tree of that many is some 50 MB.
const MOST_VALUES: u32 = 500_000;

/// With its feature `arbitrary_precision`, which another crate may turn on, `serde_json` hands out
/// a number as a map with this key.
const PRECISE_NUMBER: &str = "$serde_json::private::Number";

/// Any JSON value.
#[derive(Debug)]
pub(super) enum Node<'a> {
    Null,
    Bool(bool),
    /// A number without fraction or exponent.
    Whole(i64),
    Float(f64),
    Text(Cow<'a, str>),
    /// A string that passes through as it is written: the content of a message, or the text of a
    /// part.
    Written(&'a RawValue),
    List(Vec<Node<'a>>),
    Object(Object<'a>),
    /// The text of an object or a list.
    Verbatim(&'a RawValue),
}

/// Keys and values in order; a key may be there twice.
pub(super) type Object<'a> = Vec<(Cow<'a, str>, Node<'a>)>;

/// Reads the body of a request.
pub(super) fn read(body: &[u8]) -> Result<Object<'_>, Rejection> {
    let refuse =
        |text: String| Rejection::new(RejectionKind::InvalidBody, text).with_code("invalid_json");
    if body.is_empty() {
        return Err(refuse(
            "The request has no body; send a JSON object.".into(),
        ));
    }
    if body.starts_with(b"\xef\xbb\xbf") {
        return Err(refuse(
            "The body begins with a byte order mark; send JSON without it.".into(),
        ));
    }
    let text = std::str::from_utf8(body)
        .map_err(|error| refuse(format!("The body is not UTF-8: {error}.")))?;
    let (left, precise) = (Cell::new(MOST_VALUES), Cell::new(false));
    let mut reader = serde_json::Deserializer::from_str(text);
    let node = Build {
        left: &left,
        precise: &precise,
        place: Place::Request,
    };
    let node = node.deserialize(&mut reader).and_then(|node| {
        reader.end()?;
        Ok(node)
    });
    match node {
        Ok(Node::Object(object)) => Ok(object),
        Ok(node) => Err(Rejection::new(
            RejectionKind::InvalidBody,
            format!("The body must be a JSON object, but is {}.", node.kind()),
        )
        .with_code("invalid_type")),
        Err(error) => Err(refuse(format!("The body is not valid JSON: {error}."))),
    }
}

impl<'a> Node<'a> {
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// What it is, for a refusal.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Whole(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Text(_) | Self::Written(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
            Self::Verbatim(raw) if raw.get().starts_with('[') => "an array",
            Self::Verbatim(_) => "an object",
        }
    }

    pub(super) fn text(&self, at: &At<'_>) -> Result<&str, Rejection> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(at.mistyped("a string", other)),
        }
    }

    /// A text that passes through.
    pub(super) fn words(&self, at: &At<'_>) -> Result<Words<'_>, Rejection> {
        match self {
            Self::Written(raw) => Ok(Words::Written(raw)),
            other => other.text(at).map(Words::plain),
        }
    }

    pub(super) fn bool(&self, at: &At<'_>) -> Result<bool, Rejection> {
        match self {
            Self::Bool(value) => Ok(*value),
            other => Err(at.mistyped("a boolean", other)),
        }
    }

    pub(super) fn whole(&self, at: &At<'_>) -> Result<i64, Rejection> {
        match self {
            Self::Whole(value) => Ok(*value),
            // Beyond 64 bits, and `-0`, are read as floats.
            Self::Float(value) if value.fract() == 0.0 => Ok(*value as i64),
            other => Err(at.mistyped("an integer", other)),
        }
    }

    pub(super) fn number(&self, at: &At<'_>) -> Result<f64, Rejection> {
        match self {
            Self::Whole(value) => Ok(*value as f64),
            Self::Float(value) => Ok(*value),
            other => Err(at.mistyped("a number", other)),
        }
    }

    pub(super) fn list(&self, at: &At<'_>) -> Result<&[Node<'a>], Rejection> {
        match self {
            Self::List(list) => Ok(list),
            other => Err(at.mistyped("an array", other)),
        }
    }

    /// Its keys and values, each key once; what is null is as if it were not there.
    pub(super) fn object<'n>(
        &'n self,
        at: &At<'_>,
    ) -> Result<impl Iterator<Item = (&'n str, &'n Node<'n>)> + Clone + use<'n, 'a>, Rejection>
    {
        let Self::Object(object) = self else {
            return Err(at.mistyped("an object", self));
        };
        if let Some(twice) = repeated(object.iter().map(|(key, _)| &**key)) {
            return Err(at
                .key(twice)
                .invalid("the key is there twice; send it once."));
        }
        Ok(present(object))
    }

    /// The JSON text of an object, with its grammar checked to the bottom.
    pub(super) fn verbatim(&self, at: &At<'_>) -> Result<&'a RawValue, Rejection> {
        match self {
            Self::Verbatim(raw) if raw.get().starts_with('{') => {
                check(raw.get()).map_err(|problem| match problem {
                    Problem::Grammar(error) => at.refuse("invalid_json", format_args!("{error}.")),
                    Problem::Twice(place) => at
                        .key(&place)
                        .invalid("the key is there twice; send it once."),
                })?;
                Ok(raw)
            }
            other => Err(at.mistyped("an object", other)),
        }
    }
}

/// The keys and values of `object` but for nulls.
pub(super) fn present<'n>(
    object: &'n [(Cow<'n, str>, Node<'n>)],
) -> impl Iterator<Item = (&'n str, &'n Node<'n>)> + Clone {
    let present = object.iter().filter(|(_, value)| !value.is_null());
    present.map(|(key, value)| (&**key, value))
}

/// The first key that is there twice.
pub(super) fn repeated<'k>(keys: impl Iterator<Item = &'k str> + Clone) -> Option<&'k str> {
    const FEW: usize = 24;
    if keys.clone().nth(FEW).is_some() {
        let mut seen = BTreeSet::new();
        return keys.into_iter().find(|key| !seen.insert(*key));
    }
    let mut rest = keys;
    while let Some(key) = rest.next() {
        if rest.clone().any(|other| other == key) {
            return Some(key);
        }
    }
    None
}

/// The keys and values of an object's text, in order.
pub(super) fn pairs(object: &str) -> serde_json::Result<Vec<(Cow<'_, str>, &RawValue)>> {
    struct Pairs;

    impl<'a> Visitor<'a> for Pairs {
        type Value = Vec<(Cow<'a, str>, &'a RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(Key(key)) = map.next_key()? {
                pairs.push((key, map.next_value()?));
            }
            Ok(pairs)
        }
    }

    serde_json::Deserializer::from_str(object).deserialize_map(Pairs)
}

/// A key: borrowed, unless it is written with escapes.
pub(super) struct Key<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(KeyVisitor)
    }
}

#[derive(Clone, Copy)]
struct Build<'l> {
    left: &'l Cell<u32>,
    /// The last value was a number that was handed out as text.
    precise: &'l Cell<bool>,
    place: Place,
}

impl<'de> DeserializeSeed<'de> for Build<'_> {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => return Err(de::Error::custom("it has too many values")),
        }
        if !matches!(self.place, Place::Content | Place::Text | Place::Verbatim) {
            return reader.deserialize_any(self);
        }
        let raw = <&RawValue>::deserialize(reader)?;
        if let Some(node) = self.place.keeps(raw) {
            return Ok(node);
        }
        let mut reader = serde_json::Deserializer::from_str(raw.get());
        reader.deserialize_any(self).map_err(de::Error::custom)
    }
}

impl<'de> Visitor<'de> for Build<'_> {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Node::Whole(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).map_or(Node::Float(value as f64), Node::Whole))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Node::Float(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    /// A string of the request's is borrowed, or lent; only a number is handed out as this.
    fn visit_string<E: de::Error>(self, text: String) -> Result<Self::Value, E> {
        self.precise.set(true);
        number(&text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        let place = self.place.within();
        while let Some(node) = seq.next_element_seed(Self { place, ..self })? {
            list.push(node);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut object = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            let place = self.place.under(&key);
            self.precise.set(false);
            let node = map.next_value_seed(Self { place, ..self })?;
            if self.precise.take() && key == PRECISE_NUMBER {
                return Ok(node);
            }
            object.push((key, node));
        }
        Ok(Node::Object(object))
    }
}

/// A number that was handed out as text.
fn number<'a, E: de::Error>(text: &str) -> Result<Node<'a>, E> {
    if let Ok(value) = text.parse() {
        return Ok(Node::Whole(value));
    }
    let float = text.parse().ok().filter(|float: &f64| float.is_finite());
    float
        .map(Node::Float)
        .ok_or_else(|| E::custom("number out of range"))
}

#[cfg(test)]
mod tests {
    use super::{Node, read, repeated};

    #[test]
    fn borrows_what_has_no_escapes() {
        let object = read(br#"{"a": "plain", "b": "a\/b"}"#).unwrap();
        let [(_, a), (_, b)] = &object[..] else {
            panic!("{object:?}");
        };
        assert!(matches!(a, Node::Text(std::borrow::Cow::Borrowed("plain"))));
        assert!(matches!(b, Node::Text(text) if text == "a/b"));
    }

    #[test]
    fn precise_numbers() {
        let object = read(br#"{"a": {"$serde_json::private::Number": "7"}}"#).unwrap();
        // No number, but an object that says it is one.
        assert!(matches!(&object[..], [(_, Node::Object(_))]));
        assert!(read(br#"{"a": {"$serde_json::private::Number": "1e999"}}"#).is_ok());
        assert!(read(br#"{"a": {"$serde_json::private::Number": 7}}"#).is_ok());
    }

    #[test]
    fn many_values() {
        let mut body = br#"{"a": ["#.to_vec();
        body.extend(b"0,".repeat(600_000));
        body.extend(b"0]}");
        assert!(read(&body).is_err());
    }

    #[test]
    fn keys_there_twice() {
        assert_eq!(repeated(["a", "b", "a"].into_iter()), Some("a"));
        assert_eq!(repeated(["a", "b"].into_iter()), None);
        let many: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        assert_eq!(repeated(many.iter().map(|key| &**key)), None);
        let twice = many.iter().chain(&many[50..51]);
        assert_eq!(repeated(twice.map(|key| &**key)), Some("50"));
    }
}
