//! Our own signer, without the layer.

use std::time::SystemTime;

use bytes::Bytes;
use http::request::Parts;
use tower_bedrock::credentials::Credentials;
use tower_bedrock::sign::{PayloadHash, PayloadHasher, Signer, SigningParams};

use crate::request::{self, ACCESS_KEY_ID, REGION, SECRET};
use crate::variant::{Source, Variant};

pub(crate) fn credentials(token: Option<&str>) -> Credentials {
    match token {
        Some(token) => Credentials::with_session_token(ACCESS_KEY_ID, SECRET, token),
        None => Credentials::new(ACCESS_KEY_ID, SECRET),
    }
    .expect("well-formed")
}

/// [`PayloadHash::of`] and [`Signer::sign`].
pub(crate) fn signer(token: Option<&str>) -> impl Fn(&mut Parts, &[u8], SystemTime) + use<> {
    let credentials = credentials(token);
    let signer = Signer::new();
    move |head, body, time| {
        let params = SigningParams::new(&credentials, REGION, time);
        sign(&signer, head, &PayloadHash::of(body), &params);
    }
}

pub(crate) fn sign(
    signer: &Signer,
    head: &mut Parts,
    payload: &PayloadHash,
    params: &SigningParams<'_>,
) {
    let (method, uri) = (&head.method, &head.uri);
    signer
        .sign(method, uri, &mut head.headers, payload, params)
        .expect("signed");
}

pub(crate) fn variant(row: &'static str, source: Source, token: Option<&str>) -> Variant {
    let sign = signer(token);
    let run = move |(parts, body, time): &mut (Parts, Bytes, SystemTime)| sign(parts, body, *time);
    let Source {
        column,
        mut parts,
        mut clock,
        body,
    } = source;
    let fresh = move || (parts(), body.clone(), clock());
    Variant::new(column, row, fresh, run)
}

/// From the last 256 bytes of the body to the signed head: what a client waits for after it has
/// sent everything. What came before is hashed once, so that long bodies and short ones leave the
/// same behind in the caches.
pub(crate) fn last_byte(column: &'static str, row: &'static str, body: &Bytes) -> Variant {
    let credentials = credentials(None);
    let signer = Signer::new();
    let mut parts = request::same();
    let mut earlier = body.clone();
    let last = earlier.split_off(earlier.len() - 256);
    let mut hasher = PayloadHasher::new();
    hasher.update(&earlier);
    let fresh = move || (parts(), hasher.clone());
    let run = move |(parts, hasher): &mut (Parts, PayloadHasher)| {
        hasher.update(&last);
        let params = SigningParams::new(&credentials, REGION, request::now());
        sign(&signer, parts, &hasher.finish(), &params);
    };
    Variant::new(column, row, fresh, run)
}
