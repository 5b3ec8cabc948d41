//! Reads `.env`, a file of lines `NAME=value`, into the environment of this process.
//!
//! 1. An unreadable line is reported by the line's number. Nothing of the line is quoted, as any part may be a key.
//! 2. All other lines count.
//! 3. A value is taken as it stands, `$` included. Only double quotes know escapes: `\n`, `\r`, `\t`, `\\`, `\"`, `\$`.
//! 4. A value in quotes may have several lines. Outside of quotes, a `#` behind a space begins a comment.
//! 5. A variable of the environment is left alone. Of two lines with one name the last counts, as in a shell, with a warning.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::OnceLock;

use crate::config::ApiKey;

/// A sound line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) value: String,
}

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// Each name once.
    pub(super) variables: Vec<Variable>,
    /// The values of earlier lines, in whose place a later line counts.
    pub(super) replaced: Vec<Variable>,
    pub(super) warnings: Vec<String>,
}

/// Sets the variables of the file, and returns a text for each problem.
///
/// To be called while the process has one thread, as threads share the environment.
pub(super) fn load(path: &Path) -> Vec<String> {
    let file = path.display();
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == ErrorKind::NotFound => return Vec::new(),
        Err(e) => return vec![format!("{file}: can't be read: {e}")],
    };
    let Parsed { variables, mut warnings, .. } = parse(&bytes);
    let is_new = |variable: &&Variable| std::env::var_os(&variable.name).is_none();
    let names = variables.iter().filter(is_new).map(|variable| variable.name.clone()).collect();
    let _ = SET.set(names);
    if let Err(e) = set(&variables) {
        warnings.push(format!("can't be put into the environment: {e}"));
    }
    warnings.into_iter().map(|warning| format!("{file}:{warning}")).collect()
}

/// The variables of this process that were set by the file.
static SET: OnceLock<Vec<String>> = OnceLock::new();

/// Returns the names of the variables that [`load`] set.
pub(super) fn variables() -> &'static [String] {
    SET.get().map_or(&[], Vec::as_slice)
}

/// A file's variables and problems, for a command that looks at the file.
#[derive(Debug)]
pub(super) struct DotEnv {
    /// In the order of the file.
    pub(super) variables: Vec<(String, ApiKey)>,
    /// A text for each problem.
    pub(super) warnings: Vec<String>,
}

/// Reads a file, and leaves the environment alone.
pub(super) fn read(path: &Path) -> io::Result<DotEnv> {
    let Parsed { variables, warnings, .. } = parse(&std::fs::read(path)?);
    Ok(DotEnv {
        variables: variables.into_iter().map(|Variable { name, value }| (name, ApiKey::new(&value))).collect(),
        warnings: warnings.into_iter().map(|warning| format!("{}:{warning}", path.display())).collect(),
    })
}

/// Puts the variables into the environment: by dotenvy, as a program without unsafe code can't do so itself. Written as
/// below, dotenvy reads each value as it stands.
fn set(variables: &[Variable]) -> io::Result<()> {
    let mut text = String::new();
    for Variable { name, value } in variables {
        text.push_str(name);
        text.push_str("=\"");
        for c in value.chars() {
            match c {
                '\n' => text.push_str("\\n"),
                '\\' | '"' | '$' => text.extend(['\\', c]),
                other => text.push(other),
            }
        }
        text.push_str("\"\n");
    }
    // dotenvy's own error would quote the line.
    dotenvy::from_read(text.as_bytes()).map_err(|_| io::Error::other("a variable was refused"))
}

/// Parses the lines. A warning begins with the number of a line.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    if matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
        parsed.warnings.push("1: the file is in UTF-16; save it as UTF-8".to_owned());
        return parsed;
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    // The place among the variables and the number of the line, by name.
    let mut seen: HashMap<String, (usize, usize)> = HashMap::new();
    let mut next = 0;
    while let Some(line) = lines.get(next) {
        let number = next + 1;
        next += 1;
        match parse_line(line, lines.get(next..).unwrap_or_default()) {
            Ok(None) => {}
            Ok(Some((variable, more_lines))) => {
                if variable.value.contains("${") {
                    parsed.warnings.push(format!("{number}: ${{…}} is taken as it stands, nothing is put in"));
                }
                let here = seen.get(&variable.name).map_or(parsed.variables.len(), |(at, _)| *at);
                let before = seen.insert(variable.name.clone(), (here, number)).map(|(_, line)| line);
                if let Some((place, line)) = parsed.variables.get_mut(here).zip(before) {
                    parsed.replaced.push(std::mem::replace(place, variable));
                    parsed.warnings.push(format!("{number}: line {line} sets the same variable; the last line counts"));
                } else {
                    parsed.variables.push(variable);
                }
                next += more_lines;
            }
            Err(why) => parsed.warnings.push(format!("{number}: {why}; the line is left out")),
        }
    }
    parsed
}

/// Reads one line. A value in quotes may go on behind the line: the number of further lines is returned, too.
fn parse_line(line: &[u8], behind: &[&[u8]]) -> Result<Option<(Variable, usize)>, String> {
    let line = std::str::from_utf8(line).map_err(|_| "is not UTF-8")?.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (name, value) = line.split_once('=').ok_or("must be NAME=value, and has no =")?;
    let name = name.trim();
    let name = name.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])).unwrap_or(name).trim();
    if !is_name(name) {
        return Err("must begin with the name of a variable: letters, digits and _".to_owned());
    }
    let has_comment = value.starts_with([' ', '\t']) && value.trim_start().starts_with('#');
    let value = if has_comment { "" } else { value.trim() };
    let (value, more_lines) = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            quoted(value, quote, behind).ok_or_else(|| format!("the value has no closing {quote} at its end"))?
        }
        Some(_) | None => (without_comment(value).to_owned(), 0),
    };
    if value.contains('\0') {
        return Err("the value has a NUL character".to_owned());
    }
    Ok(Some((Variable { name: name.to_owned(), value }, more_lines)))
}

fn is_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    !name.starts_with(|c: char| c.is_ascii_digit() || c == '.') && !name.is_empty() && name.chars().all(is_part)
}

/// `a # b` is `a`, and `a#b` is `a#b`.
fn without_comment(value: &str) -> &str {
    let comment =
        value.char_indices().zip(value.chars().skip(1)).find(|((_, before), c)| *c == '#' && before.is_whitespace());
    comment.and_then(|((at, _), _)| value.get(..at)).unwrap_or(value).trim_end()
}

/// Reads a value behind an opening quote, and returns the value with the number of further lines. `None` if the quote is not
/// closed, or if more than a comment stands behind the closing one.
fn quoted(begin: &str, quote: char, behind: &[&[u8]]) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut line = begin.get(1..)?;
    let mut taken = 0;
    loop {
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match c {
                c if c == quote => {
                    let rest = chars.as_str().trim();
                    return (rest.is_empty() || rest.starts_with('#')).then_some((value, taken));
                }
                '\\' if quote == '"' => push_escaped(&mut value, chars.next()),
                other => value.push(other),
            }
        }
        line = std::str::from_utf8(behind.get(taken)?).ok()?.trim_end_matches('\r');
        taken += 1;
        value.push('\n');
    }
}

fn push_escaped(value: &mut String, escaped: Option<char>) {
    match escaped {
        Some('n') => value.push('\n'),
        Some('r') => value.push('\r'),
        Some('t') => value.push('\t'),
        Some(c @ ('\\' | '"' | '$')) => value.push(c),
        // Of anything else the backslash is a part: a Windows path, say.
        Some(c) => value.extend(['\\', c]),
        None => value.push('\\'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<(String, String)>, Vec<String>) {
        let Parsed { variables, warnings, .. } = parse(text.as_bytes());
        (variables.into_iter().map(|v| (v.name, v.value)).collect(), warnings)
    }

    #[test]
    fn a_value_is_taken_as_it_stands() {
        for (line, value) in [
            ("A=b", "b"),
            ("  export A = b c  ", "b c"),
            ("A=sk-a$b$$c${d}", "sk-a$b$$c${d}"),
            ("A=b#c # d", "b#c"),
            ("A=#b", "#b"),
            ("A=", ""),
            ("A= # nothing", ""),
            ("A=b=c==", "b=c=="),
            (r"A=C:\new", r"C:\new"),
            (r#"A="a\tb\n\"c\" \$d \x" # e"#, "a\tb\n\"c\" $d \\x"),
            (r"A='a\n#$b'", r"a\n#$b"),
            ("A=\"b\r\nc\"\r", "b\nc"),
            ("A=it's", "it's"),
            ("\u{feff}A=b", "b"),
        ] {
            assert_eq!(read(line).0, [("A".to_owned(), value.to_owned())], "{line:?}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_costs_itself_only_and_shows_no_value() {
        for (line, warning) in [
            ("sk-secret", "2: must be NAME=value, and has no =; the line is left out"),
            (
                "sk-secret=secret",
                "2: must begin with the name of a variable: letters, digits and _; the line is left out",
            ),
            ("=secret", "2: must begin with the name of a variable: letters, digits and _; the line is left out"),
            ("KEY=\"secret", "2: the value has no closing \" at its end; the line is left out"),
            ("KEY='secret' x", "2: the value has no closing ' at its end; the line is left out"),
            ("KEY=se\0cret", "2: the value has a NUL character; the line is left out"),
        ] {
            let (variables, warnings) = read(&format!("A=1\n{line}\nB=\"2\"\r\n"));
            assert_eq!(variables, [("A", "1"), ("B", "2")].map(|(n, v)| (n.to_owned(), v.to_owned())), "{line:?}");
            assert_eq!(warnings, [warning]);
        }
        let (variables, warnings) = read("A=1\nB=2\nexport A='sk-secret'\nA=3");
        assert_eq!(variables, [("A", "3"), ("B", "2")].map(|(n, v)| (n.to_owned(), v.to_owned())));
        let told = [(3, 1), (4, 3)]
            .map(|(number, line)| format!("{number}: line {line} sets the same variable; the last line counts"));
        assert_eq!(warnings, told);
        assert_eq!(read("A=1\nB=\"${C}\"").1, ["2: ${…} is taken as it stands, nothing is put in"]);
        assert_eq!(parse(b"A=\xff\nB=1").warnings, ["1: is not UTF-8; the line is left out"]);
        assert_eq!(parse(b"\xff\xfeA\0=\0").warnings, ["1: the file is in UTF-16; save it as UTF-8"]);
    }
}
