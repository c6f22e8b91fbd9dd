//! What one thread knows: keys, routes, the current second.

use bytes::BytesMut;
use http::{HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use super::canonical;
use super::date::Second;
use super::key::SigningKey;
use super::keys::Keys;
use super::proof::{Beginning, Proof};
use super::route::{Company, Route, add_signature, push_authorization};
use super::scope::Scope;
use super::unsigned::{KeyPair, Unsigned};
use crate::kept::fold;

const SETS: usize = 128;
const WAYS: usize = 4;
/// Requests that are remembered as having been signed once.
const SEEN: usize = 1024;
/// Longest canonical request of a route, in bytes.
const LONGEST: usize = 4096;
/// Signatures are written into pieces of this size. One allocation serves many requests, and is
/// used again once these are gone.
const ARENA: usize = 16 * 1024;

/// At most 512 routes, in sets of four.
///
/// A request becomes a route when it comes a second time, not long after the first: so one whose
/// path or headers never come again takes no other's place. In a full set the route that was
/// longest unused goes.
pub(super) struct Shard {
    seed: u64,
    routes: Vec<[Option<Box<Route>>; WAYS]>,
    seen: Vec<u64>,
    keys: Keys,
    date: Option<(Second, HeaderValue)>,
    signed: u64,
    /// Set and way of the route that was used last.
    latest: (usize, usize),
    canonical: Zeroizing<Vec<u8>>,
    scratch: Vec<u8>,
    arena: BytesMut,
}

impl Shard {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            routes: Vec::new(),
            seen: Vec::new(),
            keys: Keys::default(),
            date: None,
            signed: 0,
            latest: (0, 0),
            canonical: Zeroizing::default(),
            scratch: Vec::new(),
            arena: BytesMut::new(),
        }
    }

    /// Signs this request, if its route is known.
    pub(super) fn sign_again(
        &mut self,
        unsigned: &Unsigned<'_>,
        headers: &mut HeaderMap,
        payload: &[u8; 64],
    ) -> Option<()> {
        let (set, way) = self.place(unsigned, headers)?;
        self.latest = (set, way);
        let route = self.routes[set][way].as_mut()?;
        self.signed += 1;
        route.used = self.signed;
        if !route.is_at(unsigned.scope.second) {
            let date = date_value(&mut self.date, unsigned.scope.second)?;
            route.go_to(unsigned, date, &mut self.keys, &mut self.scratch);
        }
        route.sign(headers, payload, &mut self.arena)
    }

    /// Where the request's route is. Many a request is like the one before.
    #[inline]
    fn place(&self, unsigned: &Unsigned<'_>, headers: &HeaderMap) -> Option<(usize, usize)> {
        let is_its = |route: &Option<Box<Route>>| {
            let route = route.as_ref();
            route.is_some_and(|route| route.is_of(unsigned, headers))
        };
        let (set, way) = self.latest;
        if is_its(self.routes.get(set)?.get(way)?) {
            return Some((set, way));
        }
        let set = unsigned.mark(self.seed) as usize % SETS;
        let way = self.routes.get(set)?.iter().position(is_its)?;
        Some((set, way))
    }

    /// Room for everything, so that nothing grows later.
    fn begin(&mut self) {
        self.routes.resize_with(SETS, Default::default);
        self.seen.resize(SEEN, 0);
        self.canonical.reserve(LONGEST);
        self.scratch.reserve(256);
        // A later piece is as large as the first was made.
        self.arena = BytesMut::with_capacity(ARENA);
    }

    /// Signs this request, whose route is not known. `None` if it is an unusual one.
    pub(super) fn sign(
        &mut self,
        unsigned: &Unsigned<'_>,
        headers: &mut HeaderMap,
        payload: &[u8; 64],
    ) -> Option<()> {
        if self.routes.is_empty() {
            self.begin();
        }
        self.signed += 1;
        let mark = unsigned.mark(self.seed);
        let text = unsigned.scope.second.text();
        let layout = canonical::write(
            &mut self.canonical,
            (unsigned.method.as_str(), unsigned.path),
            unsigned.given(headers),
            &text,
            unsigned.keys.session_token,
        )?;
        let canonical = &self.canonical[..];
        let date = date_value(&mut self.date, unsigned.scope.second)?.clone();
        let (key, token) = self.keys.get(&unsigned.keys, &unsigned.scope);
        let (key, token) = (key.clone(), token.cloned());
        let beginning = Beginning::of(&canonical[..layout.date]);
        let mut proof = Proof::new(
            canonical,
            beginning,
            &unsigned.scope,
            key,
            &mut self.scratch,
        );
        let names = &canonical[layout.names..canonical.len() - 1];
        push_authorization(&mut self.arena, unsigned, names);
        let company = Company { date, token };

        let print = fold(mark, &canonical[..layout.date]);
        let print = fold(print, &canonical[layout.date + text.len()..]);
        let seen = &mut self.seen[print as usize % SEEN];
        if *seen != print || canonical.len() > LONGEST {
            *seen = print;
            company.insert(headers);
            return add_signature(headers, &mut self.arena, || proof.sign(payload));
        }
        let mut route = Box::new(Route::new(
            (unsigned, headers),
            (canonical, layout),
            beginning,
            &self.arena.split(),
            company,
            proof,
        ));
        route.used = self.signed;
        let signed = route.sign(headers, payload, &mut self.arena);
        let used = |route: &Option<Box<Route>>| route.as_ref().map_or(0, |route| route.used);
        let set = &mut self.routes[mark as usize % SETS];
        if let Some(place) = set.iter_mut().min_by_key(|route| used(route)) {
            *place = Some(route);
        }
        signed
    }

    /// The signing key of this pair in this scope.
    pub(super) fn key(&mut self, pair: &KeyPair<'_>, scope: &Scope<'_>) -> SigningKey {
        self.keys.get(pair, scope).0.clone()
    }
}

/// `x-amz-date` of this second.
fn date_value(known: &mut Option<(Second, HeaderValue)>, second: Second) -> Option<&HeaderValue> {
    if known.as_ref().is_none_or(|(known, _)| *known != second) {
        let mut value = HeaderValue::from_bytes(&second.text()).ok()?;
        value.set_sensitive(true); // tells a signature of ours from a client's
        *known = Some((second, value));
    }
    known.as_ref().map(|(_, value)| value)
}
