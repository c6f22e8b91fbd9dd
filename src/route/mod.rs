//! The path grammar of the gateway, parsed once by whichever layer is outermost.
//!
//! | path, after an optional mount prefix | surface |
//! |---|---|
//! | `/v1/{account}/{gateway}/aws-bedrock/{service}/{region}/{rest…}` | [`Surface::Native`] |
//! | `/v1/{account}/{gateway}/compat/chat/completions`, `…/compat/models` | [`Surface::Compat`] |
//! | `/aws-bedrock/…`, `/compat/…` with account and gateway fixed | the same, on a custom domain |
//!
//! Parsing never decodes what travels on: a [`Route`] borrows pieces of the path as they came.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use http::Method;

use crate::error::ConfigError;
use crate::reject::{Rejection, RejectionKind};

mod check;
mod host;
mod operation;
mod region;

pub use self::operation::Operation;

#[cfg(feature = "observe")]
pub(crate) use self::check::decode;
pub(crate) use self::host::host_value;
pub(crate) use self::region::partition;

/// Longest path that is accepted, in bytes.
pub const MAX_PATH: usize = 8 * 1024;

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
        Ok(self)
    }

    /// Reads `path`.
    pub(crate) fn parse(&self, path: &str) -> Result<Spans, Rejection> {
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

/// Which API of Bedrock a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Service {
    /// `bedrock-runtime`
    Runtime,
    /// `bedrock-mantle`
    Mantle,
}

impl Service {
    /// The service's name in paths and host names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Runtime => "bedrock-runtime",
            Self::Mantle => "bedrock-mantle",
        }
    }

    /// The service's name in a credential scope.
    pub fn signing_name(self) -> &'static str {
        match self {
            Self::Runtime => "bedrock",
            Self::Mantle => "bedrock-mantle",
        }
    }
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Surface<'a> {
    /// An API of Bedrock itself.
    #[non_exhaustive]
    Native {
        /// Which of them.
        service: Service,
        /// The AWS region.
        region: &'a str,
        /// What travels on, without a leading slash.
        rest: &'a str,
        /// What `rest` asks for.
        operation: Operation,
    },
    /// The OpenAI-compatible API.
    Compat(CompatEndpoint),
}

/// An endpoint of the OpenAI-compatible API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompatEndpoint {
    /// `POST …/compat/chat/completions`
    ChatCompletions,
    /// `GET …/compat/models`
    Models,
}

impl CompatEndpoint {
    /// The one method that it answers.
    pub fn method(self) -> Method {
        match self {
            Self::ChatCompletions => Method::POST,
            Self::Models => Method::GET,
        }
    }
}

/// A parsed path; borrows from the path that was parsed.
#[derive(Debug, Clone, Copy)]
pub struct Route<'a> {
    path: &'a str,
    spans: &'a Spans,
}

impl<'a> Route<'a> {
    /// The account's id.
    pub fn account(&self) -> &'a str {
        match &self.spans.names {
            Names::InPath(account, _) => slice(self.path, account),
            Names::Fixed(names) => &names.0,
        }
    }

    /// The gateway's id.
    pub fn gateway(&self) -> &'a str {
        match &self.spans.names {
            Names::InPath(_, gateway) => slice(self.path, gateway),
            Names::Fixed(names) => &names.1,
        }
    }

    /// What the path leads to.
    pub fn surface(&self) -> Surface<'a> {
        match &self.spans.surface {
            SurfaceSpans::Compat(endpoint) => Surface::Compat(*endpoint),
            SurfaceSpans::Native {
                service,
                region,
                rest,
                operation,
                ..
            } => Surface::Native {
                service: *service,
                region: slice(self.path, region),
                rest: self.path.get(*rest..).unwrap_or_default(),
                operation: *operation,
            },
        }
    }

    /// The model id as it stands in the path, still percent-encoded; `None` if the path has none.
    pub fn raw_model(&self) -> Option<&'a str> {
        match &self.spans.surface {
            SurfaceSpans::Native {
                model: Some(model), ..
            } => Some(slice(self.path, model)),
            _ => None,
        }
    }

    /// The model id, decoded once.
    pub fn model(&self) -> Option<Cow<'a, str>> {
        self.raw_model().map(check::decode)
    }
}

/// Where the pieces of a route lie in its path.
#[derive(Debug, Clone)]
pub(crate) struct Spans {
    names: Names,
    surface: SurfaceSpans,
}

impl Spans {
    /// The route, given the very path that was parsed.
    pub(crate) fn on<'a>(&'a self, path: &'a str) -> Route<'a> {
        Route { path, spans: self }
    }
}

#[derive(Debug, Clone)]
enum Names {
    InPath(Range<usize>, Range<usize>),
    Fixed(Arc<(Box<str>, Box<str>)>),
}

#[derive(Debug, Clone)]
enum SurfaceSpans {
    Native {
        service: Service,
        region: Range<usize>,
        rest: usize,
        operation: Operation,
        model: Option<Range<usize>>,
    },
    Compat(CompatEndpoint),
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
        region,
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

fn bad_path(text: String) -> Rejection {
    Rejection::new(RejectionKind::InvalidPath, text)
}

fn slice<'a>(path: &'a str, range: &Range<usize>) -> &'a str {
    path.get(range.clone()).unwrap_or_default()
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
        let len = rest.find('/').unwrap_or(rest.len());
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

/// The beginning of something a client sent, safe to show in an error text.
pub(crate) struct Excerpt<'a>(pub(crate) &'a str);

impl std::fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars().take(64) {
            write!(f, "{}", c.escape_debug())?;
        }
        if self.0.chars().nth(64).is_some() {
            f.write_str("…")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
