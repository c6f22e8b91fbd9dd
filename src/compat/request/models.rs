//! Names of models.

use std::borrow::Cow;

use super::path::{At, Excerpt};
use crate::compat::family::Family;
use crate::context::Policy;
use crate::reject::{Rejection, RejectionKind};
use crate::route::check_model;

/// The provider, in front of a model's id; it may be left out.
pub(in crate::compat) const PROVIDER: &str = "aws-bedrock/";

/// What a name stands for.
#[derive(Debug)]
pub(in crate::compat) struct Model<'n> {
    /// At Bedrock, not encoded.
    pub(in crate::compat) id: &'n str,
    pub(in crate::compat) family: &'static Family,
}

/// Finds the model that the client calls `name`: an alias, else an id, an inference profile or an
/// ARN of Bedrock's, with or without the provider in front.
pub(in crate::compat) fn resolve<'n>(
    name: &'n str,
    policy: &'n Policy,
) -> Result<Model<'n>, Rejection> {
    // An alias is looked up once, so aliases cannot go in circles.
    let named = name.strip_prefix(PROVIDER);
    let alias = policy
        .model_alias(name)
        .or_else(|| named.and_then(|named| policy.model_alias(named)));
    if let Some(alias) = alias {
        return Ok(Model {
            id: alias.model(),
            family: Family::of(alias.family().unwrap_or(alias.model())),
        });
    }
    let id = match named {
        Some(id) => id,
        None if is_bare_id(name) => name,
        None => return Err(unknown(name)),
    };
    if !check_model(id) {
        return Err(At::parameter("model").invalid(
            "after \"aws-bedrock/\" a model id of Bedrock is expected, such as \
             \"aws-bedrock/amazon.nova-lite-v1:0\", an inference profile, or an ARN of either.",
        ));
    }
    Ok(Model {
        id,
        family: Family::of(id),
    })
}

/// Whether this is an id of Bedrock's without the provider: `vendor.model`, or an ARN. A dot before
/// a digit is that of a version (`gpt-4.1`).
fn is_bare_id(name: &str) -> bool {
    let vendor_and_model = || {
        let mut dots = name.match_indices('.');
        dots.any(|(at, _)| {
            let next = name.as_bytes().get(at + 1);
            at > 0 && next.is_some_and(u8::is_ascii_alphabetic)
        })
    };
    name.starts_with("arn:") || (!name.contains('/') && vendor_and_model())
}

fn unknown(name: &str) -> Rejection {
    let text: Cow<'static, str> = format!(
        "The model '{}' does not exist here: expected \"aws-bedrock/\" and a model id of Bedrock, \
         such as \"aws-bedrock/amazon.nova-lite-v1:0\", or a name that GET …/compat/models lists.",
        Excerpt(name)
    )
    .into();
    Rejection::new(RejectionKind::NotFound, text)
        .with_param("model")
        .with_code("model_not_found")
}

#[cfg(test)]
mod tests {
    use super::resolve;
    use crate::context::{ModelAlias, Policy};

    #[test]
    fn names() {
        let nova = ModelAlias::new("us.amazon.nova-lite-v1:0").unwrap();
        let profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc";
        let opaque = ModelAlias::new(profile)
            .unwrap()
            .with_family("anthropic.claude-sonnet-4-5");
        let policy = Policy::new()
            .with_model_alias("gpt-4o-mini", nova.clone())
            .and_then(|policy| policy.with_model_alias("ours", opaque))
            .and_then(|policy| policy.with_model_alias("amazon.nova-pro-v1:0", nova))
            .unwrap();
        for (name, id, family) in [
            ("gpt-4o-mini", "us.amazon.nova-lite-v1:0", "amazon.nova"),
            (
                "aws-bedrock/gpt-4o-mini",
                "us.amazon.nova-lite-v1:0",
                "amazon.nova",
            ),
            ("ours", profile, "claude-sonnet-4-5"),
            // An alias goes before a model of that name, and is not looked up again.
            (
                "amazon.nova-pro-v1:0",
                "us.amazon.nova-lite-v1:0",
                "amazon.nova",
            ),
            ("aws-bedrock/x", "x", ""),
            (
                "anthropic.claude-sonnet-5",
                "anthropic.claude-sonnet-5",
                "claude-sonnet-5",
            ),
            (profile, profile, ""),
        ] {
            let model = resolve(name, &policy).unwrap();
            assert_eq!((model.id, model.family.key), (id, family), "{name}");
        }
        for (name, status) in [
            ("gpt-4o", 404),
            ("gpt-4.1", 404),
            ("openai/gpt-4o", 404),
            ("anthropic/claude.x", 404),
            ("", 404),
            ("AWS-BEDROCK/amazon.nova-lite-v1:0", 404),
            ("aws-bedrock/", 400),
            ("aws-bedrock/..", 400),
            ("aws-bedrock/../x", 400),
            ("aws-bedrock/aws-bedrock/amazon.nova-lite-v1:0", 400),
            ("aws-bedrock/a?b", 400),
            ("aws-bedrock/a#b", 400),
            ("aws-bedrock/a%2Fb", 400),
            ("a.b?c", 400),
        ] {
            let rejection = resolve(name, &policy).unwrap_err();
            assert_eq!(rejection.status(), status, "{name}");
            assert_eq!(rejection.param(), Some("model"), "{name}");
        }
    }
}
