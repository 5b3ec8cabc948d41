//! The hint in the 404 of a path that is not served: what was probably meant, or what there is instead.

use super::paths::served_below;
use crate::dialect::gemini_verbs;

/// The longest path that is compared with those that are served, in bytes.
const LONGEST_COMPARED: usize = 64;

/// How many letters a path may differ from the one that is meant.
const MOST_MISTYPED: usize = 3;

/// What OpenAI has and this pool has not, by the begin of the path below `/v1/`.
const NOT_HERE: [&str; 4] = ["engines", "fine-tunes", "organization", "projects"];

/// Returns the hint.
pub(super) fn hint(path: &str) -> String {
    let below = below(path);
    let is_of =
        |begin: &&&str| below.strip_prefix(**begin).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if let Some(begin) = NOT_HERE.iter().find(is_of) {
        let served: Vec<&str> = served_below().collect();
        return format!(
            "OpenAI's /v1/{begin} is not supported by this pool, which serves {} below /v1/",
            served.join(", ")
        );
    }
    match near(path) {
        Some(near) => format!("did you mean /v1/{near}?"),
        None => "this pool serves /v1/chat/completions, /v1/models and others".to_owned(),
    }
}

/// Returns the hint for a verb of Gemini's API that is not served.
pub(super) fn geminis_hint() -> String {
    let verbs: Vec<&str> = gemini_verbs().collect();
    format!("of Gemini's API this pool serves {} of a model, and GET /v1beta/models", verbs.join(", "))
}

fn below(path: &str) -> &str {
    let path = path.trim_matches('/');
    path.strip_prefix("v1/").unwrap_or(path)
}

/// Returns the part below `/v1/` of a served path that is near to an unknown one.
fn near(path: &str) -> Option<&'static str> {
    let path = path.trim_end_matches('/').to_ascii_lowercase();
    let end = |below: &&'static str| path.strip_suffix(*below).is_some_and(|before| before.ends_with('/'));
    if let Some(below) = served_below().find(end) {
        return Some(below);
    }
    let below = below(&path);
    if below.len() > LONGEST_COMPARED {
        return None;
    }
    if matches!(below, "chat" | "api/chat" | "api/generate") {
        return Some("chat/completions");
    }
    let nearest = served_below().map(|served| (strsim::damerau_levenshtein(below, served), served)).min();
    nearest
        .filter(|(letters, served)| *letters <= MOST_MISTYPED && letters * 2 <= served.len())
        .map(|(_, served)| served)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_openai_has_and_the_pool_has_not_is_called_so() {
        for path in ["/v1/engines", "/v1/engines/x/edits", "/v1/fine-tunes", "/v1/organization/x", "/projects"] {
            let hint = hint(path);
            assert!(hint.contains("is not supported by this pool, which serves chat/completions, "), "{path}: {hint}");
        }
        assert_eq!(hint("/v1/filesystem"), "this pool serves /v1/chat/completions, /v1/models and others");
        assert_eq!(hint("/v1/CHAT/completions"), "did you mean /v1/chat/completions?");
    }

    #[test]
    fn an_unknown_path_is_near_to_one_that_is_served() {
        for (typed, below) in [
            ("/api/v1/chat/completions", Some("chat/completions")),
            ("/v1/chat/completions/chat/completions", Some("chat/completions")),
            ("/v1/chat/completion", Some("chat/completions")),
            ("/v1/embedings", Some("embeddings")),
            ("/v1/model", Some("models")),
            ("/v1/nothing-of-this", None),
            ("/V1/Chat/Completions", Some("chat/completions")),
            ("/v1/chat", Some("chat/completions")),
            ("/", None),
            ("/favicon.ico", None),
        ] {
            assert_eq!(near(typed), below, "{typed}");
        }
    }
}
