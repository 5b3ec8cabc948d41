//! What there is: a row for each page, and one for each form.

use super::forms::Action;
use super::page::{PageAudience, PageRow, SLOWLY, page};
use super::pages;

/// The pages, in the order of the navigation.
pub(super) static PAGES: [PageRow; 13] = [
    page("/ui/", "page.now", pages::now::load),
    page("/ui/accounts/{name}", "page.account", pages::account::load).aside(),
    page("/ui/requests/{name}", "page.request", pages::request::load).aside().refreshed(None),
    page("/ui/models", "page.models", pages::models::load),
    page("/ui/live", "page.live", pages::live::load),
    page("/ui/usage", "page.usage", pages::usage::load).refreshed(SLOWLY),
    page("/ui/keys", "page.keys", pages::keys::load),
    page("/ui/try", "page.try", pages::trial::load).of(PageAudience::Admins).refreshed(None),
    page("/ui/recipes", "page.recipes", pages::recipes::load).aside().refreshed(None),
    page("/ui/configuration", "page.configuration", pages::configuration::load).refreshed(SLOWLY),
    page("/ui/add", "page.add", pages::settings::load).of(PageAudience::Admins).aside().refreshed(None),
    page("/ui/system", "page.system", pages::system::load),
    page("/ui/me", "page.me", pages::me::load).of(PageAudience::Clients).refreshed(SLOWLY),
];

/// What forms do.
pub(super) static ACTIONS: [Action; 17] = [
    Action { path: "/ui/accounts/rest", run: pages::steering::rest },
    Action { path: "/ui/accounts/wake", run: pages::steering::wake },
    Action { path: "/ui/accounts/test", run: pages::steering::test },
    Action { path: "/ui/accounts/set", run: pages::settings::set },
    Action { path: "/ui/accounts/key", run: pages::settings::key },
    Action { path: "/ui/accounts/disable", run: pages::settings::disable },
    Action { path: "/ui/accounts/enable", run: pages::settings::enable },
    Action { path: "/ui/accounts/add", run: pages::settings::add },
    Action { path: "/ui/keys/make", run: pages::keys::make },
    Action { path: "/ui/keys/disable", run: pages::keys::disable },
    Action { path: "/ui/keys/enable", run: pages::keys::enable },
    Action { path: "/ui/keys/rotate", run: pages::keys::rotate },
    Action { path: "/ui/keys/end-old", run: pages::keys::end_old },
    Action { path: "/ui/configuration/check", run: pages::configuration::check },
    Action { path: "/ui/configuration/save", run: pages::configuration::save },
    Action { path: "/ui/try/send", run: pages::trial::send },
    Action { path: "/ui/system/reload", run: pages::system::reload },
];
