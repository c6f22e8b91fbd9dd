//! Real answers.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use base64::Engine as _;
use bytes::Bytes;
use serde_json::{Value, json};
use tower_bedrock::eventstream;

use super::accumulated::{chunks, completion, normalised};
use super::expected::{Expected, assembled};
use super::splits::{halves, pieces};
use super::{fixtures, frames, streamed, whole, wire};
use crate::support::shared;

struct Recording {
    id: String,
    operation: String,
    status: u64,
    response: Value,
}

fn recordings(folder: &Path) -> Vec<Recording> {
    let text = std::fs::read_to_string(folder.join("recordings/exchanges.jsonl")).unwrap();
    text.lines()
        .map(|line| {
            let mut json: Value = serde_json::from_str(line).unwrap();
            Recording {
                id: json["id"].as_str().unwrap().to_owned(),
                operation: json["op"].as_str().unwrap().to_owned(),
                status: json["response"]["status"].as_u64().unwrap(),
                response: json["response"].take(),
            }
        })
        .filter(|recording| recording.status == 200)
        .collect()
}

impl Recording {
    fn text(&self) -> &str {
        self.response["body"].as_str().unwrap()
    }

    fn stream(&self) -> Bytes {
        let text = self.response["body_b64"].as_str().unwrap();
        let bytes = base64::engine::general_purpose::STANDARD.decode(text);
        bytes.unwrap().into()
    }
}

fn answers(folder: &Path) -> Vec<Recording> {
    let mut recordings = recordings(folder);
    recordings.retain(|recording| recording.operation == "converse");
    recordings
}

/// Streams that end well; those that begin with an exception are told apart.
fn streams(folder: &Path) -> (Vec<Recording>, Vec<Recording>) {
    let mut recordings = recordings(folder);
    recordings.retain(|recording| recording.operation == "converse-stream");
    recordings.into_iter().partition(|recording| {
        let frames = frames(&recording.stream());
        frames.iter().all(|frame| frame.message_type() == "event")
    })
}

/// The whole answer that a stream amounts to.
fn together(stream: &Bytes) -> Value {
    let events: Vec<_> = frames(stream)
        .iter()
        .map(|frame| {
            let payload = serde_json::from_slice(frame.payload()).unwrap();
            (frame.event_type().to_owned(), payload)
        })
        .collect();
    assembled(&events)
}

#[test]
fn every_answer_is_translated() {
    let Some(folder) = shared() else { return };
    let mut table: BTreeMap<String, usize> = BTreeMap::new();
    for recording in answers(&folder) {
        let id = &recording.id;
        let completion = whole(recording.text()).expect(id);
        let expected = Expected::of(&serde_json::from_str(recording.text()).unwrap());
        assert_eq!(Expected::said_by(&completion), expected, "{id}");
        *table.entry(expected.finish_reason).or_default() += 1;
    }
    println!("answers by their end: {table:?}");
    assert!(
        table.values().sum::<usize>() > 200 && table.len() == 4,
        "{table:?}"
    );
}

#[test]
fn every_stream_is_translated() {
    let Some(folder) = shared() else { return };
    let (streams, broken) = streams(&folder);
    for recording in &streams {
        let id = &recording.id;
        let stream = recording.stream();
        let answer = together(&stream);
        let (sse, result) = streamed([stream], true);
        result.expect(id);
        let completion = completion(&chunks(&sse, true));
        assert_eq!(
            Expected::said_by(&completion),
            Expected::of(&answer),
            "{id}"
        );
        let once = whole(&answer.to_string()).expect(id);
        assert_eq!(normalised(completion), normalised(once), "{id}");
    }
    assert!(streams.len() > 40, "{}", streams.len());
    for recording in &broken {
        let (sse, result) = streamed([recording.stream()], true);
        assert!(
            result.is_err() && !sse.contains("[DONE]"),
            "{}",
            recording.id
        );
    }
    println!(
        "{} streams, {} with an exception",
        streams.len(),
        broken.len()
    );
}

#[test]
fn every_answer_gives_the_same_in_pieces() {
    let Some(folder) = shared() else { return };
    for recording in answers(&folder) {
        let id = &recording.id;
        let answer: Value = serde_json::from_str(recording.text()).unwrap();
        let (sse, result) = streamed([wire(&fixtures::events(&answer))], true);
        result.expect(id);
        let completion = completion(&chunks(&sse, true));
        let once = whole(recording.text()).unwrap();
        assert_eq!(normalised(completion), normalised(once), "{id}");
    }
}

#[test]
fn streams_are_the_same_however_they_are_split() {
    let Some(folder) = shared() else { return };
    for recording in streams(&folder).0 {
        let id = &recording.id;
        let stream = recording.stream();
        let (whole, _) = streamed([stream.clone()], true);
        for size in [1, 2, 3, 7] {
            let (split, _) = streamed(pieces(&stream, size), true);
            assert!(split == whole, "{id} by {size}");
        }
        // Anywhere in the first frames, then around the start of each.
        let mut places: Vec<usize> = (0..stream.len().min(250)).collect();
        let mut at = 0;
        for frame in frames(&stream) {
            places.extend((at.max(250)..at + 16).filter(|at| *at <= stream.len()));
            at += frame.raw().len();
        }
        for at in places {
            let (split, _) = streamed(halves(&stream, at), true);
            assert!(split == whole, "{id} at {at}");
        }
    }
}

#[test]
fn translations_are_written_down() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("completions.jsonl");
    let mut out = BufWriter::new(File::create(&file).unwrap());
    let mut count = 0;
    let mut write = |line: Value| {
        writeln!(out, "{line}").unwrap();
        count += 1;
    };
    for fixture in fixtures::all() {
        let answer: Value = serde_json::from_str(&fixture.answer()).unwrap();
        write(whole_line(
            fixture.name,
            "fixture",
            &answer,
            &fixture.answer(),
        ));
        let stream = wire(&fixture.events());
        write(stream_line(
            fixture.name,
            "fixture-stream",
            &answer,
            stream,
            &fixture.answer(),
        ));
    }
    for (name, payload) in EXCEPTIONS {
        write(broken_line(name, payload.as_bytes()));
        write(refused_line(name, payload.as_bytes()));
    }
    if let Some(folder) = shared() {
        for recording in answers(&folder) {
            let answer = serde_json::from_str(recording.text()).unwrap();
            write(whole_line(
                &recording.id,
                "converse",
                &answer,
                recording.text(),
            ));
        }
        for recording in streams(&folder).0 {
            let answer = together(&recording.stream());
            let (stream, text) = (recording.stream(), answer.to_string());
            write(stream_line(
                &recording.id,
                "converse-stream",
                &answer,
                stream,
                &text,
            ));
        }
    }
    out.flush().unwrap();
    println!("{count} translations are in {}", file.display());
    assert!(count >= 50);
}

const EXCEPTIONS: [(&str, &str); 7] = [
    (
        "validationException",
        r#"{"message":"Malformed \u2028\ninput"}"#,
    ),
    ("validationException", r#"{"message":"prompt is too long"}"#),
    ("accessDeniedException", r#"{"Message":"no"}"#),
    ("resourceNotFoundException", r#"{"message":"gone"}"#),
    ("throttlingException", r#"{"message":"slow down"}"#),
    ("internalServerException", "{}"),
    (
        "modelStreamErrorException",
        r#"{"originalMessage":"it broke"}"#,
    ),
];

/// A stream that breaks off with an exception.
fn broken_line(name: &str, payload: &[u8]) -> Value {
    let text = json!({"contentBlockIndex": 0, "delta": {"text": "Hel"}});
    let begun = wire(&[("contentBlockDelta", text)]);
    let (sse, result) = streamed([begun, eventstream::exception(name, payload)], false);
    let object = String::from_utf8(result.unwrap_err().to_json()).unwrap();
    let error: Value = serde_json::from_str(&object).unwrap();
    json!({
        "id": name,
        "kind": "exception in a stream",
        "request": "broken",
        "sse": format!("{sse}data: {object}\n\n"),
        "expected": {"text": "Hel", "error": told(&error)},
    })
}

/// A stream that begins with one.
fn refused_line(name: &str, payload: &[u8]) -> Value {
    let (_, result) = streamed([eventstream::exception(name, payload)], false);
    let error = result.unwrap_err();
    let object: Value = serde_json::from_slice(&error.to_json()).unwrap();
    json!({
        "id": name,
        "kind": "exception in place of an answer",
        "request": "refused",
        "status": error.status().as_u16(),
        "json": object,
        "expected": {"error": told(&object)},
    })
}

fn told(error: &Value) -> [&Value; 3] {
    ["message", "type", "code"].map(|field| &error["error"][field])
}

fn whole_line(id: &str, kind: &str, answer: &Value, text: &str) -> Value {
    json!({
        "id": id,
        "kind": kind,
        "request": "whole",
        "json": whole(text).unwrap(),
        "expected": Expected::of(answer).to_json(),
    })
}

fn stream_line(id: &str, kind: &str, answer: &Value, stream: Bytes, text: &str) -> Value {
    let (sse, result) = streamed([stream], true);
    result.unwrap();
    json!({
        "id": id,
        "kind": kind,
        "request": "stream",
        "sse": sse,
        "json": whole(text).unwrap(),
        "expected": Expected::of(answer).to_json(),
    })
}
