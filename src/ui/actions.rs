//! Actions: a form is checked and done, and the next page says how the action ended.

use actix_web::{HttpMessage, HttpRequest, HttpResponse};

use super::audit::AuditEntry;
use super::door::{cookie_of, door};
use super::fields::SentFields;
use super::forms::{Action, ActionOutcome, NextPage, SentForm, is_token_right};
use super::frame::{refused, see_other, view_start};
use super::messages::{CurrentSession, Notify, WriteAudit};
use super::page::PageRow;
use super::show::show_again;
use super::view::TICK;
use crate::http::worker;
use crate::types::{Now, iso};

/// A form by an admin, from a page of the admin's session.
pub(super) struct CheckedForm {
    pub(super) session: CurrentSession,
    pub(super) form: SentForm,
    cookie: String,
}

/// Checks a form. Returns the name of the words against a refused form.
pub(super) fn check(request: &HttpRequest, fields: SentFields) -> Result<CheckedForm, &'static str> {
    let session = request.extensions().get::<CurrentSession>().cloned();
    let (Some(session), Some(cookie)) = (session, cookie_of(request)) else {
        return Err("refused.session");
    };
    let SentFields(fields) = fields;
    if !is_token_right(&session, &fields) {
        return Err("refused.form");
    }
    if !session.visitor.is_admin() {
        return Err("refused.rights");
    }
    let Ok(worker) = worker(request) else { return Err("refused.session") };
    let language = view_start(request, &session, String::new()).language;
    let by = session.visitor.name.to_string();
    let client = request.peer_addr().map(|peer| peer.ip().to_canonical());
    let form = SentForm { worker: worker.clone(), language, by, client, fields };
    Ok(CheckedForm { session, form, cookie })
}

/// Does what a form of a page asks for.
pub(super) async fn act(
    page: &'static PageRow,
    action: &'static Action,
    request: HttpRequest,
    fields: SentFields,
) -> HttpResponse {
    let CheckedForm { session, form, cookie } = match check(&request, fields) {
        Ok(checked) => checked,
        Err(why) => return refused(&request, why, &[]),
    };
    let Some(door) = door(&request) else { return refused(&request, "refused.session", &[]) };
    if action.needs_tick && form.field(TICK).is_none() {
        return refused(&request, "refused.tick", &[]);
    }
    let (by, from) = (form.by.clone(), form.client.map(|client| client.to_string()).unwrap_or_default());
    let of = form.subject().map(str::to_owned);
    let ActionOutcome { notice, what, detail, next } = (action.run)(form).await;
    if let Some(what) = what {
        let action = action.path.strip_prefix("/ui/").map(str::to_owned);
        let (at, done) = (iso(Now::read().wall), notice.is_good);
        let entry = AuditEntry { at, by, from, what, action, of, detail, done };
        let _ = door.dashboard.send(WriteAudit(entry)).await;
    }
    match next {
        NextPage::At(to) => {
            let _ = door.dashboard.send(Notify { cookie, to: to.clone(), notice }).await;
            see_other(&to)
        }
        NextPage::Again(facts) => show_again(page, &request, session, (notice.is_good, facts)).await,
    }
}
