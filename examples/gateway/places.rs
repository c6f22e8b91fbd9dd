//! How many connections there may be at a time: who comes when there are as many, gets the place of
//! the one that has been idle for longest.

use std::convert::Infallible;
use std::future::pending;
use std::io::{IoSlice, Result as IoResult};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Response;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::running::{Counted, Running};

/// While all are busy, how often it is looked whether one still is.
const LOOK: Duration = Duration::from_millis(50);

pub(crate) struct Places(Option<Limited>);

struct Limited {
    free: Arc<Semaphore>,
    taken: Mutex<Vec<Weak<Seat>>>,
    clock: Arc<AtomicU64>,
}

/// The place of one connection, which is free again when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Place {
    /// None, where there is always a free one.
    seat: Option<Arc<Seat>>,
    /// For those without a seat: nobody asks it.
    running: Running,
}

struct Seat {
    running: Running,
    /// When it was taken, or a request came last: by a clock that counts such events.
    used: AtomicU64,
    /// Something is written that the peer has yet to take.
    is_writing: AtomicBool,
    leave: Notify,
    clock: Arc<AtomicU64>,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(crate) fn new(most: usize) -> Self {
        Self((most < Semaphore::MAX_PERMITS).then(|| Limited {
            free: Arc::new(Semaphore::new(most)),
            taken: Mutex::default(),
            clock: Arc::default(),
        }))
    }

    /// A place, as soon as there is one.
    pub(crate) async fn take(&self) -> Place {
        let seat = match &self.0 {
            Some(limited) => Some(limited.take().await),
            None => None,
        };
        let running = Running::default();
        Place { seat, running }
    }
}

impl Limited {
    async fn take(&self) -> Arc<Seat> {
        loop {
            let mut permit = Arc::clone(&self.free).try_acquire_owned().ok();
            if permit.is_none() {
                self.dismiss();
                let free = Arc::clone(&self.free).acquire_owned();
                permit = timeout(LOOK, free).await.ok().and_then(Result::ok);
            }
            if let Some(permit) = permit {
                return self.seat(permit);
            }
        }
    }

    fn seat(&self, permit: OwnedSemaphorePermit) -> Arc<Seat> {
        let seat = Arc::new(Seat {
            running: Running::default(),
            used: AtomicU64::new(self.clock.fetch_add(1, Ordering::Relaxed)),
            is_writing: AtomicBool::new(false),
            leave: Notify::new(),
            clock: Arc::clone(&self.clock),
            _permit: permit,
        });
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|seat| seat.strong_count() > 0);
        taken.push(Arc::downgrade(&seat));
        seat
    }

    /// Has the one leave that has been idle for longest, if one is.
    fn dismiss(&self) {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let seats = taken.iter().filter_map(Weak::upgrade);
        let idle = seats.filter(|seat| !seat.is_busy());
        if let Some(seat) = idle.min_by_key(|seat| seat.used.load(Ordering::Relaxed)) {
            seat.leave.notify_one();
        }
    }
}

impl Seat {
    fn is_busy(&self) -> bool {
        self.running.is_any() || self.is_writing.load(Ordering::Relaxed)
    }
}

impl Place {
    /// The answer to a request on this connection, which is not idle before that has been made.
    pub(crate) fn until_answered<A, B>(
        &self,
        answer: A,
    ) -> impl Future<Output = Result<Response<Counted<B>>, Infallible>> + use<A, B>
    where
        A: Future<Output = Result<Response<B>, Infallible>>,
    {
        let running = match &self.seat {
            Some(seat) => {
                let now = seat.clock.fetch_add(1, Ordering::Relaxed);
                seat.used.store(now, Ordering::Relaxed);
                &seat.running
            }
            None => &self.running,
        };
        running.clone().until_answered(answer)
    }

    /// The connection, which is not idle before the peer has taken what was written.
    pub(crate) fn watch<I>(&self, io: I) -> Watched<I> {
        Watched {
            io,
            seat: self.seat.clone(),
            is_writing: false,
        }
    }

    /// Waits until somebody else needs this place.
    pub(crate) async fn until_dismissed(self) {
        match &self.seat {
            Some(seat) => seat.leave.notified().await,
            None => pending().await,
        }
    }
}

/// A connection that says in its place whether something waits to be written.
pub(crate) struct Watched<I> {
    io: I,
    seat: Option<Arc<Seat>>,
    is_writing: bool,
}

impl<I> Watched<I> {
    fn set_writing(&mut self, is_writing: bool) {
        if self.is_writing != is_writing {
            self.is_writing = is_writing;
            if let Some(seat) = &self.seat {
                seat.is_writing.store(is_writing, Ordering::Relaxed);
            }
        }
    }

    fn wrote(&mut self, written: Poll<IoResult<usize>>) -> Poll<IoResult<usize>> {
        if written.is_pending() {
            self.set_writing(true);
        }
        written
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<IoResult<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<IoResult<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, data);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<IoResult<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, data);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    /// hyper does so when everything was written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<IoResult<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        if flushed.is_ready() {
            self.set_writing(false);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<IoResult<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
