//! Converse and ConverseStream: what a request must be like, and what the emulated model makes of it.
//!
//! `shapes` and `blocks` are the service model as data, `shape` checks a body against it, `family` and `families` say
//! what each family of models takes, `rules`, `files` and `settings` (with `strict` for schemas) say what is refused beyond shapes. `model`
//! decides on an answer, with values for schemas from `sample`; `events` writes it down. `memory` is what is shared.

mod blocks;
mod events;
mod families;
mod family;
mod files;
mod memory;
mod model;
mod rules;
mod sample;
mod settings;
mod shape;
mod shapes;
mod strict;
#[cfg(test)]
mod tests;

use serde_json::Value;

use self::family::Family;
use self::model::Turn;
use self::shape::Place;
use super::refusal::Refusal;

pub(super) use self::memory::Memory;

/// A request that the model takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accepted<'a> {
    id: &'a str,
    family: &'static Family,
    memory: &'a Memory,
    body: &'a Value,
}

/// Looks at a request as the service does: its shape, then Converse's rules, then the model's.
pub(super) fn accept<'a>(
    id: &'a str,
    body: &'a Value,
    stream: bool,
    memory: &'a Memory,
) -> Result<Accepted<'a>, Refusal> {
    // Every id has a vendor, every ARN its colons.
    if !id.contains(['.', ':']) {
        return rules::refuse("The provided model identifier is invalid.");
    }
    let shape = if stream {
        &shapes::CONVERSE_STREAM
    } else {
        &shapes::CONVERSE
    };
    shape.check(body, &Place::Root)?;
    let family = Family::of(id);
    rules::check(id, family, memory, body)?;
    settings::check(family, body)?;
    Ok(Accepted {
        id,
        family,
        memory,
        body,
    })
}

impl Accepted<'_> {
    fn turn(&self, large: Option<usize>) -> Turn {
        Turn::to(self.id, self.family, self.memory, self.body, large)
    }

    /// The whole answer. `large` replaces the text by one of so many bytes.
    pub(super) fn message(&self, large: Option<usize>) -> Value {
        events::message(&self.turn(large), self.body)
    }

    /// The events of a stream; the last two close the message.
    pub(super) fn events(&self, large: Option<usize>) -> Vec<(&'static str, Value)> {
        events::events(&self.turn(large), self.body, self.family.vendor)
    }
}
