//! In which order providers are asked.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::cli::import::draft::ConfigDraft;
use crate::cli::import::tree::Node;

/// How accounts are chosen.
pub(super) struct Order<'a> {
    /// What says so, if anything does.
    said: Option<Node<'a>>,
    by_place: bool,
    /// By the provider's name.
    weights: BTreeMap<String, (u64, Node<'a>)>,
    clients: usize,
}

impl<'a> Order<'a> {
    /// Reads what the first client, or else all, say.
    pub(super) fn read(root: &Node<'a>) -> Order<'a> {
        let clients = root.get("api_keys").map(|list| list.items()).unwrap_or_default();
        let of = |node: &Node<'a>| node.at(&["preferences", "SCHEDULING_ALGORITHM"]);
        let said = clients.first().and_then(of).or_else(|| of(root));
        let algorithm = said.as_ref().and_then(Node::text).unwrap_or_else(|| "fixed_priority".to_owned());
        let mut weights = BTreeMap::new();
        for (name, weight) in clients
            .first()
            .and_then(|client| client.get("model"))
            .iter()
            .flat_map(Node::items)
            .flat_map(|item| item.fields())
        {
            if let (Some(provider), Some(number @ 1..)) = (name.strip_suffix("/*"), weight.whole()) {
                weights.insert(provider.to_owned(), (number.unsigned_abs().min(1_000_000), weight));
            }
        }
        let by_place = algorithm == "fixed_priority" && weights.is_empty();
        Order { said, by_place, weights, clients: clients.len() }
    }

    /// Returns the fields of a provider's entries.
    pub(super) fn fields_of(&self, provider: &Node<'_>, place: usize) -> Map<String, Value> {
        let name = provider.get("provider").and_then(|name| name.text()).unwrap_or_default();
        let mut fields = Map::new();
        if let Some((weight, field)) = self.weights.get(&name) {
            field.carry();
            fields.insert("weight".to_owned(), json!(weight));
        } else if self.by_place && place > 0 {
            fields.insert("priority".to_owned(), json!(place));
        }
        fields
    }

    /// Says what became of the order.
    pub(super) fn say(&self, root: &Node<'_>, draft: &mut ConfigDraft) {
        let Some(said) = &self.said else {
            if self.by_place {
                let order = "priority 0, 1 and so on; for turns, give all one priority";
                draft.notes.push(format!("providers are asked in the order of the file, uni-api's default: {order}"));
            }
            return;
        };
        if let Some(other) = root.at(&["preferences", "SCHEDULING_ALGORITHM"]) {
            other.leave("the first client's says so");
        }
        let first = if self.clients > 1 { "; the first client's holds for all" } else { "" };
        if self.by_place {
            said.change(format!("the first provider has priority 0, the next 1, and so on{first}"));
        } else if self.weights.is_empty() {
            said.change(format!("all providers have one priority{first}"));
        } else {
            said.change(format!("is weight{first}"));
        }
    }
}
