//! An answer that is read as it comes. Whoever drops it stops the upstream.

use std::future::poll_fn;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use tokio::time::{Instant, timeout_at};

use super::{ANSWER_WITHIN, MOST_ANSWER, OwnAnswer, OwnChat, OwnClient, collect, text_of};
use crate::dialect::said::SaidInStream;
use crate::proxy::trial::chat_body;
use crate::types::{RequestId, WireFormat};

/// Anthropic's format wants a bound for the generated tokens.
const MOST_TOKENS: u32 = 4_096;

/// An answer on its way.
pub struct OwnPieces {
    id: RequestId,
    /// `None` if no head came in time.
    status: Option<StatusCode>,
    /// `None` after the end.
    body: Option<BoxBody>,
    /// `None` if the answer is one object.
    reader: Option<SaidInStream>,
    read: usize,
    error: Option<Bytes>,
    until: Instant,
}

impl OwnChat {
    /// Returns a chat of one message, with an answer that comes in pieces.
    pub fn of_message(format: WireFormat, model: &str, message: &str) -> OwnChat {
        let mut body = chat_body(format, model, message);
        if let (WireFormat::Anthropic, Some(fields)) = (format, body.as_object_mut()) {
            fields.insert("max_tokens".to_owned(), MOST_TOKENS.into());
        }
        OwnChat { format, model: model.to_owned(), body: body.to_string().into() }
    }
}

impl OwnClient {
    /// Sends a chat, and returns the answer's pieces once the answer begins.
    pub async fn begin(&self, chat: OwnChat) -> OwnPieces {
        let until = Instant::now() + ANSWER_WITHIN;
        let id = RequestId::generate();
        let request = super::OwnRequest { id, chat, only: None };
        let response = timeout_at(until, self.send(request)).await.ok();
        let status = response.as_ref().map(actix_web::HttpResponse::status);
        let kind = response.as_ref().and_then(|response| response.headers().get(CONTENT_TYPE));
        let is_stream = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let is_fine = status.is_some_and(|status| status.is_success());
        let body = response.map(actix_web::HttpResponse::into_body);
        let reader = (is_stream && is_fine).then(SaidInStream::new);
        OwnPieces { id, status, body, reader, read: 0, error: None, until }
    }
}

impl OwnPieces {
    /// Returns what the model says next; `None` at the end.
    pub async fn next(&mut self) -> Option<String> {
        let Some(reader) = &mut self.reader else { return self.whole().await };
        loop {
            let body = self.body.as_mut()?;
            let piece = timeout_at(self.until, poll_fn(|cx| body.as_pin_mut().poll_next(cx))).await;
            let Ok(Some(Ok(piece))) = piece else { break };
            self.read += piece.len();
            if self.read > MOST_ANSWER {
                break;
            }
            let text = reader.feed(&piece).text;
            if !text.is_empty() {
                return Some(text);
            }
        }
        self.body = None;
        None
    }

    /// Reads an answer that is no stream.
    async fn whole(&mut self) -> Option<String> {
        let body = timeout_at(self.until, collect(self.body.take()?)).await.ok()?;
        if self.status.is_some_and(|status| status.is_success()) {
            return Some(text_of(&body)).filter(|text| !text.is_empty());
        }
        self.error = Some(body);
        None
    }

    /// Ends the reading, and returns what is known of the chat. The text was in the pieces.
    pub async fn end(mut self, client: &OwnClient) -> OwnAnswer {
        // The drop ends the record.
        self.body = None;
        let request = client.found(&self.id).await;
        OwnAnswer { id: self.id, status: self.status, text: String::new(), error: self.error, request }
    }
}
