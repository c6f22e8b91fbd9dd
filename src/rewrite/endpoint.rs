//! Which host serves a region.

use std::cell::RefCell;

use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Uri};

use crate::error::ConfigError;
use crate::route::{Service, host_value, partition};

/// Where requests are sent.
///
/// | | host |
/// |---|---|
/// | [`aws`](Self::aws) | `bedrock-runtime.{region}.{suffix}`, `bedrock-mantle.{region}.{dual-stack suffix}` |
/// | [`with_fips`](Self::with_fips) | `bedrock-runtime-fips.…`, `bedrock-mantle-fips.…` |
/// | [`with_dual_stack`](Self::with_dual_stack) | `….{dual-stack suffix}` |
/// | [`fixed`](Self::fixed) | that one for all regions; the region stays in the signature |
///
/// The suffixes are those of the region's partition:
/// `aws`, `aws-cn`, `aws-us-gov`, `aws-iso`, `aws-iso-b`, `aws-iso-e`, `aws-iso-f`, `aws-eusc`.
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    fips: bool,
    dual_stack: bool,
    fixed: Option<Fixed>,
    dialled_by_client: bool,
}

#[derive(Debug, Clone)]
struct Fixed {
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
}

impl Endpoints {
    /// AWS's own endpoints.
    pub fn aws() -> Self {
        Self::default()
    }

    /// One endpoint for everything: a VPC endpoint, a proxy, an emulator.
    ///
    /// # Errors
    /// If `url` is not `http://host[:port]` or `https://host[:port]`.
    pub fn fixed(url: &str) -> Result<Self, ConfigError> {
        let problem = || {
            ConfigError::new(
                "endpoint",
                "must be http://host[:port] or https://host[:port]",
            )
        };
        let uri: Uri = url.parse().map_err(|error| problem().with_source(error))?;
        let scheme = uri
            .scheme()
            .filter(|s| ["http", "https"].contains(&s.as_str()));
        let host = host_value(&uri).filter(|host| !host.is_empty());
        let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let written = uri.authority().map_or("", Authority::as_str);
        let bare = bare && !written.contains('@') && !written.ends_with(':');
        let (Some(scheme), Some(host), true) = (scheme, host, bare) else {
            return Err(problem());
        };
        let authority =
            Authority::try_from(host.as_bytes()).map_err(|error| problem().with_source(error))?;
        let fixed = Fixed {
            scheme: scheme.clone(),
            authority,
            host,
        };
        Ok(Self {
            fixed: Some(fixed),
            ..Self::default()
        })
    }

    /// Uses the FIPS 140 validated endpoints. Of no effect on a [`fixed`](Self::fixed) endpoint.
    #[must_use]
    pub fn with_fips(mut self) -> Self {
        self.fips = true;
        self
    }

    /// Uses the endpoints that have IPv6 addresses too. Of no effect on a
    /// [`fixed`](Self::fixed) endpoint.
    #[must_use]
    pub fn with_dual_stack(mut self) -> Self {
        self.dual_stack = true;
        self
    }

    /// The fixed endpoint, if there is one.
    #[cfg(feature = "gateway")]
    pub(crate) fn fixed_uri(&self) -> Option<Uri> {
        let fixed = self.fixed.as_ref()?;
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(fixed.scheme.clone());
        parts.authority = Some(fixed.authority.clone());
        parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
        Uri::from_parts(parts).ok()
    }

    /// The client connects to the fixed endpoint whatever the URI says; so the URI of a request
    /// whose `:authority` is signed can name AWS.
    #[cfg(feature = "gateway")]
    pub(crate) fn dialled_by_client(mut self) -> Self {
        self.dialled_by_client = true;
        self
    }

    /// Whether a request whose `:authority` the client signed could arrive with it.
    pub(super) fn keeps_authority(&self) -> bool {
        self.fixed.is_none() || self.dialled_by_client
    }

    /// Where a request of `service` in `region` goes.
    ///
    /// `None` if `region` is in no partition.
    pub(super) fn resolve(
        &self,
        service: Service,
        region: &str,
        client_signed: bool,
    ) -> Option<Target> {
        // A client that signed did so for AWS's host, so that is named even to another one.
        if let Some(fixed) = self.fixed.as_ref().filter(|_| !client_signed) {
            return Some(Target {
                scheme: fixed.scheme.clone(),
                authority: fixed.authority.clone(),
                host: fixed.host.clone(),
            });
        }
        let partition = partition(region)?;
        let fips = if self.fips { "-fips" } else { "" };
        let suffix = if self.dual_stack || service == Service::Mantle {
            partition.dual_stack_suffix
        } else {
            partition.suffix
        };
        let (named, host) = named([service.as_str(), fips, ".", region, ".", suffix])?;
        let (scheme, authority) = match &self.fixed {
            Some(fixed) if !self.dialled_by_client => {
                (fixed.scheme.clone(), fixed.authority.clone())
            }
            Some(fixed) => (fixed.scheme.clone(), named),
            None => (Scheme::HTTPS, named),
        };
        Some(Target {
            scheme,
            authority,
            host,
        })
    }
}

/// A host's name, for a URI and for `Host`.
type Named = (Authority, HeaderValue);

/// The host whose name these pieces make. Those that a thread named last are at hand: it is nearly
/// always one of them, and they need not be checked again.
fn named(pieces: [&str; 6]) -> Option<Named> {
    const MOST: usize = 8;
    thread_local! {
        static LATEST: RefCell<Vec<Named>> = const { RefCell::new(Vec::new()) };
    }
    let is_it = |(_, host): &&Named| {
        let mut rest = Some(host.as_bytes());
        for piece in pieces {
            rest = rest.and_then(|rest| rest.strip_prefix(piece.as_bytes()));
        }
        rest == Some(&[])
    };
    let known = LATEST.try_with(|latest| latest.borrow().iter().find(is_it).cloned());
    if let Ok(Some(named)) = known {
        return Some(named);
    }
    let host = Bytes::from(pieces.concat());
    let authority = Authority::from_maybe_shared(host.clone()).ok()?;
    let named = (authority, HeaderValue::from_maybe_shared(host).ok()?);
    // While a thread ends nothing is kept.
    let _ = LATEST.try_with(|latest| {
        let mut latest = latest.borrow_mut();
        latest.truncate(MOST - 1);
        latest.insert(0, named.clone());
    });
    Some(named)
}

/// Where one request goes.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
    pub(super) host: HeaderValue,
}

#[cfg(test)]
mod tests {
    use super::Endpoints;
    use crate::route::Service::{self, Mantle, Runtime};

    fn resolve(endpoints: &Endpoints, service: Service, region: &str, signed: bool) -> [String; 2] {
        // The second time from memory.
        endpoints.resolve(service, region, signed).unwrap();
        let target = endpoints.resolve(service, region, signed).unwrap();
        let url = format!("{}://{}", target.scheme, target.authority);
        [url, target.host.to_str().unwrap().to_owned()]
    }

    #[test]
    fn hosts_of_all_partitions() {
        let aws = Endpoints::aws();
        let fips = Endpoints::aws().with_fips();
        let dual = Endpoints::aws().with_dual_stack();
        let both = Endpoints::aws().with_fips().with_dual_stack();
        for (endpoints, service, region, host) in [
            (
                &aws,
                Runtime,
                "us-east-1",
                "bedrock-runtime.us-east-1.amazonaws.com",
            ),
            (
                &aws,
                Mantle,
                "us-east-1",
                "bedrock-mantle.us-east-1.api.aws",
            ),
            (
                &aws,
                Runtime,
                "cn-north-1",
                "bedrock-runtime.cn-north-1.amazonaws.com.cn",
            ),
            (
                &aws,
                Runtime,
                "us-gov-west-1",
                "bedrock-runtime.us-gov-west-1.amazonaws.com",
            ),
            (
                &aws,
                Runtime,
                "us-iso-east-1",
                "bedrock-runtime.us-iso-east-1.c2s.ic.gov",
            ),
            (
                &aws,
                Runtime,
                "us-isob-east-1",
                "bedrock-runtime.us-isob-east-1.sc2s.sgov.gov",
            ),
            (
                &aws,
                Runtime,
                "eu-isoe-west-1",
                "bedrock-runtime.eu-isoe-west-1.cloud.adc-e.uk",
            ),
            (
                &aws,
                Runtime,
                "us-isof-south-1",
                "bedrock-runtime.us-isof-south-1.csp.hci.ic.gov",
            ),
            (
                &aws,
                Runtime,
                "eusc-de-east-1",
                "bedrock-runtime.eusc-de-east-1.amazonaws.eu",
            ),
            (
                &fips,
                Runtime,
                "us-gov-west-1",
                "bedrock-runtime-fips.us-gov-west-1.amazonaws.com",
            ),
            (
                &dual,
                Runtime,
                "eu-west-1",
                "bedrock-runtime.eu-west-1.api.aws",
            ),
            (
                &dual,
                Runtime,
                "cn-north-1",
                "bedrock-runtime.cn-north-1.api.amazonwebservices.com.cn",
            ),
            (
                &both,
                Runtime,
                "us-east-2",
                "bedrock-runtime-fips.us-east-2.api.aws",
            ),
        ] {
            let resolved = resolve(endpoints, service, region, false);
            assert_eq!(resolved, [format!("https://{host}"), host.to_owned()]);
        }
    }

    #[test]
    fn fixed_endpoint_and_what_a_client_signed() {
        let fixed = Endpoints::fixed("http://127.0.0.1:9000/").unwrap();
        let ours = ["http://127.0.0.1:9000", "127.0.0.1:9000"];
        assert_eq!(resolve(&fixed, Runtime, "us-east-1", false), ours);
        let theirs = [
            "http://127.0.0.1:9000",
            "bedrock-runtime.us-east-1.amazonaws.com",
        ];
        assert_eq!(resolve(&fixed, Runtime, "us-east-1", true), theirs);
        let fixed = Endpoints::fixed("https://VPCE.example:443").unwrap();
        assert_eq!(
            resolve(&fixed, Runtime, "us-east-1", false),
            ["https://vpce.example", "vpce.example"]
        );
        for bad in [
            "",
            "host",
            "/x",
            "ftp://h",
            "http://",
            "http://h/x",
            "http://h?x",
            "http://a b",
            "http://127.0.0.1:",
            "http://user:password@h",
        ] {
            assert!(Endpoints::fixed(bad).is_err(), "{bad}");
        }
    }
}
