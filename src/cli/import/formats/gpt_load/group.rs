//! Groups of an export or of the list, with their keys.

use std::collections::BTreeMap;

use crate::cli::import::secrets::KeySource;
use crate::cli::import::tree::Node;
use crate::config::ApiKey;

/// A group, with what stands beside it in an export.
pub(super) struct Group<'a> {
    pub(super) group: Node<'a>,
    pub(super) around: Node<'a>,
}

/// Returns the groups, wherever the program puts them.
pub(super) fn groups<'a>(root: &Node<'a>) -> Vec<Group<'a>> {
    for names in [&["data", "groups"][..], &["groups"], &["data", "items"], &["data"], &[]] {
        let Some(found) = root.at(names) else { continue };
        let list = if found.is_list() { found.items() } else { vec![found] };
        let groups: Vec<_> = list
            .into_iter()
            .map(|around| Group {
                group: around.get("group").filter(Node::is_object).unwrap_or_else(|| around.clone()),
                around,
            })
            .filter(|one| one.group.get("channel_type").is_some() || one.group.get("upstreams").is_some())
            .collect();
        if !groups.is_empty() {
            return groups;
        }
    }
    Vec::new()
}

impl<'a> Group<'a> {
    /// Returns a text of the group.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.group.get(name).and_then(|field| field.text())
    }

    /// Returns the keys, each with the status.
    pub(super) fn keys(&self) -> Vec<(Node<'a>, KeySource, bool)> {
        let fields =
            [&self.around, &self.group].into_iter().flat_map(|node| ["keys", "api_keys"].map(|name| node.get(name)));
        let Some(field) = fields.flatten().next() else { return Vec::new() };
        if let Some(text) = field.text() {
            let lines = text.split(['\n', ',']).map(str::trim).filter(|line| !line.is_empty());
            return lines.map(|line| (field.clone(), given(line), true)).collect();
        }
        let items = field.items().into_iter().filter_map(|item| {
            if let Some(text) = item.text() {
                return Some((item, given(&text), true));
            }
            item.leave_each(&[(
                &[
                    "id",
                    "group_id",
                    "request_count",
                    "failure_count",
                    "last_used_at",
                    "created_at",
                    "updated_at",
                    "notes",
                    "key_hash",
                ],
                "is a count of the program's, not a setting",
            )]);
            let key = item.get("key_value").or_else(|| item.get("key"))?;
            let text = key.text()?;
            let status = item.get("status");
            let is_on = status.as_ref().and_then(Node::text).is_none_or(|status| status == "active");
            status.iter().for_each(|status| status.change(if is_on { "is the default" } else { "is enabled: false" }));
            Some((key, given(&text), is_on))
        });
        items.collect()
    }
}

fn given(key: &str) -> KeySource {
    KeySource::Given(ApiKey::new(key))
}

/// Returns the weights that groups of groups give to their members.
pub(super) fn weights(groups: &[Group<'_>]) -> BTreeMap<String, u64> {
    let mut weights = BTreeMap::new();
    let lists = groups.iter().flat_map(|one| [&one.around, &one.group].map(|node| node.get("sub_groups")));
    for member in lists.flatten().flat_map(|list| list.items()) {
        let name =
            ["group_name", "name"].iter().find_map(|name| member.get(name)).or_else(|| member.at(&["group", "name"]));
        if let Some(name) = name.and_then(|name| name.text())
            && let Some(weight @ 1..) = member.get("weight").and_then(|weight| weight.whole())
        {
            weights.insert(name, weight.unsigned_abs().min(1_000_000));
            member.change("is the weight of the entries of that group");
        }
    }
    weights
}
