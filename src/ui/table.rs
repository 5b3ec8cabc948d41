//! What there is: a row for each page, with the forms of the page.

use super::forms::action;
use super::page::{PageAudience, PageRow, SLOWLY, page};
use super::pages::{
    account, configuration, keys, live, me, models, now, recipes, request, settings, steering, system, trial, usage,
};

/// The pages, in the order of the navigation.
pub(super) static PAGES: [PageRow; 14] = [
    page("/ui/", "page.now", now::load),
    page("/ui/accounts/{name}", "page.account", account::load).aside().with(&[
        action("/ui/accounts/rest", steering::rest),
        action("/ui/accounts/wake", steering::wake),
        action("/ui/accounts/test", steering::test),
        action("/ui/accounts/set", settings::set),
        action("/ui/accounts/key", settings::key),
        action("/ui/accounts/disable", settings::disable).ticked(),
        action("/ui/accounts/enable", settings::enable),
        action("/ui/accounts/remove", settings::remove).ticked(),
    ]),
    page("/ui/requests/{name}", "page.request", request::load).aside().refreshed(None),
    page("/ui/models", "page.models", models::load),
    page("/ui/live", "page.live", live::load),
    page("/ui/usage", "page.usage", usage::load).refreshed(SLOWLY),
    page("/ui/keys", "page.keys", keys::load).with(&[action("/ui/keys/make", keys::make::make)]),
    page("/ui/keys/{name}", "page.key", keys::key::load).aside().with(&[
        action("/ui/keys/set", keys::change::set),
        action("/ui/keys/disable", keys::change::disable).ticked(),
        action("/ui/keys/enable", keys::change::enable),
        action("/ui/keys/rotate", keys::change::rotate),
        action("/ui/keys/end-old", keys::change::end_old).ticked(),
        action("/ui/keys/remove", keys::change::remove).ticked(),
    ]),
    page("/ui/try", "page.try", trial::load)
        .of(PageAudience::Admins)
        .refreshed(None)
        .with(&[action("/ui/try/send", trial::send)]),
    page("/ui/recipes", "page.recipes", recipes::load).aside().refreshed(None),
    page("/ui/configuration", "page.configuration", configuration::load).refreshed(SLOWLY).with(&[
        action("/ui/configuration/check", configuration::check),
        action("/ui/configuration/save", configuration::save),
    ]),
    page("/ui/add", "page.add", settings::load)
        .of(PageAudience::Admins)
        .aside()
        .refreshed(None)
        .with(&[action("/ui/accounts/add", settings::add)]),
    page("/ui/system", "page.system", system::load).with(&[action("/ui/system/reload", system::reload)]),
    page("/ui/me", "page.me", me::load).of(PageAudience::Clients).refreshed(SLOWLY),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::text::Language;

    #[test]
    fn every_page_has_a_title_and_every_action_words_for_the_audit_log() {
        let paths = PAGES.iter().flat_map(|page| page.forms).map(|form| form.path);
        let audited = paths.map(|path| format!("audit.{}", path.trim_start_matches("/ui/").replace('/', "_")));
        for name in PAGES.iter().map(|page| page.title.to_owned()).chain(audited) {
            assert!(!Language::English.text(&name).is_empty(), "no words for {name}");
        }
    }
}
