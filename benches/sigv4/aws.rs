//! The reference: `aws-sigv4`, called as its documentation says.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    self, SignableBody, SignableRequest, SigningInstructions, SigningSettings,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};

use crate::request::{ACCESS_KEY_ID, REGION, SECRET, SERVICE};
use crate::variant::{Source, Variant};

/// Signs with identity and settings that are made once.
///
/// `accept` is left out, as [`Signer`](tower_bedrock::sign::Signer) does, so that all signers here
/// make the same signature.
pub(crate) fn signer(
    token: Option<&str>,
) -> impl Fn(&Method, &Uri, &HeaderMap, &[u8], SystemTime) -> SigningInstructions + Clone + 'static
{
    let token = token.map(str::to_owned);
    let identity = Credentials::new(ACCESS_KEY_ID, SECRET, token, None, "bench").into();
    let mut settings = SigningSettings::default();
    settings
        .excluded_headers
        .get_or_insert_default()
        .push("accept".into());

    move |method, uri, headers, body, time| {
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name(SERVICE)
            .time(time)
            .settings(settings.clone())
            .build()
            .expect("all that is needed")
            .into();
        let headers = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().expect("ASCII")));
        let body = SignableBody::Bytes(body);
        let request = SignableRequest::new(method.as_str(), uri.to_string(), headers, body)
            .expect("a request that can be signed");
        http_request::sign(request, &params)
            .expect("signed")
            .into_parts()
            .0
    }
}

/// `sign` and `apply_to_request_http1x`.
pub(crate) fn variant(row: &'static str, source: Source, token: Option<&str>) -> Variant {
    let sign = signer(token);
    let run = move |(request, time): &mut (Request<Bytes>, SystemTime)| {
        sign(
            request.method(),
            request.uri(),
            request.headers(),
            request.body(),
            *time,
        )
        .apply_to_request_http1x(request);
    };
    let Source {
        column,
        mut parts,
        mut clock,
        body,
    } = source;
    let fresh = move || (Request::from_parts(parts(), body.clone()), clock());
    Variant::new(column, row, fresh, run)
}
