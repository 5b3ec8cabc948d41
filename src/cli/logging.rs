//! The log: a line each on standard error, green, yellow or red on a terminal.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::panic::PanicHookInfo;

use env_logger::{Builder, Target, WriteStyle};
use log::{Level, Record};

use super::log_filter::LogFilter;
use super::log_writer::LogWriter;
use crate::records::{LogFormat, REQUESTS};

/// Room for the line of a request, made in one piece.
const USUAL_LINE: usize = 256;

/// The log of this process. The drop writes out the rest.
pub(super) struct LogGuard(Option<LogWriter>);

impl Drop for LogGuard {
    fn drop(&mut self) {
        if let Some(writer) = &self.0 {
            writer.flush();
        }
    }
}

/// Returns how lines are written, by `LOG_FORMAT` (`text` or `json`).
pub(super) fn format() -> LogFormat {
    match std::env::var("LOG_FORMAT").as_deref() {
        Ok("json") => LogFormat::Json,
        Ok(_) | Err(_) => LogFormat::Text,
    }
}

/// Sets the log up.
#[must_use]
pub(super) fn init(filter: &LogFilter) -> LogGuard {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let writer = LogWriter::start(std::io::stderr()).ok();
    let mut builder = Builder::new();
    builder.parse_filters(&filter.directives);
    let json = format() == LogFormat::Json;
    builder.write_style(WriteStyle::Never).format(move |out, record| {
        if json {
            return write_object(out, record);
        }
        let (on, off) = if colour { (paint(record.level()), "\x1b[0m") } else { ("", "") };
        write!(out, "{on}{:.3} {:5} ", jiff::Timestamp::now(), record.level())?;
        let mut text = String::with_capacity(USUAL_LINE);
        // Writing to memory can't fail.
        let _ = fmt::write(&mut text, *record.args());
        writeln!(out, "{}{off}", one_line(&text))
    });
    if let Some(writer) = writer.clone() {
        builder.target(Target::Pipe(Box::new(writer)));
    }
    builder.init();
    std::panic::set_hook(Box::new(log_panic));
    LogGuard(writer)
}

/// Logs a panic as a line like any other. A text made at the panic may quote a key or a prompt, and is left out.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let text = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("it panicked");
    log::error!("a defect of this program: {text} (at {place})");
}

/// Writes a line as a JSON object. A request's line is one already: time and level are put in front.
fn write_object(out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
    let mut text = String::with_capacity(USUAL_LINE);
    let _ = fmt::write(&mut text, *record.args());
    write!(out, "{{\"time\":\"{:.3}\",\"level\":\"{}\",", jiff::Timestamp::now(), record.level())?;
    match text.strip_prefix('{') {
        Some(fields) if record.target() == REQUESTS => writeln!(out, "{fields}"),
        Some(_) | None => writeln!(
            out,
            "\"target\":{},\"message\":{}}}",
            serde_json::to_string(record.target())?,
            serde_json::to_string(&text)?
        ),
    }
}

fn paint(level: Level) -> &'static str {
    match level {
        Level::Error => "\x1b[31m",
        Level::Warn => "\x1b[33m",
        Level::Info => "\x1b[32m",
        Level::Debug | Level::Trace => "\x1b[2m",
    }
}

/// Returns a text as one line: a client's name for a model must forge no other line and paint nothing.
fn one_line(text: &str) -> Cow<'_, str> {
    // Most texts hold nothing of the kind. In UTF-8 such a character is one of these bytes, or begins with the last of these, or
    // with two bytes that begin no arrow.
    let bytes = text.as_bytes();
    let is_plain = |byte: &u8| !matches!(byte, 0..=0x1f | 0x7f | 0xc2);
    let begins_one = |at| matches!(bytes.get(at..), Some([0xe2, 0x80 | 0x81, ..]));
    if bytes.iter().all(is_plain) && !memchr::memchr_iter(0xe2, bytes).any(begins_one) {
        return text.into();
    }
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if deceives(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line.into()
}

/// Control characters, and characters of Unicode that end a line or turn the direction of the text.
fn deceives(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_forges_no_line() {
        assert_eq!(one_line("m\r\n2026 INFO x\u{1b}[31m"), "m\\r\\n2026 INFO x\\u{1b}[31m");
        assert_eq!(one_line("m\u{2028}x\u{202e}y\u{85}"), "m\\u{2028}x\\u{202e}y\\u{85}");
        assert_eq!(one_line("模型 → ok … “so”"), "模型 → ok … “so”");
    }
}
