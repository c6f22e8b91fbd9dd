//! JSON Schemas: what Bedrock asks of them beyond what OpenAI does. They stay text, with the order
//! of their keys; only what has to change is written anew.

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::value::RawValue;

use super::converse::{AnyObject, Json};
use super::json::{self, Node};
use super::path::At;
use crate::reject::Rejection;

/// Schemas and properties in a combination that is made one.
const MOST_TO_FLATTEN: u32 = 2000;
const DEEPEST_TO_FLATTEN: u8 = 32;

/// The longest schema that is looked at to the bottom.
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
    let is_typed = find(&pairs, "type").is_some_and(|kind| kind.get() == r#""object""#);
    let is_combined = pairs.iter().any(|(key, _)| is_combination(key));
    if is_typed && !is_combined {
        return Ok(Json::Given(raw));
    }
    let text = if is_combined {
        let text = "the combination of schemas at the root is too large; give one of 'type': \
                    'object' with 'properties'.";
        flattened(&pairs).ok_or_else(|| at.invalid(text))?
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

/// The keys of a schema that is to describe an object.
fn root<'n>(raw: &'n RawValue, at: &At<'_>) -> Result<Pairs<'n>, Rejection> {
    let pairs = json::pairs(raw.get()).map_err(|error| at.refuse("invalid_json", error))?;
    if let Some(twice) = json::repeated(pairs.iter().map(|(key, _)| &**key)) {
        let text = "the key is there twice; send it once.";
        return Err(at.key(twice).invalid(text));
    }
    if find(&pairs, "type").is_some_and(|kind| !may_be_object(kind)) {
        return Err(at.invalid("the schema must be one of 'type': 'object'."));
    }
    Ok(pairs)
}

/// Refuses a schema that does not describe an object.
pub(super) fn check_root(raw: &RawValue, at: &At<'_>) -> Result<(), Rejection> {
    root(raw, at).map(drop)
}

fn may_be_object(kind: &RawValue) -> bool {
    match kind.get().as_bytes().first() {
        Some(b'[') => {
            let kinds: Result<Vec<&RawValue>, _> = serde_json::from_str(kind.get());
            kinds.is_ok_and(|kinds| kinds.iter().any(|kind| kind.get() == r#""object""#))
        }
        _ => kind.get() == r#""object""#,
    }
}

fn is_combination(key: &str) -> bool {
    matches!(key, "anyOf" | "oneOf" | "allOf" | "$ref")
}

fn find<'s>(pairs: &[(Cow<'_, str>, &'s RawValue)], name: &str) -> Option<&'s RawValue> {
    let mut pairs = pairs.iter();
    pairs.find(|(key, _)| key == name).map(|(_, value)| *value)
}

fn push_pair(out: &mut String, key: &str, value: &str) {
    if !out.ends_with(['{', '[']) {
        out.push(',');
    }
    push_string(out, key);
    out.push(':');
    out.push_str(value);
}

fn push_string(out: &mut String, text: &str) {
    // Writing a string cannot fail.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// A schema of one object in place of a combination of several: it has the properties of all, and
/// requires those that all of the alternatives require. What it describes includes what the
/// combination does. None if there is no end to it.
fn flattened(pairs: &[(Cow<'_, str>, &RawValue)]) -> Option<String> {
    let left = Cell::new(MOST_TO_FLATTEN);
    let flat = Flat::of(pairs, pairs, 0, &left);
    left.get().checked_sub(1)?;
    let mut properties = String::from("{");
    for (name, schema) in &flat.properties {
        push_pair(&mut properties, name, schema);
    }
    properties.push('}');
    let mut text = String::from(r#"{"type":"object""#);
    push_pair(&mut text, "properties", &properties);
    if !flat.required.is_empty() {
        let required = serde_json::to_string(&flat.required).unwrap_or_default();
        push_pair(&mut text, "required", &required);
    }
    for (key, value) in pairs {
        if !is_combination(key) && !matches!(&**key, "type" | "properties" | "required") {
            push_pair(&mut text, key, value.get());
        }
    }
    text.push('}');
    Some(text)
}

#[derive(Default)]
struct Flat<'s> {
    properties: Vec<(Cow<'s, str>, Cow<'s, str>)>,
    required: Vec<Cow<'s, str>>,
}

impl<'s> Flat<'s> {
    /// `top` has the definitions that references name. These may go in circles, so `left` says
    /// how many schemas and properties may still be looked at.
    fn of(
        pairs: &[(Cow<'s, str>, &'s RawValue)],
        top: &[(Cow<'s, str>, &'s RawValue)],
        depth: u8,
        left: &Cell<u32>,
    ) -> Self {
        let mut flat = Self::default();
        if depth == DEEPEST_TO_FLATTEN {
            left.set(0);
        }
        let count = || {
            left.set(left.get().saturating_sub(1));
            left.get() > 0
        };
        let branch = |raw: &'s RawValue| {
            if !count() {
                return None;
            }
            let pairs = json::pairs(raw.get()).ok()?;
            let is_object = find(&pairs, "type").is_none_or(may_be_object);
            is_object.then(|| Self::of(&pairs, top, depth + 1, left))
        };
        for (key, value) in pairs {
            match &**key {
                "properties" => {
                    for (name, schema) in json::pairs(value.get()).unwrap_or_default() {
                        if !count() {
                            break;
                        }
                        flat.property(name, Cow::Borrowed(schema.get()), "allOf");
                    }
                }
                "required" => {
                    let names: Vec<Name<'s>> =
                        serde_json::from_str(value.get()).unwrap_or_default();
                    names.into_iter().for_each(|name| flat.require(name.0));
                }
                "$ref" => {
                    let target = resolve(value, top);
                    if let Some(target) = target.and_then(branch) {
                        flat.add(target);
                    }
                }
                "allOf" => {
                    for target in list(value).into_iter().filter_map(branch) {
                        flat.add(target);
                    }
                }
                "anyOf" | "oneOf" => {
                    let alternatives = list(value).into_iter().filter_map(branch);
                    flat.add(Self::either(alternatives));
                }
                _ => {}
            }
        }
        flat
    }

    /// One of several.
    fn either(alternatives: impl Iterator<Item = Self>) -> Self {
        let mut either: Option<Self> = None;
        for alternative in alternatives {
            let Some(either) = &mut either else {
                either = Some(alternative);
                continue;
            };
            let required = &alternative.required;
            either.required.retain(|name| required.contains(name));
            for (name, schema) in alternative.properties {
                either.property(name, schema, "anyOf");
            }
        }
        either.unwrap_or_default()
    }

    /// This and another.
    fn add(&mut self, other: Self) {
        for (name, schema) in other.properties {
            self.property(name, schema, "allOf");
        }
        other
            .required
            .into_iter()
            .for_each(|name| self.require(name));
    }

    fn require(&mut self, name: Cow<'s, str>) {
        if !self.required.contains(&name) {
            self.required.push(name);
        }
    }

    /// A property that is there already gets a combination of both schemas, which is fine anywhere
    /// but at the root.
    fn property(&mut self, name: Cow<'s, str>, schema: Cow<'s, str>, combination: &str) {
        let mut known = self.properties.iter_mut();
        match known.find(|(known, _)| *known == name) {
            Some((_, known)) if *known == schema => {}
            Some((_, known)) => {
                *known = Cow::Owned(format!(r#"{{"{combination}":[{known},{schema}]}}"#));
            }
            None => self.properties.push((name, schema)),
        }
    }
}

/// A string: borrowed, unless it is written with escapes.
#[derive(serde::Deserialize)]
struct Name<'s>(#[serde(borrow)] Cow<'s, str>);

fn list(raw: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

/// The schema that a reference of the form `#/$defs/name` names.
fn resolve<'s>(
    reference: &'s RawValue,
    top: &[(Cow<'s, str>, &'s RawValue)],
) -> Option<&'s RawValue> {
    let Name(reference) = serde_json::from_str(reference.get()).ok()?;
    let (definitions, name) = reference.strip_prefix("#/")?.split_once('/')?;
    let definitions = json::pairs(find(top, definitions)?.get()).ok()?;
    find(&definitions, name)
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
    closing.schema(schema)?;
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
    fn schema(&mut self, raw: &RawValue) -> Option<()> {
        if !raw.get().starts_with('{') {
            self.out.push_str(raw.get());
            return Some(());
        }
        let pairs = json::pairs(raw.get()).ok()?;
        let is_object =
            find(&pairs, "properties").is_some() || find(&pairs, "type").is_some_and(may_be_object);
        let is_closed = find(&pairs, "additionalProperties").is_some();
        self.out.push('{');
        for (key, value) in &pairs {
            self.key(key);
            match &**key {
                "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf"
                | "minLength" | "maxLength" | "maxItems" | "uniqueItems" | "contains"
                | "minProperties" | "maxProperties" | "patternProperties" | "propertyNames"
                | "prefixItems" | "oneOf" | "not" | "if" | "then" | "else" => return None,
                "minItems" if !matches!(value.get(), "0" | "1") => return None,
                "additionalProperties" if value.get() != "false" => return None,
                "properties" | "$defs" | "definitions" => {
                    self.out.push('{');
                    for (name, schema) in json::pairs(value.get()).ok()? {
                        self.key(&name);
                        self.schema(schema)?;
                    }
                    self.out.push('}');
                }
                "items" if value.get().starts_with('[') => return None,
                "items" => self.schema(value)?,
                "anyOf" | "allOf" => {
                    self.out.push('[');
                    for (index, schema) in list(value).into_iter().enumerate() {
                        if index > 0 {
                            self.out.push(',');
                        }
                        self.schema(schema)?;
                    }
                    self.out.push(']');
                }
                _ => self.out.push_str(value.get()),
            }
        }
        if is_object && !is_closed {
            self.changed = true;
            self.key("additionalProperties");
            self.out.push_str("false");
        }
        self.out.push('}');
        Some(())
    }

    fn key(&mut self, key: &str) {
        if !self.out.ends_with('{') {
            self.out.push(',');
        }
        push_string(&mut self.out, key);
        self.out.push(':');
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
