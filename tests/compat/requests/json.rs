//! JSON with its keys in order and its numbers as they are written.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
    Text(String),
    /// A number, a boolean, or null.
    Other(String),
}

impl Json {
    pub(crate) fn parse(text: &str) -> Self {
        match text.as_bytes().first() {
            Some(b'{') => {
                let Pairs(pairs) = serde_json::from_str(text).unwrap();
                let pairs = pairs.into_iter();
                Self::Object(
                    pairs
                        .map(|(key, raw)| (key, Self::parse(raw.get())))
                        .collect(),
                )
            }
            Some(b'[') => {
                let list: Vec<Box<RawValue>> = serde_json::from_str(text).unwrap();
                Self::List(list.iter().map(|raw| Self::parse(raw.get())).collect())
            }
            Some(b'"') => Self::Text(serde_json::from_str(text).unwrap()),
            _ => Self::Other(text.to_owned()),
        }
    }

    /// Where two differ. The order of keys and the spelling of numbers count in what passes
    /// through word for word: schemas, the input of tools, fields for the model itself.
    pub(crate) fn difference(&self, other: &Self, path: &str, verbatim: bool) -> Option<String> {
        let differ = || Some(format!("at {path}:\n  {self:?}\n  {other:?}"));
        match (self, other) {
            (Self::List(one), Self::List(two)) if one.len() == two.len() => {
                let mut pairs = one.iter().zip(two).enumerate();
                pairs.find_map(|(index, (one, two))| {
                    one.difference(two, &format!("{path}[{index}]"), verbatim)
                })
            }
            (Self::Object(one), Self::Object(two)) if one.len() == two.len() => {
                if verbatim && one.iter().zip(two).any(|((one, _), (two, _))| one != two) {
                    return differ();
                }
                one.iter().find_map(|(key, one)| {
                    let Some((_, two)) = two.iter().find(|(other, _)| other == key) else {
                        return differ();
                    };
                    let verbatim = verbatim || matches!(&**key, "json" | "input");
                    one.difference(two, &format!("{path}.{key}"), verbatim)
                })
            }
            (Self::Other(one), Self::Other(two)) if !verbatim => {
                let number = |text: &str| text.parse::<f64>().ok();
                let same = one == two || number(one).is_some() && number(one) == number(two);
                if same { None } else { differ() }
            }
            _ if self == other => None,
            _ => differ(),
        }
    }
}

struct Pairs(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;

        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(PairsVisitor)
    }
}
