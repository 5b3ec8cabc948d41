//! The log: a line each on standard error, with the level in green, yellow or red on a terminal.

mod filter;
mod writer;

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};
use std::panic::PanicHookInfo;

use env_logger::{Builder, Target, WriteStyle};
use jiff::Timestamp;
use log::{Level, Record};

pub(super) use self::filter::LogFilter;
use self::writer::LogWriter;
use super::terminal::{Paint, Tone, one_line};
use super::{CliError, from_environment};
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

/// Returns how lines are written, by `LOG_FORMAT`.
///
/// # Errors
/// When that is no format.
pub(super) fn format() -> Result<LogFormat, CliError> {
    match from_environment("LOG_FORMAT").as_deref().map(str::trim) {
        Some("json") => Ok(LogFormat::Json),
        Some("text") | None => Ok(LogFormat::Text),
        Some(_) => Err(CliError::Usage("LOG_FORMAT must be text or json".to_owned())),
    }
}

/// Sets the log up.
#[must_use]
pub(super) fn init(filter: &LogFilter, format: LogFormat) -> LogGuard {
    let paint = Paint::stderr();
    let writer = LogWriter::start(std::io::stderr()).ok();
    let mut builder = Builder::new();
    builder.parse_filters(&filter.directives);
    builder.write_style(WriteStyle::Never).format(move |out, record| {
        let mut line = String::with_capacity(USUAL_LINE);
        match format {
            LogFormat::Json => push_object(&mut line, record)?,
            LogFormat::Text => push_text(&mut line, record, paint),
        }
        line.push('\n');
        out.write_all(line.as_bytes())
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

/// Appends a line for people.
fn push_text(line: &mut String, record: &Record<'_>, paint: Paint) {
    push_time(line, Timestamp::now());
    line.push_str(&paint.tint(tone(record.level()), padded(record.level())));
    let start = line.len();
    push_message(line, record);
    if let Cow::Owned(escaped) = one_line(line.get(start..).unwrap_or_default()) {
        line.truncate(start);
        line.push_str(&escaped);
    }
}

/// Appends a JSON object. A request's message is one already: time and level are put in front.
fn push_object(line: &mut String, record: &Record<'_>) -> io::Result<()> {
    line.push_str("{\"time\":\"");
    push_time(line, Timestamp::now());
    line.extend(["\",\"level\":\"", record.level().as_str(), "\","]);
    let start = line.len();
    push_message(line, record);
    let message = line.split_off(start);
    match message.strip_prefix('{') {
        Some(fields) if record.target() == REQUESTS => line.push_str(fields),
        Some(_) | None => {
            let (target, message) = (serde_json::to_string(record.target())?, serde_json::to_string(&message)?);
            line.extend(["\"target\":", &target, ",\"message\":", &message, "}"]);
        }
    }
    Ok(())
}

fn push_message(line: &mut String, record: &Record<'_>) {
    // Writing to memory can't fail.
    let _ = fmt::write(line, *record.args());
}

/// The second of a thread's last line, as text.
struct Second {
    /// Since the Unix epoch.
    number: i64,
    text: String,
}

thread_local! {
    static SECOND: RefCell<Second> = const { RefCell::new(Second { number: i64::MIN, text: String::new() }) };
}

/// Appends a time in milliseconds. Lines within one second share the text of the second.
fn push_time(line: &mut String, time: Timestamp) {
    let ms = time.as_millisecond();
    SECOND.with_borrow_mut(|second| {
        if second.number != ms.div_euclid(1_000) {
            second.number = ms.div_euclid(1_000);
            second.text = Timestamp::from_second(second.number).unwrap_or_default().to_string();
        }
        line.push_str(second.text.trim_end_matches('Z'));
    });
    // A digit in front keeps the zeros.
    let mut digits = itoa::Buffer::new();
    let ms = digits.format(1_000 + ms.rem_euclid(1_000));
    line.extend([".", ms.get(1..).unwrap_or_default(), "Z"]);
}

/// Returns a level as the column between the time and the message.
fn padded(level: Level) -> &'static str {
    match level {
        Level::Error => " ERROR ",
        Level::Warn => " WARN  ",
        Level::Info => " INFO  ",
        Level::Debug => " DEBUG ",
        Level::Trace => " TRACE ",
    }
}

fn tone(level: Level) -> Tone {
    match level {
        Level::Error => Tone::Bad,
        Level::Warn => Tone::Warning,
        Level::Info => Tone::Good,
        Level::Debug | Level::Trace => Tone::Faint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_three_digits_of_milliseconds_within_a_second_and_in_the_next() {
        for ms in [1_795_837_175_000, 1_795_837_175_042, 1_795_837_175_999, 1_795_837_176_100, -1] {
            let time = Timestamp::from_millisecond(ms).expect("a time");
            let mut line = String::new();
            push_time(&mut line, time);
            assert_eq!(line, format!("{time:.3}"));
        }
    }
}
