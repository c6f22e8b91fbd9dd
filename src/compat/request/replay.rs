//! Reasoning that an assistant message brings back.

use super::cache::CachePoints;
use super::converse::{Block, ReasoningContent, Source};
use super::json::Node;
use super::media;
use super::parts::{Desk, Part, Place};
use super::path::At;
use super::words::is_blank;
use crate::compat::family::Replay;
use crate::reject::Rejection;

impl Desk {
    /// A part of type `thinking` or `redacted_thinking`.
    pub(super) fn thinking<'n>(
        &mut self,
        kind: &str,
        text: Option<&'n Node<'n>>,
        signature: Option<&'n Node<'n>>,
        data: Option<&'n Node<'n>>,
        at: &At<'_>,
    ) -> Result<Part<'n>, Rejection> {
        let signed = self.family.replay == Replay::Signed;
        if kind == "redacted_thinking" {
            let at = at.key("data");
            let data = data.ok_or_else(|| at.missing())?.text(&at)?;
            return Ok(match media::bytes(data, &at)? {
                Source::Bytes(data) if signed => {
                    Part::Reasoning(ReasoningContent::RedactedContent(data))
                }
                _ => Part::Nothing,
            });
        }
        let text_at = at.key("thinking");
        let text = text.ok_or_else(|| text_at.missing())?.text(&text_at)?;
        let signature = signature
            .map(|node| node.text(&at.key("signature")))
            .transpose()?;
        let signature = signature.filter(|signature| !signature.is_empty());
        Ok(match (self.family.replay, signature) {
            (Replay::Signed, Some(_)) => {
                Part::Reasoning(ReasoningContent::ReasoningText { text, signature })
            }
            (Replay::Plain, _) if !is_blank(text) => {
                Part::Reasoning(ReasoningContent::ReasoningText {
                    text,
                    signature: None,
                })
            }
            _ => Part::Nothing,
        })
    }

    /// The `thinking_blocks` of an assistant message, as an answer of ours has them.
    pub(super) fn thinking_blocks<'n>(
        &mut self,
        node: &'n Node<'n>,
        at: &At<'_>,
        blocks: &mut Vec<Block<'n>>,
    ) -> Result<(), Rejection> {
        for (index, node) in node.list(at)?.iter().enumerate() {
            let at = at.index(index);
            let mut cache = None;
            let part = self.part(node, &at, Place::Assistant, &mut cache)?;
            let marker = cache.map(|(key, node)| (at.key(key), node));
            let marker = marker.as_ref().map(|(at, node)| (at, *node));
            CachePoints::lose(marker, &mut self.ignored)?;
            match part {
                Part::Reasoning(reasoning) => blocks.push(Block::ReasoningContent(reasoning)),
                Part::Nothing => {}
                _ => {
                    let at = at.key("type");
                    return Err(at.invalid("expected 'thinking' or 'redacted_thinking'."));
                }
            }
        }
        Ok(())
    }
}
