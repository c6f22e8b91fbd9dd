//! InvokeModelWithBidirectionalStream: answers while the request is still being written.

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::error::SdkError;
use aws_sdk_bedrockruntime::primitives::event_stream::EventReceiver;
use aws_sdk_bedrockruntime::primitives::{Blob, event_stream::EventStreamSender};
use aws_sdk_bedrockruntime::types::error::{
    InvokeModelWithBidirectionalStreamInputError as InputError,
    InvokeModelWithBidirectionalStreamOutputError as OutputError,
};
use aws_sdk_bedrockruntime::types::{
    BidirectionalInputPayloadPart, InvokeModelWithBidirectionalStreamInput as Input,
    InvokeModelWithBidirectionalStreamOutput as Output,
};
use aws_smithy_types::event_stream::RawMessage;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::report::{Outcome, Report, ensure};

const SONIC: &str = "amazon.nova-2-sonic-v1:0";
const ECHO: &str = "example.echo";

pub(crate) async fn run(report: &mut Report, name: &str, client: &Client) {
    let case = |what: &str| format!("{name}: InvokeModelWithBidirectionalStream {what}");
    report.case(case("ping-pong"), ping_pong(client)).await;
    report.case(case("with a Nova Sonic"), sonic(client)).await;
    report.case(case("with large chunks"), large(client)).await;
    report
        .case(case("written without being read"), flood(client))
        .await;
    report
        .case(case("at the same time as others"), many(client))
        .await;
    report
        .case(case("with an exception"), exception(client))
        .await;
    report.case(case("ended by the model"), ended(client)).await;
    report.case(case("cut off"), cut(client)).await;
    report
        .case(case("refused at its head"), refused(client))
        .await;
    report.case(case("left by the client"), left(client)).await;
}

struct Talk {
    input: Option<mpsc::Sender<Result<Input, InputError>>>,
    output: EventReceiver<Output, OutputError>,
}

type Failure = Box<SdkError<OutputError, RawMessage>>;

impl Talk {
    async fn open(client: &Client, model: &str) -> Outcome<Self> {
        let (input, receiver) = mpsc::channel(4);
        let answer = client
            .invoke_model_with_bidirectional_stream()
            .model_id(model)
            .body(EventStreamSender::from(ReceiverStream::new(receiver)))
            .send()
            .await?;
        Ok(Self {
            input: Some(input),
            output: answer.body,
        })
    }

    async fn send(&self, bytes: impl Into<Vec<u8>>) -> Outcome {
        let chunk = BidirectionalInputPayloadPart::builder()
            .bytes(Blob::new(bytes))
            .build();
        let input = self.input.as_ref().ok_or("ended")?;
        input.send(Ok(Input::Chunk(chunk))).await?;
        Ok(())
    }

    async fn event(&self, name: &str, event: Value) -> Outcome {
        self.send(json!({ "event": { name: event } }).to_string())
            .await
    }

    async fn try_next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        match self.output.recv().await? {
            Some(Output::Chunk(chunk)) => Ok(chunk.bytes.map(Blob::into_inner)),
            _ => Ok(None),
        }
    }

    async fn next(&mut self) -> Outcome<Vec<u8>> {
        Ok(self.try_next().await?.ok_or("the answer is over")?)
    }

    /// Ends the request, and sees the answer end.
    async fn end(mut self) -> Outcome {
        self.input = None;
        let more = self.try_next().await?;
        ensure!(more.is_none(), "{more:?}");
        Ok(())
    }

    /// Reads up to the failure that ends the answer.
    async fn failure(&mut self) -> Outcome<Failure> {
        loop {
            match self.try_next().await {
                Ok(Some(_)) => {}
                Ok(None) => return Err("a clean end".into()),
                Err(failure) => return Ok(failure),
            }
        }
    }
}

async fn ping_pong(client: &Client) -> Outcome {
    let mut talk = Talk::open(client, ECHO).await?;
    for turn in 0..50 {
        let said = format!("turn {turn}");
        talk.send(said.clone()).await?;
        let heard = talk.next().await?;
        ensure!(heard == said.as_bytes(), "{heard:?} for {said}");
    }
    talk.end().await
}

async fn sonic(client: &Client) -> Outcome {
    let mut talk = Talk::open(client, SONIC).await?;
    let inference = json!({ "maxTokens": 1024, "topP": 0.9, "temperature": 0.7 });
    talk.event(
        "sessionStart",
        json!({ "inferenceConfiguration": inference }),
    )
    .await?;
    let audio =
        json!({ "mediaType": "audio/lpcm", "sampleRateHertz": 24000, "encoding": "base64" });
    let prompt = json!({ "promptName": "p", "audioOutputConfiguration": audio });
    talk.event("promptStart", prompt).await?;
    for (content, text) in [("a", "hello there"), ("b", "and again")] {
        let start =
            json!({ "promptName": "p", "contentName": content, "type": "TEXT", "role": "USER" });
        talk.event("contentStart", start).await?;
        let input = json!({ "promptName": "p", "contentName": content, "content": text });
        talk.event("textInput", input).await?;
        talk.event(
            "contentEnd",
            json!({ "promptName": "p", "contentName": content }),
        )
        .await?;
        let (mut said, mut spoken, mut usage) = (String::new(), 0, Value::Null);
        loop {
            let event: Value = serde_json::from_slice(&talk.next().await?)?;
            let event = &event["event"];
            said.push_str(event["textOutput"]["content"].as_str().unwrap_or_default());
            spoken += usize::from(event["audioOutput"].is_object());
            if event["usageEvent"].is_object() {
                usage = event["usageEvent"].clone();
            }
            if event["completionEnd"].is_object() {
                break;
            }
        }
        ensure!(said.contains(text), "{said}");
        ensure!(
            spoken > 0 && usage["totalTokens"].as_u64() > Some(0),
            "{usage}"
        );
    }
    talk.event("promptEnd", json!({ "promptName": "p" }))
        .await?;
    talk.event("sessionEnd", json!({})).await?;
    talk.end().await
}

async fn large(client: &Client) -> Outcome {
    let mut talk = Talk::open(client, ECHO).await?;
    for size in [0, 1, 65_536, 1_000_000] {
        let said = vec![b'x'; size];
        talk.send(said.clone()).await?;
        let heard = talk.next().await?;
        ensure!(heard == said, "{} bytes for {size}", heard.len());
    }
    talk.end().await
}

/// The request is written as fast as it is taken, the answer read beside it.
async fn flood(client: &Client) -> Outcome {
    const CHUNKS: usize = 100;
    let mut talk = Talk::open(client, ECHO).await?;
    let input = talk.input.take().ok_or("ended")?;
    let writer = tokio::spawn(async move {
        for _ in 0..CHUNKS {
            let bytes = Blob::new(vec![b'x'; 50_000]);
            let chunk = BidirectionalInputPayloadPart::builder()
                .bytes(bytes)
                .build();
            input.send(Ok(Input::Chunk(chunk))).await?;
        }
        Outcome::Ok(())
    });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    for index in 0..CHUNKS {
        let heard = talk.next().await?;
        ensure!(heard.len() == 50_000, "{} bytes at {index}", heard.len());
    }
    writer.await??;
    talk.end().await
}

async fn many(client: &Client) -> Outcome {
    let mut talks = Vec::new();
    for _ in 0..20 {
        talks.push(Talk::open(client, ECHO).await?);
    }
    for turn in 0..3 {
        for (index, talk) in talks.iter().enumerate() {
            talk.send(format!("{index} {turn}")).await?;
        }
        for (index, talk) in talks.iter_mut().enumerate() {
            let heard = talk.next().await?;
            ensure!(heard == format!("{index} {turn}").as_bytes(), "{heard:?}");
        }
    }
    for talk in talks {
        talk.end().await?;
    }
    Ok(())
}

async fn exception(client: &Client) -> Outcome {
    let mut talk = Talk::open(client, SONIC).await?;
    talk.event("promptStart", json!({ "promptName": "p" }))
        .await?;
    let failure = talk.failure().await?;
    let service = failure.as_service_error().ok_or(format!("{failure:?}"))?;
    ensure!(
        matches!(service, OutputError::ValidationException(_)),
        "{service:?}"
    );
    ensure!(service.to_string().contains("Validation"), "{service}");
    Ok(())
}

/// The answer is over while the request could go on.
async fn ended(client: &Client) -> Outcome {
    let mut talk = Talk::open(client, "fault.no-message-stop").await?;
    talk.send("hello").await?;
    let more = talk.try_next().await?;
    ensure!(more.is_none(), "{more:?}");
    Ok(())
}

async fn cut(client: &Client) -> Outcome {
    let mut talk = Talk::open(client, "fault.cut").await?;
    talk.send("hello").await?;
    let failure = talk.failure().await?;
    ensure!(failure.as_service_error().is_none(), "{failure:?}");
    Ok(())
}

async fn refused(client: &Client) -> Outcome {
    let (input, receiver) = mpsc::channel(1);
    let error = client
        .invoke_model_with_bidirectional_stream()
        .model_id("fault.error-400")
        .body(EventStreamSender::from(ReceiverStream::new(receiver)))
        .send()
        .await
        .err()
        .ok_or("served")?;
    drop(input);
    let service = error.as_service_error().ok_or("no error of the service")?;
    ensure!(service.is_validation_exception(), "{service:?}");
    Ok(())
}

/// A client that goes away in the middle must not spoil the connection for the next.
async fn left(client: &Client) -> Outcome {
    let mut talk = Talk::open(client, ECHO).await?;
    talk.send("hello").await?;
    talk.next().await?;
    drop(talk);
    ping_pong(client).await
}
