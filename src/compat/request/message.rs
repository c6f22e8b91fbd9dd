//! One message: what it has under which key, whatever its role.

use super::cache::CachePoints;
use super::converse::{Block, CachePoint, ReasoningContent};
use super::json::Node;
use super::parts::Desk;
use super::path::At;
use super::words::is_blank;
use crate::compat::family::Replay;
use crate::reject::Rejection;

#[derive(Debug, Default)]
pub(super) struct Message<'n> {
    pub(super) role: &'n str,
    pub(super) content: Option<&'n Node<'n>>,
    pub(super) refusal: Option<&'n Node<'n>>,
    reasoning_content: Option<&'n Node<'n>>,
    thinking_blocks: Option<&'n Node<'n>>,
    pub(super) tool_calls: Option<&'n Node<'n>>,
    pub(super) function_call: Option<&'n Node<'n>>,
    pub(super) tool_call_id: Option<&'n Node<'n>>,
    pub(super) name: Option<&'n Node<'n>>,
    /// A marker of a cache point, and its key.
    cache: Option<(&'n str, &'n Node<'n>)>,
    /// Keys that are not known.
    pub(super) unknown: Vec<&'n str>,
}

impl<'n> Message<'n> {
    pub(super) fn read(node: &'n Node<'n>, at: &At<'_>) -> Result<Self, Rejection> {
        let mut message = Self::default();
        let mut role = None;
        for (key, value) in node.object(at)? {
            match key {
                "role" => role = Some(value.text(&at.key(key))?),
                "content" => message.content = Some(value),
                "refusal" => message.refusal = Some(value),
                "reasoning_content" => message.reasoning_content = Some(value),
                "thinking_blocks" => message.thinking_blocks = Some(value),
                "tool_calls" => message.tool_calls = Some(value),
                "function_call" => message.function_call = Some(value),
                "tool_call_id" => message.tool_call_id = Some(value),
                "name" => message.name = Some(value),
                "cache_control" | "prompt_cache_breakpoint" => message.cache = Some((key, value)),
                // Of an answer that is sent back: it says nothing to the model.
                "annotations" | "reasoning" => {}
                _ => message.unknown.push(key),
            }
        }
        message.role = role.ok_or_else(|| at.key("role").missing())?;
        Ok(message)
    }

    /// Reasoning that the model takes back.
    pub(super) fn reasoning(
        &self,
        at: &At<'_>,
        desk: &mut Desk,
        blocks: &mut Vec<Block<'n>>,
    ) -> Result<(), Rejection> {
        if let Some(node) = self.thinking_blocks {
            desk.thinking_blocks(node, &at.key("thinking_blocks"), blocks)?;
        }
        let Some(node) = self.reasoning_content else {
            return Ok(());
        };
        let text = node.text(&at.key("reasoning_content"))?;
        if desk.family.replay == Replay::Plain && blocks.is_empty() && !is_blank(text) {
            blocks.push(Block::ReasoningContent(ReasoningContent::ReasoningText {
                text,
                signature: None,
            }));
        }
        Ok(())
    }

    /// The name of who speaks.
    pub(super) fn ignore_name(&self, at: &At<'_>, desk: &mut Desk) -> Result<(), Rejection> {
        let at = at.key("name");
        if let Some(name) = self.name {
            name.text(&at)?;
            desk.ignored.add(&at, "Bedrock's messages have no names.")?;
        }
        Ok(())
    }

    /// The cache point that the message as a whole asks for.
    pub(super) fn cache_point(
        &self,
        at: &At<'_>,
        desk: &mut Desk,
    ) -> Result<Option<CachePoint>, Rejection> {
        let marker = self.cache.map(|(key, node)| (at.key(key), node));
        let marker = marker.as_ref().map(|(at, node)| (at, *node));
        desk.cache.point(marker, desk.family, &mut desk.ignored)
    }

    /// Nothing is left for it to stand after.
    pub(super) fn lose_cache_point(&self, at: &At<'_>, desk: &mut Desk) -> Result<(), Rejection> {
        let marker = self.cache.map(|(key, node)| (at.key(key), node));
        let marker = marker.as_ref().map(|(at, node)| (at, *node));
        CachePoints::lose(marker, &mut desk.ignored)
    }

    /// Adds that, unless the last block has one of its own.
    pub(super) fn add_cache_point(
        &self,
        at: &At<'_>,
        desk: &mut Desk,
        blocks: &mut Vec<Block<'n>>,
    ) -> Result<(), Rejection> {
        if !matches!(blocks.last(), Some(Block::CachePoint(_))) {
            let point = self.cache_point(at, desk)?;
            blocks.extend(point.map(Block::CachePoint));
        }
        Ok(())
    }
}
