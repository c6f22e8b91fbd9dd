//! What the emulated models remember from one call to the next: cached prefixes, and their own signatures.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use serde_json::Value;

use super::super::hash::sha256;
use super::super::prompt;
use super::rules::items;

const BASE64: base64::engine::GeneralPurpose = base64::engine::general_purpose::STANDARD;
/// How many prefixes are remembered.
const PREFIXES: usize = 4096;

type Hash = [u8; 32];

/// Shared by all calls of an emulator.
#[derive(Debug)]
pub(in super::super) struct Memory {
    /// Makes the signatures of this emulator its own.
    secret: [u8; 16],
    prefixes: Mutex<VecDeque<Hash>>,
}

/// The input tokens of a request by how they were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cached {
    pub(super) read: u64,
    pub(super) written: u64,
    pub(super) for_an_hour: bool,
}

impl Memory {
    pub(in super::super) fn new() -> Self {
        Self {
            secret: *uuid::Uuid::new_v4().as_bytes(),
            prefixes: Mutex::default(),
        }
    }

    /// What a thought is signed with.
    pub(super) fn signature(&self, thought: &str) -> String {
        let signed = [&self.secret[..], thought.as_bytes()].concat();
        BASE64.encode([&b"emulated"[..], &sha256(&signed)].concat())
    }

    /// A thought that is not shown, as base64.
    pub(super) fn redacted(&self) -> String {
        BASE64.encode(self.signature("redacted"))
    }

    pub(super) fn is_redacted(&self, data: &str) -> bool {
        data == self.redacted()
    }

    /// Looks the request's prefixes up and remembers them; `None` without a cache point.
    pub(super) fn cached(&self, model: &str, body: &Value) -> Option<Cached> {
        let mut points = Vec::new();
        let mut prefix = Prefix {
            hash: sha256(model.as_bytes()),
            tokens: 0,
        };
        for part in ["/toolConfig/tools", "/system"] {
            prefix.extend(
                part,
                body.pointer(part).unwrap_or(&Value::Null),
                &mut points,
            );
        }
        for message in items(&body["messages"]) {
            let role = message["role"].as_str().unwrap_or_default();
            prefix.extend(role, &message["content"], &mut points);
        }
        let (_, whole, for_an_hour) = *points.last()?;
        let mut known = self.prefixes.lock().unwrap_or_else(PoisonError::into_inner);
        let longest = points.iter().rev().find(|(hash, ..)| known.contains(hash));
        let read = longest.map_or(0, |(_, tokens, _)| *tokens);
        for (hash, ..) in points {
            if !known.contains(&hash) {
                known.push_back(hash);
            }
        }
        let surplus = known.len().saturating_sub(PREFIXES);
        known.drain(..surplus);
        Some(Cached {
            read,
            written: whole - read,
            for_an_hour,
        })
    }
}

/// What a request has said so far.
struct Prefix {
    hash: Hash,
    tokens: u64,
}

impl Prefix {
    /// Reads on through `blocks`, and notes what it had said at each cache point.
    fn extend(&mut self, part: &str, blocks: &Value, points: &mut Vec<(Hash, u64, bool)>) {
        for block in items(blocks) {
            let point = &block["cachePoint"];
            if !point.is_null() {
                points.push((self.hash, self.tokens, point["ttl"] == "1h"));
                continue;
            }
            let said = format!("{part}{block}");
            self.hash = sha256(&[&self.hash[..], said.as_bytes()].concat());
            self.tokens += prompt::block_tokens(block);
        }
    }
}
