//! Real traffic: every recorded exchange goes through the whole stack and comes back as it was.
//!
//! The usage that the records hold is written to `replayed-usage.jsonl` in the target's temporary
//! folder, where a script that shares no code with this crate compares it with the recordings.

mod support;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Uri};
use http_body_util::Full;
use serde_json::Value;
use tower_bedrock::Gateway;
use tower_bedrock::emulator::Emulator;
use tower_bedrock::observe::Ring;

use support::{API_KEY, KEY, before, send, shared};

/// What is between two hosts only, or made anew by each.
const NOT_COMPARED: [&str; 7] = [
    "cf-aig-event-id",
    "cf-aig-log-id",
    "cf-aig-step",
    "connection",
    "content-length",
    "date",
    "transfer-encoding",
];

struct Recording {
    id: String,
    uri: Uri,
    json: Value,
}

fn recordings(folder: &Path) -> Vec<Recording> {
    let text = std::fs::read_to_string(folder.join("recordings/exchanges.jsonl")).unwrap();
    text.lines()
        .map(|line| {
            let json: Value = serde_json::from_str(line).unwrap();
            Recording {
                id: json["id"].as_str().unwrap().to_owned(),
                uri: json["request"]["url"].as_str().unwrap().parse().unwrap(),
                json,
            }
        })
        .collect()
}

impl Recording {
    /// The gateway's path for it; none for what is not served here.
    fn path(&self) -> Option<String> {
        let mut host = self.uri.host()?.split('.');
        let (service, region) = (host.next()?, host.next()?);
        ["bedrock-runtime", "bedrock-mantle"]
            .contains(&service)
            .then(|| {
                format!(
                    "/v1/acme/prod/aws-bedrock/{service}/{region}{}",
                    self.uri.path_and_query().unwrap()
                )
            })
    }

    fn request(&self, path: &str) -> Request<Full<Bytes>> {
        let request = &self.json["request"];
        let body = request["body"].as_str().unwrap_or_default().to_owned();
        let mut builder = Request::builder()
            .method(request["method"].as_str().unwrap())
            .uri(path)
            .header("cf-aig-authorization", "Bearer good")
            .header("x-replay-id", &self.id);
        for (name, value) in pairs(&request["headers"]) {
            if ["content-type", "accept", "x-amzn-bedrock-accept"].contains(&&*name) {
                builder = builder.header(name, value);
            }
        }
        // What AWS says of a client's own credentials passes; what it says of ours does not.
        if self.status() == 403 {
            builder = builder.header("authorization", format!("Bearer {API_KEY}"));
        }
        builder.body(Full::from(body)).unwrap()
    }

    fn status(&self) -> u64 {
        self.json["response"]["status"].as_u64().unwrap()
    }

    fn body(&self) -> Vec<u8> {
        use base64::Engine;
        let response = &self.json["response"];
        match response["body_b64"].as_str() {
            Some(text) => base64::engine::general_purpose::STANDARD
                .decode(text)
                .unwrap(),
            None => response["body"].as_str().unwrap().as_bytes().to_vec(),
        }
    }

    fn is_stream(&self) -> bool {
        !self.json["response"]["body_b64"].is_null()
    }

    fn headers(&self) -> BTreeMap<String, Vec<String>> {
        compared(pairs(&self.json["response"]["headers"]))
    }
}

fn pairs(headers: &Value) -> impl Iterator<Item = (String, String)> + '_ {
    headers.as_array().into_iter().flatten().map(|pair| {
        (
            pair[0].as_str().unwrap().to_ascii_lowercase(),
            pair[1].as_str().unwrap().to_owned(),
        )
    })
}

fn compared(headers: impl Iterator<Item = (String, String)>) -> BTreeMap<String, Vec<String>> {
    let mut map: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers.filter(|(name, _)| !NOT_COMPARED.contains(&&**name)) {
        map.entry(name).or_default().push(value);
    }
    map
}

fn received(headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    compared(headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    }))
}

async fn replaying(folder: &Path, chunk_size: Option<usize>) -> (Emulator, Gateway, Ring) {
    let mut builder = Emulator::builder()
        .credentials(KEY.0, KEY.1)
        .api_key(API_KEY)
        .replay(folder.join("recordings/exchanges.jsonl"))
        .unwrap();
    if let Some(size) = chunk_size {
        builder = builder.chunk_size(size);
    }
    let emulator = builder.start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let (gateway, records) = before(&emulator.url(), |builder| {
        builder.forwarded_header(HeaderName::from_static("x-replay-id"))
    });
    (emulator, gateway, records)
}

#[tokio::test]
async fn every_exchange_comes_back_as_it_was_recorded() {
    let Some(folder) = shared() else { return };
    let (emulator, gateway, records) = replaying(&folder, None).await;
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("replayed-usage.jsonl");
    let mut usage = std::io::BufWriter::new(std::fs::File::create(&file).unwrap());
    let (mut replayed, mut excluded) = (0, Vec::new());
    for recording in recordings(&folder) {
        let Some(path) = recording.path() else {
            excluded.push(format!("{} {}", recording.id, recording.uri));
            continue;
        };
        let id = &recording.id;
        let (head, body) = send(&gateway, recording.request(&path)).await;
        assert_eq!(
            u64::from(head.status.as_u16()),
            recording.status(),
            "{id}: {body:?}"
        );
        assert_eq!(body, recording.body(), "{id}");
        assert_eq!(received(&head.headers), recording.headers(), "{id}");
        let arrived = emulator.take_requests();
        assert!(arrived[0].accepted(), "{id}: {:?}", arrived[0].verdict);
        let log_id = head.headers["cf-aig-log-id"].to_str().unwrap();
        let record = records.get(log_id).expect(id);
        let line = serde_json::json!({ "id": id, "record": *record });
        writeln!(usage, "{line}").unwrap();
        replayed += 1;
    }
    usage.flush().unwrap();
    println!(
        "replayed {replayed} exchanges; usage is in {}",
        file.display()
    );
    println!("excluded, not of the runtime or of mantle: {excluded:?}");
    assert_eq!(excluded.len(), 1);
    assert!(replayed > 500);
}

#[tokio::test]
async fn streams_come_back_however_they_are_split() {
    let Some(folder) = shared() else { return };
    for size in [1, 3, 7, 1000] {
        let (_emulator, gateway, records) = replaying(&folder, Some(size)).await;
        let mut streams = 0;
        for recording in recordings(&folder)
            .iter()
            .filter(|recording| recording.is_stream())
        {
            let path = recording.path().unwrap();
            let (head, body) = send(&gateway, recording.request(&path)).await;
            assert_eq!(head.status, 200, "{}", recording.id);
            assert_eq!(
                body,
                recording.body(),
                "{} in pieces of {size}",
                recording.id
            );
            streams += 1;
        }
        assert_eq!(records.snapshot().len(), streams);
        println!("{streams} streams in pieces of {size}");
    }
}
