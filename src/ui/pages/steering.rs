//! What an admin does with an account that runs: let it rest, try it again.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use crate::scheduler::{ClearRest, RestUpstream};
use crate::types::Now;
use crate::ui::forms::{ActionOutcome, SentForm};
use crate::ui::view::account_page;

const HOUR_MS: i64 = 3_600_000;

/// The longest rest, in hours: a month.
const LONGEST: i64 = 31 * 24;

/// Lets an account rest for some hours.
pub(in crate::ui) fn rest(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let api = form.field("api").unwrap_or_default();
        let hours = form.field("hours").and_then(|hours| hours.parse().ok()).unwrap_or(1_i64).clamp(1, LONGEST);
        let what = format!("let the account {api:?} rest for {hours} h");
        let until = Now::read().wall + hours * HOUR_MS;
        let asked = form.worker.supervisor.send(RestUpstream { api: api.into(), until }).await;
        let text = |name: &str| form.language.text(name).to_owned();
        match asked {
            Ok(Ok(_)) => ActionOutcome::good(what, text("account.rests"), account_page(api)),
            Ok(Err(why)) => ActionOutcome::bad(what, why.to_string(), "/ui/"),
            Err(_) => ActionOutcome::bad(what, text("login.stopping"), account_page(api)),
        }
    }
    .boxed_local()
}

/// Ends every rest of an account.
pub(in crate::ui) fn wake(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let api = form.field("api").unwrap_or_default();
        let what = format!("try the account {api:?} again now");
        let asked = form.worker.supervisor.send(ClearRest { api: api.into() }).await;
        let text = |name: &str| form.language.text(name).to_owned();
        match asked {
            Ok(Ok(())) => ActionOutcome::good(what, text("account.woken"), account_page(api)),
            Ok(Err(why)) => ActionOutcome::bad(what, why.to_string(), "/ui/"),
            Err(_) => ActionOutcome::bad(what, text("login.stopping"), account_page(api)),
        }
    }
    .boxed_local()
}
