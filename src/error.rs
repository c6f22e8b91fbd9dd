//! What can be wrong with a configuration.
//!
//! ```
//! let error = tower_bedrock::auth::BearerTokens::new([""]).unwrap_err();
//! assert_eq!(error.setting(), "tokens");
//! println!("{error}"); // the setting and the problem, never the value
//! ```

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A layer, a key or a gateway was configured with a value that cannot work.
///
/// Returned by constructors only: no request can cause it. [`Display`](fmt::Display) prints the
/// setting and what is wrong with it, never the value of a secret; the cause, if any, is in
/// [`source`](Error::source) and is not repeated in the text.
#[derive(Debug, Clone)]
pub struct ConfigError {
    setting: Cow<'static, str>,
    problem: Cow<'static, str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl ConfigError {
    /// An error about `setting`, for implementors of this crate's traits.
    pub fn new(
        setting: impl Into<Cow<'static, str>>,
        problem: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            setting: setting.into(),
            problem: problem.into(),
            source: None,
        }
    }

    /// Adds the underlying error.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The name of the setting at fault, such as `tokens` or `secretAccessKey`.
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// What is wrong with it.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.problem)
    }
}

impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|e| &**e as &(dyn Error + 'static))
    }
}
