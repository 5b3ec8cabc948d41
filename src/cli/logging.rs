//! The log: a line each on standard error, green, yellow or red on a terminal.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};

use env_logger::{Builder, Env, WriteStyle};
use log::Level;

/// Sets the log up, by `RUST_LOG` (a filter) or `LOG_LEVEL` (`error`, `warn`, `info`, `debug`, `trace`).
pub(super) fn init() {
    let level = std::env::var("LOG_LEVEL").ok().filter(|level| level.parse::<log::LevelFilter>().is_ok());
    let level = level.as_deref().unwrap_or("info");
    // The libraries' own chatter is of use to their developers only.
    let filter = format!("warn,api_together={level},request={level}");
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    Builder::from_env(Env::new().filter_or("RUST_LOG", filter))
        .write_style(WriteStyle::Never)
        .format(move |out, record| {
            let (on, off) = if colour { (paint(record.level()), "\x1b[0m") } else { ("", "") };
            let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
            let text = record.args().to_string();
            writeln!(out, "{on}{at} {:5} {}{off}", record.level(), one_line(&text))
        })
        .init();
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
