//! Warns of files with keys that other users of the machine may read.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Does the document, as typed, hold a key itself, and not only the name of a variable or a digest?
pub(super) fn holds_keys(document: &Value) -> bool {
    let server = document.get("server");
    let list = |name| document.get(name).and_then(Value::as_array).into_iter().flatten();
    let of_server = ["apiKey", "apiKeys", "adminKeys", "viewerKeys"].into_iter().filter_map(|field| server?.get(field));
    let of_operators = of_server.clone().filter_map(Value::as_array).flatten();
    let entries = list("keys").chain(of_operators).filter_map(|entry| entry.get("key"));
    let of_clients = of_server.chain(entries).flat_map(strings);
    let apis = || list("apis");
    let of_upstreams = apis().filter_map(|api| api.get("apiKey")).flat_map(strings);
    // A variable's default stands in the document itself.
    let default = |text: &str| text.split_once(":-").is_some_and(|(_, text)| !text.starts_with('}'));
    let is_key = |text: &str| (!text.contains("${") || default(text)) && !text.starts_with("sha256:");
    let store = document.get("store").and_then(|store| store.get("url"));
    let proxies = apis().chain(server).filter_map(|part| part.get("proxy"));
    let mut urls = proxies.chain(store).filter_map(Value::as_str);
    // The path of a webhook is its key.
    let alerts = document.get("alerts").and_then(Value::as_array).into_iter().flatten();
    let of_alerts = alerts.filter_map(|alert| alert.get("url")?.as_str());
    of_clients.chain(of_upstreams).chain(of_alerts).any(is_key) || urls.any(|url| is_key(url) && url.contains('@'))
}

/// Returns one string, or the strings of a list.
fn strings(value: &Value) -> Vec<&str> {
    let list = value.as_array().into_iter().flatten();
    value.as_str().into_iter().chain(list.filter_map(Value::as_str)).collect()
}

/// Returns a warning, if others than the owner may read the file.
pub(super) fn warning(path: &Path) -> Option<String> {
    let mode = mode(&fs::metadata(path).ok()?)?;
    let others = mode & 0o077 != 0;
    others.then(|| {
        let path = path.display();
        format!("{path}: others on this machine may read the keys in it (mode {mode:03o}); chmod 600 {path}")
    })
}

#[cfg(unix)]
fn mode(metadata: &fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    Some(metadata.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_name_of_a_variable_is_no_key() {
        for (document, holds) in [
            (json!({ "apis": [{ "apiKey": "${A}" }, { "apiKeyFile": "a.key" }] }), false),
            (json!({ "apis": [{ "apiKey": "${A}" }, { "apiKey": "sk-1" }] }), true),
            (json!({ "server": { "apiKey": ["${A}", "sk-1"] } }), true),
            (json!({ "server": { "apiKeys": ["sha256:00"], "apiKey": "${A:-}" } }), false),
            (json!({ "server": { "apiKey": "${A:-x}" } }), true),
            (json!({ "server": { "adminKeys": ["sha256:00", { "name": "ops", "key": "sk-1" }] } }), true),
            (json!({ "keys": [{ "name": "a", "key": "sha256:00" }, { "name": "b", "key": ["${B}"] }] }), false),
            (json!({ "keys": [{ "name": "a", "key": "sha256:00" }, { "name": "b", "key": ["sk-1"] }] }), true),
            (json!({ "store": { "url": "redis://:pass@host" } }), true),
            (json!({ "store": { "url": "redis://host" } }), false),
            (json!({ "server": { "proxy": "http://u:pass@host" } }), true),
            (json!({ "apis": [{ "proxy": "socks5://u:${P}@host" }, { "proxy": "socks5://host" }] }), false),
            (json!({ "apis": [{ "proxy": null }, { "proxy": "socks5://u:pass@host" }] }), true),
            (json!([]), false),
        ] {
            assert_eq!(holds_keys(&document), holds, "{document}");
        }
    }
}
