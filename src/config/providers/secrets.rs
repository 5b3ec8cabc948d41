//! What people are shown of a preset: no key, no proxy, and no value of a header. Those of a file of one's own may be secrets.

use serde_json::Value;

use crate::config::secret::ApiKey;

/// Masks the values of a preset's fields that may be secrets.
pub(super) fn without_secrets(field: &str, value: Value) -> Value {
    let mask = |value: &Value| Value::from(ApiKey::new(value.as_str().unwrap_or_default()).to_string());
    match (field, value) {
        ("apiKey" | "proxy", value) => mask(&value),
        ("headers", Value::Object(headers)) => {
            headers.iter().map(|(name, value)| (name.clone(), mask(value))).collect()
        }
        (_, value) => value,
    }
}
