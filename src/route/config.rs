//! Where the gateway's paths begin, and how they are read.

use std::ops::Range;
use std::sync::Arc;

use super::parsed::{Known, Parsed};
use super::{
    CompatEndpoint, Excerpt, MAX_PATH, Names, Operation, Region, Service, Spans, SurfaceSpans,
    check, partition, slice,
};
use crate::error::ConfigError;
use crate::reject::{Rejection, RejectionKind};

/// Where the gateway's paths begin.
///
/// ```
/// use tower_bedrock::RouteConfig;
///
/// # fn main() -> Result<(), tower_bedrock::ConfigError> {
/// let routes = RouteConfig::new().with_prefix("/ai")?; // serves /ai/v1/{account}/{gateway}/…
/// let domain = RouteConfig::new().with_custom_domain("acme", "prod")?; // also serves /aws-bedrock/…
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct RouteConfig {
    prefix: Arc<str>,
    fixed: Option<Arc<(Box<str>, Box<str>)>>,
    needs_host: bool,
    known: Arc<Known>,
}

impl RouteConfig {
    /// Paths begin at the root and name account and gateway.
    pub fn new() -> Self {
        Self::default()
    }

    /// Paths begin below `prefix`, such as `/ai`.
    ///
    /// # Errors
    /// If `prefix` does not begin with a slash or holds a character that is not allowed in a path.
    pub fn with_prefix(mut self, prefix: &str) -> Result<Self, ConfigError> {
        let trimmed = prefix.trim_end_matches('/');
        let fits = |b: u8| b == b'/' || is_unreserved(b);
        if !(trimmed.is_empty() || trimmed.starts_with('/')) || !trimmed.bytes().all(fits) {
            return Err(ConfigError::new(
                "prefix",
                "must begin with a slash and hold letters, digits, `-._~` and slashes only",
            ));
        }
        self.prefix = trimmed.into();
        self.known = Arc::default();
        Ok(self)
    }

    /// Also accepts paths that begin with `/aws-bedrock/` or `/compat/`, for this gateway.
    ///
    /// # Errors
    /// If `account` or `gateway` cannot stand in a path.
    pub fn with_custom_domain(mut self, account: &str, gateway: &str) -> Result<Self, ConfigError> {
        check_name("account_id", account)?;
        check_name("gateway_id", gateway)?;
        self.fixed = Some(Arc::new((account.into(), gateway.into())));
        self.known = Arc::default();
        Ok(self)
    }

    /// Refuses requests of HTTP/1.1 that have no `Host` with 400, as a server must
    /// (RFC 9112 §3.2).
    ///
    /// Set it where a server hands on what came over a connection: neither hyper nor axum looks.
    /// It is off unless set, for a request that was made in the same process needs no `Host`, and
    /// looks the same. One that has two, or one that holds no host, is refused in any case.
    #[must_use]
    pub fn requiring_host(mut self) -> Self {
        self.needs_host = true;
        self
    }

    #[cfg(any(feature = "rewrite", feature = "compat"))]
    pub(super) fn needs_host(&self) -> bool {
        self.needs_host
    }

    /// Reads `path`.
    pub(crate) fn parse(&self, path: &str) -> Result<Arc<Parsed>, Rejection> {
        self.known.parsed(path, || self.spans(path))
    }

    fn spans(&self, path: &str) -> Result<Spans, Rejection> {
        if path.len() > MAX_PATH {
            return Err(bad_path(format!(
                "the path is longer than {MAX_PATH} bytes"
            )));
        }
        let inner = path
            .strip_prefix(&*self.prefix)
            .and_then(|inner| inner.strip_prefix('/'))
            .ok_or_else(not_found)?;
        let mut at = Cursor::new(path, path.len() - inner.len());
        let (names, provider) = match (at.next(), &self.fixed) {
            (Some("v1"), _) => {
                let account = at.next_range().filter(|r| !r.is_empty());
                let gateway = at.next_range().filter(|r| !r.is_empty());
                let (Some(account), Some(gateway)) = (account, gateway) else {
                    return Err(not_found());
                };
                let provider = at.next().ok_or_else(not_found)?;
                (Names::InPath(account, gateway), provider)
            }
            (Some(provider @ ("aws-bedrock" | "compat")), Some(fixed)) => {
                (Names::Fixed(Arc::clone(fixed)), provider)
            }
            _ => return Err(not_found()),
        };
        let surface = match provider {
            "aws-bedrock" => parse_native(&mut at)?,
            "compat" => parse_compat(at.rest()).ok_or_else(not_found)?,
            other => {
                return Err(bad_path(format!(
                    "unknown provider \"{}\": this gateway serves \"aws-bedrock\" and \"compat\"",
                    Excerpt(other)
                )));
            }
        };
        Ok(Spans { names, surface })
    }
}

fn parse_native(at: &mut Cursor<'_>) -> Result<SurfaceSpans, Rejection> {
    let service = match at.next().unwrap_or_default() {
        "bedrock-runtime" => Service::Runtime,
        "bedrock-mantle" => Service::Mantle,
        other => {
            return Err(bad_path(format!(
                "unknown service \"{}\" after /aws-bedrock/: expected bedrock-runtime or bedrock-mantle",
                Excerpt(other)
            )));
        }
    };
    let region = at.next_range().unwrap_or_default();
    let name = slice(at.path, &region);
    if partition(name).is_none() {
        return Err(bad_path(format!(
            "\"{}\" is not an AWS region: expected one such as us-east-1 after /{}/",
            Excerpt(name),
            service.as_str()
        )));
    }
    // SDKs whose base URL ends with a slash send `us-east-1//model/…`.
    let rest = at.rest().trim_start_matches('/');
    if rest.is_empty() {
        return Err(bad_path(
            "the path ends after the region: expected an operation such as model/{modelId}/converse"
                .to_owned(),
        ));
    }
    check::rest(rest).map_err(|problem| bad_path(problem.to_owned()))?;
    let start = at.path.len() - rest.len();
    let (operation, model) = Operation::parse(rest);
    let model = model.map(|model| {
        // The model follows `model/`.
        let from = start + "model/".len();
        from..from + model.len()
    });
    Ok(SurfaceSpans::Native {
        service,
        region: Region::InPath(region),
        rest: start,
        operation,
        model,
    })
}

fn parse_compat(rest: &str) -> Option<SurfaceSpans> {
    let endpoint = match rest.strip_suffix('/').unwrap_or(rest) {
        "chat/completions" => CompatEndpoint::ChatCompletions,
        "models" => CompatEndpoint::Models,
        _ => return None,
    };
    Some(SurfaceSpans::Compat(endpoint))
}

/// Refuses names that could not be told apart, or not be written, in a path.
pub(crate) fn check_name(setting: &'static str, name: &str) -> Result<(), ConfigError> {
    if (1..=64).contains(&name.len())
        && name.bytes().all(is_unreserved)
        && !matches!(name, "." | "..")
    {
        return Ok(());
    }
    Err(ConfigError::new(
        setting,
        "must have 1 to 64 characters, each a letter, a digit or one of `-._~`",
    ))
}

fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~".contains(&b)
}

fn not_found() -> Rejection {
    Rejection::new(
        RejectionKind::NotFound,
        "no such path: expected /v1/{account_id}/{gateway_id}/aws-bedrock/bedrock-runtime/{region}/… \
         or /v1/{account_id}/{gateway_id}/compat/chat/completions",
    )
}

pub(super) fn bad_path(text: String) -> Rejection {
    Rejection::new(RejectionKind::InvalidPath, text)
}

/// Walks over the segments of a path.
struct Cursor<'a> {
    path: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(path: &'a str, at: usize) -> Self {
        Self { path, at }
    }

    fn rest(&self) -> &'a str {
        self.path.get(self.at..).unwrap_or_default()
    }

    /// The next segment; `None` at the end of the path.
    fn next_range(&mut self) -> Option<Range<usize>> {
        let rest = self
            .path
            .get(self.at..)
            .filter(|_| self.at <= self.path.len())?;
        let from = self.at;
        let slash = rest.bytes().position(|byte| byte == b'/');
        let len = slash.unwrap_or(rest.len());
        if rest.is_empty() {
            return None;
        }
        self.at = (from + len + 1).min(self.path.len());
        Some(from..from + len)
    }

    fn next(&mut self) -> Option<&'a str> {
        self.next_range().map(|range| slice(self.path, &range))
    }
}
