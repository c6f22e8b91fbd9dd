//! Finds a few values in a JSON object that comes in pieces, without keeping the rest of it.

mod plain;
mod table;
mod value;

use self::plain::plain;
use self::table::{DEPTH, Paths, bucket};
pub(super) use self::table::{EACH, Path, Table};

/// Longer keys are nobody's; an escaped character takes six bytes.
const MAX_KEY: usize = 256;

/// An incremental scanner: it never looks inside strings, and only into those containers that a
/// path leads through.
///
/// It takes JSON as correct; of what is not, it finds something or nothing.
#[derive(Debug)]
pub(super) struct Scanner<F: 'static> {
    table: &'static Table<F>,
    state: State,
    /// The containers that the scanner is in, from outside.
    levels: [Level; DEPTH],
    depth: usize,
    /// The paths that the next value is on.
    next: Paths,
    /// The path whose value is being kept.
    kept: Option<usize>,
    value: Vec<u8>,
    /// Containers open within a value that is passed over or kept.
    nested: usize,
    in_text: bool,
    escaped: bool,
    /// The part of a key that came in earlier pieces.
    key: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Level {
    paths: Paths,
    array: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the object.
    Start,
    /// In a container, where a key, an element, a comma or the end may come.
    Between,
    Key,
    Colon,
    /// Where a value may start.
    Value,
    /// In a string or a container that is passed over or kept.
    Within,
    /// In a number, `true`, `false` or `null`.
    Scalar,
    Done,
    /// This is no JSON object.
    Dead,
}

impl<F: Copy> Scanner<F> {
    pub(super) fn new(table: &'static Table<F>) -> Self {
        Self {
            table,
            state: State::Start,
            levels: [Level::default(); DEPTH],
            depth: 0,
            next: 0,
            kept: None,
            value: Vec::new(),
            nested: 0,
            in_text: false,
            escaped: false,
            key: Vec::new(),
        }
    }

    /// Starts over with the next object, looking for what is in `table`.
    pub(super) fn restart(&mut self, table: &'static Table<F>) {
        let (mut value, mut key) = (
            std::mem::take(&mut self.value),
            std::mem::take(&mut self.key),
        );
        value.clear();
        key.clear();
        *self = Self {
            value,
            key,
            ..Self::new(table)
        };
    }

    /// Whether nothing but space has come.
    pub(super) fn is_at_start(&self) -> bool {
        self.state == State::Start
    }

    /// Whether an object was begun and has not ended.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.state, State::Start | State::Done | State::Dead)
    }

    /// Reads on. `found` gets every value as it stands in the text, or `None` instead if that is
    /// longer than its path allows.
    pub(super) fn push(&mut self, mut input: &[u8], found: &mut dyn FnMut(F, Option<&[u8]>)) {
        while let Some((&byte, rest)) = input.split_first() {
            match self.state {
                State::Done | State::Dead => return,
                State::Within => {
                    input = self.read_within(input, 0, found);
                    continue;
                }
                State::Scalar => {
                    input = self.read_scalar(input, found);
                    continue;
                }
                State::Key => {
                    input = self.read_key(input);
                    continue;
                }
                _ if byte.is_ascii_whitespace() => {}
                State::Start if byte == b'{' => {
                    self.next = Paths::MAX;
                    self.open(false);
                }
                State::Start => self.state = State::Dead,
                State::Colon => {
                    self.state = if byte == b':' {
                        State::Value
                    } else {
                        State::Dead
                    };
                }
                State::Between => match byte {
                    b',' => {
                        if let [b'"', rest @ ..] = rest
                            && !self.in_array()
                        {
                            self.begin_key();
                            input = rest;
                            continue;
                        }
                    }
                    b'}' | b']' => self.close(byte == b']'),
                    _ if self.in_array() => {
                        self.next = self.select(EACH.as_bytes());
                        self.state = State::Value;
                        continue;
                    }
                    b'"' => self.begin_key(),
                    _ => self.state = State::Dead,
                },
                State::Value => {
                    input = self.begin_value(byte, input, found);
                    continue;
                }
            }
            input = rest;
        }
    }

    fn begin_key(&mut self) {
        self.key.clear();
        self.state = State::Key;
    }

    /// Reads to the end of a key and chooses the paths that go on with it.
    fn read_key<'a>(&mut self, input: &'a [u8]) -> &'a [u8] {
        // Nearly always all of it is there, and nothing in it is escaped.
        let (part, rest) = split(input, plain(input));
        if let ([b'"', ..], true) = (rest, self.key.is_empty() && !self.escaped) {
            self.next = self.select(part);
            return self.after_key(rest);
        }
        let mut escaped = self.escaped;
        let end = input.iter().position(|&byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        self.escaped = end.is_none() && escaped;
        let (part, rest) = split(input, end.unwrap_or(input.len()));
        if end.is_some() && self.key.is_empty() {
            self.next = self.choose(part);
        } else if self.key.len() + part.len() <= MAX_KEY {
            self.key.extend_from_slice(part);
        } else {
            // What follows cannot make it shorter.
            self.key.resize(MAX_KEY + 1, 0);
        }
        if end.is_none() {
            return rest;
        }
        if !self.key.is_empty() {
            let key = std::mem::take(&mut self.key);
            self.next = self.choose(&key);
            self.key = key;
        }
        self.after_key(rest)
    }

    fn after_key<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        // Nearly always at once.
        match rest {
            [b'"', b':', rest @ ..] => {
                self.state = State::Value;
                rest
            }
            rest => {
                self.state = State::Colon;
                split(rest, 1).1
            }
        }
    }

    fn choose(&self, key: &[u8]) -> Paths {
        if key.len() > MAX_KEY {
            return 0;
        }
        if key.contains(&b'\\') {
            let quoted = [b"\"", key, b"\""].concat();
            let key = serde_json::from_slice::<String>(&quoted).unwrap_or_default();
            return self.select(key.as_bytes());
        }
        self.select(key)
    }

    /// The paths of this level that go on with this key.
    fn select(&self, key: &[u8]) -> Paths {
        let Some(at) = self.depth.checked_sub(1) else {
            return 0;
        };
        let here = self.levels.get(at).map_or(0, |level| level.paths);
        let by_bucket = self.table.by_bucket.get(at);
        let alike = by_bucket.and_then(|paths| paths.get(bucket(key)));
        let here = here & alike.copied().unwrap_or_default();
        if here == 0 || (key == EACH.as_bytes()) != self.in_array() {
            return 0;
        }
        let fits = |(_, path): &(usize, &Path<F>)| {
            let name = path.keys.get(at);
            name.is_some_and(|name| name.as_bytes() == key)
        };
        let paths = each(here, self.table.paths).filter(fits);
        paths.fold(0, |all, (index, _)| all | bit(index))
    }

    fn in_array(&self) -> bool {
        let level = self.depth.checked_sub(1).and_then(|at| self.levels.get(at));
        level.is_some_and(|level| level.array)
    }

    fn open(&mut self, array: bool) {
        if let Some(level) = self.levels.get_mut(self.depth) {
            *level = Level {
                paths: self.next,
                array,
            };
            self.depth += 1;
        }
        self.state = State::Between;
    }

    fn close(&mut self, array: bool) {
        let matches = self.in_array() == array;
        self.depth = self.depth.saturating_sub(1);
        self.state = match (matches, self.depth) {
            (false, _) => State::Dead,
            (true, 0) => State::Done,
            (true, _) => State::Between,
        };
    }
}

fn bit(index: usize) -> Paths {
    // Nobody looks for more paths than there are bits.
    1 << (index & (Paths::BITS as usize - 1))
}

/// The paths of which the bits are set.
fn each<P>(mut bits: Paths, paths: &[P]) -> impl Iterator<Item = (usize, &P)> {
    std::iter::from_fn(move || {
        let index = bits.trailing_zeros() as usize;
        bits &= bits.wrapping_sub(1);
        Some((index, paths.get(index)?))
    })
}

fn is_scalar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}

/// `split_at`, with everything on the left if `at` is too far.
fn split(input: &[u8], at: usize) -> (&[u8], &[u8]) {
    input.split_at_checked(at).unwrap_or((input, &[]))
}

#[cfg(test)]
mod tests;
