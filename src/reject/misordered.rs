//! What is wrong about an order of layers, said so that it can be set right.

use std::sync::Mutex;

use super::{Rejection, RejectionKind};

impl Rejection {
    /// A layer stands inside of another, or is missing, that must be outside of it.
    pub(crate) fn misordered(outer: &'static str, inner: &'static str) -> Self {
        let text = format!("StackMisordered: put {outer} outside of {inner}");
        Self::new(RejectionKind::StackMisordered, text).logged(outer, inner)
    }

    /// A layer is inside of another of its kind.
    pub(crate) fn twice(layer: &'static str) -> Self {
        let text = format!("StackMisordered: {layer} is there twice: take out one of the two");
        Self::new(RejectionKind::StackMisordered, text).logged(layer, layer)
    }

    /// A request went out for a second time with the signature that it had.
    #[cfg(feature = "upstream")]
    pub(crate) fn resent() -> Self {
        Self::new(RejectionKind::StackMisordered, RESENT).logged("retry", "SigV4SigningLayer")
    }

    /// A request comes to be translated for a second time, though its facts say that it has been.
    #[cfg(feature = "compat")]
    pub(crate) fn translated_again() -> Self {
        const AGAIN: &str = "StackMisordered: put what repeats requests (tower::retry, for example) inside of OpenAiCompatLayer, or outside of all layers: between the two each attempt has the facts of the first";
        Self::new(RejectionKind::StackMisordered, AGAIN).logged("OpenAiCompatLayer", "retry")
    }

    /// Each such request says the same: the first of them is logged.
    fn logged(self, outer: &'static str, inner: &'static str) -> Self {
        static LOGGED: Mutex<Vec<(&str, &str)>> = Mutex::new(Vec::new());
        let is_first = LOGGED.lock().is_ok_and(|mut logged| {
            let is_new = !logged.contains(&(outer, inner));
            logged.extend(is_new.then_some((outer, inner)));
            is_new
        });
        if is_first {
            tracing::error!(outer, inner, "{}", self.text());
        }
        self
    }
}

#[cfg(feature = "upstream")]
pub(crate) const RESENT: &str = "StackMisordered: put what repeats requests (tower::retry, for example) outside of SigV4SigningLayer: inside of it the same signature was sent a second time, and signatures expire";
