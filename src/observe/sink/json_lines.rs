use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use super::Sink;
use super::lost::{JSON_LINES, Lost};
use super::queue::{CAPACITY, Queue, Work};
use crate::observe::record::Record;

/// Bytes that are gathered for one write.
const BUFFER: usize = 64 * 1024;

/// Writes each record as one line of JSON, from a thread of its own.
///
/// If the writer is slower than the requests, up to 4096 records wait for it; those that find no
/// place, and those that cannot be written, are dropped and counted. Dropping the last handle
/// writes what waits, for five seconds at most. Clones share the writer.
///
/// A write that fails in the middle of a line leaves no half of one in a file: it is cut off again.
/// Where that cannot be, with [`new`](Self::new), the next line begins on a line of its own.
#[derive(Clone)]
pub struct JsonLines(Arc<Queue>);

impl JsonLines {
    /// Appends to the file at `path`; makes it if there is none.
    ///
    /// # Errors
    /// If the file cannot be opened, or no thread can be had.
    pub fn to_file(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        let (file, in_line) = open(&path)?;
        let (mut lines, lost) = Lines::new(file);
        lines.cut = Some(cut);
        lines.in_line = in_line;
        lines.open = Some(Box::new(move || open(&path)));
        Ok(Self(Arc::new(Queue::start(lines, CAPACITY, lost)?)))
    }

    /// Writes to `writer`, which needs no buffer of its own.
    ///
    /// If no thread can be had, all records are dropped and counted.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        let (lines, lost) = Lines::new(writer);
        Self(Arc::new(Queue::new(lines, CAPACITY, lost)))
    }

    /// Opens the file at its path anew, as is to be done when it has been given another name there;
    /// makes it if there is none. Records so far are written to the old one, those to come to the
    /// new one, and none is lost in between. It blocks the thread until that is done.
    ///
    /// # Errors
    /// If the file cannot be opened: then the old one is kept. Always, if this was not made by
    /// [`to_file`](Self::to_file).
    pub fn reopen(&self) -> io::Result<()> {
        self.0.reopen()
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

/// Opens a writer, and says whether what was written there last is no whole line.
type Open<W> = Box<dyn FnMut() -> io::Result<(W, bool)> + Send>;

/// What the thread works on.
struct Lines<W> {
    writer: W,
    buffer: Vec<u8>,
    /// Records in the buffer.
    waiting: u64,
    /// What was written last is no whole line.
    in_line: bool,
    /// Takes back so many bytes of what was written last, if it can.
    cut: Option<fn(&mut W, usize) -> io::Result<()>>,
    open: Option<Open<W>>,
    lost: Arc<Lost>,
}

impl<W> Lines<W> {
    fn new(writer: W) -> (Self, Arc<Lost>) {
        let lost = Arc::new(Lost::new(JSON_LINES));
        let lines = Self {
            writer,
            buffer: Vec::new(),
            waiting: 0,
            in_line: false,
            cut: None,
            open: None,
            lost: Arc::clone(&lost),
        };
        (lines, lost)
    }
}

impl<W: Write + Send + 'static> Work for Lines<W> {
    fn record(&mut self, record: &Arc<Record>) {
        let length = self.buffer.len();
        if let Err(error) = serde_json::to_writer(&mut self.buffer, &**record) {
            self.buffer.truncate(length);
            self.lost.add(1, &error);
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

    fn reopen(&mut self) -> io::Result<()> {
        let open = self.open.as_mut().ok_or(io::ErrorKind::Unsupported)?;
        (self.writer, self.in_line) = open()?;
        Ok(())
    }
}

impl<W: Write> Lines<W> {
    fn flush(&mut self) {
        if self.waiting == 0 {
            return;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let (written, result) = self.write(&buffer);
        if let Err(error) = result {
            let whole = buffer.get(..written).unwrap_or_default();
            let lines = whole.iter().filter(|&&byte| byte == b'\n').count() as u64;
            self.lost.add(self.waiting.saturating_sub(lines), &error);
        }
        buffer.clear();
        self.buffer = buffer;
        self.waiting = 0;
    }

    /// Writes lines; says how many bytes of them are there for good.
    fn write(&mut self, lines: &[u8]) -> (usize, io::Result<()>) {
        if self.in_line {
            match self.write_some(b"\n") {
                (1, _) => self.in_line = false,
                (_, result) => return (0, result),
            }
        }
        let (written, mut result) = self.write_some(lines);
        if result.is_ok() {
            result = self.guarded(Write::flush);
            if result.is_err() {
                return (0, result);
            }
        }
        let now = lines.get(..written).unwrap_or_default();
        let torn = now.iter().rev().take_while(|&&byte| byte != b'\n').count();
        if torn > 0 {
            let cut = self.cut.map(|cut| cut(&mut self.writer, torn));
            self.in_line = !matches!(cut, Some(Ok(())));
        }
        (written, result)
    }

    /// How much was written, and why not all of it.
    fn write_some(&mut self, bytes: &[u8]) -> (usize, io::Result<()>) {
        let mut written = 0;
        let result = self.guarded(|writer| {
            while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
                match writer.write(rest) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => written = (written + count).min(bytes.len()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        });
        (written, result)
    }

    fn guarded(&mut self, work: impl FnOnce(&mut W) -> io::Result<()>) -> io::Result<()> {
        let done = catch_unwind(AssertUnwindSafe(|| work(&mut self.writer)));
        done.unwrap_or_else(|_| {
            // Who knows what it did before.
            self.in_line = true;
            Err(io::Error::other("the writer panicked"))
        })
    }
}

fn open(path: &Path) -> io::Result<(File, bool)> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    // Whoever wrote there before may have been stopped in the middle of a line.
    Ok((file, ends_in_line(path).unwrap_or(false)))
}

/// Takes back the last bytes of a file, unless somebody else has written to it since.
fn cut(file: &mut File, bytes: usize) -> io::Result<()> {
    let end = file.stream_position()?;
    let length = end.checked_sub(bytes as u64);
    match length.filter(|_| file.metadata().is_ok_and(|file| file.len() == end)) {
        Some(length) => file.set_len(length),
        None => Err(io::ErrorKind::Other.into()),
    }
}

/// Whether the last byte of a file is not the end of a line.
fn ends_in_line(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    if !file.metadata()?.is_file() || file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != [b'\n'])
}
