//! Names like one that does not exist: what was probably meant.

use crate::types::sorted;
use std::sync::Arc;

/// The most names in an answer.
const MOST_SHOWN: usize = 3;

/// The most names that are compared, and the longest, in bytes: an answer to a made-up name must not take long.
const MOST_COMPARED: usize = 2_000;
const LONGEST_COMPARED: usize = 64;

/// Returns the names that are near to `asked`, the nearest first.
pub(super) fn similar(asked: &str, names: &[Arc<str>]) -> Vec<Arc<str>> {
    if asked.len() > LONGEST_COMPARED {
        return Vec::new();
    }
    let asked = plain(asked);
    let compared = names.iter().filter(|name| name.len() <= LONGEST_COMPARED).take(MOST_COMPARED);
    let mut near: Vec<(usize, &Arc<str>)> =
        compared.filter_map(|name| Some((distance(&asked, &plain(name))?, name))).collect();
    sorted::sort(&mut near);
    near.into_iter().take(MOST_SHOWN).map(|(_, name)| name.clone()).collect()
}

/// Returns a name without the letter case, the provider in front (`openai/`) and the marks between words.
fn plain(name: &str) -> String {
    let own = name.rsplit('/').next().unwrap_or(name);
    own.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Returns how many letters differ; `None` if too many do.
fn distance(asked: &str, name: &str) -> Option<usize> {
    let (shorter, longer) = if asked.len() < name.len() { (asked, name) } else { (name, asked) };
    // A version or a date behind the name.
    if shorter.len() >= 4 && longer.starts_with(shorter) {
        return Some(usize::from(shorter != longer) * 2);
    }
    let most = 1 + shorter.len() / 6;
    if longer.len() - shorter.len() > most * 4 {
        return None;
    }
    Some(strsim::osa_distance(asked, name)).filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_probably_meant_comes_first() {
        let names = [
            "gpt-4o",
            "gpt-4o-mini",
            "claude-sonnet-4-5",
            "openai/o3",
            "模型-一",
            "deepseek-chat",
            "deepseek-reasoner",
        ];
        let names: Vec<Arc<str>> = names.into_iter().map(Arc::from).collect();
        let long = "gpt-4o".repeat(50);
        for (asked, meant) in [
            ("gpt-4o-mni", &["gpt-4o-mini", "gpt-4o"][..]),
            ("GPT-4o-mini", &["gpt-4o-mini", "gpt-4o"]),
            ("openai/gpt-4o", &["gpt-4o", "gpt-4o-mini"]),
            ("gpt4o", &["gpt-4o", "gpt-4o-mini"]),
            ("claude-sonnet-4.5", &["claude-sonnet-4-5"]),
            ("claude-sonnet-4-5-20250929", &["claude-sonnet-4-5"]),
            ("deepseek", &["deepseek-chat", "deepseek-reasoner"]),
            ("o3", &["openai/o3"]),
            ("模型-二", &["模型-一"]),
            ("llama-3.3-70b", &[]),
            ("", &[]),
            (&long, &[]),
        ] {
            let found = similar(asked, &names);
            let found: Vec<&str> = found.iter().map(|name| &**name).collect();
            assert_eq!(found, meant, "{asked}");
        }
    }
}
