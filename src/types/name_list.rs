//! A list of names as typed in the configuration, where `*` stands for any text.

use std::sync::Arc;

use super::NamePattern;

/// Which names are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameList {
    /// The names without `*`.
    names: Vec<Arc<str>>,
    /// The names with `*`.
    patterns: Vec<NamePattern>,
}

impl NameList {
    /// Takes a list as typed.
    pub fn of<S: AsRef<str>>(typed: &[S]) -> NameList {
        let plain = typed.iter().map(AsRef::as_ref).filter(|name| NamePattern::parse(name).is_none());
        NameList {
            names: plain.map(Arc::from).collect(),
            patterns: typed.iter().filter_map(|name| NamePattern::parse(name.as_ref())).collect(),
        }
    }

    /// Returns the list of this name alone.
    pub fn only(name: &str) -> NameList {
        NameList { names: vec![Arc::from(name)], patterns: Vec::new() }
    }

    /// Returns whether a name is in the list, or a pattern of the list matches the name.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|listed| **listed == *name) || self.patterns.iter().any(|pattern| pattern.matches(name))
    }

    /// Returns the entries as typed: the names first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name).chain(self.patterns.iter().map(NamePattern::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_its_names_and_what_its_patterns_match() {
        let list = NameList::of(&["gpt-4*", "smart", "*-mini"]);
        for (name, has) in [("gpt-4o", true), ("smart", true), ("smarter", false), ("o3-mini", true), ("gpt-5", false)]
        {
            assert_eq!(list.has(name), has, "{name}");
        }
        assert_eq!(list.iter().collect::<Vec<_>>(), ["smart", "gpt-4*", "*-mini"]);
    }
}
