//! Pages of the web that a text rests on, as OpenAI's annotations.

use std::io::Write as _;

use bytes::BufMut;

use super::converse::Citation;

/// The annotations of one message, and how long its text is so far.
///
/// Citations of other kinds than of web pages, of documents that the request brought for example,
/// have no place in OpenAI's answer and are left out.
#[derive(Default)]
pub(super) struct Annotations {
    list: Vec<Annotation>,
    /// Characters of the message.
    chars: u64,
}

struct Annotation {
    /// As they are written in JSON.
    url: Vec<u8>,
    title: Vec<u8>,
    start: u64,
    /// Not known before the end of its block.
    end: Option<u64>,
}

impl Annotations {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Where the message ends so far.
    pub(super) fn position(&self) -> u64 {
        self.chars
    }

    /// The message is longer by this many characters.
    pub(super) fn advance(&mut self, chars: u64) {
        self.chars = self.chars.saturating_add(chars);
    }

    /// Notes a citation by the block of text that began at `start`.
    pub(super) fn note(&mut self, citation: &Citation<'_>, start: u64) {
        let Some((url, title)) = citation.page() else {
            return;
        };
        let mut annotation = Annotation {
            url: Vec::with_capacity(url.len()),
            title: Vec::with_capacity(title.len()),
            start,
            end: None,
        };
        url.write(&mut annotation.url);
        title.write(&mut annotation.title);
        self.list.push(annotation);
    }

    /// The block of text is over that the last citations are of.
    pub(super) fn close_block(&mut self) {
        for annotation in self.list.iter_mut().rev() {
            if annotation.end.is_some() {
                break;
            }
            annotation.end = Some(self.chars);
        }
    }

    /// Appends the field `annotations`.
    pub(super) fn write(&self, out: &mut impl BufMut) {
        for (at, annotation) in self.list.iter().enumerate() {
            out.put_slice(if at == 0 { b"\"annotations\":[" } else { b"," });
            let (start, end) = (annotation.start, annotation.end.unwrap_or(self.chars));
            // A buffer in memory does not fail.
            let _ = write!(
                (&mut *out).writer(),
                r#"{{"type":"url_citation","url_citation":{{"start_index":{start},"end_index":{end},"url":""#
            );
            out.put_slice(&annotation.url);
            out.put_slice(b"\",\"title\":\"");
            out.put_slice(&annotation.title);
            out.put_slice(b"\"}}");
        }
        if !self.list.is_empty() {
            out.put_slice(b"]");
        }
    }
}
