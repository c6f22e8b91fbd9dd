//! Images, audio and documents as clients send them: as data URLs, base64 or places in S3.

use std::borrow::Cow;

use super::converse::Source;
use super::path::{At, Excerpt};
use crate::reject::Rejection;

/// What a URL holds.
#[derive(Debug, PartialEq)]
pub(super) enum Url<'n> {
    /// `data:{mime};base64,{data}`
    Data { mime: &'n str, data: &'n str },
    /// `s3://…`
    S3(&'n str),
    /// A place that would have to be fetched.
    Remote,
    /// Not a URL.
    None,
}

impl<'n> Url<'n> {
    pub(super) fn parse(url: &'n str, at: &At<'_>) -> Result<Self, Rejection> {
        let Some((scheme, rest)) = url.split_once(':') else {
            return Ok(Self::None);
        };
        if scheme.eq_ignore_ascii_case("data") {
            let wrong = || at.invalid("a data URL must look like \"data:image/png;base64,…\".");
            let (head, data) = rest.split_once(',').ok_or_else(wrong)?;
            let (mime, parameters) = head.split_once(';').ok_or_else(wrong)?;
            let mut parameters = parameters.split(';').map(str::trim);
            if !parameters.any(|parameter| parameter.eq_ignore_ascii_case("base64")) {
                return Err(wrong());
            }
            return Ok(Self::Data {
                mime: mime.trim(),
                data,
            });
        }
        if scheme.eq_ignore_ascii_case("s3") {
            if !is_s3(url) {
                return Err(at.invalid("a place in S3 must look like \"s3://bucket/key\"."));
            }
            return Ok(Self::S3(url));
        }
        let is_scheme = !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric());
        Ok(if is_scheme && rest.starts_with("//") {
            Self::Remote
        } else {
            Self::None
        })
    }
}

/// Whether Bedrock takes this place: `s3://[a-z0-9][\.\-a-z0-9]{1,61}[a-z0-9](/.*)?`, at most 1024.
fn is_s3(uri: &str) -> bool {
    let Some(rest) = uri.strip_prefix("s3://") else {
        return false;
    };
    let bucket = rest.split('/').next().unwrap_or_default();
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
    let is_outer = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit();
    uri.len() <= 1024
        && !uri.contains(['\n', '\r'])
        && (3..=63).contains(&bucket.len())
        && bucket.bytes().all(is_inner)
        && bucket.starts_with(is_outer)
        && bucket.ends_with(is_outer)
}

/// The format of an image, by its MIME type or the ending of its name.
pub(super) fn image_format(name: &str) -> Option<&'static str> {
    const FORMATS: [(&str, &str); 5] = [
        ("png", "png"),
        ("jpeg", "jpeg"),
        ("jpg", "jpeg"),
        ("gif", "gif"),
        ("webp", "webp"),
    ];
    let name = match name.get(..6) {
        Some(kind) if kind.eq_ignore_ascii_case("image/") => name.get(6..).unwrap_or_default(),
        _ => name,
    };
    find(&FORMATS, name)
}

/// The format of a piece of audio, by OpenAI's name or Bedrock's.
pub(super) fn audio_format(name: &str) -> Option<&'static str> {
    const FORMATS: [&str; 15] = [
        "wav", "mp3", "opus", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg",
        "mpga", "pcm", "webm",
    ];
    FORMATS.into_iter().find(|format| *format == name)
}

/// Whether this is the MIME type of what is seen or heard, and thus no document.
pub(super) fn is_medium(mime: &str) -> bool {
    let (kind, _) = mime.split_once('/').unwrap_or_default();
    ["image", "audio", "video"]
        .iter()
        .any(|medium| medium.eq_ignore_ascii_case(kind))
}

/// The format of a document, by its MIME type.
pub(super) fn document_format(mime: &str) -> Option<&'static str> {
    const FORMATS: [(&str, &str); 12] = [
        ("application/pdf", "pdf"),
        ("text/plain", "txt"),
        ("text/markdown", "md"),
        ("text/x-markdown", "md"),
        ("text/csv", "csv"),
        ("application/csv", "csv"),
        ("text/html", "html"),
        ("application/msword", "doc"),
        (
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "docx",
        ),
        ("application/vnd.ms-excel", "xls"),
        (
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "xlsx",
        ),
        ("application/x-pdf", "pdf"),
    ];
    find(&FORMATS, mime)
}

/// The format of a document, by the ending of its name.
pub(super) fn document_ending(ending: &str) -> Option<&'static str> {
    const FORMATS: [(&str, &str); 12] = [
        ("pdf", "pdf"),
        ("csv", "csv"),
        ("doc", "doc"),
        ("docx", "docx"),
        ("xls", "xls"),
        ("xlsx", "xlsx"),
        ("html", "html"),
        ("htm", "html"),
        ("txt", "txt"),
        ("text", "txt"),
        ("md", "md"),
        ("markdown", "md"),
    ];
    find(&FORMATS, ending)
}

fn find(formats: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    let mut formats = formats.iter();
    let format = formats.find(|(known, _)| known.eq_ignore_ascii_case(name));
    format.map(|(_, format)| *format)
}

/// What follows the last dot of a name.
pub(super) fn ending(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, ending)| ending)
}

/// The source of what is at `at`, as base64. The text goes through as it is; line breaks, with
/// which some encoders wrap it, are taken out.
pub(super) fn bytes<'n>(data: &'n str, at: &At<'_>) -> Result<Source<'n>, Rejection> {
    if data.is_empty() {
        return Err(at.invalid("the data is empty."));
    }
    let data = if data.contains(['\n', '\r', ' ', '\t']) {
        Cow::Owned(data.split_ascii_whitespace().collect())
    } else {
        Cow::Borrowed(data)
    };
    if !is_base64(data.as_bytes()) {
        return Err(at.invalid(format_args!(
            "not base64 with padding (RFC 4648 §4): \"{}\".",
            Excerpt(data.get(..16).unwrap_or(&data))
        )));
    }
    Ok(Source::Bytes(data))
}

fn is_base64(data: &[u8]) -> bool {
    let body = match data {
        [body @ .., b'=', b'='] | [body @ .., b'='] => body,
        body => body,
    };
    let is_known = |byte: u8| BASE64.get(usize::from(byte)) == Some(&0);
    !body.is_empty()
        && data.len().is_multiple_of(4)
        // In pieces, so that the loop has no branch.
        && body.chunks(4096).all(|piece| piece.iter().fold(true, |all, byte| all & is_known(*byte)))
}

/// 0 for the characters of base64.
const BASE64: [u8; 256] = {
    let mut table = [1; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut at = 0;
    while at < alphabet.len() {
        table[alphabet[at] as usize] = 0;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::{At, Url, bytes, is_base64};

    #[test]
    fn urls() {
        let at = At::parameter("url");
        let parse = |url| Url::parse(url, &at).ok();
        for (url, mime) in [
            ("data:image/png;base64,QQ==", "image/png"),
            ("DATA:image/PNG;charset=utf-8;BASE64,QQ==", "image/PNG"),
            ("data: image/png ; base64,QQ==", "image/png"),
        ] {
            let data = "QQ==";
            assert_eq!(parse(url), Some(Url::Data { mime, data }), "{url}");
        }
        assert_eq!(parse("https://a/b.png"), Some(Url::Remote));
        assert_eq!(parse("FILE:///etc/passwd"), Some(Url::Remote));
        assert_eq!(
            parse("s3://bucket/a.png"),
            Some(Url::S3("s3://bucket/a.png"))
        );
        assert_eq!(parse("QQ=="), Some(Url::None));
        for url in [
            "data:image/png,QQ",
            "data:",
            "data:image/png;base64",
            "s3://B/a",
            "s3:x",
        ] {
            assert_eq!(parse(url), None, "{url}");
        }
    }

    #[test]
    fn base64() {
        for good in ["QQ==", "QUI=", "QUJD", "+/+/"] {
            assert!(is_base64(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            "Q",
            "QQ",
            "QQ=",
            "====",
            "==",
            "QQ=A",
            "QU-_",
            "QUJ\u{e9}",
            "Q Q=",
        ] {
            assert!(!is_base64(bad.as_bytes()), "{bad}");
        }
        let at = At::parameter("data");
        assert!(bytes("QU\r\nJD", &at).is_ok());
        assert!(bytes("\n", &at).is_err());
    }
}
