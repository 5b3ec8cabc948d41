//! What there is: a row for each page, and one for each form.

use super::forms::Action;
use super::page::{PageAudience, PageRow, SLOWLY, page};
use super::pages;

/// The pages, in the order of the navigation.
pub(super) static PAGES: [PageRow; 8] = [
    page("/ui/", "page.now", pages::now::load),
    page("/ui/accounts/{name}", "page.account", pages::account::load).aside(),
    page("/ui/requests/{name}", "page.request", pages::request::load).aside().refreshed(None),
    page("/ui/models", "page.models", pages::models::load),
    page("/ui/live", "page.live", pages::live::load),
    page("/ui/usage", "page.usage", pages::usage::load).refreshed(SLOWLY),
    page("/ui/system", "page.system", pages::system::load),
    page("/ui/me", "page.me", pages::me::load).of(PageAudience::Clients).refreshed(SLOWLY),
];

/// What forms do.
pub(super) static ACTIONS: [Action; 3] = [
    Action { path: "/ui/accounts/rest", run: pages::steering::rest },
    Action { path: "/ui/accounts/wake", run: pages::steering::wake },
    Action { path: "/ui/system/reload", run: pages::system::reload },
];
