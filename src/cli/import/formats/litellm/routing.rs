//! The router's other names: `model_group_alias` and the fallbacks become aliases.

use std::collections::BTreeMap;

use crate::cli::import::draft::ConfigDraft;
use crate::cli::import::tree::Node;
use crate::types::NamePattern;

/// The lists of fallbacks, and what is different here.
const FALLBACKS: [(&str, &str); 2] = [
    ("fallbacks", "an alias: the next model is asked when no account can serve the one before"),
    (
        "context_window_fallbacks",
        "an alias: the next model is asked for a long prompt, and also when no account can serve",
    ),
];

pub(super) fn read(root: &Node<'_>, served: &[String], draft: &mut ConfigDraft) {
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
    for (model, behind) in router.behind {
        draft.alias(&model, std::iter::once(model.clone()).chain(behind));
    }
}

struct Router<'a> {
    /// The names of `model_list`.
    served: &'a [String],
    /// By model: the models that are asked after it.
    behind: BTreeMap<String, Vec<String>>,
}

impl Router<'_> {
    fn serves(&self, model: &str) -> bool {
        self.served
            .iter()
            .any(|name| name == model || NamePattern::parse(name).is_some_and(|pattern| pattern.matches(model)))
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
        for model in self.served.iter().filter(|model| !model.contains('*') && !found.is_empty()) {
            let others: Vec<String> = found.iter().filter(|other| *other != model).cloned().collect();
            if !others.is_empty() {
                self.behind.entry(model.clone()).or_insert(others);
            }
        }
    }

    /// Returns the models of a list that there are.
    fn known(&self, list: &Node<'_>, how: &str) -> Vec<String> {
        let mut known = Vec::new();
        for (field, name) in list.texts() {
            if self.serves(&name) {
                field.change(how);
                known.push(name);
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
        model.carry();
        let behind = self.behind.get(&name).cloned().unwrap_or_default();
        draft.alias(alias, std::iter::once(name).chain(behind));
    }
}
