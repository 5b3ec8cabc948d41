//! The program itself: version, memory, connections, mailboxes, the configuration in force.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};

use crate::config::{ConfigState, GetConfig, Reload};
use crate::error::ApiError;
use crate::http::LoadReport;
use crate::mailbox::{MailboxReport, blocking, mailbox_reports};
use crate::metrics::ProcessStats;
use crate::types::Now;
use crate::ui::audit::AuditEntry;
use crate::ui::format::{count, short, span, time};
use crate::ui::forms::{ActionOutcome, SentForm};
use crate::ui::messages::GetAudit;
use crate::ui::page::PageRequest;
use crate::ui::view::{Facts, View};
use crate::ui::widgets::{empty_row, head, number, tile};

struct SystemFacts {
    state: ConfigState,
    mailboxes: Vec<MailboxReport>,
    audit: Vec<AuditEntry>,
    load: LoadReport,
    /// `None` where the system does not tell.
    process: Option<ProcessStats>,
}

/// Changes that the page shows.
const MOST_CHANGES: usize = 50;

pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let state = asked.worker.config_actor.send(GetConfig).await.map_err(|_| ApiError::Stopping)?;
        let audit = asked.dashboard.send(GetAudit { most: MOST_CHANGES }).await.unwrap_or_default();
        let load = asked.worker.load();
        let process = blocking(ProcessStats::read).await.ok().flatten();
        Ok(Box::new(SystemFacts { state, mailboxes: mailbox_reports(), audit, load, process }) as Box<dyn Facts>)
    }
    .boxed_local()
}

impl Facts for SystemFacts {
    fn render(&self, view: &View) -> Markup {
        html! {
            (view.piece("process", "", self.process(view)))
            (view.piece("in-force", "panel", html! {
                p { (view.t("system.config_of")) " " (time(self.state.loaded_at)) ", " code { (self.state.config.hash) } }
                @if let Some(why) = &self.state.last_error { pre class="problem" { (why) } }
            }))
            @if view.visitor.is_admin() { p { (view.button("/ui/system/reload", view.t("system.reload"), &[])) } }
            (view.piece("audit", "scroll", html! {
                table {
                    caption { (view.t("system.changes")) }
                    (head(view, &["live.time", "system.by", "system.from", "system.what"], &[]))
                    tbody {
                        @for entry in &self.audit { (change(entry, view)) }
                        @if self.audit.is_empty() { (empty_row(4, view.t("system.no_changes"))) }
                    }
                }
            }))
            (view.piece("mailboxes", "scroll", html! {
                table {
                    (head(view, &["system.mailbox"], &["system.depth", "system.deepest", "system.refused"]))
                    tbody {
                        @for of in &self.mailboxes {
                            tr {
                                td { (of.kind.as_str()) }
                                (number(count(of.depth as u64)))
                                (number(count(of.deepest as u64)))
                                (number(count(of.refused)))
                            }
                        }
                    }
                }
            }))
        }
    }
}

impl SystemFacts {
    fn process(&self, view: &View) -> Markup {
        let tile = |name: &str, value: String| tile(view, name, value, String::new());
        let now = Now::read().wall as f64 / 1_000.0;
        html! {
            dl class="tiles" {
                (tile("system.version", env!("CARGO_PKG_VERSION").to_owned()))
                @if let Some(process) = &self.process {
                    (tile("system.uptime", span(((now - process.start_seconds).max(0.0) * 1_000.0) as u64)))
                    (tile("system.memory", format!("{} MB", process.resident_bytes / 1_000_000)))
                    (tile("system.cpu", span((process.cpu_seconds * 1_000.0) as u64)))
                    (tile("system.files", format!("{} / {}", count(process.open_fds), short(process.max_fds))))
                }
                (tile("system.connections", count(self.load.connections as u64)))
                (tile("system.requests", count(self.load.requests as u64)))
            }
        }
    }
}

fn change(entry: &AuditEntry, view: &View) -> Markup {
    html! {
        tr {
            td { time datetime=(entry.at) { (entry.at) } }
            td { (entry.by) }
            td { (entry.from) }
            td class="wrap" {
                @if !entry.done { span class="state bad" { (view.t("system.not_done")) } " " }
                (said(entry, view))
            }
        }
    }
}

/// Returns what was asked for, in words of the page. A line of an older version has its own words alone.
fn said(entry: &AuditEntry, view: &View) -> String {
    let name = entry.action.as_ref().map(|action| format!("audit.{}", action.replace('/', "_")));
    let words = name.map(|name| view.tr(&name, &[("of", entry.of.as_deref().unwrap_or_default())]));
    match (words.filter(|words| !words.is_empty()), &entry.detail) {
        (None, _) => entry.what.clone(),
        (Some(words), None) => words,
        (Some(words), Some(detail)) => format!("{words} ({detail})"),
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
