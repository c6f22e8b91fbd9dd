//! With whose keys a request goes to AWS: decided from its headers and query alone.

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, request};

use super::ClientCredentials;
use crate::headers::Present;
use crate::reject::{Rejection, RejectionKind};

const ALIAS: HeaderName = HeaderName::from_static("cf-aig-byok-alias");
const SIGV4: &str = "AWS4-HMAC-SHA256";

/// An AWS credential that the client sent with its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientCredential {
    /// A SigV4 signature in `Authorization`.
    SigV4 {
        /// `:authority` is among the signed headers, as the AWS SDK for JavaScript does over HTTP/2.
        signs_authority: bool,
    },
    /// A SigV4 signature in the query.
    Presigned,
    /// A Bedrock API key: a bearer token in `Authorization`.
    ApiKey,
}

/// With whose keys a request goes upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyChoice {
    /// The client's own.
    Client(ClientCredential),
    /// A stored key: that of the alias which the client named, else the default one.
    #[non_exhaustive]
    Stored {
        /// The value of `cf-aig-byok-alias`.
        alias: Option<HeaderValue>,
    },
}

impl KeyChoice {
    /// Whether the client's own signature covers the request, so that nothing in it may change.
    pub fn is_client_signed(&self) -> bool {
        matches!(
            self,
            Self::Client(ClientCredential::SigV4 { .. } | ClientCredential::Presigned)
        )
    }

    /// Whether the client's signature covers `:authority`.
    pub fn signs_authority(&self) -> bool {
        matches!(
            self,
            Self::Client(ClientCredential::SigV4 {
                signs_authority: true
            })
        )
    }

    pub(super) fn decide(
        head: &request::Parts,
        present: Present,
        policy: ClientCredentials,
    ) -> Result<Self, Rejection> {
        if present.has(Present::ALIAS) {
            let alias = head.headers.get(ALIAS).cloned();
            return Ok(Self::Stored { alias });
        }
        let may_be_its_own = present.has(Present::AUTHORIZATION) || head.uri.query().is_some();
        if policy == ClientCredentials::Ignore || !may_be_its_own {
            return Ok(Self::Stored { alias: None });
        }
        let Some(credential) = ClientCredential::of(head)? else {
            return Ok(Self::Stored { alias: None });
        };
        if policy == ClientCredentials::Refuse {
            return Err(refusal(
                "this gateway signs with its own keys: remove the AWS credentials from the request",
            ));
        }
        Ok(Self::Client(credential))
    }
}

impl ClientCredential {
    /// The credential in `head`, if there is one.
    fn of(head: &request::Parts) -> Result<Option<Self>, Rejection> {
        let mut values = head.headers.get_all(AUTHORIZATION).iter();
        let authorization = values.next();
        if values.next().is_some() {
            return Err(refusal("the header authorization was sent twice"));
        }
        let presigned = head.uri.query().is_some_and(is_presigned);
        match (authorization, presigned) {
            (None, false) => Ok(None),
            (Some(_), true) => Err(refusal(
                "the request carries both an authorization header and a presigned query: send one of them",
            )),
            (None, true) => {
                let algorithm = query_value(head, "X-Amz-Algorithm");
                let complete = ["X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders"]
                    .iter()
                    .all(|name| query_value(head, name).is_some_and(|value| !value.is_empty()));
                if algorithm != Some(SIGV4) || !complete {
                    return Err(refusal(
                        "the presigned query is incomplete: X-Amz-Algorithm=AWS4-HMAC-SHA256, X-Amz-Credential, X-Amz-Date, X-Amz-SignedHeaders and X-Amz-Signature are needed",
                    ));
                }
                Ok(Some(Self::Presigned))
            }
            (Some(value), false) => Self::in_header(value).map(Some),
        }
    }

    fn in_header(value: &HeaderValue) -> Result<Self, Rejection> {
        let value = value.to_str().map_err(|_| {
            refusal("the header authorization holds characters that are not visible ASCII")
        })?;
        let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            if rest.trim().is_empty() {
                return Err(refusal(
                    "the header authorization holds no token after Bearer",
                ));
            }
            // A proxy may have folded two headers into one; a gateway token could hide in it.
            if rest.trim().contains([' ', '\t', ',']) {
                return Err(refusal(
                    "the header authorization holds more than one token after Bearer",
                ));
            }
            return Ok(Self::ApiKey);
        }
        if scheme == SIGV4 {
            let signed = field(rest, "SignedHeaders").filter(|value| !value.is_empty());
            let credential = field(rest, "Credential").filter(|c| c.split('/').count() >= 5);
            let signature = field(rest, "Signature").filter(|value| !value.is_empty());
            if let (Some(signed), Some(_), Some(_)) = (signed, credential, signature) {
                let signs_authority = signed.split(';').any(|name| name == ":authority");
                return Ok(Self::SigV4 { signs_authority });
            }
            return Err(refusal(
                "the header authorization begins with AWS4-HMAC-SHA256 but lacks Credential=, SignedHeaders= or Signature=",
            ));
        }
        Err(refusal(
            "the header authorization holds neither a SigV4 signature (AWS4-HMAC-SHA256) nor a bearer token: remove it, or send one of these",
        ))
    }
}

/// The names in the client's `SignedHeaders`, separated by semicolons.
#[cfg(feature = "rewrite")]
pub(crate) fn signed_headers(head: &request::Parts) -> Option<std::borrow::Cow<'_, str>> {
    if let Some(value) = head.headers.get(AUTHORIZATION) {
        let (_, rest) = value.to_str().ok()?.split_once(' ')?;
        return field(rest, "SignedHeaders").map(Into::into);
    }
    let value = query_value(head, "X-Amz-SignedHeaders")?;
    Some(value.replace("%3B", ";").replace("%3b", ";").into())
}

/// `query` without the parameters of a presigned URL.
#[cfg(feature = "rewrite")]
pub(crate) fn without_presigned(query: &str) -> Option<String> {
    const NAMES: [&str; 7] = [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
        "X-Amz-Security-Token",
    ];
    is_presigned(query).then(|| {
        let kept = query.split('&').filter(|pair| {
            let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
            !NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
        });
        kept.collect::<Vec<_>>().join("&")
    })
}

fn is_presigned(query: &str) -> bool {
    query.split('&').any(|pair| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        name.eq_ignore_ascii_case("X-Amz-Signature")
            || name.eq_ignore_ascii_case("X-Amz-Credential")
    })
}

fn query_value<'a>(head: &'a request::Parts, name: &str) -> Option<&'a str> {
    head.uri.query()?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// The value of `name=` in the comma-separated list of an `Authorization` header.
fn field<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    list.split(',').find_map(|part| {
        let (key, value) = part.trim().split_once('=')?;
        (key == name).then_some(value)
    })
}

fn refusal(text: &'static str) -> Rejection {
    Rejection::new(RejectionKind::ClientCredentials, text)
}

#[cfg(test)]
mod tests {
    use http::{Request, request};

    use super::{ClientCredential, ClientCredentials, KeyChoice};
    use crate::headers::Present;
    use crate::reject::{Rejection, RejectionKind};

    const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AK/20260102/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=00ff";
    const QUERY: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2F20260102&X-Amz-Date=20260102T030405Z&X-Amz-SignedHeaders=host&X-Amz-Signature=00ff";

    fn head(query: &str, authorization: &[&str], alias: Option<&str>) -> request::Parts {
        let mut request = Request::builder().uri(format!("/x?{query}"));
        for value in authorization {
            request = request.header("authorization", *value);
        }
        if let Some(alias) = alias {
            request = request.header("cf-aig-byok-alias", alias);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn decide_by(policy: ClientCredentials, head: &request::Parts) -> Result<KeyChoice, Rejection> {
        KeyChoice::decide(head, Present::in_head(&head.headers), policy)
    }

    fn decide(head: &request::Parts) -> Result<KeyChoice, RejectionKind> {
        decide_by(ClientCredentials::PassThrough, head).map_err(|r| r.kind())
    }

    #[test]
    fn who_signs() {
        use ClientCredential::{ApiKey, Presigned, SigV4};
        let stored = |alias: Option<&'static str>| KeyChoice::Stored {
            alias: alias.map(http::HeaderValue::from_static),
        };
        let sigv4 = KeyChoice::Client(SigV4 {
            signs_authority: false,
        });
        let authority = SIGNED.replace("content-type;host", ":authority;content-type");
        for (head, choice) in [
            (head("", &[], None), stored(None)),
            (head("", &[], Some("eu")), stored(Some("eu"))),
            (head("", &[SIGNED], Some("eu")), stored(Some("eu"))),
            (head("", &["a", "b"], Some("eu")), stored(Some("eu"))),
            (head("", &[SIGNED], None), sigv4.clone()),
            (head("", &[&SIGNED.replace(", ", ",")], None), sigv4),
            (
                head("", &[&authority], None),
                KeyChoice::Client(SigV4 {
                    signs_authority: true,
                }),
            ),
            (head("", &["bEaReR k"], None), KeyChoice::Client(ApiKey)),
            (head(QUERY, &[], None), KeyChoice::Client(Presigned)),
        ] {
            assert_eq!(decide(&head).unwrap(), choice);
        }
    }

    #[test]
    fn refused_credentials() {
        for head in [
            head("", &[SIGNED, SIGNED], None),
            head("", &["Basic YTpi"], None),
            head("", &["Bearer"], None),
            head("", &["Bearer  "], None),
            head("", &["Bearer a, Bearer b"], None),
            head("", &["Bearer a,b"], None),
            head("", &[""], None),
            head("", &["AWS4-HMAC-SHA256"], None),
            head("", &["AWS4-HMAC-SHA256 garbage"], None),
            head("", &[&SIGNED.replace("Signature=", "Sig=")], None),
            head("", &[&SIGNED.replace("/aws4_request", "")], None),
            head(
                "",
                &[&SIGNED.replace("HMAC-SHA256", "ECDSA-P256-SHA256")],
                None,
            ),
            head(QUERY, &[SIGNED], None),
            head("X-Amz-Signature=00ff", &[], None),
            head(
                &QUERY.replace("HMAC-SHA256", "ECDSA-P256-SHA256"),
                &[],
                None,
            ),
        ] {
            let rejected = decide(&head);
            assert_eq!(rejected, Err(RejectionKind::ClientCredentials), "{head:?}");
        }
    }

    #[test]
    fn policy_decides_over_the_clients_own() {
        let head = head("", &[SIGNED], None);
        let ignored = decide_by(ClientCredentials::Ignore, &head).unwrap();
        assert_eq!(ignored, KeyChoice::Stored { alias: None });
        let refused = decide_by(ClientCredentials::Refuse, &head).unwrap_err();
        assert_eq!(refused.kind(), RejectionKind::ClientCredentials);
    }

    #[cfg(feature = "rewrite")]
    #[test]
    fn presigned_parameters_are_taken_out() {
        let query = format!("a=1&{QUERY}&b=%2b");
        assert_eq!(super::without_presigned(&query).unwrap(), "a=1&b=%2b");
        assert_eq!(super::without_presigned("a=1"), None);
        assert_eq!(
            super::signed_headers(&head(QUERY, &[], None)).unwrap(),
            "host"
        );
    }
}
