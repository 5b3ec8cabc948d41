//! What a whole answer says: is there an answer at all, and how many tokens did the exchange take?
//!
//! 1. An error in a success is an error.
//! 2. An answer shows something in the place where clients of its kind look: a text, a tool call, thoughts, a vector, an
//!    image. In place of these, a report of generated tokens, or a reason such as `length` or `content_filter`, will do.
//! 3. JSON beyond the standard is judged by what clients read in it.
//! 4. All else is no answer, whatever its form: a wrong base URL often answers 200.

use super::error_in;
use super::fields::{Choices, FAILED_STATUSES, TopLevel, is_nothing};
use super::finish::Finish;
use crate::dialect::billed::searches_of_items;
use crate::dialect::first_bytes::without_byte_order_mark;
use crate::dialect::json_repair::repaired;
use crate::dialect::json_text::TextLength;
use crate::dialect::reply_kind::ReplyKind;
use crate::dialect::usage::{EstimatedUsage, ReportedUsage};
use crate::dialect::{SentRequest, WholeAnswer};
use crate::types::{Failure, FailureClass, Phase, Usage, tokens_of_text};

/// Judges the JSON body of a success.
///
/// # Errors
/// With the failure, if the body is no answer: then another upstream is to be asked.
pub(crate) fn judge(answer: WholeAnswer<'_>, sent: SentRequest<'_>) -> Result<Option<Usage>, Failure> {
    let body = without_byte_order_mark(answer.body).trim_ascii();
    if body.is_empty() || is_nothing(body) {
        return Err(failure(FailureClass::EmptyResponse, "200 with nothing in it"));
    }
    let why = match parse(body) {
        Ok(fields) => return judge_object(WholeAnswer { body, ..answer }, &fields, sent),
        Err(why) => why,
    };
    let Some(repaired) = why.may_be_repaired.then(|| repaired(body)).flatten() else {
        let why = format!("200 with a body that is no whole JSON object ({})", why.words);
        return Err(failure(FailureClass::Protocol, &why));
    };
    match parse(repaired.as_bytes()) {
        Ok(fields) => judge_object(WholeAnswer { body: repaired.as_bytes(), ..answer }, &fields, sent),
        // Nested too deep to be read here. Clients may read more.
        Err(_) => {
            let completion = if answer.kind.generates_text() { tokens_of_text(body.len()) } else { 0 };
            let estimate = EstimatedUsage::new(answer.prompt_bytes, completion);
            Ok(Some(ReportedUsage::find_last(body).completed(estimate)))
        }
    }
}

/// Judges an object by its members.
fn judge_object(
    answer: WholeAnswer<'_>,
    fields: &TopLevel<'_>,
    sent: SentRequest<'_>,
) -> Result<Option<Usage>, Failure> {
    let WholeAnswer { kind, body, prompt_bytes } = answer;
    if fields.may_tell_an_error()
        && let Some(found) = error_in(body, false, sent)
    {
        return Err(found.failure);
    }
    let mut usage = fields.choices.usage;
    usage.update(ReportedUsage::of_member(fields.usage));
    if kind == ReplyKind::Responses {
        usage.billed = usage.billed.larger(searches_of_items(fields.output));
    }
    let content = content(kind, fields);
    match content {
        Content::Failed => return Err(failure(FailureClass::ServerError, "the answer finished with an error")),
        Content::Nothing if !usage.has_completion() => {
            return Err(failure(FailureClass::EmptyResponse, "200 without an answer"));
        }
        Content::Nothing | Content::Explained | Content::Text(_) => {}
    }
    let completion = match content {
        Content::Text(length) => tokens_of_text(length),
        Content::Explained | Content::Nothing | Content::Failed => 0,
    };
    let is_known = kind.generates_text() || !usage.is_empty();
    Ok(is_known.then(|| usage.completed(EstimatedUsage::new(prompt_bytes, completion))))
}

/// Why a body can't be read.
struct Unreadable {
    words: String,
    may_be_repaired: bool,
}

/// Reads the members of an object.
fn parse(body: &[u8]) -> Result<TopLevel<'_>, Unreadable> {
    // By order, serde would take a list for an object.
    if !body.starts_with(b"{") {
        return Err(Unreadable { words: "it begins otherwise".to_owned(), may_be_repaired: false });
    }
    let text = std::str::from_utf8(body)
        .map_err(|_| Unreadable { words: "it is no UTF-8".to_owned(), may_be_repaired: true })?;
    serde_json::from_str(text).map_err(|error| Unreadable {
        words: format!("{} at byte {}", category(&error), error.column()),
        may_be_repaired: !error.is_eof(),
    })
}

/// Names an error in JSON, without any word from the JSON.
fn category(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Eof => "it is cut",
        serde_json::error::Category::Syntax => "a syntax error",
        serde_json::error::Category::Data => "a member that stands there twice",
        serde_json::error::Category::Io => "it can't be read",
    }
}

/// What an answer has to show.
enum Content {
    /// So many bytes of text.
    Text(usize),
    /// No text, but a reason, or something else to show.
    Explained,
    Nothing,
    /// An upstream's failure, as a reason to finish.
    Failed,
}

fn content(kind: ReplyKind, fields: &TopLevel<'_>) -> Content {
    match kind {
        ReplyKind::Chat | ReplyKind::Completion => content_of_choices(kind, &fields.choices),
        ReplyKind::Responses => match (fields.output.map_or(0, |output| TextLength::of(output.get())), fields.status())
        {
            (_, status) if FAILED_STATUSES.contains(&status) => Content::Failed,
            (0, "queued" | "in_progress" | "incomplete")
                if fields.output.is_some_and(|output| output.get() != "null") =>
            {
                Content::Explained
            }
            (0, _) => Content::Nothing,
            (length, _) => Content::Text(length),
        },
        ReplyKind::Json if fields.has_a_full_list() => Content::Explained,
        ReplyKind::Json | ReplyKind::Messages | ReplyKind::Generation => Content::Nothing,
        ReplyKind::Bytes | ReplyKind::Transcript | ReplyKind::Object | ReplyKind::File => Content::Explained,
    }
}

fn content_of_choices(kind: ReplyKind, choices: &Choices) -> Content {
    match choices.finish {
        Finish::Failed => Content::Failed,
        _ if choices.text > 0 => Content::Text(choices.text),
        Finish::Limited => Content::Explained,
        // A legacy completion may be empty: there was nothing to insert.
        Finish::Stopped if kind == ReplyKind::Completion => Content::Explained,
        Finish::Open | Finish::Stopped => Content::Nothing,
    }
}

fn failure(class: FailureClass, why: &str) -> Failure {
    Failure::new(class, Phase::Body, why)
}

#[cfg(test)]
mod tests;
