//! A plausible value for a JSON schema.

use std::cell::Cell;

use serde_json::{Map, Value, json};

/// Where a schema that refers to itself is cut short.
const DEEPEST: usize = 24;
/// How many values are made at most.
const MOST: usize = 20_000;
/// From here on nothing optional is made.
const DEEP: usize = 8;

/// Makes values that fit a schema; its strings are words of a prompt.
pub(super) struct Sampler<'a> {
    root: &'a Value,
    word: &'a str,
    made: Cell<usize>,
}

impl<'a> Sampler<'a> {
    pub(super) fn new(root: &'a Value, word: &'a str) -> Self {
        Self {
            root,
            word,
            made: Cell::new(0),
        }
    }

    /// A value for the whole schema.
    pub(super) fn value(&self) -> Value {
        self.sample(self.root, 0)
    }

    fn sample(&self, schema: &Value, depth: usize) -> Value {
        self.made.set(self.made.get() + 1);
        if depth > DEEPEST || self.made.get() > MOST {
            return Value::Null;
        }
        let next = |schema: &Value| self.sample(schema, depth + 1);
        if let Some(path) = schema["$ref"].as_str() {
            let found = path.strip_prefix('#');
            let found = found.and_then(|path| self.root.pointer(path));
            return found.map_or(Value::Null, next);
        }
        if !schema["const"].is_null() {
            return schema["const"].clone();
        }
        if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
            return first.clone();
        }
        for key in ["anyOf", "oneOf"] {
            let Some(choices) = schema[key].as_array().filter(|of| !of.is_empty()) else {
                continue;
            };
            let nothing = |choice: &&Value| choice["type"] == "null";
            let something = choices.iter().find(|choice| !nothing(choice));
            let chosen = match choices.iter().find(nothing) {
                Some(null) if depth > DEEP => Some(null),
                _ => something,
            };
            return chosen.map_or(Value::Null, next);
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let mut whole = self.of_type(schema, depth);
            for part in parts {
                match (&mut whole, next(part)) {
                    (Value::Object(whole), Value::Object(part)) => whole.extend(part),
                    (whole, part) => *whole = part,
                }
            }
            return whole;
        }
        self.of_type(schema, depth)
    }

    fn of_type(&self, schema: &Value, depth: usize) -> Value {
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null"),
            kind => Some(kind),
        };
        match kind.and_then(Value::as_str) {
            Some("object") => self.object(schema, depth),
            Some("array") => self.array(schema, depth),
            Some("string") => Value::from(self.string(schema)),
            Some("integer") => json!(number(schema) as i64),
            Some("number") => {
                let number = number(schema);
                if number.fract() == 0.0 {
                    return json!(number as i64);
                }
                json!(number)
            }
            Some("boolean") => json!(true),
            Some(_) => Value::Null,
            None if schema["properties"].is_object() => self.object(schema, depth),
            None if schema["items"].is_object() => self.array(schema, depth),
            None => json!({}),
        }
    }

    /// Its required properties.
    fn object(&self, schema: &Value, depth: usize) -> Value {
        let required = schema["required"].as_array().into_iter().flatten();
        let properties = required.filter_map(Value::as_str).map(|name| {
            let value = self.sample(&schema["properties"][name], depth + 1);
            (name.to_owned(), value)
        });
        Value::Object(properties.collect::<Map<_, _>>())
    }

    /// One item, or as many as there must be.
    fn array(&self, schema: &Value, depth: usize) -> Value {
        let mut made: Vec<Value> = schema["prefixItems"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|item| self.sample(item, depth + 1))
            .collect();
        let least = schema["minItems"].as_u64();
        let usual = u64::from(made.is_empty() && depth <= DEEP && schema["maxItems"] != 0);
        let least = usize::try_from(least.unwrap_or(usual)).unwrap_or(usize::MAX);
        while made.len() < least.min(100) {
            made.push(self.sample(&schema["items"], depth + 1));
        }
        Value::Array(made)
    }

    fn string(&self, schema: &Value) -> String {
        let fixed = match schema["format"].as_str() {
            Some("date-time") => Some("2026-01-02T03:04:05Z"),
            Some("date") => Some("2026-01-02"),
            Some("time") => Some("03:04:05Z"),
            Some("duration") => Some("PT1M"),
            Some("email") => Some("user@example.com"),
            Some("uri" | "url") => Some("https://example.com/"),
            Some("uuid") => Some("01234567-89ab-4cde-8f01-23456789abcd"),
            Some("ipv4") => Some("192.0.2.1"),
            Some("ipv6") => Some("2001:db8::1"),
            _ => None,
        };
        if let Some(fixed) = fixed {
            return fixed.to_owned();
        }
        let length = |key: &str| schema[key].as_u64().and_then(|it| usize::try_from(it).ok());
        let least = length("minLength").unwrap_or(0).min(4096);
        let most = length("maxLength").unwrap_or(usize::MAX);
        let word = self.word.chars().chain(std::iter::repeat('x'));
        word.take(self.word.chars().count().max(least).min(most))
            .collect()
    }
}

/// One, or the number that the schema's bounds ask for.
fn number(schema: &Value) -> f64 {
    let bound = |key: &str| schema[key].as_f64();
    let step = bound("multipleOf").filter(|step| *step > 0.0);
    let mut number: f64 = step.unwrap_or(1.0);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|it| it + 1.0));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|it| it - 1.0));
    if let Some(least) = least.filter(|least| number < *least) {
        number = step.map_or(least, |step| (least / step).ceil() * step);
    }
    if let Some(most) = most.filter(|most| number > *most) {
        number = step.map_or(most, |step| (most / step).floor() * step);
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits() {
        let schema = json!({
            "type": "object",
            "$defs": {
                "place": { "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] },
                "tree": { "type": "object", "properties": {
                    "left": { "anyOf": [{ "$ref": "#/$defs/tree" }, { "type": "null" }] },
                    "right": { "type": "array", "items": { "$ref": "#/$defs/tree" } },
                }, "required": ["left", "right"] },
            },
            "properties": {
                "place": { "$ref": "#/$defs/place" },
                "unit": { "enum": ["celsius", "kelvin"] },
                "days": { "type": "integer", "minimum": 3 },
                "odds": { "type": "number", "maximum": 0.5 },
                "even": { "type": "integer", "multipleOf": 2 },
                "note": { "type": ["null", "string"], "minLength": 7 },
                "on": { "type": "boolean" },
                "when": { "type": "string", "format": "date" },
                "tags": { "type": "array", "items": { "type": "string" }, "minItems": 2 },
                "maybe": { "anyOf": [{ "type": "null" }, { "const": 4 }] },
                "never": { "type": "string" },
                "tree": { "$ref": "#/$defs/tree" },
            },
            "required": ["place", "unit", "days", "odds", "even", "note", "on", "when", "tags", "maybe"],
        });
        assert_eq!(
            Sampler::new(&schema, "Paris").value(),
            json!({
                "place": { "city": "Paris" }, "unit": "celsius", "days": 3, "odds": 0.5, "even": 2,
                "note": "Parisxx", "on": true, "when": "2026-01-02", "tags": ["Paris", "Paris"], "maybe": 4,
            })
        );
        let endless = json!({ "$defs": schema["$defs"], "$ref": "#/$defs/tree" });
        let tree = Sampler::new(&endless, "x").value().to_string();
        assert!(
            tree.len() < 100_000 && tree.contains("null"),
            "{}",
            tree.len()
        );
        let twice = json!({ "type": "object", "required": ["a", "b"], "properties": { "a": { "$ref": "#" }, "b": { "$ref": "#" } } });
        assert!(Sampler::new(&twice, "x").value().is_object());
        assert_eq!(
            Sampler::new(&json!({ "$ref": "#" }), "x").value(),
            Value::Null
        );
        assert_eq!(
            Sampler::new(&json!({ "type": "object" }), "x").value(),
            json!({})
        );
    }
}
