//! The traits that users write, with a real `async fn`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Request;
use http::request::Parts;
use tower::{Layer, ServiceExt};
use tower_bedrock::auth::{Authenticate, GatewayAuthLayer, bearer_token};
use tower_bedrock::credentials::{Credentials, ProvideCredentials};
use tower_bedrock::rewrite::BedrockPathRewriteLayer;
use tower_bedrock::sign::SigV4SigningLayer;
use tower_bedrock::{Context, Principal, Rejection, RejectionKind};

use crate::cases::{PATH, TOKEN, key};
use crate::probe::Watch;
use crate::script::script;

/// Remembers what it was asked.
#[derive(Default)]
struct Directory {
    asked: AtomicUsize,
    asked_now: AtomicUsize,
    /// Whether the answer is known at once by now.
    warm: bool,
}

impl Directory {
    fn look_up(head: &Parts) -> Result<Principal, Rejection> {
        assert_eq!(head.uri, PATH);
        match bearer_token(&head.headers)? {
            TOKEN => Ok(Principal::new("team-a")),
            _ => Err(Rejection::new(RejectionKind::Unauthenticated, "unheard of")),
        }
    }
}

impl Authenticate for Directory {
    async fn authenticate(&self, head: &Parts) -> Result<Principal, Rejection> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let before = bearer_token(&head.headers)?;
        tokio::task::yield_now().await;
        assert_eq!(before, bearer_token(&head.headers)?);
        Self::look_up(head)
    }

    fn authenticate_now(&self, head: &Parts) -> Option<Result<Principal, Rejection>> {
        self.asked_now.fetch_add(1, Ordering::Relaxed);
        self.warm.then(|| Self::look_up(head))
    }
}

fn request(token: &str) -> Request<crate::script::Script> {
    Request::post(PATH)
        .header("cf-aig-authorization", format!("bEARER {token}"))
        .header("x-own", "1")
        .body(script().data("{}"))
        .unwrap()
}

#[tokio::test]
async fn authenticate() {
    for (warm, asked) in [(false, 2), (true, 0)] {
        let directory = Arc::new(Directory {
            warm,
            ..Directory::default()
        });
        let watch = Watch::default();
        let service = GatewayAuthLayer::new(Arc::clone(&directory)).layer(watch.probe());
        let response = service.clone().oneshot(request(TOKEN)).await.unwrap();
        assert_eq!(response.status(), 200);
        // The head came back from the trait as it was, less the token.
        let head = watch.seen().head;
        assert_eq!(head.uri, PATH);
        assert_eq!(head.headers.len(), 1);
        assert_eq!(
            Principal::of(&head.extensions).map(Principal::id),
            Some("team-a")
        );

        let response = service.oneshot(request("guess")).await.unwrap();
        assert_eq!(response.status(), 401);
        let rejection: &Rejection = response.extensions().get().unwrap();
        assert_eq!((rejection.text(), watch.calls()), ("unheard of", 1));
        let counted = [&directory.asked, &directory.asked_now].map(|n| n.load(Ordering::Relaxed));
        assert_eq!(counted, [asked, 2]);
    }
}

/// Has a key for one team.
struct TeamKeys;

impl ProvideCredentials for TeamKeys {
    async fn credentials(&self, head: &Parts) -> Result<Credentials, Rejection> {
        tokio::task::yield_now().await;
        let context = Context::get(&head.extensions).unwrap();
        let route = context.route().unwrap();
        assert_eq!((route.account(), route.gateway()), ("acme", "prod"));
        match context.principal().map(Principal::id) {
            Some("team-a") => Ok(key()),
            _ => Err(Rejection::new(
                RejectionKind::NoCredentials,
                "no key for you",
            )),
        }
    }
}

#[tokio::test]
async fn provide_credentials() {
    let watch = Watch::default();
    let sign = SigV4SigningLayer::new(Arc::new(TeamKeys)).layer(watch.probe());
    let rewrite = BedrockPathRewriteLayer::new().layer(sign);
    // Whoever is unknown is known to have no key.
    let response = rewrite.clone().oneshot(request(TOKEN)).await.unwrap();
    assert_eq!(response.status(), 400);
    let rejection: &Rejection = response.extensions().get().unwrap();
    assert_eq!((rejection.text(), watch.calls()), ("no key for you", 0));

    let service = GatewayAuthLayer::new(Directory::default()).layer(rewrite);
    let response = service.oneshot(request(TOKEN)).await.unwrap();
    assert_eq!(response.status(), 200);
    let head = watch.seen().head;
    let context = Context::get(&head.extensions).unwrap();
    assert_eq!(context.credentials_id(), Some("AKIDEXAMPLE"));
    assert!(head.headers["authorization"].is_sensitive());
    assert!(!head.headers.contains_key("x-own"));
}

/// An answer of the user's that keeps to no convention harms nobody else.
#[tokio::test]
async fn panic_in_a_trait_is_the_callers_alone() {
    struct Panics;
    impl Authenticate for Panics {
        async fn authenticate(&self, _: &Parts) -> Result<Principal, Rejection> {
            tokio::task::yield_now().await;
            panic!("on purpose");
        }
    }
    let watch = Watch::default();
    let service = GatewayAuthLayer::new(Panics).layer(watch.probe());
    let task = tokio::spawn(service.clone().oneshot(request(TOKEN)));
    assert!(task.await.is_err_and(|error| error.is_panic()));
    watch.assert_idle();
    drop(service);
    watch.assert_alone();
}
