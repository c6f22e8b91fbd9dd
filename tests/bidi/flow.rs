//! Bytes that flow both ways, over sockets.

use super::talk::{Heard, Piped, ask, layer, message, payload, request, soon, stack};
use super::upstream::{echo, upstream};

/// The next message is sent only when the answer to the one before has come.
#[tokio::test]
async fn both_sides_at_the_same_time() {
    let upstream = upstream(echo).await;
    let stack = stack(&layer());
    soon(async {
        let (sender, body) = Piped::new(1);
        let request = request(&upstream.url).body(body).unwrap();
        let answer = ask(&stack, request).await;
        assert_eq!(answer.status(), 200);
        let mut heard = Heard::new(answer.into_body());
        for n in 0..100 {
            sender.send(Ok(message(n))).await.unwrap();
            assert_eq!(heard.next().await.unwrap().unwrap(), payload(n));
        }
        drop(sender);
        assert!(heard.next().await.is_none());
    })
    .await;
}
