//! The stream of a trial's answer: lines of JSON, `{"text": …}` for each piece of the answer, and `{"html": …}` with the facts at the
//! end. When the browser leaves, the body is dropped, and so the upstream is stopped.

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use maud::Markup;
use serde_json::{Value, json};

use super::actions::{CheckedForm, check};
use super::fields::SentFields;
use super::frame::{self, view_start};
use super::pages::trial::{EndedTrial, chat_of, refused};
use super::view::View;
use crate::proxy::own_chat::{OwnChat, OwnClient, OwnPieces};

/// Where an answer is.
enum TrialStep {
    Asked(OwnChat),
    Comes(OwnPieces),
    Over,
}

/// An answer on its way to a page.
struct Streamed {
    step: TrialStep,
    client: OwnClient,
    view: View,
}

/// Answers with the pieces of an answer.
pub(super) async fn pieces(request: HttpRequest, fields: SentFields) -> HttpResponse {
    let CheckedForm { session, form, .. } = match check(&request, fields) {
        Ok(checked) => checked,
        Err(why) => return frame::refused(&request, why, &[]),
    };
    let view = View::new(view_start(&request, &session, request.uri().to_string()), String::new(), None);
    let step = match chat_of(&form).await {
        Ok(chat) => TrialStep::Asked(chat),
        Err(words) => return lines().body(html(&refused(words, &view))),
    };
    let streamed = Streamed { step, client: form.worker.own_client(form.client), view };
    lines().streaming(stream::unfold(streamed, |mut streamed| async {
        let line = streamed.line().await?;
        Some((Ok::<_, actix_web::Error>(line), streamed))
    }))
}

impl Streamed {
    /// Waits for the next line.
    async fn line(&mut self) -> Option<Bytes> {
        let mut pieces = match std::mem::replace(&mut self.step, TrialStep::Over) {
            // The head is sent at once. So the server notices a browser that leaves while the pool waits.
            TrialStep::Asked(chat) => self.client.begin(chat).await,
            TrialStep::Comes(pieces) => pieces,
            TrialStep::Over => return None,
        };
        if let Some(text) = pieces.next().await {
            self.step = TrialStep::Comes(pieces);
            return Some(line(&json!({ "text": text })));
        }
        let answer = pieces.end(&self.client).await;
        let failure = self.client.failure(&answer);
        Some(html(&EndedTrial { answer, failure }.facts(&self.view)))
    }
}

fn lines() -> actix_web::HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    answer.content_type("application/jsonl; charset=utf-8");
    answer.insert_header(("cache-control", "no-store")).insert_header(("x-accel-buffering", "no"));
    answer
}

fn html(markup: &Markup) -> Bytes {
    line(&json!({ "html": markup.0 }))
}

fn line(value: &Value) -> Bytes {
    format!("{value}\n").into()
}
