//! Clients and upstreams that do what they should not, or what hardly anybody does.

#[path = "../support/mod.rs"]
mod support;

mod frames;

mod early;
mod http1;
mod http2;
mod panics;
mod resets;
mod upstreams;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_bedrock::observe::Ring;

/// Fails what would wait for ever.
async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    let done = timeout(Duration::from_secs(20), future).await;
    done.unwrap_or_else(|_| panic!("{what}: not within 20 seconds"))
}

/// Sends `bytes` and reads until the server closes, or breaks off.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = soon("the end", stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// These records and no more; `a|b` is either of them.
async fn recorded(records: &Ring, outcomes: &[&str]) {
    support::eventually("all records", || records.len() >= outcomes.len()).await;
    // One too many would come about now.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut found = records.snapshot();
    found.sort_by(|a, b| a.id.cmp(&b.id));
    let found: Vec<_> = found.iter().map(|record| record.outcome.as_str()).collect();
    assert_eq!(found.len(), outcomes.len(), "{found:?}");
    for (found, allowed) in found.iter().zip(outcomes) {
        assert!(
            allowed.split('|').any(|one| one == *found),
            "{found:?} {allowed:?}"
        );
    }
}
