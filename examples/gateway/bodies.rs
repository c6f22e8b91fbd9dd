//! What the configuration says of bodies: how long they may be.

use std::num::NonZeroUsize;

use toml::Spanned;
use tower_bedrock::GatewayBuilder;

use crate::config::Source;

/// Longest message that an event stream can hold, in bytes.
const LONGEST_MESSAGE: usize = 24 * 1024 * 1024;

/// The library's own limits hold where the file says nothing.
pub(crate) struct Bodies {
    limit: Option<NonZeroUsize>,
    message_limit: Option<NonZeroUsize>,
}

impl Bodies {
    pub(crate) fn apply(&self, mut gateway: GatewayBuilder) -> GatewayBuilder {
        if let Some(limit) = self.limit {
            gateway = gateway.body_limit(limit.get());
        }
        if let Some(limit) = self.message_limit {
            gateway = gateway.message_limit(limit.get());
        }
        gateway
    }
}

impl Source<'_> {
    pub(crate) fn bodies(
        &self,
        limit: Option<NonZeroUsize>,
        message_limit: Option<Spanned<NonZeroUsize>>,
    ) -> Result<Bodies, String> {
        if let Some(limit) = &message_limit
            && limit.get_ref().get() > LONGEST_MESSAGE
        {
            let problem = format!("must be {LONGEST_MESSAGE} bytes at most");
            return Err(self.problem(limit.span(), "message_limit", problem));
        }
        Ok(Bodies {
            limit,
            message_limit: message_limit.map(Spanned::into_inner),
        })
    }
}
