//! Signing keys that were derived before: deriving one costs 16 compressions.

use bytes::Bytes;
use http::HeaderValue;
use zeroize::Zeroizing;

use super::key::SigningKey;
use super::unsigned::{KeyPair, Unsigned};
use crate::credentials::Fingerprint;

const SETS: usize = 32;
const WAYS: usize = 4;

/// At most 128 keys, in sets of four; in a full set the one that was longest unused goes.
#[derive(Default)]
pub(super) struct Keys {
    sets: Vec<[Option<Entry>; WAYS]>,
    asked: u64,
}

struct Entry {
    fingerprint: Fingerprint,
    day: u64,
    region: Box<str>,
    service: Box<str>,
    key: SigningKey,
    token: Option<HeaderValue>,
    used: u64,
}

impl Keys {
    /// The key for this request, and its session token.
    pub(super) fn get(&mut self, unsigned: &Unsigned<'_>) -> (&SigningKey, Option<&HeaderValue>) {
        self.sets.resize_with(SETS, Default::default);
        self.asked += 1;
        let [at, _] = unsigned.keys.fingerprint.halves();
        let set = &mut self.sets[at as usize % SETS];
        let found = set.iter().position(|entry| {
            entry.as_ref().is_some_and(|entry| {
                entry.fingerprint == *unsigned.keys.fingerprint
                    && entry.day == unsigned.second.day()
                    && *entry.region == *unsigned.region
                    && *entry.service == *unsigned.service
            })
        });
        let at = found.unwrap_or_else(|| {
            let used = |entry: &Option<Entry>| entry.as_ref().map_or(0, |entry| entry.used);
            let oldest = (0..WAYS).min_by_key(|&at| used(&set[at])).unwrap_or(0);
            set[oldest] = None;
            oldest
        });
        let entry = set[at].get_or_insert_with(|| Entry::new(unsigned));
        entry.used = self.asked;
        (&entry.key, entry.token.as_ref())
    }
}

impl Entry {
    fn new(unsigned: &Unsigned<'_>) -> Self {
        let KeyPair {
            fingerprint,
            secret_access_key,
            session_token,
            ..
        } = unsigned.keys;
        let (region, service) = (unsigned.region, unsigned.service);
        Self {
            fingerprint: fingerprint.clone(),
            day: unsigned.second.day(),
            region: region.into(),
            service: service.into(),
            key: SigningKey::derive(secret_access_key, unsigned.second.unix(), region, service),
            token: session_token.and_then(token_value),
            used: 0,
        }
    }
}

/// The token as a header's value that is wiped with its last copy.
fn token_value(token: &str) -> Option<HeaderValue> {
    let bytes = Bytes::from_owner(Zeroizing::new(token.as_bytes().to_vec()));
    let mut value = HeaderValue::from_maybe_shared(bytes).ok()?;
    value.set_sensitive(true);
    Some(value)
}
