//! A stored key: credentials, and the region they are for.

use std::sync::Arc;

use serde_core::de::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::Credentials;
use crate::error::ConfigError;
use crate::fields::{self, Others};
use crate::route::partition;

/// A provider key as Cloudflare AI Gateway stores it for Bedrock ("bring your own key").
///
/// ```
/// use tower_bedrock::credentials::StoredKey;
///
/// # fn main() -> Result<(), tower_bedrock::ConfigError> {
/// let key = StoredKey::from_json(r#"{
///     "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
///     "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
///     "region": "us-east-1"
/// }"#)?;
/// assert_eq!(key.region(), "us-east-1");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct StoredKey {
    credentials: Credentials,
    region: Arc<str>,
}

/// In the order in which they are read.
const NAMES: [&str; 5] = [
    "accessKeyId",
    "secretAccessKey",
    "sessionToken",
    "apiKey",
    "region",
];

struct Text(Zeroizing<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        String::deserialize(value).map(|text| Self(text.into()))
    }
}

impl StoredKey {
    /// These credentials; `region` is where requests go that name none.
    ///
    /// # Errors
    /// If `region` is not the name of a region.
    pub fn new(credentials: Credentials, region: &str) -> Result<Self, ConfigError> {
        if partition(region).is_none() {
            return Err(ConfigError::new(
                "region",
                "is not the name of an AWS region",
            ));
        }
        Ok(Self {
            credentials,
            region: region.into(),
        })
    }

    /// Reads the JSON object: `accessKeyId`, `secretAccessKey`, `region` and, for temporary
    /// credentials, `sessionToken`; or `apiKey` and `region`.
    ///
    /// # Errors
    /// If it is not that; the error does not show the text.
    pub fn from_json(json: &str) -> Result<Self, ConfigError> {
        // serde's own text may quote what was found, so it is not passed on.
        let fields = fields::read(json.as_bytes(), NAMES, Others::Refused);
        let [id, secret, token, api_key, region] = fields.map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            ConfigError::new(
                "provider key",
                format!("is not a JSON object of accessKeyId, secretAccessKey, region and, if temporary, sessionToken (or apiKey and region): look at {place}"),
            )
        })?;
        let missing = |name: &'static str| move || ConfigError::new(name, "is missing");
        let credentials = match api_key {
            Some(Text(key)) => {
                if id.is_some() || secret.is_some() || token.is_some() {
                    return Err(ConfigError::new(
                        "apiKey",
                        "is there beside a key pair: keep one of them",
                    ));
                }
                Credentials::api_key(&key)?
            }
            None => {
                let Text(id) = id.ok_or_else(missing("accessKeyId"))?;
                let Text(secret) = secret.ok_or_else(missing("secretAccessKey"))?;
                match token {
                    Some(Text(token)) => Credentials::with_session_token(&id, &secret, &token)?,
                    None => Credentials::new(&id, &secret)?,
                }
            }
        };
        let Text(region) = region.ok_or_else(missing("region"))?;
        Self::new(credentials, &region)
    }

    /// The credentials.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Where requests go that name no region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The same, for keeping.
    pub(super) fn shared_region(&self) -> Arc<str> {
        Arc::clone(&self.region)
    }
}

#[cfg(test)]
mod tests {
    use super::StoredKey;

    #[test]
    fn the_object_as_it_stands() {
        let pair = r#"{"accessKeyId":"AKIAIOSFODNN7EXAMPLE","secretAccessKey":"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY","region":"us-east-1"}"#;
        assert_eq!(
            StoredKey::from_json(pair).unwrap().credentials().id(),
            "AKIAIOSFODNN7EXAMPLE"
        );
        let temporary = pair.replace(
            "\"region\"",
            "\"sessionToken\":\"FwoGZXIvYXdzEBY...\",\"region\"",
        );
        assert!(StoredKey::from_json(&temporary).is_ok());
        let key = StoredKey::from_json(r#"{"apiKey":"k","region":"eu-west-1"}"#).unwrap();
        assert_eq!(
            (key.credentials().id(), key.region()),
            ("api-key", "eu-west-1")
        );
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_shown() {
        for (json, setting) in [
            ("", "provider key"),
            ("[]", "provider key"),
            (r#"["A","hush",null,null,"us-east-1"]"#, "provider key"),
            (
                r#"{"accessKeyId":"A","secretAccessKey":"hush","region":"us-east-1","region":"us-east-1"}"#,
                "provider key",
            ),
            (
                r#"{"accessKeyId":"A","secretAccessKey":"hush","region":"us-east-1","x":1}"#,
                "provider key",
            ),
            (
                r#"{"accessKeyId":"A","secretAccessKey":["hush"],"region":"us-east-1"}"#,
                "provider key",
            ),
            (
                r#"{"secretAccessKey":"hush","region":"us-east-1"}"#,
                "accessKeyId",
            ),
            (
                r#"{"accessKeyId":"A","region":"us-east-1"}"#,
                "secretAccessKey",
            ),
            (r#"{"accessKeyId":"A","secretAccessKey":"hush"}"#, "region"),
            (
                r#"{"accessKeyId":"A","secretAccessKey":"hush","region":""}"#,
                "region",
            ),
            (
                r#"{"accessKeyId":"A","secretAccessKey":"hush\n","region":"us-east-1"}"#,
                "secretAccessKey",
            ),
            (
                r#"{"accessKeyId":"A","secretAccessKey":"hush","apiKey":"k","region":"us-east-1"}"#,
                "apiKey",
            ),
        ] {
            let error = StoredKey::from_json(json).unwrap_err();
            assert_eq!(error.setting(), setting, "{json}");
            assert!(!format!("{error:?}").contains("hush"), "{error:?}");
        }
    }
}
