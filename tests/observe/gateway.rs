//! The same through a whole gateway, before the emulator.

use std::time::Duration;

use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_bedrock::observe::{Capture, Outcome, Price, Prices};

use super::support::{CONVERSE, MODEL, base, eventually, post, stack, stack_with};

#[tokio::test]
async fn a_client_sees_what_its_request_cost_and_the_record_its_body() {
    let stack = stack_with(|builder| {
        let price = Price::per_million(1.0, 1.0).unwrap();
        builder
            .payloads(Capture::new(100_000))
            .usage_headers(100_000)
            .prices(Prices::bundled().with_price(MODEL, price))
    })
    .await;
    let path = format!("{}/model/{MODEL}/converse", base("prod"));
    let request = post(&path)
        .header("cf-aig-metadata", r#"{"team":"a"}"#)
        .body(CONVERSE.into())
        .unwrap();
    let (head, body) = stack.send(request).await;
    assert_eq!(head.status, 200);
    let record = stack.record();
    assert_eq!(record.outcome, Outcome::Complete);
    let (tokens_in, tokens_out) = (record.tokens_in.unwrap(), record.tokens_out.unwrap());
    assert_eq!(
        head.headers["x-bedrock-usage-tokens-in"],
        tokens_in.to_string()
    );
    assert_eq!(
        head.headers["x-bedrock-usage-tokens-out"],
        tokens_out.to_string()
    );
    let cost = record.cost.unwrap();
    assert_eq!(cost.picodollars(), (tokens_in + tokens_out) * 1_000_000);
    assert_eq!(head.headers["x-bedrock-usage-cost"], cost.to_string());
    let request_body = record.request_body.as_ref().unwrap();
    assert_eq!(request_body.data(), CONVERSE.as_bytes());
    assert!(request_body.is_complete());
    assert_eq!(record.response_body.as_ref().unwrap().data(), body);
    assert_eq!(record.metadata.as_ref().unwrap().len(), 1);
    let arrived = stack.emulator.take_requests();
    let names = arrived[0].headers.keys();
    assert!(
        !names
            .into_iter()
            .any(|name| name.as_str().starts_with("cf-"))
    );
}

#[tokio::test]
async fn the_usage_of_a_stream_whose_client_left() {
    for drains in [true, false] {
        let stack = stack_with(|builder| match drains {
            true => builder.drain(Duration::from_secs(20), 10_000_000),
            false => builder,
        })
        .await;
        let path = format!("{}/model/{MODEL}/converse-stream", base("prod"));
        let request = post(&path)
            .body(http_body_util::Full::from(CONVERSE))
            .unwrap();
        let response = stack.gateway.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let mut body = response.into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        drop(body);
        eventually("a record", || !stack.records.is_empty()).await;
        let record = stack.record();
        // An answer may be so short that it comes in one piece; its end is still to come.
        assert_eq!(record.outcome, Outcome::ClientDisconnect);
        assert_eq!(record.response_size, Some(first.len() as u64));
        if drains {
            assert!(record.tokens_out.is_some());
            assert!(record.cost.is_some());
        }
    }
}

/// What AWS calls a request that the gateway's own credentials did not get through is what to ask
/// AWS about; the client is told the log id.
#[tokio::test]
async fn rejected_credentials_have_the_id_of_aws() {
    let stack = stack().await;
    let native = format!("{}/model/{}/converse", base("broken"), MODEL);
    let compat = format!(
        r#"{{"model":"aws-bedrock/{}","messages":[{{"role":"user","content":"Hello"}}]}}"#,
        MODEL
    );
    for (path, body) in [
        (&*native, CONVERSE.to_owned()),
        ("/v1/acme/broken/compat/chat/completions", compat),
    ] {
        let request = post(path).body(body.into()).unwrap();
        let (head, answer) = stack.send(request).await;
        assert_eq!(head.status, 502, "{answer:?}");
        let record = stack.records.snapshot().remove(0);
        assert_eq!(record.outcome, Outcome::UpstreamError);
        let id = record.upstream_request_id.as_deref().unwrap();
        assert!(!id.is_empty() && id != record.id, "{id}");
        let told = head.headers.values().any(|value| value == id);
        assert!(!told, "{:?}", head.headers);
    }
}
