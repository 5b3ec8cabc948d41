//! The program itself: version, memory, connections, mailboxes, the configuration in force.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};

use crate::config::{ConfigState, GetConfig, Reload};
use crate::error::ApiError;
use crate::mailbox::{MailboxReport, mailbox_reports};
use crate::ui::audit::AuditEntry;
use crate::ui::format::{count, time};
use crate::ui::forms::{ActionOutcome, SentForm};
use crate::ui::messages::GetAudit;
use crate::ui::page::{Facts, PageRequest};
use crate::ui::view::View;

struct SystemFacts {
    state: ConfigState,
    mailboxes: Vec<MailboxReport>,
    audit: Vec<AuditEntry>,
}

/// Changes that the page shows.
const MOST_CHANGES: usize = 50;

pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let state = asked.worker.config_actor.send(GetConfig).await.map_err(|_| ApiError::Stopping)?;
        let audit = asked.dashboard.send(GetAudit { most: MOST_CHANGES }).await.unwrap_or_default();
        Ok(Box::new(SystemFacts { state, mailboxes: mailbox_reports(), audit }) as Box<dyn Facts>)
    }
    .boxed_local()
}

impl Facts for SystemFacts {
    fn render(&self, view: &View) -> Markup {
        html! {
            (view.piece("in-force", "panel", html! {
                p { (view.t("system.config_of")) " " (time(self.state.loaded_at)) ", " code { (self.state.config.hash) } }
                @if let Some(why) = &self.state.last_error { pre class="problem" { (why) } }
            }))
            @if view.visitor.is_admin() { p { (view.button("/ui/system/reload", view.t("system.reload"), &[])) } }
            (view.piece("audit", "scroll", html! {
                table {
                    caption { (view.t("system.changes")) }
                    thead { tr { th { (view.t("live.time")) } th { (view.t("system.by")) } th { (view.t("system.from")) } th { (view.t("system.what")) } } }
                    tbody {
                        @for entry in &self.audit { tr {
                            td { time datetime=(entry.at) { (entry.at) } } td { (entry.by) } td { (entry.from) }
                            td class="wrap" { @if !entry.done { span class="state bad" { (view.t("system.refused")) } " " } (entry.what) }
                        } }
                        @if self.audit.is_empty() { tr { td colspan="4" class="faint" { (view.t("system.no_changes")) } } }
                    }
                }
            }))
            (view.piece("mailboxes", "scroll", html! {
                table {
                    thead { tr { th { (view.t("system.mailbox")) } th class="right" { (view.t("system.depth")) } th class="right" { (view.t("system.deepest")) } th class="right" { (view.t("system.refused")) } } }
                    tbody { @for of in &self.mailboxes {
                        tr { td { (of.kind.as_str()) } td class="right" { (count(of.depth as u64)) } td class="right" { (count(of.deepest as u64)) } td class="right" { (count(of.refused)) } }
                    } }
                }
            }))
        }
    }
}

/// What the audit log says of it.
const WHAT: &str = "read the configuration again";

/// Reads the configuration again.
pub(in crate::ui) fn reload(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let asked = form.worker.config_actor.send(Reload { forced: true }).await;
        let state = form.worker.config_actor.send(GetConfig).await;
        match (asked, state) {
            (Ok(()), Ok(ConfigState { last_error: Some(why), .. })) => ActionOutcome::bad(WHAT, why, "/ui/system"),
            (Ok(()), Ok(_)) => {
                ActionOutcome::good(WHAT, form.language.text("system.reloaded").to_owned(), "/ui/system")
            }
            (Err(_), _) | (_, Err(_)) => {
                ActionOutcome::bad(WHAT, form.language.text("login.stopping").to_owned(), "/ui/system")
            }
        }
    }
    .boxed_local()
}
