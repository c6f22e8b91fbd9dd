//! Which headers a head has, found in one look.
//!
//! Each layer looks once, and does what a header asks for only where there is one.

use std::ops::BitOr;

use http::HeaderMap;

/// A set of headers, told apart by what they mean to a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Present(u16);

impl Present {
    /// It does not travel upstream where we sign: only those do that Bedrock knows.
    pub(crate) const LOCAL: Self = Self(1);
    /// It never travels upstream: it is between the client and the gateway, or of proxies before it.
    pub(crate) const STOPS: Self = Self(1 << 1);
    /// It speaks about one connection (RFC 9110 §7.6.1).
    pub(crate) const HOP: Self = Self(1 << 2);
    /// It asks for something that a record tells of, or is one of its ids.
    pub(crate) const ASKS: Self = Self(1 << 3);
    /// It belongs to a signature that somebody else has made.
    pub(crate) const STALE: Self = Self(1 << 4);
    /// It is local too, but nearly every client sends it.
    pub(crate) const ACCEPT_ENCODING: Self = Self(1 << 5);
    pub(crate) const ALIAS: Self = Self(1 << 6);
    pub(crate) const AUTHORIZATION: Self = Self(1 << 7);
    pub(crate) const CONNECTION: Self = Self(1 << 8);
    pub(crate) const CONTENT_ENCODING: Self = Self(1 << 9);
    pub(crate) const CONTENT_LENGTH: Self = Self(1 << 10);
    pub(crate) const CONTENT_TYPE: Self = Self(1 << 11);
    pub(crate) const EXPECT: Self = Self(1 << 12);
    pub(crate) const HOST: Self = Self(1 << 13);
    pub(crate) const TRANSFER_ENCODING: Self = Self(1 << 14);

    const NONE: Self = Self(0);

    /// Those of this head.
    pub(crate) fn in_head(headers: &HeaderMap) -> Self {
        let names = headers.keys().map(|name| Self::named(name.as_str()));
        names.fold(Self::NONE, BitOr::bitor)
    }

    /// What a header of this name means. Names are in lower case.
    pub(crate) fn named(name: &str) -> Self {
        // Told by the first letter first: this is asked of every header of every request.
        match name.as_bytes() {
            [b'a', ..] => match name {
                "accept" => Self::NONE,
                "accept-encoding" => Self::ACCEPT_ENCODING,
                "authorization" => Self::AUTHORIZATION | Self::STALE | Self::LOCAL,
                _ => travelling(begins(name, ["amz-sdk-", "anthropic-"])),
            },
            [b'c', b'f', b'-', rest @ ..] => {
                Self::LOCAL
                    | Self::STOPS
                    | match rest {
                        b"aig-authorization" => Self::NONE,
                        b"aig-byok-alias" => Self::ASKS | Self::ALIAS,
                        [b'a', b'i', b'g', b'-', ..] => Self::ASKS,
                        _ => Self::NONE,
                    }
            }
            [b'c', ..] => match name {
                "connection" => Self::CONNECTION | Self::HOP | Self::STOPS | Self::LOCAL,
                "content-encoding" => Self::CONTENT_ENCODING | Self::LOCAL,
                "content-length" => Self::CONTENT_LENGTH,
                "content-type" => Self::CONTENT_TYPE,
                "cookie" => Self::STOPS | Self::LOCAL,
                _ => Self::LOCAL,
            },
            [b'h', ..] if name == "host" => Self::HOST,
            [b'o', ..] => travelling(begins(name, ["openai-"])),
            [b't', ..] => match name {
                "te" | "trailer" => Self::HOP | Self::STOPS | Self::LOCAL,
                "traceparent" => Self::ASKS | Self::LOCAL,
                "transfer-encoding" => {
                    Self::TRANSFER_ENCODING | Self::HOP | Self::STOPS | Self::LOCAL
                }
                _ => Self::LOCAL,
            },
            [b'u', ..] => match name {
                "upgrade" => Self::HOP | Self::STOPS | Self::LOCAL,
                _ => travelling(name == "user-agent"),
            },
            [b'x', ..] => match name {
                "x-amz-cf-id" | "x-amz-content-sha256" | "x-amz-date" | "x-amz-security-token" => {
                    Self::STALE | Self::LOCAL
                }
                "x-api-key" | "x-real-ip" => Self::STOPS | Self::LOCAL,
                _ if begins(name, ["x-forwarded-"]) => Self::STOPS | Self::LOCAL,
                _ => travelling(begins(name, ["x-amz-", "x-amzn-bedrock-"])),
            },
            _ => match name {
                "expect" => Self::EXPECT | Self::STOPS | Self::LOCAL,
                "forwarded" | "via" => Self::STOPS | Self::LOCAL,
                "keep-alive" => Self::HOP | Self::STOPS | Self::LOCAL,
                _ if begins(name, ["proxy-"]) => Self::HOP | Self::STOPS | Self::LOCAL,
                _ => Self::LOCAL,
            },
        }
    }

    /// Whether any header of that set is in this one.
    pub(crate) fn has(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }
}

fn travelling(travels: bool) -> Present {
    match travels {
        true => Present::NONE,
        false => Present::LOCAL,
    }
}

fn begins<const N: usize>(name: &str, prefixes: [&str; N]) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

impl BitOr for Present {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
