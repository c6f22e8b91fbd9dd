//! Values: those that are kept, and those that are passed over.

use super::plain::plain;
use super::table::{DEPTH, Paths};
use super::{Scanner, State, bit, each, is_scalar, split};

impl<F: Copy> Scanner<F> {
    /// Decides about a value by its first byte, and reads on.
    pub(super) fn begin_value<'a>(
        &mut self,
        byte: u8,
        input: &'a [u8],
        found: &mut dyn FnMut(F, Option<&[u8]>),
    ) -> &'a [u8] {
        self.kept = None;
        self.value.clear();
        let mut onward: Paths = 0;
        for (index, path) in each(self.next, self.table.paths) {
            if path.keys.len() > self.depth {
                onward |= bit(index);
            } else if path.limit == 0 {
                found(path.field, None);
            } else {
                self.kept = Some(index);
            }
        }
        match byte {
            b'{' | b'[' if self.kept.is_none() && onward != 0 && self.depth < DEPTH => {
                self.next = onward;
                self.open(byte == b'[');
                return split(input, 1).1;
            }
            b'{' | b'[' => self.nested = 1,
            b'"' => {
                self.nested = 0;
                self.in_text = true;
            }
            byte if is_scalar(byte) => {
                self.state = State::Scalar;
                return self.read_scalar(input, found);
            }
            _ => {
                self.state = State::Dead;
                return split(input, 1).1;
            }
        }
        self.state = State::Within;
        self.read_within(input, 1, found)
    }

    pub(super) fn read_scalar<'a>(
        &mut self,
        input: &'a [u8],
        found: &mut dyn FnMut(F, Option<&[u8]>),
    ) -> &'a [u8] {
        let end = input.iter().position(|byte| !is_scalar(*byte));
        let (now, later) = split(input, end.unwrap_or(input.len()));
        self.take(now, end.is_some(), found);
        later
    }

    /// Reads on within a string or a container, of which so many bytes have been looked at.
    pub(super) fn read_within<'a>(
        &mut self,
        input: &'a [u8],
        from: usize,
        found: &mut dyn FnMut(F, Option<&[u8]>),
    ) -> &'a [u8] {
        let (mut nested, mut in_text, mut escaped) = (self.nested, self.in_text, self.escaped);
        let mut at = from;
        let is_over = loop {
            if in_text {
                if escaped && at < input.len() {
                    escaped = false;
                    at += 1;
                }
                at += plain(split(input, at).1);
                match input.get(at) {
                    None => break false,
                    Some(b'\\') => {
                        escaped = true;
                        at += 1;
                        continue;
                    }
                    Some(_) => {
                        in_text = false;
                        at += 1;
                    }
                }
            }
            if nested == 0 {
                break true;
            }
            let Some(byte) = input.get(at) else {
                break false;
            };
            at += 1;
            match byte {
                b'"' => in_text = true,
                b'{' | b'[' => nested += 1,
                b'}' | b']' => nested -= 1,
                _ => {}
            }
        };
        (self.nested, self.in_text, self.escaped) = (nested, in_text, escaped);
        let (now, later) = split(input, at);
        self.take(now, is_over, found);
        later
    }

    /// Takes a part of the value in hand, the last of which is the end of it.
    fn take(&mut self, part: &[u8], is_last: bool, found: &mut dyn FnMut(F, Option<&[u8]>)) {
        let kept = self.kept.and_then(|index| self.table.paths.get(index));
        if let Some(path) = kept {
            if self.value.len() + part.len() > path.limit {
                self.kept = None;
                found(path.field, None);
            } else if !is_last {
                self.value.extend_from_slice(part);
            } else if self.value.is_empty() {
                // Nearly always all of it is there at once.
                found(path.field, Some(part));
            } else {
                self.value.extend_from_slice(part);
                found(path.field, Some(&self.value));
            }
        }
        if is_last {
            self.kept = None;
            self.state = State::Between;
        }
    }
}
