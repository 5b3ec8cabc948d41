//! One key: what is used of its limits, and what an admin may change.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::change::MOST_SECRETS;
use super::limits::{self, NUMBERS};
use crate::config::KeyConfig;
use crate::error::ApiError;
use crate::keys::KeyStatus;
use crate::types::KeyName;
use crate::ui::edit::{FormsText, SHOWN, typed, written};
use crate::ui::page::PageRequest;
use crate::ui::pages::key_card::key_card;
use crate::ui::view::{Facts, View};

/// The fields of the form that are texts, with the names of their labels.
const TEXTS: [(&str, &str); 3] =
    [("models", "keys.models_list"), ("apis", "keys.apis_list"), ("expires", "keys.last_day")];

struct OneKeyFacts {
    name: String,
    key: Option<KeyStatus>,
    text: FormsText,
}

pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let text = FormsText::of(&asked).await;
        let name = asked.name.unwrap_or_default();
        let key = asked.worker.keys.status(Some(KeyName::from(name.as_str()))).await.pop();
        Ok(Box::new(OneKeyFacts { name, key, text }) as Box<dyn Facts>)
    }
    .boxed_local()
}

impl Facts for OneKeyFacts {
    fn is_there(&self) -> bool {
        self.key.is_some()
    }

    fn about(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn render(&self, view: &View) -> Markup {
        let Some(key) = &self.key else { return html! { p { (view.t("me.gone")) } } };
        let name = self.name.as_str();
        html! {
            div class="columns" {
                div {
                    (view.piece("key", "card", key_card(key, view)))
                    @if key.config.is_default() { p class="faint" { (view.t("keys.default_hint")) } }
                    p {
                        (view.link("/ui/usage", &[("key", name), ("group", "model")], view.t("page.usage"))) " · "
                        (view.link("/ui/live", &[("key", name)], view.t("account.requests"))) " · "
                        (view.link("/ui/recipes", &[("key", name)], view.t("page.recipes")))
                    }
                }
                @if view.visitor.is_admin() && !key.config.is_default() {
                    div { (self.settings(&key.config, view)) (self.dangers(&key.config, view)) }
                }
            }
        }
    }
}

impl OneKeyFacts {
    fn settings(&self, key: &KeyConfig, view: &View) -> Markup {
        let seen = self.text.seen();
        let of = [("name", self.name.as_str()), ("seen", seen.as_str())];
        let entry = self.text.client_key(&self.name);
        html! {
            div class="panel" {
                h2 { (view.t("settings.in_the_file")) }
                (self.text.problem(view))
                form method="post" action="/ui/keys/set" class="stacked" {
                    (view.token_field())
                    @for (name, value) in of { input type="hidden" name=(name) value=(value); }
                    (limits::budget_rows(&entry, view))
                    div class="row" { @for name in NUMBERS { (input(&entry, (name, name), view)) } }
                    @for (name, label) in TEXTS { (input(&entry, (name, view.t(label)), view)) }
                    div { button type="submit" class="main" { (view.t("settings.save")) } }
                }
                div class="row" {
                    @if !key.enabled { (view.button("/ui/keys/enable", view.t("keys.enable"), &of)) }
                    @if key.secrets.len() < MOST_SECRETS {
                        (view.button("/ui/keys/rotate", view.t("keys.rotate"), &of))
                    }
                }
                p class="faint" { (view.t("keys.rotate_hint")) }
            }
        }
    }

    fn dangers(&self, key: &KeyConfig, view: &View) -> Markup {
        let seen = self.text.seen();
        let of = [("name", self.name.as_str()), ("seen", seen.as_str())];
        let ticked = |path: &str, label: &str, consequence: &str| {
            let said = [view.t(label), view.t(consequence)];
            view.ticked(path, said, &of)
        };
        html! {
            div class="panel" {
                h2 { (view.t("settings.dangers")) }
                @if key.secrets.len() > 1 {
                    (ticked("/ui/keys/end-old", "keys.end_old", "keys.end_old_means"))
                }
                @if key.enabled { (ticked("/ui/keys/disable", "keys.disable", "keys.disable_means")) }
                (ticked("/ui/keys/remove", "settings.remove", "keys.remove_means"))
            }
        }
    }
}

/// Makes an input with what is written. The input is not of the kind `number`: a browser would show no variable there.
fn input(entry: &Map<String, Value>, (name, label): (&str, &str), view: &View) -> Markup {
    let holds = written(entry.get(name));
    let is_number = NUMBERS.contains(&name);
    html! {
        input type="hidden" name={ (SHOWN) (name) } value=(holds);
        label {
            (label)
            input name=(name) value=(typed(view, name, &holds)) size=[is_number.then_some("10")]
                inputmode=[is_number.then_some("numeric")] autocomplete="off";
        }
    }
}
