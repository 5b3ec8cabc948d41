//! The log: a line each on standard error, green, yellow or red on a terminal.

use std::io::{self, IsTerminal, Write};

use env_logger::{Builder, Env, Target, WriteStyle};
use log::Level;

use super::log_writer::LogWriter;

/// The log of this process, to be flushed at its end.
pub(super) struct Log(Option<LogWriter>);

impl Drop for Log {
    fn drop(&mut self) {
        self.0.iter().for_each(LogWriter::flush);
    }
}

/// Sets the log up, by `RUST_LOG` (a filter) or `LOG_LEVEL` (`error`, `warn`, `info`, `debug`, `trace`).
#[must_use]
pub(super) fn init() -> Log {
    let level = std::env::var("LOG_LEVEL").ok().filter(|level| level.parse::<log::LevelFilter>().is_ok());
    let level = level.as_deref().unwrap_or("info");
    // The libraries' own chatter is of use to their developers only. What actix_http calls an error is a client's broken
    // request, of which any stranger can send as many as they like.
    let filter = format!("warn,actix_http=off,api_together={level},request={level}");
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let writer = LogWriter::start(std::io::stderr()).ok();
    let mut builder = Builder::from_env(Env::new().filter_or("RUST_LOG", filter));
    builder.write_style(WriteStyle::Never).format(move |out, record| {
        let (on, off) = if colour { (paint(record.level()), "\x1b[0m") } else { ("", "") };
        write!(out, "{on}{:.3} {:5} ", jiff::Timestamp::now(), record.level())?;
        write!(OneLine(&mut *out), "{}", record.args())?;
        writeln!(out, "{off}")
    });
    if let Some(writer) = writer.clone() {
        builder.target(Target::Pipe(Box::new(writer)));
    }
    builder.init();
    // As a line like any other: what it quotes must forge none.
    std::panic::set_hook(Box::new(|panic| log::error!("a defect of this program: {panic}")));
    Log(writer)
}

fn paint(level: Level) -> &'static str {
    match level {
        Level::Error => "\x1b[31m",
        Level::Warn => "\x1b[33m",
        Level::Info => "\x1b[32m",
        Level::Debug | Level::Trace => "\x1b[2m",
    }
}

/// Writes a text as one line: what a client named its model must forge no other and paint nothing.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    /// Called with whole texts, as a formatter does.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        // Most texts hold none: in UTF-8 such a character is one of these bytes, or begins with one of the last two.
        // Looked at to the end, which is many at a time, and not up to the first.
        let dubious = |byte: &u8| matches!(byte, 0..=0x1f | 0x7f | 0xc2 | 0xe2);
        if !bytes.iter().fold(false, |found, byte| found | dubious(byte)) {
            return self.0.write_all(bytes);
        }
        let text = str::from_utf8(bytes).unwrap_or_default();
        for part in text.split_inclusive(deceives) {
            match part.char_indices().next_back().filter(|(_, last)| deceives(*last)) {
                Some((at, last)) => write!(self.0, "{}{}", part.get(..at).unwrap_or_default(), last.escape_default())?,
                None => self.0.write_all(part.as_bytes())?,
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Control characters, and those of Unicode that end a line or turn the direction of what follows.
fn deceives(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_line(text: &str) -> String {
        let mut out = Vec::new();
        write!(OneLine(&mut out), "{text}").expect("to memory");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_name_forges_no_line() {
        assert_eq!(one_line("m\r\n2026 INFO x\u{1b}[31m"), "m\\r\\n2026 INFO x\\u{1b}[31m");
        assert_eq!(one_line("m\u{2028}x\u{202e}y\u{85}"), "m\\u{2028}x\\u{202e}y\\u{85}");
        assert_eq!(one_line("模型 → ok … “so”"), "模型 → ok … “so”");
    }
}
