use super::*;

fn take(session: &mut Session, name: &str, event: Value) -> Result<Vec<Value>, String> {
    let chunk = json!({ "event": { name: event } }).to_string();
    session
        .take(chunk.as_bytes())
        .map_err(|refusal| refusal.body["message"].as_str().unwrap().to_owned())
}

/// A session with an open prompt, which speaks if `spoken`.
fn prompted(spoken: bool) -> Session {
    let mut session = Session::new();
    let mut prompt = json!({ "promptName": "p" });
    if spoken {
        prompt["audioOutputConfiguration"] = json!({ "mediaType": "audio/lpcm" });
    }
    take(&mut session, "sessionStart", json!({})).unwrap();
    take(&mut session, "promptStart", prompt).unwrap();
    session
}

/// One whole content; what it is answered with.
fn content(session: &mut Session, kind: &str, role: &str, said: &[&str]) -> Vec<Value> {
    let start = json!({ "promptName": "p", "contentName": "c", "type": kind, "role": role });
    assert!(take(session, "contentStart", start).unwrap().is_empty());
    let input = match kind {
        "AUDIO" => "audioInput",
        "TOOL" => "toolResult",
        _ => "textInput",
    };
    for said in said {
        let event = json!({ "promptName": "p", "contentName": "c", "content": said });
        assert!(take(session, input, event).unwrap().is_empty());
    }
    let end = json!({ "promptName": "p", "contentName": "c" });
    take(session, "contentEnd", end).unwrap()
}

fn names(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| {
            let names = event["event"].as_object().unwrap();
            assert_eq!(names.len(), 1);
            names.keys().next().unwrap().as_str()
        })
        .collect()
}

fn texts(events: &[Value]) -> String {
    events
        .iter()
        .filter_map(|event| event["event"]["textOutput"]["content"].as_str())
        .collect()
}

#[test]
fn text_is_answered_with_text() {
    let mut session = prompted(false);
    assert!(content(&mut session, "TEXT", "SYSTEM", &["be brief"]).is_empty());
    assert!(content(&mut session, "TEXT", "ASSISTANT", &["hello"]).is_empty());
    let events = content(&mut session, "TEXT", "USER", &["good ", "morning"]);
    let names = names(&events);
    assert_eq!(
        names[..3],
        ["completionStart", "contentStart", "textOutput"]
    );
    assert_eq!(
        names[names.len() - 3..],
        ["contentEnd", "usageEvent", "completionEnd"]
    );
    assert_eq!(texts(&events), "You said: \"good morning\"");
    let completion = &events[0]["event"]["completionStart"]["completionId"];
    for event in &events {
        let event = event["event"].as_object().unwrap().values().next().unwrap();
        assert_eq!(&event["completionId"], completion);
        assert_eq!(event["promptName"], "p");
    }
    let usage = &events[events.len() - 2]["event"]["usageEvent"];
    assert_eq!(usage["totalInputTokens"], 5);
    assert_eq!(usage["totalOutputTokens"], 4);
    assert_eq!(usage["totalTokens"], 9);

    let events = content(&mut session, "TEXT", "USER", &["again"]);
    let usage = &events[events.len() - 2]["event"]["usageEvent"];
    assert_eq!(usage["totalInputTokens"], 6);
    assert_eq!(usage["details"]["delta"]["input"]["textTokens"], 1);
    assert_eq!(usage["details"]["total"]["input"]["textTokens"], 6);

    let end = json!({ "promptName": "p" });
    take(&mut session, "promptEnd", end).unwrap();
    assert!(!session.ended());
    take(&mut session, "sessionEnd", json!({})).unwrap();
    assert!(session.ended());
}

#[test]
fn audio_is_transcribed_and_spoken_back() {
    let mut session = prompted(true);
    let sound = BASE64.encode([7; 3000]);
    let events = content(&mut session, "AUDIO", "USER", &[&sound, &sound]);
    assert_eq!(
        texts(&events),
        "6000 bytes of audioYou said: \"6000 bytes of audio\""
    );
    let spoken: Vec<u8> = events
        .iter()
        .filter_map(|event| event["event"]["audioOutput"]["content"].as_str())
        .flat_map(|piece| BASE64.decode(piece).unwrap())
        .collect();
    assert_eq!(spoken, [7; 6000]);
    let usage = &events[events.len() - 2]["event"]["usageEvent"];
    assert_eq!(usage["details"]["total"]["input"]["speechTokens"], 6);
    assert_eq!(usage["details"]["total"]["output"]["speechTokens"], 6);
    let stages: Vec<_> = events
        .iter()
        .filter_map(|event| event["event"]["contentStart"]["additionalModelFields"].as_str())
        .collect();
    assert_eq!(
        stages,
        [
            r#"{"generationStage":"FINAL"}"#,
            r#"{"generationStage":"SPECULATIVE"}"#
        ]
    );
    // A long content is counted and not kept.
    let long: Vec<&str> = std::iter::repeat_n(sound.as_str(), 100).collect();
    let events = content(&mut session, "AUDIO", "USER", &long);
    assert!(texts(&events).starts_with("300000 bytes"));
}

#[test]
fn results_of_tools_are_answered() {
    let mut session = prompted(false);
    let events = content(&mut session, "TOOL", "TOOL", &["{\"degrees\": 20}"]);
    assert!(texts(&events).contains("degrees"));
}

#[test]
fn out_of_order() {
    let prompt = json!({ "promptName": "p" });
    let start = json!({ "promptName": "p", "contentName": "c", "type": "TEXT", "role": "USER" });
    let said = json!({ "promptName": "p", "contentName": "c", "content": "x" });
    let mut fresh = Session::new();
    for name in ["promptStart", "textInput", "sessionEnd"] {
        let error = take(&mut fresh, name, prompt.clone()).unwrap_err();
        assert!(error.contains("precedes sessionStart"), "{error}");
    }
    for (name, event, wanted) in [
        ("sessionStart", json!({}), "twice"),
        ("promptStart", prompt.clone(), "twice"),
        ("contentStart", json!({ "promptName": "q" }), "No prompt q"),
        ("contentStart", json!({ "promptName": "p" }), "contentName"),
        ("textInput", said.clone(), "No such content c"),
        ("contentEnd", said.clone(), "No content c"),
        ("promptEnd", json!({ "promptName": "q" }), "No prompt q"),
        ("bargeIn", json!({}), "no input event"),
    ] {
        let error = take(&mut prompted(false), name, event).unwrap_err();
        assert!(error.contains(wanted), "{name}: {error}");
    }
    let mut session = prompted(false);
    take(&mut session, "contentStart", start.clone()).unwrap();
    let error = take(&mut session, "contentStart", start).unwrap_err();
    assert!(error.contains("open already"), "{error}");
    let error = take(&mut session, "audioInput", said.clone()).unwrap_err();
    assert!(error.contains("No such content"), "{error}");
    take(&mut session, "promptEnd", prompt).unwrap();
    assert!(take(&mut session, "textInput", said.clone()).is_err());
    take(&mut session, "sessionEnd", json!({})).unwrap();
    let error = take(&mut session, "textInput", said).unwrap_err();
    assert!(error.contains("follows sessionEnd"), "{error}");
}

#[test]
fn what_is_no_event() {
    for chunk in [
        "",
        "1",
        "{}",
        r#"{"event":{}}"#,
        r#"{"event":{"a":{},"b":{}}}"#,
    ] {
        let refusal = Session::new().take(chunk.as_bytes()).unwrap_err();
        assert_eq!(refusal.body["message"], UNREADABLE, "{chunk}");
    }
    let mut session = prompted(true);
    let start = json!({ "promptName": "p", "contentName": "c", "type": "AUDIO", "role": "USER" });
    take(&mut session, "contentStart", start).unwrap();
    let noise = json!({ "promptName": "p", "contentName": "c", "content": "?" });
    assert!(
        take(&mut session, "audioInput", noise)
            .unwrap_err()
            .contains("base64")
    );
}
