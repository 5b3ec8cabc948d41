//! The router's other names: `model_group_alias` and the fallbacks become aliases.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::deployment::Deployment;
use crate::cli::import::draft::ConfigDraft;
use crate::cli::import::tree::Node;
use crate::types::ByName;

/// The lists of fallbacks, and what is different here.
const FALLBACKS: [(&str, &str); 2] = [
    ("fallbacks", "an alias: the next model is asked when no account can serve the one before"),
    (
        "context_window_fallbacks",
        "an alias: the next model is asked for a long prompt, and also when no account can serve",
    ),
];

/// The names of `model_list`. A pattern that is another one here has both.
pub(super) type Served = ByName<Option<(String, String)>>;

/// Returns a deployment's name for the table.
pub(super) fn served(deployment: &Deployment<'_>) -> (Arc<str>, Option<(String, String)>) {
    let (asked, here) = (deployment.asked.as_str(), deployment.asked_here());
    (Arc::from(asked), (asked != here).then(|| (asked.to_owned(), here.to_owned())))
}

pub(super) fn read(root: &Node<'_>, served: &Served, draft: &mut ConfigDraft) {
    let mut router = Router { served, behind: BTreeMap::new() };
    let sections: Vec<_> = ["router_settings", "litellm_settings"].iter().filter_map(|name| root.get(name)).collect();
    for (section, (name, how)) in sections.iter().flat_map(|section| FALLBACKS.map(|list| (section, list))) {
        section.get(name).iter().for_each(|list| router.fallbacks(list, how));
    }
    sections.iter().filter_map(|section| section.get("default_fallbacks")).for_each(|list| router.default(&list));
    let aliases = sections.iter().filter_map(|section| section.get("model_group_alias"));
    let aliases: Vec<_> = aliases.flat_map(|aliases| aliases.fields()).collect();
    for (alias, target) in aliases {
        router.alias(alias, &target, draft);
    }
    for (model, behind) in &router.behind {
        draft.alias(model, std::iter::once(router.here(model)).chain(behind.iter().cloned()));
    }
}

struct Router<'a> {
    served: &'a Served,
    /// By model: the models that are asked after it.
    behind: BTreeMap<String, Vec<String>>,
}

impl Router<'_> {
    fn serves(&self, model: &str) -> bool {
        self.served.get(model).is_some()
    }

    /// Returns what a model is called here: `llama-3` for `groq/llama-3`, if `groq/*` is a whole account.
    fn here(&self, model: &str) -> String {
        let named = self.served.get(model).and_then(Option::as_ref).and_then(|(asked, here)| {
            let (before, after) = asked.split_once('*')?;
            let part = model.strip_prefix(before)?.strip_suffix(after)?;
            Some(here.replacen('*', part, 1))
        });
        named.unwrap_or_else(|| model.to_owned())
    }

    /// Reads a list of `{model: [other, …]}`.
    fn fallbacks(&mut self, list: &Node<'_>, how: &str) {
        for (model, others) in list.items().iter().flat_map(Node::fields) {
            if model == "*" {
                self.default(&others);
            } else if model.contains('*') || !self.serves(model) {
                others.leave("model_list has no model of this name");
            } else {
                let found = self.known(&others, how);
                self.behind.entry(model.to_owned()).or_default().extend(found);
            }
        }
    }

    /// Reads the fallbacks of all models without any.
    fn default(&mut self, list: &Node<'_>) {
        let found = self.known(list, "an alias of each model without fallbacks of its own");
        for model in self.served.names().filter(|_| !found.is_empty()) {
            let others: Vec<String> = found.iter().filter(|other| ***other != **model).cloned().collect();
            if !others.is_empty() {
                self.behind.entry(model.to_string()).or_insert(others);
            }
        }
    }

    /// Returns the models of a list that there are.
    fn known(&self, list: &Node<'_>, how: &str) -> Vec<String> {
        let mut known = Vec::new();
        for (field, name) in list.texts() {
            if self.serves(&name) {
                field.change(how);
                known.push(self.here(&name));
            } else {
                field.leave("model_list has no model of this name");
            }
        }
        known
    }

    fn alias(&self, alias: &str, target: &Node<'_>, draft: &mut ConfigDraft) {
        let model = target.get("model").unwrap_or_else(|| target.clone());
        if let Some(hidden) = target.get("hidden") {
            hidden.leave("all aliases are in the list of models");
        }
        let Some(name) = model.text() else { return };
        if !self.serves(&name) {
            return model.leave("model_list has no model of this name");
        }
        let here = self.here(&name);
        if here == name {
            model.carry()
        } else {
            model.change(format!("is called {here} here"))
        }
        let behind = self.behind.get(&name).cloned().unwrap_or_default();
        draft.alias(alias, std::iter::once(here).chain(behind));
    }
}
