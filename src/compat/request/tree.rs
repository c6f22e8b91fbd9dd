//! JSON whose grammar has been checked, as a tree of its pieces: each with its text.

use std::borrow::Cow;

/// More values than any schema has.
const MOST_VALUES: u32 = 50_000;

#[derive(Debug)]
pub(super) struct Tree<'s> {
    pub(super) text: &'s str,
    inner: Inner<'s>,
}

#[derive(Debug)]
enum Inner<'s> {
    Scalar,
    List(Vec<Tree<'s>>),
    Object(Vec<(Cow<'s, str>, Tree<'s>)>),
}

impl<'s> Tree<'s> {
    /// None if it has too many values.
    pub(super) fn read(text: &'s str) -> Option<Self> {
        Reader {
            text,
            at: 0,
            left: MOST_VALUES,
        }
        .value()
    }

    /// The elements of a list.
    pub(super) fn list(&self) -> &[Self] {
        match &self.inner {
            Inner::List(list) => list,
            _ => &[],
        }
    }

    /// The keys and values of an object.
    pub(super) fn pairs(&self) -> &[(Cow<'s, str>, Self)] {
        match &self.inner {
            Inner::Object(pairs) => pairs,
            _ => &[],
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let pair = self.pairs().iter().find(|(key, _)| key == name);
        pair.map(|(_, value)| value)
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self.inner, Inner::Object(_))
    }

    /// The text of a string.
    pub(super) fn string(&self) -> Option<Cow<'s, str>> {
        unquoted(self.text)
    }

    /// What a JSON pointer names, in the form of a URL's fragment: `#/a/b~1c/0`.
    pub(super) fn resolve(&self, reference: &str) -> Option<&Self> {
        let pointer = percent_decoded(reference.strip_prefix('#')?)?;
        let mut steps = pointer.split('/');
        if !steps.next()?.is_empty() {
            return None;
        }
        steps.try_fold(self, |tree, step| {
            let step = step.replace("~1", "/").replace("~0", "~");
            match &tree.inner {
                Inner::Object(_) => tree.get(&step),
                Inner::List(list) => list.get(step.parse::<usize>().ok()?),
                Inner::Scalar => None,
            }
        })
    }
}

/// The text in a JSON string.
fn unquoted(text: &str) -> Option<Cow<'_, str>> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(text).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

fn percent_decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

struct Reader<'s> {
    text: &'s str,
    at: usize,
    left: u32,
}

impl<'s> Reader<'s> {
    fn value(&mut self) -> Option<Tree<'s>> {
        self.left = self.left.checked_sub(1)?;
        self.pass(b" \t\r\n");
        let start = self.at;
        let inner = match self.peek()? {
            b'{' => {
                let mut pairs = Vec::new();
                while self.goes_on(b'}')? {
                    let key = self.string()?;
                    self.pass(b" \t\r\n:");
                    pairs.push((unquoted(key)?, self.value()?));
                }
                Inner::Object(pairs)
            }
            b'[' => {
                let mut list = Vec::new();
                while self.goes_on(b']')? {
                    list.push(self.value()?);
                }
                Inner::List(list)
            }
            b'"' => {
                self.string()?;
                Inner::Scalar
            }
            _ => {
                let rest = self.text.get(start..)?;
                let end = rest.find([',', '}', ']', ' ', '\t', '\r', '\n']);
                self.at = end.map_or(self.text.len(), |end| start + end);
                Inner::Scalar
            }
        };
        let text = self.text.get(start..self.at)?;
        Some(Tree { text, inner })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn pass(&mut self, what: &[u8]) {
        while self.peek().is_some_and(|byte| what.contains(&byte)) {
            self.at += 1;
        }
    }

    /// After a bracket or an element: whether another element comes before the bracket `end`.
    fn goes_on(&mut self, end: u8) -> Option<bool> {
        if matches!(self.peek()?, b'{' | b'[') {
            self.at += 1;
        }
        self.pass(b" \t\r\n");
        if self.peek()? == end {
            self.at += 1;
            return Some(false);
        }
        self.pass(b", \t\r\n");
        Some(true)
    }

    /// A string with its quotes.
    fn string(&mut self) -> Option<&'s str> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        self.text.get(start..self.at)
    }
}
