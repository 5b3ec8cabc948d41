//! An admin's actions with a running account: a rest, the end of all rests, a test.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::proxy::own_chat::{TestFailure, TestReport};
use crate::scheduler::{ClearRest, RestUpstream};
use crate::types::{Now, iso};
use crate::ui::format::{count, money, span};
use crate::ui::forms::{ActionOutcome, SentForm};
use crate::ui::view::account_page;

const HOUR_MS: i64 = 3_600_000;

/// The longest rest by a form, in hours: a month.
const LONGEST: i64 = 31 * 24;

/// Lets an account rest until a time, or for some hours.
pub(in crate::ui) fn rest(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let api = form.field("api").unwrap_or_default();
        let Some(until) = rest_end(form.field("until"), form.field("hours"), Now::read().wall) else {
            let text = form.language.text("account.hours").to_owned();
            return ActionOutcome::bad(format!("let the account {api:?} rest"), text, account_page(api));
        };
        let until_text = iso(until);
        let what = format!("let the account {api:?} rest until {until_text}");
        let asked = form.worker.supervisor.send(RestUpstream { api: api.into(), until }).await;
        let text = |name: &str| form.language.text(name).to_owned();
        match asked {
            Ok(Ok(_)) => ActionOutcome::good(what, text("account.rests"), account_page(api)).detailed(until_text),
            Ok(Err(why)) => ActionOutcome::bad(what, why.to_string(), "/ui/"),
            Err(_) => ActionOutcome::bad(what, text("login.stopping"), account_page(api)),
        }
    }
    .boxed_local()
}

/// Returns when a rest ends (ms since the Unix epoch): at the time, or if there is none after the hours.
///
/// A time is in UTC, as a field of a page has one (`2026-11-29T08:30`) or with a `Z`. Returns nothing for what is neither, for the
/// past, and for more than [`LONGEST`].
fn rest_end(until: Option<&str>, hours: Option<&str>, now: i64) -> Option<i64> {
    let end = match until.filter(|until| !until.is_empty()) {
        Some(until) => until
            .trim_end_matches('Z')
            .parse::<DateTime>()
            .ok()?
            .to_zoned(TimeZone::UTC)
            .ok()?
            .timestamp()
            .as_millisecond(),
        None => now + hours?.parse::<i64>().ok().filter(|hours| (1..=LONGEST).contains(hours))? * HOUR_MS,
    };
    (now < end && end <= now + LONGEST * HOUR_MS).then_some(end)
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

/// Tests an account with a question for one word.
pub(in crate::ui) fn test(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let api = form.field("api").unwrap_or_default();
        let what = format!("test the account {api:?}");
        let client = form.worker.own_client(form.client);
        match client.test_account(&api.into(), form.field("model")).await {
            Err(why) => ActionOutcome::bad(what, why.to_string(), account_page(api)),
            Ok(report) => {
                let text = told(&report, &form);
                let said = if report.failure.is_none() { ActionOutcome::good } else { ActionOutcome::bad };
                said(what, text, account_page(api)).linked(format!("/ui/requests/{}", report.id), "try.request")
            }
        }
    }
    .boxed_local()
}

/// Returns the outcome of a test for people: a sentence, and a line of figures.
fn told(report: &TestReport, form: &SentForm) -> String {
    let status = report.status.map_or("–".to_owned(), |status| status.as_u16().to_string());
    let model = &*report.model;
    let first = match &report.failure {
        None => form.language.filled("test.fine", &[("model", model)]),
        Some(TestFailure { reason, words, was_asked }) => {
            let said = if *was_asked { "test.failed" } else { "test.not_asked" };
            form.language.filled(said, &[("model", model), ("class", form.language.class(reason))]) + " " + words
        }
    };
    let tokens = report.usage.map(|usage| usage.prompt.saturating_add(usage.completion)).unwrap_or_default();
    let figures = [
        ("live.status", status),
        ("live.first", report.first_token.map_or("–".to_owned(), |first| span(first.as_millis() as u64))),
        ("live.total", span(report.total.as_millis() as u64)),
        ("live.tokens", count(tokens)),
        ("live.cost", money(report.cost)),
    ];
    let figures = figures.map(|(name, value)| format!("{} {value}", form.language.text(name)));
    format!("{}\n{}", first.trim_end(), figures.join(" · "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_ends_at_the_time_or_after_the_hours() {
        let now: i64 = "2026-11-28T22:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let end = |until, hours| rest_end(until, hours, now).map(iso);
        assert_eq!(end(None, Some("4")).as_deref(), Some("2026-11-29T02:00:00.000Z"));
        assert_eq!(end(Some(""), Some("4")).as_deref(), Some("2026-11-29T02:00:00.000Z"));
        for text in ["2026-11-29T08:30", "2026-11-29T08:30:00", "2026-11-29T08:30:00.000Z"] {
            assert_eq!(end(Some(text), Some("4")).as_deref(), Some("2026-11-29T08:30:00.000Z"), "{text}");
        }
        let wrong = [
            (Some("2026-11-28T22:00"), Some("4")),
            (Some("2026-11-28T08:00"), None),
            (Some("2027-01-28T08:00"), None),
            (Some("tomorrow"), Some("4")),
            (Some("9999-12-31T23:59"), None),
            (None, Some("0")),
            (None, Some("745")),
            (None, Some("9223372036854775807")),
            (None, None),
        ];
        for (until, hours) in wrong {
            assert_eq!(end(until, hours), None, "{until:?} {hours:?}");
        }
    }
}
