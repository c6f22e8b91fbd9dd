//! The grammar of JSON that is kept as text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::json::{Key, repeated};

/// Bedrock takes a document of 100 levels; some are those that the text is put under.
pub(super) const DEEPEST: u8 = 92;

/// What is wrong with a text.
#[derive(Debug)]
pub(super) enum Problem {
    Grammar(serde_json::Error),
    /// A key is there twice, at this place.
    Twice(String),
}

/// Whether `text` is JSON of a bearable depth, with strings that are Unicode, numbers that are
/// finite and each key once: what is kept as text has been read for its brackets only.
pub(super) fn check(text: &str) -> Result<(), Problem> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let mut found = Found::default();
    let check = Check {
        found: &mut found,
        levels: DEEPEST,
    };
    let checked = check.deserialize(&mut reader).and_then(|()| reader.end());
    checked.map_err(|error| match found.twice {
        Some(place) => Problem::Twice(place),
        None => Problem::Grammar(error),
    })
}

#[derive(Default)]
struct Found<'a> {
    /// The keys of the objects that are being read.
    keys: Vec<Cow<'a, str>>,
    twice: Option<String>,
}

struct Check<'f, 'a> {
    found: &'f mut Found<'a>,
    levels: u8,
}

impl<'a> Check<'_, 'a> {
    fn below<E: Error>(&mut self) -> Result<Check<'_, 'a>, E> {
        let levels = self.levels.checked_sub(1);
        let too_deep = || E::custom(format_args!("it is more than {DEEPEST} levels deep"));
        Ok(Check {
            levels: levels.ok_or_else(too_deep)?,
            found: self.found,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Check<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Check<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self.below()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let first = self.found.keys.len();
        while let Some(Key(key)) = map.next_key()? {
            let at = self.found.keys.len();
            self.found.keys.push(key);
            let below = self.below()?;
            if let Err(error) = map.next_value_seed(below) {
                if let (Some(place), Some(key)) = (&mut self.found.twice, self.found.keys.get(at)) {
                    *place = format!("{key}.{place}");
                }
                return Err(error);
            }
        }
        let own = self.found.keys.get(first..).unwrap_or_default();
        if let Some(twice) = repeated(own.iter().map(|key| &**key)) {
            self.found.twice = Some(twice.to_owned());
            return Err(A::Error::custom("a key is there twice"));
        }
        self.found.keys.truncate(first);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{DEEPEST, Problem, check};

    #[test]
    fn grammar_to_the_bottom() {
        assert!(check(r#"{"a": [1, "\u00e9", 1e300]}"#).is_ok());
        for bad in [r#""\ud800""#, "1e400", "{} {}", "[", ""] {
            assert!(check(bad).is_err(), "{bad}");
        }
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(check(&nested(DEEPEST.into())).is_ok());
        assert!(check(&nested(usize::from(DEEPEST) + 2)).is_err());
    }

    #[test]
    fn keys_there_twice() {
        for (text, expected) in [
            (r#"{"a": 1, "\u0061": 2}"#, "a"),
            (r#"{"x": {"y": [{"a": 1, "b": {}, "a": 2}]}}"#, "x.y.a"),
        ] {
            match check(text) {
                Err(Problem::Twice(place)) => assert_eq!(place, expected),
                other => panic!("{other:?}"),
            }
        }
        assert!(check(r#"{"a": {"a": 1}, "b": {"a": 1}}"#).is_ok());
    }
}
