//! What the operator sees: `/health`, `/metrics`, `/logs`, `/logs/{id}`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tower_bedrock::observe::Ring;

use crate::logs::Query;
use crate::rendering::Rendering;

/// Answers the operator's requests. A clone shares the records.
#[derive(Clone)]
pub(crate) struct Admin {
    records: Ring,
    metrics: Rendering,
    /// Records are searched for one request at a time, and not where requests are served.
    search: Arc<Semaphore>,
    /// SHA-256 of the token that the operator must show.
    token: Option<Arc<[u8]>>,
    address: SocketAddr,
}

/// Why a request is not answered: status, text, and a header that goes with it.
type Refusal = (StatusCode, String, Option<(HeaderName, &'static str)>);

/// A body and its type.
type Answer = (Bytes, &'static str);

const JSON: &str = "application/json";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Admin {
    pub(crate) fn new(
        records: Ring,
        metrics: PrometheusHandle,
        token: Option<&str>,
        address: SocketAddr,
    ) -> Self {
        let token = token.map(|token| Arc::from(Sha256::digest(token).as_slice()));
        Self {
            records,
            metrics: Rendering::new(move || metrics.render()),
            search: Arc::new(Semaphore::new(1)),
            token,
            address,
        }
    }

    pub(crate) async fn respond(self, request: Parts) -> Response<Full<Bytes>> {
        let (status, (body, kind), header) = match self.answer(&request).await {
            Ok(answer) => (StatusCode::OK, answer, None),
            Err((status, text, header)) => (
                status,
                json(&json!({ "error": { "message": text } })),
                header,
            ),
        };
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some((name, value)) = header {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }

    async fn answer(&self, request: &Parts) -> Result<Answer, Refusal> {
        let refuse = |status, text: &str, header| Err((status, text.to_owned(), header));
        if !self.is_addressed(request) {
            let text = "the Host header is not the admin address";
            return refuse(StatusCode::FORBIDDEN, text, None);
        }
        if !self.is_authorized(request) {
            let text = "the admin token is missing or wrong";
            let challenge = Some((WWW_AUTHENTICATE, "Bearer"));
            return refuse(StatusCode::UNAUTHORIZED, text, challenge);
        }
        // The server leaves the body out that an answer to HEAD would have.
        if !matches!(request.method, Method::GET | Method::HEAD) {
            let allowed = Some((ALLOW, "GET, HEAD"));
            return refuse(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD", allowed);
        }
        let failed = "this could not be made";
        let failed = (StatusCode::INTERNAL_SERVER_ERROR, failed.to_owned(), None);
        let query = request.uri.query().unwrap_or_default();
        match request.uri.path() {
            "/health" => Ok(json(&json!({ "status": "ok" }))),
            "/metrics" => match self.metrics.get().await {
                Some(page) => Ok((page, PROMETHEUS)),
                None => Err(failed),
            },
            "/logs" => match Query::parse(query) {
                Ok(query) => self.search(query).await.ok_or(failed),
                Err(problem) => refuse(StatusCode::BAD_REQUEST, &problem, None),
            },
            path => match path
                .strip_prefix("/logs/")
                .and_then(|id| self.records.get(id))
            {
                Some(record) => Ok(json(&json!({ "result": &*record }))),
                None => refuse(StatusCode::NOT_FOUND, "there is nothing here", None),
            },
        }
    }

    async fn search(&self, query: Query) -> Option<Answer> {
        let turn = Arc::clone(&self.search).acquire_owned().await.ok()?;
        let records = self.records.clone();
        let search = spawn_blocking(move || {
            let _turn = turn;
            let records = records.snapshot();
            json(&query.answer(records.iter().map(|record| &**record)))
        });
        search.await.ok()
    }

    /// A page on the web can make a browser connect here under a name of its own (DNS rebinding),
    /// but then that name is in `Host`.
    fn is_addressed(&self, request: &Parts) -> bool {
        let mut hosts = request.headers.get_all(HOST).iter();
        let named = request.uri.authority().is_some() || request.headers.contains_key(HOST);
        named
            && request.uri.authority().is_none_or(|host| self.is_own(host))
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

    fn is_authorized(&self, request: &Parts) -> bool {
        let Some(expected) = &self.token else {
            return true;
        };
        let value = request
            .headers
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

fn json(value: &Value) -> Answer {
    (value.to_string().into(), JSON)
}
