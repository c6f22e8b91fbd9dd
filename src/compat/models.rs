//! `GET …/compat/models`.

use serde_json::json;

use crate::context::Policy;

/// The list of the models that have a name here, as OpenAI gives it.
pub(super) fn list(policy: &Policy) -> Vec<u8> {
    let models = policy.listed_models().map(|(name, model)| {
        json!({
            "id": name,
            "object": "model",
            "created": 0,
            "owned_by": owner(model),
        })
    });
    let list = json!({ "object": "list", "data": models.collect::<Vec<_>>() });
    list.to_string().into()
}

/// Who made the model, as far as its id tells: `us.anthropic.claude-…` is of `anthropic`.
fn owner(model: &str) -> &str {
    let id = model.rsplit('/').next().unwrap_or(model);
    let mut labels = id.split('.');
    let (first, second) = (labels.next(), labels.next());
    match (first, second, labels.next()) {
        // A geographic prefix, then the vendor, then a name that may hold dots itself.
        (Some(_), Some(vendor), Some(_)) => vendor,
        (Some(vendor), Some(_), None) => vendor,
        _ => "aws-bedrock",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::list;
    use crate::context::{ModelAlias, Policy};

    fn names(policy: &Policy) -> Vec<(String, String)> {
        let list: Value = serde_json::from_slice(&list(policy)).unwrap();
        assert_eq!(list["object"], json!("list"));
        let entries = list["data"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let pair = |entry: &Value| (text(&entry["id"]), text(&entry["owned_by"]));
        entries.iter().map(pair).collect()
    }

    #[test]
    fn what_is_configured() {
        assert_eq!(names(&Policy::new()), []);
        let alias = |model| ModelAlias::new(model).unwrap();
        let policy = Policy::new()
            .with_model_alias("mini", alias("us.anthropic.claude-haiku-4-5"))
            .and_then(|policy| policy.with_model_alias("nova", alias("amazon.nova-lite-v1:0")))
            .unwrap();
        let pair = |name: &str, owner: &str| (name.to_owned(), owner.to_owned());
        assert_eq!(
            names(&policy),
            [pair("mini", "anthropic"), pair("nova", "amazon")]
        );
        // Only what is allowed, and what is allowed by its whole name.
        let policy = policy.with_models(["*anthropic.*", "mistral.pixtral-large-2502-v1:0"]);
        assert_eq!(
            names(&policy),
            [
                pair("mini", "anthropic"),
                pair("mistral.pixtral-large-2502-v1:0", "mistral")
            ]
        );
    }
}
