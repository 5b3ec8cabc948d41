//! The settings that the pool has, too.

use serde_json::json;

use super::super::numbers::milliseconds;
use crate::cli::import::draft::ConfigDraft;
use crate::cli::import::secrets::KeySource;
use crate::cli::import::tree::Node;

pub(super) fn read(root: &Node<'_>, draft: &mut ConfigDraft) {
    if let Some(general) = root.get("general_settings") {
        master_key(&general, draft);
        whole(&general, ("global_max_parallel_requests", "maxRequests"), draft);
        whole(&general, ("max_request_size_mb", "bodyLimitMb"), draft);
    }
    let timeouts = [&["router_settings", "timeout"], &["litellm_settings", "request_timeout"]];
    let mut found = timeouts.iter().filter_map(|names| root.at(*names));
    if let Some(timeout) = found.next()
        && let Some(ms) = milliseconds(&timeout)
    {
        timeout.change("in milliseconds, and for all of an answer, a stream's too");
        draft.timeouts.insert("totalMs".to_owned(), json!(ms));
    }
    found.for_each(|second| second.leave("router_settings.timeout comes first"));
}

fn master_key(general: &Node<'_>, draft: &mut ConfigDraft) {
    let Some((field, key)) = general.get("master_key").and_then(|field| Some((field.clone(), field.text()?))) else {
        return;
    };
    if let Some((written, how)) = draft.secrets.client_key(&KeySource::parse(&key)) {
        draft.server.insert("apiKey".to_owned(), written);
        if how.is_empty() { field.carry() } else { field.change(how) }
    }
}

fn whole(section: &Node<'_>, names: (&str, &str), draft: &mut ConfigDraft) {
    let (theirs, ours) = names;
    if let Some(field) = section.get(theirs)
        && let Some(number @ 1..=4096) = field.whole()
    {
        field.change(format!("is server.{ours}"));
        draft.server.insert(ours.to_owned(), json!(number));
    }
}
