//! The facts of a request: one handle in its extensions, filled as the request goes inward.
//!
//! Whichever of our layers is outermost inserts the handle; the inner ones add to it. So a request
//! whose client leaves before there is any response still leaves a full record. Copies of a
//! request (a retry) share the handle: facts stay, counters add up.
//!
//! ```
//! use tower_bedrock::{Context, Principal};
//!
//! fn who<B>(request: &http::Request<B>) -> Option<&str> {
//!     Principal::of(request.extensions()).map(Principal::id)
//! }
//! # let mut request = http::Request::new(());
//! # assert_eq!(who(&request), None);
//! # Context::of(request.extensions_mut()).set_principal(Principal::new("team-a"));
//! # assert_eq!(who(&request), Some("team-a"));
//! ```

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::{Extensions, Uri, request};

use crate::headers::Present;
use crate::reject::{Manner, Rejection, RejectionKind};
#[cfg(feature = "compat")]
use crate::route::Spans;
use crate::route::{Parsed, Route, RouteConfig};

#[cfg(feature = "observe")]
mod claimed;
mod credential;
#[cfg(any(feature = "rewrite", feature = "observe", feature = "compat"))]
mod inbound;
mod noted;
mod policy;
mod principal;
mod stage;
#[cfg(feature = "observe")]
mod taken;
#[cfg(feature = "compat")]
mod told;

use self::noted::Noted;

pub use self::credential::{ClientCredential, KeyChoice};
pub use self::policy::{ClientCredentials, ModelAlias, Policy, Timeouts};
pub use self::principal::Principal;
use self::stage::Passed;
pub(crate) use self::stage::Stage;

#[cfg(feature = "rewrite")]
pub(crate) use self::credential::{signed_headers, without_presigned};
#[cfg(feature = "observe")]
pub(crate) use self::taken::{Beginning, Taken};
#[cfg(feature = "compat")]
pub(crate) use self::told::{Told, Translated};

/// The facts of one request. Cloning it copies a pointer.
#[derive(Clone)]
pub struct Context(Arc<Facts>, Passed);

struct Facts {
    started: Instant,
    /// An `ObservabilityLayer` has made this handle its own.
    claimed: AtomicBool,
    /// The URI as it arrived.
    inbound: OnceLock<Uri>,
    parsed: OnceLock<Arc<Parsed>>,
    /// Where the request leads that a layer of ours made of the one that arrived.
    #[cfg(feature = "compat")]
    translated: OnceLock<Arc<Parsed>>,
    /// What that layer read of the answer.
    #[cfg(feature = "compat")]
    told: OnceLock<Box<Told>>,
    #[cfg(feature = "compat")]
    progress: Translated,
    /// The beginning of the body, if the record is to have it.
    #[cfg(feature = "observe")]
    taken: OnceLock<Box<Taken>>,
    noted: Noted,
    /// A packed [`Manner`]; 0 is "not known".
    manner: AtomicU8,
    principal: OnceLock<Principal>,
    key_choice: OnceLock<KeyChoice>,
    credentials_id: OnceLock<Arc<str>>,
    rejection: OnceLock<Rejection>,
    /// How long the ready-made client waits for a connection, if the upstream layer says so.
    #[cfg(feature = "upstream")]
    connect_timeout: OnceLock<Duration>,
    attempts: AtomicU32,
    /// How often it has come to the outermost `UpstreamLayer` that is inside of signing.
    #[cfg(feature = "upstream")]
    sent: AtomicU32,
    /// How often it has come to the ready-made client.
    #[cfg(feature = "client")]
    given: AtomicU32,
    /// The body is one side of a bidirectional stream.
    #[cfg(feature = "sign")]
    is_conversation: AtomicBool,
    /// Microseconds after `started`; 0 is "not yet".
    sent_at: AtomicU64,
    /// `u64::MAX` is "not known".
    request_size: AtomicU64,
}

impl Facts {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            claimed: AtomicBool::new(false),
            inbound: OnceLock::new(),
            parsed: OnceLock::new(),
            #[cfg(feature = "compat")]
            translated: OnceLock::new(),
            #[cfg(feature = "compat")]
            told: OnceLock::new(),
            #[cfg(feature = "compat")]
            progress: Translated::default(),
            #[cfg(feature = "observe")]
            taken: OnceLock::new(),
            noted: Noted::default(),
            manner: AtomicU8::new(0),
            principal: OnceLock::new(),
            key_choice: OnceLock::new(),
            credentials_id: OnceLock::new(),
            rejection: OnceLock::new(),
            #[cfg(feature = "upstream")]
            connect_timeout: OnceLock::new(),
            attempts: AtomicU32::new(0),
            #[cfg(feature = "upstream")]
            sent: AtomicU32::new(0),
            #[cfg(feature = "client")]
            given: AtomicU32::new(0),
            #[cfg(feature = "sign")]
            is_conversation: AtomicBool::new(false),
            sent_at: AtomicU64::new(0),
            request_size: AtomicU64::new(u64::MAX),
        }
    }
}

impl Context {
    /// The request's handle; inserted if there is none yet.
    pub fn of(extensions: &mut Extensions) -> Self {
        if let Some(context) = extensions.get::<Self>() {
            return context.clone();
        }
        let context = Self::new();
        extensions.insert(context.clone());
        context
    }

    /// The request's handle, if one of our layers has seen the request.
    pub fn get(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    fn new() -> Self {
        Self(Arc::new(Facts::new()), Passed::default())
    }

    /// When the first of our layers saw the request.
    pub fn started(&self) -> Instant {
        self.0.started
    }

    /// The URI as it arrived, once it is known: from `ObservabilityLayer` or
    /// `BedrockPathRewriteLayer` inward.
    pub fn inbound(&self) -> Option<&Uri> {
        self.0.inbound.get()
    }

    /// The parsed path, once it is known; that of the translated request, once there is one.
    pub fn route(&self) -> Option<Route<'_>> {
        self.parsed().map(|parsed| parsed.route())
    }

    /// Who is calling, once that is known.
    pub fn principal(&self) -> Option<&Principal> {
        self.0.principal.get()
    }

    /// Says who is calling. The first answer stays.
    pub fn set_principal(&self, principal: Principal) {
        let _ = self.0.principal.set(principal);
    }

    /// With whose keys the request goes upstream, once that is known.
    pub fn key_choice(&self) -> Option<&KeyChoice> {
        self.0.key_choice.get()
    }

    /// The public id of the credentials that signed the request: an access key id.
    pub fn credentials_id(&self) -> Option<&str> {
        self.0.credentials_id.get().map(|id| &**id)
    }

    /// Why the request was refused, if one of our layers refused it.
    pub fn rejection(&self) -> Option<&Rejection> {
        self.0.rejection.get()
    }

    /// How often the request was sent upstream.
    pub fn attempts(&self) -> u32 {
        self.0.attempts.load(Ordering::Relaxed)
    }

    /// Time from [`started`](Self::started) to the latest attempt.
    pub fn sent_after(&self) -> Option<Duration> {
        match self.0.sent_at.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros)),
        }
    }

    /// Length of the request body, in bytes, once it is known.
    pub fn request_size(&self) -> Option<u64> {
        Some(self.0.request_size.load(Ordering::Relaxed)).filter(|&size| size != u64::MAX)
    }

    /// How this request is refused; `head` is looked at the first time only.
    pub(crate) fn manner(&self, head: &request::Parts) -> Manner {
        self.manner_of(head, || Present::in_head(&head.headers))
    }

    /// The same, where it is known which headers there are.
    pub(crate) fn manner_of(
        &self,
        head: &request::Parts,
        present: impl FnOnce() -> Present,
    ) -> Manner {
        if let Some(known) = Manner::unpacked(self.0.manner.load(Ordering::Relaxed)) {
            return known;
        }
        let manner = Manner::of(head, present());
        let place = &self.0.manner;
        match place.compare_exchange(0, manner.packed(), Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => manner,
            Err(first) => Manner::unpacked(first).unwrap_or(manner),
        }
    }

    /// Keeps the rejection for the record; hands it back.
    pub(crate) fn rejected(&self, rejection: Rejection) -> Rejection {
        let _ = self.0.rejection.set(rejection.clone());
        rejection
    }

    /// Parses `path`, unless an outer layer has.
    pub(crate) fn parse_route(
        &self,
        path: &str,
        config: &RouteConfig,
    ) -> Result<&Arc<Parsed>, Rejection> {
        let parsed = match self.parsed() {
            Some(parsed) => parsed,
            None => {
                let parsed = config.parse(path)?;
                self.0.parsed.get_or_init(|| parsed)
            }
        };
        if parsed.path() != path {
            return Err(Rejection::new(
                RejectionKind::StackMisordered,
                "StackMisordered: put what changes the path (takes off a prefix, for example) outside of GatewayAuthLayer, OpenAiCompatLayer and BedrockPathRewriteLayer: it stands between two of them",
            ));
        }
        Ok(parsed)
    }

    pub(crate) fn parsed(&self) -> Option<&Arc<Parsed>> {
        #[cfg(feature = "compat")]
        if let Some(translated) = self.0.translated.get() {
            return Some(translated);
        }
        self.0.parsed.get()
    }

    /// Notes that the request has become one of Bedrock's own at `uri`, for this region.
    #[cfg(feature = "compat")]
    pub(crate) fn set_translated(&self, uri: &Uri, region: Arc<str>) {
        let Some(route) = self.route() else {
            return;
        };
        let path = uri.path();
        let translated = Parsed::new(path, Spans::translated(&route, region, path));
        let _ = self.0.translated.set(Arc::new(translated));
    }

    /// Whether the request that goes upstream is another than the one that arrived.
    pub(crate) fn is_translated(&self) -> bool {
        #[cfg(feature = "compat")]
        return self.0.translated.get().is_some();
        #[cfg(not(feature = "compat"))]
        return false;
    }

    /// Notes what the answer told that is given in another form.
    #[cfg(feature = "compat")]
    pub(crate) fn tell(&self, told: Told) {
        let _ = self.0.told.set(Box::new(told));
    }

    /// How far a stream has come that is given in another form.
    #[cfg(feature = "compat")]
    pub(crate) fn progress(&self) -> &Translated {
        &self.0.progress
    }

    #[cfg(all(feature = "compat", feature = "observe"))]
    pub(crate) fn told(&self) -> Option<&Told> {
        self.0.told.get().map(|told| &**told)
    }

    #[cfg(any(feature = "rewrite", feature = "observe", feature = "compat"))]
    pub(crate) fn set_inbound(&self, uri: Uri) {
        self.0.inbound.get_or_init(|| inbound::kept(uri));
    }

    /// What the caller may do; the layer's own policy if its principal has none.
    #[cfg(any(feature = "rewrite", feature = "sign", feature = "compat"))]
    pub(crate) fn policy<'a>(&'a self, default: &'a Policy) -> &'a Policy {
        self.principal()
            .and_then(Principal::policy)
            .unwrap_or(default)
    }

    /// Decides with whose keys the request goes upstream, unless an outer layer has. `present` are
    /// the headers of this head.
    #[cfg(any(feature = "rewrite", feature = "sign", feature = "compat"))]
    pub(crate) fn choose_key(
        &self,
        head: &request::Parts,
        present: Present,
        default: &Policy,
    ) -> Result<&KeyChoice, Rejection> {
        if let Some(choice) = self.0.key_choice.get() {
            return Ok(choice);
        }
        let policy = self.policy(default).client_credentials();
        let choice = KeyChoice::decide(head, present, policy)?;
        Ok(self.0.key_choice.get_or_init(|| choice))
    }

    /// Notes that the body is one side of a bidirectional stream, whose bytes are counted as they
    /// go.
    #[cfg(feature = "sign")]
    pub(crate) fn set_conversation(&self) {
        self.0.is_conversation.store(true, Ordering::Relaxed);
    }

    #[cfg(all(feature = "sign", feature = "upstream"))]
    pub(crate) fn is_conversation(&self) -> bool {
        self.0.is_conversation.load(Ordering::Relaxed)
    }

    #[cfg(feature = "upstream")]
    pub(crate) fn set_connect_timeout(&self, after: Duration) {
        let _ = self.0.connect_timeout.set(after);
    }

    #[cfg(feature = "client")]
    pub(crate) fn connect_timeout(&self) -> Option<Duration> {
        self.0.connect_timeout.get().copied()
    }

    #[cfg(feature = "sign")]
    pub(crate) fn set_credentials_id(&self, id: &Arc<str>) {
        let _ = self.0.credentials_id.set(Arc::clone(id));
    }

    #[cfg(any(feature = "sign", feature = "observe", feature = "compat"))]
    pub(crate) fn set_request_size(&self, size: u64) {
        self.0.request_size.store(size, Ordering::Relaxed);
    }

    /// Counts an attempt that begins now.
    #[cfg(feature = "sign")]
    pub(crate) fn attempt(&self) {
        self.0.attempts.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(self.0.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.0.sent_at.store(micros.max(1), Ordering::Relaxed);
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("principal", &self.principal())
            .field("key_choice", &self.key_choice())
            .field("attempts", &self.attempts())
            .finish_non_exhaustive()
    }
}
