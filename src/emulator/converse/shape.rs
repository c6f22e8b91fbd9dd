//! Checks a value against a shape of the service model, and says what is wrong in the service's words.

use std::fmt;

use base64::Engine as _;
use serde_json::Value;

use super::super::refusal::Refusal;

/// What a value must look like.
pub(super) enum Shape {
    Text {
        min: usize,
        max: usize,
        pattern: Option<Pattern>,
    },
    Enum(&'static [&'static str]),
    Int,
    /// A number from 0 to 1.
    Share,
    Bool,
    /// Base64 of at least one byte.
    Blob,
    /// Any JSON.
    Document,
    List {
        of: &'static Shape,
        min: usize,
        max: usize,
    },
    Map {
        key: &'static Shape,
        value: &'static Shape,
        min: usize,
        max: usize,
    },
    Struct(&'static [Member]),
    /// Exactly one of its members.
    Union(&'static str, &'static [Member]),
}

/// Its name, whether it must be there, its shape.
pub(super) type Member = (&'static str, bool, &'static Shape);
/// A regular expression as the service words it, and what it means.
pub(super) type Pattern = (&'static str, fn(&str) -> bool);

pub(super) const REQUIRED: bool = true;
pub(super) const OPTIONAL: bool = false;
/// No upper bound.
pub(super) const ANY: usize = usize::MAX;

pub(super) const fn text(min: usize, max: usize) -> Shape {
    Shape::Text {
        min,
        max,
        pattern: None,
    }
}

pub(super) const fn matching(min: usize, max: usize, pattern: Pattern) -> Shape {
    Shape::Text {
        min,
        max,
        pattern: Some(pattern),
    }
}

pub(super) const fn list(of: &'static Shape) -> Shape {
    Shape::List {
        of,
        min: 0,
        max: ANY,
    }
}

/// Where in a body something is.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Root,
    Key(&'a Place<'a>, &'a str),
    Index(&'a Place<'a>, usize),
}

impl Place<'_> {
    fn write(
        &self,
        f: &mut fmt::Formatter<'_>,
        root: &str,
        separator: char,
        member: bool,
    ) -> fmt::Result {
        let (Self::Key(above, _) | Self::Index(above, _)) = self else {
            return f.write_str(root);
        };
        above.write(f, root, separator, member)?;
        if !(root.is_empty() && matches!(above, Place::Root)) {
            write!(f, "{separator}")?;
        }
        match self {
            Self::Index(_, index) if member => write!(f, "{}.member", index + 1),
            Self::Index(_, index) => write!(f, "{index}"),
            Self::Key(_, key) => f.write_str(key),
            Self::Root => Ok(()),
        }
    }

    /// `#/messages/0/content`
    fn pointer(&self) -> impl fmt::Display {
        fmt::from_fn(|f| self.write(f, "#", '/', false))
    }

    /// `messages.0.content`
    pub(super) fn dotted(&self) -> impl fmt::Display {
        fmt::from_fn(|f| self.write(f, "", '.', false))
    }

    /// `messages.1.member.content`
    fn member(&self) -> impl fmt::Display {
        fmt::from_fn(|f| self.write(f, "", '.', true))
    }

    fn malformed(&self, problem: impl fmt::Display) -> Refusal {
        let at = self.pointer();
        Refusal::validation(&format!(
            "Malformed input request: {at}: {problem}, please reformat your input and try again."
        ))
    }

    fn constraint(&self, value: impl fmt::Display, problem: impl fmt::Display) -> Refusal {
        let at = self.member();
        Refusal::validation(&format!(
            "1 validation error detected: Value '{value}' at '{at}' failed to satisfy constraint: Member must {problem}"
        ))
    }

    fn between(
        &self,
        value: impl fmt::Display,
        what: &str,
        number: usize,
        min: usize,
        max: usize,
    ) -> Result<(), Refusal> {
        if number < min {
            let problem = format!("have {what} greater than or equal to {min}");
            return Err(self.constraint(value, problem));
        }
        if number > max {
            let problem = format!("have {what} less than or equal to {max}");
            return Err(self.constraint(value, problem));
        }
        Ok(())
    }
}

impl Shape {
    /// Looks at `value`, which is at `place`.
    pub(super) fn check(&self, value: &Value, place: &Place<'_>) -> Result<(), Refusal> {
        let expected = |kind: &str| {
            place.malformed(format!("expected type: {kind}, found: {}", kind_of(value)))
        };
        match self {
            Self::Document => Ok(()),
            Self::Bool => value.as_bool().map(drop).ok_or_else(|| expected("Boolean")),
            Self::Text { min, max, pattern } => {
                let text = value.as_str().ok_or_else(|| expected("String"))?;
                place.between(text, "length", text.chars().count(), *min, *max)?;
                match pattern {
                    Some((pattern, fits)) if !fits(text) => Err(place.constraint(
                        text,
                        format!("satisfy regular expression pattern: {pattern}"),
                    )),
                    _ => Ok(()),
                }
            }
            Self::Enum(values) => {
                let text = value.as_str().ok_or_else(|| expected("String"))?;
                if values.contains(&text) {
                    return Ok(());
                }
                let values = values.join(", ");
                Err(place.constraint(text, format!("satisfy enum value set: [{values}]")))
            }
            Self::Int => {
                if value.is_f64() || !value.is_number() {
                    return Err(expected("Integer"));
                }
                let number = value.as_i64().unwrap_or(i64::MAX).max(0);
                let number = usize::try_from(number).unwrap_or(usize::MAX);
                place.between(value, "value", number, 1, 0x7fff_ffff)
            }
            Self::Share => {
                let number = value.as_f64().ok_or_else(|| expected("Number"))?;
                if number < 0.0 {
                    return Err(place.constraint(value, "have value greater than or equal to 0"));
                }
                if number > 1.0 {
                    return Err(place.constraint(value, "have value less than or equal to 1"));
                }
                Ok(())
            }
            Self::Blob => {
                let text = value.as_str().ok_or_else(|| expected("String"))?;
                place.between(text, "length", text.len(), 1, usize::MAX)?;
                match base64::engine::general_purpose::STANDARD.decode(text) {
                    Ok(_) => Ok(()),
                    Err(_) => Err(place.malformed("expected base64, found: String")),
                }
            }
            Self::List { of, min, max } => {
                let items = value.as_array().ok_or_else(|| expected("JSONArray"))?;
                place.between(value, "length", items.len(), *min, *max)?;
                items
                    .iter()
                    .enumerate()
                    .try_for_each(|(index, item)| of.check(item, &Place::Index(place, index)))
            }
            Self::Map {
                key,
                value: of,
                min,
                max,
            } => {
                let entries = value.as_object().ok_or_else(|| expected("JSONObject"))?;
                place.between(value, "length", entries.len(), *min, *max)?;
                entries.iter().try_for_each(|(name, item)| {
                    let place = Place::Key(place, name);
                    key.check(&Value::from(&name[..]), &place)?;
                    of.check(item, &place)
                })
            }
            Self::Struct(members) => {
                let present = present(members, value, place)?;
                for (name, required, _) in *members {
                    if *required && !present.iter().any(|(found, ..)| found == name) {
                        return Err(place.malformed(format!("required key [{name}] not found")));
                    }
                }
                each(&present, place)
            }
            Self::Union(name, members) => {
                let present = present(members, value, place)?;
                if present.len() == 1 {
                    return each(&present, place);
                }
                let must = if present.is_empty() {
                    "must set"
                } else {
                    "must set only"
                };
                let names: Vec<&str> = members.iter().map(|(name, ..)| *name).collect();
                let (at, names) = (place.dotted(), names.join(", "));
                Err(Refusal::validation(&format!(
                    "{name} object at {at} {must} one of the following keys: {names}."
                )))
            }
        }
    }
}

type Present<'a> = Vec<(&'static str, &'static Shape, &'a Value)>;

/// The members that `value` has; a null is none.
fn present<'a>(
    members: &[Member],
    value: &'a Value,
    place: &Place<'_>,
) -> Result<Present<'a>, Refusal> {
    let object = value.as_object().ok_or_else(|| {
        let found = kind_of(value);
        place.malformed(format!("expected type: JSONObject, found: {found}"))
    })?;
    let entries = object.iter().filter(|(_, value)| !value.is_null());
    let known = entries.map(|(key, value)| {
        let found = members.iter().find(|(name, ..)| name == key);
        let (name, _, shape) = found
            .ok_or_else(|| place.malformed(format!("extraneous key [{key}] is not permitted")))?;
        Ok((*name, *shape, value))
    });
    known.collect()
}

fn each(present: &Present<'_>, place: &Place<'_>) -> Result<(), Refusal> {
    present
        .iter()
        .try_for_each(|(name, shape, value)| shape.check(value, &Place::Key(place, name)))
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(number) if number.is_f64() => "Double",
        Value::Number(_) => "Integer",
        Value::String(_) => "String",
        Value::Array(_) => "JSONArray",
        Value::Object(_) => "JSONObject",
    }
}
