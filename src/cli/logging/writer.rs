//! Writes the log on a thread of its own: a request does not wait for a terminal, a pipe or a disk.
//!
//! The first line after a silence is written at once. Lines close behind are written together, [`GATHER`] later. Without a
//! reader, lines beyond [`MOST_BYTES`] are dropped, and their number is logged when somebody reads again: a stuck log is no
//! reason to serve nobody.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Between two writes under load: what a `kill -9` may cost the log.
const GATHER: Duration = Duration::from_millis(10);

/// How much of the log may wait to be written.
const MOST_BYTES: usize = 16 << 20;

/// How long the end of the process waits for a log without a reader.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

/// The end for new lines. Cheap to clone.
#[derive(Clone)]
pub(super) struct LogWriter(Arc<WriterState>);

struct WriterState {
    lines: Mutex<PendingLines>,
    changed: Condvar,
}

#[derive(Default)]
struct PendingLines {
    waiting: Vec<u8>,
    dropped: u64,
    /// Some are being written.
    writing: bool,
}

impl LogWriter {
    /// Starts the thread. Lines go into `out`.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<LogWriter> {
        let writer = LogWriter(Arc::new(WriterState { lines: Mutex::default(), changed: Condvar::new() }));
        let lines = writer.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || lines.write_on(out))?;
        Ok(writer)
    }

    fn write_on(&self, mut out: impl Write) {
        let mut taken: Vec<u8> = Vec::new();
        loop {
            let dropped = {
                let mut lines = self.lines();
                lines.writing = false;
                self.0.changed.notify_all();
                while lines.waiting.is_empty() {
                    lines = self.0.changed.wait(lines).unwrap_or_else(PoisonError::into_inner);
                }
                std::mem::swap(&mut lines.waiting, &mut taken);
                lines.writing = true;
                std::mem::take(&mut lines.dropped)
            };
            // A log without an output can't say so.
            let _ = out.write_all(&taken);
            if dropped > 0 {
                let notice = format!("(the log was not read: {dropped} lines were dropped)\n");
                let _ = out.write_all(notice.as_bytes());
            }
            let _ = out.flush();
            taken.clear();
            // A moment's burst is not kept room for.
            taken.shrink_to(1 << 20);
            thread::sleep(GATHER);
        }
    }

    /// Waits until all is written, or until time is up.
    pub(super) fn flush(&self) {
        let lines = self.lines();
        let unwritten = |lines: &mut PendingLines| lines.writing || !lines.waiting.is_empty();
        drop(self.0.changed.wait_timeout_while(lines, FLUSH_WITHIN, unwritten));
    }

    /// A thread that panicked with the lines in hand left them whole.
    fn lines(&self) -> MutexGuard<'_, PendingLines> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lines = self.lines();
        if lines.waiting.len() + line.len() > MOST_BYTES {
            lines.dropped += 1;
            return Ok(line.len());
        }
        let wakes = lines.waiting.is_empty() && !lines.writing;
        lines.waiting.extend_from_slice(line);
        drop(lines);
        if wakes {
            self.0.changed.notify_all();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A pipe whose reader decides when something is read.
    struct Pipe(mpsc::SyncSender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_come_in_order_and_whole_and_a_flush_waits_for_them() {
        let (pipe, read) = mpsc::sync_channel(10_000);
        let mut log = LogWriter::start(Pipe(pipe)).expect("a thread");
        let wanted: String = (0..1_000).map(|i| format!("line {i}\n")).collect();
        wanted.split_inclusive('\n').for_each(|line| log.write_all(line.as_bytes()).expect("takes it"));
        LogWriter::flush(&log);
        assert_eq!(String::from_utf8(read.try_iter().flatten().collect()), Ok(wanted));
    }

    #[test]
    fn a_log_that_nobody_reads_stops_nobody_and_says_what_is_lost() {
        let (pipe, read) = mpsc::sync_channel(0);
        let mut log = LogWriter::start(Pipe(pipe)).expect("a thread");
        let line = [b'x'; 1 << 20];
        (0..40).for_each(|_| log.write_all(&line).expect("takes it"));
        let told = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).contains(" lines were dropped)");
        let within = Duration::from_secs(10);
        assert!(std::iter::from_fn(|| read.recv_timeout(within).ok()).any(|written| told(&written)));
    }
}
