//! Signing keys that were derived before: deriving one costs 16 compressions.

use bytes::Bytes;
use http::HeaderValue;
use zeroize::Zeroizing;

use super::key::SigningKey;
use super::scope::Scope;
use super::unsigned::KeyPair;
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
    /// The signing key of this pair in this scope, and the pair's session token.
    pub(super) fn get(
        &mut self,
        pair: &KeyPair<'_>,
        scope: &Scope<'_>,
    ) -> (&SigningKey, Option<&HeaderValue>) {
        self.sets.resize_with(SETS, Default::default);
        self.asked += 1;
        let [at, _] = pair.fingerprint.halves();
        let set = &mut self.sets[at as usize % SETS];
        let found = set.iter().position(|entry| {
            entry.as_ref().is_some_and(|entry| {
                entry.fingerprint == *pair.fingerprint
                    && entry.day == scope.second.day()
                    && *entry.region == *scope.region
                    && *entry.service == *scope.service
            })
        });
        let at = found.unwrap_or_else(|| {
            let used = |entry: &Option<Entry>| entry.as_ref().map_or(0, |entry| entry.used);
            let oldest = (0..WAYS).min_by_key(|&at| used(&set[at])).unwrap_or(0);
            set[oldest] = None;
            oldest
        });
        let entry = set[at].get_or_insert_with(|| Entry::new(pair, scope));
        entry.used = self.asked;
        (&entry.key, entry.token.as_ref())
    }
}

impl Entry {
    fn new(pair: &KeyPair<'_>, scope: &Scope<'_>) -> Self {
        let Scope {
            second,
            region,
            service,
        } = *scope;
        Self {
            fingerprint: pair.fingerprint.clone(),
            day: second.day(),
            region: region.into(),
            service: service.into(),
            key: SigningKey::derive(pair.secret_access_key, second.unix(), region, service),
            token: pair.session_token.and_then(token_value),
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
