//! What a path tells of the model, found out once for the requests of late.

use std::sync::Arc;

use super::cost::{Asked, Price, Prices};
use super::place::Place;
use crate::context::Context;
use crate::kept::{Lately, mix};
use crate::route::{Parsed, decode};

/// The models in the paths of late.
pub(super) struct Known(Lately<Arc<Named>>);

/// The model that a path names.
pub(super) struct Named {
    parsed: Arc<Parsed>,
    /// Its id, decoded.
    pub(super) model: Box<str>,
    pub(super) price: Option<Arc<Price>>,
}

impl Known {
    /// The model in the path of this request, if it has a route and that names one.
    pub(super) fn named(
        &self,
        prices: &Prices,
        context: &Context,
        place: &Place<'_>,
    ) -> Option<Arc<Named>> {
        let parsed = context.parsed().filter(|parsed| parsed.is_kept())?;
        let raw = place.raw_model?;
        let mark = mix(0, Arc::as_ptr(parsed).addr() as u64, 0);
        let make = || {
            let model = decode(raw);
            let asked = Asked {
                model: Some(&model),
                region: place.region,
                is_mantle: place.is_mantle,
                ..Asked::default()
            };
            Ok::<_, ()>(Arc::new(Named {
                parsed: Arc::clone(parsed),
                price: prices.find(&asked).cloned(),
                model: model.into(),
            }))
        };
        let is_it = |known: &Arc<Named>| Arc::ptr_eq(&known.parsed, parsed);
        self.0.get(mark, is_it, make).ok()
    }
}

impl Default for Known {
    fn default() -> Self {
        Self(Lately::new())
    }
}
