//! What AWS says of our credentials.

use std::time::SystemTime;

use http::{Response, StatusCode, Uri};

use super::settings::Settings;
use super::skew::Dated;
use crate::body::ResponseBody;
use crate::context::Context;
use crate::reject::{Manner, Rejection, RejectionKind};

/// A request that went out with our own proof.
pub(super) struct Signed {
    pub(super) facts: Option<Context>,
    pub(super) manner: Manner,
    dated: Dated,
}

impl Signed {
    /// Not yet.
    #[inline]
    pub(super) fn new(facts: Option<Context>) -> Self {
        Self {
            facts,
            manner: Manner::PLAIN,
            dated: Dated::never(),
        }
    }

    /// It goes out to `uri`, with a proof of this time if it has one.
    #[inline]
    pub(super) fn sent(&mut self, manner: Manner, uri: &Uri, time: Option<SystemTime>) {
        if let Some(context) = &self.facts {
            context.attempt();
        }
        self.manner = manner;
        if let Some(time) = time {
            self.dated.set(uri, time);
        }
    }

    /// If AWS rejects our credentials, that is not for the caller to mend.
    #[cold]
    pub(super) fn judge<R>(
        &self,
        settings: &Settings,
        response: Response<R>,
    ) -> Response<ResponseBody<R>> {
        let Some(kind) = rejected_credentials(&response) else {
            return response.map(ResponseBody::inner);
        };
        let request_id = response.headers().get("x-amzn-requestid");
        if let (Some(context), Some(id)) = (&self.facts, request_id) {
            context.set_upstream_id(id);
        }
        tracing::warn!(
            error = kind,
            request_id = request_id.and_then(|id| id.to_str().ok()),
            credentials = self.facts.as_ref().and_then(Context::credentials_id),
            "AWS rejects the gateway's own credentials"
        );
        let mut rejection = Rejection::new(
            RejectionKind::UpstreamAuth,
            "AWS rejects the gateway's own credentials",
        )
        .with_internal(kind);
        let headers = response.headers();
        let Settings { clock, skew, .. } = settings;
        let taught = |skew| self.dated.learn(*clock, skew, kind, headers);
        if skew.as_ref().is_some_and(taught) {
            rejection = rejection.mended();
        }
        noted(self.facts.as_ref(), rejection).answer(self.manner)
    }
}

/// Whether a response with this status can be about our credentials.
#[inline]
pub(super) fn may_blame_us(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
    )
}

/// Keeps the rejection for the record, if there will be one.
pub(super) fn noted(facts: Option<&Context>, rejection: Rejection) -> Rejection {
    match facts {
        Some(context) => context.rejected(rejection),
        None => rejection,
    }
}

/// The error type, if the response says that our proof is no good.
fn rejected_credentials<R>(response: &Response<R>) -> Option<&str> {
    const CODES: [&str; 9] = [
        "InvalidSignature",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "ExpiredToken",
        "RequestExpired",
        // The caller's SDK would set its own clock by this one.
        "RequestTimeTooSkewed",
        "UnrecognizedClient",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
    ];
    let kind = response.headers().get("x-amzn-errortype")?.to_str().ok()?;
    let kind = kind.split(':').next().unwrap_or_default();
    let kind = kind.rsplit('#').next().unwrap_or_default();
    CODES
        .iter()
        .any(|code| kind.starts_with(code))
        .then_some(kind)
}
