//! Tokens: read from a request, held hashed, compared in constant time.

use std::fmt;
use std::future::{Future, ready};

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Authenticate;
use crate::context::Principal;
use crate::error::ConfigError;
use crate::reject::{Rejection, RejectionKind};

pub(super) const CF_AIG_AUTHORIZATION: HeaderName = HeaderName::from_static("cf-aig-authorization");

/// The gateway token of a request: from `cf-aig-authorization` if that is present, else from
/// `Authorization`.
///
/// # Errors
/// 401 if there is none, if `cf-aig-authorization` was sent twice, or if it is not `Bearer …`.
pub fn bearer_token(headers: &HeaderMap) -> Result<&str, Rejection> {
    let mut values = headers.get_all(CF_AIG_AUTHORIZATION).iter();
    if let Some(value) = values.next() {
        if values.next().is_some() {
            return Err(refusal("the header cf-aig-authorization was sent twice"));
        }
        return bearer(value).ok_or_else(|| {
            refusal("the header cf-aig-authorization is malformed: expected Bearer and the gateway's token")
        });
    }
    let mut values = headers.get_all(AUTHORIZATION).iter();
    values.find_map(bearer).ok_or_else(|| {
        if headers.contains_key(AUTHORIZATION) {
            refusal("no gateway token: authorization holds something else, so send the token as cf-aig-authorization: Bearer …")
        } else {
            refusal("no gateway token: send it as cf-aig-authorization: Bearer …, or as authorization: Bearer …")
        }
    })
}

/// The token in `Bearer …`.
pub(super) fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

pub(super) fn refusal(text: &'static str) -> Rejection {
    Rejection::new(RejectionKind::Unauthenticated, text)
}

/// A list of tokens, as their SHA-256 hashes.
#[derive(Clone, Default)]
pub(super) struct Hashes(Vec<[u8; 32]>);

impl Hashes {
    pub(super) fn add(&mut self, token: &str) -> Result<(), ConfigError> {
        if token.is_empty() {
            return Err(ConfigError::new("tokens", "a token is empty"));
        }
        if !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ConfigError::new(
                "tokens",
                "a token holds a space, a line break or another character that cannot stand in a header",
            ));
        }
        self.0.push(hash(token));
        Ok(())
    }

    pub(super) fn add_sha256(&mut self, hex: &str) -> Result<(), ConfigError> {
        let malformed = || ConfigError::new("tokens_sha256", "a hash is not 64 hex digits");
        let digits: Vec<u8> = hex
            .chars()
            .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
            .collect::<Option<_>>()
            .ok_or_else(malformed)?;
        let bytes: Vec<u8> = digits
            .as_chunks::<2>()
            .0
            .iter()
            .map(|[high, low]| high << 4 | low)
            .collect();
        let digest = <[u8; 32]>::try_from(bytes).map_err(|_| malformed())?;
        if digits.len() != 64 {
            return Err(malformed());
        }
        self.0.push(digest);
        Ok(())
    }

    /// The token's place in the list. Takes as long for a wrong token as for a right one.
    pub(super) fn find(&self, token: &str) -> Option<usize> {
        let digest = hash(token);
        self.0.iter().enumerate().fold(None, |found, (at, known)| {
            if is_same(known, &digest) {
                Some(at)
            } else {
                found
            }
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = [u8; 32]> + '_ {
        self.0.iter().copied()
    }
}

/// In constant time, and eight bytes at a time.
fn is_same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let pairs = one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0);
    let differ = pairs.fold(0, |differ, (one, other)| {
        differ | (u64::from_ne_bytes(*one) ^ u64::from_ne_bytes(*other))
    });
    differ.ct_eq(&0).into()
}

pub(super) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

impl fmt::Debug for Hashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} tokens]", self.0.len())
    }
}

/// One list of tokens, whatever the path: for services that are no gateway, such as gRPC ones.
///
/// ```
/// use tower_bedrock::auth::{BearerTokens, GatewayAuthLayer};
///
/// # fn main() -> Result<(), tower_bedrock::ConfigError> {
/// let layer = GatewayAuthLayer::new(BearerTokens::new(["s3cret"])?);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct BearerTokens(Hashes);

impl BearerTokens {
    /// These tokens.
    ///
    /// # Errors
    /// If there is none, or if one is empty or cannot stand in a header.
    pub fn new<I>(tokens: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let mut hashes = Hashes::default();
        for token in tokens {
            hashes.add(token.as_ref())?;
        }
        if hashes.is_empty() {
            return Err(ConfigError::new("tokens", "there is no token"));
        }
        Ok(Self(hashes))
    }

    fn check(&self, head: &Parts) -> Result<Principal, Rejection> {
        let token = bearer_token(&head.headers)?;
        let at = self
            .0
            .find(token)
            .ok_or_else(|| refusal("the gateway token is wrong"))?;
        Ok(Principal::new(format!("token-{}", at + 1)))
    }
}

impl Authenticate for BearerTokens {
    fn authenticate(
        &self,
        head: &Parts,
    ) -> impl Future<Output = Result<Principal, Rejection>> + Send {
        ready(self.check(head))
    }

    fn authenticate_now(&self, head: &Parts) -> Option<Result<Principal, Rejection>> {
        Some(self.check(head))
    }

    fn is_gateway_token(&self, token: &str) -> bool {
        self.0.find(token).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::{Hashes, hash, is_same};

    #[test]
    fn tokens_are_held_hashed() {
        let mut hashes = Hashes::default();
        hashes.add("one").unwrap();
        let hex: String = hash("two").iter().map(|b| format!("{b:02X}")).collect();
        hashes.add_sha256(&hex).unwrap();
        assert_eq!((hashes.find("one"), hashes.find("two")), (Some(0), Some(1)));
        assert_eq!(hashes.find("three"), None);
        for at in 0..32 {
            let mut other = hash("one");
            other[at] ^= 1;
            assert!(!is_same(&hash("one"), &other), "{at}");
        }
        assert_eq!(format!("{hashes:?}"), "[2 tokens]");
        for bad in ["", "a b", "a\n", "\u{e9}"] {
            assert!(hashes.add(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "zz", &hex[1..], &format!("{hex}0"), &format!("{hex}00")] {
            assert!(hashes.add_sha256(bad).is_err(), "{bad:?}");
        }
    }
}
