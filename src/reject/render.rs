//! From a [`Rejection`] to a response.

use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::{Dialect, Manner, Rejection, RejectionKind};
use crate::body::ResponseBody;

const ERRORTYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Rejection {
    /// The refusal as a response in `dialect`; the rejection itself is in its extensions.
    pub fn into_response<R>(self, dialect: Dialect) -> Response<ResponseBody<R>> {
        let (status, headers, body) = match dialect {
            Dialect::Envelope => (self.status(), self.headers(dialect), self.envelope()),
            Dialect::OpenAi => (self.status(), self.headers(dialect), self.openai_error()),
            Dialect::Grpc => (StatusCode::OK, self.grpc_trailers(), String::new()),
        };
        let mut response = Response::new(ResponseBody::own(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response.extensions_mut().insert(self);
        response
    }

    /// The same to a request that is to be refused in this `manner`.
    pub(crate) fn answer<R>(self, manner: Manner) -> Response<ResponseBody<R>> {
        let mut response = self.into_response(manner.dialect);
        if manner.is_head {
            let length = std::mem::take(response.body_mut()).own_len();
            response.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        response
    }

    fn headers(&self, dialect: Dialect) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, JSON);
        if dialect == Dialect::Envelope {
            headers.insert(ERRORTYPE, HeaderValue::from_static(self.kind.errortype()));
        }
        if self.kind == RejectionKind::Unauthenticated {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.kind == RejectionKind::UpstreamAuth && !self.mended {
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        if let Some(allow) = &self.allow
            && let Ok(allow) = HeaderValue::from_str(allow.as_str())
        {
            headers.insert(ALLOW, allow);
        }
        headers
    }

    fn envelope(&self) -> String {
        let status = self.status().as_u16();
        let code = self.kind.code();
        let text = json_string(&self.text);
        format!(
            r#"{{"success":false,"result":[],"messages":[],"error":[{{"code":{code},"message":{text}}}],"name":"AiGatewayError","httpCode":{status},"internalCode":{code},"message":{text},"description":{text}}}"#
        )
    }

    fn openai_error(&self) -> String {
        let (kind, _) = self.kind.openai();
        let code = self.code();
        let text = json_string(&self.text);
        let param = self.param.as_deref().map_or("null".to_owned(), json_string);
        format!(
            r#"{{"error":{{"message":{text},"type":"{kind}","param":{param},"code":"{code}"}}}}"#
        )
    }

    /// Trailers-Only: the whole answer is in the head.
    fn grpc_trailers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(GRPC_STATUS, u16::from(self.kind.grpc_status()).into());
        if let Ok(message) = HeaderValue::try_from(percent_encode(&self.text)) {
            headers.insert(GRPC_MESSAGE, message);
        }
        headers
    }
}

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `grpc-message` is percent-encoded: everything but printable ASCII, and `%` itself.
fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Method;
    use http_body_util::{BodyExt, Empty};

    use super::super::{Dialect, Rejection, RejectionKind};

    fn render(rejection: Rejection, dialect: Dialect) -> (http::response::Parts, String) {
        let (head, body) = rejection
            .into_response::<Empty<Bytes>>(dialect)
            .into_parts();
        let body = futures_block_on(body.collect()).to_bytes();
        (head, String::from_utf8(body.to_vec()).unwrap())
    }

    fn futures_block_on<T, E: std::fmt::Debug>(future: impl Future<Output = Result<T, E>>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(future).unwrap()
    }

    #[test]
    fn envelope_is_cloudflares_with_the_errortype_of_aws() {
        let rejection = Rejection::new(RejectionKind::Unauthenticated, "wrong \"token\"")
            .with_internal("secret reason");
        let (head, body) = render(rejection, Dialect::Envelope);
        assert_eq!(head.status, 401);
        assert_eq!(head.headers["x-amzn-errortype"], "AccessDeniedException");
        assert_eq!(
            body,
            r#"{"success":false,"result":[],"messages":[],"error":[{"code":2009,"message":"wrong \"token\""}],"name":"AiGatewayError","httpCode":401,"internalCode":2009,"message":"wrong \"token\"","description":"wrong \"token\""}"#
        );
        let kept = head.extensions.get::<Rejection>().unwrap();
        assert_eq!(kept.internal().unwrap().to_string(), "secret reason");
    }

    #[test]
    fn openai_error_object() {
        let rejection = Rejection::new(RejectionKind::UpstreamAuth, "no").with_param("model");
        let (head, body) = render(rejection, Dialect::OpenAi);
        assert_eq!(head.status, 502);
        assert_eq!(head.headers["x-should-retry"], "false");
        assert!(!head.headers.contains_key("x-amzn-errortype"));
        assert_eq!(
            body,
            r#"{"error":{"message":"no","type":"api_error","param":"model","code":"upstream_auth_error"}}"#
        );
    }

    #[test]
    fn what_is_mended_may_be_tried_again() {
        for dialect in [Dialect::Envelope, Dialect::OpenAi, Dialect::Grpc] {
            let broken = Rejection::new(RejectionKind::UpstreamAuth, "no");
            let (mended, body) = render(broken.clone().mended(), dialect);
            let (mut head, same) = render(broken, dialect);
            let said = head.headers.remove("x-should-retry");
            assert_eq!(said.is_some(), dialect != Dialect::Grpc, "{dialect:?}");
            assert_eq!((mended.headers, body), (head.headers, same), "{dialect:?}");
        }
    }

    #[test]
    fn grpc_is_trailers_only() {
        let rejection = Rejection::new(RejectionKind::Unauthenticated, "100% wrong: \u{e9}\n");
        let (head, body) = render(rejection, Dialect::Grpc);
        assert_eq!(head.status, 200);
        assert_eq!(head.headers["content-type"], "application/grpc");
        assert_eq!(head.headers["grpc-status"], "16");
        assert_eq!(head.headers["grpc-message"], "100%25 wrong: %C3%A9%0A");
        assert_eq!(body, "");
    }

    #[test]
    fn method_names_what_is_allowed() {
        let (head, _) = render(Rejection::method(Method::POST), Dialect::OpenAi);
        assert_eq!(
            (head.status.as_u16(), &head.headers["allow"]),
            (405, &"POST".parse().unwrap())
        );
    }
}
