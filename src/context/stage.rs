//! Which layers a request has passed, and in which order they stand.

#[cfg(feature = "upstream")]
use std::sync::atomic::{AtomicU32, Ordering};

use http::Extensions;

use super::Context;
use crate::reject::Rejection;

/// A layer of ours, from the outermost to the innermost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code)] // not every layer is compiled
pub(crate) enum Stage {
    Auth = 1,
    Compat = 2,
    Rewrite = 4,
    Sign = 8,
    /// Anywhere, and more than once. Noted inside of `Sign` only.
    Upstream = 16,
}

/// Those that have a place.
pub(super) const ORDERED: [Stage; 4] = [Stage::Auth, Stage::Compat, Stage::Rewrite, Stage::Sign];

const OBSERVE: u8 = 32;
const OBSERVED_TWICE: u8 = 64;
#[cfg(feature = "observe")]
const CAPTURED: u8 = 128;

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Auth => "GatewayAuthLayer",
            Self::Compat => "OpenAiCompatLayer",
            Self::Rewrite => "BedrockPathRewriteLayer",
            Self::Sign => "SigV4SigningLayer",
            Self::Upstream => "UpstreamLayer",
        }
    }
}

/// Which layers one request has passed. It travels with the request: a copy that was made outside
/// of a layer, for another attempt, has not passed that layer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Passed(u8);

impl Passed {
    pub(super) fn has(self, stage: Stage) -> bool {
        self.0 & stage as u8 != 0
    }

    /// Comes to a layer; says what is wrong if it should have come there earlier, or has.
    pub(super) fn enter(&mut self, stage: Stage) -> Option<Rejection> {
        let before = *self;
        if stage != Stage::Upstream || self.has(Stage::Sign) {
            self.0 |= stage as u8;
        }
        if before.0 & OBSERVED_TWICE != 0 {
            return Some(Rejection::twice("ObservabilityLayer"));
        }
        let mut not_yet = ORDERED.into_iter().skip_while(|&other| other != stage);
        let wrong = not_yet.find(|&other| before.has(other))?;
        Some(match wrong == stage {
            true => Rejection::twice(stage.name()),
            false => Rejection::misordered(stage.name(), wrong.name()),
        })
    }

    /// Comes to an observer; says whether this is the second. That can refuse nothing: the next
    /// layer does.
    #[cfg(feature = "observe")]
    pub(super) fn observe(&mut self) -> bool {
        let is_second = self.0 & OBSERVE != 0;
        if is_second {
            self.0 |= OBSERVED_TWICE;
        }
        self.0 |= OBSERVE;
        is_second
    }
}

impl Context {
    /// The handle of a request that comes to this layer, as it was before, and what is wrong about
    /// the order of the layers if anything is.
    pub(crate) fn enter(extensions: &mut Extensions, stage: Stage) -> (Self, Option<Rejection>) {
        let entered = extensions.get_or_insert_with(Self::new);
        let context = entered.clone();
        let wrong = entered.1.enter(stage);
        (context, wrong)
    }

    /// The handle of a request whose body is to be taken, unless it is taken further out already.
    #[cfg(feature = "observe")]
    pub(crate) fn capture(extensions: &mut Extensions) -> Option<Self> {
        let context = extensions.get_mut::<Self>()?;
        let is_wanted = context.taken().is_some() || context.looks_for_model();
        let is_first = context.1.0 & CAPTURED == 0;
        context.1.0 |= CAPTURED;
        (is_wanted && is_first).then(|| context.clone())
    }

    /// [`enter`](Self::enter) for `UpstreamLayer`: inside of signing, a request must not come there more often
    /// than it was signed.
    #[cfg(feature = "upstream")]
    pub(crate) fn send(extensions: &mut Extensions) -> (Self, Option<Rejection>) {
        let (context, wrong) = Self::enter(extensions, Stage::Upstream);
        let is_outermost = context.1.has(Stage::Sign) && !context.1.has(Stage::Upstream);
        let is_again = is_outermost && context.is_again(&context.0.sent);
        let resent = is_again.then(Rejection::resent);
        (context, wrong.or(resent))
    }

    /// Whether a request comes to the client more often than it was signed.
    #[cfg(feature = "client")]
    pub(crate) fn is_given_again(&self) -> bool {
        self.1.has(Stage::Sign) && self.is_again(&self.0.given)
    }

    /// Counts, and says whether there are more of these than signatures.
    #[cfg(feature = "upstream")]
    fn is_again(&self, count: &AtomicU32) -> bool {
        count.fetch_add(1, Ordering::Relaxed) >= self.attempts()
    }

    #[cfg(all(feature = "sign", feature = "rewrite"))]
    pub(crate) fn has_passed(&self, stage: Stage) -> bool {
        self.1.has(stage)
    }

    /// Whether no layer has noted anything yet.
    #[cfg(feature = "sign")]
    pub(crate) fn is_new(&self) -> bool {
        self.1.0 == 0 && self.inbound().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(stages: &[Stage]) -> Passed {
        let mut passed = Passed::default();
        for &stage in stages {
            assert!(passed.enter(stage).is_none(), "{stages:?}");
        }
        passed
    }

    #[test]
    fn order() {
        let all = [Stage::Auth, Stage::Compat, Stage::Rewrite, Stage::Sign];
        after(&all);
        for (i, outer) in all.into_iter().enumerate() {
            for inner in &all[i + 1..] {
                after(&[outer, Stage::Upstream, *inner, Stage::Upstream]);
                let refusal = after(&[*inner]).enter(outer).unwrap();
                let (outer, inner) = (outer.name(), inner.name());
                let text = format!("StackMisordered: put {outer} outside of {inner}");
                assert_eq!(refusal.text(), text);
            }
            let refusal = after(&all[..=i]).enter(outer).unwrap();
            let name = outer.name();
            let text = format!("StackMisordered: {name} is there twice: take out one of the two");
            assert_eq!(refusal.text(), text);
        }
    }

    /// What was copied before a layer has not passed it.
    #[test]
    fn copies() {
        let outside = after(&[Stage::Auth]);
        for _ in 0..2 {
            let mut attempt = outside;
            assert!(attempt.enter(Stage::Sign).is_none());
        }
    }
}
