use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use super::Sink;
use super::queue::{CAPACITY, Lost, Queue, Work};
use crate::observe::record::Record;

/// Bytes that are gathered for one write.
const BUFFER: usize = 64 * 1024;

/// Writes each record as one line of JSON, from a thread of its own.
///
/// If the writer is slower than the requests, up to 4096 records wait for it; those that find no
/// place, and those that cannot be written, are dropped and counted. Dropping the last handle
/// writes what waits, for five seconds at most. Clones share the writer.
#[derive(Clone)]
pub struct JsonLines(Arc<Queue>);

impl JsonLines {
    /// Appends to the file at `path`; makes it if there is none.
    ///
    /// # Errors
    /// If the file cannot be opened, or no thread can be had.
    pub fn to_file(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let (lines, lost) = Lines::new(file);
        Ok(Self(Arc::new(Queue::start(lines, CAPACITY, lost)?)))
    }

    /// Writes to `writer`, which needs no buffer of its own.
    ///
    /// If no thread can be had, all records are dropped and counted.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        let (lines, lost) = Lines::new(writer);
        Self(Arc::new(Queue::new(lines, CAPACITY, lost)))
    }

    /// How many records were dropped.
    pub fn dropped(&self) -> u64 {
        self.0.lost()
    }

    /// Waits until all records so far are written. It blocks the thread.
    pub fn flush(&self) {
        self.0.flush();
    }
}

impl Sink for JsonLines {
    fn record(&self, record: &Arc<Record>) {
        self.0.push(record);
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
    lost: Arc<Lost>,
}

impl<W> Lines<W> {
    fn new(writer: W) -> (Self, Arc<Lost>) {
        let lost = Arc::new(Lost::new("json_lines"));
        let lines = Self {
            writer,
            buffer: Vec::new(),
            waiting: 0,
            torn: false,
            lost: Arc::clone(&lost),
        };
        (lines, lost)
    }
}

impl<W: Write + Send + 'static> Work for Lines<W> {
    fn record(&mut self, record: &Arc<Record>) {
        let length = self.buffer.len();
        if serde_json::to_writer(&mut self.buffer, &**record).is_err() {
            self.buffer.truncate(length);
            self.lost.add(1);
            return;
        }
        self.buffer.push(b'\n');
        self.waiting += 1;
        if self.buffer.len() >= BUFFER {
            self.flush();
        }
    }

    fn idle(&mut self) {
        self.flush();
    }
}

impl<W: Write> Lines<W> {
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
            self.lost.add(self.waiting);
        }
        self.buffer.clear();
        self.waiting = 0;
    }
}
