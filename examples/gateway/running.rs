//! Which connections have a request running, so that a server that stops waits for no others.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Response;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::sleep;

/// Long enough for the end of an answer to get through.
const QUIET: u32 = 5;

/// Counts the requests of one connection.
#[derive(Clone, Default)]
pub(crate) struct Running(Arc<()>);

impl Running {
    /// The answer, which counts until its body is dropped.
    pub(crate) async fn until_answered<B>(
        self,
        answer: impl Future<Output = Result<Response<B>, Infallible>>,
    ) -> Result<Response<Counted<B>>, Infallible> {
        let response = answer.await?;
        Ok(response.map(|body| Counted {
            body,
            _running: self,
        }))
    }

    /// Whether one runs, if nobody else has a clone of this.
    pub(crate) fn is_any(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Waits until the server stops and no request has run here for some seconds.
    pub(crate) async fn until_quiet(self, mut stop: watch::Receiver<bool>) {
        let _ = stop.wait_for(|stop| *stop).await;
        let mut quiet = 0;
        while quiet < QUIET {
            sleep(Duration::from_secs(1)).await;
            // This one, and that of the service.
            let is_running = Arc::strong_count(&self.0) > 2;
            quiet = if is_running { 0 } else { quiet + 1 };
        }
    }
}

pin_project_lite::pin_project! {
    pub(crate) struct Counted<B> {
        #[pin]
        body: B,
        _running: Running,
    }
}

impl<B: Body> Body for Counted<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
