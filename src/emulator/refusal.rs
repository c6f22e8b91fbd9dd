//! Errors in the form that the real service gives them.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::eventstream;

/// Which part of AWS speaks; it shows in `x-amzn-ErrorType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    FrontDoor,
    Bedrock,
}

/// An error answer: status, exception name, body.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) name: &'static str,
    pub(super) body: Value,
    origin: Origin,
}

impl Refusal {
    fn front_door(status: u16, name: &'static str, message: &str) -> Self {
        Self {
            status,
            name,
            body: json!({ "message": message }),
            origin: Origin::FrontDoor,
        }
    }

    /// An exception of the service itself.
    pub(super) fn service(status: u16, name: &'static str, message: &str) -> Self {
        Self {
            origin: Origin::Bedrock,
            ..Self::front_door(status, name, message)
        }
    }

    pub(super) fn validation(message: &str) -> Self {
        Self::service(400, "ValidationException", message)
    }

    pub(super) fn incomplete(message: &str) -> Self {
        Self::front_door(400, "IncompleteSignatureException", message)
    }

    pub(super) fn invalid_signature(message: &str) -> Self {
        Self::front_door(403, "InvalidSignatureException", message)
    }

    pub(super) fn missing_token() -> Self {
        Self::front_door(
            403,
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        )
    }

    pub(super) fn unrecognized_client() -> Self {
        Self::front_door(
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
    }

    pub(super) fn expired_token() -> Self {
        Self::front_door(
            403,
            "ExpiredTokenException",
            "The security token included in the request is expired",
        )
    }

    /// IAM answers with a capital M.
    pub(super) fn invalid_api_key() -> Self {
        Self {
            body: json!({ "Message": "Authentication failed: Please make sure your API Key is valid." }),
            ..Self::service(403, "AccessDeniedException", "")
        }
    }

    pub(super) fn too_large() -> Self {
        Self::front_door(
            413,
            "RequestEntityTooLargeException",
            "The request body is larger than 64 MiB.",
        )
    }

    /// The same within a stream, where AWS speaks only of the exceptions that the service model names.
    pub(super) fn frame(&self) -> Bytes {
        let name = match self.origin {
            Origin::FrontDoor => "ValidationException",
            Origin::Bedrock => self.name,
        };
        let mut name = name.to_owned();
        if let Some(first) = name.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        eventstream::exception(&name, self.body.to_string().as_bytes())
    }

    /// The value of `x-amzn-ErrorType`.
    pub(super) fn error_type(&self) -> String {
        let origin = match self.origin {
            Origin::FrontDoor => "com.amazon.coral.service",
            Origin::Bedrock => "com.amazon.bedrock",
        };
        format!("{}:http://internal.amazon.com/coral/{origin}/", self.name)
    }
}
