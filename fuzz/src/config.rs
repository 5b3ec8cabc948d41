//! The configuration: any text is refused in words that hold no key, or is valid, and then means the same however it is laid out.

use std::io;
use std::path::PathBuf;

use api_together::config::{Config, ConfigError, ConfigSource, Overrides, parse};
use serde_json::Value;

/// Stands for a key.
const KEY: &str = "sk-canary-0123456789";

/// Holds for any text.
pub fn holds(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let document = serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}'));
    let told = match understood(text) {
        Ok(config) => {
            means_the_same_however_it_is_laid_out(document.as_ref().expect("it was read"), &config);
            format!("{config:?}")
        }
        Err(error) => error.to_string(),
    };
    assert!(!document.is_ok_and(|document| is_in_keys_only(&document)) || !told.contains(KEY), "{told}");
}

fn understood(text: &str) -> Result<Config, ConfigError> {
    let source = ConfigSource { path: PathBuf::from("apis.json"), overrides: Overrides::default() };
    parse(text, &source, |name| match name {
        "key" => Ok(format!("{KEY}\n")),
        _ => Err(io::ErrorKind::NotFound.into()),
    })
}

fn means_the_same_however_it_is_laid_out(document: &Value, config: &Config) {
    for text in [document.to_string(), format!("\u{feff}{document:#}\r\n")] {
        let mut same = understood(&text).expect("valid however it is laid out");
        same.hash.clone_from(&config.hash);
        assert_eq!(same, *config);
    }
}

/// Does the key stand nowhere but where keys belong?
fn is_in_keys_only(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.contains(KEY),
        Value::Array(items) => items.iter().all(is_in_keys_only),
        Value::Object(fields) => fields.iter().all(|(name, field)| {
            let is_key = matches!(name.as_str(), "apiKey" | "apiKeys") && !field.is_object();
            !name.contains(KEY) && (is_key || is_in_keys_only(field))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}
