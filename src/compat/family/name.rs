//! Which part of an id names the model.

/// The part of a model's id that names the model: without the path of an ARN, and without the
/// geography of an inference profile. Other ARNs (of an application's profile, a router, a
/// deployment) do not say which model it is.
pub(super) fn name(id: &str) -> &str {
    let mut name = id;
    if id.starts_with("arn:") {
        let resource = id.splitn(6, ':').last().unwrap_or_default();
        let (kind, rest) = resource.split_once('/').unwrap_or_default();
        name = match kind {
            "foundation-model" | "inference-profile" => rest,
            // `custom-model/{base model}/{id}`
            "custom-model" => rest.split('/').next().unwrap_or(rest),
            _ => return "",
        };
    }
    const GEOGRAPHIES: [&str; 8] = ["us-gov", "us", "eu", "apac", "jp", "au", "ca", "global"];
    match name.split_once('.') {
        Some((geography, rest)) if GEOGRAPHIES.contains(&geography) => rest,
        _ => name,
    }
}
