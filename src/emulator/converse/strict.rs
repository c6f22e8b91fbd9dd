//! Claude's rules for schemas that the answer is made to fit: strict tools and structured output.

use serde_json::Value;

use super::super::refusal::Refusal;
use super::rules::model_refuses;

/// Keywords without effect on the grammar, by the type that they belong to.
const UNSUPPORTED: [(&str, &[&str]); 3] = [
    (
        "integer",
        &[
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "multipleOf",
        ],
    ),
    (
        "number",
        &[
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "multipleOf",
        ],
    ),
    ("array", &["maxItems", "uniqueItems"]),
];

/// Looks at every part of a schema that `place` holds.
pub(super) fn check(schema: &Value, place: &str) -> Result<(), Refusal> {
    let kind = schema["type"].as_str().unwrap_or_default();
    if kind == "object" && schema["additionalProperties"] != false {
        return model_refuses(format!(
            "{place}: For 'object' type, 'additionalProperties' must be explicitly set to false"
        ));
    }
    let unsupported = UNSUPPORTED.iter().find(|(of, _)| *of == kind);
    for key in unsupported.map_or(&[][..], |(_, keys)| keys) {
        if !schema[key].is_null() {
            return model_refuses(format!(
                "{place}: For '{kind}' type, property '{key}' is not supported"
            ));
        }
    }
    if !schema["oneOf"].is_null() {
        return model_refuses(format!("{place}: Schema type 'oneOf' is not supported"));
    }
    for key in ["properties", "$defs", "definitions"] {
        for (_, part) in schema[key].as_object().into_iter().flatten() {
            check(part, place)?;
        }
    }
    for key in ["anyOf", "allOf", "prefixItems"] {
        for part in schema[key].as_array().into_iter().flatten() {
            check(part, place)?;
        }
    }
    match &schema["items"] {
        items @ Value::Object(_) => check(items, place),
        _ => Ok(()),
    }
}
