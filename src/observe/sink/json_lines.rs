use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};

use super::Sink;
use crate::observe::record::Record;

/// Records that may wait for the writer.
const QUEUE: usize = 4096;
/// Bytes that are gathered for one write.
const BUFFER: usize = 64 * 1024;

/// Writes each record as one line of JSON, from a thread of its own.
///
/// If the writer is slower than the requests, up to 4096 records wait for it; those that find no
/// place, and those that cannot be written, are dropped and counted. Dropping the last handle
/// writes what waits. Clones share the writer.
#[derive(Clone)]
pub struct JsonLines(Arc<Handle>);

struct Handle {
    /// `None` only while the handle is dropped.
    queue: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<()>>,
    dropped: Arc<AtomicU64>,
}

enum Message {
    Record(Arc<Record>),
    Flush(SyncSender<()>),
}

impl JsonLines {
    /// Appends to the file at `path`; makes it if there is none.
    ///
    /// # Errors
    /// If the file cannot be opened, or no thread can be had.
    pub fn to_file(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Self::start(file).0
    }

    /// Writes to `writer`, which needs no buffer of its own.
    ///
    /// If no thread can be had, all records are dropped and counted.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        match Self::start(writer) {
            (Ok(sink), _) => sink,
            (Err(error), dropped) => {
                tracing::error!(%error, "no thread for the writing of records");
                Self(Arc::new(Handle {
                    queue: None,
                    thread: None,
                    dropped,
                }))
            }
        }
    }

    fn start(writer: impl Write + Send + 'static) -> (io::Result<Self>, Arc<AtomicU64>) {
        let (queue, messages) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let lines = Lines {
            writer,
            buffer: Vec::new(),
            waiting: 0,
            torn: false,
            dropped: Arc::clone(&dropped),
        };
        let thread = thread::Builder::new()
            .name("tower-bedrock-records".to_owned())
            .spawn(move || lines.run(&messages));
        let sink = thread.map(|thread| {
            Self(Arc::new(Handle {
                queue: Some(queue),
                thread: Some(thread),
                dropped: Arc::clone(&dropped),
            }))
        });
        (sink, dropped)
    }

    /// How many records were dropped.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Waits until all records so far are written. It blocks the thread.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        let queue = self.0.queue.as_ref();
        if queue.is_some_and(|queue| queue.send(Message::Flush(done)).is_ok()) {
            // An error means that the writer's thread is gone, and nothing waits.
            let _ = wait.recv();
        }
    }
}

impl Sink for JsonLines {
    fn record(&self, record: &Arc<Record>) {
        let queue = self.0.queue.as_ref();
        let message = Message::Record(Arc::clone(record));
        if queue.is_none_or(|queue| queue.try_send(message).is_err()) {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // The thread writes what waits, and ends.
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for JsonLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLines")
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

/// What the thread works on.
struct Lines<W> {
    writer: W,
    buffer: Vec<u8>,
    /// Records in the buffer.
    waiting: u64,
    /// The latest write failed, maybe in the middle of a line.
    torn: bool,
    dropped: Arc<AtomicU64>,
}

impl<W: Write> Lines<W> {
    fn run(mut self, messages: &Receiver<Message>) {
        loop {
            let message = match messages.try_recv() {
                Err(TryRecvError::Empty) => {
                    self.flush();
                    messages.recv().ok()
                }
                other => other.ok(),
            };
            match message {
                Some(Message::Record(record)) => self.add(&record),
                Some(Message::Flush(done)) => {
                    self.flush();
                    let _ = done.send(());
                }
                None => break,
            }
        }
        self.flush();
    }

    fn add(&mut self, record: &Record) {
        let length = self.buffer.len();
        if serde_json::to_writer(&mut self.buffer, record).is_err() {
            self.buffer.truncate(length);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.buffer.push(b'\n');
        self.waiting += 1;
        if self.buffer.len() >= BUFFER {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.waiting == 0 {
            return;
        }
        let Self { writer, buffer, .. } = self;
        let begin: &[u8] = if self.torn { b"\n" } else { b"" };
        let written = catch_unwind(AssertUnwindSafe(|| {
            writer.write_all(begin)?;
            writer.write_all(buffer)?;
            writer.flush()
        }));
        self.torn = !matches!(written, Ok(Ok(())));
        if self.torn {
            self.dropped.fetch_add(self.waiting, Ordering::Relaxed);
        }
        self.buffer.clear();
        self.waiting = 0;
    }
}
