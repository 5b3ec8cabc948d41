//! An error as an upstream words it: where it stands in what was said, and its parts. Pure.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// An error, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Its `code` or `status`, if that is a number.
    pub(super) number: Option<u16>,
    /// Its `code` or `status`, if that is a word; in lower case.
    pub(super) code: String,
    /// Its `type`, in lower case.
    pub(super) kind: String,
    /// The field of the request that it is about.
    pub(super) param: String,
    /// Google's word for it, in its `details`.
    pub(super) reason: String,
    /// For people.
    pub(super) message: String,
    /// It tells what a moderator found in the request.
    pub(super) moderated: bool,
    /// It stands in the field `error`, where OpenAI's clients look for it.
    pub(super) in_its_place: bool,
    /// It could not be read, as a firewall's page can't: nothing is known of it.
    pub(super) unread: bool,
}

impl Told {
    /// The body of an answer whose status is no success: all of it is about the error.
    pub(super) fn in_refusal(body: &[u8]) -> Told {
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return Told { unread: true, ..Told::default() };
        };
        // Gemini's is in a list of one.
        let told = body.as_array().map_or(Some(&body), |items| items.first());
        told.map(|told| Told::found_in(told).unwrap_or_else(|| Told::of(told))).unwrap_or_default()
    }

    /// The body of a 200, or the data of an event: is there an error in it?
    pub(super) fn in_answer(body: &[u8]) -> Option<Told> {
        match serde_json::from_slice::<Value>(body) {
            Ok(body) => Told::found_in(&body),
            // What is nested too deep to be read can be an error all the same.
            Err(_) => {
                let peek: Peek<'_> = serde_json::from_slice(body).ok()?;
                peek.error.filter(|raw| raw.get().starts_with(['{', '['])).map(|_| Told::default())
            }
        }
    }

    /// The error in an object, wherever it stands: in `error` or `errors`, or all around.
    fn found_in(body: &Value) -> Option<Told> {
        let field = |name| body.get(name).filter(|value| is_error(value));
        let says = |name, word| body.get(name).and_then(Value::as_str) == Some(word);
        if says("type", "response.failed") {
            return Some(Told { in_its_place: true, ..Told::of(body.pointer("/response/error").unwrap_or_default()) });
        }
        if let Some(numbered) = Told::numbered(body) {
            return Some(numbered);
        }
        let told = match field("error").or(field("Error")) {
            // The words stand beside it.
            Some(Value::Bool(_)) => Told::of(body),
            Some(Value::Number(number)) => Told { number: small(number.as_u64()), ..Told::of(body) },
            Some(error) => Told::of(error),
            None if says("object", "error") || says("type", "error") => return Some(Told::of(body)),
            None => {
                // OpenRouter's, where what it had asked failed.
                let of_choice = body.pointer("/choices/0/error").filter(|value| is_error(value));
                return match field("errors").or(of_choice) {
                    Some(error) => Some(Told::of(error)),
                    None => is_bare(body).then(|| Told::of(body)),
                };
            }
        };
        Some(Told { in_its_place: true, ..told })
    }

    /// An error by a number of the provider's own, which stands in all of its answers, and is 0 in most.
    fn numbered(body: &Value) -> Option<Told> {
        let base = body.get("base_resp").unwrap_or_default();
        let places = [(base.get("status_code"), &MINIMAX[..], base), (body.get("error_code"), &BAIDU[..], body)];
        places.into_iter().find_map(|(at, table, error)| {
            let number = number(at?).filter(|number| *number != 0)?;
            let known = table.iter().find(|(of, _)| of.contains(&number)).map(|(_, status)| *status);
            Some(Told { number: known, ..Told::of(error) })
        })
    }

    /// An error itself.
    fn of(error: &Value) -> Told {
        if let Value::Array(errors) = error {
            return errors.first().map(Told::of).unwrap_or_default();
        }
        let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        let words = WORDS.iter().find_map(|name| error.get(name).and_then(Value::as_str));
        let codes = ["code", "status"].map(|name| error.get(name));
        let codes = || codes.iter().copied().flatten();
        let details = error.get("details").and_then(Value::as_array);
        let reason = details.and_then(|all| all.iter().find_map(|detail| detail.get("reason")?.as_str()));
        let number = |code: &Value| code.as_u64().or_else(|| code.as_str()?.parse().ok());
        Told {
            number: codes().find_map(|code| small(number(code))),
            code: codes()
                .filter(|code| number(code).is_none())
                .find_map(Value::as_str)
                .unwrap_or_default()
                .to_lowercase(),
            kind: text("type").to_lowercase(),
            param: text("param").to_owned(),
            reason: reason.unwrap_or_default().to_owned(),
            message: error.as_str().or(words).unwrap_or_default().to_owned(),
            // OpenRouter's.
            moderated: ["/metadata/reasons", "/metadata/flagged_input"].iter().any(|at| error.pointer(at).is_some()),
            in_its_place: false,
            unread: false,
        }
    }

    /// Does its code, or its type, hold one of these words?
    pub(super) fn is_coded(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.code.contains(word) || self.kind.contains(word))
    }

    /// Is its code, or its type, one of these?
    pub(super) fn says(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.code == *word || self.kind == *word)
    }
}

#[derive(Deserialize)]
struct Peek<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// Where errors have their words for people.
const WORDS: [&str; 5] = ["message", "detail", "msg", "error_msg", "status_msg"];

/// What some numbers mean that providers give their errors, as a status.
const MINIMAX: [(&[i64], u16); 3] = [(&[1002, 1039], 429), (&[1004, 2049], 401), (&[1008], 402)];
const BAIDU: [(&[i64], u16); 2] = [(&[4, 17, 18, 19], 429), (&[6, 14, 100, 110, 111], 401)];

/// Is it an error without a field of its own: words for people, or a "no", and none of what answers have?
fn is_bare(body: &Value) -> bool {
    const OF_ANSWERS: [&str; 11] =
        ["choices", "output", "data", "results", "object", "type", "text", "images", "audio", "embeddings", "id"];
    let has = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    let says = |name: &str| body.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let success = body.get("success").and_then(Value::as_bool);
    let code = body.get("code").unwrap_or_default();
    if success == Some(true) || number(code).is_some_and(|code| [0, 200].contains(&code)) {
        return false;
    }
    let refused = success == Some(false);
    let by_code = body.get("error_code").is_some_and(|code| is_error(code) && number(code) != Some(0));
    // Of words alone, those are an error's that clients would look for.
    let worded = ["message", "detail", "error_msg"].iter().any(|name| says(name));
    let coded = !code.is_null() && WORDS.iter().any(|name| says(name));
    // Some number what they refuse as they do their answers.
    let no_answer = OF_ANSWERS.iter().all(|name| !has(name) || refused && *name == "id");
    no_answer && (refused || by_code || worded || coded)
}

/// A number, be it written as a text.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn small(number: Option<u64>) -> Option<u16> {
    number.and_then(|number| u16::try_from(number).ok())
}

/// Does a value of the field `error` tell one? Some APIs always have the field, with nothing in it.
pub(super) fn is_error(value: &Value) -> bool {
    match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::String(text) => !text.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Bool(told) => *told,
        Value::Null => false,
    }
}
