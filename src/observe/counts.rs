//! Reads a `usage` object, in the words of any of the vendors, without keeping a copy of it.

use std::fmt;

use serde_core::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_core::{Deserialize, de};
use serde_json::value::RawValue;

use super::usage::{MOST_TOKENS, Usage, credible};

/// What such an object tells.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Counts<'a> {
    pub(super) usage: Usage,
    /// How long the model took, in milliseconds.
    pub(super) latency: Option<u64>,
    pub(super) service_tier: Option<&'a str>,
}

impl<'a> Counts<'a> {
    /// What the text of an object tells; nothing if it is not JSON.
    pub(super) fn read(json: &'a [u8]) -> Self {
        Self::at_a_glance(json).unwrap_or_else(|| Self::at_length(json))
    }

    /// The same, of an object such as nearly all are: its values are whole numbers, or objects
    /// with nothing in them. Any other gives `None`.
    fn at_a_glance(json: &[u8]) -> Option<Self> {
        let mut counts = Self::default();
        let mut rest = json.strip_prefix(b"{")?;
        loop {
            let text = rest.strip_prefix(b"\"")?;
            let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            let (key, value) = text.split_at_checked(text.iter().position(ends)?)?;
            let key = Key::of(key);
            let value = value.strip_prefix(b"\":")?;
            let (number, after) = match value.strip_prefix(b"{}") {
                Some(after) => (None, after),
                None => whole_number(value).map(|(number, after)| (Some(number), after))?,
            };
            let usage = &mut counts.usage;
            match key {
                Key::Input => usage.input_tokens = number.or(usage.input_tokens),
                Key::Output => usage.output_tokens = number.or(usage.output_tokens),
                Key::CacheRead => usage.cache_read_tokens = number.or(usage.cache_read_tokens),
                Key::CacheWrite => usage.cache_write_tokens = number.or(usage.cache_write_tokens),
                Key::Latency => counts.latency = number.or(counts.latency),
                Key::Other => {}
                _ => return None,
            }
            rest = match after {
                [b',', rest @ ..] => rest,
                b"}" => return Some(counts),
                _ => return None,
            };
        }
    }

    fn at_length(json: &'a [u8]) -> Self {
        let mut found = Found::default();
        let mut json = serde_json::Deserializer::from_slice(json);
        let read = found.at(Place::Usage).deserialize(&mut json);
        match read.and_then(|()| json.end()) {
            Ok(()) => found.settle(),
            Err(_) => Self::default(),
        }
    }
}

/// The number that the text begins with, and what follows; no number that is written otherwise.
fn whole_number(text: &[u8]) -> Option<(u64, &[u8])> {
    /// Of more digits not all are below the greatest count.
    const MOST: usize = 12;
    let end = text.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = text.split_at_checked(end)?;
    let is_plain = (1..=MOST).contains(&end) && (end == 1 || digits.first() != Some(&b'0'));
    let add = |number: u64, digit: &u8| number * 10 + u64::from(digit - b'0');
    is_plain.then(|| (digits.iter().fold(0, add), rest))
}

#[derive(Debug, Default)]
struct Found<'a> {
    counts: Counts<'a>,
    /// OpenAI's way: the input includes what was cached, and these say how much of it.
    inclusive: bool,
    cached: Option<u64>,
    written: Option<u64>,
    /// Of the element of `cacheDetails` in hand.
    detail: Option<u64>,
    is_one_hour: bool,
}

impl<'a> Found<'a> {
    fn settle(self) -> Counts<'a> {
        let mut counts = self.counts;
        if self.inclusive {
            let usage = &mut counts.usage;
            let within = [self.cached, self.written].into_iter().flatten();
            usage.input_tokens = usage
                .input_tokens
                .map(|all| within.fold(all, u64::saturating_sub));
            usage.cache_read_tokens = self.cached.or(usage.cache_read_tokens);
            usage.cache_write_tokens = self.written.or(usage.cache_write_tokens);
        }
        counts
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Usage,
    /// How the input is made up.
    Input,
    /// How the output is made up.
    Output,
    /// How long the cache keeps what was written: by name, or in a list.
    Creation,
    Details,
    Detail,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Input,
    Output,
    CacheRead,
    CacheWrite,
    Latency,
    ServiceTier,
    InputDetails,
    OutputDetails,
    Creation,
    Details,
    Cached,
    Written,
    Reasoning,
    OneHour,
    Ttl,
    Other,
}

impl Key {
    fn of(name: &[u8]) -> Self {
        match name {
            b"inputTokens" | b"inputTokenCount" | b"input_tokens" | b"prompt_tokens" => Self::Input,
            b"outputTokens" | b"outputTokenCount" | b"output_tokens" | b"completion_tokens" => {
                Self::Output
            }
            b"cacheReadInputTokens" | b"cacheReadInputTokenCount" | b"cache_read_input_tokens" => {
                Self::CacheRead
            }
            b"cacheWriteInputTokens"
            | b"cacheWriteInputTokenCount"
            | b"cache_creation_input_tokens" => Self::CacheWrite,
            b"invocationLatency" => Self::Latency,
            b"service_tier" => Self::ServiceTier,
            b"prompt_tokens_details" | b"input_tokens_details" => Self::InputDetails,
            b"completion_tokens_details" | b"output_tokens_details" => Self::OutputDetails,
            b"cache_creation" => Self::Creation,
            b"cacheDetails" => Self::Details,
            b"cached_tokens" => Self::Cached,
            b"cache_write_tokens" => Self::Written,
            b"reasoning_tokens" | b"thinking_tokens" => Self::Reasoning,
            b"ephemeral_1h_input_tokens" => Self::OneHour,
            b"ttl" => Self::Ttl,
            _ => Self::Other,
        }
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Key, E> {
                Ok(Key::of(name.as_bytes()))
            }
        }
        deserializer.deserialize_str(Name)
    }
}

struct Seed<'s, 'a> {
    found: &'s mut Found<'a>,
    place: Place,
}

impl<'de> DeserializeSeed<'de> for Seed<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// What is of another type than it should be counts for nothing.
macro_rules! nothing {
    ($($name:ident: $type:ty),*) => {
        $(fn $name<E: de::Error>(self, _: $type) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        })*

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("anything")
        }
    };
}

impl<'de> Visitor<'de> for Seed<'_, 'de> {
    type Value = ();

    nothing!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { found, place } = self;
        while let Some(key) = map.next_key::<Key>()? {
            let usage = &mut found.counts.usage;
            let count = match (place, key) {
                (Place::Usage, Key::Input) => &mut usage.input_tokens,
                (Place::Usage, Key::Output) => &mut usage.output_tokens,
                (Place::Usage, Key::CacheRead) => &mut usage.cache_read_tokens,
                (Place::Usage, Key::CacheWrite) => &mut usage.cache_write_tokens,
                (Place::Usage, Key::Latency) => &mut found.counts.latency,
                (Place::Input, Key::Cached) => &mut found.cached,
                (Place::Input, Key::Written) => &mut found.written,
                (Place::Output, Key::Reasoning) => &mut usage.reasoning_tokens,
                (Place::Creation, Key::OneHour) => &mut usage.cache_write_1h_tokens,
                (Place::Detail, Key::Input) => &mut found.detail,
                (Place::Usage, Key::ServiceTier) => {
                    let Text(tier) = map.next_value()?;
                    found.counts.service_tier = tier.or(found.counts.service_tier);
                    continue;
                }
                (Place::Detail, Key::Ttl) => {
                    let Text(ttl) = map.next_value()?;
                    found.is_one_hour = ttl == Some("1h");
                    continue;
                }
                (Place::Usage, Key::InputDetails) => {
                    found.inclusive = true;
                    map.next_value_seed(found.at(Place::Input))?;
                    continue;
                }
                (Place::Usage, Key::OutputDetails) => {
                    map.next_value_seed(found.at(Place::Output))?;
                    continue;
                }
                (Place::Usage, Key::Creation) => {
                    map.next_value_seed(found.at(Place::Creation))?;
                    continue;
                }
                (Place::Usage, Key::Details) => {
                    map.next_value_seed(found.at(Place::Details))?;
                    continue;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let Count(value) = map.next_value()?;
            // Of several the last that is a number, as with most parsers.
            *count = value.or(*count);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { found, place } = self;
        if place != Place::Details {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        loop {
            (found.detail, found.is_one_hour) = (None, false);
            if list.next_element_seed(found.at(Place::Detail))?.is_none() {
                return Ok(());
            }
            if let (Some(tokens), true) = (found.detail, found.is_one_hour) {
                let all = &mut found.counts.usage.cache_write_1h_tokens;
                *all = Some(all.unwrap_or_default().saturating_add(tokens));
            }
        }
    }
}

impl<'a> Found<'a> {
    fn at(&mut self, place: Place) -> Seed<'_, 'a> {
        Seed { found: self, place }
    }
}

/// A count of tokens; some models write them as `28.0`.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Count(pub(super) Option<u64>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A number that is too great for any type is none, and its neighbours are what they are.
        let text = <&RawValue>::deserialize(deserializer)?.get();
        let count = match text.parse::<u64>() {
            Ok(count) => Some(count),
            Err(_) => {
                let number = text.parse::<f64>().ok();
                // Between these bounds the cast loses nothing but a fraction.
                let is_count = |number: &f64| (0.0..=MOST_TOKENS as f64).contains(number);
                number.filter(is_count).map(|number| number as u64)
            }
        };
        Ok(Self(count.and_then(credible)))
    }
}

/// A text without escapes.
#[derive(Debug, Default)]
struct Text<'a>(Option<&'a str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Text<'de>;

            nothing!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Some(text)))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'de>, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Text(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Text<'de>, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Text(None))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests;
