//! The program behind a request, as its `User-Agent` says.
//!
//! 1. A known program has its name from the table, whatever the version and the form of the header.
//! 2. Any other has its product token, in small letters, without characters that mean something in a table or a label.
//! 3. A name has at most 32 bytes and is kept in place: a request allocates nothing for it.

use std::fmt;

/// The longest name, in bytes.
const LONGEST: usize = 32;

/// What a `User-Agent` of a known program begins with, in small letters, and the program's name.
const BY_BEGIN: [(&str, &str); 43] = [
    ("claude-cli/", "claude-code"),
    ("codex_", "codex"),
    ("codex-", "codex"),
    ("codex/", "codex"),
    ("opencode/", "opencode"),
    ("cline/", "cline"),
    ("roocode/", "roo"),
    ("roo-code/", "roo"),
    ("kilo-code/", "kilo"),
    ("kilocode/", "kilo"),
    ("continue/", "continue"),
    ("aider/", "aider"),
    ("litellm/", "litellm"),
    ("openai/python", "openai-python"),
    ("asyncopenai/python", "openai-python"),
    ("azureopenai/python", "openai-python"),
    ("asyncazureopenai/python", "openai-python"),
    ("openai/js", "openai-node"),
    ("azureopenai/js", "openai-node"),
    ("openai/go", "openai-go"),
    ("openai/java", "openai-java"),
    ("anthropic/python", "anthropic-python"),
    ("asyncanthropic/python", "anthropic-python"),
    ("anthropic/js", "anthropic-node"),
    ("langchain", "langchain"),
    ("ai-sdk/", "ai-sdk"),
    ("ai/", "ai-sdk"),
    ("qwencode/", "qwen-code"),
    ("geminicli/", "gemini-cli"),
    ("githubcopilotchat/", "copilot"),
    ("open-webui/", "open-webui"),
    ("open webui/", "open-webui"),
    ("librechat/", "librechat"),
    ("curl/", "curl"),
    ("wget/", "wget"),
    ("python-requests/", "python-requests"),
    ("python-httpx/", "python-httpx"),
    ("python-urllib/", "python-urllib"),
    ("node-fetch/", "node"),
    ("undici", "node"),
    ("go-http-client/", "go"),
    ("postmanruntime/", "postman"),
    ("mozilla/", "browser"),
];

/// What stands anywhere in the `User-Agent` of a program that builds on another, or in its title for OpenRouter (`X-Title`). Looked
/// for first: the begin names what the program builds on.
const BY_PART: [(&str, &str); 11] = [
    ("claude-code", "claude-code"),
    ("opencode", "opencode"),
    ("cherrystudio", "cherry-studio"),
    ("cherry studio", "cherry-studio"),
    ("open webui", "open-webui"),
    ("langchain", "langchain"),
    ("roo code", "roo"),
    ("kilo code", "kilo"),
    ("aiohttp/", "aiohttp"),
    ("cline", "cline"),
    ("aider", "aider"),
];

/// The most bytes of a header that are read.
const MOST_READ: usize = 160;

/// The name of a client's program: `[a-z0-9._-]`, or empty where the client says nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppName {
    length: u8,
    text: [u8; LONGEST],
}

impl AppName {
    /// No program.
    pub const NONE: AppName = AppName { length: 0, text: [0; LONGEST] };

    /// Returns the program that these headers name: `User-Agent` and `X-Title`, as they came.
    pub fn of(user_agent: Option<&[u8]>, title: Option<&[u8]>) -> AppName {
        let by_title = title.and_then(known_part);
        if let Some(name) = by_title {
            return AppName::cleaned(name.as_bytes());
        }
        let Some(agent) = user_agent else { return AppName::NONE };
        match known_part(agent).or_else(|| known_begin(agent)) {
            Some(name) => AppName::cleaned(name.as_bytes()),
            None => AppName::cleaned(product(agent)),
        }
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        // Of ASCII alone.
        self.text.get(..self.length.into()).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }

    /// Returns whether the table knows the program. Names of others are free text of clients.
    pub fn is_known(&self) -> bool {
        BY_BEGIN.iter().chain(&BY_PART).any(|(_, name)| *name == self.as_str())
    }

    fn cleaned(name: &[u8]) -> AppName {
        let mut app = AppName::NONE;
        let kept = name.iter().map(u8::to_ascii_lowercase).filter(|c| is_plain(*c));
        // A cell of a table must not begin as a formula does.
        let kept = kept.skip_while(|c| !c.is_ascii_alphanumeric());
        for (place, character) in app.text.iter_mut().zip(kept) {
            *place = character;
            app.length += 1;
        }
        app
    }
}

fn is_plain(character: u8) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, b'.' | b'_' | b'-')
}

/// Returns the first word, without the version.
fn product(agent: &[u8]) -> &[u8] {
    agent.trim_ascii().split(|c| matches!(c, b'/' | b' ' | b'(' | b';' | b',')).next().unwrap_or_default()
}

fn known_begin(agent: &[u8]) -> Option<&'static str> {
    let agent = agent.trim_ascii();
    let first = agent.first()?.to_ascii_lowercase();
    let begins = |begin: &str| {
        // A glance at one letter spares most comparisons.
        begin.as_bytes().first() == Some(&first)
            && agent.get(..begin.len()).is_some_and(|own| own.eq_ignore_ascii_case(begin.as_bytes()))
    };
    BY_BEGIN.iter().find(|(begin, _)| begins(begin)).map(|(_, name)| *name)
}

fn known_part(text: &[u8]) -> Option<&'static str> {
    let text = text.get(..MOST_READ).unwrap_or(text);
    // Few pairs of letters begin a part: the others cost a nanosecond each.
    let mut at = (0..text.len()).filter_map(|at| text.get(at..)).filter(|rest| may_begin_part(rest));
    at.find_map(|rest| {
        let begins = |part: &str| rest.get(..part.len()).is_some_and(|own| own.eq_ignore_ascii_case(part.as_bytes()));
        BY_PART.iter().find(|(part, _)| begins(part)).map(|(_, name)| *name)
    })
}

fn may_begin_part(rest: &[u8]) -> bool {
    const BEGINS: [u32; 2] = [letters(0), letters(1)];
    let [first, second] = BEGINS;
    let is_among = |letter: &u8, letters: u32| letter.is_ascii_alphabetic() && letters >> (letter & 31) & 1 == 1;
    matches!(rest, [one, two, ..] if is_among(one, first) && is_among(two, second))
}

/// Returns a bit for each letter that is the `nth` of a part.
const fn letters(nth: usize) -> u32 {
    let (mut found, mut row) = (0, 0);
    while row < BY_PART.len() {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler: a row too far would not compile")]
        let part = BY_PART[row].0.as_bytes();
        #[expect(clippy::indexing_slicing, reason = "the same: each part has two letters")]
        let letter = part[nth];
        found |= 1 << (letter & 31);
        row += 1;
    }
    found
}

impl Default for AppName {
    fn default() -> Self {
        AppName::NONE
    }
}

impl fmt::Debug for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_programs_have_one_name_in_every_version() {
        for (agent, name) in [
            ("claude-cli/2.0.1 (external, cli)", "claude-code"),
            ("codex_cli_rs/0.171.0 (Debian 13; x86_64) xterm", "codex"),
            ("codex_vscode/0.4", "codex"),
            ("opencode/1.0.2 ai-sdk/provider-utils/3.0", "opencode"),
            ("ai-sdk/openai-compatible/1.0 opencode/1.1", "opencode"),
            ("ai/5.0.1 ai-sdk/openai/2.0 runtime/node.js/22", "ai-sdk"),
            ("Cline/3.4", "cline"),
            ("RooCode/3.25.1", "roo"),
            ("OpenAI/Python 1.99.0", "openai-python"),
            ("AsyncOpenAI/Python 2.1", "openai-python"),
            ("OpenAI/JS 5.1.0", "openai-node"),
            ("AsyncAnthropic/Python 0.70", "anthropic-python"),
            ("langchainjs-openai/1.0.0 ((node/v22; linux))", "langchain"),
            ("Python/3.12 aiohttp/3.11", "aiohttp"),
            ("curl/8.14.1", "curl"),
            ("Mozilla/5.0 (Macintosh) CherryStudio/1.5.0 Chrome/138", "cherry-studio"),
            ("Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101", "browser"),
        ] {
            let app = AppName::of(Some(agent.as_bytes()), None);
            assert_eq!(app.as_str(), name, "{agent}");
            assert!(app.is_known(), "{agent}");
        }
        let titled = AppName::of(Some(b"Python/3.12 aiohttp/3.11"), Some(b"Open WebUI"));
        assert_eq!(titled.as_str(), "open-webui");
        assert_eq!(AppName::of(Some(b"OpenAI/JS 4"), Some(b"My own")).as_str(), "openai-node", "a free title");
    }

    #[test]
    fn an_unknown_program_has_its_product_token_and_nothing_that_means_something_elsewhere() {
        for (agent, name) in [
            (&b"MyAgent/1.2 (x)"[..], "myagent"),
            (b"my agent", "my"),
            (b"=HYPERLINK(1)", "hyperlink"),
            (b"-1+2", "12"),
            (b"@SUM\"',\r\n", "sum"),
            (b"../..\\x{job=\"a\"}", ""),
            (b"\xff\xfe", ""),
            (b"", ""),
            (b"abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghijklmnopqrstuvwxyz012345"),
        ] {
            let app = AppName::of(Some(agent), None);
            assert_eq!(app.as_str(), name, "{agent:?}");
            assert!(!app.is_known());
        }
        assert_eq!(AppName::of(None, None), AppName::NONE);
    }
}
