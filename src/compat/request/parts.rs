//! Parts of a message's content.

use super::cache::CachePoints;
use super::converse::{
    Block, CachePoint, Document, Media, ReasoningContent, ResultBlock, Source, SystemBlock,
};
use super::documents::Documents;
use super::ignored::Ignored;
use super::json::Node;
use super::media::{self, Url};
use super::path::{At, Excerpt};
use super::words::Words;
use crate::compat::family::{Family, Inside};
use crate::reject::Rejection;

/// What reading parts needs to know, and keeps count of.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) family: &'static Family,
    pub(super) ignored: Ignored,
    pub(super) cache: CachePoints,
    pub(super) documents: Documents,
}

/// A part as it was sent, of a type that is known.
pub(super) enum Part<'n> {
    Text(Words<'n>),
    Image(Media<'n>),
    Audio(Media<'n>),
    Document(Document<'n>),
    Reasoning(ReasoningContent<'n>),
    /// It is left out.
    Nothing,
}

/// What a tool message amounts to.
#[derive(Debug, Default)]
pub(super) struct ToolOutput<'n> {
    pub(super) content: Vec<ResultBlock<'n>>,
    /// After the result.
    pub(super) point: Option<CachePoint>,
    /// Media that the model does not take in a result, which stand after the results.
    pub(super) beside: Vec<Block<'n>>,
}

/// Where a part stands: not every role may send every type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Place {
    System,
    User,
    Assistant,
    Tool,
}

impl Desk {
    pub(super) fn new(family: &'static Family, ignored: Ignored) -> Self {
        Self {
            family,
            ignored,
            cache: CachePoints::default(),
            documents: Documents::default(),
        }
    }

    /// The content of a system or developer message.
    pub(super) fn system<'n>(
        &mut self,
        content: &'n Node<'n>,
        at: &At<'_>,
        system: &mut Vec<SystemBlock<'n>>,
    ) -> Result<(), Rejection> {
        self.each(content, at, Place::System, |desk, part, cache| {
            if let Part::Text(text) = part
                && !text.is_blank()
            {
                system.push(SystemBlock::Text(text));
                let point = desk.cache.point(cache, desk.family, &mut desk.ignored)?;
                system.extend(point.map(SystemBlock::CachePoint));
                return Ok(());
            }
            CachePoints::lose(cache, &mut desk.ignored)
        })
    }

    /// The content of a user message.
    pub(super) fn user<'n>(
        &mut self,
        content: &'n Node<'n>,
        at: &At<'_>,
        blocks: &mut Vec<Block<'n>>,
    ) -> Result<(), Rejection> {
        self.blocks(content, at, Place::User, blocks)
    }

    /// The content of an assistant message. Its reasoning goes first.
    pub(super) fn assistant<'n>(
        &mut self,
        content: &'n Node<'n>,
        at: &At<'_>,
        blocks: &mut Vec<Block<'n>>,
    ) -> Result<(), Rejection> {
        self.blocks(content, at, Place::Assistant, blocks)
    }

    fn blocks<'n>(
        &mut self,
        content: &'n Node<'n>,
        at: &At<'_>,
        place: Place,
        blocks: &mut Vec<Block<'n>>,
    ) -> Result<(), Rejection> {
        self.each(content, at, place, |desk, part, cache| {
            let block = match part {
                Part::Text(text) if text.is_blank() => {
                    return CachePoints::lose(cache, &mut desk.ignored);
                }
                Part::Text(text) => Block::Text(text),
                Part::Image(image) => Block::Image(image),
                Part::Audio(audio) => Block::Audio(audio),
                Part::Document(document) => Block::Document(document),
                Part::Reasoning(reasoning) => Block::ReasoningContent(reasoning),
                Part::Nothing => return CachePoints::lose(cache, &mut desk.ignored),
            };
            blocks.push(block);
            let point = desk.cache.point(cache, desk.family, &mut desk.ignored)?;
            blocks.extend(point.map(Block::CachePoint));
            Ok(())
        })
    }

    /// The content of a tool's result.
    pub(super) fn result<'n>(
        &mut self,
        content: &'n Node<'n>,
        at: &At<'_>,
    ) -> Result<ToolOutput<'n>, Rejection> {
        let mut output = ToolOutput::default();
        self.each(content, at, Place::Tool, |desk, part, cache| {
            let block = match part {
                Part::Text(text) if !text.is_blank() => Some(ResultBlock::Text(text)),
                Part::Image(image) => Some(ResultBlock::Image(image)),
                Part::Document(document) => Some(ResultBlock::Document(document)),
                _ => None,
            };
            // One point after all of it.
            if block.is_some() && output.point.is_none() {
                output.point = desk.cache.point(cache, desk.family, &mut desk.ignored)?;
            } else {
                CachePoints::lose(cache, &mut desk.ignored)?;
            }
            match block {
                Some(ResultBlock::Image(image)) if !desk.takes_image() => {
                    output.beside.push(Block::Image(image));
                }
                Some(ResultBlock::Document(document)) if !desk.takes_document(&document) => {
                    output.beside.push(Block::Document(document));
                }
                block => output.content.extend(block),
            }
            Ok(())
        })?;
        Ok(output)
    }

    /// Whether the model takes an image in a tool result.
    fn takes_image(&self) -> bool {
        matches!(self.family.in_results, Inside::All | Inside::ImagesAndText)
    }

    /// The same of a document.
    fn takes_document(&self, document: &Document<'_>) -> bool {
        match self.family.in_results {
            Inside::All | Inside::Documents => true,
            Inside::ImagesAndText => matches!(document.format, "txt" | "md" | "csv" | "html"),
            Inside::Nothing => false,
        }
    }

    /// Reads content that is a string or a list of parts, and hands on each part with what its
    /// `cache_control` or `prompt_cache_breakpoint` says, and where.
    fn each<'n>(
        &mut self,
        content: &'n Node<'n>,
        at: &At<'_>,
        place: Place,
        mut take: impl FnMut(
            &mut Self,
            Part<'n>,
            Option<(&At<'_>, &'n Node<'n>)>,
        ) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        let list = match content {
            Node::Text(_) | Node::Written(_) => {
                return take(self, Part::Text(content.words(at)?), None);
            }
            Node::List(list) => list,
            other => return Err(at.mistyped("a string or an array of content parts", other)),
        };
        for (index, node) in list.iter().enumerate() {
            let at = at.index(index);
            let mut cache = None;
            let part = self.part(node, &at, place, &mut cache)?;
            let cache = cache.map(|(key, node)| (at.key(key), node));
            take(self, part, cache.as_ref().map(|(at, node)| (at, *node)))?;
        }
        Ok(())
    }

    pub(super) fn part<'n>(
        &mut self,
        node: &'n Node<'n>,
        at: &At<'_>,
        place: Place,
        cache: &mut Option<(&'n str, &'n Node<'n>)>,
    ) -> Result<Part<'n>, Rejection> {
        let object = node.object(at)?;
        let field = |name: &str| {
            let mut object = object.clone();
            object.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let (kind_at, citations_at) = (at.key("type"), at.key("citations"));
        let kind = field("type").ok_or_else(|| kind_at.missing())?;
        let kind = kind.text(&kind_at)?;
        for (key, value) in object.clone() {
            match key {
                "cache_control" | "prompt_cache_breakpoint" => *cache = Some((key, value)),
                // What the answers of other APIs have in their parts, echoed.
                "type" => {}
                "annotations" | "citations" if kind == "text" => {}
                "citations" if kind == "file" => {}
                "thinking" | "signature" if kind == "thinking" => {}
                "data" if kind == "redacted_thinking" => {}
                _ if key == kind => {}
                _ => self.ignored.unknown(&at.key(key))?,
            }
        }
        let part = match (kind, place) {
            ("text", _) => {
                let at = at.key("text");
                Part::Text(field("text").ok_or_else(|| at.missing())?.words(&at)?)
            }
            ("refusal", Place::Assistant) => {
                let at = at.key("refusal");
                Part::Text(field("refusal").ok_or_else(|| at.missing())?.words(&at)?)
            }
            ("image_url", Place::User | Place::Tool) => {
                let at = at.key("image_url");
                let image = field("image_url").ok_or_else(|| at.missing())?;
                Part::Image(self.image(image, &at)?)
            }
            ("input_audio", Place::User) => {
                let at = at.key("input_audio");
                let audio = field("input_audio").ok_or_else(|| at.missing())?;
                Part::Audio(self.audio(audio, &at)?)
            }
            ("file", Place::User | Place::Tool) => {
                let at = at.key("file");
                let file = field("file").ok_or_else(|| at.missing())?;
                let citations = field("citations").map(|node| (&citations_at, node));
                let documents = &mut self.documents;
                Part::Document(documents.read(file, &at, citations, &mut self.ignored)?)
            }
            ("thinking" | "redacted_thinking", Place::Assistant) => {
                let (text, signature) = (field("thinking"), field("signature"));
                let data = field("data");
                self.thinking(kind, text, signature, data, at)?
            }
            ("image_url" | "input_audio" | "file" | "refusal", _) => {
                return Err(kind_at.unsupported(format_args!(
                    "a part of type '{kind}' cannot be in a message of this role."
                )));
            }
            _ => {
                return Err(kind_at.unsupported(format_args!(
                    "a part of type '{}' is not known; expected 'text', 'image_url', \
                     'input_audio' or 'file'.",
                    Excerpt(kind)
                )));
            }
        };
        Ok(part)
    }

    fn image<'n>(&mut self, node: &'n Node<'n>, at: &At<'_>) -> Result<Media<'n>, Rejection> {
        let mut url = None;
        for (key, value) in node.object(at)? {
            let at = at.key(key);
            match key {
                "url" => url = Some(value.text(&at)?),
                "detail" => match value.text(&at)? {
                    "auto" => {}
                    "low" | "high" | "original" => {
                        self.ignored.add(&at, "Bedrock has no detail of images.")?
                    }
                    _ => return Err(at.invalid("expected 'auto', 'low' or 'high'.")),
                },
                // The type is in the data URL; some clients say it twice.
                "format" => {}
                _ => self.ignored.unknown(&at)?,
            }
        }
        let at = at.key("url");
        let url = url.ok_or_else(|| at.missing())?;
        let unknown = |what: &str| {
            at.unsupported(format_args!(
                "an image of type '{}'; expected png, jpeg, gif or webp.",
                Excerpt(what)
            ))
        };
        match Url::parse(url, &at)? {
            Url::Data { mime, data } => Ok(Media {
                format: mime
                    .contains('/')
                    .then(|| media::image_format(mime))
                    .flatten()
                    .ok_or_else(|| unknown(mime))?,
                source: media::bytes(data, &at)?,
            }),
            Url::S3(uri) => Ok(Media {
                format: media::image_format(media::ending(uri))
                    .ok_or_else(|| unknown(media::ending(uri)))?,
                source: Source::S3Location { uri },
            }),
            Url::Remote => Err(at.unsupported(
                "images are not fetched; send the image itself as a data URL, \
                 \"data:image/png;base64,…\".",
            )),
            Url::None => Err(at.invalid(
                "expected a data URL, \"data:image/png;base64,…\", or \"s3://bucket/key\".",
            )),
        }
    }

    fn audio<'n>(&mut self, node: &'n Node<'n>, at: &At<'_>) -> Result<Media<'n>, Rejection> {
        let (mut data, mut format) = (None, None);
        for (key, value) in node.object(at)? {
            let at = at.key(key);
            match key {
                "data" => data = Some(media::bytes(value.text(&at)?, &at)?),
                "format" => {
                    let name = value.text(&at)?;
                    let known = media::audio_format(name);
                    format = Some(known.ok_or_else(|| at.unsupported("expected 'wav' or 'mp3'."))?);
                }
                _ => self.ignored.unknown(&at)?,
            }
        }
        Ok(Media {
            format: format.ok_or_else(|| at.key("format").missing())?,
            source: data.ok_or_else(|| at.key("data").missing())?,
        })
    }
}
