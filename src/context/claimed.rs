//! Whose record a handle belongs to.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{Extensions, Uri};

use super::stage::{ORDERED, Passed, Stage};
use super::{Context, Facts};
use crate::reject::Rejection;

impl Context {
    /// A handle that no other observer has claimed. A request that was cloned, from a template or
    /// for another attempt, would otherwise share its record with every other clone.
    ///
    /// There is none if an observer further out watches this request already. Its record tells
    /// all that another could, and a request has one.
    pub(crate) fn claim(extensions: &mut Extensions, uri: &Uri) -> Option<Self> {
        let context = extensions.get_or_insert_with(Self::new);
        if context.1.observe() && context.arrived_at(uri) {
            // It is logged, once.
            let _ = Rejection::twice("ObservabilityLayer");
            return None;
        }
        if context.0.claimed.swap(true, Ordering::Relaxed) {
            let again = context.0.again(context.1);
            context.0 = Arc::new(again);
            context.0.claimed.store(true, Ordering::Relaxed);
            #[cfg(feature = "sign")]
            if context.1.has(Stage::Sign) {
                context.attempt();
            }
        }
        Some(context.clone())
    }

    /// Whether the request arrived at this path, or with something before it that a router has taken
    /// off. One with another path is a request of its own, to which one that came in has lent its
    /// extensions.
    #[cold]
    fn arrived_at(&self, uri: &Uri) -> bool {
        self.inbound()
            .is_some_and(|inbound| inbound.path().ends_with(uri.path()))
    }
}

impl Facts {
    /// The facts of a copy: what layers outside have found out of the request they let in, without
    /// what became of the other copies.
    fn again(&self, passed: Passed) -> Self {
        let mut facts = Self::new();
        if !ORDERED.into_iter().any(|stage| passed.has(stage)) {
            // Of an earlier request, that lent its extensions.
            return facts;
        }
        facts.inbound = self.inbound.clone();
        facts.parsed = self.parsed.clone();
        facts.manner = self.manner.load(Ordering::Relaxed).into();
        facts.principal = self.principal.clone();
        facts.key_choice = self.key_choice.clone();
        #[cfg(feature = "compat")]
        if passed.has(Stage::Compat) {
            facts.translated = self.translated.clone();
        }
        #[cfg(feature = "sign")]
        if passed.has(Stage::Sign) {
            facts.credentials_id = self.credentials_id.clone();
            let converses = self.is_conversation.load(Ordering::Relaxed);
            facts.is_conversation = converses.into();
        }
        #[cfg(feature = "upstream")]
        if passed.has(Stage::Upstream) {
            facts.connect_timeout = self.connect_timeout.clone();
        }
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Principal;

    /// What is known of the caller holds for every attempt; what became of one is its own.
    #[test]
    fn a_second_attempt() {
        let mut template = Extensions::new();
        let (outer, _) = Context::enter(&mut template, Stage::Auth);
        outer.set_principal(Principal::new("team-a"));
        let mut copies = [template.clone(), template.clone()].map(|mut copy| {
            let claimed = Context::claim(&mut copy, &Uri::default()).unwrap();
            assert_eq!(claimed.principal().map(Principal::id), Some("team-a"));
            (copy, claimed)
        });
        assert!(!Arc::ptr_eq(&copies[0].1.0, &copies[1].1.0));
        copies[0].1.attempt();
        assert_eq!(copies[1].1.attempts(), 0);
        // Auth is outside of both, and not there twice.
        for (copy, _) in &mut copies {
            assert!(Context::enter(copy, Stage::Rewrite).1.is_none());
            assert!(Context::enter(copy, Stage::Auth).1.is_some());
        }
    }

    /// A copy that was signed outside of the observer has been signed once.
    #[cfg(all(feature = "sign", feature = "upstream"))]
    #[test]
    fn signed_outside() {
        let mut template = Extensions::new();
        let _ = Context::enter(&mut template, Stage::Auth);
        for _ in 0..3 {
            let mut copy = template.clone();
            Context::enter(&mut copy, Stage::Sign).0.attempt();
            Context::claim(&mut copy, &Uri::default()).unwrap();
            assert!(Context::send(&mut copy).1.is_none());
        }
    }
}
