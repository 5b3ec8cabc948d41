//! The keys of clients: what is used of each, and for admins the form for a new one. Each key has a page of its own.

pub(in crate::ui) mod change;
pub(in crate::ui) mod key;
mod limits;
pub(in crate::ui) mod make;
mod secret;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};

use self::make::make_form;
use super::key_card::{key_card, key_state};
use crate::error::ApiError;
use crate::keys::KeyStatus;
use crate::ui::edit::FormsText;
use crate::ui::page::PageRequest;
use crate::ui::search::Search;
use crate::ui::view::{Facts, View};

/// What a key can be.
const STATES: [&str; 4] = ["active", "full", "disabled", "expired"];

/// Keys that a page shows at once. Beyond it, a name is to be typed.
const MOST_SHOWN: usize = 100;

struct KeysFacts {
    keys: Vec<KeyStatus>,
    text: FormsText,
    search: Search,
}

pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let keys = asked.worker.keys.status(None).await;
        let text = FormsText::of(&asked).await;
        let search = Search::of("/ui/keys", &asked);
        Ok(Box::new(KeysFacts { keys, text, search }) as Box<dyn Facts>)
    }
    .boxed_local()
}

impl Facts for KeysFacts {
    fn render(&self, view: &View) -> Markup {
        let is_wanted = |key: &&KeyStatus| self.search.admits(&[key.config.name.as_str()], key_state(key));
        let found: Vec<&KeyStatus> = self.keys.iter().filter(is_wanted).collect();
        let counts = STATES.map(|state| (state, self.keys.iter().filter(|key| key_state(key) == state).count()));
        html! {
            @if view.visitor.is_admin() { (make_form(&self.text, view)) }
            (self.search.form("keys.find", view))
            (view.piece("choices", "", html! { ul class="chips" { (self.search.states(&counts, view)) } }))
            div class="cards" {
                @for key in found.iter().take(MOST_SHOWN) {
                    (view.piece(&format!("key-{}", key.config.name), "card", key_card(key, view)))
                }
            }
            @if found.is_empty() { p class="faint" { (view.t("search.none")) } }
            @if found.len() > MOST_SHOWN { p class="faint" { (view.t("keys.more")) } }
        }
    }
}
