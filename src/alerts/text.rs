//! An alert in one plain sentence, for people. Pure.

use super::alert::{Alert, AlertFacts};
use crate::config::DEFAULT_NAME;
use crate::types::{AlertEvent, iso};

/// The longest detail in a sentence, in characters.
const LONGEST_DETAIL: usize = 300;

/// The longest name in a sentence, in characters. A client chooses a model's name.
const LONGEST_NAME: usize = 100;

/// Returns the server's name, or the program's where nobody gave one.
pub(super) fn named(server: &str) -> &str {
    if server == DEFAULT_NAME { "api-together" } else { server }
}

/// Returns what happened, to whom, until when, and what to do.
pub(super) fn sentence(alert: &Alert) -> String {
    let facts = &alert.facts;
    let (who, limit, used) = (who(facts), facts.limit.as_deref().unwrap_or("limit"), used(facts));
    match alert.event {
        AlertEvent::Limit90 => format!("{who}: 90 % of {limit} is used{used}{}", until(facts, "it frees at")),
        AlertEvent::Limit100 => format!("{who}: {limit} is used up{used}{}", until(facts, "it frees at")),
        AlertEvent::BudgetSpent => format!("{who}: {limit} is spent{used}{}", until(facts, "it begins anew at")),
        AlertEvent::KeyRefused => {
            format!("{who}: its provider refuses the key{}{}{}", reason(facts), mend(facts), asked_again(facts))
        }
        AlertEvent::UpstreamLimited => {
            format!("{who}: its provider says that a limit is reached{}{}", reason(facts), asked_again(facts))
        }
        AlertEvent::UpstreamDown => {
            format!("{who}: it fails{}{}{}", reason(facts), mend(facts), asked_again(facts))
        }
        AlertEvent::UpstreamUp => format!("{who}: it serves again"),
        AlertEvent::StoreDown => format!("the store of counts can't be used{}", mend(facts)),
        AlertEvent::StoreUp => "the store of counts can be used again".to_owned(),
        AlertEvent::ReloadFailed => {
            format!("the new content of the configuration is wrong, and the former stays in force{}", mend(facts))
        }
        AlertEvent::ReloadOk => "the configuration is right again, and in force".to_owned(),
    }
}

/// Returns whom the alert is about.
fn who(facts: &AlertFacts) -> String {
    let AlertFacts { api, group, key, model, .. } = facts;
    let owner = match (key, group, api) {
        (Some(key), _, _) => Some(format!("key {}", plain(key))),
        (None, Some(group), _) => Some(format!("group {}", plain(group))),
        (None, None, Some(api)) => Some(plain(api)),
        (None, None, None) => None,
    };
    let model = model.as_deref().map(|model| format!("model {}", plain(model)));
    owner.into_iter().chain(model).collect::<Vec<_>>().join(", ")
}

/// Returns a name that addresses nobody in a chat, and makes no line of its own.
fn plain(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:+ ".contains(c);
    name.chars().take(LONGEST_NAME).map(|c| if is_plain(c) { c } else { '?' }).collect()
}

fn used(facts: &AlertFacts) -> String {
    match (&facts.used, &facts.most) {
        (Some(used), Some(most)) => format!(" ({used} of {most})"),
        (Some(_) | None, _) => String::new(),
    }
}

fn reason(facts: &AlertFacts) -> String {
    facts.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default()
}

fn mend(facts: &AlertFacts) -> String {
    let first = facts.detail.as_deref().map(|detail| detail.chars().take(LONGEST_DETAIL).collect::<String>());
    first.map(|detail| format!(": {detail}")).unwrap_or_default()
}

fn until(facts: &AlertFacts, word: &str) -> String {
    facts.until.map(|until| format!("; {word} {}", iso(until))).unwrap_or_default()
}

fn asked_again(facts: &AlertFacts) -> String {
    until(facts, "it is asked again at")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_is_a_sentence_with_its_facts() {
        let facts = AlertFacts {
            api: Some("groq".to_owned()),
            model: Some("m".to_owned()),
            limit: Some("rpd".to_owned()),
            used: Some(900.into()),
            most: Some(1_000.into()),
            until: Some(1_772_323_200_000),
            reason: Some("unauthorized".to_owned()),
            detail: Some("check its apiKey".to_owned()),
            ..AlertFacts::default()
        };
        for event in AlertEvent::ALL {
            let said = sentence(&Alert::new(event, 0, facts.clone()));
            let is_about_an_account = !["store", "reload"].iter().any(|whole| event.as_str().starts_with(whole));
            assert_eq!(said.contains("groq, model m"), is_about_an_account, "{said}");
        }
        let said = sentence(&Alert::new(AlertEvent::Limit90, 0, facts));
        assert_eq!(said, "groq, model m: 90 % of rpd is used (900 of 1000); it frees at 2026-03-01T00:00:00.000Z");
    }

    #[test]
    fn the_name_of_a_model_calls_nobody() {
        let facts = AlertFacts { model: Some("<!channel> @all\n*x*".to_owned()), ..AlertFacts::default() };
        let said = sentence(&Alert::new(AlertEvent::UpstreamUp, 0, facts));
        assert_eq!(said, "model ??channel? ?all??x?: it serves again");
    }
}
