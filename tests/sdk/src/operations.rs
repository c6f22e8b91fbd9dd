//! The operations that are answered once, and those that are answered as a stream.

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::types::{
    ContentBlock, ConversationRole, ConverseStreamOutput, ConverseTokensRequest, CountTokensInput,
    Message, ResponseStream, StopReason, SystemContentBlock,
};
use serde_json::{Value, json};

use crate::report::{Outcome, Report, ensure};

const CLAUDE: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
const NOVA: &str = "amazon.nova-lite-v1:0";
const PROFILE: &str = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0";
const QUESTION: &str = "What is a gateway?";

pub(crate) async fn run(report: &mut Report, name: &str, client: &Client) {
    for model in [CLAUDE, NOVA, PROFILE] {
        let case = format!("{name}: Converse {model}");
        report.case(case, converse(client, model)).await;
    }
    report
        .case(format!("{name}: ConverseStream"), converse_stream(client))
        .await;
    report
        .case(format!("{name}: InvokeModel"), invoke(client))
        .await;
    report
        .case(
            format!("{name}: InvokeModelWithResponseStream"),
            invoke_stream(client),
        )
        .await;
    report
        .case(format!("{name}: CountTokens"), count_tokens(client))
        .await;
}

pub(crate) fn question() -> Message {
    Message::builder()
        .role(ConversationRole::User)
        .content(ContentBlock::Text(QUESTION.to_owned()))
        .build()
        .expect("a message has a role and content")
}

async fn converse(client: &Client, model: &str) -> Outcome {
    let answer = client
        .converse()
        .model_id(model)
        .system(SystemContentBlock::Text("Be brief.".to_owned()))
        .messages(question())
        .send()
        .await?;
    let message = answer.output().and_then(|output| output.as_message().ok());
    let text = message
        .and_then(|message| message.content().first()?.as_text().ok())
        .ok_or("no text")?;
    ensure!(text.contains(QUESTION), "{text}");
    ensure!(answer.stop_reason() == &StopReason::EndTurn, "{answer:?}");
    let usage = answer.usage().ok_or("no usage")?;
    ensure!(
        usage.input_tokens() == 6 && usage.output_tokens() > 0,
        "{usage:?}"
    );
    Ok(())
}

async fn converse_stream(client: &Client) -> Outcome {
    let answer = client
        .converse_stream()
        .model_id(CLAUDE)
        .messages(question())
        .send()
        .await?;
    let mut stream = answer.stream;
    let (mut text, mut deltas, mut stop, mut usage) = (String::new(), 0, None, None);
    while let Some(event) = stream.recv().await? {
        match event {
            ConverseStreamOutput::ContentBlockDelta(event) => {
                let delta = event.delta().and_then(|delta| delta.as_text().ok());
                text.push_str(delta.ok_or("no text")?);
                deltas += 1;
            }
            ConverseStreamOutput::MessageStop(event) => stop = Some(event.stop_reason),
            ConverseStreamOutput::Metadata(event) => usage = event.usage,
            _ => {}
        }
    }
    ensure!(
        text.contains(QUESTION) && deltas > 1,
        "{deltas} deltas of {text}"
    );
    ensure!(stop == Some(StopReason::EndTurn), "{stop:?}");
    let usage = usage.ok_or("no usage")?;
    ensure!(usage.input_tokens() == 4, "{usage:?}");
    Ok(())
}

fn claude_body() -> Blob {
    let body = json!({
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 256,
        "messages": [{ "role": "user", "content": QUESTION }],
    });
    Blob::new(body.to_string())
}

async fn invoke(client: &Client) -> Outcome {
    let answer = client
        .invoke_model()
        .model_id(CLAUDE)
        .content_type("application/json")
        .body(claude_body())
        .send()
        .await?;
    ensure!(answer.content_type() == "application/json", "{answer:?}");
    let body: Value = serde_json::from_slice(answer.body().as_ref())?;
    let text = body["content"][0]["text"].as_str().unwrap_or_default();
    ensure!(text.contains(QUESTION), "{body}");
    Ok(())
}

async fn invoke_stream(client: &Client) -> Outcome {
    let answer = client
        .invoke_model_with_response_stream()
        .model_id(CLAUDE)
        .content_type("application/json")
        .body(claude_body())
        .send()
        .await?;
    let mut stream = answer.body;
    let (mut text, mut last) = (String::new(), Value::Null);
    while let Some(event) = stream.recv().await? {
        let ResponseStream::Chunk(chunk) = event else {
            return Err(format!("{event:?}").into());
        };
        let bytes = chunk.bytes().ok_or("no bytes")?;
        last = serde_json::from_slice(bytes.as_ref())?;
        text.push_str(last["delta"]["text"].as_str().unwrap_or_default());
    }
    ensure!(text.contains(QUESTION), "{text}");
    let metrics = &last["amazon-bedrock-invocationMetrics"];
    ensure!(metrics["inputTokenCount"] == 4, "{last}");
    Ok(())
}

async fn count_tokens(client: &Client) -> Outcome {
    let request = ConverseTokensRequest::builder()
        .messages(question())
        .build();
    let answer = client
        .count_tokens()
        .model_id(CLAUDE)
        .input(CountTokensInput::Converse(request))
        .send()
        .await?;
    ensure!(answer.input_tokens() == 4, "{answer:?}");
    Ok(())
}
