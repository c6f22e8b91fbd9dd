use std::convert::Infallible;
use std::future::poll_fn;

use http::Request;
use http_body::Frame;
use tokio::sync::mpsc;

use super::*;
use crate::emulator::log::Log;
use crate::eventstream;

/// A request whose bytes come when the test sends them.
struct Pipe(mpsc::UnboundedReceiver<Bytes>);

impl Body for Pipe {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(cx)
            .map(|data| data.map(|data| Ok(Frame::data(data))))
    }
}

/// A Nova Sonic that takes bare messages, its request, its log.
fn sonic() -> (mpsc::UnboundedSender<Bytes>, Duplex<Pipe>, Log) {
    let opening = Opening {
        reader: Reader::new(None),
        model: Model::Sonic(Box::new(Session::new())),
        fault: None,
        clock: Clock::system(),
    };
    let log = Log::default();
    let (head, ()) = Request::new(()).into_parts();
    let (pipe, receiver) = mpsc::unbounded_channel();
    let duplex = opening.begin(Pipe(receiver), log.open(&head));
    (pipe, duplex, log)
}

fn event(name: &str) -> Bytes {
    let bytes = BASE64.encode(json!({ "event": { name: {} } }).to_string());
    eventstream::event("chunk", json!({ "bytes": bytes }).to_string().as_bytes())
}

async fn next(duplex: &mut Duplex<Pipe>) -> Option<Vec<Step>> {
    poll_fn(|cx| duplex.poll_steps(cx)).await
}

#[tokio::test(start_paused = true)]
async fn a_session_lasts_eight_minutes() {
    let (pipe, mut duplex, log) = sonic();
    pipe.send(event("sessionStart")).unwrap();
    let begun = Instant::now();
    let steps = next(&mut duplex).await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 480);
    let [Step::Data(frame)] = &steps[..] else {
        panic!("{steps:?}")
    };
    let text = String::from_utf8_lossy(frame);
    assert!(text.contains("modelTimeoutException"), "{text}");
    assert!(next(&mut duplex).await.is_none());
    let verdict = log.all()[0].verdict;
    assert_eq!(verdict, Verdict::Refused("ModelTimeoutException"));
}

#[tokio::test(start_paused = true)]
async fn a_request_outlives_its_session_by_seconds() {
    let (pipe, mut duplex, log) = sonic();
    pipe.send(event("sessionStart")).unwrap();
    pipe.send(event("sessionEnd")).unwrap();
    let begun = Instant::now();
    assert!(next(&mut duplex).await.is_none());
    assert_eq!(begun.elapsed().as_secs(), 5);
    assert_eq!(log.all()[0].verdict, Verdict::Accepted);
    drop(pipe);
}

#[tokio::test]
async fn what_is_dropped_is_in_the_log() {
    let (pipe, mut duplex, log) = sonic();
    pipe.send(event("sessionStart")).unwrap();
    let nothing = poll_fn(|cx| Poll::Ready(duplex.poll_steps(cx).is_pending())).await;
    assert!(nothing);
    drop(duplex);
    let request = log.all().remove(0);
    assert_eq!(request.verdict, Verdict::Incomplete);
    assert_eq!((request.messages, request.body), (1, event("sessionStart")));
}
