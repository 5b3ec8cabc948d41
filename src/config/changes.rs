//! What a reload changed, in a few words for the log: `alpha: rpm 60 → 5; gemini removed; 2 client keys more`.

use url::Url;

use super::model::{ApiConfig, AuthScheme, Config, KeyConfig};
use crate::types::Limits;

/// The most changes in one line. A new file may change everything.
const MOST_TOLD: usize = 8;

/// Returns the changes as a line.
pub(super) fn told(old: &Config, new: &Config) -> String {
    let mut changes = Vec::new();
    for api in &new.apis {
        match old.apis.iter().find(|before| before.id == api.id) {
            Some(before) if before == api => {}
            Some(before) => changes.push(format!("{}: {}", api.id, of_api(before, api).join(", "))),
            None => changes.push(format!("{} added", api.id)),
        }
    }
    let gone = old.apis.iter().filter(|before| !new.apis.iter().any(|api| api.id == before.id));
    changes.extend(gone.map(|api| format!("{} removed", api.id)));
    let count =
        |config: &Config| config.keys.iter().filter(|key| key.is_default()).flat_map(|key| &key.secrets).count();
    let defaults = |config: &Config| config.keys.iter().find(|key| key.is_default()).map(|key| key.secrets.clone());
    if defaults(old) != defaults(new) {
        changes.push(match (count(old), count(new)) {
            (before, now) if before < now => counted(now - before, "client key", "more"),
            (before, now) if before > now => counted(before - now, "client key", "fewer"),
            _ => "other client keys".to_owned(),
        });
    }
    for key in new.keys.iter().filter(|key| !key.is_default()) {
        match old.keys.iter().find(|before| before.name == key.name) {
            Some(before) if before == key => {}
            Some(before) => changes.push(format!("key {}: {}", key.name, of_key(before, key).join(", "))),
            None => changes.push(format!("key {} added", key.name)),
        }
    }
    let gone =
        old.keys.iter().filter(|before| !before.is_default() && !new.keys.iter().any(|key| key.name == before.name));
    changes.extend(gone.map(|key| format!("key {} removed", key.name)));
    changes.extend(sections(old, new).map(|section| format!("{section} changed")));
    let more = changes.len().saturating_sub(MOST_TOLD);
    if changes.is_empty() {
        return "nothing that is in use".to_owned();
    }
    changes.truncate(MOST_TOLD);
    if more > 0 {
        changes.push(counted(more, "change", "more"));
    }
    changes.join("; ")
}

fn counted(count: usize, what: &str, how: &str) -> String {
    format!("{count} {what}{} {how}", if count == 1 { "" } else { "s" })
}

/// Returns the names of the parts of the file that changed, without `apis` and the clients' keys.
fn sections<'a>(old: &Config, new: &Config) -> impl Iterator<Item = &'a str> {
    [
        ("server", old.server != new.server),
        ("operators' keys", old.access != new.access),
        ("aliases", old.aliases != new.aliases),
        ("retry", old.retry != new.retry),
        ("queue", old.queue != new.queue),
        ("store", old.store != new.store),
        ("actors", old.actors != new.actors),
        ("affinity", old.affinity != new.affinity),
        ("alerts", old.alerts != new.alerts),
    ]
    .into_iter()
    .filter(|(_, changed)| *changed)
    .map(|(name, _)| name)
}

fn of_api(old: &ApiConfig, new: &ApiConfig) -> Vec<String> {
    let mut changes = of_limits(&old.quota.limits, &new.quota.limits);
    for (name, before, now) in [
        ("weight", i64::from(old.weight), i64::from(new.weight)),
        ("priority", i64::from(old.priority), i64::from(new.priority)),
    ] {
        if before != now {
            changes.push(format!("{name} {before} → {now}"));
        }
    }
    if old.quota.more != new.quota.more {
        changes.push("limits changed".to_owned());
    }
    if old.enabled != new.enabled {
        changes.push(if new.enabled { "enabled" } else { "disabled" }.to_owned());
    }
    let others = [
        ("base URL", reach(old) != reach(new)),
        ("proxy", proxies(old) != proxies(new)),
        ("key", old.key != new.key),
        ("models", old.models != new.models || old.mapping != new.mapping),
        ("limits of models", old.quota.models != new.quota.models),
        ("reset", old.quota.reset != new.quota.reset),
        ("group", old.group != new.group),
        ("headers", old.headers != new.headers),
        ("timeouts", old.timeouts != new.timeouts),
    ];
    changes.extend(others.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| format!("{name} changed")));
    if changes.is_empty() {
        changes.push("changed".to_owned());
    }
    changes
}

fn of_key(old: &KeyConfig, new: &KeyConfig) -> Vec<String> {
    let mut changes = of_limits(&old.quota.limits, &new.quota.limits);
    if old.enabled != new.enabled {
        changes.push(if new.enabled { "enabled" } else { "disabled" }.to_owned());
    }
    let others = [
        ("secret", old.secrets != new.secrets),
        ("models", old.models != new.models),
        ("APIs", old.apis != new.apis),
        ("limits and budgets", old.quota.more != new.quota.more),
        ("reset", old.quota.reset != new.quota.reset),
        ("expires", old.expires != new.expires),
    ];
    changes.extend(others.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| format!("{name} changed")));
    if changes.is_empty() {
        changes.push("changed".to_owned());
    }
    changes
}

/// Returns the base URLs, each with the header of the key.
fn reach(api: &ApiConfig) -> Vec<(&Url, AuthScheme)> {
    api.addresses.iter().filter_map(|(_, address)| address.as_ref()).map(|a| (&a.base_url, a.auth)).collect()
}

fn proxies(api: &ApiConfig) -> Vec<Option<&transport::Proxy>> {
    api.addresses.iter().filter_map(|(_, address)| address.as_ref()).map(|a| a.proxy.as_deref()).collect()
}

fn of_limits(old: &Limits, new: &Limits) -> Vec<String> {
    let word = |limit: Option<u64>| limit.map_or_else(|| "unlimited".to_owned(), |bound| bound.to_string());
    let windows =
        [("rpm", old.rpm, new.rpm), ("rpd", old.rpd, new.rpd), ("tpm", old.tpm, new.tpm), ("tpd", old.tpd, new.tpd)];
    let windows = windows.map(|(name, old, new)| (name, old.bound(), new.bound()));
    let concurrent = ("maxConcurrent", old.max_concurrent.map(u64::from), new.max_concurrent.map(u64::from));
    let all = windows.into_iter().chain([concurrent]).filter(|(_, old, new)| old != new);
    let mut changes: Vec<String> =
        all.map(|(name, old, new)| format!("{name} {} → {}", word(old), word(new))).collect();
    let others = [("burst", old.burst != new.burst), ("pacing", old.pacing != new.pacing)];
    changes.extend(others.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| format!("{name} changed")));
    changes
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{api, config};

    fn of(apis: &[Value], keys: &[&str], fields: &Value) -> Config {
        let mut document = json!({ "server": { "apiKeys": keys }, "apis": apis });
        document.as_object_mut().expect("an object").extend(fields.as_object().expect("fields").clone());
        config(&document)
    }

    #[test]
    fn a_reload_tells_what_changed_and_no_key() {
        let none = json!({});
        let old = of(&[api("a", &json!({ "rpm": 60 })), api("b", &none)], &["sk-1234567890"], &none);
        let changed = json!({ "rpm": 5, "rpd": 9, "weight": 3, "enabled": false, "apiKey": "sk-another-0123456789" });
        let new =
            of(&[api("a", &changed), api("c", &none)], &["k1", "k2", "k3"], &json!({ "queue": { "maxWaitMs": 9 } }));
        assert_eq!(
            told(&old, &new),
            "a: rpm 60 → 5, rpd unlimited → 9, weight 1 → 3, disabled, key changed; c added; b removed; 2 client keys more; \
             queue changed"
        );
        assert_eq!(
            told(&new, &old),
            "a: rpm 5 → 60, rpd 9 → unlimited, weight 3 → 1, enabled, key changed; b added; c removed; 2 client keys fewer; \
             queue changed"
        );
        let by = |password: &str| api("a", &json!({ "proxy": format!("http://pool:{password}@127.0.0.1:3128") }));
        let [one, other] = ["one", "other"].map(|password| of(&[by(password)], &["k1"], &none));
        assert_eq!(told(&one, &other), "a: proxy changed");
        let many: Vec<Value> = (0..20).map(|n| api(&format!("x{n}"), &none)).collect();
        let told = told(&old, &of(&many, &["other-key"], &none));
        assert!(told.ends_with("x7 added; 15 changes more"), "{told}");
    }
    #[test]
    fn a_changed_key_is_named_and_never_shown() {
        let with = |fields: &Value| {
            let mut key = json!({ "name": "team-a", "key": "sk-one-0123456789" });
            key.as_object_mut().expect("an object").extend(fields.as_object().expect("fields").clone());
            of(&[api("a", &json!({}))], &["sk-1234567890"], &json!({ "keys": [key] }))
        };
        let old = with(&json!({}));
        let new = with(
            &json!({ "rpm": 5, "enabled": false, "key": "sk-two-0123456789", "models": ["m"], "expires": "2999-01-01" }),
        );
        let changed = "key team-a: rpm unlimited → 5, disabled, secret changed, models changed, expires changed";
        assert_eq!(told(&old, &new), changed);
        let without = of(&[api("a", &json!({}))], &["sk-1234567890"], &json!({}));
        assert_eq!(told(&old, &without), "key team-a removed");
        assert_eq!(told(&without, &old), "key team-a added");
    }
}
