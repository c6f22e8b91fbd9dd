//! Two of the layers around a gRPC service: who may call it, and what became of every call.
//!
//! Run with `cargo run --example tonic`. It calls tonic's health service three times.

use std::error::Error;

use tonic::transport::{Channel, Server, server::TcpIncoming};
use tonic::{Code, Request, metadata::MetadataValue};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower_bedrock::auth::{BearerTokens, GatewayAuthLayer};
use tower_bedrock::observe::{ObservabilityLayer, from_fn};

const TOKEN: &str = "Bearer demo-token";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let print = from_fn(|record| {
        println!(
            "record: {} gRPC status {:?}, {}, success {}, {:?}",
            record.path, record.grpc_status, record.outcome, record.success, record.error
        );
    });
    let (_reporter, health) = tonic_health::server::health_reporter();
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into())?.with_nodelay(Some(true));
    let url = format!("http://{}", incoming.local_addr()?);
    let server = Server::builder()
        // One record for every call, with the status that gRPC ended it with.
        .layer(ObservabilityLayer::new().with_sink(print))
        // Only holders of a token; others get UNAUTHENTICATED, in the head and without a body.
        .layer(GatewayAuthLayer::new(BearerTokens::new(["demo-token"])?))
        .serve_with_incoming(health, incoming);
    let server = tokio::spawn(server);

    let channel = Channel::from_shared(url)?.connect().await?;
    let check = async |service: &str, token: Option<&'static str>| {
        let mut request = Request::new(HealthCheckRequest {
            service: service.to_owned(),
        });
        if let Some(token) = token {
            let token = MetadataValue::from_static(token);
            request.metadata_mut().insert("authorization", token);
        }
        HealthClient::new(channel.clone()).check(request).await
    };

    let refused = check("", None).await.err().ok_or("it let everybody in")?;
    assert_eq!(refused.code(), Code::Unauthenticated);
    println!("without a token: {refused}");

    let served = check("", Some(TOKEN)).await?.into_inner();
    println!("with a token: {:?}", served.status());

    let unknown = check("unknown", Some(TOKEN)).await.err();
    println!(
        "of a service that is not there: {:?}",
        unknown.map(|status| status.code())
    );

    server.abort();
    Ok(())
}
