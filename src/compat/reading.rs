//! A request body on its way in: gathered in one piece, and decoded if it is compressed.

use std::io::Read as _;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use bytes::{Bytes, BytesMut};
use flate2::bufread::MultiGzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use http_body::Body;

use super::layer::Settings;
use crate::body::{BoxError, CollectError, Collector, unsupported_encoding};
use crate::reject::{Rejection, RejectionKind};

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Gzip,
}

impl Encoding {
    /// What the head says, if it is something that can be read.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Rejection> {
        let mut encoding = Self::Plain;
        for value in headers.get_all(CONTENT_ENCODING) {
            let gzip = [&b"gzip"[..], b"x-gzip"];
            let is = |name: &&[u8]| value.as_bytes().eq_ignore_ascii_case(name);
            if gzip.iter().any(is) && encoding == Self::Plain {
                encoding = Self::Gzip;
            } else if !is(&&b"identity"[..]) {
                return Err(unsupported_encoding("plain or as gzip"));
            }
        }
        Ok(encoding)
    }

    /// The body itself. Decoded it may not be longer than the limit either.
    pub(super) fn decode(self, body: Bytes, limit: usize) -> Result<Bytes, Rejection> {
        if self == Self::Plain {
            return Ok(body);
        }
        let most = limit.saturating_add(1);
        let mut whole = Vec::with_capacity(most.min(body.len().saturating_mul(4)));
        let mut decoder = MultiGzDecoder::new(&*body).take(most as u64);
        decoder.read_to_end(&mut whole).map_err(|error| {
            Rejection::new(
                RejectionKind::InvalidBody,
                "the request body is not what its content-encoding says: it is no gzip",
            )
            .with_internal(error)
        })?;
        if whole.len() > limit {
            return Err(CollectError::TooLarge.refusal(limit));
        }
        Ok(whole.into())
    }
}

/// How far a body has been read.
pub(super) struct Reading {
    collector: Collector,
    read: Read,
}

enum Read {
    Nothing,
    /// Most bodies are one frame, and are not copied.
    One(Bytes),
    Several(BytesMut),
}

impl Reading {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            collector: Collector::new(settings.body_limit, settings.body_grace).counting(),
            read: Read::Nothing,
        }
    }

    /// Whether the body has been asked for: then the client was told to continue.
    pub(super) fn has_begun(&self) -> bool {
        self.collector.has_begun()
    }

    /// Reads to the end.
    pub(super) fn poll<B>(
        &mut self,
        body: Pin<&mut B>,
        cx: &mut Task<'_>,
    ) -> Poll<Result<Bytes, CollectError>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let Self { collector, read } = self;
        // Checked against the limit before anything is read.
        let expected = usize::try_from(body.size_hint().lower()).unwrap_or(0);
        let done = ready!(collector.poll(body, cx, |frame, _| read.push(frame, expected)));
        Poll::Ready(done.map(|_| std::mem::replace(read, Read::Nothing).into()))
    }
}

impl Read {
    /// Adds a frame; `expected` bytes were still to come when reading went on.
    fn push(&mut self, frame: &Bytes, expected: usize) {
        match self {
            _ if frame.is_empty() => {}
            Self::Nothing => *self = Self::One(frame.clone()),
            Self::One(first) => {
                let room = (first.len() + frame.len()).max(expected);
                let mut whole = BytesMut::with_capacity(room);
                whole.extend_from_slice(first);
                whole.extend_from_slice(frame);
                *self = Self::Several(whole);
            }
            Self::Several(whole) => whole.extend_from_slice(frame),
        }
    }
}

impl From<Read> for Bytes {
    fn from(read: Read) -> Self {
        match read {
            Read::Nothing => Self::new(),
            Read::One(frame) => frame,
            Read::Several(whole) => whole.freeze(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use bytes::Bytes;
    use flate2::{Compression, write::GzEncoder};
    use http::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};

    use super::Encoding::{self, Gzip, Plain};

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn encodings() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, HeaderValue::from_static(value));
            }
            Encoding::of(&headers).map_err(|rejection| rejection.status().as_u16())
        };
        assert_eq!(of(&[]), Ok(Plain));
        assert_eq!(of(&["identity"]), Ok(Plain));
        for gzip in ["gzip", "GZIP", "x-gzip"] {
            assert_eq!(of(&[gzip]), Ok(Gzip), "{gzip}");
        }
        for other in ["br", "deflate", "zstd", "gzip, gzip", "", "aws-chunked"] {
            assert_eq!(of(&[other]), Err(415), "{other}");
        }
        assert_eq!(of(&["gzip", "gzip"]), Err(415));
    }

    #[test]
    fn what_is_compressed_is_decoded_under_the_limit() {
        let text = Bytes::from("{\"a\":1}".repeat(100));
        let decode = |bytes: &[u8], limit| {
            let decoded = Gzip.decode(Bytes::copy_from_slice(bytes), limit);
            decoded.map_err(|rejection| rejection.status().as_u16())
        };
        let whole = gzip(&text);
        assert_eq!(decode(&whole, 700), Ok(text.clone()));
        assert_eq!(decode(&whole, 699), Err(413));
        // Several members are one text (RFC 1952 §2.2).
        let (first, second) = text.split_at(300);
        assert_eq!(
            decode(&[gzip(first), gzip(second)].concat(), 700),
            Ok(text.clone())
        );
        // A bomb: 64 MiB in 64 KiB.
        let bomb = gzip(&vec![b' '; 64 << 20]);
        assert!(bomb.len() < 100_000);
        assert_eq!(decode(&bomb, 1 << 20), Err(413));
        for bad in [
            &b""[..],
            b"{}",
            &whole[..whole.len() - 1],
            &[&whole[..], b"x"].concat(),
        ] {
            assert_eq!(decode(bad, 1000), Err(400));
        }
        let mut spoilt = whole.clone();
        *spoilt.last_mut().unwrap() ^= 1;
        assert_eq!(decode(&spoilt, 1000), Err(400));
        assert_eq!(Plain.decode(text.clone(), 0).unwrap(), text);
    }
}
