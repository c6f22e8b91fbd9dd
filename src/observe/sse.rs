//! Reads server-sent events as they pass, as the endpoints compatible with OpenAI and Anthropic send them.

use std::mem;

use super::reader::Progress;
use super::scan::Scanner;
use super::tally::{Field, Tally};
use super::wanted::EVENT;

#[derive(Debug)]
pub(super) struct Events {
    line: Line,
    /// A line feed that comes now belongs to the carriage return before it.
    after_return: bool,
    data: Scanner<Field>,
    /// What the event in hand says; it counts once the event is complete.
    event: Tally,
    total: Tally,
    /// The event in hand has been counted as text of the model.
    counted: bool,
    contents: u64,
    /// The event in hand has data; and some event before it had.
    has_data: bool,
    any: bool,
    /// So much of the data in hand is as [`DONE`] begins; `None` if that is something else.
    done: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// So much of it is as [`DATA`] begins.
    Start(usize),
    Data,
    Other,
}

/// The field that is read.
const DATA: &[u8] = b"data:";
/// The data of the last event of OpenAI's completions.
const DONE: &[u8] = b"[DONE]";

impl Events {
    pub(super) fn new() -> Self {
        Self {
            line: Line::Start(0),
            after_return: false,
            data: Scanner::new(&EVENT),
            event: Tally::default(),
            total: Tally::default(),
            counted: false,
            contents: 0,
            has_data: false,
            any: false,
            done: Some(0),
        }
    }

    /// Says how far the stream has come.
    pub(super) fn push(&mut self, mut input: &[u8]) -> Progress {
        while let Some((&byte, rest)) = input.split_first() {
            let after_return = mem::replace(&mut self.after_return, byte == b'\r');
            input = match (byte, self.line) {
                (b'\n', _) if after_return => rest,
                (b'\r' | b'\n', line) => {
                    if line == Line::Start(0) {
                        self.end_event();
                    }
                    self.line = Line::Start(0);
                    rest
                }
                (byte, Line::Start(length)) if DATA.get(length) == Some(&byte) => {
                    self.line = match length + 1 {
                        length if length == DATA.len() => Line::Data,
                        length => Line::Start(length),
                    };
                    self.has_data |= self.line == Line::Data;
                    rest
                }
                (_, Line::Start(_)) => {
                    self.line = Line::Other;
                    input
                }
                (_, line) => {
                    let end = input.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
                    let (now, rest) = input
                        .split_at_checked(end.unwrap_or(input.len()))
                        .unwrap_or((input, &[]));
                    if line == Line::Data {
                        self.see_done(now);
                        let event = &mut self.event;
                        self.data
                            .push(now, &mut |field, value| event.found(field, value));
                    }
                    rest
                }
            };
        }
        self.count();
        Progress {
            contents: self.contents,
            is_over: self.total.ended,
        }
    }

    /// What was learnt, and whether the stream stopped short: in mid-event, before the message that
    /// was begun had ended, or before any event.
    pub(super) fn finish(&mut self) -> (&Tally, bool) {
        let in_event = self.has_data || self.line != Line::Start(0);
        self.end_event();
        let total = &self.total;
        let is_begun = total.begun || total.is_completion;
        let is_short = is_begun || in_event || !self.any;
        let short = is_short && !total.ended && total.exception.is_empty();
        (total, short)
    }

    fn see_done(&mut self, data: &[u8]) {
        for &byte in data {
            self.done = match self.done {
                Some(0) if byte == b' ' => Some(0),
                Some(at) if DONE.get(at) == Some(&byte) => Some(at + 1),
                Some(at) if at == DONE.len() && byte == b' ' => Some(at),
                _ => None,
            };
            if self.done.is_none() {
                return;
            }
        }
    }

    fn count(&mut self) {
        if self.event.content == Some(true) && !self.counted {
            self.counted = true;
            self.contents += 1;
        }
    }

    fn end_event(&mut self) {
        self.total.ended |= self.done == Some(DONE.len());
        self.done = Some(0);
        self.any |= mem::take(&mut self.has_data);
        if !self.data.is_open() {
            self.count();
            self.total.add(&mut self.event);
        }
        self.counted = false;
        self.event.reset();
        self.data.restart(&EVENT);
    }
}
