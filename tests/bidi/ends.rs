//! How conversations end: either side first, in peace or not.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower::{Layer, ServiceExt, service_fn};
use tower_bedrock::observe::Outcome;
use tower_bedrock::sign::SignedBody;
use tower_bedrock::upstream::UpstreamLayer;
use tower_bedrock::{Context, Timeouts};

use super::support::{base, before, eventually, post};
use super::talk::{Heard, PATH, Piped, ask, layer, message, payload, request, soon, stack};
use super::upstream::{Verified, upstream};

fn answer(body: Piped) -> Response<Piped> {
    Response::builder()
        .header("content-type", "application/vnd.amazon.eventstream")
        .body(body)
        .unwrap()
}

/// The answer ends while the client still speaks: the rest of what it says is not wanted, and that
/// is no error.
#[tokio::test]
async fn the_answer_ends_first() {
    let upstream = upstream(|head, mut body| async move {
        Verified::head(&head);
        let (sender, piped) = Piped::new(1);
        tokio::spawn(async move {
            body.frame().await.unwrap().unwrap();
            sender.send(Ok(message(1))).await.unwrap();
        });
        answer(piped)
    })
    .await;
    let (gateway, records) = before(&upstream.url, |builder| builder);
    soon(async {
        let (sender, body) = Piped::new(1);
        let request = post(&format!("{}{PATH}", base("prod")));
        let answer = gateway.oneshot(request.body(body).unwrap()).await.unwrap();
        sender.send(Ok(message(0))).await.unwrap();
        let heard = Heard::new(answer.into_body()).all().await;
        assert_eq!(heard, [payload(1)]);
        // Whoever speaks on is let go.
        while sender.send(Ok(message(2))).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    eventually("a record", || records.len() == 1).await;
    let record = records.snapshot().remove(0);
    assert!(record.success, "{record:?}");
    assert_eq!(record.outcome, Outcome::Complete);
}

/// The client has said all; the answer goes on.
#[tokio::test]
async fn the_client_ends_first() {
    let upstream = upstream(|head, body| async move {
        let mut verified = Verified::head(&head);
        let (sender, piped) = Piped::new(1);
        tokio::spawn(async move {
            let messages = verified.all(body).await;
            for message in messages.iter().cycle().take(100) {
                let chunk = tower_bedrock::eventstream::event("chunk", message.payload());
                sender.send(Ok(chunk)).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        answer(piped)
    })
    .await;
    let stack = stack(&layer());
    soon(async {
        let body = Piped::of([message(0), message(1)]);
        let answer = ask(&stack, request(&upstream.url).body(body).unwrap()).await;
        let heard = Heard::new(answer.into_body()).all().await;
        assert_eq!(heard.len(), 100);
        assert_eq!(heard[99], payload(1));
    })
    .await;
}

/// An error that comes while the client still speaks reaches it, as it is; and if it is about our
/// own keys, as elsewhere.
#[tokio::test]
async fn early_errors() {
    let upstream = upstream(|head, _body| async move {
        let (status, kind) = match head.headers["x-amzn-bedrock-trace"].to_str().unwrap() {
            "denied" => (403, "AccessDeniedException:http://internal.amazon.com/"),
            "invalid" => (400, "ValidationException"),
            "busy" => (429, "ThrottlingException"),
            _ => (403, "InvalidSignatureException"),
        };
        Response::builder()
            .status(status)
            .header("x-amzn-errortype", kind)
            .header("content-type", "application/json")
            .body(Piped::of([r#"{"message":"no"}"#.into()]))
            .unwrap()
    })
    .await;
    for (trace, status, code) in [
        ("denied", 403, None),
        ("invalid", 400, None),
        ("busy", 429, None),
        ("signature", 502, Some("2049")),
    ] {
        let (gateway, records) = before(&upstream.url, |builder| builder);
        soon(async {
            let (sender, body) = Piped::new(1);
            sender.send(Ok(message(0))).await.unwrap();
            let request = post(&format!("{}{PATH}", base("prod")))
                .header("x-amzn-bedrock-trace", trace)
                .body(body)
                .unwrap();
            let answer = gateway.oneshot(request).await.unwrap();
            assert_eq!(answer.status(), status, "{trace}");
            let text = answer.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8(text.to_vec()).unwrap();
            match code {
                None => assert_eq!(text, r#"{"message":"no"}"#),
                Some(code) => assert!(text.contains(code), "{text}"),
            }
            drop(sender);
        })
        .await;
        eventually("a record", || records.len() == 1).await;
        let record = records.snapshot().remove(0);
        assert_eq!(record.status_code, Some(status));
        assert!(!record.success);
    }
}

/// The client goes: so does the stream upstream.
#[tokio::test]
async fn the_client_leaves() {
    let (seen, mut ends) = mpsc::channel(10);
    let upstream = upstream(move |head, mut body| {
        let seen = seen.clone();
        async move {
            Verified::head(&head);
            let (sender, piped) = Piped::new(1);
            tokio::spawn(async move {
                sender.send(Ok(message(1))).await.unwrap();
                loop {
                    match body.frame().await {
                        Some(Ok(_)) => {}
                        Some(Err(_)) => break seen.send("reset").await.unwrap(),
                        None => break seen.send("end").await.unwrap(),
                    }
                }
                // The answer is not wanted either.
                sender.closed().await;
                seen.send("closed").await.unwrap();
            });
            answer(piped)
        }
    })
    .await;
    let (gateway, records) = before(&upstream.url, |builder| builder);
    soon(async {
        let (sender, body) = Piped::new(1);
        let request = post(&format!("{}{PATH}", base("prod")));
        let answer = gateway.oneshot(request.body(body).unwrap()).await.unwrap();
        let mut heard = Heard::new(answer.into_body());
        sender.send(Ok(message(0))).await.unwrap();
        assert_eq!(heard.next().await.unwrap().unwrap(), payload(1));
        // As a server does it: both bodies of the stream fail at once.
        sender.send(Err("the client is gone".into())).await.unwrap();
        drop(heard);
        assert_eq!(ends.recv().await, Some("reset"));
        assert_eq!(ends.recv().await, Some("closed"));
    })
    .await;
    eventually("a record", || records.len() == 1).await;
    let record = records.snapshot().remove(0);
    assert_eq!(record.outcome, Outcome::ClientDisconnect, "{record:?}");
}

/// An upstream that has stopped reading does not keep what a client had to say that is gone, nor
/// does one that has answered in full.
#[tokio::test]
async fn nothing_is_kept_for_a_stalled_upstream() {
    for leaves_early in [true, false] {
        let (seen, mut closed) = mpsc::channel(1);
        let upstream = upstream(move |head, body| {
            let seen = seen.clone();
            async move {
                Verified::head(&head);
                let (sender, piped) = Piped::new(1);
                sender.send(Ok(message(1))).await.unwrap();
                if leaves_early {
                    tokio::spawn(async move {
                        sender.closed().await;
                        seen.send(()).await.unwrap();
                        drop(body);
                    });
                } else {
                    std::mem::forget(body);
                }
                answer(piped)
            }
        })
        .await;
        let (gateway, _records) = before(&upstream.url, |builder| builder);
        soon(async {
            let (sender, body) = Piped::new(1);
            let request = post(&format!("{}{PATH}", base("prod")));
            let answer = gateway.oneshot(request.body(body).unwrap()).await.unwrap();
            let mut heard = Heard::new(answer.into_body());
            assert_eq!(heard.next().await.unwrap().unwrap(), payload(1));
            if !leaves_early {
                assert!(heard.next().await.is_none());
            }
            let long = tower_bedrock::eventstream::event("chunk", &[b'x'; 50_000]);
            let wait = Duration::from_millis(500);
            while let Ok(Ok(())) = tokio::time::timeout(wait, sender.send(Ok(long.clone()))).await {
            }
            drop(heard);
            sender.closed().await;
            if leaves_early {
                closed.recv().await.unwrap();
            }
        })
        .await;
    }
}

/// Both sides end in peace, and the upstream had nothing to say: to nothing, most likely. In a
/// message's midst it is no peace.
#[tokio::test]
async fn a_conversation_without_a_word() {
    for (said, answered, outcome) in [
        (0, &b""[..], Outcome::Complete),
        (1, b"", Outcome::Complete),
        (1, &message(1)[..20], Outcome::UpstreamCut),
    ] {
        let answered = Bytes::copy_from_slice(answered);
        let upstream = upstream(move |head, mut body| {
            Verified::head(&head);
            let answered = answered.clone();
            async move {
                while body.frame().await.is_some() {}
                answer(Piped::of(
                    [answered].into_iter().filter(|piece| !piece.is_empty()),
                ))
            }
        })
        .await;
        let (gateway, records) = before(&upstream.url, |builder| builder);
        soon(async {
            let request = post(&format!("{}{PATH}", base("prod")));
            let request = request.body(Piped::of((0..said).map(message))).unwrap();
            let answer = gateway.oneshot(request).await.unwrap();
            assert_eq!(answer.status(), 200);
            let heard = answer.into_body().collect().await.unwrap().to_bytes();
            assert!(heard.len() <= 20);
        })
        .await;
        eventually("a record", || records.len() == 1).await;
        let record = records.snapshot().remove(0);
        assert_eq!(record.outcome, outcome, "{said} {:?}", record.error);
        assert_eq!(record.success, outcome == Outcome::Complete);
    }
}

/// The upstream breaks off: so does the answer.
#[tokio::test]
async fn the_upstream_breaks_off() {
    let upstream = upstream(|head, mut body| async move {
        Verified::head(&head);
        let (sender, piped) = Piped::new(2);
        tokio::spawn(async move {
            body.frame().await.unwrap().unwrap();
            sender.send(Ok(message(1))).await.unwrap();
            // A reset overtakes what is still on its way.
            body.frame().await.unwrap().unwrap();
            sender.send(Err("gone".into())).await.unwrap();
        });
        answer(piped)
    })
    .await;
    let (gateway, records) = before(&upstream.url, |builder| builder);
    soon(async {
        let (sender, body) = Piped::new(1);
        let request = post(&format!("{}{PATH}", base("prod")));
        let answer = gateway.oneshot(request.body(body).unwrap()).await.unwrap();
        sender.send(Ok(message(0))).await.unwrap();
        let mut heard = Heard::new(answer.into_body());
        assert_eq!(heard.next().await.unwrap().unwrap(), payload(1));
        sender.send(Ok(message(1))).await.unwrap();
        assert!(heard.next().await.unwrap().is_err());
    })
    .await;
    eventually("a record", || records.len() == 1).await;
    let record = records.snapshot().remove(0);
    assert_eq!(record.outcome, Outcome::UpstreamCut);
}

/// An upstream that speaks HTTP/1.1 only.
#[tokio::test]
async fn no_http2() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 1024];
            let _ = stream.read(&mut buffer).await;
            let _ = stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
                .await;
        }
    });
    let (gateway, _records) = before(&url, |builder| builder);
    soon(async {
        let request = post(&format!("{}{PATH}", base("prod")));
        let body = Piped::of([message(0)]);
        let answer = gateway.oneshot(request.body(body).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 502);
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(text.to_vec()).unwrap();
        assert!(text.contains("HTTP/2"), "{text}");
        assert!(text.contains("bidirectional"), "{text}");
    })
    .await;
}

/// An upstream in this process, whose answer is one message and then silence until it is told to
/// end; it reads what comes.
fn silent(
    layer: UpstreamLayer,
    end: Arc<AtomicBool>,
) -> impl tower::Service<
    Request<Piped>,
    Response = Response<impl http_body::Body<Data = Bytes, Error = tower::BoxError>>,
    Error = Infallible,
> {
    let upstream = service_fn(move |request: Request<SignedBody<Piped>>| {
        let end = Arc::clone(&end);
        async move {
            let (sender, piped) = Piped::new(1);
            tokio::spawn(async move {
                let mut body = request.into_body();
                sender.send(Ok(message(1))).await.unwrap();
                while let Some(Ok(_)) = body.frame().await {}
                if end.load(SeqCst) {
                    sender.send(Ok(message(2))).await.unwrap();
                } else {
                    sender.closed().await;
                }
            });
            Ok::<_, Infallible>(answer(piped))
        }
    });
    self::layer()
        .layer(layer.layer(upstream))
        .map_response(|response: Response<_>| {
            response.map(|body| http_body_util::BodyExt::map_err(body, Into::into))
        })
}

/// Eight minutes in which only the client speaks, now and then.
#[tokio::test(start_paused = true)]
async fn an_upstream_that_listens_is_not_dead() {
    let service = silent(UpstreamLayer::new(), Arc::new(true.into()));
    let (sender, body) = Piped::new(1);
    let Ok(answer) = service
        .oneshot(request("http://localhost").body(body).unwrap())
        .await;
    let mut heard = Heard::new(answer.into_body());
    assert_eq!(heard.next().await.unwrap().unwrap(), payload(1));
    let start = tokio::time::Instant::now();
    tokio::spawn(async move {
        for n in 0..10 {
            tokio::time::sleep(Duration::from_secs(48)).await;
            sender.send(Ok(message(n))).await.unwrap();
        }
    });
    assert_eq!(heard.next().await.unwrap().unwrap(), payload(2));
    assert!(heard.next().await.is_none());
    assert_eq!(start.elapsed().as_secs(), 480);
}

/// If neither side says a word, it ends.
#[tokio::test(start_paused = true)]
async fn silence_on_both_sides_ends() {
    let service = silent(UpstreamLayer::new(), Arc::new(false.into()));
    let (sender, body) = Piped::new(1);
    let Ok(answer) = service
        .oneshot(request("http://localhost").body(body).unwrap())
        .await;
    let mut heard = Heard::new(answer.into_body());
    assert_eq!(heard.next().await.unwrap().unwrap(), payload(1));
    let start = tokio::time::Instant::now();
    sender.send(Ok(message(0))).await.unwrap();
    assert!(heard.next().await.unwrap().is_err());
    let waited = start.elapsed().as_secs();
    // Up to two silences, each seen up to a sixteenth late.
    assert!((60..=128).contains(&waited), "{waited}");
}

/// Where nobody counts what the client says, silence is not timed at all; elsewhere it is.
#[tokio::test(start_paused = true)]
async fn without_the_signing_layer() {
    for (path, ends) in [(PATH, false), ("/model/m/converse-stream", true)] {
        let upstream = service_fn(async |request: Request<Empty<Bytes>>| {
            let (sender, piped) = Piped::new(1);
            let version = request.version();
            tokio::spawn(async move { sender.closed().await });
            let mut response = answer(piped);
            response.extensions_mut().insert(version);
            Ok::<_, Infallible>(response)
        });
        let timeouts = Timeouts {
            idle: Some(Duration::from_secs(10)),
            ..Timeouts::default()
        };
        let service = UpstreamLayer::new().with_timeouts(timeouts).layer(upstream);
        let request = Request::post(format!("http://localhost{path}"));
        let Ok(answer) = service.oneshot(request.body(Empty::new()).unwrap()).await;
        let is_http2 = answer.extensions().get() == Some(&http::Version::HTTP_2);
        assert_eq!(is_http2, !ends, "{path}");
        let mut heard = Heard::new(answer.into_body());
        let hour = Duration::from_secs(3600);
        let ended = tokio::time::timeout(hour, heard.next()).await;
        assert_eq!(ended.is_ok(), ends, "{path}");
    }
}

/// Other methods on the path are no conversations.
#[tokio::test]
async fn other_methods() {
    let upstream = service_fn(async |request: Request<SignedBody<Empty<Bytes>>>| {
        assert_eq!(request.version(), http::Version::HTTP_11);
        assert!(!request.headers().contains_key("x-amz-content-sha256"));
        assert!(Context::get(request.extensions()).is_some());
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    });
    let service = layer().layer(UpstreamLayer::new().layer(upstream));
    let request = Request::get(format!("http://localhost{PATH}"));
    let Ok(answer) = service.oneshot(request.body(Empty::new()).unwrap()).await;
    assert_eq!(answer.status(), 200);
}
