//! Calls of tools in the history: each has an id of its own, and is answered in the next turn.

use std::borrow::Cow;
use std::collections::HashSet;

use super::hash::fnv;
use super::path::At;
use crate::compat::family::CallIds;
use crate::reject::Rejection;

/// More calls than any model makes at once.
const MOST_AT_ONCE: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Calls<'n> {
    /// Those of the last assistant turn.
    open: Vec<Call<'n>>,
    /// Ids that are sent.
    used: HashSet<Cow<'n, str>>,
    /// Counts the ids that have been made up, so that none is tried twice.
    salt: u32,
}

#[derive(Debug)]
struct Call<'n> {
    /// The client's; none if it is a legacy function call.
    id: Option<&'n str>,
    name: &'n str,
    sent: Cow<'n, str>,
    answered: bool,
    message: usize,
}

impl<'n> Calls<'n> {
    /// Notes a call in message `message`, and gives the id that is sent for it.
    pub(super) fn open(
        &mut self,
        id: Option<&'n str>,
        name: &'n str,
        kind: CallIds,
        message: usize,
        at: &At<'_>,
    ) -> Result<Cow<'n, str>, Rejection> {
        if self.open.len() == MOST_AT_ONCE {
            return Err(at.invalid(format_args!("more than {MOST_AT_ONCE} calls in one turn.")));
        }
        let sent = match id {
            Some(id) if fits(id, kind) && !self.used.contains(id) => Cow::Borrowed(id),
            Some(id) => Cow::Owned(self.free(id, kind)),
            None => Cow::Owned(self.free(&format!("call_{message}"), kind)),
        };
        self.used.insert(sent.clone());
        self.open.push(Call {
            id,
            name,
            sent: sent.clone(),
            answered: false,
            message,
        });
        Ok(sent)
    }

    /// The id at Bedrock of the call that a tool message answers.
    pub(super) fn answer(&mut self, id: &str) -> Option<Cow<'n, str>> {
        self.settle(|call| call.id == Some(id))
    }

    /// The same, for a legacy function message.
    pub(super) fn answer_function(&mut self, name: &str) -> Option<Cow<'n, str>> {
        self.settle(|call| call.id.is_none() && call.name == name)
    }

    fn settle(&mut self, is_meant: impl Fn(&Call<'n>) -> bool) -> Option<Cow<'n, str>> {
        let mut open = self.open.iter_mut();
        let call = open.find(|call| !call.answered && is_meant(call))?;
        call.answered = true;
        Some(call.sent.clone())
    }

    /// The turn that has to answer the calls is over.
    pub(super) fn close(&mut self, messages: &At<'_>) -> Result<(), Rejection> {
        if let Some(call) = self.open.iter().find(|call| !call.answered) {
            let message = messages.index(call.message);
            return Err(match call.id {
                Some(id) => message.key("tool_calls").invalid(format_args!(
                    "the call '{}' must be followed by a message of role 'tool' with its \
                     'tool_call_id'.",
                    super::path::Excerpt(id)
                )),
                None => message
                    .key("function_call")
                    .invalid("it must be followed by a message of role 'function'."),
            });
        }
        self.open.clear();
        Ok(())
    }

    /// An id like `id` that fits and is not used.
    fn free(&mut self, id: &str, kind: CallIds) -> String {
        if kind == CallIds::Any && (1..=64).contains(&id.len()) {
            let plain: String = id.chars().map(fit).collect();
            if !self.used.contains(&*plain) {
                return plain;
            }
        }
        // What is made of the id first has been plain.
        let mut salt = u32::from(kind == CallIds::Any && (1..=64).contains(&id.len()));
        loop {
            let hash = fnv(id, salt);
            let made = match kind {
                CallIds::Nine => nine(hash),
                CallIds::Any => {
                    let stem: String = id.chars().take(47).map(fit).collect();
                    format!("{stem}-{hash:016x}")
                }
            };
            if !self.used.contains(&*made) {
                return made;
            }
            self.salt = self.salt.wrapping_add(1);
            salt = self.salt;
        }
    }
}

fn is_fit(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | ':' | '-')
}

fn fit(char: char) -> char {
    if is_fit(char) { char } else { '_' }
}

fn fits(id: &str, kind: CallIds) -> bool {
    match kind {
        CallIds::Any => (1..=64).contains(&id.len()) && id.chars().all(is_fit),
        CallIds::Nine => id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
    }
}

/// Nine letters and digits of a hash.
fn nine(hash: u64) -> String {
    let digit = |place: u32| char::from_digit((hash / 36_u64.pow(place) % 36) as u32, 36);
    (0..9).filter_map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::{At, Calls, fits};
    use crate::compat::family::CallIds;

    fn open<'n>(calls: &mut Calls<'n>, id: &'n str, kind: CallIds) -> String {
        let at = At::parameter("messages");
        calls
            .open(Some(id), "f", kind, 0, &at)
            .unwrap()
            .into_owned()
    }

    #[test]
    fn ids() {
        for kind in [CallIds::Any, CallIds::Nine] {
            let mut calls = Calls::default();
            let long = "x".repeat(65);
            let given = [
                "call_1",
                "call/1",
                "call_1",
                "",
                &long,
                "abcdefghi",
                "\u{e9}",
            ];
            let sent: Vec<_> = given.iter().map(|id| open(&mut calls, id, kind)).collect();
            for (at, id) in sent.iter().enumerate() {
                assert!(fits(id, kind), "{id}");
                assert!(!sent[..at].contains(id), "{id}");
            }
            assert_eq!(sent[5], "abcdefghi");
            // In the order of the calls.
            assert_eq!(calls.answer("call_1").as_deref(), Some(&*sent[0]));
            assert_eq!(calls.answer("call_1").as_deref(), Some(&*sent[2]));
            assert_eq!(calls.answer("call_1"), None);
        }
    }

    /// As many of one id as there may be take no longer each.
    #[test]
    fn one_id_for_all() {
        for kind in [CallIds::Any, CallIds::Nine] {
            let mut calls = Calls::default();
            for _ in 0..20_000 {
                open(&mut calls, "a", kind);
                calls.open.clear();
            }
            assert_eq!(calls.used.len(), 20_000);
            assert!(calls.salt < 20_100);
        }
    }

    #[test]
    fn calls_have_to_be_answered() {
        let messages = At::parameter("messages");
        let mut calls = Calls::default();
        open(&mut calls, "a", CallIds::Any);
        open(&mut calls, "b", CallIds::Any);
        assert!(calls.answer("b").is_some());
        let rejection = calls.close(&messages).unwrap_err();
        assert_eq!(rejection.param(), Some("messages[0].tool_calls"));
        assert!(calls.answer("a").is_some());
        assert!(calls.close(&messages).is_ok());
        assert_eq!(calls.answer("a"), None);
    }
}
