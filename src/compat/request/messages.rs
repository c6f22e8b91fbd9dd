//! Messages: OpenAI's list becomes turns of user and assistant, and the system prompt.

use std::borrow::Cow;

use super::calls::Calls;
use super::converse::{Block, Json, ResultBlock, Role, SystemBlock, ToolResult, ToolUse, Turn};
use super::history::{function, tool_call};
use super::json::Node;
use super::message::Message;
use super::names::Names;
use super::parts::{Desk, ToolOutput};
use super::path::{At, Excerpt};
use super::turns;
use super::words::Words;
use crate::reject::Rejection;

/// What the messages amount to.
#[derive(Debug, Default)]
pub(super) struct Conversation<'n> {
    pub(super) system: Vec<SystemBlock<'n>>,
    pub(super) turns: Vec<Turn<'n>>,
    /// The tools that were called, by their names at Bedrock, each once.
    pub(super) called: Vec<Cow<'n, str>>,
    calls: Calls<'n>,
    /// How many blocks at the beginning of the last turn are tool results and what goes with them.
    results: usize,
    /// How many blocks after these are media of the results.
    media: usize,
}

impl<'n> Conversation<'n> {
    pub(super) fn read(
        node: &'n Node<'n>,
        desk: &mut Desk,
        names: &mut Names<'n>,
    ) -> Result<Self, Rejection> {
        let messages = At::parameter("messages");
        let list = node.list(&messages)?;
        let mut conversation = Self::default();
        conversation.turns.reserve(list.len());
        for (index, node) in list.iter().enumerate() {
            let at = messages.index(index);
            conversation.message(node, index, &at, desk, names)?;
        }
        conversation.calls.close(&messages)?;
        if conversation.turns.is_empty() {
            return Err(messages.invalid(
                "there is no message of role 'user' or 'assistant' with anything in it.",
            ));
        }
        turns::finish(&mut conversation.turns, desk.family);
        Ok(conversation)
    }

    /// Whether the last assistant turn calls tools and shows no reasoning before.
    pub(super) fn calls_without_reasoning(&self) -> bool {
        let mut turns = self.turns.iter().rev();
        // The synthetic turn between results and what is beside them is no answer of the model's.
        let calls = turns.find(|turn| turn.role == Role::Assistant && !turns::is_filler(turn));
        calls.is_some_and(|turn| {
            let has = |is: fn(&Block<'_>) -> bool| turn.content.iter().any(is);
            has(|block| matches!(block, Block::ToolUse(_)))
                && !has(|block| matches!(block, Block::ReasoningContent(_)))
        })
    }

    /// Whether the model is to go on with an answer that is begun.
    pub(super) fn ends_with_assistant(&self) -> bool {
        let last = self.turns.last();
        last.is_some_and(|turn| turn.role == Role::Assistant)
    }

    fn message(
        &mut self,
        node: &'n Node<'n>,
        index: usize,
        at: &At<'_>,
        desk: &mut Desk,
        names: &mut Names<'n>,
    ) -> Result<(), Rejection> {
        let message = Message::read(node, at)?;
        let role_at = at.key("role");
        match message.role {
            "system" | "developer" => self.system(&message, at, desk)?,
            "user" => self.user(&message, at, desk)?,
            "assistant" => self.assistant(&message, index, at, desk, names)?,
            "tool" => self.tool(&message, at, desk)?,
            "function" => self.function(&message, at, desk)?,
            other => {
                return Err(role_at.invalid(format_args!(
                    "'{}' is not a role; expected 'system', 'developer', 'user', 'assistant', \
                     'tool' or 'function'.",
                    Excerpt(other)
                )));
            }
        }
        for key in message.unknown {
            desk.ignored.unknown(&at.key(key))?;
        }
        Ok(())
    }

    fn system(
        &mut self,
        message: &Message<'n>,
        at: &At<'_>,
        desk: &mut Desk,
    ) -> Result<(), Rejection> {
        message.ignore_name(at, desk)?;
        let content_at = at.key("content");
        let content = message.content.ok_or_else(|| content_at.missing())?;
        let before = self.system.len();
        desk.system(content, &content_at, &mut self.system)?;
        let is_point = matches!(self.system.last(), Some(SystemBlock::CachePoint(_)));
        if self.system.len() > before && !is_point {
            let point = message.cache_point(at, desk)?;
            self.system.extend(point.map(SystemBlock::CachePoint));
        } else if !is_point {
            message.lose_cache_point(at, desk)?;
        }
        Ok(())
    }

    fn user(
        &mut self,
        message: &Message<'n>,
        at: &At<'_>,
        desk: &mut Desk,
    ) -> Result<(), Rejection> {
        message.ignore_name(at, desk)?;
        let content_at = at.key("content");
        let content = message.content.ok_or_else(|| content_at.missing())?;
        let mut blocks = Vec::new();
        desk.user(content, &content_at, &mut blocks)?;
        if blocks.is_empty() {
            return Err(content_at.invalid("it is blank; models take no blank messages."));
        }
        message.add_cache_point(at, desk, &mut blocks)?;
        self.turn(Role::User, blocks);
        Ok(())
    }

    fn assistant(
        &mut self,
        message: &Message<'n>,
        index: usize,
        at: &At<'_>,
        desk: &mut Desk,
        names: &mut Names<'n>,
    ) -> Result<(), Rejection> {
        message.ignore_name(at, desk)?;
        if self
            .turns
            .last()
            .is_some_and(|turn| turn.role == Role::User)
        {
            // A new turn begins, so the calls of the last one must be answered.
            self.calls.close(&At::parameter("messages"))?;
        }
        let mut blocks = Vec::new();
        message.reasoning(at, desk, &mut blocks)?;
        if let Some(content) = message.content {
            desk.assistant(content, &at.key("content"), &mut blocks)?;
            let is_text = |block: &Block<'_>| !matches!(block, Block::ReasoningContent(_));
            blocks.sort_by_key(is_text);
        }
        if let Some(refusal) = message.refusal {
            let refusal = refusal.words(&at.key("refusal"))?;
            if !refusal.is_blank() {
                blocks.push(Block::Text(refusal));
            }
        }
        let said = blocks.iter().any(|block| matches!(block, Block::Text(_)));
        if said {
            message.add_cache_point(at, desk, &mut blocks)?;
        }
        let mut calls = Vec::new();
        self.tool_calls(message, index, at, desk, names, &mut calls)?;
        if !said && calls.is_empty() {
            // Nothing is left of it; reasoning alone is refused by the service.
            return message.lose_cache_point(at, desk);
        }
        if !said {
            message.add_cache_point(at, desk, &mut calls)?;
        }
        if blocks.is_empty() {
            blocks = calls;
        } else {
            blocks.append(&mut calls);
        }
        self.turn(Role::Assistant, blocks);
        Ok(())
    }

    fn tool_calls(
        &mut self,
        message: &Message<'n>,
        index: usize,
        at: &At<'_>,
        desk: &mut Desk,
        names: &mut Names<'n>,
        blocks: &mut Vec<Block<'n>>,
    ) -> Result<(), Rejection> {
        if let Some(list) = message.tool_calls {
            let at = at.key("tool_calls");
            for (position, node) in list.list(&at)?.iter().enumerate() {
                let at = at.index(position);
                let call = tool_call(node, &at, desk)?;
                let id = Some(call.id.ok_or_else(|| at.key("id").missing())?);
                let tool_use_id = self.open(id, call.name, index, &at, desk)?;
                blocks.push(self.call(tool_use_id, call.name, call.input, names));
            }
        }
        if let Some(node) = message.function_call {
            let at = at.key("function_call");
            let (name, input) = function(node, &at, desk)?;
            let tool_use_id = self.open(None, name, index, &at, desk)?;
            blocks.push(self.call(tool_use_id, name, input, names));
        }
        Ok(())
    }

    /// The id at Bedrock of a call in message `index`.
    fn open(
        &mut self,
        id: Option<&'n str>,
        name: &'n str,
        index: usize,
        at: &At<'_>,
        desk: &Desk,
    ) -> Result<Cow<'n, str>, Rejection> {
        let kind = desk.family.call_ids;
        self.calls.open(id, name, kind, index, at)
    }

    fn call(
        &mut self,
        tool_use_id: Cow<'n, str>,
        name: &'n str,
        input: Json<'n>,
        names: &mut Names<'n>,
    ) -> Block<'n> {
        let is_first = names.is_first_call(name);
        let name = names.send(name);
        if is_first {
            self.called.push(name.clone());
        }
        Block::ToolUse(ToolUse {
            tool_use_id,
            name,
            input,
        })
    }

    fn tool(
        &mut self,
        message: &Message<'n>,
        at: &At<'_>,
        desk: &mut Desk,
    ) -> Result<(), Rejection> {
        let id_at = at.key("tool_call_id");
        let id = message.tool_call_id.ok_or_else(|| id_at.missing())?;
        let id = id.text(&id_at)?;
        let sent = self.calls.answer(id).ok_or_else(|| {
            id_at.invalid(format_args!(
                "'{}' is not the id of a call in the assistant message before, or is answered \
                 already.",
                Excerpt(id)
            ))
        })?;
        self.result(sent, message, at, desk)
    }

    /// The answer to a legacy function call.
    fn function(
        &mut self,
        message: &Message<'n>,
        at: &At<'_>,
        desk: &mut Desk,
    ) -> Result<(), Rejection> {
        let name_at = at.key("name");
        let name = message.name.ok_or_else(|| name_at.missing())?;
        let name = name.text(&name_at)?;
        let sent = self.calls.answer_function(name).ok_or_else(|| {
            name_at.invalid(format_args!(
                "'{}' is not the function that the assistant message before calls, or is answered \
                 already.",
                Excerpt(name)
            ))
        })?;
        self.result(sent, message, at, desk)
    }

    /// Results go to the beginning of the user turn, in order.
    fn result(
        &mut self,
        tool_use_id: Cow<'n, str>,
        message: &Message<'n>,
        at: &At<'_>,
        desk: &mut Desk,
    ) -> Result<(), Rejection> {
        let mut output = ToolOutput::default();
        if let Some(node) = message.content {
            output = desk.result(node, &at.key("content"))?;
        }
        let ToolOutput {
            mut content,
            mut point,
            beside,
        } = output;
        if content.is_empty() {
            // Most models refuse a blank text.
            let text = match beside.is_empty() {
                true => "(no output)",
                false => "(see below)",
            };
            content.push(ResultBlock::Text(Words::plain(text)));
        }
        if point.is_none() {
            point = message.cache_point(at, desk)?;
        }
        let result = Block::ToolResult(ToolResult {
            tool_use_id,
            content,
        });
        if self.turns.last().is_none_or(|turn| turn.role != Role::User) {
            self.turn(Role::User, Vec::new());
        }
        if let Some(turn) = self.turns.last_mut() {
            for block in std::iter::once(result).chain(point.map(Block::CachePoint)) {
                turn.content.insert(self.results, block);
                self.results += 1;
            }
            for block in beside {
                turn.content.insert(self.results + self.media, block);
                self.media += 1;
            }
        }
        Ok(())
    }

    /// Adds blocks to the last turn, if it is of that role, or begins another.
    fn turn(&mut self, role: Role, mut content: Vec<Block<'n>>) {
        match self.turns.last_mut() {
            Some(turn) if turn.role == role => turn.content.append(&mut content),
            _ => {
                (self.results, self.media) = (0, 0);
                self.turns.push(Turn { role, content });
            }
        }
    }
}
