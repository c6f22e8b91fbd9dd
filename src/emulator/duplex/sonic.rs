//! Nova Sonic, as far as its order of events goes: what it hears or reads in one content, it answers when that ends.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::emulator::prompt::tokens;
use crate::emulator::refusal::Refusal;
use crate::emulator::reply;

const BASE64: base64::engine::GeneralPurpose = base64::engine::general_purpose::STANDARD;
const UNREADABLE: &str =
    "Unable to parse input chunk. Please check input format contains correct format.";
/// Contents that may be open at the same time.
const CONTENTS: usize = 16;
/// Of what a content says, the part that the answer repeats.
const REPEATED_BYTES: usize = 4096;
const REPEATED_AUDIO: usize = 16 * 1024;
/// Bytes of audio that count as one token.
const SPEECH_TOKEN: usize = 1000;

/// One session: from `sessionStart` to `sessionEnd`.
#[derive(Debug)]
pub(super) struct Session {
    id: String,
    started: bool,
    ended: bool,
    prompt: Option<Prompt>,
    contents: BTreeMap<String, Content>,
    total: Tokens,
    reported: Tokens,
}

#[derive(Debug)]
struct Prompt {
    name: String,
    /// `audioOutputConfiguration`, where answers are spoken too.
    audio: Option<Value>,
    ended: bool,
}

#[derive(Debug)]
struct Content {
    kind: Kind,
    role: Role,
    interactive: bool,
    text: String,
    audio: Vec<u8>,
    audio_len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Audio,
    Tool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    User,
    Tool,
    Other,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tokens {
    speech_in: usize,
    text_in: u64,
    speech_out: usize,
    text_out: u64,
}

impl Session {
    pub(super) fn new() -> Self {
        Self {
            id: Uuid::new_v4().to_string(),
            started: false,
            ended: false,
            prompt: None,
            contents: BTreeMap::new(),
            total: Tokens::default(),
            reported: Tokens::default(),
        }
    }

    /// Whether `sessionEnd` has come.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Takes the bytes of one chunk and gives the events with which they are answered.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Value>, Refusal> {
        let chunk: Value =
            serde_json::from_slice(bytes).map_err(|_| Refusal::validation(UNREADABLE))?;
        let mut events = chunk["event"].as_object().into_iter().flatten();
        let (Some((name, event)), None) = (events.next(), events.next()) else {
            return Err(Refusal::validation(UNREADABLE));
        };
        if self.ended {
            return Err(refuse(&format!("{name} follows sessionEnd.")));
        }
        if name == "sessionStart" {
            if self.started {
                return Err(refuse("sessionStart was sent twice."));
            }
            self.started = true;
            return Ok(Vec::new());
        }
        if !self.started {
            return Err(refuse(&format!("{name} precedes sessionStart.")));
        }
        match name.as_str() {
            "promptStart" => self.start_prompt(event)?,
            "contentStart" => self.start_content(event)?,
            "textInput" => self.hear(event, Kind::Text)?,
            "audioInput" => self.hear(event, Kind::Audio)?,
            "toolResult" => self.hear(event, Kind::Tool)?,
            "contentEnd" => return self.end_content(event),
            "promptEnd" => {
                self.prompt_of(event)?.ended = true;
                self.contents.clear();
            }
            "sessionEnd" => self.ended = true,
            other => return Err(refuse(&format!("There is no input event {other}."))),
        }
        Ok(Vec::new())
    }

    fn start_prompt(&mut self, event: &Value) -> Result<(), Refusal> {
        if self.prompt.as_ref().is_some_and(|prompt| !prompt.ended) {
            return Err(refuse("promptStart was sent twice."));
        }
        let audio = &event["audioOutputConfiguration"];
        self.prompt = Some(Prompt {
            name: string(event, "promptName")?.to_owned(),
            audio: audio.is_object().then(|| audio.clone()),
            ended: false,
        });
        Ok(())
    }

    /// The open prompt, which the event must name.
    fn prompt_of(&mut self, event: &Value) -> Result<&mut Prompt, Refusal> {
        let name = string(event, "promptName")?;
        self.prompt
            .as_mut()
            .filter(|prompt| prompt.name == name && !prompt.ended)
            .ok_or_else(|| refuse(&format!("No prompt {name} is open.")))
    }

    fn start_content(&mut self, event: &Value) -> Result<(), Refusal> {
        self.prompt_of(event)?;
        let name = string(event, "contentName")?;
        let kind = match string(event, "type")? {
            "TEXT" => Kind::Text,
            "AUDIO" => Kind::Audio,
            "TOOL" => Kind::Tool,
            other => return Err(refuse(&format!("There is no content type {other}."))),
        };
        let role = match string(event, "role")? {
            "USER" => Role::User,
            "TOOL" => Role::Tool,
            "SYSTEM" | "ASSISTANT" | "SYSTEM_SPEECH" => Role::Other,
            other => return Err(refuse(&format!("There is no role {other}."))),
        };
        if self.contents.contains_key(name) {
            return Err(refuse(&format!("The content {name} is open already.")));
        }
        if self.contents.len() >= CONTENTS {
            return Err(refuse("Too many contents are open."));
        }
        let content = Content {
            kind,
            role,
            interactive: event["interactive"] != false,
            text: String::new(),
            audio: Vec::new(),
            audio_len: 0,
        };
        self.contents.insert(name.to_owned(), content);
        Ok(())
    }

    fn hear(&mut self, event: &Value, kind: Kind) -> Result<(), Refusal> {
        self.prompt_of(event)?;
        let name = string(event, "contentName")?;
        let said = string(event, "content")?;
        let content = self
            .contents
            .get_mut(name)
            .filter(|content| content.kind == kind)
            .ok_or_else(|| refuse(&format!("No such content {name} is open.")))?;
        if kind == Kind::Audio {
            let audio = BASE64
                .decode(said)
                .map_err(|_| refuse("The audio is not base64."))?;
            let room = REPEATED_AUDIO.saturating_sub(content.audio.len());
            content
                .audio
                .extend_from_slice(audio.get(..room).unwrap_or(&audio));
            content.audio_len = content.audio_len.saturating_add(audio.len());
            return Ok(());
        }
        self.total.text_in += tokens(said);
        let room = REPEATED_BYTES.saturating_sub(content.text.len());
        let end = said.floor_char_boundary(room);
        content.text.push_str(said.get(..end).unwrap_or_default());
        Ok(())
    }

    fn end_content(&mut self, event: &Value) -> Result<Vec<Value>, Refusal> {
        let prompt = self.prompt_of(event)?;
        let (prompt, audio) = (prompt.name.clone(), prompt.audio.clone());
        let name = string(event, "contentName")?;
        let content = self
            .contents
            .remove(name)
            .ok_or_else(|| refuse(&format!("No content {name} is open.")))?;
        self.total.speech_in += content.audio_len.div_ceil(SPEECH_TOKEN);
        let answered = match content.role {
            Role::User => content.interactive,
            Role::Tool => true,
            Role::Other => false,
        };
        if answered {
            Ok(self.answer(&prompt, audio, content))
        } else {
            Ok(Vec::new())
        }
    }

    fn answer(&mut self, prompt: &str, audio: Option<Value>, content: Content) -> Vec<Value> {
        let completion = Uuid::new_v4().to_string();
        let event = |name: &str, mut members: Value| {
            members["sessionId"] = json!(self.id);
            members["promptName"] = json!(prompt);
            members["completionId"] = json!(completion);
            json!({ "event": { name: members } })
        };
        let mut events = vec![event("completionStart", json!({}))];
        let mut said = content.text;
        if content.kind == Kind::Audio {
            said = format!("{} bytes of audio", content.audio_len);
            events.extend(text("USER", "FINAL", [said.clone()], "END_TURN", &event));
        }
        let answer = format!("You said: \"{}\"", said.trim());
        self.total.text_out += tokens(&answer);
        let stop = if audio.is_some() {
            "PARTIAL_TURN"
        } else {
            "END_TURN"
        };
        events.extend(text(
            "ASSISTANT",
            "SPECULATIVE",
            reply::pieces(&answer),
            stop,
            &event,
        ));
        if let Some(configuration) = audio {
            // Repeats what it heard; an answer to a text is a moment of silence.
            let spoken = if content.audio.is_empty() {
                vec![0; 640]
            } else {
                content.audio
            };
            self.total.speech_out += spoken.len().div_ceil(SPEECH_TOKEN);
            let id = Uuid::new_v4().to_string();
            events.push(event(
                "contentStart",
                json!({
                    "contentId": id, "type": "AUDIO", "role": "ASSISTANT",
                    "audioOutputConfiguration": configuration,
                }),
            ));
            for piece in spoken.chunks(4096) {
                events.push(event(
                    "audioOutput",
                    json!({
                        "contentId": id, "content": BASE64.encode(piece),
                    }),
                ));
            }
            events.push(event(
                "contentEnd",
                json!({
                    "contentId": id, "type": "AUDIO", "stopReason": "END_TURN",
                }),
            ));
        }
        events.push(event("usageEvent", self.usage()));
        events.push(event("completionEnd", json!({ "stopReason": "END_TURN" })));
        self.reported = self.total;
        events
    }

    fn usage(&self) -> Value {
        let (total, before) = (self.total, self.reported);
        let input = total.text_in + total.speech_in as u64;
        let output = total.text_out + total.speech_out as u64;
        json!({
            "details": {
                "delta": {
                    "input": {
                        "speechTokens": total.speech_in - before.speech_in,
                        "textTokens": total.text_in - before.text_in,
                    },
                    "output": {
                        "speechTokens": total.speech_out - before.speech_out,
                        "textTokens": total.text_out - before.text_out,
                    },
                },
                "total": {
                    "input": { "speechTokens": total.speech_in, "textTokens": total.text_in },
                    "output": { "speechTokens": total.speech_out, "textTokens": total.text_out },
                },
            },
            "totalInputTokens": input,
            "totalOutputTokens": output,
            "totalTokens": input + output,
        })
    }
}

/// A text in its three kinds of events.
fn text(
    role: &str,
    stage: &str,
    pieces: impl IntoIterator<Item = String>,
    stop: &str,
    event: &impl Fn(&str, Value) -> Value,
) -> Vec<Value> {
    let id = Uuid::new_v4().to_string();
    let mut events = vec![event(
        "contentStart",
        json!({
            "contentId": id, "type": "TEXT", "role": role,
            "textOutputConfiguration": { "mediaType": "text/plain" },
            "additionalModelFields": json!({ "generationStage": stage }).to_string(),
        }),
    )];
    for piece in pieces {
        events.push(event(
            "textOutput",
            json!({
                "contentId": id, "role": role, "content": piece,
            }),
        ));
    }
    events.push(event(
        "contentEnd",
        json!({
            "contentId": id, "type": "TEXT", "stopReason": stop,
        }),
    ));
    events
}

fn string<'a>(event: &'a Value, key: &str) -> Result<&'a str, Refusal> {
    event[key]
        .as_str()
        .ok_or_else(|| refuse(&format!("{key} is missing or no string.")))
}

fn refuse(text: &str) -> Refusal {
    Refusal::validation(&format!("{text} Please fix your input and try again."))
}

#[cfg(test)]
mod tests;
