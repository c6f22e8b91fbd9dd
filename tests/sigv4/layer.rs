//! The layer before a service that checks every signature which arrives.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Empty};
use tower::{Layer, ServiceExt, service_fn};
use tower_bedrock::body::ResponseBody;
use tower_bedrock::credentials::{Credentials, ProvideCredentials};
use tower_bedrock::sign::{SigV4SigningLayer, SignedBody};
use tower_bedrock::{BoxError, Rejection};

use crate::generate::Case;
use crate::generate::keys::Keys;
use crate::reference::expected;

/// Where the provider leaves what it handed out for one request.
#[derive(Clone, Default)]
pub(crate) struct Handed(Arc<Mutex<Option<Keys>>>);

/// Asks `next` for the keys of every request, and has them travel along.
pub(crate) struct Provider<F>(pub(crate) F);

impl<F: Fn() -> Keys + Send + Sync + 'static> Provider<F> {
    fn hand_out(&self, head: &Parts) -> Credentials {
        let keys = (self.0)();
        let credentials = keys.credentials.clone();
        let handed = head.extensions.get::<Handed>().unwrap();
        *handed.0.lock().unwrap() = Some(keys);
        credentials
    }
}

impl<F: Fn() -> Keys + Send + Sync + 'static> ProvideCredentials for Provider<F> {
    async fn credentials(&self, head: &Parts) -> Result<Credentials, Rejection> {
        Ok(self.hand_out(head))
    }

    fn credentials_now(&self, head: &Parts) -> Option<Result<Credentials, Rejection>> {
        // Both ways are taken, by turns of the request.
        let later = head.headers.contains_key("x-amz-later");
        (!later).then(|| Ok(self.hand_out(head)))
    }
}

/// What came of a request.
pub(crate) enum Outcome {
    /// It arrived, rightly signed, with this body.
    Arrived(Bytes),
    Refused(Response<Bytes>),
}

/// Sends `request`. What arrives must be what `aws-sigv4`
/// signs for `scope`, with the keys that were handed out, at the time that it names.
pub(crate) async fn send<B>(
    layer: &SigV4SigningLayer,
    scope: (&str, &str),
    request: Request<B>,
) -> Outcome
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let arrived = Mutex::new(None);
    let inner = service_fn(|request: Request<SignedBody<B>>| async {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let keys = head
            .extensions
            .get::<Handed>()
            .unwrap()
            .0
            .lock()
            .unwrap()
            .take();
        *arrived.lock().unwrap() = Some((head, body, keys));
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    });
    let (mut head, body) = request.into_parts();
    head.extensions.insert(Handed::default());
    let request = Request::from_parts(head, body);
    let response: Response<ResponseBody<_>> = layer.layer(inner).oneshot(request).await.unwrap();
    let (answer, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    match arrived.into_inner().unwrap() {
        Some((head, body, Some(keys))) => {
            check(scope, head, &body, keys);
            Outcome::Arrived(body)
        }
        Some((.., None)) => panic!("it arrived, and no keys were handed out"),
        None => Outcome::Refused(Response::from_parts(answer, body)),
    }
}

fn check((region, service): (&str, &str), head: Parts, body: &Bytes, keys: Keys) {
    let mut headers = head.headers.clone();
    let date = headers["x-amz-date"].to_str().unwrap();
    let mut case = Case {
        method: head.method,
        uri: head.uri,
        body: body.to_vec(),
        keys,
        region: region.to_owned(),
        service: service.to_owned(),
        time: parse(date),
        ..Case::post("https://localhost")
    };
    for added in ["authorization", "x-amz-date", "x-amz-security-token"] {
        headers.remove(added);
    }
    case.headers = headers;
    let wanted: HeaderMap = expected(&case).unwrap();
    assert_eq!(
        head.headers,
        wanted,
        "{case:?}\n{wanted:?}\n{:?}",
        wanted["authorization"].to_str()
    );
}

fn parse(date: &str) -> SystemTime {
    let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
    time::PrimitiveDateTime::parse(date, format)
        .unwrap()
        .assume_utc()
        .into()
}
