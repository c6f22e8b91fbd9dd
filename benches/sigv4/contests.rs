//! Everything that is measured.

use bytes::Bytes;
use http_body_util::Full;

use crate::floor::{Irreducible, RustCrypto};
use crate::layer::Frames;
use crate::request;
use crate::variant::{Contest, Source, Variant};
use crate::{aws, event_stream, layer, signer, threads};

/// Lengths of the bodies: name, bytes, and how often in one round.
const SIZES: [(&str, usize, u64); 4] = [
    ("256 B", 256, 64),
    ("4 KiB", 4 << 10, 64),
    ("64 KiB", 64 << 10, 8),
    ("1 MiB", 1 << 20, 2),
];

/// The columns of the table.
pub(crate) const COLUMNS: [&str; 4] = [SIZES[0].0, SIZES[1].0, SIZES[2].0, SIZES[3].0];

/// The rows of the table; those of the same work share an index: [0] without, [1] with a token.
pub(crate) const AWS: [&str; 2] = ["aws-sigv4", "aws-sigv4, session token"];
pub(crate) const SIGNER: [&str; 2] = ["**`Signer`**", "**`Signer`, session token**"];
pub(crate) const RUST_CRYPTO: [&str; 2] = [
    "RustCrypto hashes alone",
    "RustCrypto hashes alone, session token",
];
pub(crate) const IRREDUCIBLE: [&str; 2] = [
    "irreducible SHA-256 chain",
    "irreducible SHA-256 chain, session token",
];
pub(crate) const AWS_SECOND: [&str; 2] = [
    "aws-sigv4, first request of a second",
    "aws-sigv4, first request of a second, session token",
];
pub(crate) const SIGNER_SECOND: [&str; 2] = [
    "**`Signer`**, first request of a second",
    "**`Signer`**, first request of a second, session token",
];
pub(crate) const AWS_ROUTE: &str = "aws-sigv4, a route never seen before";
pub(crate) const SIGNER_ROUTE: &str = "**`Signer`**, a route never seen before";
pub(crate) const AWS_NOTE: &str = "aws-sigv4, a signed header that always differs";
pub(crate) const SIGNER_NOTE: &str = "**`Signer`**, a signed header that always differs";
pub(crate) const AWS_TURN: &str = "aws-sigv4, 64 routes in turn";
pub(crate) const SIGNER_TURN: &str = "**`Signer`**, 64 routes in turn";
pub(crate) const PLAIN: [&str; 2] = [
    "plain layer on aws-sigv4",
    "plain layer on aws-sigv4, session token",
];
pub(crate) const LAYER: [&str; 2] = [
    "**`SigV4SigningLayer`**",
    "**`SigV4SigningLayer`, session token**",
];
pub(crate) const PLAIN_FRAMES: &str = "plain layer, body in frames of 16 KiB";
pub(crate) const LAYER_FRAMES: &str = "**`SigV4SigningLayer`**, body in frames of 16 KiB";
pub(crate) const APART: &str = "two threads, a layer each";
pub(crate) const SHARED: &str = "two threads, **one layer**";
pub(crate) const LAST_BYTE: &str = "**last byte to signed head**";
pub(crate) const MESSAGES: [&str; 2] = [
    "event-stream message, aws-sigv4",
    "event-stream message, **`EventStreamSigner`**",
];

/// What table and goals need.
pub(crate) fn all() -> Vec<Contest> {
    let mut contests: Vec<_> = SIZES.map(by_size).into();
    contests.extend([frames(), two_threads(), last_byte(), messages()]);
    contests
}

fn messages() -> Contest {
    Contest {
        count: 64,
        variants: event_stream::variants(MESSAGES).into(),
    }
}

fn by_size((column, length, count): (&'static str, usize, u64)) -> Contest {
    let body = request::body(length);
    let source = || Source::steady(column, &body);
    let token = request::session_token();
    let tokens = [None, Some(&*token)];

    let mut variants = Vec::new();
    for (i, token) in tokens.into_iter().enumerate() {
        variants.extend([
            aws::variant(AWS[i], source(), token),
            signer::variant(SIGNER[i], source(), token).against(AWS[i]),
            RustCrypto::new(&body, token)
                .variant(column, RUST_CRYPTO[i])
                .against(AWS[i]),
            Irreducible::new(&body, token)
                .variant(column, IRREDUCIBLE[i])
                .against(AWS[i]),
        ]);
    }
    if column == COLUMNS[0] {
        variants.extend(unsteady(source));
    }
    for (i, token) in tokens.into_iter().enumerate() {
        variants.extend([
            layer::plain::<Full<Bytes>>(PLAIN[i], source(), token),
            layer::ours::<Full<Bytes>>(LAYER[i], source(), token).against(PLAIN[i]),
        ]);
    }
    Contest { count, variants }
}

/// Where a signer that remembers has less to go by.
fn unsteady(source: impl Fn() -> Source) -> Vec<Variant> {
    let token = request::session_token();
    let mut variants = Vec::new();
    for (i, token) in [None, Some(&*token)].into_iter().enumerate() {
        let source = || source().with_clock(request::seconds());
        variants.extend([
            aws::variant(AWS_SECOND[i], source(), token),
            signer::variant(SIGNER_SECOND[i], source(), token).against(AWS_SECOND[i]),
        ]);
    }
    let new = || source().with_parts(request::new_routes());
    let noted = || source().with_parts(request::noted());
    let turn = || source().with_parts(request::routes_in_turn());
    variants.extend([
        aws::variant(AWS_ROUTE, new(), None),
        signer::variant(SIGNER_ROUTE, new(), None).against(AWS_ROUTE),
        aws::variant(AWS_NOTE, noted(), None),
        signer::variant(SIGNER_NOTE, noted(), None).against(AWS_NOTE),
        aws::variant(AWS_TURN, turn(), None),
        signer::variant(SIGNER_TURN, turn(), None).against(AWS_TURN),
    ]);
    variants
}

fn frames() -> Contest {
    let column = COLUMNS[3];
    let source = || Source::steady(column, &request::body(1 << 20));
    Contest {
        count: 4,
        variants: vec![
            layer::plain::<Frames>(PLAIN_FRAMES, source(), None),
            layer::ours::<Frames>(LAYER_FRAMES, source(), None).against(PLAIN_FRAMES),
        ],
    }
}

fn two_threads() -> Contest {
    let (column, length, _) = SIZES[0];
    let body = request::body(length);
    Contest {
        count: threads::RUN as u64,
        variants: vec![
            threads::apart(column, APART, &body),
            threads::shared(column, SHARED, &body).against(APART),
        ],
    }
}

fn last_byte() -> Contest {
    let variants = [SIZES[1], SIZES[3]]
        .map(|(column, length, _)| signer::last_byte(column, LAST_BYTE, &request::body(length)));
    Contest {
        count: 64,
        variants: variants.into(),
    }
}
