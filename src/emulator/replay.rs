//! Answers from a file of recorded exchanges, one JSON object a line.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;

use super::hash::{sha256, sha256_hex};
use super::operations::Target;

/// A recorded answer.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The recording declared its length, so the replay does too.
    pub(super) sized: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    /// Method and path, the model id of a path decoded.
    place: String,
    body: [u8; 32],
}

#[derive(Debug, Default)]
pub(super) struct Replay {
    recordings: Vec<Recording>,
    by_id: HashMap<String, usize>,
    by_request: HashMap<Key, Vec<usize>>,
    asked: Mutex<HashMap<Key, usize>>,
}

impl Replay {
    pub(super) fn load(file: &Path) -> io::Result<Self> {
        let mut replay = Self::default();
        for (index, line) in fs::read_to_string(file)?.lines().enumerate() {
            if !line.trim().is_empty() {
                replay.add(line).map_err(|what| {
                    let text = format!("{}, line {}: {what}", file.display(), index + 1);
                    io::Error::new(io::ErrorKind::InvalidData, text)
                })?;
            }
        }
        Ok(replay)
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        let entry: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let (request, response) = (&entry["request"], &entry["response"]);
        let method = request["method"].as_str().ok_or("no request.method")?;
        let url = request["url"].as_str().ok_or("no request.url")?;
        let path = url.split_once("://").map_or(url, |(_, rest)| rest);
        let path = path.find('/').and_then(|at| path.get(at..)).unwrap_or("/");
        let key = Key {
            place: place(method, path),
            body: recorded_body(request)?,
        };
        let index = self.recordings.len();
        if let Some(id) = entry["id"].as_str() {
            self.by_id.insert(id.to_owned(), index);
        }
        self.by_request.entry(key).or_default().push(index);
        self.recordings.push(recording(response)?);
        Ok(())
    }

    /// The recording with this id.
    pub(super) fn by_id(&self, id: &str) -> Option<&Recording> {
        self.recordings.get(*self.by_id.get(id)?)
    }

    /// The next recording of this request; equal requests take theirs in file order, again and again.
    pub(super) fn by_request(
        &self,
        method: &Method,
        target: &str,
        body: &[u8],
    ) -> Option<&Recording> {
        let place = place(method.as_str(), target);
        let mut key = Key {
            place,
            body: digest(body),
        };
        let mut found = self.by_request.get(&key);
        if found.is_none() {
            key.body = sha256(body);
            found = self.by_request.get(&key);
        }
        let found = found?;
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let count = asked.entry(key).or_insert(0);
        let index = found.get(*count % found.len())?;
        *count += 1;
        self.recordings.get(*index)
    }
}

/// What a request line is about, however its model id is encoded.
fn place(method: &str, target: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
    match Target::of(&method, path) {
        Target::Model(id, operation) => format!("{operation:?} {id}"),
        _ => format!("{method} {path}?{query}"),
    }
}

/// JSON bodies are equal whatever their whitespace and the order of their keys.
fn digest(body: &[u8]) -> [u8; 32] {
    match serde_json::from_slice::<Value>(body) {
        Ok(json) => sha256(json.to_string().as_bytes()),
        Err(_) => sha256(body),
    }
}

fn recorded_body(request: &Value) -> Result<[u8; 32], String> {
    if let Some(omitted) = request["body_omitted"]["sha256"].as_str() {
        // Known only by the hash of its bytes.
        let mut hash = [0; 32];
        for (at, byte) in hash.iter_mut().enumerate() {
            *byte = omitted
                .get(2 * at..2 * at + 2)
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
                .ok_or("bad request.body_omitted.sha256")?;
        }
        return Ok(hash);
    }
    Ok(digest(&body(request)?))
}

fn body(message: &Value) -> Result<Vec<u8>, String> {
    if let Some(text) = message["body_b64"].as_str() {
        return base64::engine::general_purpose::STANDARD
            .decode(text)
            .map_err(|error| format!("bad body_b64: {error}"));
    }
    Ok(message["body"]
        .as_str()
        .unwrap_or_default()
        .as_bytes()
        .to_vec())
}

fn recording(response: &Value) -> Result<Recording, String> {
    let status = response["status"]
        .as_u64()
        .and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok())
        .ok_or("no response.status")?;
    let mut headers = HeaderMap::new();
    let mut sized = true;
    for pair in response["headers"].as_array().into_iter().flatten() {
        let (name, value) = (pair[0].as_str(), pair[1].as_str());
        let (Some(name), Some(value)) = (name, value) else {
            return Err("a response header is not a pair of strings".to_owned());
        };
        let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
        let value = HeaderValue::try_from(value).map_err(|error| error.to_string())?;
        sized &= name != TRANSFER_ENCODING && value != "application/vnd.amazon.eventstream";
        if ![CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING].contains(&name) {
            headers.append(name, value);
        }
    }
    Ok(Recording {
        status,
        headers,
        body: body(response)?.into(),
        sized,
    })
}

/// Why nothing was found, for the body of the 404.
pub(super) fn no_match(method: &Method, target: &str, body: &[u8]) -> String {
    format!(
        "No recording matches {} with a body of {} bytes (SHA-256 {}).",
        place(method.as_str(), target),
        body.len(),
        sha256_hex(body)
    )
}
