//! From deployments to entries.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::numbers::whole_weight;
use super::deployment::Deployment;
use crate::cli::import::draft::{AccountDraft, ConfigDraft};
use crate::cli::import::secrets::literal;
use crate::cli::import::tree::Node;
use crate::types::sorted;

/// Adds an entry for each account. Deployments that differ in more than the model stay apart.
pub(super) fn add(deployments: Vec<Deployment<'_>>, draft: &mut ConfigDraft) {
    let weights: Vec<f64> = deployments.iter().filter_map(Deployment::share).collect();
    let mut accounts: Vec<Vec<Deployment<'_>>> = Vec::new();
    for deployment in deployments {
        match accounts.iter_mut().find(|account| account.iter().all(|one| fits(one, &deployment))) {
            Some(account) => account.push(deployment),
            None => accounts.push(vec![deployment]),
        }
    }
    let ids = accounts.iter().map(|account| draft.unique_id(&wish(account))).collect::<Vec<_>>();
    let groups = groups(&accounts, &ids);
    for (account, id) in accounts.into_iter().zip(ids) {
        let group = groups.get(&id).cloned();
        entry(account, (&id, group), &weights, draft);
    }
}

/// Returns whether two deployments can be models of one entry.
fn fits(one: &Deployment<'_>, other: &Deployment<'_>) -> bool {
    let headers = |of: &Deployment<'_>| {
        let headers = of.headers.iter().map(|(name, value, _)| (name.to_ascii_lowercase(), value.clone()));
        sorted::map(headers)
    };
    // Limits of single models know no patterns.
    let is_limited_pattern = |of: &Deployment<'_>| of.asked.contains('*') && !of.limits.is_empty();
    if is_limited_pattern(one) || is_limited_pattern(other) {
        return false;
    }
    // A whole account has no list of names, where a pattern would stand.
    let is_pattern = |of: &Deployment<'_>| of.asked.contains('*');
    if is_pattern(one) && is_pattern(other) && one.is_whole_account() != other.is_whole_account() {
        return false;
    }
    let is_same_account = is_same_key(one, other) && one.share() == other.share() && one.fields == other.fields;
    is_same_account && headers(one) == headers(other) && (one.asked != other.asked || one.own == other.own)
}

fn is_same_key(one: &Deployment<'_>, other: &Deployment<'_>) -> bool {
    one.address == other.address && one.key == other.key
}

impl Deployment<'_> {
    fn share(&self) -> Option<f64> {
        self.weight.as_ref().map(|(share, _)| *share)
    }
}

fn wish(account: &[Deployment<'_>]) -> String {
    account.first().map(|first| first.id.clone()).unwrap_or_default()
}

/// Returns the group of each entry whose key another entry has, too.
fn groups(accounts: &[Vec<Deployment<'_>>], ids: &[String]) -> BTreeMap<String, String> {
    let firsts = || accounts.iter().filter_map(|account| account.first()).zip(ids);
    let mut groups = BTreeMap::new();
    for (one, id) in firsts() {
        let mut same = firsts().filter(|(other, _)| is_same_key(one, other)).map(|(_, id)| id);
        if let (Some(first), Some(_)) = (same.next(), same.next()) {
            groups.insert(id.clone(), first.clone());
        }
    }
    groups
}

fn entry(account: Vec<Deployment<'_>>, place: (&str, Option<String>), weights: &[f64], draft: &mut ConfigDraft) {
    let (id, group) = place;
    let Some(first) = account.first() else { return };
    let mut entry = AccountDraft::new(first.address.clone(), first.key.clone());
    let mut todos = BTreeMap::new();
    for (name, value, _) in &first.headers {
        todos.insert(name.clone(), draft.header(id, (name, value), &mut entry));
    }
    entry.fields = limits(&account);
    entry.fields.extend(first.fields.clone());
    entry.fields.extend(weight(&account, weights));
    if let Some(group) = group {
        draft.group(&group);
        entry.fields.insert("quotaGroup".to_owned(), json!(group));
    }
    if account.iter().any(Deployment::is_whole_account) {
        entry.fields.extend(beside_the_list(&account));
    } else {
        entry.models = account.iter().map(|one| (one.asked_here().to_owned(), one.own.clone())).collect();
    }
    let key = draft.add(id, entry);
    for (name, _, field) in account.iter().flat_map(|deployment| &deployment.headers) {
        say(field, todos.get(name).cloned().flatten());
    }
    for field in account.iter().filter_map(|deployment| deployment.key_field.as_ref()) {
        say(field, key.clone());
    }
}

/// Returns the names that a whole account has beside its own list. A name that the list may lack is mapped to itself.
fn beside_the_list(account: &[Deployment<'_>]) -> Option<(String, Value)> {
    let named = account.iter().filter(|deployment| !deployment.is_whole_account());
    let mapping: Map<String, Value> = named.map(|one| (literal(&one.asked), json!(literal(&one.own)))).collect();
    (!mapping.is_empty()).then(|| ("modelMapping".to_owned(), Value::Object(mapping)))
}

/// Returns the field that says how large the share of the traffic is.
fn weight(account: &[Deployment<'_>], weights: &[f64]) -> Option<(String, Value)> {
    let is_whole = weights.iter().all(|weight| weight.fract() == 0.0);
    let share = account.first().and_then(Deployment::share);
    for (share, field) in account.iter().filter_map(|deployment| deployment.weight.as_ref()) {
        match *share {
            0.0 => field.change("is enabled: false"),
            _ if is_whole => field.carry(),
            _ => field.change("in hundredths, as weights are whole numbers"),
        }
    }
    match share {
        Some(0.0) => Some(("enabled".to_owned(), json!(false))),
        None if is_whole => None,
        share => Some(("weight".to_owned(), json!(whole_weight(share.unwrap_or(1.0), weights)))),
    }
}

fn say(field: &Node<'_>, todo: Option<String>) {
    todo.map_or_else(|| field.carry(), |todo| field.change(todo));
}

/// Returns the limits of an entry: its own of a single model, else each model's.
fn limits(account: &[Deployment<'_>]) -> Map<String, Value> {
    if let [one] = account {
        return one.limits.clone();
    }
    let limited = account.iter().filter(|deployment| !deployment.limits.is_empty());
    let models: Map<String, Value> =
        limited.map(|deployment| (deployment.asked.clone(), Value::Object(deployment.limits.clone()))).collect();
    if models.is_empty() { Map::new() } else { Map::from_iter([("modelLimits".to_owned(), Value::Object(models))]) }
}
