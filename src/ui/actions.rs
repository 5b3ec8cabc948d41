//! Does what a form asks for: checked, done, and told on the next page.

use actix_web::web::Form;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};

use super::door::{cookie_of, door};
use super::forms::{Action, ActionOutcome, SentForm, is_token_right};
use super::frame::{refused, see_other, view_start};
use super::messages::{CurrentSession, Notify};
use crate::http::worker;

/// Does what a form asks for.
pub(super) async fn act(
    action: &'static Action,
    request: HttpRequest,
    form: Form<Vec<(String, String)>>,
) -> HttpResponse {
    let (Some(session), Some(cookie)) = (request.extensions().get::<CurrentSession>().cloned(), cookie_of(&request))
    else {
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
    let order = SentForm { worker: worker.clone(), language };
    let ActionOutcome { notice, to } = (action.run)(order).await;
    let _ = door.dashboard.send(Notify { cookie, notice }).await;
    see_other(&to)
}
