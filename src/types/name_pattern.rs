//! Names of models as typed in the configuration, where `*` stands for any text.

use super::sorted;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Stands for any text in a typed name, the empty one as well.
const ANY_TEXT: char = '*';

/// A name with `*`: `claude-*`, `gpt-*-mini`, `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamePattern(Arc<str>);

impl NamePattern {
    /// Returns the pattern; `None` for a name without `*`.
    pub fn parse(typed: &str) -> Option<NamePattern> {
        typed.contains(ANY_TEXT).then(|| NamePattern(Arc::from(typed)))
    }

    /// Returns the pattern for all names.
    pub fn any() -> NamePattern {
        NamePattern(Arc::from("*"))
    }

    /// Returns the pattern as typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether a name has all the texts around the `*`, in order, at the right ends. Letter case counts.
    pub fn matches(&self, name: &str) -> bool {
        let Some((begin, rest)) = self.0.split_once(ANY_TEXT) else { return *self.0 == *name };
        let (middle, end) = rest.rsplit_once(ANY_TEXT).unwrap_or(("", rest));
        let Some(mut left) = name.strip_prefix(begin).and_then(|left| left.strip_suffix(end)) else { return false };
        // The first place of each text leaves the most for the next ones.
        middle.split(ANY_TEXT).all(|text| match left.split_once(text) {
            Some((_, behind)) => {
                left = behind;
                true
            }
            None => false,
        })
    }

    /// Returns the length of the text around the `*`.
    fn literal_len(&self) -> usize {
        self.0.chars().filter(|c| *c != ANY_TEXT).count()
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A table by names and patterns of names.
///
/// The exact name comes first, then the matching pattern with the most text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByName<V> {
    exact: BTreeMap<Arc<str>, V>,
    /// The one with the most text first.
    patterns: Vec<(NamePattern, V)>,
}

impl<V> Default for ByName<V> {
    fn default() -> Self {
        ByName { exact: BTreeMap::new(), patterns: Vec::new() }
    }
}

impl<V> ByName<V> {
    /// Returns the value for a name.
    pub fn get(&self, name: &str) -> Option<&V> {
        let by_pattern = || self.patterns.iter().find(|(pattern, _)| pattern.matches(name)).map(|(_, value)| value);
        self.exact.get(name).or_else(by_pattern)
    }

    /// Returns the entries under names without `*`, sorted.
    pub fn exact(&self) -> impl Iterator<Item = (&Arc<str>, &V)> {
        self.exact.iter()
    }

    /// Returns the names without `*`, sorted.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.exact.keys()
    }

    /// Returns the patterns, the one with the most text first.
    pub fn patterns(&self) -> impl Iterator<Item = &NamePattern> {
        self.patterns.iter().map(|(pattern, _)| pattern)
    }

    /// Returns all entries as typed, the exact names first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        let exact = self.exact.iter().map(|(name, value)| (&**name, value));
        exact.chain(self.patterns.iter().map(|(pattern, value)| (pattern.as_str(), value)))
    }

    /// Returns whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.patterns.is_empty()
    }
}

impl<V> FromIterator<(Arc<str>, V)> for ByName<V> {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, V)>>(entries: I) -> Self {
        let mut table = ByName::default();
        for (typed, value) in entries {
            match NamePattern::parse(&typed) {
                Some(pattern) => table.patterns.push((pattern, value)),
                None => drop(table.exact.insert(typed, value)),
            }
        }
        sorted::sort_by_key(&mut table.patterns, |(pattern, _)| (Reverse(pattern.literal_len()), pattern.clone()));
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, matching, others) in [
            ("*", &["", "a", "openai/gpt-4o:free", "模型"][..], &[][..]),
            ("claude-*", &["claude-", "claude-opus-4-8", "claude-*"], &["claude", "Claude-3", "a-claude-3"]),
            ("*-mini", &["gpt-4o-mini", "-mini"], &["mini", "gpt-4o-mini-2"]),
            ("gpt-*-mini", &["gpt-4o-mini", "gpt--mini"], &["gpt-mini", "gpt-4o", "gpt-4o-mini-x"]),
            ("*gpt*4*", &["gpt4", "openai/gpt-4o", "gpt-3-4"], &["4gpt", "gp4t"]),
            ("a*a", &["aa", "aba"], &["a", "ab"]),
            ("*/*:free", &["z/m:free", "a/b/c:free"], &["m:free"]),
            ("**", &["", "a"], &[]),
            ("模*", &["模型"], &["型模"]),
            ("a*ab*b", &["aabb", "axabxb"], &["aab", "abb"]),
        ] {
            let parsed = NamePattern::parse(pattern).expect("a pattern");
            for name in matching {
                assert!(parsed.matches(name), "{pattern} {name}");
            }
            for name in others {
                assert!(!parsed.matches(name), "{pattern} {name}");
            }
        }
        assert_eq!(NamePattern::parse("gpt-4o"), None);
    }

    #[test]
    fn the_exact_name_comes_first_and_then_the_pattern_with_the_most_text() {
        let entries = [("*", 0), ("claude-*", 1), ("claude-haiku-*", 2), ("claude-haiku-4-5", 3), ("*-haiku-4", 4)];
        let table: ByName<i32> = entries.into_iter().map(|(name, value)| (Arc::from(name), value)).collect();
        for (name, value) in
            [("claude-haiku-4-5", 3), ("claude-haiku-4", 2), ("claude-opus-4", 1), ("my-haiku-4", 4), ("gpt-4o", 0)]
        {
            assert_eq!(table.get(name), Some(&value), "{name}");
        }
        let typed: Vec<&str> = table.iter().map(|(typed, _)| typed).collect();
        assert_eq!(typed, ["claude-haiku-4-5", "claude-haiku-*", "*-haiku-4", "claude-*", "*"]);
        assert_eq!(ByName::<i32>::default().get("a"), None);
    }
}
