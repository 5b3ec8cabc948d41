//! Does an upstream's error say that it does not serve the model, or not to this account, or that it has no such endpoint? Pure.
//!
//! If it does, the model rests there for all clients. So nothing that a client wrote may bring that about, and errors quote what
//! clients write. What an upstream says in fields of its own is believed first. Of its words, those count alone that it does not
//! quote, and in which the model itself is what is missing: a model that does not take a parameter is there.

use super::scrub;
use super::told::Told;

/// Codes and types that say it.
const SAY_SO: [&str; 7] = [
    "unknown_model",
    "model_decommissioned",
    "model_not_found",
    "model_not_available",
    "invalid_model",
    "deploymentnotfound",
    "invalidendpointormodel.notfound",
];

/// Codes and types that say that something is not there.
const NOT_THERE: [&str; 4] = ["not_found", "not_found_error", "notfounderror", "resource_not_found_error"];

/// A code that means this or that the endpoint is not the model's: its words decide.
const UNSUPPORTED: &str = "model_not_supported";

/// With it, and behind the model's name.
const BY_NOBODY: [&str; 2] = ["is not supported by any provider", "is not supported by provider"];

/// A code that says nothing. Any other has a meaning of its own.
const NO_CODE: [&str; 2] = ["", "invalid_request_error"];

/// Messages that begin thus name no model, and mean the one that was asked for.
const WITHOUT_A_NAME: [&str; 4] = ["model not exist", "model does not exist", "model not found", "模型不存在"];
const UNSUPPORTED_WITHOUT_A_NAME: &str = "the requested model is not supported.";

/// What stands before the model's name, by itself;
const BEFORE: [&str; 9] = [
    "invalid model name passed in model",
    "invalid model",
    "invalid model name",
    "invalid model id",
    "unknown model",
    "no such model",
    "not have access to model",
    "not have access to the model",
    "must be verified to use the model",
];

/// or that, if the name is the last word ("… that support tools" is about the request);
const BEFORE_THE_LAST: [&str; 1] = ["no endpoints found for"];

/// or behind it, by itself;
const BEHIND: [&str; 1] = ["is not a valid model"];

/// or around it.
const NOUNS: [&str; 5] = ["model", "models", "model id", "model name", "model or endpoint"];
const GONE: [&str; 6] =
    ["does not exist", "doesn't exist", "not found", "is not found", "was not found", "could not be found"];

const QUOTES: [char; 3] = ['\'', '"', '`'];

/// What it may be about. `None` is Python's nothing, in LiteLLM's errors.
const PARAMS: [&str; 3] = ["", "None", "model"];

/// What the upstream was asked.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The model, by the upstream's own name.
    pub(super) model: &'a str,
    /// What the client wrote, as JSON: what stands in there is nobody else's word, quoted or not. `None` if it is not at hand any
    /// more: then every word may be the client's.
    pub(super) client: Option<&'a [u8]>,
}

impl Asked<'_> {
    /// May the client have written this word (in lower case)?
    pub(super) fn wrote(&self, word: &str) -> bool {
        self.client.is_none_or(|client| scrub::says(client, word))
    }
}

/// Does this error say so in fields of its own?
pub(super) fn says_no_model(told: &Told) -> bool {
    PARAMS.contains(&told.param.as_str()) && told.says(&SAY_SO)
}

/// Does this error say so of the model?
pub(super) fn names_no_model(told: &Told, asked: Asked<'_>) -> bool {
    if says_no_model(told) {
        return true;
    }
    if !PARAMS.contains(&told.param.as_str()) {
        return false;
    }
    if told.code == UNSUPPORTED && told.param == "model" {
        return nobody_supports(told, asked.model);
    }
    if !says_little(told) {
        return false;
    }
    let (model, message) = (asked.model.to_ascii_lowercase(), told.message.to_ascii_lowercase());
    let words = own_words(unwrapped(&message), &model);
    WITHOUT_A_NAME.iter().any(|said| words.starts_with(said))
        || places(&words, &model).any(|(before, behind)| {
            is_missing(before, behind, told.says(&NOT_THERE)) && !wrote(asked, before, &model, behind)
        })
}

/// Does its code leave open what it is about?
fn says_little(told: &Told) -> bool {
    NO_CODE.contains(&told.code.as_str()) || NOT_THERE.contains(&told.code.as_str())
}

/// Did the client write the name with the word before it, or with that behind it? Then the upstream may but repeat it.
fn wrote(asked: Asked<'_>, before: &str, name: &str, behind: &str) -> bool {
    let between = |c: char| !c.is_ascii_alphanumeric();
    let (head, tail) = (before.trim_end_matches(between), behind.trim_start());
    let from = head.rmatch_indices(between).next().map_or(0, |(at, found)| at + found.len());
    let to = behind.len() - tail.len() + tail.find(between).unwrap_or(tail.len());
    let with_before = (!head.is_empty()).then(|| [before.get(from..).unwrap_or_default(), name].concat());
    let with_behind = tail.starts_with(|c| !between(c)).then(|| [name, behind.get(..to).unwrap_or_default()].concat());
    asked.client.is_none() || [with_before, with_behind].iter().flatten().any(|said| asked.wrote(said))
}

/// Is there no provider behind a router that has it?
fn nobody_supports(told: &Told, model: &str) -> bool {
    let (model, message) = (model.to_ascii_lowercase(), told.message.to_ascii_lowercase());
    let words = own_words(&message, &model);
    let by_nobody = |behind: &str| BY_NOBODY.iter().any(|said| behind.trim_start().starts_with(said));
    words.starts_with(UNSUPPORTED_WITHOUT_A_NAME) || places(&words, &model).any(|(_, behind)| by_nobody(behind))
}

/// Is it missing, by the words on both sides of its name? `not_there`: something is, by the error's code.
fn is_missing(before: &str, behind: &str, not_there: bool) -> bool {
    let before = before.trim_end_matches([' ', ':', '/', '=']);
    let behind = behind.trim_start();
    let is_last = || behind.trim_end_matches(['.', ' ']).is_empty();
    let (ends, begins) = (|said: &&str| before.ends_with(said), |said: &&str| behind.starts_with(said));
    BEFORE.iter().any(ends)
        || BEHIND.iter().any(begins)
        || BEFORE_THE_LAST.iter().any(ends) && is_last()
        || NOUNS.iter().any(ends) && (not_there || GONE.iter().any(begins))
}

/// What stands before and behind each place where the name stands by itself.
fn places<'a>(words: &'a str, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let of_a_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '@');
    words.match_indices(name).filter_map(move |(at, found)| {
        let (before, behind) = (words.get(..at)?, words.get(at + found.len()..)?);
        // A dot or a colon in a name is not its end.
        let goes_on = behind.trim_start_matches(['.', ':', '/']).starts_with(of_a_name);
        (!name.is_empty() && !before.ends_with(of_a_name) && !goes_on).then_some((before, behind))
    })
}

/// A message without the Python around it: LiteLLM prints its error's `dict`. Inside, quotes are quotes again.
fn unwrapped(message: &str) -> &str {
    let inside = message.strip_prefix("{'error': ").and_then(|rest| rest.strip_suffix('}'));
    let text = |quote| inside?.strip_prefix(quote)?.strip_suffix(quote);
    text('\'').or_else(|| text('"')).unwrap_or(message)
}

/// A message without what it quotes, unless that is the name alone. What is quoted may hold quotes itself: it reaches from the first
/// one to the last of its kind.
pub(super) fn own_words(message: &str, name: &str) -> String {
    let mut own = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((at, quote)) = opening(rest) {
        own.push_str(rest.get(..at).unwrap_or_default());
        let quoted = rest.get(at + quote.len_utf8()..).unwrap_or_default();
        let (inside, behind) = closing(quoted, quote).unwrap_or((quoted, ""));
        own.push_str(if inside == name { name } else { "…" });
        rest = behind;
    }
    own.push_str(rest);
    own
}

/// The first quote that is no apostrophe.
fn opening(text: &str) -> Option<(usize, char)> {
    let mut before = ' ';
    text.char_indices().find(|(_, c)| {
        let opens = QUOTES.contains(c) && !before.is_alphanumeric();
        before = *c;
        opens
    })
}

/// What is quoted, and what stands behind it.
fn closing(text: &str, quote: char) -> Option<(&str, &str)> {
    text.rmatch_indices(quote).find_map(|(at, found)| {
        let (inside, behind) = (text.get(..at)?, text.get(at + found.len()..)?);
        (!behind.starts_with(char::is_alphanumeric)).then_some((inside, behind))
    })
}

#[cfg(test)]
mod tests;
