//! Environment variables in the texts of a configuration.

use serde_json::Value;

use super::problem::Problem;

/// Puts environment variables into every string of `value`.
pub(super) fn substitute(value: &mut Value, at: &str, problems: &mut Vec<Problem>) {
    match value {
        Value::String(text) if text.contains("${") => match expand(text, |name| std::env::var(name).ok()) {
            Ok(expanded) => *text = expanded,
            Err(why) => problems.push(Problem::new(at, why)),
        },
        Value::Array(items) => {
            for (i, item) in items.iter_mut().enumerate() {
                substitute(item, &format!("{at}[{i}]"), problems);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                substitute(field, &at, problems);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Returns a variable. An empty one is not set, as in compose files.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// `${NAME}`, `${NAME:-default}`, and `$${` for a literal `${`.
pub(super) fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(escaped) = before.strip_suffix('$') {
            out.push_str(escaped);
            out.push_str("${");
            rest = after;
            continue;
        }
        let Some((inner, tail)) = after.split_once('}') else {
            return Err("has ${ without a closing }; write $${ for a literal ${".to_owned());
        };
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        out.push_str(before);
        match lookup(name).filter(|found| !found.is_empty() || default.is_none()) {
            Some(found) => out.push_str(&found),
            None => out.push_str(default.ok_or_else(|| unset(name))?),
        }
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

/// Describes a variable that is not set. A name unlike a variable's may be a key, and is not shown.
fn unset(name: &str) -> String {
    let is_upper = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    let is_lower = |b: u8| b.is_ascii_lowercase() || b == b'_';
    if name.bytes().all(is_upper) || name.bytes().all(is_lower) {
        let mend = "set it in the environment, or in a file .env in the folder where the program starts";
        format!("the environment variable {name} is not set; {mend}")
    } else {
        "${…} names an environment variable that is not set; its name is not shown, as it may be a key".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_into_text() {
        let env = |name: &str| match name {
            "KEY" => Some("k".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        for (text, expanded) in [
            ("a${KEY}b", Ok("akb")),
            ("${KEY}${KEY}", Ok("kk")),
            ("${NONE:-d}", Ok("d")),
            ("${EMPTY:-d}", Ok("d")),
            ("${EMPTY}", Ok("")),
            ("$${KEY}", Ok("${KEY}")),
            ("plain $5", Ok("plain $5")),
            ("${KEY", Err("has ${ without a closing }; write $${ for a literal ${")),
        ] {
            assert_eq!(expand(text, env).as_deref().map_err(String::as_str), expanded, "{text}");
        }
        let unset = expand("${NONE}", env).expect_err("not set");
        assert!(unset.starts_with("the environment variable NONE is not set; set it in"), "{unset}");
    }
}
