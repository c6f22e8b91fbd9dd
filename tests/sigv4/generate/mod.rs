//! Signing cases at random, in the order in which a long-lived signer meets them: most of them
//! repeat an earlier one, so that whatever is cached is used, outdated and used again.

#![allow(dead_code, unreachable_pub, missing_debug_implementations)] // each program uses a part

pub mod clock;
pub mod dice;
mod headers;
pub mod keys;
mod near;
pub mod request;

use std::fmt;
use std::time::SystemTime;

use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Uri};

use clock::Clock;
use dice::Dice;
use keys::{Keys, Ring};
use request::Route;

/// How many rules there are of what is signed.
pub const RULES: usize = 4;

/// One request, and everything that it is signed with.
#[derive(Clone)]
pub struct Case {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub keys: Keys,
    pub region: String,
    pub service: String,
    pub time: SystemTime,
    pub rule: usize,
    /// Which of the walk's cases this is, and how it came about.
    pub step: u64,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An earlier route again, byte by byte, perhaps with other keys or at another time.
    Again,
    /// An earlier route with one change.
    Near,
    New,
}

impl Case {
    /// A usual request, with a session token.
    pub fn post(url: &str) -> Self {
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        Self {
            method: Method::POST,
            uri: url.parse().expect("a URL"),
            headers: HeaderMap::new(),
            body: b"{}".to_vec(),
            keys: Keys::new("ASIAEXAMPLE", secret, Some("a-token")),
            region: "us-east-1".to_owned(),
            service: "bedrock".to_owned(),
            time: clock::at(1_767_323_045),
            rule: 0,
            step: 0,
            kind: Kind::New,
        }
    }

    /// With this `Host`, as the layer and every server have it; without, requests may take
    /// another way through a signer.
    #[must_use]
    pub fn with_host(mut self, host: &HeaderValue) -> Self {
        self.headers.insert(HOST, host.clone());
        self
    }
}

/// An endless walk; the same dice give the same one.
pub struct Walk {
    dice: Dice,
    clock: Clock,
    ring: Ring,
    routes: Vec<Route>,
    step: u64,
}

impl Walk {
    pub fn new(mut dice: Dice) -> Self {
        Self {
            clock: Clock::new(&mut dice),
            ring: Ring::new(&mut dice),
            routes: Vec::new(),
            step: 0,
            dice,
        }
    }

    /// Whether a fuzzer's bytes are used up.
    pub fn is_over(&self) -> bool {
        self.dice.is_spent()
    }

    pub fn next_case(&mut self) -> Case {
        let (kind, route) = self.route();
        self.ring.rotate(&mut self.dice);
        let dice = &mut self.dice;
        let time = self.clock.tick(dice);
        let mut keys = self.ring.of(route.tenant);
        if dice.chance(10) {
            keys = keys.anew();
        }
        let length = match dice.below(10) {
            0..9 => dice.below(200),
            _ => dice.below(5000),
        };
        self.step += 1;
        Case {
            method: route.method,
            uri: route.uri,
            headers: route.headers,
            body: dice
                .text(b"{}[]\":,abcdefgh 0123456789\n\x00\x7f", length)
                .into_bytes(),
            keys,
            region: route.region,
            service: route.service,
            time,
            rule: route.rule,
            step: self.step,
            kind,
        }
    }

    fn route(&mut self) -> (Kind, Route) {
        const KEPT: usize = 64;
        let Self {
            dice, ring, routes, ..
        } = self;
        let known = routes.len();
        let roll = dice.below(100);
        if known > 0 && roll < 85 {
            // Mostly one of the last few, which a small cache still holds.
            let at = if dice.chance(70) {
                known - 1 - dice.below(known.min(5))
            } else {
                dice.below(known)
            };
            if roll < 66 {
                let route = &routes[at];
                let same_memory = dice.chance(50);
                return (
                    Kind::Again,
                    if same_memory {
                        route.clone()
                    } else {
                        route.deep_copy()
                    },
                );
            }
            let mut route = routes[at].clone();
            near::change(&mut route, dice, ring.tenants(), RULES);
            remember(routes, KEPT, &route, dice);
            return (Kind::Near, route);
        }
        let route = Route::new(dice, ring.tenants(), RULES);
        remember(routes, KEPT, &route, dice);
        (Kind::New, route)
    }
}

fn remember(routes: &mut Vec<Route>, kept: usize, route: &Route, dice: &mut Dice) {
    if routes.len() == kept {
        routes.remove(dice.below(kept / 2));
    }
    routes.push(route.clone());
}

/// Everything that is needed to see it again.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            step,
            kind,
            method,
            uri,
            rule,
            region,
            service,
            time,
            ..
        } = self;
        writeln!(f, "step {step} ({kind:?}), rule {rule}")?;
        writeln!(f, "{method} {uri}")?;
        if !self.headers.contains_key(HOST) {
            writeln!(f, "(no host header)")?;
        }
        for (name, value) in &self.headers {
            writeln!(f, "{name}: \"{}\"", value.as_bytes().escape_ascii())?;
        }
        writeln!(f, "body: \"{}\"", self.body.escape_ascii())?;
        writeln!(f, "region: {region}, service: {service}, time: {time:?}")?;
        let Keys {
            id, secret, token, ..
        } = &self.keys;
        write!(f, "id: {id}, secret: {secret}, token: {token:?}")
    }
}
