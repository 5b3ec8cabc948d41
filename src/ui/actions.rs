//! Does what a form asks for: checked, done, and told on the next page.

use actix_web::web::Form;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};

use super::audit::AuditEntry;
use super::door::{cookie_of, door};
use super::forms::{Action, ActionOutcome, NextPage, SentForm, is_token_right};
use super::frame::{refused, see_other, view_start};
use super::messages::{CurrentSession, Notify, WriteAudit};
use super::show::show_again;
use crate::http::worker;
use crate::types::{Now, iso};

/// Does what a form asks for.
pub(super) async fn act(
    action: &'static Action,
    request: HttpRequest,
    form: Form<Vec<(String, String)>>,
) -> HttpResponse {
    let session = request.extensions().get::<CurrentSession>().cloned();
    let (Some(session), Some(cookie)) = (session, cookie_of(&request)) else {
        return refused(&request, "refused.session", &[]);
    };
    let fields = form.into_inner();
    if !is_token_right(&session, &fields) {
        return refused(&request, "refused.form", &[]);
    }
    if !session.visitor.is_admin() {
        return refused(&request, "refused.rights", &[]);
    }
    let (Ok(worker), Some(door)) = (worker(&request), door(&request)) else {
        return refused(&request, "refused.session", &[]);
    };
    let language = view_start(&request, &session, String::new()).language;
    let by = session.visitor.name.to_string();
    let form = SentForm { worker: worker.clone(), language, by: by.clone(), fields };
    let ActionOutcome { notice, what, next } = (action.run)(form).await;
    if let Some(what) = what {
        let from = request.peer_addr().map(|peer| peer.ip().to_canonical().to_string()).unwrap_or_default();
        let entry = AuditEntry { at: iso(Now::read().wall), by, from, what, done: notice.is_good };
        let _ = door.dashboard.send(WriteAudit(entry)).await;
    }
    match next {
        NextPage::At(to) => {
            let _ = door.dashboard.send(Notify { cookie, notice }).await;
            see_other(&to)
        }
        NextPage::Again { path, facts } => show_again(path, &request, session, facts).await,
    }
}
