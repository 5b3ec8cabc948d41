//! From a path to a valid [`Config`]: read, substitute the environment, check, validate.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use super::model::Config;
use super::partial::SoundParts;
use super::prices::PriceFileRead;
use super::providers::{self, PresetsRead, fill_in};
use super::reading::{CONFIGURATION, ConfigError, document, read_text, without_mark};
use super::source::{ConfigSource, folder_of};
use super::validate::validate;
use super::validator::KeyTexts;
use super::variables::{substitute, variable};
use super::{file_permissions, pricing, schema, warnings};
use crate::types::sorted;

/// Reads, checks and validates the configuration.
///
/// # Errors
/// With all problems at once, each with a place in the file, and never with a value of the file.
pub fn load(source: &ConfigSource) -> Result<Config, ConfigError> {
    let path = &source.path;
    let text = read_text(path).map_err(|why| ConfigError::unreadable(path, why, &CONFIGURATION))?;
    let folder = folder_of(path);
    parse(&text, source, |name| read_text(&folder.join(name)))
}

/// Returns whether the files are the same as when `config` was loaded. The check costs a hundredth of [`load`].
pub(super) fn is_current(config: &Config, source: &ConfigSource) -> bool {
    let Ok(text) = read_text(&source.path) else { return false };
    let folder = folder_of(&source.path);
    let keys = config.key_files.iter();
    let key_texts =
        keys.map(|name| (name.clone(), read_text(&folder.join(name)).map_err(|e| unreadable(&e, name, folder))));
    let presets = config.preset_file.as_deref().and_then(providers::text_of);
    let prices = config.price_file.as_ref().map(|file| file.current_fingerprint().unwrap_or_default());
    fingerprint(without_mark(&text), presets.as_deref(), &key_texts.collect(), prices) == config.hash
}

/// Checks and validates a text in memory. `read_key` reads an `apiKeyFile`.
///
/// # Errors
/// As for [`load`].
#[doc(hidden)]
pub fn parse(
    text: &str,
    source: &ConfigSource,
    read_key: impl Fn(&str) -> io::Result<String>,
) -> Result<Config, ConfigError> {
    parse_with(text, source, &read_key, &variable)
}

/// Checks and validates a text, as [`parse`]. `lookup` returns the values of the variables in presets.
pub(super) fn parse_with(
    text: &str,
    source: &ConfigSource,
    read_key: &dyn Fn(&str) -> io::Result<String>,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, ConfigError> {
    let path = &source.path;
    let text = without_mark(text);
    let mut document = document(path, text, &CONFIGURATION)?;

    let invalid = |problems| ConfigError::Invalid { path: path.clone(), problems };
    let mut problems = Vec::new();
    let holds_keys = file_permissions::holds_keys(&document);
    let presets = PresetsRead::read_for(&document, source)?;
    let unexpanded = warnings::unexpanded_variables(&document, &variable);
    substitute(&mut document, "", &mut problems);
    problems.extend(schema::check(&document));
    let filled = fill_in(&mut document, &presets.providers, lookup);
    problems.extend(filled.problems);
    let typed = SoundParts::parse_sound_parts(document, &mut problems);
    let key_texts = read_key_files(&typed, folder_of(path), read_key);
    let (prices, bad) =
        PriceFileRead::named(typed.prices.file.as_deref(), folder_of(path), &presets.providers, read_key);
    problems.extend(bad);
    let mut config = validate(typed, problems, source, &key_texts).map_err(invalid)?;
    config.hash = fingerprint(text, presets.text.as_deref(), &key_texts, prices.fingerprint());
    config.key_files = key_texts.keys().cloned().collect();
    config.presets = filled.uses;
    pricing::attach(&mut config, prices, &presets.providers);
    let unpriced = warnings::unpriced_models(&config);
    config.warnings.extend(unpriced);
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
    let at_known_hosts = warnings::at_known_hosts(&config, &presets.providers);
    config.warnings.extend(at_known_hosts);
    config.warnings.extend(secret.filter_map(|file| file_permissions::warning(&file)));
    Ok(config)
}

/// The words for each reason why a key file can't be read.
const UNREADABLE: [(io::ErrorKind, &str); 5] = [
    (io::ErrorKind::NotFound, "the file does not exist; put the key into that file"),
    (io::ErrorKind::PermissionDenied, "the user of this program may not read the file"),
    (io::ErrorKind::IsADirectory, "is a folder, not a file"),
    (io::ErrorKind::InvalidData, "the file is no text in UTF-8; save it as UTF-8"),
    (io::ErrorKind::FileTooLarge, "the file is too large to hold a key"),
];

/// Returns why a key file can't be read, with the file's path.
fn unreadable(why: &io::Error, name: &str, folder: &Path) -> String {
    let known = UNREADABLE.iter().find(|(kind, _)| *kind == why.kind()).map(|(_, words)| (*words).to_owned());
    let what = known.unwrap_or_else(|| format!("the file can't be read: {why}"));
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    if is_path(name, &folder) {
        return format!("{what}: {}", folder.join(name).display());
    }
    format!("{what}; a relative path begins in {}; give a path, not the key", folder.display())
}

/// Returns whether a text is certainly a file's name, and may be shown. People type keys in place of names.
fn is_path(name: &str, folder: &Path) -> bool {
    let parent = name.rsplit_once('/').map_or("", |(parent, _)| parent);
    name.ends_with(".key") || (!parent.is_empty() && folder.join(parent).is_dir())
}

fn read_key_files(typed: &SoundParts, folder: &Path, read_key: impl Fn(&str) -> io::Result<String>) -> KeyTexts {
    let read = |name: &String| read_key(name).map_err(|e| unreadable(&e, name, folder));
    typed.apis.iter().filter_map(|(_, api)| api.api_key_file.as_ref()).map(|name| (name.clone(), read(name))).collect()
}

fn fingerprint(text: &str, presets: Option<&str>, key_texts: &KeyTexts, prices: Option<u64>) -> String {
    let mut files: Vec<_> = key_texts.iter().collect();
    sorted::sort(&mut files);
    let mut hasher = DefaultHasher::new();
    (text, presets, files, prices).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_missing_key_file_is_named_unless_a_key_may_stand_in_its_place() {
        let told = |name: &str| {
            let text = format!(r#"{{"apis":[{{"id":"a","baseUrl":"http://x","apiKeyFile":"{name}"}}]}}"#);
            let source = ConfigSource { path: "/tmp/apis.json".into(), overrides: Default::default() };
            parse(&text, &source, |_| Err(io::ErrorKind::NotFound.into())).expect_err("no key").to_string()
        };
        for (name, shown) in [("a.key", "/tmp/a.key"), ("../tmp/groq", "/tmp/../tmp/groq"), ("/tmp/groq", "/tmp/groq")]
        {
            let wanted = format!("apis[0].apiKeyFile: a: the file does not exist; put the key into that file: {shown}");
            assert!(told(name).ends_with(&wanted), "{}", told(name));
        }
        for name in ["sk-secret", "sk/secret", "/secret"] {
            let told = told(name);
            assert!(told.contains("a: the file does not exist") && !told.contains("secret"), "{told}");
        }
    }

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
}
