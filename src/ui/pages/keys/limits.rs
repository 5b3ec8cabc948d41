//! The limits of a key in a form. A budget has a row, and an empty row is for one more.

use maud::{Markup, html};
use serde_json::{Map, Value, json};

use crate::ui::edit::{SHOWN, typed, written};
use crate::ui::forms::SentForm;
use crate::ui::view::View;

/// The limits that a form has, in this order.
pub(super) const NUMBERS: [&str; 5] = ["rpm", "rpd", "tpm", "tpd", "maxConcurrent"];

/// The periods of a budget.
const PERIODS: [&str; 3] = ["day", "week", "month"];

/// Makes the row of a budget: the dollars, and the period. `names`: of the two fields.
pub(super) fn budget_row(names: [&str; 2], [usd, per]: [&str; 2], view: &View) -> Markup {
    let [usd_name, per_name] = names;
    let chosen = typed(view, per_name, per);
    // A period that is written otherwise, as `5h`, stays to be chosen.
    let other = Some(per).filter(|per| !per.is_empty() && !PERIODS.contains(per));
    html! {
        label {
            (view.t("keys.budget"))
            input name=(usd_name) inputmode="decimal" size="8" autocomplete="off" value=(typed(view, usd_name, usd));
        }
        label {
            (view.t("keys.per"))
            select name=(per_name) { @for per in PERIODS.into_iter().chain(other) {
                option value=(per) selected[chosen == per] { (view.language.text_or(&format!("period.{per}"), per)) }
            } }
        }
    }
}

/// Makes the rows of a key's budgets, with what each shows.
pub(super) fn budget_rows(entry: &Map<String, Value>, view: &View) -> Markup {
    let mut rows: Vec<[String; 2]> = listed(entry).iter().map(|budget| amounts(Some(budget))).collect();
    rows.push(amounts(None));
    html! {
        @for (at, [usd, per]) in rows.iter().enumerate() {
            @let [usd_name, per_name] = names(at);
            div class="row" {
                input type="hidden" name={ (SHOWN) (usd_name) } value=(usd);
                input type="hidden" name={ (SHOWN) (per_name) } value=(per);
                (budget_row([&usd_name, &per_name], [usd, per], view))
            }
        }
    }
}

/// Returns the list of budgets after the form: what a budget has beside the two fields stays. `None`: nothing was changed.
pub(super) fn changed_budgets(form: &SentForm, entry: &Map<String, Value>) -> Option<Value> {
    let before = listed(entry);
    let shown = |name: &str| form.field(&format!("{SHOWN}{name}")).map(str::to_owned);
    let is_changed = |name: &str| form.field(name).map(str::to_owned) != shown(name);
    let mut after = Vec::new();
    for at in 0..=before.len() {
        let [usd_name, per_name] = names(at);
        let Some(usd) = form.field(&usd_name) else {
            // Emptied, or not in the form at all.
            after.extend(before.get(at).filter(|_| !is_changed(&usd_name)).cloned());
            continue;
        };
        let mut budget = before.get(at).cloned().unwrap_or_else(|| json!({ "usd": null, "per": "day" }));
        if let Some(fields) = budget.as_object_mut() {
            if is_changed(&usd_name) {
                fields.insert("usd".to_owned(), dollars(usd));
            }
            if let Some(per) = form.field(&per_name).filter(|_| is_changed(&per_name)) {
                fields.insert("per".to_owned(), json!(per));
            }
        }
        after.push(budget);
    }
    if after == before {
        return None;
    }
    Some(if after.is_empty() { Value::Null } else { Value::Array(after) })
}

/// Reads dollars. What is no number is left for the loader, which names the place.
pub(super) fn dollars(typed: &str) -> Value {
    let number = typed.trim_start_matches('$');
    match (number.parse::<i64>(), number.parse::<f64>()) {
        (Ok(whole), _) => json!(whole),
        (Err(_), Ok(dollars)) => json!(dollars),
        (Err(_), Err(_)) => json!(typed),
    }
}

fn names(at: usize) -> [String; 2] {
    [format!("usd-{at}"), format!("per-{at}")]
}

fn listed(entry: &Map<String, Value>) -> Vec<Value> {
    entry.get("budgets").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn amounts(budget: Option<&Value>) -> [String; 2] {
    let Some(budget) = budget else { return [String::new(), "day".to_owned()] };
    ["usd", "per"].map(|name| written(budget.get(name)))
}
