//! One conversation: the client's body on one side, the chain's messages on the other.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context as Task, Poll, ready};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::{Body, Frame};
use tower_service::Service;

use super::body::SignedBody;
use super::chain::{Chain, Fault, Step};
use super::future::Unsigned;
use super::judge::Signed;
use super::settings::Settings;
use crate::body::BoxError;
use crate::context::Context;
use crate::credentials::Credentials;
use crate::reject::Rejection;

/// Where a conversation leaves word of what is wrong with the client's side of it.
pub(super) type Verdict = Arc<OnceLock<Rejection>>;

/// Signs the messages of one body as they come.
pub(super) struct Conversation {
    chain: Chain,
    settings: Arc<Settings>,
    /// Whose clock the messages are dated by.
    uri: Uri,
    facts: Context,
    verdict: Verdict,
}

impl Conversation {
    pub(super) fn new(
        chain: Chain,
        settings: &Arc<Settings>,
        uri: &Uri,
        facts: &Context,
        verdict: &Verdict,
    ) -> Self {
        facts.set_request_size(0);
        Self {
            chain,
            settings: Arc::clone(settings),
            uri: uri.clone(),
            facts: facts.clone(),
            verdict: Arc::clone(verdict),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.chain.is_over()
    }

    /// The next piece of the chain. The body is asked only when all is used that it gave.
    pub(super) fn poll<B>(
        &mut self,
        mut body: Pin<&mut B>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        loop {
            let now = || self.settings.time(Some(&self.uri));
            let fault = match self.chain.step(now) {
                Ok(Step::Piece(piece)) => return Poll::Ready(Some(Ok(Frame::data(piece)))),
                Ok(Step::End) => return Poll::Ready(None),
                Ok(Step::More) => match ready!(body.as_mut().poll_frame(cx)) {
                    None => {
                        self.chain.close();
                        continue;
                    }
                    Some(Ok(frame)) => {
                        // Trailers are not signed, so they end here.
                        if let Ok(bytes) = frame.into_data() {
                            count(&self.facts, &bytes);
                            self.chain.push(bytes);
                        }
                        continue;
                    }
                    Some(Err(error)) => {
                        self.chain.abandon();
                        Fault::Broken(error.into())
                    }
                },
                Err(fault) => fault,
            };
            let rejection = self.facts.rejected(fault.refusal());
            let _ = self.verdict.set(rejection.clone());
            return Poll::Ready(Some(Err(rejection.into())));
        }
    }
}

impl<S> Unsigned<S> {
    /// Signs the head and calls inward, with a body whose messages are signed as they come.
    pub(super) fn converse<B, R>(
        mut self,
        settings: &Arc<Settings>,
        signed: &mut Signed,
        body: B,
        credentials: &Credentials,
    ) -> Result<(S::Future, Verdict), (Rejection, B)>
    where
        S: Service<Request<SignedBody<B>>, Response = Response<R>>,
    {
        let head = &mut self.head;
        let time = settings.time(Some(&head.uri));
        let facts = signed
            .facts
            .get_or_insert_with(|| Context::of(&mut head.extensions));
        let facts = facts.clone();
        let signer = match settings.prove_stream(&facts, head, credentials, time) {
            Ok(signer) => signer,
            Err(rejection) => return Err((rejection, body)),
        };
        let dated = signer.is_some().then_some(time);
        signed.sent(self.manner, &head.uri, dated);
        let chain = Chain::new(signer, settings.message_limit);
        let verdict = Verdict::default();
        let conversation = Conversation::new(chain, settings, &head.uri, &facts, &verdict);
        let body = SignedBody::chained(body, conversation);
        let future = self.ready.call(Request::from_parts(self.head, body));
        Ok((future, verdict))
    }
}

/// Whether the upstream has refused a conversation by itself, whatever became of the client's side.
pub(super) fn is_the_upstreams<R, E>(polled: &Poll<Result<Response<R>, E>>) -> bool {
    let Poll::Ready(Ok(response)) = polled else {
        return false;
    };
    !response.status().is_success() && response.extensions().get::<Rejection>().is_none()
}

/// Notes what the client has sent of a body that has no end in sight.
pub(super) fn count(facts: &Context, bytes: &Bytes) {
    let before = facts.request_size().unwrap_or_default();
    facts.set_request_size(before.saturating_add(bytes.len() as u64));
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation").finish_non_exhaustive()
    }
}
