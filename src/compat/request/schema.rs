//! JSON Schemas: what Bedrock asks of them beyond what OpenAI does. They stay text, with the order
//! of their keys; only what has to change is written anew.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::check::{Problem, check};
use super::converse::{AnyObject, Json};
use super::flat::{self, Unfit, is_combination};
use super::json::{self, Node};
use super::path::{At, Excerpt};
use super::tree::Tree;
use crate::reject::Rejection;

/// The longest schema that is closed.
const LONGEST_TO_CLOSE: usize = 1 << 20;

type Pairs<'s> = Vec<(Cow<'s, str>, &'s RawValue)>;

/// The schema of a tool's input. At its root there has to be `"type": "object"`, and there must
/// not be `anyOf`, `oneOf`, `allOf` or `$ref`.
pub(super) fn input<'n>(node: Option<&'n Node<'n>>, at: &At<'_>) -> Result<Json<'n>, Rejection> {
    let Some(node) = node else {
        return Ok(Json::AnyObject(AnyObject::default()));
    };
    let raw = node.verbatim(at)?;
    let pairs = root(raw, at)?;
    if pairs.is_empty() {
        return Ok(Json::AnyObject(AnyObject::default()));
    }
    let is_typed = find(&pairs, "type").is_some_and(|kind| is_object(kind.get()));
    let is_combined = pairs.iter().any(|(key, _)| is_combination(key));
    if is_typed && !is_combined {
        return Ok(Json::Given(raw));
    }
    let text = if is_combined {
        flattened(raw, at)?
    } else {
        let rest = pairs.iter().filter(|(key, _)| key != "type");
        let mut text = String::from(r#"{"type":"object""#);
        rest.for_each(|(key, value)| push_pair(&mut text, key, value.get()));
        text.push('}');
        text
    };
    let made = RawValue::from_string(text).map_err(|error| at.refuse("invalid_json", error))?;
    Ok(Json::Made(made))
}

fn flattened(raw: &RawValue, at: &At<'_>) -> Result<String, Rejection> {
    let too_large = || {
        at.invalid(
            "the combination of schemas at the root is too large; give one of 'type': 'object' \
             with 'properties'.",
        )
    };
    let tree = Tree::read(raw.get()).ok_or_else(too_large)?;
    let text = flat::flattened(&tree).map_err(|unfit| match unfit {
        Unfit::Large => too_large(),
        Unfit::Unresolved(reference) => at.invalid(format_args!(
            "the reference '{}' names nothing in the schema.",
            Excerpt(&reference)
        )),
    })?;
    match check(&text) {
        Err(Problem::Grammar(_)) => Err(too_large()),
        // What is there twice was so before, which is refused.
        Err(Problem::Twice(_)) | Ok(()) => Ok(text),
    }
}

/// The keys of a schema that is to describe an object.
fn root<'n>(raw: &'n RawValue, at: &At<'_>) -> Result<Pairs<'n>, Rejection> {
    let pairs = json::pairs(raw.get()).map_err(|error| at.refuse("invalid_json", error))?;
    if find(&pairs, "type").is_some_and(|kind| !may_be_object(kind.get())) {
        return Err(at.invalid("the schema must be one of 'type': 'object'."));
    }
    Ok(pairs)
}

/// Refuses a schema that does not describe an object.
pub(super) fn check_root(raw: &RawValue, at: &At<'_>) -> Result<(), Rejection> {
    root(raw, at).map(drop)
}

/// Whether this `type` has objects in it.
pub(super) fn may_be_object(kind: &str) -> bool {
    if !kind.starts_with('[') {
        return is_object(kind);
    }
    let kinds: Result<Vec<&RawValue>, _> = serde_json::from_str(kind);
    kinds.is_ok_and(|kinds| kinds.iter().any(|kind| is_object(kind.get())))
}

/// Whether this is `"object"`, however it is written.
fn is_object(kind: &str) -> bool {
    let escaped = || serde_json::from_str::<String>(kind).is_ok_and(|kind| kind == "object");
    kind == r#""object""# || kind.contains('\\') && escaped()
}

fn find<'s>(pairs: &[(Cow<'_, str>, &'s RawValue)], name: &str) -> Option<&'s RawValue> {
    let mut pairs = pairs.iter();
    pairs.find(|(key, _)| key == name).map(|(_, value)| *value)
}

pub(super) fn push_pair(out: &mut String, key: &str, value: &str) {
    push_key(out, key);
    out.push_str(value);
}

fn push_key(out: &mut String, key: &str) {
    if !out.ends_with('{') {
        out.push(',');
    }
    // Writing a string cannot fail.
    out.push_str(&serde_json::to_string(key).unwrap_or_default());
    out.push(':');
}

/// The schema with every object closed (`"additionalProperties": false`), as Claude asks of one
/// that its answer is held to; none if it has what Claude does not take there.
pub(super) fn closed(schema: &RawValue) -> Option<Cow<'_, str>> {
    if schema.get().len() > LONGEST_TO_CLOSE {
        return None;
    }
    let mut closing = Closing {
        out: String::with_capacity(schema.get().len() + 64),
        changed: false,
    };
    closing.schema(&Tree::read(schema.get())?)?;
    Some(if closing.changed {
        Cow::Owned(closing.out)
    } else {
        Cow::Borrowed(schema.get())
    })
}

struct Closing {
    out: String,
    changed: bool,
}

impl Closing {
    fn schema(&mut self, schema: &Tree<'_>) -> Option<()> {
        if !schema.is_object() {
            self.out.push_str(schema.text);
            return Some(());
        }
        let is_object = schema.get("properties").is_some()
            || schema
                .get("type")
                .is_some_and(|kind| may_be_object(kind.text));
        let is_closed = schema.get("additionalProperties").is_some();
        self.out.push('{');
        for (key, value) in schema.pairs() {
            push_key(&mut self.out, key);
            match &**key {
                "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf"
                | "minLength" | "maxLength" | "maxItems" | "uniqueItems" | "contains"
                | "minProperties" | "maxProperties" | "patternProperties" | "propertyNames"
                | "prefixItems" | "oneOf" | "not" | "if" | "then" | "else" => return None,
                "minItems" if !matches!(value.text, "0" | "1") => return None,
                "additionalProperties" if value.text != "false" => return None,
                "properties" | "$defs" | "definitions" if value.is_object() => {
                    self.out.push('{');
                    for (name, schema) in value.pairs() {
                        push_key(&mut self.out, name);
                        self.schema(schema)?;
                    }
                    self.out.push('}');
                }
                "properties" | "$defs" | "definitions" => return None,
                "items" if value.text.starts_with('[') => return None,
                "items" => self.schema(value)?,
                "anyOf" | "allOf" => {
                    self.out.push('[');
                    for (index, schema) in value.list().iter().enumerate() {
                        if index > 0 {
                            self.out.push(',');
                        }
                        self.schema(schema)?;
                    }
                    self.out.push(']');
                }
                _ => self.out.push_str(value.text),
            }
        }
        if is_object && !is_closed {
            self.changed = true;
            push_pair(&mut self.out, "additionalProperties", "false");
        }
        self.out.push('}');
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::{closed, input};
    use crate::compat::request::json;
    use crate::compat::request::path::At;

    fn normalised(schema: &str) -> Option<String> {
        let request = format!(r#"{{"parameters": {schema}}}"#);
        let request = json::read(request.as_bytes()).unwrap();
        let at = At::parameter("parameters");
        let schema = input(request.first().map(|(_, node)| node), &at).ok()?;
        Some(serde_json::to_string(&schema).unwrap())
    }

    #[test]
    fn roots() {
        let nothing = r#"{"type":"object","properties":{}}"#;
        for (schema, expected) in [
            ("{}", nothing),
            // Word for word.
            (
                r#"{ "type":"object", "z":1.0, "a":2}"#,
                r#"{ "type":"object", "z":1.0, "a":2}"#,
            ),
            (
                r#"{"z":1,"properties":{}}"#,
                r#"{"type":"object","z":1,"properties":{}}"#,
            ),
            (
                r#"{"z":1,"type":["null","object"]}"#,
                r#"{"type":"object","z":1}"#,
            ),
            (r#"{"type":"object","anyOf":[]}"#, nothing),
            (r#"{"type":"\u006fbject"}"#, r#"{"type":"\u006fbject"}"#),
            // An alternative that says nothing makes none of the others narrower.
            (
                r#"{"anyOf":[true,{"properties":{"a":{"type":"string"}},"required":["a"]}]}"#,
                r#"{"type":"object","properties":{"a":{"anyOf":[{"type":"string"},{}]}}}"#,
            ),
            (
                r#"{"anyOf":[{"properties":{"k":{"const":1}}},{"properties":{"k":{"const":2}}},{"properties":{"k":{"const":3}}},{"properties":{"k":{"const":2}}}]}"#,
                r#"{"type":"object","properties":{"k":{"anyOf":[{"const":1},{"const":2},{"const":3}]}}}"#,
            ),
            (
                r##"{"$ref":"#/x/a~1b%20c/0","x":{"a/b c":[{"properties":{"a":{}}}]}}"##,
                r##"{"type":"object","properties":{"a":{}},"x":{"a/b c":[{"properties":{"a":{}}}]}}"##,
            ),
            // References to what is not there any more.
            (
                r##"{"anyOf":[{"properties":{"a":{"type":"string"},"b":{"$ref":"#/anyOf/0/properties/a"}}}],"$defs":{"C":{}}}"##,
                r##"{"type":"object","properties":{"a":{"type":"string"},"b":{"$ref":"#/$defs/root/anyOf/0/properties/a"}},"$defs":{"C":{},"root":{"anyOf":[{"properties":{"a":{"type":"string"},"b":{"$ref":"#/$defs/root/anyOf/0/properties/a"}}}]}}}"##,
            ),
            (
                r##"{"$ref":"#/$defs/A","$defs":{"A":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}}"##,
                r##"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"$defs":{"A":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}}"##,
            ),
            (
                r#"{"description":"d","oneOf":[{"properties":{"k":{"const":"a"},"x":{}},"required":["k","x"]},{"properties":{"k":{"const":"b"}},"required":["k"]},{"type":"null"}]}"#,
                r#"{"type":"object","properties":{"k":{"anyOf":[{"const":"a"},{"const":"b"}]},"x":{}},"required":["k"],"description":"d"}"#,
            ),
            (
                r#"{"properties":{"a":{}},"required":["a"],"allOf":[{"properties":{"b":{}},"required":["b"]},{"properties":{"a":{"type":"string"}}}]}"#,
                r#"{"type":"object","properties":{"a":{"allOf":[{},{"type":"string"}]},"b":{}},"required":["a","b"]}"#,
            ),
        ] {
            assert_eq!(normalised(schema).as_deref(), Some(expected), "{schema}");
        }
        for schema in [
            "[]",
            "7",
            r#""object""#,
            r#"{"type":"string"}"#,
            r#"{"type":["string","null"]}"#,
            r#"{"type":"object","type":"object"}"#,
            r#"{"type":"object","x":"\ud800"}"#,
            r#"{"type":"object","x":1e400}"#,
        ] {
            assert_eq!(normalised(schema), None, "{schema}");
        }
    }

    #[test]
    fn references_to_nothing() {
        for reference in ["#/$defs/B", "#A", "A", "#/%zz", "#/$defs/A/x"] {
            let schema = format!(r##"{{"$ref":"{reference}","$defs":{{"A":{{}}}}}}"##);
            assert_eq!(normalised(&schema), None, "{schema}");
        }
    }

    /// Time and length grow with the schema.
    #[test]
    fn large_combinations() {
        let names: Vec<String> = (0..40_000).map(|n| format!("\"n{n}\"")).collect();
        let required = names.join(",");
        assert_eq!(
            normalised(&format!(r#"{{"anyOf":[{{"required":[{required}]}}]}}"#)),
            None
        );
        let alternatives: Vec<String> = (0..1000)
            .map(|n| format!(r#"{{"properties":{{"k":{{"const":{n}}}}},"required":["k"]}}"#))
            .collect();
        let union = format!(r#"{{"oneOf":[{}]}}"#, alternatives.join(","));
        let flat = normalised(&union).unwrap();
        assert!(flat.len() < union.len());
        // The same long schema in each of many alternatives.
        let long = "x".repeat(10_000);
        let alternatives: Vec<String> = (0..1000)
            .map(|n| {
                format!(
                    r##"{{"allOf":[{{"$ref":"#/$defs/A"}}],"properties":{{"k":{{"const":{n}}}}}}}"##
                )
            })
            .collect();
        let union = format!(
            r#"{{"oneOf":[{}],"$defs":{{"A":{{"properties":{{"k":{{"title":"{long}"}}}}}}}}}}"#,
            alternatives.join(",")
        );
        assert_eq!(normalised(&union), None);
    }

    #[test]
    fn references_in_circles() {
        let circle = r##"{"$ref":"#/$defs/A","$defs":{"A":{"allOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/A"}]}}}"##;
        assert_eq!(normalised(circle), None);
    }

    #[test]
    fn closing() {
        let of = |schema: &str| {
            let raw: Box<RawValue> = serde_json::from_str(schema).unwrap();
            closed(&raw).map(|schema| schema.into_owned())
        };
        let done = r#"{"type":"object", "properties":{}, "additionalProperties":false}"#;
        assert_eq!(of(done).as_deref(), Some(done));
        assert_eq!(
            of(r#"{"type":"object","properties":{"minimum":{"type":"array","items":{"properties":{}}}},"$defs":{"A":{"anyOf":[{"type":"object"},true]}}}"#)
                .as_deref(),
            Some(
                r#"{"type":"object","properties":{"minimum":{"type":"array","items":{"properties":{},"additionalProperties":false}}},"$defs":{"A":{"anyOf":[{"type":"object","additionalProperties":false},true]}},"additionalProperties":false}"#
            )
        );
        for unfit in [
            r#"{"type":"object","additionalProperties":true}"#,
            r#"{"type":"object","properties":{"a":{"type":"integer","minimum":0}}}"#,
            r#"{"type":"array","minItems":2}"#,
        ] {
            assert_eq!(of(unfit), None, "{unfit}");
        }
    }
}
