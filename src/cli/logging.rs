//! The log: a line each on standard error, green, yellow or red on a terminal.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};

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
    // The libraries' own chatter is of use to their developers only.
    let filter = format!("warn,api_together={level},request={level}");
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let writer = LogWriter::start(std::io::stderr()).ok();
    let mut builder = Builder::from_env(Env::new().filter_or("RUST_LOG", filter));
    builder.write_style(WriteStyle::Never).format(move |out, record| {
        let (on, off) = if colour { (paint(record.level()), "\x1b[0m") } else { ("", "") };
        let text = record.args().to_string();
        writeln!(out, "{on}{:.3} {:5} {}{off}", jiff::Timestamp::now(), record.level(), one_line(&text))
    });
    if let Some(writer) = writer.clone() {
        builder.target(Target::Pipe(Box::new(writer)));
    }
    builder.init();
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

/// What a client named its model must forge no line and paint nothing.
fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| c.is_control()) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| if c.is_control() { c.escape_default().collect() } else { c.to_string() };
    Cow::Owned(text.chars().map(escape).collect())
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_name_forges_no_line() {
        assert_eq!(one_line("m\r\n2026 INFO x\u{1b}[31m"), "m\\r\\n2026 INFO x\\u{1b}[31m");
        assert_eq!(one_line("模型 → ok"), "模型 → ok");
    }
}
