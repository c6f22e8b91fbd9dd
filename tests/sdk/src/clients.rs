//! The ways in which an application gives the SDK its credentials and the gateway its token.

use aws_credential_types::Credentials;
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::http::HttpRequest;
use aws_sdk_bedrockruntime::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_bedrockruntime::config::retry::RetryConfig;
use aws_sdk_bedrockruntime::config::{
    BehaviorVersion, Builder, Config, ConfigBag, Intercept, Region, RuntimeComponents,
    SharedHttpClient, Token,
};
use aws_sdk_bedrockruntime::error::BoxError;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use std::time::Duration;

/// The key pair that the emulator knows, which is that of AWS's documentation.
const KNOWN: (&str, &str) = (
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
);
/// Keys that nobody knows: an SDK must have some to send anything.
const THROWN_AWAY: (&str, &str) = ("AKIATHROWNAWAY", "nothing");
const API_KEY: &str = "bedrock-api-key-emulator";

pub(crate) struct Options {
    pub(crate) gateway: Option<String>,
    pub(crate) direct: Option<String>,
    pub(crate) token: String,
    pub(crate) ca: Option<Vec<u8>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            gateway: None,
            direct: None,
            token: "demo-token".to_owned(),
            ca: None,
        }
    }
}

pub(crate) struct Clients<'a> {
    options: &'a Options,
    http: SharedHttpClient,
}

impl<'a> Clients<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        let mut trust = TrustStore::empty();
        if let Some(pem) = &options.ca {
            trust.add_pem_certificate(pem.clone());
        }
        let context = TlsContext::builder()
            .with_trust_store(trust)
            .build()
            .expect("a trust store suffices");
        // HTTP/2 where TLS agrees on it, else HTTP/1.1.
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(context)
            .build_https();
        Self { options, http }
    }

    /// Every client that ought to be served, by what its cases are called.
    pub(crate) fn all(&self) -> Vec<(&'static str, Client)> {
        let mut clients = Vec::new();
        if let Some(gateway) = &self.options.gateway {
            clients.push(("stored key", self.stored_key(gateway, "default")));
            clients.push((
                "token as API key",
                self.bearer(gateway, &self.options.token),
            ));
            clients.push(("signed by the client", self.passed(gateway)));
        }
        if let Some(direct) = &self.options.direct {
            let signed = keys(self.base().endpoint_url(direct), KNOWN);
            clients.push(("direct", Client::from_conf(signed.build())));
            clients.push(("direct with API key", self.bearer(direct, API_KEY)));
        }
        clients
    }

    pub(crate) fn gateway(&self) -> Option<&str> {
        self.options.gateway.as_deref()
    }

    pub(crate) fn direct(&self) -> Option<&str> {
        self.options.direct.as_deref()
    }

    /// Signed with keys that nobody knows; token and alias come after signing.
    pub(crate) fn stored_key(&self, gateway: &str, alias: &str) -> Client {
        let headers = [
            (
                "cf-aig-authorization",
                format!("Bearer {}", self.options.token),
            ),
            ("cf-aig-byok-alias", alias.to_owned()),
        ];
        let config = keys(self.base().endpoint_url(gateway), THROWN_AWAY);
        Client::from_conf(
            config
                .interceptor(AfterSigning(move |request: &mut HttpRequest| {
                    for (name, value) in &headers {
                        request.headers_mut().insert(*name, value.clone());
                    }
                    Ok(())
                }))
                .build(),
        )
    }

    /// The token in the place of a Bedrock API key.
    pub(crate) fn bearer(&self, endpoint: &str, token: &str) -> Client {
        let config = self
            .base()
            .endpoint_url(endpoint)
            .bearer_token(Token::new(token, None));
        Client::from_conf(config.build())
    }

    /// Signed for AWS with keys that AWS knows, then sent to the gateway instead.
    fn passed(&self, gateway: &str) -> Client {
        let token = format!("Bearer {}", self.options.token);
        let gateway = gateway.to_owned();
        let redirect = move |request: &mut HttpRequest| {
            let path = request.uri().to_owned();
            let path = path
                .strip_prefix("https://bedrock-runtime.us-east-1.amazonaws.com")
                .ok_or("not signed for AWS")?;
            request.set_uri(format!("{gateway}{path}"))?;
            request
                .headers_mut()
                .insert("cf-aig-authorization", token.clone());
            Ok(())
        };
        let config = keys(self.base(), KNOWN).interceptor(AfterSigning(redirect));
        Client::from_conf(config.build())
    }

    /// Keys that nobody knows, and nothing else.
    pub(crate) fn stranger(&self, endpoint: &str) -> Client {
        Client::from_conf(keys(self.base().endpoint_url(endpoint), THROWN_AWAY).build())
    }

    fn base(&self) -> Builder {
        let retry = RetryConfig::standard().with_initial_backoff(Duration::from_millis(20));
        Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .http_client(self.http.clone())
            .retry_config(retry)
    }
}

fn keys(config: Builder, (id, secret): (&str, &str)) -> Builder {
    config.credentials_provider(Credentials::new(id, secret, None, None, "sdk"))
}

/// Changes a request that was signed already.
struct AfterSigning<F>(F);

impl<F> std::fmt::Debug for AfterSigning<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AfterSigning")
    }
}

impl<F> Intercept for AfterSigning<F>
where
    F: Fn(&mut HttpRequest) -> Result<(), BoxError> + Send + Sync,
{
    fn name(&self) -> &'static str {
        "AfterSigning"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        (self.0)(context.request_mut())
    }
}
