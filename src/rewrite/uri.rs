//! The URI that goes upstream.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use http::uri::PathAndQuery;
use http::{HeaderValue, Uri};

use super::endpoint::{Endpoints, Target};
use crate::context::without_presigned;
use crate::kept::{Lately, mix};
use crate::route::{Parsed, Route, Surface};

/// The URIs of late, by the paths that they were made of.
pub(super) struct Known(Lately<Upstream>);

#[derive(Clone)]
struct Upstream {
    parsed: Arc<Parsed>,
    client_signed: bool,
    uri: Uri,
    host: HeaderValue,
}

impl Known {
    pub(super) fn new() -> Self {
        Self(Lately::new())
    }

    /// [`upstream`], from memory if that can be.
    pub(super) fn upstream(
        &self,
        endpoints: &Endpoints,
        parsed: &Arc<Parsed>,
        query: Option<&str>,
        client_signed: bool,
    ) -> Option<(Uri, HeaderValue)> {
        if query.is_some() || !parsed.is_kept() {
            return upstream(endpoints, &parsed.route(), query, client_signed);
        }
        let mark = mix(
            u64::from(client_signed),
            Arc::as_ptr(parsed).addr() as u64,
            0,
        );
        let is_it = |known: &Upstream| {
            Arc::ptr_eq(&known.parsed, parsed) && known.client_signed == client_signed
        };
        let make = || {
            let (uri, host) = upstream(endpoints, &parsed.route(), None, client_signed).ok_or(())?;
            Ok::<_, ()>(Upstream {
                parsed: Arc::clone(parsed),
                client_signed,
                uri,
                host,
            })
        };
        let known = self.0.get(mark, is_it, make).ok()?;
        Some((known.uri, known.host))
    }
}

/// The URI for `route`, and the `Host` to name.
///
/// `None` if there is no such URI, which the path grammar rules out.
fn upstream(
    endpoints: &Endpoints,
    route: &Route<'_>,
    query: Option<&str>,
    client_signed: bool,
) -> Option<(Uri, HeaderValue)> {
    let Surface::Native {
        service,
        region,
        rest,
        ..
    } = route.surface()
    else {
        return None;
    };
    // An ARN's raw slashes are three bytes each once escaped.
    let spread = route
        .raw_model()
        .filter(|model| !client_signed && is_spread_arn(model));
    let escapes = spread.map_or(0, |model| 2 * model.matches('/').count());
    let query_len = query.map_or(0, |query| 1 + query.len());
    let mut buffer = BytesMut::with_capacity(1 + rest.len() + escapes + query_len);

    buffer.put_u8(b'/');
    match spread.and_then(|model| Some((model, rest.strip_prefix("model/")?.strip_prefix(model)?)))
    {
        Some((model, after)) => {
            buffer.put_slice(b"model/");
            for (at, piece) in model.split('/').enumerate() {
                if at > 0 {
                    buffer.put_slice(b"%2F");
                }
                buffer.put_slice(piece.as_bytes());
            }
            buffer.put_slice(after.as_bytes());
        }
        None => buffer.put_slice(rest.as_bytes()),
    }
    if let Some(query) = query {
        // A presigned query is the client's credential: it goes only if that is used.
        let cleaned = if client_signed {
            None
        } else {
            without_presigned(query)
        };
        let query = cleaned.as_deref().unwrap_or(query);
        if cleaned.is_none() || !query.is_empty() {
            buffer.put_u8(b'?');
            buffer.put_slice(query.as_bytes());
        }
    }
    let path = PathAndQuery::from_maybe_shared(buffer.freeze()).ok()?;

    let Target {
        scheme,
        authority,
        host,
    } = endpoints.resolve(service, region, client_signed)?;
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(scheme);
    parts.authority = Some(authority);
    parts.path_and_query = Some(path);
    Some((Uri::from_parts(parts).ok()?, host))
}

/// Whether a model id is an ARN whose slashes were not escaped.
fn is_spread_arn(model: &str) -> bool {
    let starts = |prefix: &str| {
        model
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    model.contains('/') && (starts("arn:") || starts("arn%3A"))
}

#[cfg(test)]
mod tests {
    use super::{Endpoints, Known, upstream};
    use crate::route::RouteConfig;

    fn path(rest: &str, signed: bool) -> String {
        let uri: http::Uri = format!("/v1/a/g/aws-bedrock/bedrock-runtime/us-east-1{rest}")
            .parse()
            .unwrap();
        let parsed = RouteConfig::new().parse(uri.path()).unwrap();
        let aws = Endpoints::aws();
        let (uri, host) = upstream(&aws, &parsed.route(), uri.query(), signed).unwrap();
        assert_eq!(host, "bedrock-runtime.us-east-1.amazonaws.com");
        uri.to_string()
            .strip_prefix("https://bedrock-runtime.us-east-1.amazonaws.com")
            .unwrap()
            .to_owned()
    }

    #[test]
    fn path_and_query_travel_byte_for_byte() {
        for same in [
            "/model/us.anthropic.claude-haiku-4-5-20251001-v1:0/invoke",
            "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke",
            "/model/m%253A0/converse",
            "/model/arn%3aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx/converse",
            "/model/m/converse/",
            "/model//m/converse",
            "/async-invoke?a=+&b=%2b&a=2&flag&empty=&x=%zz",
            "/async-invoke?",
            "/model/\u{e9}\"{}|^[]/converse",
        ] {
            assert_eq!(path(same, false), same);
            assert_eq!(path(same, true), same);
        }
        assert_eq!(path("//model/m/converse", false), "/model/m/converse");
    }

    #[test]
    fn spread_arn_becomes_one_segment_unless_signed() {
        let arn = "arn:aws:bedrock:us-east-1:123456789012:custom-model/a.b/abcdefghijkl";
        let spread = format!("/model/{arn}/converse/");
        assert_eq!(path(&spread, true), spread);
        let one = "/model/arn:aws:bedrock:us-east-1:123456789012:custom-model%2Fa.b%2Fabcdefghijkl/converse/";
        assert_eq!(path(&spread, false), one);
        let spread = "/model/arn%3Aaws%3Abedrock/x/invoke";
        assert_eq!(path(spread, false), "/model/arn%3Aaws%3Abedrock%2Fx/invoke");
    }

    #[test]
    fn presigned_query_goes_only_if_it_counts() {
        let query = "/async-invoke?X-Amz-Signature=0&a=1&X-Amz-Date=2";
        assert_eq!(path(query, true), query);
        assert_eq!(path(query, false), "/async-invoke?a=1");
        assert_eq!(
            path("/async-invoke?X-Amz-Signature=0", false),
            "/async-invoke"
        );
    }

    /// What is kept is of the same path, and of the same kind of caller.
    #[test]
    fn from_memory() {
        let (routes, fixed) = (
            RouteConfig::new(),
            Endpoints::fixed("http://vpce:80").unwrap(),
        );
        let known = Known::new();
        let model =
            |model| format!("/v1/a/g/aws-bedrock/bedrock-runtime/us-east-1/model/{model}/converse");
        for _ in 0..3 {
            for path in [model("m"), model("n")] {
                let parsed = routes.parse(&path).unwrap();
                for (query, signed) in [(None, false), (None, true), (Some("a=1"), false)] {
                    let got = known.upstream(&fixed, &parsed, query, signed);
                    assert_eq!(got, upstream(&fixed, &parsed.route(), query, signed));
                }
            }
        }
    }
}
