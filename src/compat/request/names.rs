//! Names of tools. Bedrock takes `[a-zA-Z0-9_-]{1,64}`; any other gets a name that fits, in tools,
//! history and choice alike, and is given back in the answer.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::hash::fnv;
use crate::compat::plan::ToolNames;

const LONGEST: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Names<'n> {
    /// Names that are sent, the client's own and ours.
    used: HashSet<Cow<'n, str>>,
    /// The client's names that do not fit, and what is sent instead.
    renamed: HashMap<&'n str, String>,
    /// Names of ours among those.
    made: HashSet<String>,
    /// The client's names of tools that the history calls.
    called: HashSet<&'n str>,
    /// Counts the names that have been made up, so that none is tried twice.
    salt: u32,
    plan: ToolNames,
}

impl<'n> Names<'n> {
    /// Makes known a name that is sent as it is if it fits, so that no other is changed into it.
    pub(super) fn declare(&mut self, name: &'n str) {
        if fits(name) {
            self.used.insert(Cow::Borrowed(name));
        }
    }

    /// The name that is sent for the client's `name`.
    pub(super) fn send(&mut self, name: &'n str) -> Cow<'n, str> {
        // A name from the history may be one that another was changed into.
        if fits(name) && !self.made.contains(name) {
            self.declare(name);
            return Cow::Borrowed(name);
        }
        if let Some(known) = self.renamed.get(name) {
            return Cow::Owned(known.clone());
        }
        let sent = self.free(name);
        self.used.insert(Cow::Owned(sent.clone()));
        self.made.insert(sent.clone());
        self.plan.rename(sent.clone(), name.to_owned());
        self.renamed.insert(name, sent.clone());
        Cow::Owned(sent)
    }

    /// Whether the history calls the client's tool `name` for the first time.
    pub(super) fn is_first_call(&mut self, name: &'n str) -> bool {
        self.called.insert(name)
    }

    /// A name for a tool of ours.
    pub(super) fn own(&mut self, name: &str) -> String {
        self.free(name)
    }

    pub(super) fn into_plan(self) -> ToolNames {
        self.plan
    }

    /// A name like `name` that fits and is not used: with underscores for what does not fit, and,
    /// if that is too long or used, a hash at the end.
    fn free(&mut self, name: &str) -> String {
        let fit = |char: char| if is_fit(char) { char } else { '_' };
        let is_short = name.chars().nth(LONGEST).is_none();
        let plain: String = name.chars().take(LONGEST).map(fit).collect();
        if is_short && !plain.is_empty() && !self.used.contains(&*plain) {
            return plain;
        }
        let stem: String = plain.chars().take(LONGEST - 9).collect();
        let mut salt = 0;
        loop {
            let hashed = format!("{stem}_{:08x}", fnv(name, salt) as u32);
            if !self.used.contains(&*hashed) {
                return hashed;
            }
            self.salt = self.salt.wrapping_add(1);
            salt = self.salt;
        }
    }
}

fn is_fit(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '-')
}

pub(super) fn fits(name: &str) -> bool {
    (1..=LONGEST).contains(&name.len()) && name.chars().all(is_fit)
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn there_and_back() {
        let long = "x".repeat(65);
        let given = [
            "fine",
            "a.b",
            "a/b",
            "a_b",
            "mcp.server/tool",
            &long,
            "\u{e9}",
            "...",
        ];
        let mut names = Names::default();
        given.iter().for_each(|name| names.declare(name));
        let sent: Vec<_> = given.iter().map(|name| names.send(name)).collect();
        // `a_b` is there, so neither of the two like it becomes that.
        assert_eq!(sent[0], "fine");
        assert!(sent[1].starts_with("a_b_") && sent[2].starts_with("a_b_"));
        assert_eq!(sent[3], "a_b");
        assert_eq!(sent[4], "mcp_server_tool");
        assert_eq!(sent[5].len(), 64);
        for (at, name) in sent.iter().enumerate() {
            assert!(super::fits(name), "{name}");
            assert!(!sent[..at].contains(name), "{name}");
        }
        let again: Vec<_> = given.iter().map(|name| names.send(name)).collect();
        assert_eq!(sent, again);
        let plan = names.into_plan();
        for (name, sent) in given.iter().zip(&sent) {
            assert_eq!(plan.original(sent), *name);
        }
    }

    #[test]
    fn a_name_from_history_that_another_was_changed_into() {
        let mut names = Names::default();
        names.declare("a.b");
        assert_eq!(names.send("a.b"), "a_b");
        let other = names.send("a_b").into_owned();
        assert_ne!(other, "a_b");
        let plan = names.into_plan();
        assert_eq!(plan.original("a_b"), "a.b");
        assert_eq!(plan.original(&other), "a_b");
    }
}
