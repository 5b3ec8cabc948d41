//! Colours: only on a terminal, and never with `NO_COLOR` in the environment.

use std::borrow::Cow;
use std::io::{IsTerminal, stderr, stdout};

/// What a colour says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// All is well.
    Good,
    /// Worth a look.
    Warning,
    /// It does not work.
    Bad,
    /// Of less interest.
    Faint,
    /// A heading.
    Strong,
}

/// Whether texts get colours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint(bool);

impl Paint {
    /// Without colours.
    #[cfg(test)]
    pub(crate) const OFF: Paint = Paint(false);

    /// For standard output.
    pub(crate) fn stdout() -> Paint {
        Paint(stdout().is_terminal() && is_wanted())
    }

    /// For standard error.
    pub(crate) fn stderr() -> Paint {
        Paint(stderr().is_terminal() && is_wanted())
    }

    /// Returns a text in a colour.
    pub(crate) fn tint(self, tone: Tone, text: &str) -> Cow<'_, str> {
        if !self.0 || text.is_empty() {
            return text.into();
        }
        format!("{}{text}\x1b[0m", tone.begin()).into()
    }
}

impl Tone {
    /// Returns what begins the colour.
    fn begin(self) -> &'static str {
        match self {
            Tone::Good => "\x1b[32m",
            Tone::Warning => "\x1b[33m",
            Tone::Bad => "\x1b[31m",
            Tone::Faint => "\x1b[2m",
            Tone::Strong => "\x1b[1m",
        }
    }
}

fn is_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_painted_only_where_colours_are_on() {
        assert_eq!(Paint(false).tint(Tone::Bad, "no"), "no");
        assert_eq!(Paint(true).tint(Tone::Bad, "no"), "\x1b[31mno\x1b[0m");
        assert_eq!(Paint(true).tint(Tone::Bad, ""), "");
    }
}
