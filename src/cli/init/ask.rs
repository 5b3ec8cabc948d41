//! Questions to the person at the terminal. Without one, and with `--yes`, each question has its usual answer.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::config::ApiKey;

/// Answers questions.
pub(super) trait Answers {
    /// Says something between questions.
    fn say(&mut self, text: &str) -> io::Result<()>;

    /// Asks for yes or no.
    fn yes(&mut self, question: &str, usual: bool) -> io::Result<bool>;

    /// Asks for a line. Empty: the person has nothing to say.
    fn line(&mut self, question: &str) -> io::Result<String>;

    /// Asks for a key, which is not shown while it is typed. `None`: the person has none.
    fn key(&mut self, question: &str) -> io::Result<Option<ApiKey>>;
}

/// Gives the usual answers.
pub(super) struct UsualAnswers;

impl Answers for UsualAnswers {
    fn say(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn yes(&mut self, _: &str, usual: bool) -> io::Result<bool> {
        Ok(usual)
    }

    fn line(&mut self, _: &str) -> io::Result<String> {
        Ok(String::new())
    }

    fn key(&mut self, _: &str) -> io::Result<Option<ApiKey>> {
        Ok(None)
    }
}

/// A person at a terminal. Questions go to standard error, so that standard output has the report alone.
pub(super) struct Person;

impl Person {
    /// Returns whether there is one.
    pub(super) fn is_there() -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }
}

impl Answers for Person {
    fn say(&mut self, text: &str) -> io::Result<()> {
        writeln!(io::stderr(), "{text}")
    }

    fn yes(&mut self, question: &str, usual: bool) -> io::Result<bool> {
        let choice = if usual { "[Y/n]" } else { "[y/N]" };
        loop {
            match self.line(&format!("{question} {choice}"))?.to_lowercase().as_str() {
                "" => return Ok(usual),
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => self.say("Answer y or n.")?,
            }
        }
    }

    fn line(&mut self, question: &str) -> io::Result<String> {
        ask(question)?;
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    fn key(&mut self, question: &str) -> io::Result<Option<ApiKey>> {
        let hidden = HiddenTyping::begin()?;
        ask(question)?;
        let typed = hidden.line()?;
        drop(hidden);
        writeln!(io::stderr())?;
        let typed = typed.trim();
        Ok((!typed.is_empty()).then(|| ApiKey::new(typed)))
    }
}

fn ask(question: &str) -> io::Result<()> {
    let mut terminal = io::stderr();
    write!(terminal, "{question} ")?;
    terminal.flush()
}

/// A terminal that does not show what is typed, until the drop.
struct HiddenTyping {
    #[cfg(unix)]
    before: rustix::termios::Termios,
}

#[cfg(unix)]
impl HiddenTyping {
    /// Ctrl-C comes as a character too: ended by the signal, the program would leave the terminal as it is.
    fn begin() -> io::Result<HiddenTyping> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
        Ok(HiddenTyping { before })
    }

    /// Reads a line, key by key.
    fn line(&self) -> io::Result<String> {
        const CTRL_C: u8 = 3;
        const CTRL_D: u8 = 4;
        const BACKSPACE: u8 = 8;
        const CTRL_U: u8 = 21;
        const DELETE: u8 = 127;
        let mut typed = Vec::new();
        let mut stdin = io::stdin().lock();
        while let Some(byte) = stdin.fill_buf()?.first().copied() {
            stdin.consume(1);
            match byte {
                b'\n' | b'\r' | CTRL_D => break,
                CTRL_C => return Err(io::Error::other("interrupted; nothing was written")),
                BACKSPACE | DELETE => drop(typed.pop()),
                CTRL_U => typed.clear(),
                other => typed.push(other),
            }
        }
        Ok(String::from_utf8_lossy(&typed).into_owned())
    }
}

#[cfg(unix)]
impl Drop for HiddenTyping {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        // A terminal that is gone needs no repair.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// Elsewhere what is typed is shown.
#[cfg(not(unix))]
impl HiddenTyping {
    fn begin() -> io::Result<HiddenTyping> {
        Ok(HiddenTyping {})
    }

    fn line(&self) -> io::Result<String> {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        Ok(line)
    }
}
