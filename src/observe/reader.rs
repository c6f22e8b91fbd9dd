//! Reads usage, and how an answer ended, from its bytes as they pass.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};

use crate::eventstream::DecodeError;

use super::frames::Frames;
use super::scan::Scanner;
use super::sse::Events;
use super::tally::{BODY, Field, Tally};
use super::usage::Usage;

/// Reads one answer. It never holds more of it than a few values, and of a stream at most the
/// part of one frame that it reads.
#[derive(Debug)]
pub(crate) struct Reader {
    headers: Usage,
    kind: Kind,
    content: bool,
}

/// What a piece of the answer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing that changes the record now.
    None,
    /// The first piece of a stream in which the model says something.
    FirstContent,
}

/// What an answer told.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) usage: Usage,
    pub(crate) stop_reason: Option<String>,
    /// The name of the exception or error that a stream carried.
    pub(crate) exception: Option<String>,
    /// The answer is a success in its status alone: Bedrock knows no such operation.
    pub(crate) unknown_operation: bool,
    /// The answer stopped in mid-frame, in mid-object or before the message did, or a stream had
    /// no frame at all.
    pub(crate) truncated: bool,
    /// Why the rest of the stream was not read.
    pub(crate) broken: Option<DecodeError>,
}

#[derive(Debug)]
enum Kind {
    Nothing,
    Json(Box<Json>),
    Frames(Box<Frames>),
    Events(Box<Events>),
}

#[derive(Debug)]
struct Json {
    scanner: Scanner<Field>,
    tally: Tally,
}

impl Reader {
    /// A reader for the answer of this head.
    pub(crate) fn new(status: StatusCode, headers: &HeaderMap) -> Self {
        let success = status.is_success();
        Self {
            headers: if success {
                Usage::from_headers(headers)
            } else {
                Usage::default()
            },
            kind: if success && is_plain(headers) {
                Kind::of(headers)
            } else {
                Kind::Nothing
            },
            content: false,
        }
    }

    /// Reads on.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Progress {
        let content = match &mut self.kind {
            Kind::Nothing => false,
            Kind::Json(json) => {
                let tally = &mut json.tally;
                let found = &mut |field, value: Option<&[u8]>| tally.found(field, value);
                json.scanner.push(bytes, found);
                false
            }
            Kind::Frames(frames) => frames.push(bytes),
            Kind::Events(events) => events.push(bytes),
        };
        if content && !self.content {
            self.content = true;
            return Progress::FirstContent;
        }
        Progress::None
    }

    /// What the answer told, now that it has ended, or for as far as it came.
    pub(crate) fn finish(self) -> Reading {
        let (tally, truncated, broken) = match self.kind {
            Kind::Nothing => Default::default(),
            Kind::Json(json) => (json.tally, json.scanner.is_open(), None),
            Kind::Frames(frames) => frames.finish(),
            Kind::Events(events) => {
                let (tally, truncated) = events.finish();
                (tally, truncated, None)
            }
        };
        Reading {
            usage: self.headers.or(tally.usage()),
            stop_reason: tally.stop_reason,
            exception: tally.exception,
            unknown_operation: tally.unknown_operation,
            truncated,
            broken,
        }
    }
}

impl Kind {
    /// By the content type; an answer without one may be JSON, and if not nothing is found in it.
    fn of(headers: &HeaderMap) -> Self {
        let value = match headers.get(CONTENT_TYPE) {
            Some(value) => value.to_str().unwrap_or_default(),
            None => "application/json",
        };
        let essence = value.split(';').next().unwrap_or_default().trim();
        let essence = essence.to_ascii_lowercase();
        match essence.as_str() {
            "application/vnd.amazon.eventstream" => Self::Frames(Box::new(Frames::new())),
            "text/event-stream" => Self::Events(Box::new(Events::new())),
            other if other.contains("json") => Self::Json(Box::new(Json {
                scanner: Scanner::new(BODY),
                tally: Tally::default(),
            })),
            _ => Self::Nothing,
        }
    }
}

/// Whether the bytes are the answer itself, not a compressed form of it.
fn is_plain(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use http::HeaderValue;

    use super::*;
    use crate::eventstream::{self, encode, event, exception};

    const FRAMES: &str = "application/vnd.amazon.eventstream";
    const SSE: &str = "text/event-stream; charset=utf-8";

    /// `input, output, cache read, cache write`, `-` for what is not known.
    fn show(usage: Usage) -> String {
        [
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_read_tokens,
            usage.cache_write_tokens,
        ]
        .map(|count| count.map_or_else(|| "-".to_owned(), |count| count.to_string()))
        .join(" ")
    }

    /// What is read from `body`, the same for every split, and the offset of the first content.
    fn read(head: &[(&'static str, &str)], body: &[u8]) -> (Reading, Option<usize>) {
        let mut headers = HeaderMap::new();
        for (name, value) in head {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let mut all = Vec::new();
        for size in [1, 3, 7, 1000, usize::MAX] {
            let mut reader = Reader::new(StatusCode::OK, &headers);
            let (mut first, mut at) = (None, 0);
            for piece in body.chunks(size.min(body.len().max(1))) {
                at += piece.len();
                if reader.push(piece) == Progress::FirstContent {
                    assert_eq!(first.replace(at), None, "said twice");
                }
            }
            all.push((reader.finish(), first));
        }
        let printed = |(reading, first): &(Reading, Option<usize>)| {
            format!("{reading:?} {}", first.is_some())
        };
        for one in &all {
            assert_eq!(printed(one), printed(&all[0]));
        }
        all.swap_remove(0)
    }

    fn chunk(json: &str) -> Vec<u8> {
        let payload = format!(r#"{{"bytes":"{}","p":"abc"}}"#, STANDARD.encode(json));
        event("chunk", payload.as_bytes()).to_vec()
    }

    fn stream(frames: &[Vec<u8>]) -> (Reading, Option<usize>) {
        read(&[("content-type", FRAMES)], &frames.concat())
    }

    fn converse(name: &str, json: &str) -> Vec<u8> {
        event(name, json.as_bytes()).to_vec()
    }

    const METADATA: &str =
        r#"{"metrics":{"latencyMs":421},"p":"ab","usage":{"inputTokens":415,"outputTokens":162}}"#;

    #[test]
    fn json_bodies() {
        let table = [
            (
                r#"{"output":{"message":{"content":[{"text":"\"usage\":{\"inputTokens\":9}"}]}},"stopReason":"tool_use",
                  "usage":{"inputTokens":1,"outputTokens":2,"cacheReadInputTokens":3,"cacheWriteInputTokens":4}}"#,
                "1 2 3 4",
                Some("tool_use"),
            ),
            (
                r#"{"content":[{"type":"tool_use","input":{"usage":{"input_tokens":9},"stop_reason":"x"}}],"stop_reason":"end_turn",
                  "usage":{"input_tokens":1,"output_tokens":2,"cache_creation_input_tokens":4,"cache_read_input_tokens":3}}"#,
                "1 2 3 4",
                Some("end_turn"),
            ),
            (
                r#"{"inputTextTokenCount":28.0,"results":[{"tokenCount":7,"completionReason":"FINISH"},{"tokenCount":8.0}]}"#,
                "28 15 - -",
                Some("FINISH"),
            ),
            (
                r#"{"generation":"x","prompt_token_count":158,"generation_token_count":128,"stop_reason":"length"}"#,
                "158 128 - -",
                Some("length"),
            ),
            (
                r#"{"choices":[{"finish_reason":"stop","message":{"content":"x"}}],
                  "usage":{"prompt_tokens":72,"completion_tokens":56,"prompt_tokens_details":{"cached_tokens":70}}}"#,
                "2 56 70 -",
                Some("stop"),
            ),
            (
                r#"{"object":"response","usage":{"input_tokens":88,"input_tokens_details":{"cached_tokens":8},"output_tokens":14}}"#,
                "80 14 8 -",
                None,
            ),
            (
                r#"{"completions":[{"finishReason":{"reason":"endoftext"}}]}"#,
                "- - - -",
                Some("endoftext"),
            ),
            (r#"{"inputTokens":12}"#, "- - - -", None),
            (
                r#"{"results":[{"index":2,"relevance_score":0.8}]}"#,
                "- - - -",
                None,
            ),
            ("[1,2]", "- - - -", None),
            ("not json", "- - - -", None),
            ("", "- - - -", None),
        ];
        for (body, usage, stop) in table {
            for head in [&[("content-type", "application/json")][..], &[]] {
                let (reading, first) = read(head, body.as_bytes());
                assert_eq!(show(reading.usage), usage, "{body}");
                assert_eq!(reading.stop_reason.as_deref(), stop, "{body}");
                assert!(!reading.truncated && !reading.unknown_operation, "{body}");
                assert_eq!(first, None);
            }
        }
        let (reading, _) = read(&[], br#"{"usage":{"inputTokens":1},"x":"#);
        assert!(reading.truncated);
        assert_eq!(show(reading.usage), "1 - - -");
    }

    #[test]
    fn an_unknown_operation_is_no_success() {
        let body = br#"{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}"#;
        let (reading, _) = read(&[("content-type", "application/json")], body);
        assert!(reading.unknown_operation);
        let (reading, _) = read(&[], br#"{"output":{"__type":"UnknownOperationException"}}"#);
        assert!(!reading.unknown_operation);
    }

    #[test]
    fn headers_win() {
        let head = [
            ("content-type", "application/json"),
            ("x-amzn-bedrock-input-token-count", "100"),
            ("x-amzn-bedrock-cache-read-input-token-count", "0"),
        ];
        let body = br#"{"usage":{"input_tokens":1,"output_tokens":2,"cache_read_input_tokens":3}}"#;
        assert_eq!(show(read(&head, body).0.usage), "100 2 0 -");
    }

    #[test]
    fn what_is_not_read() {
        let body = br#"{"usage":{"input_tokens":1}}"#;
        let none = |head: &[(&'static str, &str)]| show(read(head, body).0.usage) == "- - - -";
        assert!(none(&[("content-type", "text/plain")]));
        assert!(none(&[
            ("content-type", "application/json"),
            ("content-encoding", "gzip")
        ]));
        assert!(!none(&[
            ("content-type", "Application/JSON; x=y"),
            ("content-encoding", "Identity")
        ]));
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-amzn-bedrock-input-token-count",
            HeaderValue::from_static("1"),
        );
        let mut reader = Reader::new(StatusCode::BAD_REQUEST, &headers);
        reader.push(body);
        assert_eq!(show(reader.finish().usage), "- - - -");
    }

    #[test]
    fn converse_stream() {
        let frames = [
            converse("messageStart", r#"{"role":"assistant"}"#),
            converse(
                "contentBlockDelta",
                r#"{"delta":{"text":"\"usage\""},"usage":{"inputTokens":9}}"#,
            ),
            converse("contentBlockStop", "{}"),
            converse("messageStop", r#"{"p":"a","stopReason":"end_turn"}"#),
            converse("metadata", METADATA),
        ];
        let (reading, first) = stream(&frames);
        assert_eq!(show(reading.usage), "415 162 - -");
        assert_eq!(reading.stop_reason.as_deref(), Some("end_turn"));
        assert!(!reading.truncated && reading.broken.is_none() && reading.exception.is_none());
        assert_eq!(first, Some(frames[0].len() + frames[1].len()));

        for (kept, what) in [
            (3, "no messageStop"),
            (1, "nothing but a start"),
            (0, "nothing"),
        ] {
            let (reading, _) = stream(&frames[..kept]);
            assert!(reading.truncated, "{what}");
        }
        let wire = frames.concat();
        for cut in [
            wire.len() - 1,
            wire.len() - METADATA.len(),
            frames[0].len() + 5,
        ] {
            let (reading, _) = read(&[("content-type", FRAMES)], &wire[..cut]);
            assert!(reading.truncated);
            assert_eq!(
                show(reading.usage),
                "- - - -",
                "an unverified frame does not count"
            );
        }
    }

    #[test]
    fn invoke_streams() {
        // Claude, old enough to differ from what was measured.
        let (reading, first) = stream(&[
            chunk(
                r#"{"type":"message_start","message":{"usage":{"input_tokens":12,"output_tokens":2,"cache_read_input_tokens":5}}}"#,
            ),
            chunk(r#"{"type":"content_block_start","index":0}"#),
            chunk(r#"{"type":"content_block_delta","delta":{"text":"{\"usage\":1}"}}"#),
            chunk(
                r#"{"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":130}}"#,
            ),
            chunk(
                r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":12,"outputTokenCount":98}}"#,
            ),
        ]);
        assert_eq!(show(reading.usage), "12 98 5 -");
        assert_eq!(reading.stop_reason.as_deref(), Some("max_tokens"));
        assert!(!reading.truncated && first.is_some());

        // The same without metrics, and without an end.
        let (reading, first) = stream(&[
            chunk(
                r#"{"type":"message_start","message":{"usage":{"input_tokens":12,"output_tokens":2}}}"#,
            ),
            chunk(
                r#"{"type":"message_delta","delta":{"stop_reason":null},"usage":{"output_tokens":130}}"#,
            ),
        ]);
        assert_eq!(show(reading.usage), "12 130 - -");
        assert!(reading.truncated && first.is_none());

        // Nova.
        let (reading, first) = stream(&[
            chunk(r#"{"messageStart":{"role":"assistant"}}"#),
            chunk(r#"{"contentBlockDelta":{"delta":{"text":"In"},"contentBlockIndex":0}}"#),
            chunk(r#"{"messageStop":{"stopReason":"end_turn"}}"#),
            chunk(
                r#"{"metadata":{"usage":{"inputTokens":13,"outputTokens":1,"cacheReadInputTokenCount":2}},
                "amazon-bedrock-invocationMetrics":{"inputTokenCount":13,"outputTokenCount":114}}"#,
            ),
        ]);
        assert_eq!(show(reading.usage), "13 114 2 -");
        assert_eq!(reading.stop_reason.as_deref(), Some("end_turn"));
        assert!(!reading.truncated && first.is_some());

        // Others say something with their first chunk, and may lack metrics.
        let (reading, first) = stream(&[
            chunk(
                r#"{"generation":"Here","prompt_token_count":23,"generation_token_count":1,"stop_reason":null}"#,
            ),
            chunk(
                r#"{"generation":"x","prompt_token_count":null,"generation_token_count":2,"stop_reason":"length"}"#,
            ),
        ]);
        assert_eq!(show(reading.usage), "23 2 - -");
        assert_eq!(reading.stop_reason.as_deref(), Some("length"));
        assert!(!reading.truncated && first.is_some());
    }

    #[test]
    fn base64_with_escapes() {
        let json = r#"{"a":"???","usage":{"input_tokens":1}}"#;
        let text = STANDARD.encode(json).replace('/', "\\/");
        assert!(text.contains("\\/"));
        let payload = format!(r#"{{"bytes":"{text}"}}"#);
        let (reading, _) = stream(&[event("chunk", payload.as_bytes()).to_vec()]);
        assert_eq!(show(reading.usage), "1 - - -");
        for payload in [
            r#"{"bytes":"*"}"#,
            r#"{"bytes":3}"#,
            r#"{"bytes":"\q"}"#,
            "x",
            "",
        ] {
            let (reading, _) = stream(&[event("chunk", payload.as_bytes()).to_vec()]);
            assert!(reading.broken.is_none());
        }
    }

    #[test]
    fn exceptions_and_errors() {
        let start = converse("messageStart", "{}");
        let thrown = exception("modelStreamErrorException", br#"{"message":"x"}"#).to_vec();
        let (reading, _) = stream(&[start.clone(), thrown.clone()]);
        assert_eq!(
            reading.exception.as_deref(),
            Some("modelStreamErrorException")
        );
        assert!(!reading.truncated);

        let headers = [
            (":error-code", "InternalError".into()),
            (":error-message", "x".into()),
            (":message-type", "error".into()),
        ];
        let error = encode(&headers, b"").unwrap().to_vec();
        let (reading, _) = stream(&[error, thrown]);
        assert_eq!(reading.exception.as_deref(), Some("InternalError"));

        let (reading, _) = stream(&[converse("throttlingException", "{}")]);
        assert_eq!(reading.exception.as_deref(), Some("throttlingException"));

        let (reading, _) = stream(&[exception(&"é".repeat(100), b"{}").to_vec()]);
        assert_eq!(reading.exception, Some("é".repeat(64)));
    }

    #[test]
    fn broken_streams() {
        let whole = converse("messageStop", r#"{"stopReason":"end_turn"}"#);
        let good = converse("metadata", METADATA);
        let mut bad = good.clone();
        *bad.last_mut().unwrap() ^= 1;
        let (reading, _) = stream(&[whole.clone(), bad, good.clone()]);
        assert_eq!(reading.broken, Some(DecodeError::MessageChecksum));
        assert_eq!(show(reading.usage), "- - - -");
        assert_eq!(reading.stop_reason.as_deref(), Some("end_turn"));
        assert!(!reading.truncated);

        let (reading, _) = stream(&[b"HTTP/1.1 500 Internal".to_vec()]);
        assert_eq!(reading.broken, Some(DecodeError::PreludeChecksum));

        let mut long = u32::MAX.to_be_bytes().to_vec();
        long.extend([0; 4]);
        long.extend(crc32fast::hash(&long).to_be_bytes());
        let (reading, _) = stream(&[good, long]);
        assert!(matches!(reading.broken, Some(DecodeError::TooLarge { .. })));
        assert_eq!(show(reading.usage), "415 162 - -");
    }

    #[test]
    fn server_sent_events() {
        let chat = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}],\"usage\":null}\n\n\
            data: {\"choices\":[{\"delta\":{\"content\":\"data: {}\"},\"finish_reason\":null}]}\n\n\
            data:{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
            data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";
        let (reading, first) = read(&[("content-type", SSE)], chat.as_bytes());
        assert_eq!(show(reading.usage), "7 3 - -");
        assert_eq!(reading.stop_reason.as_deref(), Some("stop"));
        assert!(!reading.truncated);
        let second = chat.find("data: {}").unwrap();
        assert!(
            first.is_some_and(|at| at > second && at < second + 40),
            "{first:?}"
        );

        let responses = ": hello\r\nevent: response.created\r\ndata: {\"type\":\"response.created\",\"response\":{\"usage\":null}}\r\n\r\n\
            data: {\"type\":\"response.output_text.delta\",\r\ndata: \"delta\":\"usage\"}\r\n\r\n\
            data: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":88,\"input_tokens_details\":{\"cached_tokens\":80},\"output_tokens\":14}}}\r\n";
        let (reading, first) = read(&[("content-type", SSE)], responses.as_bytes());
        assert_eq!(show(reading.usage), "8 14 80 -");
        assert!(!reading.truncated && first.is_some());

        let anthropic = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n\
            data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n";
        let (reading, first) = read(&[("content-type", SSE)], anthropic.as_bytes());
        assert_eq!(show(reading.usage), "5 1 - -");
        assert_eq!(reading.exception.as_deref(), Some("overloaded_error"));
        assert!(!reading.truncated && first.is_none());

        let cut = &anthropic[..anthropic.find("data: {\"type\":\"error").unwrap()];
        assert!(read(&[("content-type", SSE)], cut.as_bytes()).0.truncated);
    }

    #[test]
    fn large_frames_need_no_memory() {
        let text = "x".repeat(3 * 1024 * 1024);
        let payload = format!(r#"{{"text":"{text}","usage":{{"inputTokens":1}}}}"#);
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(FRAMES))]);
        for (name, expected) in [("metadata", "1 - - -"), ("contentBlockDelta", "- - - -")] {
            let mut reader = Reader::new(StatusCode::OK, &headers);
            for piece in eventstream::event(name, payload.as_bytes()).chunks(16 * 1024) {
                reader.push(piece);
            }
            if let Kind::Frames(frames) = &reader.kind {
                assert!(frames.capacity() < 4096, "{}", frames.capacity());
            }
            assert_eq!(show(reader.finish().usage), expected);
        }
    }
}
