//! The messages of a conversation: taken out of the client's bytes, and signed in a chain of our
//! own.

use std::mem;
use std::time::SystemTime;

use bytes::Bytes;

use super::sigv4::{DATE, EventStreamSigner, SIGNATURE, SignError};
use crate::body::{BoxError, CollectError};
use crate::eventstream::{DEFAULT_MAX_FRAME, DecodeError, Decoder, Frame};
use crate::reject::{Rejection, RejectionKind};

/// Longest message that is copied, so that it goes out in one piece. It costs less than two more
/// pieces would.
const SHORT: usize = 4 * 1024;

/// Signs the messages of one stream. It holds one of them at most.
pub(super) struct Chain {
    decoder: Decoder,
    /// `None` if nothing is signed: the messages go out bare.
    signer: Option<EventStreamSigner>,
    /// What the first message was.
    form: Option<Form>,
    /// What is left of the message that is going out.
    rest: [Bytes; 2],
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Bare,
    Wrapped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The client has said all.
    Closing,
    /// So have we.
    Over,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// These bytes go out.
    Piece(Bytes),
    /// More of the client's is needed.
    More,
    /// All has gone out.
    End,
}

/// Why a stream does not go on.
#[derive(Debug)]
pub(super) enum Fault {
    /// No event stream.
    Decode(DecodeError),
    /// What a signed message carries is no message.
    Inner(DecodeError),
    /// It is itself a signed one.
    Nested,
    /// Signed messages between others.
    Mixed,
    /// The body failed.
    Broken(BoxError),
    /// Ours.
    Sign(SignError),
}

impl Chain {
    /// For messages of up to `limit` bytes.
    pub(super) fn new(signer: Option<EventStreamSigner>, limit: usize) -> Self {
        Self {
            decoder: Decoder::new().with_max_frame(limit.min(DEFAULT_MAX_FRAME)),
            signer,
            form: None,
            rest: Default::default(),
            state: State::Open,
        }
    }

    /// More of the client's bytes; once all are used that came before.
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.decoder.push(bytes);
    }

    /// There are no more of them.
    pub(super) fn close(&mut self) {
        if self.state == State::Open {
            self.state = State::Closing;
        }
    }

    /// Nothing more goes out.
    pub(super) fn abandon(&mut self) {
        self.state = State::Over;
        self.rest = Default::default();
        self.decoder = Decoder::new();
    }

    /// Whether all has gone out.
    pub(super) fn is_over(&self) -> bool {
        self.state == State::Over && self.rest.iter().all(Bytes::is_empty)
    }

    /// The next step; a message is signed at the time that `now` tells. After a fault, the stream is
    /// over.
    pub(super) fn step(&mut self, now: impl FnOnce() -> SystemTime) -> Result<Step, Fault> {
        let step = self.advance(now);
        if step.is_err() {
            self.abandon();
        }
        step
    }

    fn advance(&mut self, now: impl FnOnce() -> SystemTime) -> Result<Step, Fault> {
        if let Some(piece) = self.rest.iter_mut().find(|piece| !piece.is_empty()) {
            return Ok(Step::Piece(mem::take(piece)));
        }
        if self.state == State::Over {
            return Ok(Step::End);
        }
        match self.decoder.next().map_err(Fault::Decode)? {
            Some(frame) => match self.unwrap(frame)? {
                Some(message) => self.carry(message, now),
                None => self.end(now),
            },
            None if self.state == State::Open => Ok(Step::More),
            None => {
                self.decoder.finish().map_err(Fault::Decode)?;
                self.end(now)
            }
        }
    }

    /// The message itself; `None` if this is the end of a signed stream.
    fn unwrap(&mut self, frame: Frame) -> Result<Option<Bytes>, Fault> {
        let form = Form::of(&frame);
        if *self.form.get_or_insert(form) != form {
            return Err(Fault::Mixed);
        }
        if form == Form::Bare {
            return Ok(Some(frame.raw().clone()));
        }
        let carried = frame.payload();
        if carried.is_empty() {
            return Ok(None);
        }
        match Form::of(&Frame::whole(carried.clone()).map_err(Fault::Inner)?) {
            Form::Bare => Ok(Some(carried.clone())),
            Form::Wrapped => Err(Fault::Nested),
        }
    }

    fn carry(&mut self, message: Bytes, now: impl FnOnce() -> SystemTime) -> Result<Step, Fault> {
        let Some(signer) = &mut self.signer else {
            return Ok(Step::Piece(message));
        };
        if message.len() <= SHORT {
            let piece = signer.sign(&message, now()).map_err(Fault::Sign)?;
            return Ok(Step::Piece(piece));
        }
        let (before, after) = signer.sign_around(&message, now()).map_err(Fault::Sign)?;
        self.rest = [message, after];
        Ok(Step::Piece(before))
    }

    /// The last message is an empty one. What the client sends after its own is not looked at.
    fn end(&mut self, now: impl FnOnce() -> SystemTime) -> Result<Step, Fault> {
        self.state = State::Over;
        self.decoder = Decoder::new();
        match &mut self.signer {
            Some(signer) => signer
                .sign(b"", now())
                .map(Step::Piece)
                .map_err(Fault::Sign),
            None => Ok(Step::End),
        }
    }
}

impl Form {
    /// By the names of its headers: they are all that such a message has.
    fn of(frame: &Frame) -> Self {
        let mut names = frame.headers().map(|(name, _)| name);
        match (names.next(), names.next(), names.next()) {
            (Some(SIGNATURE), Some(DATE), None) | (Some(DATE), Some(SIGNATURE), None) => {
                Self::Wrapped
            }
            _ => Self::Bare,
        }
    }
}

impl Fault {
    /// What the client is told.
    pub(super) fn refusal(self) -> Rejection {
        let invalid = |text: String| Rejection::new(RejectionKind::InvalidBody, text);
        match self {
            Self::Decode(DecodeError::TooLarge { length, limit }) => Rejection::new(
                RejectionKind::BodyTooLarge,
                format!("a message of the stream has {length} bytes, and {limit} are allowed"),
            ),
            Self::Decode(DecodeError::Truncated) => {
                invalid("the request body ended in the middle of a message".into())
            }
            Self::Decode(error) => invalid(format!("the request body cannot be read: {error}")),
            Self::Inner(error) => invalid(format!("a signed message cannot be read: {error}")),
            Self::Nested => invalid("a signed message carries a signed message".into()),
            Self::Mixed => invalid("signed messages come between others that are not".into()),
            Self::Broken(cause) => CollectError::Broken(cause).refusal(0),
            Self::Sign(error) => super::settings::cannot_sign(&error),
        }
    }
}
