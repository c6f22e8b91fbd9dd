use std::slice;

use aws_credential_types::Credentials;
use aws_sigv4::event_stream::{SigningParams, sign_empty_message, sign_message};
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue as Value, Message};

use super::*;
use crate::eventstream::Decoder;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const SEED: &str = "1b70a8dbef41b0c28d23b9bc5c28d5ad1a42ba5d9b2bfa0a5ae7ea27a5ad2a01";

fn at(timestamp: &str) -> SystemTime {
    scope::parse_timestamp(timestamp).unwrap()
}

fn chain() -> Chain {
    Chain {
        secret: SECRET.to_owned(),
        region: "us-east-1".to_owned(),
        service: "bedrock".to_owned(),
        prior: SEED.to_owned(),
        ended: false,
    }
}

/// Messages as `aws-sigv4` signs them, one at each of these times, and the empty one last.
fn signed(times: &[&str]) -> Vec<Message> {
    let identity = Credentials::new("AKIDEXAMPLE", SECRET, None, None, "test").into();
    let mut prior = SEED.to_owned();
    let mut messages = Vec::new();
    for (index, time) in times.iter().enumerate() {
        let params: SigningParams<'_> = aws_sigv4::sign::v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name("bedrock")
            .time(at(time))
            .settings(())
            .build()
            .unwrap();
        let output = if index + 1 == times.len() {
            sign_empty_message(&prior, &params)
        } else {
            sign_message(&Message::new(format!("message {index}")), &prior, &params)
        };
        let (message, signature) = output.unwrap().into_parts();
        messages.push(message);
        prior = signature;
    }
    messages
}

fn frame(message: &Message) -> Frame {
    let mut wire = Vec::new();
    write_message_to(message, &mut wire).unwrap();
    let mut decoder = Decoder::new();
    decoder.push(wire.into());
    decoder.next().unwrap().unwrap()
}

/// What the chain says of these messages, up to the first that it refuses.
fn verdicts(messages: &[Message], now: &str) -> Vec<Result<bool, String>> {
    let mut chain = chain();
    let mut verdicts = Vec::new();
    for message in messages {
        let verdict = chain.unwrap(&frame(message), at(now));
        let failed = verdict.is_err();
        verdicts.push(match verdict {
            Ok(inner) => Ok(inner.is_some()),
            Err(refusal) => {
                assert_eq!(refusal.name, "InvalidSignatureException");
                Err(refusal.body["message"].as_str().unwrap().to_owned())
            }
        });
        if failed {
            break;
        }
    }
    verdicts
}

const NOON: &str = "20260102T120000Z";

#[test]
fn a_chain_is_followed_to_its_end() {
    let messages = signed(&[NOON; 4]);
    let mut chain = chain();
    for message in &messages[..3] {
        let inner = chain.unwrap(&frame(message), at(NOON)).unwrap().unwrap();
        assert_eq!(&inner, message.payload());
        assert!(!chain.ended());
    }
    assert_eq!(chain.unwrap(&frame(&messages[3]), at(NOON)), Ok(None));
    assert!(chain.ended());
}

#[test]
fn the_scope_has_the_date_of_the_message() {
    let midnight = ["20260102T235959Z", "20260103T000000Z", "20260103T000001Z"];
    let verdicts = verdicts(&signed(&midnight), "20260103T000000Z");
    assert_eq!(verdicts, [Ok(true), Ok(true), Ok(false)]);
}

#[test]
fn broken_links() {
    let good = signed(&[NOON; 4]);
    let swapped = [good[1].clone(), good[0].clone()];
    let left_out = [good[0].clone(), good[2].clone()];
    let repeated = [good[0].clone(), good[0].clone()];
    let other = Message::new_from_parts(good[0].headers().to_vec(), "message 1");
    let foreign = Message::new_from_parts(good[1].headers().to_vec(), good[0].payload().clone());
    for (what, messages, accepted) in [
        ("in another order", &swapped[..], 0),
        ("one missing", &left_out[..], 1),
        ("one twice", &repeated[..], 1),
        ("another payload", slice::from_ref(&other), 0),
        ("another signature", slice::from_ref(&foreign), 0),
    ] {
        let mut wanted = vec![Ok(true); accepted];
        wanted.push(Err(MISMATCH.to_owned()));
        assert_eq!(verdicts(messages, NOON), wanted, "{what}");
    }
    let after = [good[..].to_vec(), signed(&[NOON])].concat();
    let last = verdicts(&after, NOON).pop().unwrap().unwrap_err();
    assert!(last.contains("follows"), "{last}");
}

#[test]
fn headers_are_those_two() {
    let good = signed(&[NOON; 2]).remove(0);
    let [signature, date] = [0, 1].map(|index| good.headers()[index].clone());
    let extra = Header::new(":event-type", Value::String("chunk".into()));
    let text = Header::new(":date", Value::String("now".into()));
    let short = Header::new(":chunk-signature", Value::ByteArray(vec![0; 31].into()));
    let with = |headers: Vec<Header>| Message::new_from_parts(headers, good.payload().clone());
    for headers in [
        vec![],
        vec![signature.clone()],
        vec![date.clone()],
        vec![signature.clone(), date.clone(), extra],
        vec![signature.clone(), date.clone(), date.clone()],
        vec![signature.clone(), text],
        vec![short, date.clone()],
    ] {
        let verdict = verdicts(&[with(headers.clone())], NOON).remove(0);
        assert!(verdict.unwrap_err().contains("no others"), "{headers:?}");
    }
    let turned = with(vec![date, signature]);
    assert_eq!(verdicts(&[turned], NOON), [Ok(true)]);
}

#[test]
fn five_minutes_either_way() {
    let messages = signed(&[NOON; 2]);
    for (now, good) in [
        ("20260102T120500Z", true),
        ("20260102T120501Z", false),
        ("20260102T115500Z", true),
        ("20260102T115459Z", false),
    ] {
        assert_eq!(verdicts(&messages[..1], now)[0].is_ok(), good, "{now}");
    }
    let date = Header::new(
        ":date",
        Value::Timestamp(aws_smithy_types::DateTime::from_secs(-1)),
    );
    let headers = vec![messages[0].headers()[0].clone(), date];
    let before = Message::new_from_parts(headers, messages[0].payload().clone());
    assert!(verdicts(&[before], NOON)[0].is_err());
}
