//! What only the record wants to know of a request.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(feature = "upstream")]
use std::time::Duration;

use http::{HeaderValue, Uri};

use super::Context;

#[derive(Debug, Default)]
pub(super) struct Noted {
    /// Whether the record needs the model that the body names.
    looks_for_model: AtomicBool,
    /// The model as the request's body names it, where that is another name than the path's.
    asked_model: OnceLock<Box<str>>,
    /// Whether the record needs to know where the request goes.
    looks_for_host: AtomicBool,
    upstream: OnceLock<Box<Uri>>,
    /// AWS's id of an answer that a layer of ours gives another instead of.
    upstream_id: OnceLock<Box<HeaderValue>>,
    /// How long the upstream said nothing amid its answer, until the answer was broken off for it.
    #[cfg(feature = "upstream")]
    silence: OnceLock<Duration>,
}

impl Context {
    fn noted(&self) -> &Noted {
        &self.0.noted
    }

    /// Asks for the model that the body names.
    pub(crate) fn look_for_model(&self) {
        self.noted().looks_for_model.store(true, Ordering::Relaxed);
    }

    pub(crate) fn looks_for_model(&self) -> bool {
        self.noted().looks_for_model.load(Ordering::Relaxed)
    }

    /// Notes the model that the body of the request names. The first name stays.
    pub(crate) fn set_asked_model(&self, name: &str) {
        let _ = self.noted().asked_model.set(name.into());
    }

    pub(crate) fn asked_model(&self) -> Option<&str> {
        self.noted().asked_model.get().map(|name| &**name)
    }

    /// Asks for the host that the request goes to.
    pub(crate) fn look_for_host(&self) {
        self.noted().looks_for_host.store(true, Ordering::Relaxed);
    }

    /// Notes where the request goes, if that was asked for.
    pub(crate) fn set_upstream(&self, uri: &Uri) {
        if self.noted().looks_for_host.load(Ordering::Relaxed) {
            let _ = self.noted().upstream.set(Box::new(uri.clone()));
        }
    }

    /// Host and port that the request goes to.
    pub(crate) fn upstream(&self) -> Option<(&str, u16)> {
        let noted = self.noted().upstream.get().map(|uri| &**uri);
        // Without a gateway it goes on as it arrived.
        let goes_on = self.route().is_none() && self.rejection().is_none();
        let uri = noted.or_else(|| self.inbound().filter(|_| goes_on))?;
        let usual = match uri.scheme_str() {
            Some("http") => 80,
            _ => 443,
        };
        Some((uri.host()?, uri.port_u16().unwrap_or(usual)))
    }

    /// Notes AWS's id of an answer that does not go to the client.
    pub(crate) fn set_upstream_id(&self, id: &HeaderValue) {
        let _ = self.noted().upstream_id.set(Box::new(id.clone()));
    }

    pub(crate) fn upstream_id(&self) -> Option<&HeaderValue> {
        self.noted().upstream_id.get().map(|id| &**id)
    }

    /// Notes that the answer was broken off here, for the upstream had fallen silent so long ago.
    #[cfg(feature = "upstream")]
    pub(crate) fn set_silence(&self, silence: Duration) {
        let _ = self.noted().silence.set(silence);
    }

    #[cfg(feature = "upstream")]
    pub(crate) fn silence(&self) -> Option<Duration> {
        self.noted().silence.get().copied()
    }
}
