//! Cache points: where a prompt may be cut for Bedrock's cache.

use super::converse::CachePoint;
use super::ignored::Ignored;
use super::json::Node;
use super::path::{At, Excerpt};
use crate::compat::family::{Cache, Family};
use crate::reject::Rejection;

/// Bedrock's limit for a request.
const MOST: usize = 4;

/// Counts the cache points of a request.
#[derive(Debug, Default)]
pub(super) struct CachePoints {
    count: usize,
}

impl CachePoints {
    /// The cache point that `marker` asks for: Anthropic's `cache_control`, `{"type": "ephemeral",
    /// "ttl"?: "5m" | "1h"}`, or OpenAI's `prompt_cache_breakpoint`.
    pub(super) fn point(
        &mut self,
        marker: Option<(&At<'_>, &Node<'_>)>,
        family: &Family,
        ignored: &mut Ignored,
    ) -> Result<Option<CachePoint>, Rejection> {
        let takes = family.cache != Cache::Nowhere;
        self.read(marker, takes, family, ignored)
    }

    /// The same, among tools.
    pub(super) fn tool_point(
        &mut self,
        marker: Option<(&At<'_>, &Node<'_>)>,
        family: &Family,
        ignored: &mut Ignored,
    ) -> Result<Option<CachePoint>, Rejection> {
        let takes = matches!(family.cache, Cache::Everywhere | Cache::Hour);
        self.read(marker, takes, family, ignored)
    }

    /// What the point would stand after is left out.
    pub(super) fn lose(
        marker: Option<(&At<'_>, &Node<'_>)>,
        ignored: &mut Ignored,
    ) -> Result<(), Rejection> {
        match marker {
            None | Some((_, Node::Bool(false))) => Ok(()),
            Some((at, node)) => {
                if !matches!(node, Node::Bool(true)) {
                    read_hour(node, at, ignored)?;
                }
                ignored.add(at, "there is nothing for a cache point to stand after.")
            }
        }
    }

    fn read(
        &mut self,
        marker: Option<(&At<'_>, &Node<'_>)>,
        takes: bool,
        family: &Family,
        ignored: &mut Ignored,
    ) -> Result<Option<CachePoint>, Rejection> {
        let Some((at, node)) = marker else {
            return Ok(None);
        };
        let hour = match node {
            // `prompt_cache_breakpoint` may be a mere flag.
            Node::Bool(is_on) if !at.ends_with(CACHE_CONTROL) => {
                if !is_on {
                    return Ok(None);
                }
                false
            }
            _ => read_hour(node, at, ignored)?,
        };
        if !takes {
            ignored.add(at, "this model takes no cache points here.")?;
            return Ok(None);
        }
        let ttl = match hour {
            true if family.cache == Cache::Hour => Some("1h"),
            true => {
                ignored.add(&at.key("ttl"), "this model caches for five minutes.")?;
                None
            }
            false => None,
        };
        if self.count == MOST {
            return Err(at.invalid(format_args!(
                "this is one cache point too many; Bedrock takes {MOST} in a request."
            )));
        }
        self.count += 1;
        Ok(Some(CachePoint {
            kind: "default",
            ttl,
        }))
    }
}

const CACHE_CONTROL: &str = "cache_control";

/// Whether a marker asks for an hour.
fn read_hour(node: &Node<'_>, at: &At<'_>, ignored: &mut Ignored) -> Result<bool, Rejection> {
    let (mut hour, mut is_typed) = (false, !at.ends_with(CACHE_CONTROL));
    for (key, value) in node.object(at)? {
        let at = at.key(key);
        if !matches!(key, "type" | "mode" | "ttl") {
            ignored.unknown(&at)?;
            continue;
        }
        match (key, value.text(&at)?) {
            ("type", "ephemeral") => is_typed = true,
            ("type", _) => return Err(at.invalid("expected 'ephemeral'.")),
            ("mode", "explicit") => {}
            ("mode", _) => return Err(at.invalid("expected 'explicit'.")),
            ("ttl", "1h") => hour = true,
            ("ttl", "5m") => {}
            ("ttl", other) => {
                return Err(
                    at.unsupported(format_args!("'{}'; expected '5m' or '1h'.", Excerpt(other)))
                );
            }
            _ => {}
        }
    }
    if !is_typed {
        return Err(at.key("type").missing());
    }
    Ok(hour)
}
