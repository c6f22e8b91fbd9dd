//! Files, which Bedrock calls documents, and their names.

use std::collections::HashSet;

use super::converse::{Citations, Document, Source};
use super::ignored::Ignored;
use super::json::Node;
use super::media::{self, Url};
use super::path::At;
use crate::reject::Rejection;

/// Bedrock's limit for a request.
const MOST: usize = 5;

/// Bedrock's limit for a name.
const LONGEST_NAME: usize = 200;

/// The documents of a request: so many, and each with a name of its own.
#[derive(Debug, Default)]
pub(super) struct Documents {
    names: HashSet<String>,
}

impl Documents {
    /// The document of a content part's `file`. `citations` is beside that, or in it.
    pub(super) fn read<'n>(
        &mut self,
        file: &'n Node<'n>,
        at: &At<'_>,
        citations: Option<(&At<'_>, &Node<'_>)>,
        ignored: &mut Ignored,
    ) -> Result<Document<'n>, Rejection> {
        let (mut data, mut filename) = (None, None);
        let mut citations = citations
            .map(|(at, node)| read_citations(node, at, ignored))
            .transpose()?;
        for (key, value) in file.object(at)? {
            let at = at.key(key);
            match key {
                "file_data" => data = Some(value.text(&at)?),
                "filename" => filename = Some(value.text(&at)?),
                "file_id" => {
                    return Err(at.unsupported_parameter(
                        "there is no store of files here; send the file itself as 'file_data', a \
                         data URL.",
                    ));
                }
                "citations" => citations = Some(read_citations(value, &at, ignored)?),
                "format" => {}
                _ => ignored.unknown(&at)?,
            }
        }
        let data_at = at.key("file_data");
        let data = data.ok_or_else(|| data_at.missing())?;
        let filename = filename.unwrap_or_default();
        let (mime, name, source) = match Url::parse(data, &data_at)? {
            Url::Data { mime, data } => (mime, filename, media::bytes(data, &data_at)?),
            Url::None => ("", filename, media::bytes(data, &data_at)?),
            Url::S3(uri) => {
                let name = if filename.is_empty() { uri } else { filename };
                ("", name, Source::S3Location { uri })
            }
            Url::Remote => {
                return Err(data_at.invalid(
                    "files are not fetched; send a data URL, \"data:application/pdf;base64,…\".",
                ));
            }
        };
        let format = (!media::is_medium(mime))
            .then(|| media::document_format(mime))
            .ok_or_else(|| {
                data_at.unsupported(
                    "it is not a document; images go into a part of type 'image_url', audio into \
                     one of type 'input_audio'.",
                )
            })?
            .or_else(|| media::document_ending(media::ending(name)))
            .ok_or_else(|| {
                data_at.unsupported(
                    "its format is not known; expected the MIME type, or a 'filename' with the \
                     ending, of pdf, csv, doc, docx, xls, xlsx, html, txt or md. Images go into a \
                     part of type 'image_url'.",
                )
            })?;
        if self.names.len() == MOST {
            return Err(at.invalid(format_args!(
                "this is one file too many; Bedrock takes {MOST} in a request."
            )));
        }
        Ok(Document {
            format,
            name: self.name(name),
            source,
            citations,
        })
    }

    /// A name that Bedrock takes: letters, digits, single spaces, hyphens, parentheses and square
    /// brackets. Without directories and ending, and not there yet.
    fn name(&mut self, filename: &str) -> String {
        let base = filename.rsplit(['/', '\\']).next().unwrap_or_default();
        let base = base.rsplit_once('.').map_or(base, |(base, _)| base);
        let mut name = String::new();
        for char in base.chars() {
            let is_fit = char.is_ascii_alphanumeric() || "-()[]".contains(char);
            let fit = match char {
                _ if is_fit => char,
                _ if char.is_whitespace() => ' ',
                _ => '-',
            };
            // Runs of what is replaced become one.
            if is_fit || !name.ends_with(fit) {
                name.push(fit);
            }
            if name.len() == LONGEST_NAME - 8 {
                break;
            }
        }
        let name = name.trim_matches([' ', '-']);
        let name = if name.is_empty() { "document" } else { name };
        let numbered = (2..).map(|number: u32| format!("{name} ({number})"));
        let mut free = std::iter::once(name.to_owned())
            .chain(numbered)
            .filter(|name| !self.names.contains(name));
        let name = free.next().unwrap_or_default();
        self.names.insert(name.clone());
        name
    }
}

/// Anthropic's `citations`, which Converse has as well.
fn read_citations(
    node: &Node<'_>,
    at: &At<'_>,
    ignored: &mut Ignored,
) -> Result<Citations, Rejection> {
    let mut enabled = None;
    for (key, value) in node.object(at)? {
        let at = at.key(key);
        match key {
            "enabled" => enabled = Some(value.bool(&at)?),
            _ => ignored.unknown(&at)?,
        }
    }
    let enabled = enabled.ok_or_else(|| at.key("enabled").missing())?;
    Ok(Citations { enabled })
}

#[cfg(test)]
mod tests {
    use super::Documents;

    #[test]
    fn names() {
        for (filename, name) in [
            ("report.pdf", "report"),
            ("", "document"),
            (".pdf", "document"),
            ("../../etc/passwd", "passwd"),
            ("C:\\files\\my  report v1.2.pdf", "my report v1-2"),
            ("\u{202e}fdp.exe\u{202c}.pdf", "fdp-exe"),
            ("a\tb\n c.txt", "a b c"),
            ("\u{7b80}\u{5386}.docx", "document"),
            ("r\u{e9}sum\u{e9} (final) [2].docx", "r-sum- (final) [2]"),
        ] {
            assert_eq!(Documents::default().name(filename), name, "{filename}");
        }
        let mut documents = Documents::default();
        assert_eq!(documents.name("a.pdf"), "a");
        assert_eq!(documents.name("b/a.txt"), "a (2)");
        assert_eq!(documents.name("a (2).txt"), "a (2) (2)");
        assert!(documents.name(&"x".repeat(999)).len() <= 200);
    }
}
