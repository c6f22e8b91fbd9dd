//! Signs requests that come as lines of JSON, with one signer for all of them: for programs in
//! other languages, to compare.
//!
//! In: `{"method", "url", "headers": [[name, value]…], "signed": [name…], "body", "access_key",
//! "secret_key", "token": text or null, "region", "service", "time": seconds since 1970}`, where
//! `signed` are headers to be signed beyond the essential ones.
//! Out: `{"headers": [[name, value]…]}`, or `{"error": text}`, one line for each.

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, BufRead, BufWriter, Write};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde_json::{Value, json};
use tower_bedrock::sign::{PayloadHash, SignedHeaders, Signer, SigningParams};
use tower_bedrock_oracle::generate::clock::at;
use tower_bedrock_oracle::generate::keys::Keys;

fn main() -> Result<(), Box<dyn Error>> {
    let one = Signer::new();
    let mut signers = HashMap::new();
    let mut out = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let answer = match sign(&one, &mut signers, &serde_json::from_str(&line?)?) {
            Ok(headers) => json!({ "headers": headers }),
            Err(error) => json!({ "error": error.to_string() }),
        };
        writeln!(out, "{answer}")?;
    }
    Ok(out.flush()?)
}

fn sign(
    one: &Signer,
    signers: &mut HashMap<Vec<HeaderName>, Signer>,
    line: &Value,
) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let text = |name: &str| line[name].as_str().ok_or(format!("{name} is not a text"));
    let list = |name: &str| line[name].as_array().ok_or(format!("{name} is not a list"));

    let mut headers = HeaderMap::new();
    for pair in list("headers")? {
        let (name, value) = (pair[0].as_str(), pair[1].as_str());
        let (name, value) = name.zip(value).ok_or("a header is not a pair of texts")?;
        headers.append(name.parse::<HeaderName>()?, value.parse::<HeaderValue>()?);
    }
    let mut signed: Vec<HeaderName> = Vec::new();
    for name in list("signed")? {
        signed.push(name.as_str().ok_or("a name is not a text")?.parse()?);
    }
    let signer = signers.entry(signed).or_insert_with_key(|signed| {
        one.clone()
            .with_signed_headers(SignedHeaders::EssentialAnd(signed.clone().into()))
    });
    let keys = Keys::new(
        text("access_key")?,
        text("secret_key")?,
        line["token"].as_str(),
    );
    let time = at(line["time"].as_i64().ok_or("time is not a whole number")?);
    let params =
        SigningParams::new(&keys.credentials, text("region")?, time).with_service(text("service")?);
    let (method, uri): (Method, Uri) = (text("method")?.parse()?, text("url")?.parse()?);
    let payload = PayloadHash::of(text("body")?.as_bytes());
    signer.sign(&method, &uri, &mut headers, &payload, &params)?;
    headers
        .iter()
        .map(|(name, value)| Ok((name.to_string(), value.to_str()?.to_owned())))
        .collect()
}
