//! The credentials that the emulator accepts.

use std::collections::HashMap;
use std::fmt;

/// What stands behind one access key id; one id may be known with several session tokens.
pub(super) struct Key {
    pub(super) secret: String,
    pub(super) token: Option<String>,
    pub(super) expired: bool,
}

#[derive(Default)]
pub(super) struct Keys {
    pairs: HashMap<String, Vec<Key>>,
    api_keys: Vec<String>,
}

impl Keys {
    pub(super) fn add(&mut self, id: String, key: Key) {
        self.pairs.entry(id).or_default().push(key);
    }

    pub(super) fn add_api_key(&mut self, key: String) {
        self.api_keys.push(key);
    }

    /// The key of this id that goes with exactly this session token (or with none).
    pub(super) fn find(&self, id: &str, token: Option<&[u8]>) -> Option<&Key> {
        self.pairs
            .get(id)?
            .iter()
            .find(|key| key.token.as_deref().map(str::as_bytes) == token)
    }

    pub(super) fn has_api_key(&self, key: &[u8]) -> bool {
        self.api_keys.iter().any(|known| known.as_bytes() == key)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("pairs", &self.pairs.len())
            .field("api_keys", &self.api_keys.len())
            .finish()
    }
}
