//! Which error the SDK makes of what went wrong.

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::Config;
use aws_sdk_bedrockruntime::config::retry::RetryConfig;
use aws_sdk_bedrockruntime::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_bedrockruntime::operation::converse::ConverseError;
use aws_sdk_bedrockruntime::operation::invoke_model::InvokeModelError as E;
use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::types::error::ConverseStreamOutputError;

use crate::clients::Clients;
use crate::operations::question;
use crate::report::{Outcome, Report, ensure};

type IsError = fn(&E) -> bool;

const FAULTS: [(&str, u16, IsError); 10] = [
    ("error-400", 400, |e| matches!(e, E::ValidationException(_))),
    ("error-403", 403, |e| {
        matches!(e, E::AccessDeniedException(_))
    }),
    ("error-404", 404, |e| {
        matches!(e, E::ResourceNotFoundException(_))
    }),
    ("error-408", 408, |e| {
        matches!(e, E::ModelTimeoutException(_))
    }),
    ("error-424", 424, |e| matches!(e, E::ModelErrorException(_))),
    ("error-429", 429, |e| matches!(e, E::ThrottlingException(_))),
    ("error-500", 500, |e| {
        matches!(e, E::InternalServerException(_))
    }),
    ("error-503", 503, |e| {
        matches!(e, E::ServiceUnavailableException(_))
    }),
    ("error-quota", 400, |e| {
        matches!(e, E::ServiceQuotaExceededException(_))
    }),
    ("error-not-ready", 429, |e| {
        matches!(e, E::ModelNotReadyException(_))
    }),
];

/// What Bedrock says is an error of the same type, behind whatever it stands.
pub(crate) async fn run(report: &mut Report, name: &str, client: &Client) {
    for (fault, status, is_error) in FAULTS {
        let case = format!("{name}: InvokeModel answered by {fault}");
        report
            .case(case, invoke(client, fault, status, is_error))
            .await;
    }
    report
        .case(
            format!("{name}: throttled twice, then served"),
            throttled(client, name),
        )
        .await;
    report
        .case(
            format!("{name}: ConverseStream with an exception at once"),
            first(client),
        )
        .await;
    report
        .case(
            format!("{name}: ConverseStream with an exception half way"),
            half_way(client),
        )
        .await;
    report
        .case(format!("{name}: ConverseStream cut off"), cut(client))
        .await;
}

async fn invoke(client: &Client, fault: &str, status: u16, is_error: IsError) -> Outcome {
    let error = client
        .invoke_model()
        .model_id(format!("us.anthropic.fault.{fault}"))
        .body(Blob::new("{}"))
        .customize()
        .config_override(once())
        .send()
        .await
        .err()
        .ok_or("served")?;
    let got = error
        .raw_response()
        .map(|response| response.status().as_u16());
    ensure!(got == Some(status), "{got:?}");
    let service = error.as_service_error().ok_or("no error of the service")?;
    ensure!(is_error(service), "{service:?}");
    ensure!(service.message().is_some(), "{service:?}");
    Ok(())
}

fn once() -> aws_sdk_bedrockruntime::config::Builder {
    Config::builder().retry_config(RetryConfig::disabled())
}

async fn throttled(client: &Client, name: &str) -> Outcome {
    let name = name.replace(' ', "-");
    let answer = client
        .converse()
        .model_id(format!(
            "us.anthropic.{name}-{}-fault.throttle-2",
            std::process::id()
        ))
        .messages(question())
        .send()
        .await?;
    ensure!(answer.usage().is_some(), "{answer:?}");
    Ok(())
}

async fn first(client: &Client) -> Outcome {
    let (events, error) = stream(client, "exception-first").await?;
    ensure!(events == 0, "{events} events");
    let error = error.ok_or("a clean end")?;
    let service = error.as_service_error().ok_or(format!("{error:?}"))?;
    ensure!(
        matches!(service, ConverseStreamOutputError::ValidationException(_)),
        "{service:?}"
    );
    Ok(())
}

async fn half_way(client: &Client) -> Outcome {
    let (events, error) = stream(client, "exception-mid").await?;
    ensure!(events > 1, "{events} events");
    let error = error.ok_or("a clean end")?;
    let service = error.as_service_error().ok_or(format!("{error:?}"))?;
    ensure!(
        matches!(
            service,
            ConverseStreamOutputError::ModelStreamErrorException(_)
        ),
        "{service:?}"
    );
    Ok(())
}

async fn cut(client: &Client) -> Outcome {
    let (events, error) = stream(client, "cut").await?;
    ensure!(events > 1, "{events} events");
    let error = error.ok_or("a clean end")?;
    ensure!(error.as_service_error().is_none(), "{error:?}");
    Ok(())
}

type StreamError =
    Box<SdkError<ConverseStreamOutputError, aws_smithy_types::event_stream::RawMessage>>;

/// How many events came, and what ended them.
async fn stream(client: &Client, fault: &str) -> Outcome<(usize, Option<StreamError>)> {
    let answer = client
        .converse_stream()
        .model_id(format!("us.anthropic.fault.{fault}"))
        .messages(question())
        .send()
        .await?;
    let mut stream = answer.stream;
    let mut events = 0;
    loop {
        match stream.recv().await {
            Ok(Some(_)) => events += 1,
            Ok(None) => return Ok((events, None)),
            Err(error) => return Ok((events, Some(Box::new(error)))),
        }
    }
}

/// What the gateway itself refuses, and what Bedrock's front door does.
pub(crate) async fn run_refused(report: &mut Report, clients: &Clients<'_>) {
    if let Some(gateway) = clients.gateway() {
        let denied: fn(&ConverseError) -> bool =
            |e| matches!(e, ConverseError::AccessDeniedException(_));
        let invalid: fn(&ConverseError) -> bool =
            |e| matches!(e, ConverseError::ValidationException(_));
        let elsewhere = gateway.replace("/v1/demo/demo/", "/v1/demo/none/");
        for (case, client, status, is_error) in [
            (
                "a wrong token",
                clients.bearer(gateway, "wrong"),
                401,
                denied,
            ),
            ("no token", clients.stranger(gateway), 401, denied),
            (
                "an unknown alias",
                clients.stored_key(gateway, "none"),
                400,
                invalid,
            ),
            (
                "an unknown gateway",
                clients.stored_key(&elsewhere, "default"),
                400,
                invalid,
            ),
        ] {
            report
                .case(
                    format!("refused: {case}"),
                    refused(&client, status, is_error),
                )
                .await;
        }
    }
    if let Some(direct) = clients.direct() {
        let stranger = clients.stranger(direct);
        let unrecognized: fn(&ConverseError) -> bool =
            |e| e.code() == Some("UnrecognizedClientException");
        report
            .case(
                "refused: unknown keys, direct".to_owned(),
                refused(&stranger, 403, unrecognized),
            )
            .await;
    }
}

async fn refused(client: &Client, status: u16, is_error: fn(&ConverseError) -> bool) -> Outcome {
    let error = client
        .converse()
        .model_id("amazon.nova-lite-v1:0")
        .messages(question())
        .send()
        .await
        .err()
        .ok_or("served")?;
    let got = error
        .raw_response()
        .map(|response| response.status().as_u16());
    ensure!(got == Some(status), "{got:?}");
    let service = error.as_service_error().ok_or("no error of the service")?;
    ensure!(is_error(service), "{service:?}");
    ensure!(service.message().is_some(), "{service:?}");
    Ok(())
}
