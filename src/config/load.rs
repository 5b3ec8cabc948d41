//! From a path to a valid [`Config`]: read, substitute the environment, check, validate.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::Value;
use thiserror::Error;

use super::json::Unambiguous;
use super::model::Config;
use super::partial::SoundParts;
use super::prices::PriceFileRead;
use super::problem::Problem;
use super::providers::{self, PresetsError, PresetsRead, fill_in};
use super::source::{ConfigSource, folder_of};
use super::validate::validate;
use super::validator::KeyTexts;
use super::{file_permissions, pricing, schema, syntax, warnings};

/// Why there is no configuration. The text never holds a value of the file, so never a key.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{}: can't be read: {why}; {}", path.display(), mend(why))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// The file is not JSON, or says a thing twice.
    #[error("{}:{line}:{column}: {why}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// The mistake, and the line without its values.
        why: String,
    },
    /// The file has mistakes.
    #[error("{}: {}", path.display(), Problem::listed(problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All of them.
        problems: Vec<Problem>,
    },
    /// The file of presets can't be used.
    #[error(transparent)]
    Presets(#[from] PresetsError),
}

/// Reads, checks and validates the configuration.
///
/// # Errors
/// With all problems at once, each with its place; never with a value of the file.
pub fn load(source: &ConfigSource) -> Result<Config, ConfigError> {
    let path = &source.path;
    let text = fs::read_to_string(path).map_err(|why| ConfigError::Unreadable { path: path.clone(), why })?;
    let folder = folder_of(path);
    parse(&text, source, |name| fs::read_to_string(folder.join(name)))
}

/// Returns whether the files still hold what `config` was made of. Costs a hundredth of [`load`].
pub(super) fn is_current(config: &Config, source: &ConfigSource) -> bool {
    let Ok(text) = fs::read_to_string(&source.path) else { return false };
    let folder = folder_of(&source.path);
    let keys = config.key_files.iter();
    let key_texts =
        keys.map(|name| (name.clone(), fs::read_to_string(folder.join(name)).map_err(|e| unreadable(&e, folder))));
    let presets = config.preset_file.as_deref().and_then(providers::text_of);
    let prices = config.price_file.as_ref().map(|file| file.current_fingerprint().unwrap_or_default());
    fingerprint(without_mark(&text), presets.as_deref(), &key_texts.collect(), prices) == config.hash
}

/// Does the same with a text in memory. `read_key` reads an `apiKeyFile`.
///
/// # Errors
/// As for [`load`].
#[doc(hidden)]
pub fn parse(
    text: &str,
    source: &ConfigSource,
    read_key: impl Fn(&str) -> io::Result<String>,
) -> Result<Config, ConfigError> {
    let path = &source.path;
    let text = without_mark(text);
    let Unambiguous(mut document) = serde_json::from_str(text).map_err(|e| syntax_error(path, text, &e))?;

    let invalid = |problems| ConfigError::Invalid { path: path.clone(), problems };
    let mut problems = Vec::new();
    let holds_keys = file_permissions::holds_keys(&document);
    let presets = PresetsRead::read_for(&document, source)?;
    let unexpanded = warnings::unexpanded_variables(&document);
    substitute(&mut document, "", &mut problems);
    problems.extend(schema::check(&document));
    let filled = fill_in(&mut document, &presets.providers, &variable);
    problems.extend(filled.problems);
    let typed = SoundParts::parse_sound_parts(document, &mut problems);
    let key_texts = read_key_files(&typed, folder_of(path), &read_key);
    let (prices, bad) =
        PriceFileRead::named(typed.prices.file.as_deref(), folder_of(path), &presets.providers, &read_key);
    problems.extend(bad);
    let mut config = validate(typed, problems, source, &key_texts).map_err(invalid)?;
    config.hash = fingerprint(text, presets.text.as_deref(), &key_texts, prices.fingerprint());
    config.key_files = key_texts.keys().cloned().collect();
    config.presets = filled.uses;
    pricing::attach(&mut config, prices, &presets.providers);
    let presets_with_secrets = presets.path.clone().filter(|_| presets.holds_secrets);
    config.preset_file = presets.path;
    config.warnings.extend(filled.warnings);
    let key_files = key_texts.keys().map(|name| folder_of(path).join(name));
    let tls_key = config.server.limits.tls.iter().map(|tls| tls.key_file.clone());
    let environment = PathBuf::from(".env");
    let secret = holds_keys
        .then(|| path.clone())
        .into_iter()
        .chain(presets_with_secrets)
        .chain(key_files)
        .chain(tls_key)
        .chain([environment]);
    config.warnings.extend(unexpanded);
    let unknown_paths = warnings::unknown_paths(&config, &presets.providers);
    config.warnings.extend(unknown_paths);
    config.warnings.extend(secret.filter_map(|file| file_permissions::warning(&file)));
    Ok(config)
}

/// What to do about a file that can't be read, by the system's reason.
fn mend(why: &io::Error) -> &'static str {
    let kind = why.kind();
    if kind == io::ErrorKind::NotFound {
        "write one with `api-together init`, name another with --config, or try `api-together demo`"
    } else if kind == io::ErrorKind::PermissionDenied {
        "let the server's user read it (chown, chmod 600)"
    } else if kind == io::ErrorKind::IsADirectory {
        "--config takes the file, not its folder"
    } else {
        "name another with --config"
    }
}

/// Returns a text without its byte-order mark, which an editor on Windows may have put in front.
pub(super) fn without_mark(text: &str) -> &str {
    text.trim_start_matches('\u{feff}')
}

/// serde_json's texts name an expected token, and ours the name of a field, never a value.
pub(super) fn syntax_error(path: &Path, text: &str, e: &serde_json::Error) -> ConfigError {
    let why = e.to_string();
    let (line, column) = (e.line(), e.column().max(1));
    let why = syntax::mistake(text, line, column, why.split(" at line ").next().unwrap_or_default());
    ConfigError::Syntax { path: path.to_owned(), line, column, why }
}

/// Why a key file can't be read, in words.
const UNREADABLE: [(io::ErrorKind, &str); 4] = [
    (io::ErrorKind::NotFound, "the file does not exist"),
    (io::ErrorKind::PermissionDenied, "the user of this program may not read the file"),
    (io::ErrorKind::IsADirectory, "is a folder, not a file"),
    (io::ErrorKind::InvalidData, "the file is no text"),
];

/// Returns why a key file can't be read, and where it was looked for. The name is not shown: a key may stand in its place.
fn unreadable(why: &io::Error, folder: &Path) -> String {
    let known = UNREADABLE.iter().find(|(kind, _)| *kind == why.kind()).map(|(_, words)| (*words).to_owned());
    let what = known.unwrap_or_else(|| format!("the file can't be read: {why}"));
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    format!("{what}; a relative path begins in {}; give a path, not the key", folder.display())
}

fn read_key_files(typed: &SoundParts, folder: &Path, read_key: impl Fn(&str) -> io::Result<String>) -> KeyTexts {
    let read = |name: &String| read_key(name).map_err(|e| unreadable(&e, folder));
    typed.apis.iter().filter_map(|(_, api)| api.api_key_file.as_ref()).map(|name| (name.clone(), read(name))).collect()
}

fn fingerprint(text: &str, presets: Option<&str>, key_texts: &KeyTexts, prices: Option<u64>) -> String {
    let mut files: Vec<_> = key_texts.iter().collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    (text, presets, files, prices).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Puts environment variables into every string of `value`.
fn substitute(value: &mut Value, at: &str, problems: &mut Vec<Problem>) {
    match value {
        Value::String(text) if text.contains("${") => match expand(text, |name| std::env::var(name).ok()) {
            Ok(expanded) => *text = expanded,
            Err(why) => problems.push(Problem::new(at, why)),
        },
        Value::Array(items) => {
            for (i, item) in items.iter_mut().enumerate() {
                substitute(item, &format!("{at}[{i}]"), problems);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                substitute(field, &at, problems);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Returns a variable. An empty one is not set, as in compose files.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// `${NAME}`, `${NAME:-default}`, and `$${` for a literal `${`.
pub(super) fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(escaped) = before.strip_suffix('$') {
            out.push_str(escaped);
            out.push_str("${");
            rest = after;
            continue;
        }
        let Some((inner, tail)) = after.split_once('}') else {
            return Err("has ${ without a closing }; write $${ for a literal ${".to_owned());
        };
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        out.push_str(before);
        match lookup(name).filter(|found| !found.is_empty() || default.is_none()) {
            Some(found) => out.push_str(&found),
            None => out.push_str(default.ok_or_else(|| unset(name))?),
        }
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

/// Describes a variable that is not set. A name unlike a variable's may be a key, and is not shown.
fn unset(name: &str) -> String {
    let is_upper = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    let is_lower = |b: u8| b.is_ascii_lowercase() || b == b'_';
    if name.bytes().all(is_upper) || name.bytes().all(is_lower) {
        format!("the environment variable {name} is not set")
    } else {
        "${…} names an environment variable that is not set; its name is not shown, as it may be a key".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_current_until_its_file_or_a_key_file_changes() {
        let folder = std::env::temp_dir().join(format!("api-together-current-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("creates");
        let (file, key) = (folder.join("apis.json"), folder.join("key"));
        let text = r#"{"apis":[{"id":"a","baseUrl":"http://x","apiKeyFile":"key"}]}"#;
        let source = ConfigSource { path: file.clone(), overrides: Default::default() };
        for changed in [&key, &file] {
            fs::write(&file, text).expect("writes");
            fs::write(&key, "sk-one").expect("writes");
            let config = load(&source).expect("loads");
            assert!(is_current(&config, &source));
            let more = format!("{} ", fs::read_to_string(changed).expect("reads"));
            fs::write(changed, more).expect("writes");
            assert!(!is_current(&config, &source), "{}", changed.display());
        }
        fs::remove_dir_all(&folder).expect("is ours to remove");
    }

    #[test]
    fn variables_are_put_into_text() {
        let env = |name: &str| match name {
            "KEY" => Some("k".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        for (text, expanded) in [
            ("a${KEY}b", Ok("akb")),
            ("${KEY}${KEY}", Ok("kk")),
            ("${NONE:-d}", Ok("d")),
            ("${EMPTY:-d}", Ok("d")),
            ("${EMPTY}", Ok("")),
            ("$${KEY}", Ok("${KEY}")),
            ("plain $5", Ok("plain $5")),
            ("${NONE}", Err("the environment variable NONE is not set")),
            ("${KEY", Err("has ${ without a closing }; write $${ for a literal ${")),
        ] {
            assert_eq!(expand(text, env).as_deref().map_err(String::as_str), expanded, "{text}");
        }
    }
}
