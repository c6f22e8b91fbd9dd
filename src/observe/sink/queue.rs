//! Records that wait for a thread of their own.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SyncSender, TryRecvError, channel, sync_channel,
};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use super::lost::Lost;
use crate::observe::record::Record;

/// Records that may wait, unless somebody says otherwise.
pub(super) const CAPACITY: usize = 4096;
/// How long dropping the last handle waits for what waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the thread does.
pub(super) trait Work: Send + 'static {
    /// Takes a record. If it panics, that record is lost.
    fn record(&mut self, record: &Arc<Record>);

    /// No record waits.
    fn idle(&mut self) {}

    /// Opens anew what it writes to.
    fn reopen(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The way to the thread. When it is dropped, the thread does what waits, and ends.
pub(super) struct Queue {
    /// `None` if there is no thread, and while this is dropped.
    sender: Option<SyncSender<Message>>,
    thread: Option<ThreadId>,
    /// Closed when the thread ends.
    ended: Mutex<Receiver<()>>,
    lost: Arc<Lost>,
}

enum Message {
    Record(Arc<Record>),
    Flush(SyncSender<()>),
    Reopen(SyncSender<io::Result<()>>),
}

impl Queue {
    /// Starts a thread for `work`, which may count into `lost` too.
    pub(super) fn start(work: impl Work, capacity: usize, lost: Arc<Lost>) -> io::Result<Self> {
        let (sender, messages) = sync_channel(capacity);
        let (ending, ended) = channel();
        let counter = Arc::clone(&lost);
        let handle = thread::Builder::new()
            .name("tower-bedrock-records".to_owned())
            .spawn(move || {
                run(work, &messages, &counter);
                drop(ending);
            })?;
        Ok(Self {
            sender: Some(sender),
            thread: Some(handle.thread().id()),
            ended: Mutex::new(ended),
            lost,
        })
    }

    /// The same; if no thread can be had, all records are lost.
    pub(super) fn new(work: impl Work, capacity: usize, lost: Arc<Lost>) -> Self {
        Self::start(work, capacity, Arc::clone(&lost)).unwrap_or_else(|error| {
            tracing::error!(%error, "no thread for the records: all are lost");
            Self {
                sender: None,
                thread: None,
                ended: Mutex::new(channel().1),
                lost,
            }
        })
    }

    /// Never waits: a record that finds no place is lost.
    pub(super) fn push(&self, record: &Arc<Record>) {
        let message = Message::Record(Arc::clone(record));
        let sender = self.sender.as_ref();
        if sender.is_none_or(|sender| sender.try_send(message).is_err()) {
            self.lost.add(1, &"too many wait for the sink");
        }
    }

    /// Waits until all records so far are done.
    pub(super) fn flush(&self) {
        let (done, wait) = sync_channel(1);
        let sender = self.sender.as_ref();
        if sender.is_some_and(|sender| sender.send(Message::Flush(done)).is_ok()) {
            // An error means that the thread is gone, and nothing waits.
            let _ = wait.recv();
        }
    }

    /// Has what is written to opened anew, once all records so far are done.
    pub(super) fn reopen(&self) -> io::Result<()> {
        let (done, wait) = sync_channel(1);
        let sender = self.sender.as_ref();
        if sender.is_some_and(|sender| sender.send(Message::Reopen(done)).is_ok())
            && let Ok(reopened) = wait.recv()
        {
            return reopened;
        }
        Err(io::Error::other("the thread that writes is gone"))
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.count()
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.sender = None;
        let is_own = self.thread == Some(thread::current().id());
        let Ok(ended) = self.ended.get_mut() else {
            return;
        };
        if !is_own && ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("records still wait for a sink after {PATIENCE:?}: left behind");
        }
    }
}

fn run(mut work: impl Work, messages: &Receiver<Message>, lost: &Lost) {
    let mut guarded = |job: &mut dyn FnMut(&mut dyn Work)| {
        catch_unwind(AssertUnwindSafe(|| job(&mut work))).is_ok()
    };
    loop {
        let message = match messages.try_recv() {
            Err(TryRecvError::Empty) => {
                guarded(&mut |work| work.idle());
                messages.recv().ok()
            }
            other => other.ok(),
        };
        match message {
            Some(Message::Record(record)) => {
                if !guarded(&mut |work| work.record(&record)) {
                    lost.add(1, &"the sink panicked");
                }
            }
            Some(Message::Flush(done)) => {
                guarded(&mut |work| work.idle());
                let _ = done.send(());
            }
            Some(Message::Reopen(done)) => {
                let mut reopened = Err(io::Error::other("the sink panicked"));
                guarded(&mut |work| {
                    work.idle();
                    reopened = work.reopen();
                });
                let _ = done.send(reopened);
            }
            None => break,
        }
    }
    guarded(&mut |work| work.idle());
}
