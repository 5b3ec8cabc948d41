//! The error in an upstream's body: the place, and the parts. Pure.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::dialect::json_repair::repaired;

/// An error, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ErrorBody {
    /// `code` or `status`, if a number.
    pub(crate) status_code: Option<u16>,
    /// `code` or `status`, if a word; in lower case.
    pub(crate) code: String,
    /// `type`, in lower case.
    pub(crate) error_type: String,
    /// The field of the request with the mistake.
    pub(crate) param: String,
    /// Google's word for the error, in `details`.
    pub(crate) reason: String,
    /// For people.
    pub(crate) message: String,
    /// The error reports what a moderator found in the request.
    pub(crate) moderated: bool,
    /// The error stands in the field `error`, where OpenAI's clients look for one.
    pub(crate) is_openai_shaped: bool,
    /// The body could not be parsed (a firewall's page, plain text).
    pub(crate) unparsed: bool,
}

impl ErrorBody {
    /// Reads the body of a refusal: all of the body is about the error.
    pub(crate) fn from_error_response(body: &[u8]) -> ErrorBody {
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return ErrorBody { unparsed: true, message: plain_text(body), ..ErrorBody::default() };
        };
        // Gemini's error stands in a list of one.
        let error = body.as_array().map_or(Some(&body), |items| items.first());
        error.map(|error| ErrorBody::find(error).unwrap_or_else(|| ErrorBody::of(error))).unwrap_or_default()
    }

    /// Finds the error in the body of a 200, or in the data of an event, if there is one.
    pub(crate) fn from_success(body: &[u8]) -> Option<ErrorBody> {
        let strict = serde_json::from_slice::<Value>(body);
        match strict.or_else(|error| serde_json::from_str(&repaired(body).ok_or(error)?)) {
            Ok(body) => ErrorBody::find(&body),
            // What is nested too deep to be read can be an error all the same.
            Err(_) => {
                let peek: ErrorFields<'_> = serde_json::from_slice(body).ok()?;
                peek.error.filter(|raw| raw.get().starts_with(['{', '['])).map(|_| ErrorBody::default())
            }
        }
    }

    /// Finds the error in an object: in `error` or `errors`, or all around.
    fn find(body: &Value) -> Option<ErrorBody> {
        let field = |name| body.get(name).filter(|value| is_error(value));
        let says = |name, word| body.get(name).and_then(Value::as_str) == Some(word);
        if says("type", "response.failed") {
            let error = ErrorBody::of(body.pointer("/response/error").unwrap_or_default());
            return Some(ErrorBody { is_openai_shaped: true, ..error });
        }
        if let Some(numbered) = ErrorBody::numbered(body) {
            return Some(numbered);
        }
        let error = match field("error").or(field("Error")) {
            // The words stand beside the flag.
            Some(Value::Bool(_)) => ErrorBody::of(body),
            Some(Value::Number(number)) => ErrorBody { status_code: small(number.as_u64()), ..ErrorBody::of(body) },
            // xAI's: a text, with the code beside the text.
            Some(text @ Value::String(_)) => {
                let beside = ErrorBody::of(body);
                let error = ErrorBody::of(text);
                ErrorBody { status_code: beside.status_code, code: beside.code, ..error }
            }
            Some(error) => ErrorBody::of(error),
            None if says("object", "error") || says("type", "error") => return Some(ErrorBody::of(body)),
            None => {
                // OpenRouter's, where the provider behind it failed.
                let of_choice = body.pointer("/choices/0/error").filter(|value| is_error(value));
                return match field("errors").or(of_choice) {
                    Some(error) => Some(ErrorBody::of(error)),
                    None => is_bare(body).then(|| ErrorBody::of(body)),
                };
            }
        };
        Some(ErrorBody { is_openai_shaped: true, ..error })
    }

    /// Reads an error by a provider's own number. The number stands in all answers, and is 0 in most.
    fn numbered(body: &Value) -> Option<ErrorBody> {
        let base = body.get("base_resp").unwrap_or_default();
        let places = [(base.get("status_code"), &MINIMAX[..], base), (body.get("error_code"), &BAIDU[..], body)];
        places.into_iter().find_map(|(at, table, error)| {
            let number = number(at?).filter(|number| *number != 0)?;
            let known = table.iter().find(|(of, _)| of.contains(&number)).map(|(_, status)| *status);
            Some(ErrorBody { status_code: known, ..ErrorBody::of(error) })
        })
    }

    /// Reads an error itself.
    fn of(error: &Value) -> ErrorBody {
        if let Value::Array(errors) = error {
            return errors.first().map(ErrorBody::of).unwrap_or_default();
        }
        let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        let words = WORDS.iter().find_map(|name| error.get(name).and_then(Value::as_str));
        let codes = || ["code", "status"].into_iter().filter_map(|name| error.get(name));
        let details = error.get("details").and_then(Value::as_array);
        let reason = details.and_then(|all| all.iter().find_map(|detail| detail.get("reason")?.as_str()));
        let number = |code: &Value| code.as_u64().or_else(|| code.as_str()?.parse().ok());
        let word = codes().filter(|code| number(code).is_none()).find_map(Value::as_str);
        // FastAPI's list of mistakes (Mistral's stands in the message).
        let mistakes = error.get("detail").or(error.pointer("/message/detail")).and_then(Value::as_array);
        let mistakes = mistakes.map(Vec::as_slice).unwrap_or_default();
        let listed: Vec<&str> = mistakes.iter().filter_map(|mistake| mistake.get("msg")?.as_str()).collect();
        let param = mistakes.iter().find_map(field_of_body).unwrap_or(text("param"));
        ErrorBody {
            status_code: codes().find_map(|code| small(number(code))),
            code: word.unwrap_or_default().to_lowercase(),
            error_type: text("type").to_lowercase(),
            param: param.to_owned(),
            reason: reason.unwrap_or_default().to_owned(),
            message: error.as_str().or(words).map_or_else(|| listed.join("; "), str::to_owned),
            // OpenRouter's.
            moderated: ["/metadata/reasons", "/metadata/flagged_input"].iter().any(|at| error.pointer(at).is_some()),
            is_openai_shaped: false,
            unparsed: false,
        }
    }

    /// Returns whether the code or the type contains this word.
    pub(crate) fn code_contains(&self, word: &str) -> bool {
        self.code.contains(word) || self.error_type.contains(word)
    }

    /// Returns whether the code or the type is one of these.
    pub(crate) fn is_code(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.code == *word || self.error_type == *word)
    }

    /// Returns whether the code or the type contains one of these.
    pub(crate) fn is_code_with(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.code_contains(word))
    }

    /// Returns whether the message, the code or the type contains one of these, in whatever case.
    pub(crate) fn mentions(&self, words: &[&str]) -> bool {
        let message = self.message.to_lowercase();
        words.iter().any(|word| self.code_contains(word) || message.contains(&word.to_lowercase()))
    }
}

/// Returns the field of the request with a mistake of FastAPI's list. A header is the pool's own.
fn field_of_body(mistake: &Value) -> Option<&str> {
    let place = mistake.get("loc").filter(|_| mistake.pointer("/loc/0").is_some_and(|part| part == "body"))?;
    place.get(1)?.as_str()
}

#[derive(Deserialize)]
struct ErrorFields<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// Where errors have their words for people.
const WORDS: [&str; 6] = ["message", "detail", "msg", "error_msg", "status_msg", "title"];

/// Numbers of providers' own, and the statuses for them.
const MINIMAX: [(&[i64], u16); 3] = [(&[1002, 1039], 429), (&[1004, 2049], 401), (&[1008], 402)];
const BAIDU: [(&[i64], u16); 2] = [(&[4, 17, 18, 19], 429), (&[6, 14, 100, 110, 111], 401)];

/// Returns the words of a body without JSON. A page for browsers has none.
fn plain_text(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.trim_ascii());
    if text.starts_with('<') { String::new() } else { text.into_owned() }
}

/// Returns whether a body is an error without an error field: words for people, or a "no", and no field of an answer.
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
    // Words alone count in a field where clients look for an error.
    let worded = ["message", "detail", "error_msg"].iter().any(|name| says(name));
    let coded = !code.is_null() && WORDS.iter().any(|name| says(name));
    // Some providers number their refusals as they number their answers.
    let no_answer = OF_ANSWERS.iter().all(|name| !has(name) || refused && *name == "id");
    no_answer && (refused || by_code || worded || coded)
}

/// Reads a number, or a text with a number.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn small(number: Option<u64>) -> Option<u16> {
    number.and_then(|number| u16::try_from(number).ok())
}

/// Returns whether the value of `error` is an error. Some APIs always send the field, with nothing inside.
pub(crate) fn is_error(value: &Value) -> bool {
    match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::String(text) => !text.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Bool(is) => *is,
        Value::Null => false,
    }
}
