//! What a request claims about its signature, and whether the claim is well formed: algorithm, credential scope, date.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::canonical::{self, Plus};
use super::hash::sha256;
use super::refusal::Refusal;
use super::verify::Arrived;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const STAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");
/// Second-level names of the endpoints of every partition, dual-stack ones included.
const SUFFIXES: [&str; 14] = [
    "amazonaws.com",
    "api.aws",
    "amazonaws.com.cn",
    "api.amazonwebservices.com.cn",
    "c2s.ic.gov",
    "api.aws.ic.gov",
    "sc2s.sgov.gov",
    "api.aws.scloud",
    "cloud.adc-e.uk",
    "api.cloud-aws.adc-e.uk",
    "csp.hci.ic.gov",
    "api.aws.hci.ic.gov",
    "amazonaws.eu",
    "api.amazonwebservices.eu",
];

/// A signature and everything that is said about it.
pub(super) struct Claim {
    pub(super) key_id: String,
    pub(super) date: String,
    pub(super) region: String,
    pub(super) service: String,
    terminator: String,
    /// Lower case, sorted.
    pub(super) signed_headers: Vec<String>,
    pub(super) signature: String,
    pub(super) timestamp: String,
    pub(super) time: SystemTime,
    pub(super) token: Option<Vec<u8>>,
    pub(super) presigned: bool,
    pub(super) expires: Option<Duration>,
}

impl Claim {
    /// Reads `Authorization: AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…` with `X-Amz-Date`.
    pub(super) fn from_header(value: &[u8], arrived: &Arrived<'_>) -> Result<Self, Refusal> {
        // AWS quotes a hash of the header, never the header.
        let refuse = |text: &str| {
            let hash = base64::engine::general_purpose::STANDARD.encode(sha256(value));
            Refusal::incomplete(&format!(
                "{text} (Hashed with SHA-256 and encoded with Base64) Authorization={hash}"
            ))
        };
        let text = std::str::from_utf8(value)
            .map_err(|_| refuse("Authorization header must be ASCII."))?;
        let (algorithm, fields) = text.split_once(' ').unwrap_or((text, ""));
        if algorithm != ALGORITHM {
            return Err(refuse(&format!(
                "Unsupported AWS 'algorithm': '{algorithm}'."
            )));
        }
        let (mut credential, mut signed, mut signature) = (None, None, None);
        for field in fields.split(',') {
            let Some((name, value)) = field.trim().split_once('=') else {
                return Err(refuse(
                    "Invalid key=value pair (missing equal-sign) in Authorization header.",
                ));
            };
            let slot = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed,
                "Signature" => &mut signature,
                _ => {
                    return Err(refuse(&format!(
                        "Unexpected '{name}' in Authorization header."
                    )));
                }
            };
            if value.is_empty() || slot.replace(value).is_some() {
                return Err(refuse(&format!(
                    "Authorization header requires one '{name}' parameter."
                )));
            }
        }
        let required = |name: &str, value: Option<&str>| {
            value.map(str::to_owned).ok_or_else(|| {
                refuse(&format!(
                    "Authorization header requires '{name}' parameter."
                ))
            })
        };
        let credential = required("Credential", credential)?;
        let signature = required("Signature", signature)?;
        let signed = required("SignedHeaders", signed)?;
        let date = canonical::header("x-amz-date", arrived.headers, None)
            .and_then(|value| String::from_utf8(value).ok())
            .ok_or_else(|| {
                refuse("Authorization header requires existence of a 'X-Amz-Date' header.")
            })?;
        let token = canonical::header("x-amz-security-token", arrived.headers, None);
        Self::new(&credential, &signed, signature, date, token)
    }

    /// Reads the parameters of a presigned query.
    pub(super) fn from_query(query: &str) -> Result<Self, Refusal> {
        let required = |name: &str| {
            parameter(query, name)
                .and_then(|value| String::from_utf8(value).ok())
                .ok_or_else(|| {
                    Refusal::incomplete(&format!(
                        "AWS query-string parameters must include '{name}'."
                    ))
                })
        };
        let algorithm = required("X-Amz-Algorithm")?;
        if algorithm != ALGORITHM {
            return Err(Refusal::incomplete(&format!(
                "Unsupported AWS 'algorithm': '{algorithm}'."
            )));
        }
        let expires = required("X-Amz-Expires")?
            .parse()
            .ok()
            .filter(|seconds| (1..=604_800).contains(seconds))
            .ok_or_else(|| {
                Refusal::incomplete("X-Amz-Expires must be a number of seconds from 1 to 604800.")
            })?;
        let claim = Self::new(
            &required("X-Amz-Credential")?,
            &required("X-Amz-SignedHeaders")?,
            required("X-Amz-Signature")?,
            required("X-Amz-Date")?,
            parameter(query, "X-Amz-Security-Token"),
        )?;
        Ok(Self {
            presigned: true,
            expires: Some(Duration::from_secs(expires)),
            ..claim
        })
    }

    fn new(
        credential: &str,
        signed: &str,
        signature: String,
        timestamp: String,
        token: Option<Vec<u8>>,
    ) -> Result<Self, Refusal> {
        let parts: Vec<&str> = credential.split('/').collect();
        let [key_id, date, region, service, terminator] = parts[..] else {
            return Err(Refusal::incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.",
            ));
        };
        let time = parse_timestamp(&timestamp).ok_or_else(|| {
            Refusal::incomplete("Date must be in ISO-8601 'basic format', e.g. 20260102T030405Z.")
        })?;
        let mut signed_headers: Vec<String> =
            signed.split(';').map(str::to_ascii_lowercase).collect();
        signed_headers.sort();
        Ok(Self {
            key_id: key_id.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            terminator: terminator.to_owned(),
            signed_headers,
            signature,
            timestamp,
            time,
            token,
            presigned: false,
            expires: None,
        })
    }
}

/// Checks the credential scope: terminator, date, service and region. An AWS host decides service and region; any
/// other host (a loopback address) leaves the region open.
pub(super) fn check(claim: &Claim, arrived: &Arrived<'_>) -> Result<(), Refusal> {
    let refuse = |text: &str| Err(Refusal::invalid_signature(text));
    if claim.terminator != "aws4_request" {
        return refuse("Credential should be scoped with a valid terminator: 'aws4_request'.");
    }
    if !claim.timestamp.starts_with(&claim.date) || claim.date.len() != 8 {
        return refuse(&format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}', from '{}'.",
            claim.date,
            claim.timestamp.get(..8).unwrap_or_default(),
            claim.timestamp
        ));
    }
    let host = canonical::header("host", arrived.headers, arrived.authority).unwrap_or_default();
    let host = String::from_utf8_lossy(&host).to_ascii_lowercase();
    let aws = aws_host(&host);
    let services: &[&str] = match &aws {
        Some((service, _)) => std::slice::from_ref(service),
        // Only the runtime knows `/model/…`.
        None if arrived.path.starts_with("/model/") => &["bedrock"],
        None => &["bedrock", "bedrock-mantle"],
    };
    if !services.contains(&claim.service.as_str()) {
        return refuse(&format!(
            "Credential should be scoped to correct service: '{}'.",
            services.join("' or '")
        ));
    }
    let valid = match aws {
        Some((_, region)) => claim.region == region,
        None => looks_like_region(&claim.region),
    };
    if !valid {
        return refuse("Credential should be scoped to a valid region.");
    }
    Ok(())
}

/// Signing name and region of an AWS Bedrock host.
fn aws_host(host: &str) -> Option<(&'static str, &str)> {
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    let (label, rest) = name.split_once('.')?;
    let (region, suffix) = rest.split_once('.')?;
    let service = match label.strip_suffix("-fips").unwrap_or(label) {
        "bedrock-mantle" => "bedrock-mantle",
        other if other.starts_with("bedrock") => "bedrock",
        _ => return None,
    };
    SUFFIXES.contains(&suffix).then_some((service, region))
}

fn looks_like_region(region: &str) -> bool {
    let parts: Vec<&str> = region.split('-').collect();
    match parts[..] {
        [partition, ref names @ .., number] if !names.is_empty() => {
            (2..=4).contains(&partition.len())
                && [partition].iter().chain(names).all(|name| {
                    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase())
                })
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
        }
        _ => false,
    }
}

/// The decoded value of a query parameter.
pub(super) fn parameter(query: &str, name: &str) -> Option<Vec<u8>> {
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find(|(key, _)| canonical::decode(key, Plus::Literal) == name.as_bytes())
        .map(|(_, value)| canonical::decode(value, Plus::Literal))
}

/// `20260102T030405Z`.
pub(super) fn timestamp(time: SystemTime) -> String {
    OffsetDateTime::from(time).format(STAMP).unwrap_or_default()
}

pub(super) fn parse_timestamp(text: &str) -> Option<SystemTime> {
    let time = PrimitiveDateTime::parse(text, STAMP).ok()?;
    Some(time.assume_utc().into())
}
