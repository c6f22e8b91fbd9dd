//! The table of refusals.

use http::StatusCode;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident: $status:literal, $code:literal, $errortype:literal, $kind:literal / $openai:literal, $grpc:literal;)*) => {
        /// What kind of refusal: the row of the table in the [module docs](crate::reject).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum RejectionKind {
            $($(#[$doc])* $variant,)*
        }

        impl RejectionKind {
            fn row(self) -> Row {
                match self {
                    $(Self::$variant => Row {
                        status: $status,
                        code: $code,
                        errortype: $errortype,
                        openai_type: $kind,
                        openai_code: $openai,
                        grpc_status: $grpc,
                    },)*
                }
            }

            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];
        }
    };
}

struct Row {
    status: u16,
    code: u16,
    errortype: &'static str,
    openai_type: &'static str,
    openai_code: &'static str,
    grpc_status: u8,
}

kinds! {
    /// The path matches no row of the grammar.
    NotFound: 404, 2008, "UnknownOperationException", "invalid_request_error" / "not_found", 12;
    /// Unknown provider or service, bad region, bad path.
    InvalidPath: 400, 2008, "ValidationException", "invalid_request_error" / "invalid_path", 3;
    /// Unknown account or gateway.
    UnknownGateway: 400, 2001, "ValidationException", "invalid_request_error" / "gateway_not_found", 3;
    /// No token, or a malformed or wrong one.
    Unauthenticated: 401, 2009, "AccessDeniedException", "invalid_request_error" / "invalid_api_key", 16;
    /// Outside an allow-list.
    NotAllowed: 403, 4030, "AccessDeniedException", "invalid_request_error" / "not_allowed", 7;
    /// A method that the path does not answer.
    MethodNotAllowed: 405, 4005, "ValidationException", "invalid_request_error" / "method_not_allowed", 12;
    /// `cf-aig-byok-alias` names no stored key.
    UnknownAlias: 400, 2040, "ValidationException", "invalid_request_error" / "byok_alias", 3;
    /// Neither the caller nor the gateway has a credential for AWS.
    NoCredentials: 400, 2044, "ValidationException", "invalid_request_error" / "no_credentials", 3;
    /// The caller's own credentials are refused or cannot work.
    ClientCredentials: 400, 4003, "ValidationException", "invalid_request_error" / "client_credentials", 3;
    /// The request body broke off, or cannot be read.
    InvalidBody: 400, 4000, "ValidationException", "invalid_request_error" / "invalid_body", 3;
    /// The request body is over the limit.
    BodyTooLarge: 413, 4013, "ValidationException", "invalid_request_error" / "body_too_large", 8;
    /// The request body's encoding is not supported.
    UnsupportedEncoding: 415, 4015, "ValidationException", "invalid_request_error" / "unsupported_encoding", 3;
    /// A limit of the gateway is reached.
    RateLimited: 429, 2003, "ThrottlingException", "rate_limit_error" / "rate_limit_exceeded", 8;
    /// AWS rejects the gateway's own credentials, or they cannot be had.
    UpstreamAuth: 502, 2049, "ServiceUnavailableException", "api_error" / "upstream_auth_error", 14;
    /// The upstream cannot be reached, answers garbage, or closes early.
    UpstreamError: 502, 2005, "ServiceUnavailableException", "api_error" / "upstream_error", 14;
    /// The upstream takes too long.
    UpstreamTimeout: 504, 2005, "ModelTimeoutException", "api_error" / "timeout", 4;
    /// Not supported here.
    Unsupported: 501, 4001, "ValidationException", "invalid_request_error" / "unsupported", 12;
    /// The layers are stacked in the wrong order.
    StackMisordered: 500, 5000, "InternalServerException", "api_error" / "server_error", 13;
}

impl RejectionKind {
    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The code in Cloudflare's envelope.
    pub fn code(self) -> u16 {
        self.row().code
    }

    /// The value of `x-amzn-errortype`.
    pub fn errortype(self) -> &'static str {
        self.row().errortype
    }

    /// `type` and `code` of OpenAI's error object.
    pub fn openai(self) -> (&'static str, &'static str) {
        (self.row().openai_type, self.row().openai_code)
    }

    /// The gRPC status code.
    pub fn grpc_status(self) -> u8 {
        self.row().grpc_status
    }

    /// Whether the upstream or the way to it is at fault, not the caller.
    pub fn is_upstream(self) -> bool {
        matches!(
            self,
            Self::UpstreamAuth | Self::UpstreamError | Self::UpstreamTimeout
        )
    }
}

#[cfg(test)]
mod tests {
    use super::RejectionKind;

    /// The table in the docs is the one that is compiled.
    #[test]
    fn docs_show_the_table() {
        let mut table = String::new();
        for kind in RejectionKind::ALL {
            let (openai_type, openai_code) = kind.openai();
            table += &format!(
                "| {kind:?} | {} | {} | {} | {openai_type} / {openai_code} |\n",
                kind.status().as_u16(),
                kind.code(),
                kind.errortype(),
            );
        }
        let docs = include_str!("table.md");
        assert_eq!(docs, table, "src/reject/table.md should be:\n{table}");
    }
}
