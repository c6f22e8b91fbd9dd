//! The path grammar of the gateway, parsed once by whichever layer is outermost.
//!
//! | path, after an optional mount prefix | surface |
//! |---|---|
//! | `/v1/{account}/{gateway}/aws-bedrock/{service}/{region}/{rest…}` | [`Surface::Native`] |
//! | `/v1/{account}/{gateway}/compat/chat/completions`, `…/compat/models` | [`Surface::Compat`] |
//! | `/aws-bedrock/…`, `/compat/…` with account and gateway fixed | the same, on a custom domain |
//!
//! Parsing never decodes what travels on: a [`Route`] borrows pieces of the path as they came.
//!
//! ```
//! use http::Request;
//! use tower_bedrock::route::{Operation, Surface};
//! use tower_bedrock::Context;
//!
//! // In a layer inside of ours, the context has the route that was parsed.
//! fn is_stream<B>(request: &Request<B>) -> bool {
//!     let route = Context::get(request.extensions()).and_then(Context::route);
//!     matches!(route.map(|route| route.surface()), Some(Surface::Native {
//!         operation: Operation::ConverseStream | Operation::InvokeModelWithResponseStream, ..
//!     }))
//! }
//! # assert!(!is_stream(&Request::new(())));
//! ```
//!
//! # Refusal
//! A path that matches no row is 404 (code 2008), one that matches but is malformed 400: an invalid
//! escape, `.` and `..` (also encoded), `%00`, a backslash, control bytes, a service or region that is
//! none, more than [`MAX_PATH`] bytes.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use http::Method;

mod check;
mod config;
mod host;
mod model;
mod operation;
mod parsed;
mod region;

pub use self::config::RouteConfig;
#[cfg(any(feature = "auth", feature = "sign"))]
pub(crate) use self::config::check_name;
pub use self::operation::Operation;

#[cfg(feature = "observe")]
pub(crate) use self::check::decode;
#[cfg(feature = "observe")]
pub(crate) use self::check::decode_into;
pub(crate) use self::host::host_value;
pub(crate) use self::model::check_model;
#[cfg(feature = "compat")]
pub(crate) use self::model::push_segment;
pub(crate) use self::parsed::Parsed;
pub(crate) use self::region::partition;

/// Longest path that is accepted, in bytes.
pub const MAX_PATH: usize = 8 * 1024;

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
                region: region.on(self.path),
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
    /// Of a path of Bedrock's own, `/model/{id}/{operation}`, to which a request on `route` was
    /// translated.
    #[cfg(feature = "compat")]
    pub(crate) fn translated(route: &Route<'_>, region: Arc<str>, path: &str) -> Self {
        const REST: usize = 1;
        let names = match &route.spans.names {
            Names::Fixed(names) => Arc::clone(names),
            Names::InPath(..) => Arc::new((route.account().into(), route.gateway().into())),
        };
        let rest = path.get(REST..).unwrap_or_default();
        let (operation, model) = Operation::parse(rest);
        let from = REST + "model/".len();
        Self {
            names: Names::Fixed(names),
            surface: SurfaceSpans::Native {
                service: Service::Runtime,
                region: Region::Fixed(region),
                rest: REST,
                operation,
                model: model.map(|model| from..from + model.len()),
            },
        }
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
        region: Region,
        rest: usize,
        operation: Operation,
        model: Option<Range<usize>>,
    },
    Compat(CompatEndpoint),
}

#[derive(Debug, Clone)]
enum Region {
    InPath(Range<usize>),
    #[cfg(feature = "compat")]
    Fixed(Arc<str>),
}

impl Region {
    fn on<'a>(&'a self, path: &'a str) -> &'a str {
        match self {
            Self::InPath(range) => slice(path, range),
            #[cfg(feature = "compat")]
            Self::Fixed(name) => name,
        }
    }
}

fn slice<'a>(path: &'a str, range: &Range<usize>) -> &'a str {
    path.get(range.clone()).unwrap_or_default()
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
