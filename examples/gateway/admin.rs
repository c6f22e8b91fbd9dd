//! What the operator sees: `/health`, `/logs`, `/logs/{id}`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use http::uri::Authority;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tower_bedrock::observe::Ring;

/// Answers the operator's requests. A clone shares the records.
#[derive(Clone)]
pub(crate) struct Admin {
    records: Ring,
    /// SHA-256 of the token that the operator must show.
    token: Option<Arc<[u8]>>,
    address: SocketAddr,
}

/// Why a request is not answered: status, text, and a header that goes with it.
type Refusal = (StatusCode, &'static str, Option<(HeaderName, &'static str)>);

impl Admin {
    pub(crate) fn new(records: Ring, token: Option<&str>, address: SocketAddr) -> Self {
        let token = token.map(|token| Arc::from(Sha256::digest(token).as_slice()));
        Self {
            records,
            token,
            address,
        }
    }

    pub(crate) fn respond<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let (status, body, header) = match self.answer(request) {
            Ok(body) => (StatusCode::OK, body, None),
            Err((status, text, header)) => {
                (status, json!({ "error": { "message": text } }), header)
            }
        };
        let mut response = Response::new(Full::from(body.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some((name, value)) = header {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }

    fn answer<B>(&self, request: &Request<B>) -> Result<Value, Refusal> {
        if !self.is_addressed(request) {
            return Err((
                StatusCode::FORBIDDEN,
                "the Host header is not the admin address",
                None,
            ));
        }
        if !self.is_authorized(request) {
            let challenge = Some((WWW_AUTHENTICATE, "Bearer"));
            return Err((
                StatusCode::UNAUTHORIZED,
                "the admin token is missing or wrong",
                challenge,
            ));
        }
        if request.method() != Method::GET {
            return Err((
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET",
                Some((ALLOW, "GET")),
            ));
        }
        match request.uri().path() {
            "/health" => Ok(json!({ "status": "ok" })),
            "/logs" => self.page(request.uri().query().unwrap_or_default()),
            path => match path
                .strip_prefix("/logs/")
                .and_then(|id| self.records.get(id))
            {
                Some(record) => Ok(json!({ "result": &*record })),
                None => Err((StatusCode::NOT_FOUND, "there is nothing here", None)),
            },
        }
    }

    fn page(&self, query: &str) -> Result<Value, Refusal> {
        let (mut page, mut per_page) = (1_usize, 20_usize);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let digits = value.bytes().all(|byte| byte.is_ascii_digit());
            let number = || value.parse().ok().filter(|n| digits && *n >= 1);
            match name {
                "page" => page = number().ok_or(BAD_PAGE)?,
                "per_page" => per_page = number().filter(|n| *n <= 100).ok_or(BAD_PAGE)?,
                _ => {}
            }
        }
        let records = self.records.snapshot();
        let skipped = per_page.saturating_mul(page - 1);
        let shown: Vec<_> = records
            .iter()
            .skip(skipped)
            .take(per_page)
            .map(|r| &**r)
            .collect();
        Ok(json!({
            "result": shown,
            "result_info": {
                "page": page,
                "per_page": per_page,
                "count": shown.len(),
                "total_count": records.len(),
            },
        }))
    }

    /// A page on the web can make a browser connect here under a name of its own (DNS rebinding),
    /// but then that name is in `Host`.
    fn is_addressed<B>(&self, request: &Request<B>) -> bool {
        let mut hosts = request.headers().get_all(HOST).iter();
        let named = request.uri().authority().is_some() || request.headers().contains_key(HOST);
        named
            && request
                .uri()
                .authority()
                .is_none_or(|host| self.is_own(host))
            && hosts.all(|host| {
                Authority::try_from(host.as_bytes()).is_ok_and(|host| self.is_own(&host))
            })
    }

    fn is_own(&self, host: &Authority) -> bool {
        let name = host.host();
        let literal = name.trim_start_matches('[').trim_end_matches(']');
        match literal.parse::<IpAddr>() {
            // Behind 0.0.0.0 every address of this machine is the admin address.
            Ok(ip) => {
                let own = self.address.ip();
                ip.is_loopback() || ip == own || own.is_unspecified()
            }
            Err(_) => name.eq_ignore_ascii_case("localhost"),
        }
    }

    fn is_authorized<B>(&self, request: &Request<B>) -> bool {
        let Some(expected) = &self.token else {
            return true;
        };
        let value = request
            .headers()
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        value
            .and_then(|value| value.split_once(' '))
            .is_some_and(|(scheme, token)| {
                let shown = Sha256::digest(token.trim());
                scheme.eq_ignore_ascii_case("bearer")
                    && bool::from(shown.as_slice().ct_eq(expected))
            })
    }
}

const BAD_PAGE: Refusal = (
    StatusCode::BAD_REQUEST,
    "page must be a number from 1, per_page a number from 1 to 100",
    None,
);
