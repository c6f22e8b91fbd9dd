use std::sync::Arc;

use super::Sink;
use crate::observe::record::{Record, in_millis};

/// Writes each record as one event of `tracing`, with target `tower_bedrock::observe`: of level
/// `INFO` if the request was a success, else `WARN`.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Tracing;

impl Tracing {
    /// To whichever subscriber is in charge where the request ends.
    pub fn new() -> Self {
        Self
    }
}

macro_rules! event {
    ($level:ident, $record:ident) => {
        tracing::event!(
            target: "tower_bedrock::observe",
            tracing::Level::$level,
            id = $record.id.as_str(),
            outcome = $record.outcome.as_str(),
            status = $record.status_code,
            path = $record.path.as_str(),
            operation = $record.operation,
            model = $record.model.as_deref(),
            region = $record.region.as_deref(),
            account_id = $record.account_id.as_deref(),
            gateway_id = $record.gateway_id.as_deref(),
            principal = $record.principal.as_deref(),
            credentials_id = $record.credentials_id.as_deref(),
            duration_ms = in_millis($record.duration),
            first_token_ms = $record.time_to_first_token.map(in_millis),
            tokens_in = $record.tokens_in,
            tokens_out = $record.tokens_out,
            stop_reason = $record.stop_reason.as_deref(),
            attempts = $record.attempts,
            upstream_request_id = $record.upstream_request_id.as_deref(),
            error = $record.error.as_deref(),
            "request"
        )
    };
}

impl Sink for Tracing {
    fn record(&self, record: &Arc<Record>) {
        if record.success {
            event!(INFO, record);
        } else {
            event!(WARN, record);
        }
    }
}
