//! Entries by id and account, in one configuration after the other.

use serde_json::{Value, json};

use super::*;
use crate::testing::config;

/// An entry with this id and the key of this account.
fn entry(id: &str, account: u32) -> Value {
    json!({ "id": id, "baseUrl": "http://127.0.0.1:1", "apiKey": format!("sk-account-{account:04}"), "models": ["m"] })
}

fn was(id: &str, account: u32, was: &str) -> Value {
    let mut entry = entry(id, account);
    entry["was"] = json!(was);
    entry
}

/// What is stored between two configurations.
#[derive(Default)]
struct World(BTreeMap<LedgerId, LedgerRecord>);

impl World {
    /// Adopts a configuration in a new process, and once more as the same. Returns each entry's ledger, and the log.
    fn adopt(&mut self, entries: &[Value]) -> (Vec<String>, Vec<String>) {
        let apis = config(&json!({ "apis": entries })).apis;
        let mut ledgers = Ledgers::restore(self.0.clone().into_iter().collect());
        let resolved = ledgers.resolve(&apis);
        self.0.extend(resolved.changed);
        assert_eq!(self.0, ledgers.0, "all changes are saved");
        let again = ledgers.resolve(&apis);
        assert_eq!(again.apis, resolved.apis, "nothing changes by itself");
        assert_eq!((again.changed, again.news), (Vec::new(), Vec::new()));
        let restarted = Ledgers::restore(self.0.clone().into_iter().collect()).resolve(&apis);
        assert_eq!(restarted.apis, resolved.apis, "nor by a restart");
        let names: Vec<String> = resolved.apis.iter().map(|api| api.ledger.to_string()).collect();
        assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), names.len(), "one entry a ledger");
        (names, [resolved.news, resolved.warnings].concat())
    }

    fn ledgers(&mut self, entries: &[Value]) -> Vec<String> {
        self.adopt(entries).0
    }
}

#[test]
fn a_new_id_of_the_same_account_keeps_the_ledger_and_the_log_says_so() {
    let mut world = World::default();
    assert_eq!(world.adopt(&[entry("a", 1)]), (vec!["a".into()], vec![]));
    let says = "b: takes over the counts of a, which had the same base URL and key";
    assert_eq!(world.adopt(&[entry("b", 1)]), (vec!["a".into()], vec![says.into()]));
    assert_eq!(world.ledgers(&[entry("c", 1)]), ["a"]);
    assert_eq!(world.ledgers(&[entry("a", 1)]), ["a"], "back");
    assert_eq!(world.ledgers(&[entry("e", 2)]), ["e"]);
    assert_eq!(world.ledgers(&[entry("d", 1)]), ["a"], "after an absence");
}

#[test]
fn swapped_ids_take_their_ledgers_along() {
    let mut world = World::default();
    assert_eq!(world.ledgers(&[entry("a", 1), entry("b", 2)]), ["a", "b"]);
    assert_eq!(world.ledgers(&[entry("a", 2), entry("b", 1)]), ["b", "a"]);
    assert_eq!(world.ledgers(&[entry("b", 1), entry("c", 2), entry("a", 3)]), ["a", "b", "a~2"], "a new account");
    assert_eq!(world.ledgers(&[entry("a", 1), entry("b", 2), entry("c", 3)]), ["a", "b", "a~2"], "in turn");
}

#[test]
fn a_new_key_under_the_same_id_keeps_the_ledger() {
    let mut world = World::default();
    world.adopt(&[entry("a", 1), entry("b", 2)]);
    assert_eq!(world.adopt(&[entry("a", 3), entry("b", 2)]), (vec!["a".into(), "b".into()], vec![]));
    assert_eq!(world.ledgers(&[entry("a", 1), entry("b", 2)]), ["a", "b"], "back");
    assert_eq!(world.ledgers(&[entry("b", 2)]), ["b"]);
    assert_eq!(world.ledgers(&[entry("b", 2), entry("c", 3)]), ["b", "a"], "by a key of once");
}

#[test]
fn where_all_changes_was_names_the_former_id() {
    let mut world = World::default();
    world.adopt(&[entry("a", 1)]);
    let says = "b: takes over the counts of a, as \"was\" says";
    assert_eq!(world.adopt(&[was("b", 2, "a")]), (vec!["a".into()], vec![says.into()]));
    assert_eq!(world.adopt(&[was("b", 2, "a")]), (vec!["a".into()], vec![]), "it may stay");
    assert_eq!(world.ledgers(&[was("b", 2, "a"), entry("c", 1)]), ["a", "c"], "the old key is another account now");
    assert_eq!(world.ledgers(&[was("d", 4, "a")]), ["a"], "by an earlier id");
    let (ledgers, log) = world.adopt(&[was("e", 5, "nobody"), entry("d", 4)]);
    assert_eq!(ledgers, ["e", "a"]);
    assert!(log[0].starts_with("e: \"was\" names nobody, which was not"), "{log:?}");
}

#[test]
fn was_comes_before_the_id_and_after_the_account() {
    let mut world = World::default();
    world.adopt(&[entry("a", 1), entry("b", 2)]);
    assert_eq!(world.ledgers(&[was("b", 3, "a")]), ["a"], "the old b is gone");
    let mut world = World::default();
    world.adopt(&[entry("a", 1), entry("b", 2)]);
    assert_eq!(world.ledgers(&[was("c", 2, "a")]), ["b"]);
}

#[test]
fn an_account_at_two_addresses_is_recognised_by_either() {
    let mut world = World::default();
    world.adopt(&[entry("a", 1)]);
    let mut both = entry("b", 1);
    both["anthropicBaseUrl"] = json!("http://127.0.0.1:2");
    assert_eq!(world.ledgers(&[both]), ["a"]);
    let mut other = entry("c", 1);
    other["anthropicBaseUrl"] = json!("http://127.0.0.1:2");
    other.as_object_mut().expect("an object").remove("baseUrl");
    assert_eq!(world.ledgers(&[other]), ["a"]);
}

#[test]
fn a_group_has_the_ledgers_of_its_members() {
    let grouped = |id: &str, account| {
        let mut entry = entry(id, account);
        entry["quotaGroup"] = json!("g");
        entry
    };
    let mut ledgers = Ledgers::default();
    ledgers.resolve(&config(&json!({ "apis": [grouped("a", 1), grouped("b", 2)] })).apis);
    let resolved = ledgers.resolve(&config(&json!({ "apis": [grouped("b", 2), grouped("c", 1)] })).apis);
    for api in &resolved.apis {
        let ledgers = &api.group.as_ref().expect("a group").ledgers;
        assert_eq!(ledgers, &[LedgerId::from("b"), LedgerId::from("a")]);
    }
}

/// Servers that share a store, each with a memory of its own.
#[test]
fn a_server_that_never_saw_a_former_id_learns_the_ledger_from_the_others() {
    let ids = |ledgers: &mut Ledgers, entries: &[Value]| -> Vec<String> {
        let resolved = ledgers.resolve(&config(&json!({ "apis": entries })).apis);
        resolved.apis.iter().map(|api| api.ledger.to_string()).collect()
    };
    let told = |ledgers: &Ledgers| ledgers.0.clone().into_iter().collect::<Vec<_>>();
    let mut first = Ledgers::default();
    assert_eq!(ids(&mut first, &[entry("a", 1), entry("b", 2)]), ["a", "b"]);
    let mut second = Ledgers::default();
    second.learn(told(&first));
    assert_eq!(ids(&mut second, &[entry("b", 1), entry("a", 2)]), ["a", "b"], "swapped");
    assert_eq!(ids(&mut second, &[entry("c", 1), entry("a", 3)]), ["a", "b"], "a new key under an id");
    // The first one stood still, and has the old names in its own memory.
    first.learn(told(&second));
    assert_eq!(ids(&mut first, &[entry("c", 1), entry("a", 3), entry("b", 2)]), ["a", "b", "b~2"]);
    assert_eq!(ids(&mut first, &[was("d", 4, "c"), entry("e", 3)]), ["a", "b"]);
    // Learning what is known already changes nothing.
    let before = told(&first);
    first.learn(before.clone());
    assert_eq!(told(&first), before);
}
