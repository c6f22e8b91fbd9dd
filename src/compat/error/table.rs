//! Which error of AWS's is which of OpenAI's.

use http::StatusCode;

/// What the caller gets to see.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    pub(super) status: StatusCode,
    pub(super) kind: &'static str,
    pub(super) code: Option<&'static str>,
    /// Instead of AWS's own words.
    pub(super) message: Option<&'static str>,
    /// To be sent again as it is, it is of no use, whatever the status says.
    no_retry: bool,
}

const fn row(status: StatusCode, kind: &'static str, code: &'static str) -> Row {
    Row {
        status,
        kind,
        code: Some(code),
        message: None,
        no_retry: false,
    }
}

const INVALID: &str = "invalid_request_error";
const API: &str = "api_error";

const BAD_REQUEST: Row = Row {
    code: None,
    ..row(StatusCode::BAD_REQUEST, INVALID, "")
};
const TOO_LONG: Row = row(StatusCode::BAD_REQUEST, INVALID, "context_length_exceeded");
const NO_MODEL: Row = row(StatusCode::NOT_FOUND, INVALID, "model_not_found");
const DENIED: Row = row(
    StatusCode::FORBIDDEN,
    "permission_error",
    "model_access_denied",
);
const CALLERS_KEY: Row = row(StatusCode::UNAUTHORIZED, INVALID, "invalid_api_key");
const OUR_KEY: Row = Row {
    message: Some("AWS rejects the gateway's own credentials"),
    no_retry: true,
    ..row(StatusCode::BAD_GATEWAY, API, "upstream_auth_error")
};
const THROTTLED: Row = row(
    StatusCode::TOO_MANY_REQUESTS,
    "rate_limit_error",
    "rate_limit_exceeded",
);
const NO_QUOTA: Row = Row {
    no_retry: true,
    ..row(
        StatusCode::TOO_MANY_REQUESTS,
        "insufficient_quota",
        "insufficient_quota",
    )
};
const NOT_READY: Row = row(StatusCode::SERVICE_UNAVAILABLE, API, "model_not_ready");
const TIMEOUT: Row = row(StatusCode::GATEWAY_TIMEOUT, API, "timeout");
const MODEL_ERROR: Row = row(StatusCode::BAD_GATEWAY, API, "model_error");
const SERVER_ERROR: Row = row(StatusCode::INTERNAL_SERVER_ERROR, API, "server_error");
const UNAVAILABLE: Row = row(StatusCode::SERVICE_UNAVAILABLE, API, "service_unavailable");

impl Row {
    /// The upstream itself, or the way to it.
    pub(super) const UPSTREAM: Self = row(StatusCode::BAD_GATEWAY, API, "upstream_error");

    /// By the bare `name` of an exception, or else by the status; `None` is one of success.
    pub(super) fn of(name: &str, status: Option<StatusCode>, message: &str, own_key: bool) -> Self {
        // In a stream they begin with a small letter.
        let name = name.strip_suffix("Exception").unwrap_or(name);
        match name.to_ascii_lowercase().as_str() {
            "validation" => of_validation(message),
            "resourcenotfound" | "unknownoperation" | "modelnotfound" => NO_MODEL,
            "accessdenied" if speaks_of_credentials(message) => of_credentials(own_key),
            "accessdenied" => DENIED,
            "throttling"
            | "throttled"
            | "toomanyrequests"
            | "requestlimitexceeded"
            | "limitexceeded"
            | "slowdown" => THROTTLED,
            "servicequotaexceeded" => NO_QUOTA,
            "modelnotready" => NOT_READY,
            "modeltimeout" | "requesttimeout" => TIMEOUT,
            "modelerror" | "modelstreamerror" => MODEL_ERROR,
            "internalserver" | "internalservererror" | "internalfailure" | "internalerror" => {
                SERVER_ERROR
            }
            "serviceunavailable" => UNAVAILABLE,
            name if is_of_credentials(name) => of_credentials(own_key),
            "" if status.is_some_and(|status| matches!(status.as_u16(), 400 | 401 | 403))
                && speaks_of_credentials(message) =>
            {
                of_credentials(own_key)
            }
            "" if status == Some(StatusCode::BAD_REQUEST) => of_validation(message),
            _ => status.map_or(Self::UPSTREAM, of_status),
        }
    }

    /// Whether it is of no use to try again.
    pub(super) fn is_final(&self) -> bool {
        let may_pass = matches!(self.status.as_u16(), 408 | 409 | 429);
        self.no_retry || (self.status.is_client_error() && !may_pass)
    }
}

fn of_credentials(own_key: bool) -> Row {
    if own_key { CALLERS_KEY } else { OUR_KEY }
}

/// `name` is in small letters, without `Exception`.
fn is_of_credentials(name: &str) -> bool {
    const NAMES: [&str; 9] = [
        "invalidsignature",
        "signaturedoesnotmatch",
        "incompletesignature",
        "expiredtoken",
        "requestexpired",
        "requesttimetooskewed",
        "unrecognizedclient",
        "invalidclienttokenid",
        "missingauthenticationtoken",
    ];
    NAMES.iter().any(|known| name.starts_with(known))
}

/// What answers say whose kind is not told, or told as a mere denial.
fn speaks_of_credentials(message: &str) -> bool {
    const TEXTS: [&str; 6] = [
        "security token included in the request",
        "signature expired",
        "request signature we calculated",
        "authentication failed",
        "bearer token",
        "missing authentication token",
    ];
    contains_any(message, &TEXTS)
}

fn of_validation(message: &str) -> Row {
    const TOO_LONG_TEXTS: [&str; 8] = [
        "too many tokens",
        "input is too long",
        "prompt is too long",
        "too many input tokens",
        "input tokens exceeded",
        "expected maxlength",
        "exceed context limit",
        "maximum context length",
    ];
    const NO_MODEL_TEXTS: [&str; 2] = [
        "provided model identifier is invalid",
        // What follows is "isn't", with a curly apostrophe.
        "with on-demand throughput isn",
    ];
    if contains_any(message, &NO_MODEL_TEXTS) {
        NO_MODEL
    } else if contains_any(message, &TOO_LONG_TEXTS) {
        TOO_LONG
    } else {
        BAD_REQUEST
    }
}

/// Of an answer whose name is none of AWS's.
fn of_status(status: StatusCode) -> Row {
    match status.as_u16() {
        401 | 403 => DENIED,
        404 => NO_MODEL,
        408 | 504 => TIMEOUT,
        424 => MODEL_ERROR,
        429 => THROTTLED,
        500 => SERVER_ERROR,
        503 => UNAVAILABLE,
        _ if status.is_client_error() => Row {
            status,
            ..BAD_REQUEST
        },
        _ => Row::UPSTREAM,
    }
}

/// `texts` are in small letters.
fn contains_any(message: &str, texts: &[&str]) -> bool {
    let message = message.to_ascii_lowercase();
    texts.iter().any(|text| message.contains(text))
}
