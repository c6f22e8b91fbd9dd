//! The event stream, against published vectors, against another implementation, and against what Bedrock once sent.

use std::path::{Path, PathBuf};

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder, read_message_from};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use tower_bedrock::eventstream::{
    self, DEFAULT_MAX_FRAME, DecodeError, Decoder, EncodeError, Frame, HeaderValue, MAX_HEADERS,
};

/// Every value type there is.
const HEADERS: [(&str, HeaderValue<'_>); 10] = [
    ("true", HeaderValue::Bool(true)),
    ("false", HeaderValue::Bool(false)),
    ("byte", HeaderValue::Byte(-50)),
    ("short", HeaderValue::Int16(20_000)),
    ("int", HeaderValue::Int32(-500_000)),
    ("long", HeaderValue::Int64(50_000_000_000)),
    ("bytes", HeaderValue::Bytes(b"some\xffbytes")),
    ("str", HeaderValue::String("grüß dich")),
    ("time", HeaderValue::Timestamp(5_000_000_000)),
    ("uuid", HeaderValue::Uuid([0xb7; 16])),
];

/// All frames of `wire`, given in pieces of the sizes that `next_size` tells.
fn decode(wire: &Bytes, mut next_size: impl FnMut() -> usize) -> Result<Vec<Frame>, DecodeError> {
    let (mut decoder, mut frames, mut at) = (Decoder::new(), Vec::new(), 0);
    while at < wire.len() {
        let end = (at + next_size().max(1)).min(wire.len());
        decoder.push(wire.slice(at..end));
        at = end;
        while let Some(frame) = decoder.next()? {
            frames.push(frame);
        }
    }
    decoder.finish()?;
    Ok(frames)
}

fn raw(frames: &[Frame]) -> Bytes {
    let mut all = BytesMut::new();
    for frame in frames {
        all.extend_from_slice(frame.raw());
    }
    all.freeze()
}

/// Reads `raw` with the other implementation and sees that both say the same.
fn agree(frame: &Frame) {
    let oracle = read_message_from(frame.raw().clone()).expect("the oracle reads it");
    assert_eq!(oracle.payload(), frame.payload());
    let ours: Vec<_> = frame.headers().collect();
    assert_eq!(ours.len(), oracle.headers().len());
    for ((name, value), theirs) in ours.into_iter().zip(oracle.headers()) {
        assert_eq!(name, theirs.name().as_str());
        let theirs = theirs.value();
        match value {
            HeaderValue::Bool(value) => assert_eq!(theirs.as_bool().unwrap(), value),
            HeaderValue::Byte(value) => assert_eq!(theirs.as_byte().unwrap(), value),
            HeaderValue::Int16(value) => assert_eq!(theirs.as_int16().unwrap(), value),
            HeaderValue::Int32(value) => assert_eq!(theirs.as_int32().unwrap(), value),
            HeaderValue::Int64(value) => assert_eq!(theirs.as_int64().unwrap(), value),
            HeaderValue::Bytes(value) => assert_eq!(theirs.as_byte_array().unwrap(), value),
            HeaderValue::String(value) => assert_eq!(theirs.as_string().unwrap().as_str(), value),
            HeaderValue::Timestamp(value) => {
                assert_eq!(theirs.as_timestamp().unwrap().to_millis().unwrap(), value);
            }
            HeaderValue::Uuid(value) => {
                assert_eq!(theirs.as_uuid().unwrap(), u128::from_be_bytes(value));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn round_trip_of_every_type() {
    let wire = eventstream::encode(&HEADERS, b"some payload").unwrap();
    let frames = decode(&wire, || usize::MAX / 2).unwrap();
    let [frame] = frames.as_slice() else {
        panic!("{frames:?}")
    };
    assert_eq!(frame.headers().collect::<Vec<_>>(), HEADERS);
    assert_eq!(frame.payload(), "some payload");
    assert_eq!(frame.header("int"), Some(HeaderValue::Int32(-500_000)));
    assert_eq!(frame.header("none"), None);
    assert_eq!(frame.message_type(), "");
    agree(frame);
    assert!(!format!("{frame:?}").contains("some payload"));
}

#[test]
fn events_and_exceptions() {
    let wire = [
        eventstream::event("messageStop", br#"{"stopReason":"end_turn"}"#),
        eventstream::exception("throttlingException", br#"{"message":"later"}"#),
    ]
    .concat();
    let frames = decode(&wire.into(), || 5).unwrap();
    let names = |frame: &Frame| {
        frame
            .headers()
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&frames[0]),
        [
            ":event-type=messageStop",
            ":content-type=application/json",
            ":message-type=event"
        ]
    );
    assert_eq!(
        names(&frames[1]),
        [
            ":exception-type=throttlingException",
            ":content-type=application/json",
            ":message-type=exception"
        ]
    );
    assert_eq!(
        (frames[0].message_type(), frames[0].event_type()),
        ("event", "messageStop")
    );
    assert_eq!(
        (
            frames[1].message_type(),
            frames[1].exception_type(),
            frames[1].event_type()
        ),
        ("exception", "throttlingException", "")
    );
    frames.iter().for_each(agree);
}

#[test]
fn a_frame_inside_one_chunk_is_not_copied() {
    let wire: Bytes = [eventstream::event("a", b"1"), eventstream::event("b", b"2")]
        .concat()
        .into();
    for frame in decode(&wire, || usize::MAX / 2).unwrap() {
        assert!(wire.as_ptr_range().contains(&frame.raw().as_ptr()));
        assert!(wire.as_ptr_range().contains(&frame.payload().as_ptr()));
    }
}

#[test]
fn every_split_point() {
    let wire: Bytes = [
        eventstream::event("first", b""),
        eventstream::encode(&[], b"").unwrap(),
        eventstream::encode(&HEADERS, b"payload").unwrap(),
    ]
    .concat()
    .into();
    for first in 0..=wire.len() {
        for second in first..=wire.len() {
            let mut decoder = Decoder::new();
            let mut frames = Vec::new();
            for part in [
                wire.slice(..first),
                wire.slice(first..second),
                wire.slice(second..),
            ] {
                decoder.push(part);
                // Now and then the caller does not take frames in between.
                if (first + second) % 3 != 0 {
                    while let Some(frame) = decoder.next().unwrap() {
                        frames.push(frame);
                    }
                }
            }
            while let Some(frame) = decoder.next().unwrap() {
                frames.push(frame);
            }
            decoder.finish().unwrap();
            assert_eq!(frames.len(), 3);
            assert_eq!(raw(&frames), wire);
        }
    }
}

#[test]
fn a_cut_stream_is_truncated() {
    let wire = eventstream::encode(&HEADERS, b"payload").unwrap();
    for cut in 1..wire.len() {
        for size in [1, 1000] {
            let error = decode(&wire.slice(..cut), || size).unwrap_err();
            assert_eq!(error, DecodeError::Truncated, "{cut}");
        }
    }
    assert!(Decoder::new().finish().is_ok());
}

#[test]
fn one_wrong_bit_is_seen() {
    let wire = eventstream::encode(&HEADERS, b"payload").unwrap();
    for bit in 0..wire.len() * 8 {
        let mut bytes = wire.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        for size in [1, 13, 1000] {
            assert!(decode(&bytes.clone().into(), || size).is_err(), "{bit}");
        }
    }
}

/// A frame with a true prelude, whatever it says.
fn prelude(total: u32, headers: u32) -> Bytes {
    let mut bytes = [total.to_be_bytes(), headers.to_be_bytes()].concat();
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes.into()
}

#[test]
fn lengths_are_refused_at_the_prelude() {
    let lengths = |total, headers| DecodeError::Lengths { total, headers };
    let large = |length, limit| DecodeError::TooLarge { length, limit };
    let most = u32::try_from(DEFAULT_MAX_FRAME).unwrap();
    let headers = u32::try_from(MAX_HEADERS).unwrap();
    for (total, of_headers, expected) in [
        (0, 0, Some(lengths(0, 0))),
        (15, 0, Some(lengths(15, 0))),
        (16, 1, Some(lengths(16, 1))),
        (16, u32::MAX, Some(lengths(16, u32::MAX))),
        (
            u32::MAX,
            0,
            Some(large(u32::MAX as usize, DEFAULT_MAX_FRAME)),
        ),
        (
            most + 1,
            0,
            Some(large(DEFAULT_MAX_FRAME + 1, DEFAULT_MAX_FRAME)),
        ),
        (most, headers + 1, Some(large(MAX_HEADERS + 1, MAX_HEADERS))),
        (most, headers, None),
        (17, 1, None),
    ] {
        for size in [1, 5, 12] {
            let mut decoder = Decoder::new();
            let bytes = prelude(total, of_headers);
            let mut result = Ok(None);
            for at in (0..bytes.len()).step_by(size) {
                decoder.push(bytes.slice(at..(at + size).min(bytes.len())));
                result = decoder.next();
            }
            assert_eq!(result.err(), expected, "{total} {of_headers}");
        }
    }
    let mut small = Decoder::new().with_max_frame(20);
    small.push(prelude(21, 0));
    assert_eq!(small.next().unwrap_err(), large(21, 20));
}

#[test]
fn what_has_failed_stays_failed() {
    let mut decoder = Decoder::new();
    decoder.push(eventstream::event("a", b"{}"));
    decoder.push(Bytes::from_static(b"HTTP/1.1 500 Internal"));
    assert!(decoder.next().unwrap().is_some());
    assert_eq!(decoder.next().unwrap_err(), DecodeError::PreludeChecksum);
    decoder.push(eventstream::event("a", b"{}"));
    assert_eq!(decoder.next().unwrap_err(), DecodeError::PreludeChecksum);
    assert_eq!(decoder.finish().unwrap_err(), DecodeError::PreludeChecksum);
}

/// A frame with true checksums around these bytes of headers.
fn with_headers(headers: &[u8]) -> Bytes {
    let length = u32::try_from(headers.len()).unwrap();
    let mut bytes = prelude(16 + length, length).to_vec();
    bytes.extend(headers);
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes.into()
}

#[test]
fn headers_are_checked_when_decoding() {
    let table: [(&[u8], DecodeError); 9] = [
        (b"\0\0", DecodeError::HeaderName),
        (b"\x01\xff\0", DecodeError::HeaderName),
        (b"\x02a", DecodeError::HeaderTruncated),
        (b"\x01a", DecodeError::HeaderTruncated),
        (b"\x01a\x0a", DecodeError::HeaderType(10)),
        (b"\x01a\x04\0\0\0", DecodeError::HeaderTruncated),
        (b"\x01a\x07\0", DecodeError::HeaderTruncated),
        (b"\x01a\x06\0\x02x", DecodeError::HeaderTruncated),
        (b"\x01a\x07\0\x01\xff", DecodeError::HeaderString),
    ];
    for (headers, expected) in table {
        for size in [1, 1000] {
            assert_eq!(
                decode(&with_headers(headers), || size).unwrap_err(),
                expected
            );
        }
    }
    assert!(decode(&with_headers(b"\x01a\x00\x01b\x07\0\0"), || 4).is_ok());
}

#[test]
fn what_cannot_be_written_is_refused() {
    let (long, longer) = ("n".repeat(256), "v".repeat(65_536));
    let one = |name, value| eventstream::encode(&[(name, value)], b"");
    assert_eq!(one("", true_value()), Err(EncodeError::HeaderName));
    assert_eq!(one(&long, true_value()), Err(EncodeError::HeaderName));
    assert!(one(&long[1..], true_value()).is_ok());
    assert_eq!(
        one("n", longer.as_str().into()),
        Err(EncodeError::HeaderValue)
    );
    assert_eq!(
        one("n", HeaderValue::Bytes(longer.as_bytes())),
        Err(EncodeError::HeaderValue)
    );
    assert!(one("n", longer[1..].into()).is_ok());
    let many = [("n", HeaderValue::from(&longer[1..])); 2];
    assert_eq!(eventstream::encode(&many, b""), Err(EncodeError::Headers));
    let payload = vec![0; 24 * 1024 * 1024 + 1];
    assert_eq!(
        eventstream::encode(&[], &payload),
        Err(EncodeError::Payload)
    );
    let wire = eventstream::encode(&[], &payload[1..]).unwrap();
    assert_eq!(decode(&wire, || 1 << 20).unwrap().len(), 1);
    // Never fails, and what it writes is readable.
    let wire = eventstream::event(&"é".repeat(40_000), b"");
    assert_eq!(
        decode(&wire, || 1000).unwrap()[0].event_type(),
        "é".repeat(32_767)
    );
}

fn true_value() -> HeaderValue<'static> {
    HeaderValue::Bool(true)
}

#[test]
fn published_vectors() {
    let Some(shared) = shared() else { return };
    let mut seen = [0, 0];
    for entry in std::fs::read_dir(shared.join("vectors/eventstream")).unwrap() {
        let path = entry.unwrap().path();
        let wire = Bytes::from(std::fs::read(&path).unwrap());
        let valid = path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("valid_");
        for size in [1, 3, 7, 1000] {
            match decode(&wire, || size) {
                Ok(frames) => {
                    assert!(valid, "{path:?} was accepted");
                    assert_eq!(raw(&frames), wire);
                    let headers: Vec<_> = frames[0].headers().collect();
                    let again = eventstream::encode(&headers, frames[0].payload());
                    assert_eq!(again.unwrap(), wire, "{path:?} encoded again");
                    frames.iter().for_each(agree);
                }
                Err(error) => assert!(!valid, "{path:?}: {error}"),
            }
        }
        assert_eq!(
            read_message_from(wire).is_ok(),
            valid,
            "the oracle on {path:?}"
        );
        seen[usize::from(valid)] += 1;
    }
    assert_eq!(seen, [8, 3], "invalid and valid vectors");
}

#[test]
fn recorded_streams() {
    let Some(shared) = shared() else { return };
    let (mut streams, mut total) = (0, 0);
    for line in std::fs::read_to_string(shared.join("recordings/exchanges.jsonl"))
        .unwrap()
        .lines()
    {
        let exchange: serde_json::Value = serde_json::from_str(line).unwrap();
        let Some(body) = exchange["response"]["body_b64"].as_str() else {
            continue;
        };
        let wire = Bytes::from(base64(body));
        let id = &exchange["id"];

        let mut oracle = MessageFrameDecoder::new();
        let mut rest = wire.clone();
        let mut theirs = Vec::new();
        while let DecodedFrame::Complete(message) = oracle.decode_frame(&mut rest).unwrap() {
            theirs.push(message);
        }
        for size in [1, 3, 7, 1000, usize::MAX / 2] {
            let frames = decode(&wire, || size).unwrap();
            assert_eq!(raw(&frames), wire, "{id}");
            assert_eq!(frames.len(), theirs.len(), "{id}");
            for (frame, theirs) in frames.iter().zip(&theirs) {
                assert_eq!(frame.payload(), theirs.payload());
            }
        }
        for frame in decode(&wire, || 1000).unwrap() {
            agree(&frame);
            let again = match frame.message_type() {
                "event" => eventstream::event(frame.event_type(), frame.payload()),
                _ => eventstream::exception(frame.exception_type(), frame.payload()),
            };
            assert_eq!(&again, frame.raw(), "{id}: written again");
            total += 1;
        }
        streams += 1;
    }
    println!("{streams} recorded streams, {total} frames");
    assert_eq!(streams, 94);
}

fn values() -> impl Strategy<Value = Vec<(String, Vec<u8>, u8)>> {
    prop::collection::vec(
        (
            ".{1,40}",
            prop::collection::vec(any::<u8>(), 0..40),
            0u8..10,
        ),
        0..6,
    )
}

/// A header value of the chosen type, made of these bytes.
fn value<'a>(kind: u8, bytes: &'a [u8], text: &'a str) -> HeaderValue<'a> {
    let mut fixed = [0; 16];
    for (to, from) in fixed.iter_mut().zip(bytes) {
        *to = *from;
    }
    let long = i64::from_be_bytes(*fixed.first_chunk().unwrap());
    match kind {
        0 => HeaderValue::Bool(true),
        1 => HeaderValue::Bool(false),
        2 => HeaderValue::Byte(long as i8),
        3 => HeaderValue::Int16(long as i16),
        4 => HeaderValue::Int32(long as i32),
        5 => HeaderValue::Int64(long),
        6 => HeaderValue::Bytes(bytes),
        7 => HeaderValue::String(text),
        8 => HeaderValue::Timestamp(long >> 20),
        _ => HeaderValue::Uuid(fixed),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_never_panic(bytes: Vec<u8>, sizes in prop::collection::vec(1usize..30, 1..5)) {
        let mut sizes = sizes.into_iter().cycle();
        let _ = decode(&bytes.into(), || sizes.next().unwrap());
    }

    #[test]
    fn any_headers_never_panic(bytes: Vec<u8>) {
        let ours = decode(&with_headers(&bytes), || 1000);
        let theirs = read_message_from(with_headers(&bytes));
        // The oracle lets an empty name pass.
        if !matches!(ours, Err(DecodeError::HeaderName)) {
            prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?} {:?}", ours, theirs);
        }
    }

    #[test]
    fn random_splits_give_the_same_frames(
        frames in prop::collection::vec((values(), prop::collection::vec(any::<u8>(), 0..300)), 0..5),
        sizes in prop::collection::vec(1usize..200, 1..20),
    ) {
        let mut wire = BytesMut::new();
        for (headers, payload) in &frames {
            let headers: Vec<_> = headers
                .iter()
                .map(|(name, bytes, kind)| (name.as_str(), value(*kind, bytes, name)))
                .collect();
            wire.extend_from_slice(&eventstream::encode(&headers, payload).unwrap());
        }
        let wire = wire.freeze();
        let mut sizes = sizes.into_iter().cycle();
        let split = decode(&wire, || sizes.next().unwrap()).unwrap();
        let whole = decode(&wire, || usize::MAX / 2).unwrap();
        prop_assert_eq!(split.len(), frames.len());
        prop_assert_eq!(raw(&split), wire);
        for (one, other) in split.iter().zip(&whole) {
            prop_assert_eq!(one.raw(), other.raw());
            prop_assert_eq!(one.payload(), other.payload());
            agree(one);
        }
    }
}

/// The folder of recordings and vectors, which is not part of this repository.
fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("TOWER_BEDROCK_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    if folder.join("vectors").is_dir() {
        return Some(folder);
    }
    let required = std::env::var("TOWER_BEDROCK_REQUIRE_SHARED").is_ok_and(|value| value == "1");
    assert!(!required, "{} is missing", folder.display());
    println!("skipped: {} is missing", folder.display());
    None
}

fn base64(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => panic!("not base64: {byte}"),
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}
