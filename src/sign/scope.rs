//! The credential scope: for which region and service a signature is good.

use http::Uri;

use crate::context::Context;
use crate::route::{Service, Surface, partition};

/// Region and service of a credential scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope<'a> {
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

impl<'a> Scope<'a> {
    /// From the route if there is one, else from the host's name; what is set goes before both.
    pub(super) fn of(
        facts: Option<&'a Context>,
        uri: &'a Uri,
        region: Option<&'a str>,
        service: Option<&'a str>,
    ) -> Option<Self> {
        let found = match facts.and_then(Context::route).map(|route| route.surface()) {
            Some(Surface::Native {
                service, region, ..
            }) => Some((region, service)),
            _ => uri
                .authority()
                .and_then(|authority| usual(authority.as_str()))
                .or_else(|| uri.host().and_then(in_host)),
        };
        let region = region.or(found.map(|(region, _)| region))?;
        let known = found.map_or(Service::Runtime, |(_, service)| service);
        Some(Self {
            region,
            service: service.unwrap_or(known.signing_name()),
        })
    }
}

/// `bedrock-runtime.us-east-1.amazonaws.com`: most requests go to such a host.
fn usual(authority: &str) -> Option<(&str, Service)> {
    let region = authority.strip_prefix("bedrock-runtime.")?;
    let region = region.strip_suffix(".amazonaws.com")?;
    partition(region).map(|_| (region, Service::Runtime))
}

/// `bedrock-runtime.us-east-1.api.aws`, `bedrock-mantle-fips.…`, and VPC endpoints
/// `vpce-….bedrock-runtime.us-east-1.vpce.amazonaws.com`.
fn in_host(host: &str) -> Option<(&str, Service)> {
    let mut labels = host.split('.');
    let service = labels.find_map(|label| match label.strip_suffix("-fips").unwrap_or(label) {
        "bedrock-mantle" => Some(Service::Mantle),
        label if label.starts_with("bedrock") => Some(Service::Runtime),
        _ => None,
    })?;
    let region = labels.next()?;
    partition(region).map(|_| (region, service))
}

#[cfg(test)]
mod tests {
    use super::{
        Service::{Mantle, Runtime},
        in_host,
    };

    #[test]
    fn region_and_service_in_host_names() {
        for (host, found) in [
            (
                "bedrock-runtime.us-east-1.amazonaws.com",
                Some(("us-east-1", Runtime)),
            ),
            (
                "bedrock-runtime-fips.us-gov-west-1.amazonaws.com",
                Some(("us-gov-west-1", Runtime)),
            ),
            (
                "bedrock-mantle.eu-west-1.api.aws",
                Some(("eu-west-1", Mantle)),
            ),
            (
                "bedrock.cn-north-1.amazonaws.com.cn",
                Some(("cn-north-1", Runtime)),
            ),
            (
                "vpce-0a1b.bedrock-runtime.us-east-1.vpce.amazonaws.com",
                Some(("us-east-1", Runtime)),
            ),
            ("localhost", None),
            ("bedrock-runtime.example.com", None),
        ] {
            assert_eq!(in_host(host), found, "{host}");
        }
    }
}
