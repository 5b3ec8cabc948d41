//! What is secret in a text without a name that says so. Pure.

use crate::config::begins_like_key;

/// The shortest text that is taken for a key by its beginning, and the shortest part of a path that is taken for a key by its
/// letters and digits.
const SHORTEST: usize = 20;

/// Words and signs that may stand beside a variable.
const BESIDE: [&str; 3] = ["Bearer", "Basic", "Token"];

/// Returns whether a text is as long as a key, and begins like one.
pub(super) fn looks_like_key(text: &str) -> bool {
    text.len() >= SHORTEST && begins_like_key(text)
}

/// Returns whether a text consists of variables (`${NAME}`), without a default.
pub(super) fn is_reference(text: &str) -> bool {
    let mut rest = text;
    let mut beside = String::new();
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, behind)) = after.split_once('}') else { return false };
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if before.ends_with('$') || !is_name {
            return false;
        }
        beside.push_str(before);
        rest = behind;
    }
    let has_variable = rest.len() < text.len();
    beside.push_str(rest);
    let beside = BESIDE.iter().fold(beside, |beside, word| beside.replace(word, ""));
    has_variable && beside.chars().all(|c| ":/=&?@ ".contains(c))
}

/// Returns the parts of a URL around its secret parts; `None` if there are no secrets.
pub(super) fn without_secret_parts(text: &str, hides_path: bool) -> Option<Vec<String>> {
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let is_url = !scheme.is_empty();
    let user_end = rest.rfind('@').filter(|at| is_url || rest.get(..*at).is_some_and(|user| user.contains(':')));
    if !is_url && user_end.is_none() {
        return None;
    }
    // A password may hold any sign, so that the last @ ends the user's part.
    let (user, host) =
        user_end.map_or(("", rest), |at| (rest.get(..at).unwrap_or(rest), rest.get(at..).unwrap_or_default()));
    let (host, behind) = host.split_at(host.find(['/', '?', '#']).unwrap_or(host.len()));
    let (path, query) = behind.split_at(behind.find(['?', '#']).unwrap_or(behind.len()));
    let hides_path = (hides_path && is_secret(path.trim_matches('/'))) || path.split('/').any(looks_random);
    let begin = if is_url { format!("{scheme}://") } else { String::new() };
    let mut parts = vec![begin];
    let mut add = |part: &str, is_hidden: bool, visible: &str| {
        let last = parts.last_mut();
        match last {
            Some(last) if !is_hidden => last.push_str(part),
            Some(_) | None => parts.push(String::new()),
        }
        if let Some(last) = parts.last_mut().filter(|_| !visible.is_empty()) {
            last.push_str(visible);
        }
    };
    add(user, is_secret(user), host);
    if hides_path {
        add("", false, "/");
        add(path, true, "");
    } else {
        add(path, false, "");
    }
    let (mark, query) = query.split_at(query.len().min(1));
    add("", false, mark);
    add(query, is_secret(query), "");
    (parts.len() > 1).then_some(parts)
}

fn is_secret(part: &str) -> bool {
    !part.is_empty() && !is_reference(part)
}

/// Returns whether a part of a path has the letters and digits of a key, and not those of a word or a version.
fn looks_random(part: &str) -> bool {
    let has = |is: fn(&u8) -> bool| part.as_bytes().iter().any(is);
    part.len() >= SHORTEST && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) && !part.contains("${")
        || looks_like_key(part)
}
