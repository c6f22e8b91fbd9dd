//! HTTP/1.0, `Host` and request lines with a host, upgrades, `CONNECT`, `TE` and `Trailer`.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower_bedrock::RouteConfig;
use tower_bedrock::observe::Record;

use crate::support::{CONVERSE, MODEL, base, serve, stack, stack_with};
use crate::{exchange, recorded, soon};

fn request(line: &str, headers: &str, body: &str) -> String {
    format!(
        "{line}\r\nhost: gateway\r\ncf-aig-authorization: Bearer good\r\ncontent-type: application/json\r\n{headers}\r\n{body}"
    )
}

fn post(version: &str, path: &str, headers: &str) -> String {
    let headers = format!("{headers}content-length: {}\r\n", CONVERSE.len());
    request(&format!("POST {path} {version}"), &headers, CONVERSE)
}

fn converse() -> String {
    format!("{}/model/{MODEL}/converse", base("prod"))
}

/// The head and the body of the next answer, whose length is stated.
async fn answer(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon("the head", stream.read_u8()).await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).expect(&head);
    let length = length.split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    soon("the body", stream.read_exact(&mut body))
        .await
        .unwrap();
    (head, body)
}

#[tokio::test]
async fn http_1_0_may_keep_its_connection() {
    let stack = stack().await;
    let address = serve(stack.gateway.clone()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        let request = post("HTTP/1.0", &converse(), "connection: keep-alive\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let (head, body) = answer(&mut stream).await;
        assert!(head.starts_with("http/1.0 200"), "{head}");
        assert!(head.contains("connection: keep-alive"), "{head}");
        assert!(!head.contains("transfer-encoding") && body.starts_with(b"{"));
    }
    // Whoever does not ask for it does not get it.
    stream
        .write_all(post("HTTP/1.0", &converse(), "").as_bytes())
        .await
        .unwrap();
    let mut rest = String::new();
    soon("the end", stream.read_to_string(&mut rest))
        .await
        .unwrap();
    assert!(rest.starts_with("HTTP/1.0 200"), "{rest}");
    recorded(&stack.records, &["complete"; 3]).await;
}

/// Streams end where the connection does, whatever was asked for.
#[tokio::test]
async fn http_1_0_streams_to_the_close() {
    let stack = stack().await;
    let address = serve(stack.gateway.clone()).await;
    let path = converse() + "-stream";
    for headers in ["", "connection: keep-alive\r\n"] {
        let answer = exchange(address, post("HTTP/1.0", &path, headers).as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.0 200"), "{head}");
        assert!(!head.contains("transfer-encoding"), "{head}");
        assert!(body.contains("messageStart") && body.contains("metadata"));
    }
    let cut = path.replace(MODEL, "us.anthropic.fault.cut");
    exchange(address, post("HTTP/1.0", &cut, "").as_bytes()).await;
    recorded(&stack.records, &["complete", "complete", "upstream_cut"]).await;
}

#[tokio::test]
async fn request_lines_with_a_host() {
    let stack = stack().await;
    let address = serve(stack.gateway.clone()).await;
    for origin in [
        "http://gateway",
        "https://elsewhere.test:8443",
        "http://u:p@gateway",
    ] {
        let line = post(
            "HTTP/1.1",
            &format!("{origin}{}", converse()),
            "connection: close\r\n",
        );
        let answer = exchange(address, line.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{origin} {answer}");
        let arrived = stack.emulator.take_requests();
        assert!(arrived[0].accepted());
        // Nothing of it travels on.
        let host = arrived[0].header("host").unwrap();
        assert!(stack.emulator.url().ends_with(host), "{host}");
        assert!(!format!("{:?}", arrived[0].headers).contains("elsewhere"));
    }
    let records = stack.records.snapshot();
    assert!(records.iter().all(|record| record.path == converse()));
    recorded(&stack.records, &["complete"; 3]).await;
}

/// RFC 9112 §3.2. Whether `Host` may be missing is for the server to say: in one process it may.
#[tokio::test]
async fn hosts_that_are_none_or_two() {
    let needed = RouteConfig::new().requiring_host();
    let stacks = [
        (stack().await, "200"),
        (stack_with(|gateway| gateway.routes(needed)).await, "400"),
    ];
    let compat = "/v1/acme/prod/compat/chat/completions".to_owned();
    let chat = format!(r#"{{"model":"{MODEL}","messages":[{{"role":"user","content":"Hi"}}]}}"#);
    let ask = |version: &str, path: &str, hosts: &[&str], body: &str| {
        let mut head = format!("POST {path} {version}\r\n");
        for host in hosts {
            head += &format!("host: {host}\r\n");
        }
        head += "cf-aig-authorization: Bearer good\r\nconnection: close\r\n";
        format!("{head}content-length: {}\r\n\r\n{body}", body.len())
    };
    for (stack, without) in stacks {
        let address = serve(stack.gateway.clone()).await;
        let mut asked = 0;
        for (path, body) in [(&converse(), CONVERSE), (&compat, &*chat)] {
            let absolute = &format!("http://elsewhere.test{path}");
            for (version, path, hosts, expected) in [
                ("HTTP/1.1", path, &["gateway:8787"][..], "200"),
                ("HTTP/1.1", path, &[""], "200"),
                ("HTTP/1.1", path, &["a.test", "b.test"], "400"),
                ("HTTP/1.1", path, &["a.test", "a.test"], "400"),
                ("HTTP/1.0", path, &["a.test", "a.test"], "400"),
                ("HTTP/1.1", path, &["a.test, b.test"], "400"),
                ("HTTP/1.1", path, &["user@a.test"], "400"),
                ("HTTP/1.1", path, &[], without),
                ("HTTP/1.1", absolute, &[], without),
                ("HTTP/1.1", absolute, &["gateway"], "200"),
                ("HTTP/1.0", path, &[], "200"),
            ] {
                let request = ask(version, path, hosts, body);
                let answer = exchange(address, request.as_bytes()).await;
                let status = &answer[9..12];
                assert_eq!(status, expected, "{version} {path} {hosts:?}: {answer}");
                let arrived = stack.emulator.take_requests().len();
                assert_eq!(arrived, usize::from(status == "200"), "{path} {hosts:?}");
                if status == "400" {
                    assert!(answer.contains("the header host"), "{answer}");
                }
                asked += 1;
            }
        }
        let records = stack.records.snapshot();
        assert_eq!(records.len(), asked);
        let refused = |status| {
            if status == Some(400) {
                "refused"
            } else {
                "complete"
            }
        };
        let fits = |r: &Arc<Record>| r.outcome.as_str() == refused(r.status_code);
        assert!(records.iter().all(fits), "{records:#?}");
    }
}

/// No tunnel, whatever is asked for; what is offered beside a good request is not taken.
#[tokio::test]
async fn upgrades_and_connect() {
    let stack = stack().await;
    let address = serve(stack.gateway.clone()).await;
    let target = &converse();
    let good = |headers: &str| post("HTTP/1.1", target, headers);
    let websocket = "connection: Upgrade, close\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let h2c = "connection: Upgrade, HTTP2-Settings, close\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n";
    for offer in [websocket, h2c] {
        let answer = exchange(address, good(offer).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let arrived = stack.emulator.take_requests();
        for name in ["upgrade", "connection", "http2-settings"] {
            assert_eq!(arrived[0].header(name), None, "{name}");
        }
    }
    for line in [
        "CONNECT bedrock-runtime.us-east-1.amazonaws.com:443 HTTP/1.1",
        "CONNECT 127.0.0.1:22 HTTP/1.1",
        "OPTIONS * HTTP/1.1",
    ] {
        let answer = exchange(
            address,
            request(line, "connection: close\r\n", "").as_bytes(),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{line}: {answer}");
        assert!(answer.contains("AiGatewayError"), "{line}: {answer}");
    }
    // To a path that leads somewhere.
    let tunnel = request(
        &format!("CONNECT {target} HTTP/1.1"),
        "connection: close\r\n",
        "",
    );
    let answer = exchange(address, tunnel.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 501"), "{answer}");
    assert!(stack.emulator.requests().is_empty());
    let refused = "refused";
    let expected = ["complete", "complete", refused, refused, refused, refused];
    recorded(&stack.records, &expected).await;
}

#[tokio::test]
async fn te_and_trailer_are_of_the_connection() {
    let stack = stack().await;
    let address = serve(stack.gateway.clone()).await;
    let line = format!("POST {} HTTP/1.1", converse());
    let headers = "connection: close, TE\r\nte: trailers, deflate;q=0.5\r\ntrailer: x-amz-late\r\ntransfer-encoding: chunked\r\n";
    let body = format!(
        "{:x}\r\n{CONVERSE}\r\n0\r\nx-amz-late: 1\r\n\r\n",
        CONVERSE.len()
    );
    let answer = exchange(address, request(&line, headers, &body).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let arrived = stack.emulator.take_requests();
    assert!(arrived[0].accepted());
    assert_eq!(arrived[0].body, CONVERSE.as_bytes());
    for name in ["te", "trailer", "x-amz-late", "transfer-encoding"] {
        assert_eq!(arrived[0].header(name), None, "{name}");
    }
    recorded(&stack.records, &["complete"]).await;
}
