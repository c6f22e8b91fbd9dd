//! Bytes on real sockets: bodies of all shapes, clients that leave, upstreams that misbehave.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;
use tower_bedrock::observe::Ring;

use support::{CONVERSE, MODEL, Stack, base, before, eventually, serve, stack, stack_with};

/// The head of a POST request, without the blank line.
fn head(path: &str, headers: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: gateway\r\ncf-aig-authorization: Bearer good\r\ncontent-type: application/json\r\nconnection: close\r\n{headers}"
    )
}

fn converse() -> String {
    format!("{}/model/{MODEL}/converse", base("prod"))
}

/// Sends `bytes` and reads until the server closes.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    assert!(
        read.is_ok(),
        "no end after {:?}",
        String::from_utf8_lossy(&answer)
    );
    String::from_utf8_lossy(&answer).into_owned()
}

async fn served() -> (Stack, SocketAddr) {
    let stack = stack().await;
    let address = serve(stack.gateway.clone()).await;
    (stack, address)
}

#[tokio::test]
async fn bodies_of_all_shapes_arrive() {
    let (stack, address) = served().await;
    let length = CONVERSE.len();
    let half = length / 2;
    let (a, b) = CONVERSE.split_at(half);
    let plain = format!(
        "{}content-length: {length}\r\n\r\n{CONVERSE}",
        head(&converse(), "")
    );
    let chunked = format!(
        "{}transfer-encoding: chunked\r\n\r\n{half:x}\r\n{a}\r\n{:x};ext=1\r\n{b}\r\n0\r\n\r\n",
        head(&converse(), ""),
        b.len()
    );
    let old = plain.replace("HTTP/1.1", "HTTP/1.0");
    for (name, request) in [("plain", plain), ("chunked", chunked), ("HTTP/1.0", old)] {
        let answer = exchange(address, request.as_bytes()).await;
        assert!(answer.contains(" 200 OK"), "{name}: {answer}");
        let arrived = stack.emulator.take_requests();
        assert!(arrived[0].accepted(), "{name}");
        assert_eq!(arrived[0].body, CONVERSE.as_bytes(), "{name}");
        assert_eq!(
            arrived[0].header("content-length"),
            Some(&*length.to_string()),
            "{name}"
        );
        assert_eq!(arrived[0].header("transfer-encoding"), None, "{name}");
        assert_eq!(arrived[0].version, http::Version::HTTP_11, "{name}");
    }
}

#[tokio::test]
async fn expect_continue_is_answered_only_if_the_body_is_wanted() {
    let (stack, address) = served().await;
    let expect = format!(
        "expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        CONVERSE.len()
    );

    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(head(&converse(), &expect).as_bytes())
        .await
        .unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(CONVERSE.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(stack.emulator.take_requests()[0].header("expect"), None);

    let wrong = head(&converse(), &expect).replace("Bearer good", "Bearer guess");
    let answer = exchange(address, wrong.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let large = head(
        &converse(),
        "expect: 100-continue\r\ncontent-length: 40000000\r\n\r\n",
    );
    let answer = exchange(address, large.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn bodies_that_cannot_be_served() {
    let change = |builder: tower_bedrock::GatewayBuilder| builder.body_limit(1000);
    let stack = stack_with(change).await;
    let address = serve(stack.gateway.clone()).await;
    let long = "x".repeat(1001);

    let declared = format!(
        "{}content-length: 1001\r\n\r\n{long}",
        head(&converse(), "")
    );
    let answer = exchange(address, declared.as_bytes()).await;
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("4013"),
        "{answer}"
    );

    let chunked = format!(
        "{}transfer-encoding: chunked\r\n\r\n3e9\r\n{long}\r\n0\r\n\r\n",
        head(&converse(), "")
    );
    let answer = exchange(address, chunked.as_bytes()).await;
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("1000 bytes"),
        "{answer}"
    );

    // Shorter than announced: the client closes its side and still reads.
    let mut stream = TcpStream::connect(address).await.unwrap();
    let short = format!("{}content-length: 500\r\n\r\nhalf", head(&converse(), ""));
    stream.write_all(short.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    let records = || stack.records.snapshot();
    eventually("a record of the short body", || records().len() == 3).await;
    assert!(
        matches!(records()[0].status_code, None | Some(400)),
        "{answer}"
    );

    assert_eq!(stack.emulator.requests().len(), 0);
}

/// Both lengths at once: a smuggling attempt. hyper refuses or prefers chunked; either way one
/// request at most arrives, with the body that was chunked.
#[tokio::test]
async fn content_length_beside_transfer_encoding() {
    let (stack, address) = served().await;
    let both = format!(
        "{}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{CONVERSE}\r\n0\r\n\r\n",
        head(&converse(), ""),
        CONVERSE.len()
    );
    let answer = exchange(address, both.as_bytes()).await;
    let arrived = stack.emulator.take_requests();
    if answer.starts_with("HTTP/1.1 400") {
        assert!(arrived.is_empty());
    } else {
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(arrived.len(), 1);
        assert_eq!(arrived[0].body, CONVERSE.as_bytes());
    }
}

#[tokio::test]
async fn refusals_are_read_by_clients_that_are_still_uploading() {
    let (stack, address) = served().await;
    let body = vec![b'x'; 40_000_000];
    for (token, status) in [("good", "413"), ("guess", "401")] {
        let head = head(&converse(), "content-length: 40000000\r\n\r\n")
            .replace("Bearer good", &format!("Bearer {token}"));
        let answer = exchange(address, &[head.as_bytes(), &body].concat()).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
        assert!(answer.contains("AiGatewayError"));
    }
    assert_eq!(stack.records.snapshot().len(), 2);
}

#[tokio::test]
async fn a_client_that_leaves_takes_the_upstream_request_along() {
    for (model, after) in [
        ("fault.never", 0),
        ("us.anthropic.fault.slow-first-byte-60000", 0),
        ("us.anthropic.fault.slow-frames-60000", 1),
        ("us.anthropic.fault.hang-body", 1),
    ] {
        let (stack, address) = served().await;
        let path = format!("{}/model/{model}/converse-stream", base("prod"));
        let request = format!(
            "{}content-length: {}\r\n\r\n{CONVERSE}",
            head(&path, ""),
            CONVERSE.len()
        );
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        if after > 0 {
            let mut some = [0; 100];
            stream.read_exact(&mut some).await.unwrap();
        } else {
            eventually("the request upstream", || {
                !stack.emulator.requests().is_empty()
            })
            .await;
        }
        drop(stream);
        eventually("a record", || !stack.records.snapshot().is_empty()).await;
        let record = stack.record();
        assert_eq!(record.outcome.as_str(), "client_disconnect", "{model}");
        assert_eq!(record.principal.as_deref(), Some("acme/prod/1"), "{model}");
        assert_eq!(record.model.as_deref(), Some(model));
        assert_eq!(record.status_code.is_some(), after > 0, "{model}");
        eventually("the upstream request to be dropped", || {
            stack.emulator.aborted() == 1
        })
        .await;
    }
}

#[tokio::test]
async fn a_client_that_is_gone_at_once_leaves_a_record_too() {
    let (stack, address) = served().await;
    let request = format!(
        "{}content-length: {}\r\n\r\n{CONVERSE}",
        head(&converse(), ""),
        CONVERSE.len()
    );
    for _ in 0..20 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
    }
    let records = || stack.records.snapshot().len();
    eventually("twenty records", || records() == 20).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(records(), 20);
}

#[tokio::test]
async fn broken_streams_are_never_ended_cleanly() {
    for (model, outcome, clean) in [
        ("us.anthropic.fault.cut", "upstream_cut", false),
        ("us.anthropic.fault.no-message-stop", "upstream_cut", true),
        ("us.anthropic.fault.exception-first", "upstream_error", true),
        ("us.anthropic.fault.exception-mid", "upstream_error", true),
        (
            "us.anthropic.fault.unknown-operation",
            "upstream_error",
            true,
        ),
        ("us.anthropic.fault.error-500", "upstream_error", true),
        ("us.anthropic.fault.throttle-1", "upstream_error", true),
    ] {
        let (stack, address) = served().await;
        let path = format!("{}/model/{model}/converse-stream", base("prod"));
        let request = format!(
            "{}content-length: {}\r\n\r\n{CONVERSE}",
            head(&path, ""),
            CONVERSE.len()
        );
        let answer = exchange(address, request.as_bytes()).await;
        let ended = answer.ends_with("0\r\n\r\n") || answer.contains("content-length:");
        assert_eq!(ended, clean, "{model}: {answer}");
        eventually("a record", || !stack.records.snapshot().is_empty()).await;
        let record = stack.record();
        assert_eq!(record.outcome.as_str(), outcome, "{model} {record:?}");
        assert!(!record.success, "{model}");
    }
}

/// The client cannot be told, but the record says why the answer broke off.
#[tokio::test]
async fn an_upstream_that_falls_silent() {
    let timeouts = tower_bedrock::Timeouts {
        idle: Some(Duration::from_millis(250)),
        ..Default::default()
    };
    for operation in ["converse", "converse-stream"] {
        for headers in [false, true] {
            let stack = stack_with(|builder| match headers {
                true => builder.timeouts(timeouts).usage_headers(100_000),
                false => builder.timeouts(timeouts),
            })
            .await;
            let address = serve(stack.gateway.clone()).await;
            let path = converse().replace(MODEL, "us.anthropic.fault.hang-body");
            let path = path.replace("converse", operation);
            let head = head(&path, &format!("content-length: {}\r\n", CONVERSE.len()));
            let answer = exchange(address, format!("{head}\r\n{CONVERSE}").as_bytes()).await;
            assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
            eventually("a record", || stack.records.len() == 1).await;
            let record = stack.record();
            assert_eq!(record.outcome.as_str(), "upstream_cut", "{operation}");
            let why = "the upstream fell silent for 250 ms amid its answer";
            assert_eq!(record.error.as_deref(), Some(why), "{operation}");
        }
    }
}

/// An upstream that answers each connection with these bytes, or none, and closes.
async fn raw_upstream(answer: &'static str, close: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = vec![0; 64 * 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                if !close {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn upstreams_that_misbehave() {
    for (name, answer, close, status, outcome) in [
        ("early close", "", true, "502", "upstream_error"),
        (
            "garbage",
            "SSH-2.0-OpenSSH_9.2\r\n\r\n",
            true,
            "502",
            "upstream_error",
        ),
        ("never", "", false, "504", "upstream_error"),
        (
            "101",
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
            true,
            "502",
            "upstream_error",
        ),
        (
            "204",
            "HTTP/1.1 204 No Content\r\n\r\n",
            true,
            "204",
            "complete",
        ),
        (
            "304",
            "HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\n\r\n",
            true,
            "304",
            "complete",
        ),
        (
            "307",
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            true,
            "307",
            "complete",
        ),
        (
            "to the close",
            "HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nas long as it lasts",
            true,
            "200",
            "complete",
        ),
        (
            "two lengths",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
            true,
            "502",
            "upstream_error",
        ),
        (
            "shorter",
            "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabcd",
            true,
            "200",
            "upstream_cut",
        ),
        (
            "own log id",
            "HTTP/1.1 200 OK\r\ncf-aig-log-id: theirs\r\nkeep-alive: timeout=5\r\ncontent-length: 2\r\n\r\nok",
            true,
            "200",
            "complete",
        ),
    ] {
        let url = raw_upstream(answer, close).await;
        let fast = tower_bedrock::Timeouts {
            first_byte: Some(Duration::from_millis(500)),
            ..Default::default()
        };
        let (gateway, records): (_, Ring) = before(&url, |builder| builder.timeouts(fast));
        let address = serve(gateway).await;
        let request = format!("{}content-length: 2\r\n\r\n{{}}", head(&converse(), ""));
        let answer = exchange(address, request.as_bytes()).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{name}: {answer}"
        );
        assert!(
            !answer.contains("theirs") && !answer.contains("timeout=5"),
            "{name}: {answer}"
        );
        assert!(
            !answer.contains("127.0.0.1") || name == "307",
            "{name}: {answer}"
        );
        if status.starts_with('5') {
            assert!(answer.contains("\"internalCode\":2005"), "{name}: {answer}");
        }
        eventually("a record", || !records.snapshot().is_empty()).await;
        let all = records.snapshot();
        assert_eq!(all.len(), 1, "{name}");
        assert_eq!(all[0].outcome.as_str(), outcome, "{name}: {:?}", all[0]);
    }
}

#[tokio::test]
async fn nobody_listens_upstream() {
    // A port that nobody else gets, and on which nobody listens.
    let unused = TcpSocket::new_v4().unwrap();
    unused.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", unused.local_addr().unwrap());
    let (gateway, records) = before(&url, |builder| builder);
    let address = serve(gateway).await;
    let request = format!("{}content-length: 2\r\n\r\n{{}}", head(&converse(), ""));
    let answer = exchange(address, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert!(
        answer.contains("x-amzn-errortype: ServiceUnavailableException"),
        "{answer}"
    );
    assert_eq!(records.snapshot()[0].outcome.as_str(), "upstream_error");
}
