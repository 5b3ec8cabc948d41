//! A client's key: what it may ask for, its limits and budgets.

use maud::{Markup, html};

use crate::keys::KeyStatus;
use crate::types::{NameList, Now};
use crate::ui::format::{count, time};
use crate::ui::limits::LimitLine;
use crate::ui::view::{View, key_page};

/// Returns the name of a key's state.
pub(super) fn key_state(status: &KeyStatus) -> &'static str {
    match &status.config {
        key if key.is_expired(Now::read().wall) => "expired",
        key if !key.enabled => "disabled",
        _ if status.quotas.iter().flat_map(LimitLine::of).any(|line| line.is_spent()) => "full",
        _ => "active",
    }
}

/// Makes what is known of a key.
pub(super) fn key_card(status: &KeyStatus, view: &View) -> Markup {
    let key = &status.config;
    let state = key_state(status);
    let lines: Vec<LimitLine> = status.quotas.iter().flat_map(LimitLine::of).collect();
    let refused: u64 = status.refused.iter().map(|(_, times)| times).sum();
    html! {
        h2 {
            (view.operators_link(&key_page(key.name.as_str()), key.name.as_str()))
            span class={ "state " (state) } { (view.t(&format!("state.{state}"))) }
        }
        p class="why" {
            (view.t("keys.models")) ": " (names(key.models.as_deref(), view))
            " · " (view.t("keys.apis")) ": " (names(key.apis.as_deref(), view))
            @if let Some(end) = key.expires { " · " (view.t("keys.expires")) " " (time(end)) }
        }
        @if lines.is_empty() { p class="faint" { (view.t("keys.no_limits")) } }
        @for line in lines { (line.render(view)) }
        dl class="figures" {
            div { dt { (view.t("now.in_flight")) } dd { (count(status.in_flight.into())) } }
            div { dt { (view.t("keys.secrets")) } dd { (count(key.secrets.len() as u64)) } }
            div { dt { (view.t("keys.refused")) } dd { (count(refused)) } }
        }
    }
}

fn names(listed: Option<&NameList>, view: &View) -> String {
    listed.map_or(view.t("keys.all").to_owned(), |names| names.iter().collect::<Vec<_>>().join(", "))
}
