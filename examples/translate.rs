//! What the OpenAI-compatible API makes of a request, without a gateway: OpenAI's chat completion
//! requests on stdin, one a line, and for each a line of JSON on stdout.
//!
//! ```text
//! echo '{"model": "aws-bedrock/amazon.nova-lite-v1:0", "seed": 7,
//!     "messages": [{"role": "user", "content": "Hello"}]}' | tr -d '\n' |
//!     cargo run --example translate --features compat
//! ```
//!
//! With `--strict`, what Bedrock has no counterpart for is refused instead of left out. With
//! `--alias NAME=MODEL[=FAMILY]`, a model has another name.

use std::error::Error;
use std::io::{BufRead, Write};

use serde_json::json;
use serde_json::value::RawValue;
use tower_bedrock::compat::Translation;
use tower_bedrock::{ModelAlias, Policy};

fn main() -> Result<(), Box<dyn Error>> {
    let policy = policy(std::env::args().skip(1))?;
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().split(b'\n') {
        out.write_all(translate(&line?, &policy)?.as_bytes())?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

fn translate(request: &[u8], policy: &Policy) -> Result<String, Box<dyn Error>> {
    let translation = match Translation::of(request, policy) {
        Ok(translation) => translation,
        Err(rejection) => {
            let error = json!({
                "status": rejection.status().as_u16(),
                "param": rejection.param(),
                "code": rejection.code(),
                "message": rejection.text(),
            });
            return Ok(json!({ "error": error }).to_string());
        }
    };
    // Word for word, with the order of its keys.
    let body = translation.body();
    let converse: &RawValue = serde_json::from_slice(&body)?;
    let dropped = translation.dropped();
    Ok(format!(
        r#"{{"model":{},"stream":{},"converse":{converse},"dropped":{}}}"#,
        json!(translation.model()),
        translation.is_stream(),
        json!(dropped),
    ))
}

fn policy(mut args: impl Iterator<Item = String>) -> Result<Policy, Box<dyn Error>> {
    let mut policy = Policy::new();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--strict" => policy = policy.with_strict_parameters(true),
            "--alias" => {
                let alias = args.next().ok_or("--alias needs NAME=MODEL")?;
                let (name, model) = alias.split_once('=').ok_or("--alias needs NAME=MODEL")?;
                let alias = match model.split_once('=') {
                    Some((model, family)) => ModelAlias::new(model)?.with_family(family),
                    None => ModelAlias::new(model)?,
                };
                policy = policy.with_model_alias(name, alias)?;
            }
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    Ok(policy)
}
