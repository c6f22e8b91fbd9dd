//! What is asked of images, documents, videos and audio.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::refusal::Refusal;
use super::family::Family;
use super::rules::{items, refuse, unsupported};

type Verdict = Result<(), Refusal>;

/// Whether the model takes this medium from this source.
pub(super) fn media(family: &Family, kind: &str, block: &Value) -> Verdict {
    if !family.media.contains(&kind) {
        return refuse(format!(
            "This model doesn't support the {kind} content block that you provided. Update the content block and try again."
        ));
    }
    if kind != "document" && !family.s3 && !block["source"]["s3Location"].is_null() {
        return unsupported("s3Uri");
    }
    Ok(())
}

/// The names of documents, and how many there are of what.
pub(super) fn documents(messages: &[Value]) -> Verdict {
    let mut names = BTreeSet::new();
    let (mut documents, mut images) = (0, 0);
    for message in messages {
        let content = items(&message["content"]);
        let nested = content
            .iter()
            .flat_map(|block| items(&block["toolResult"]["content"]));
        for block in content.iter().chain(nested) {
            images += usize::from(block["image"].is_object());
            let Some(name) = block["document"]["name"].as_str() else {
                continue;
            };
            documents += 1;
            let fits = |c: char| c.is_ascii_alphanumeric() || " \t\n-()[]".contains(c);
            if !name.chars().all(fits) || name.contains("  ") {
                return refuse(
                    "The document file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, and square brackets. The name can't contain more than one consecutive whitespace character.",
                );
            }
            if !names.insert(name) {
                return refuse(
                    "Messages can't contain duplicate document names. Rename the document and retry your request.",
                );
            }
        }
        let has = |kind: &str| content.iter().any(|block| !block[kind].is_null());
        if has("document") && !has("text") {
            return refuse(
                "A text block must be included when using documents. Add a text block and retry your request.",
            );
        }
    }
    if documents > 5 {
        return refuse("You can't include more than 5 documents in a request.");
    }
    if images > 20 {
        return refuse("You can't include more than 20 images in a request.");
    }
    Ok(())
}
