//! Judges a text for a server that runs elsewhere: by the loader's own rules, where variables and key files may be set for the
//! server alone.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use serde_json::Value;

use super::load::parse_with;
use super::model::Config;
use super::reading::{CONFIGURATION, ConfigError, document, read_text};
use super::source::{ConfigSource, folder_of};
use super::variables::{expand, variable};

/// Checks a text as [`super::load()`] would. Values of variables that are not set here, and of key files that can't be read here, are
/// not judged. Returns the configuration, if every value can be judged.
///
/// # Errors
/// With all problems at once, each with its place; never with a value of the file.
pub(crate) fn check_for_server(text: &str, source: &ConfigSource) -> Result<Option<Config>, ConfigError> {
    let mut document = document(&source.path, text, &CONFIGURATION)?;
    let mut places = Vec::new();
    fill(&mut document, "", &mut places);
    let prices = document.pointer("/prices/file").and_then(Value::as_str).map(str::to_owned);
    let folder = folder_of(&source.path);
    let read = |name: &str| {
        let text = read_text(&folder.join(Path::new(name)));
        // Prices are no secret, so the file of prices is here, too.
        if prices.as_deref() == Some(name) { text } else { text.or_else(|_| Ok(stand_in(name))) }
    };
    let lookup = |name: &str| variable(name).or_else(|| Some(stand_in(name)));
    match parse_with(&document.to_string(), source, &read, &lookup) {
        Ok(config) => Ok(Some(config)),
        Err(error) => without_places(error, &places).map_or(Ok(None), Err),
    }
}

/// Puts a stand-in wherever a text has a variable that is not set, and notes the place.
fn fill(value: &mut Value, at: &str, places: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains("${") => {
            let set = |name: &str| std::env::var(name).ok();
            // A mistake of another kind remains for the loader.
            if expand(text, set).is_err()
                && let Ok(filled) = expand(text, |name| set(name).or_else(|| Some(stand_in(name))))
            {
                let is_address = ["url", "proxy"].iter().any(|end| at.to_lowercase().ends_with(end));
                *text = if is_address && text.starts_with("${") { format!("http://{filled}") } else { filled };
                places.push(at.to_owned());
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter_mut().enumerate() {
                fill(item, &format!("{at}[{i}]"), places);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                fill(field, &at, places);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Returns a text for a name, another one for each name. The text may stand for a key or a part of a host.
fn stand_in(name: &str) -> String {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    format!("not-set-here-{:016x}", hasher.finish())
}

/// Removes the problems that are about a stand-in. `None`: no other problem is left.
fn without_places(error: ConfigError, places: &[String]) -> Option<ConfigError> {
    match error {
        ConfigError::Invalid { path, mut problems } => {
            problems.retain(|problem| !places.iter().any(|at| at == problem.at()));
            (!problems.is_empty()).then_some(ConfigError::Invalid { path, problems })
        }
        other @ (ConfigError::Unreadable { .. } | ConfigError::Syntax { .. }) => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<String> {
        let source = ConfigSource { path: "/tmp/x.json".into(), overrides: Default::default() };
        check_for_server(text, &source).err().map(|error| error.to_string())
    }

    #[test]
    fn only_what_is_set_for_the_server_alone_is_left_out() {
        let entry = |key: &str, apis: &str| {
            format!(
                r#"{{"server": {{"host": "${{AT_NO_HOST}}", "apiKey": ["${{AT_NO_POOL}}", "sha256:${{AT_NO_SUM}}"]}}, "apis": [
                {{"id": "a", "baseUrl": "${{AT_NO_URL}}", "apiKey": "${{AT_NO_KEY}}"}},
                {{"id": "b", "baseUrl": "https://${{AT_NO_PART}}/v1", "apiKeyFile": "/nowhere/b.key"}},
                {{"id": "c", "provider": "groq"}}, {{"id": "d", "provider": "cloudflare"}}],
                "keys": [{{"name": "k", "key": "{key}", "apis": ["{apis}"]}}]}}"#
            )
        };
        assert_eq!(told(&entry("${AT_NO_CLIENT}", "a")), None);
        let wrong = told(&entry("two words", "a")).expect("a mistake");
        assert!(wrong.contains("keys[0].key: ") && !wrong.contains("AT_NO"), "{wrong}");
        let plain = r#"{"apis": [{"id": "a", "baseUrl": "${AT_NO_URL}", "apiKey": "${AT_NO_KEY}"}],
            "keys": [{"name": "k", "key": "${AT_NO_CLIENT}", "apis": ["nosuch"]}]}"#;
        assert!(told(plain).is_some_and(|told| told.contains("keys[0].apis[0]: is the id of no API")));
        let open = plain.replace("${AT_NO_URL}", "${AT_NO_URL").replace("nosuch", "a");
        assert!(told(&open).is_some_and(|told| told.contains("without a closing }")));
        assert!(told("{").is_some());
    }
}
