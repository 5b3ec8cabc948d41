//! LiteLLM's proxy, `config.yaml`.
//!
//! 1. Deployments of one key at one address are one entry, if weight, order and timeouts are alike.
//! 2. A model is served under its `model_name`, and under no other name.
//! 3. Names of the router (`model_group_alias`, `fallbacks`) become aliases.
//! 4. What LiteLLM does to a request, other than to forward it, is left out.

mod deployment;
mod merge;
mod place;
mod reasons;
mod routing;
mod settings;

use std::collections::HashMap;

use crate::cli::import::draft::ConfigDraft;
use crate::cli::import::tree::Node;

pub(super) fn read(root: &Node<'_>, draft: &mut ConfigDraft) -> Result<(), String> {
    let Some(list) = root.get("model_list").filter(Node::is_list) else {
        return Err(misses(root));
    };
    let credentials = credentials(root);
    let deployments: Vec<_> =
        list.items().iter().filter_map(|item| deployment::Deployment::read(item, &credentials)).collect();
    let served = deployments.iter().map(routing::served).collect();
    merge::add(deployments, draft);
    routing::read(root, &served, draft);
    settings::read(root, draft);
    reasons::leave(root);
    Ok(())
}

fn misses(root: &Node<'_>) -> String {
    let include = root.get("include").is_some();
    let hint = if root.get("providers").is_some() {
        "; is it uni-api's (--from uni-api)?"
    } else if root.get("openai-compatibility").is_some() || root.get("api-keys").is_some() {
        "; is it CLIProxyAPI's (--from cliproxy)?"
    } else if include {
        "; import the files of its include one by one"
    } else {
        "; is it LiteLLM's config.yaml?"
    };
    format!("has no model_list{hint}")
}

/// Returns the credentials that deployments refer to by name.
fn credentials<'a>(root: &Node<'a>) -> HashMap<String, Node<'a>> {
    let list = root.get("credential_list").map(|list| list.items()).unwrap_or_default();
    let named = list.into_iter().filter_map(|credential| {
        let name = credential.get("credential_name")?;
        name.change("is written into each entry that refers to it");
        if let Some(info) = credential.get("credential_info") {
            info.leave("describes the credential");
        }
        Some((name.text()?, credential.get("credential_values")?))
    });
    named.collect()
}

#[cfg(test)]
mod tests;
