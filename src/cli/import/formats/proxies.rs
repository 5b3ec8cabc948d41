//! Outgoing proxies.

use serde_json::json;

use crate::cli::import::address::has_password;
use crate::cli::import::draft::{AccountDraft, ConfigDraft};
use crate::cli::import::secrets::{literal, variable};
use crate::cli::import::tree::Node;

/// What a proxy's URL may begin with.
const SCHEMES: [&str; 4] = ["http://", "https://", "socks5://", "socks5h://"];

/// Reads the proxy of an entry.
pub(super) fn of_entry(from: &Node<'_>, name: &str, entry: (&str, &mut AccountDraft), draft: &mut ConfigDraft) {
    if let Some((field, proxy)) = from.get(name).and_then(|field| Some((field.clone(), field.text()?))) {
        within(&field, &proxy, entry, draft);
    }
}

/// Reads the proxy of all entries.
pub(super) fn of_all(from: &Node<'_>, name: &str, draft: &mut ConfigDraft) {
    let Some((field, proxy)) = from.get(name).and_then(|field| Some((field.clone(), field.text()?))) else { return };
    if let Some(written) = written(&field, &proxy, "POOL_PROXY", draft) {
        draft.server.insert("proxy".to_owned(), json!(written));
    }
}

/// Reads the proxy that stands in a field, or inside of one.
pub(super) fn within(field: &Node<'_>, proxy: &str, entry: (&str, &mut AccountDraft), draft: &mut ConfigDraft) {
    let (id, account) = entry;
    if let Some(written) = written(field, proxy, &variable(id, "PROXY"), draft) {
        account.fields.insert("proxy".to_owned(), json!(written));
    }
}

/// Returns the proxy as the configuration writes one. A URL with a password is a secret.
fn written(field: &Node<'_>, proxy: &str, variable: &str, draft: &mut ConfigDraft) -> Option<String> {
    if matches!(proxy, "direct" | "none") {
        field.change("is proxy: none");
        return Some("none".to_owned());
    }
    if !SCHEMES.iter().any(|scheme| proxy.starts_with(scheme)) {
        field.leave(format!("must begin with {}", SCHEMES.join(", ")));
        return None;
    }
    if !has_password(proxy) {
        field.change("is proxy");
        return Some(literal(proxy));
    }
    let (written, todo) = draft.secrets.other(proxy, variable);
    field.change(todo.map_or_else(|| "is proxy".to_owned(), |todo| format!("is proxy, and {todo}")));
    Some(written)
}
