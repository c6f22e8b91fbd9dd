//! The settings of an emulator.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::Emulator;
use super::keys::{Key, Keys};
use super::replay::Replay;

/// What says what time it is.
#[derive(Clone)]
pub(super) struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    pub(super) fn system() -> Self {
        Self(Arc::new(SystemTime::now))
    }

    pub(super) fn now(&self) -> SystemTime {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

pub(super) struct Settings {
    pub(super) keys: Keys,
    pub(super) verify: bool,
    pub(super) replay: Option<Replay>,
    pub(super) chunk: Option<usize>,
    pub(super) clock: Clock,
}

impl Settings {
    pub(super) fn now(&self) -> SystemTime {
        self.clock.now()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("keys", &self.keys)
            .field("verify", &self.verify)
            .field("replay", &self.replay.is_some())
            .field("chunk", &self.chunk)
            .finish_non_exhaustive()
    }
}

/// Configures an [`Emulator`]; see [`Emulator::builder`].
#[derive(Debug)]
#[must_use]
pub struct EmulatorBuilder {
    settings: Settings,
}

impl EmulatorBuilder {
    pub(super) fn new() -> Self {
        Self {
            settings: Settings {
                keys: Keys::default(),
                verify: true,
                replay: None,
                chunk: None,
                clock: Clock::system(),
            },
        }
    }

    /// Accepts signatures of this key pair. May be called for several pairs.
    pub fn credentials(self, access_key_id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.key(access_key_id.into(), secret.into(), None, false)
    }

    /// Accepts signatures of this temporary key pair, with exactly this session token.
    pub fn session_credentials(
        self,
        access_key_id: impl Into<String>,
        secret: impl Into<String>,
        token: impl Into<String>,
    ) -> Self {
        self.key(
            access_key_id.into(),
            secret.into(),
            Some(token.into()),
            false,
        )
    }

    /// Knows this temporary key pair, but answers `ExpiredTokenException`.
    pub fn expired_credentials(
        self,
        access_key_id: impl Into<String>,
        secret: impl Into<String>,
        token: impl Into<String>,
    ) -> Self {
        self.key(
            access_key_id.into(),
            secret.into(),
            Some(token.into()),
            true,
        )
    }

    /// Accepts `Authorization: Bearer` with this Bedrock API key.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.settings.keys.add_api_key(key.into());
        self
    }

    /// Whether credentials are checked at all; they are unless this says otherwise.
    pub fn verify_signatures(mut self, verify: bool) -> Self {
        self.settings.verify = verify;
        self
    }

    /// Takes the time from `clock` instead of from the system.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.settings.clock = Clock(Arc::new(clock));
        self
    }

    /// Answers from a file of recorded exchanges instead of emulating; see [the module](super#replay).
    ///
    /// # Errors
    /// When the file cannot be read or a line of it is not a recording.
    pub fn replay(mut self, file: impl AsRef<Path>) -> io::Result<Self> {
        self.settings.replay = Some(Replay::load(file.as_ref())?);
        Ok(self)
    }

    /// Sends replayed bodies in chunks of this many bytes, each flushed on its own, instead of whole.
    pub fn chunk_size(mut self, bytes: usize) -> Self {
        self.settings.chunk = Some(bytes.max(1));
        self
    }

    /// Binds `address` (port 0 takes a free one) and starts to serve.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(self, address: SocketAddr) -> io::Result<Emulator> {
        Emulator::start(self.settings, address).await
    }

    fn key(mut self, id: String, secret: String, token: Option<String>, expired: bool) -> Self {
        let key = Key {
            secret,
            token,
            expired,
        };
        self.settings.keys.add(id, key);
        self
    }
}
