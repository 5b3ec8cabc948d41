//! Warns of models without a price: their requests cost 0, and no limit or budget in dollars counts the requests.

use quota::LimitUnit;

use crate::config::model::{ApiConfig, Config, KeyConfig, PeriodLimit};
use crate::config::served_models::Models;
use crate::types::sorted;

/// Returns a warning for each account with models without a price, where a limit or budget counts dollars.
pub(in crate::config) fn unpriced_models(config: &Config) -> Vec<String> {
    let in_usd = |key: &KeyConfig| key.quota.more.iter().any(|entry| entry.limit.unit == LimitUnit::Usd);
    let has_budgets = config.keys.iter().any(|key| !key.budgets.is_empty() || in_usd(key));
    let enabled = || config.apis.iter().enumerate().filter(|(_, api)| api.enabled);
    // Budgets concern every model.
    let named = enabled().filter_map(|(i, api)| if has_budgets { without_price(api) } else { unpriced(i, api) });
    let concerned = enabled().filter(|(_, api)| has_budgets || limits_in_usd(api).any(|of| of.model.is_none()));
    let unseen: Vec<String> = named.chain(concerned.filter_map(|(i, api)| unlisted(i, api))).collect();
    unseen
}

/// Returns the limits in dollars of an account and of the account's group.
fn limits_in_usd(api: &ApiConfig) -> impl Iterator<Item = &PeriodLimit> {
    let group = api.group.iter().flat_map(|group| &group.quota.more);
    api.quota.more.iter().chain(group).filter(|entry| entry.limit.unit == LimitUnit::Usd)
}

/// Returns a warning of an account whose models the file does not name: some may have no price.
fn unlisted(index: usize, api: &ApiConfig) -> Option<String> {
    // A price for the same pattern or for a wider pattern is a price for each model of the pattern.
    let probes = match &api.models {
        Models::Listed(_) => return None,
        Models::Matching { patterns, .. } => patterns.iter().map(|of| of.as_str().replace('*', "?")).collect(),
        Models::Asked => vec!["?".to_owned()],
    };
    let why = if api.models == Models::Asked { "only the upstream knows the models" } else { "a pattern names models" };
    let costs = "a model without a price costs 0, and no budget in dollars sees it";
    let mend = format!("give apis[{index}].prices (\"*\" means all), prices.file, or list the models");
    let lacks = probes.iter().any(|probe| api.price(probe).is_none());
    lacks.then(|| format!("apis[{index}].models: {why}; {costs}; {mend}"))
}

/// The most models that a warning names.
const MOST_NAMED: usize = 5;

/// Returns a warning of an account's named models without a price.
fn without_price(api: &ApiConfig) -> Option<String> {
    let lacking: Vec<&str> = api.models_by_name().into_iter().filter(|model| api.price(model).is_none()).collect();
    let named = lacking.get(..MOST_NAMED).unwrap_or(&lacking).join(", ");
    let more = match lacking.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let mend = "such requests cost 0, and no budget in dollars sees them; give apis[].prices or prices.file";
    (!lacking.is_empty()).then(|| format!("{}: no price is known of {named}{more}: {mend}", api.id))
}

/// Returns a warning of an account with limits in dollars and without a price for a model of these limits.
fn unpriced(index: usize, api: &ApiConfig) -> Option<String> {
    let limited = limits_in_usd(api)
        .flat_map(|entry| match &entry.model {
            Some(model) => vec![&**model],
            None => api.models.listed().iter().map(|model| &**model).collect(),
        })
        .filter(|model| api.price(model).is_none());
    let limited = sorted::set(limited);
    let names: Vec<&str> = limited.iter().copied().take(MOST_NAMED).collect();
    let more = limited.len().saturating_sub(names.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        let mend = format!("which have no price; give prices in apis[{index}].prices");
        format!("apis[{index}].limits: a limit in usd does not count {names}{more}, {mend}")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::testing::{api, config};

    #[test]
    fn a_budget_in_dollars_warns_of_accounts_whose_models_nobody_knows() {
        let usd = json!([{ "usd": 1, "per": "day" }]);
        let warned = |api_fields: Value, key_fields: Value| {
            let mut key = json!({ "name": "k", "key": "sk-1" });
            key.as_object_mut().expect("a key").extend(key_fields.as_object().expect("fields").clone());
            let config = config(&json!({ "apis": [api("a", &api_fields)], "keys": [key] }));
            let is_about = |text: &&String| text.contains("no budget in dollars sees");
            config.warnings.iter().find(is_about).cloned().unwrap_or_default()
        };
        let budget = || json!({ "budgets": usd.clone() });
        for (api, key) in [
            (json!({ "models": ["*"] }), budget()),
            (json!({ "models": ["fam-*"], "prices": { "other": { "input": 1 } } }), budget()),
            (json!({ "models": null }), json!({ "limits": usd.clone() })),
            (json!({ "models": null, "limits": usd.clone() }), json!({})),
        ] {
            assert!(warned(api.clone(), key).starts_with("apis[0].models: "), "{api}");
        }
        let told = warned(json!({ "models": ["m"] }), json!({ "limits": usd.clone() }));
        assert!(told.contains("no price is known of m"), "{told}");
        for (api, key) in [
            (json!({ "models": ["fam-*"], "prices": { "fam-*": { "input": 1 } } }), budget()),
            (json!({ "models": ["*"], "prices": { "*": { "input": 1 } } }), budget()),
            (json!({ "models": null, "priceFactor": 0 }), budget()),
            (json!({ "models": ["*"] }), json!({ "limits": [{ "requests": 1, "per": "day" }] })),
        ] {
            assert_eq!(warned(api.clone(), key), "", "{api}");
        }
    }
}
