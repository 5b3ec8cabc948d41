//! The words of the pages, by language: a flat file each, with the same names and the same places for values.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Language {
    English,
    Chinese,
}

impl Language {
    pub(super) const ALL: [Language; 2] = [Language::English, Language::Chinese];

    /// Returns the language's tag, as in the cookie and in the page.
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Chinese => "zh",
        }
    }

    /// Returns the language's own name.
    pub(super) const fn own_name(self) -> &'static str {
        match self {
            Language::English => "English",
            Language::Chinese => "中文",
        }
    }

    /// Returns the language of a tag such as `zh-CN`.
    pub(super) fn of_tag(tag: &str) -> Option<Language> {
        let main = tag.trim().split(['-', ';']).next().unwrap_or_default();
        Language::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(main))
    }

    /// Returns the first known language of `Accept-Language`. Browsers list the wanted languages in order.
    pub(super) fn accepted(header: &str) -> Option<Language> {
        header.split(',').find_map(Language::of_tag)
    }

    fn words(self) -> &'static HashMap<String, String> {
        static ENGLISH: LazyLock<HashMap<String, String>> = LazyLock::new(|| read(include_str!("text/en.json")));
        static CHINESE: LazyLock<HashMap<String, String>> = LazyLock::new(|| read(include_str!("text/zh.json")));
        match self {
            Language::English => &ENGLISH,
            Language::Chinese => &CHINESE,
        }
    }

    /// Returns the words of a name. A test checks that each name has words.
    pub(super) fn text(self, name: &str) -> &'static str {
        self.words().get(name).map_or("", String::as_str)
    }

    /// Returns the words of a name, or the name itself: for reasons and classes, which other rooms name.
    pub(super) fn text_or<'a>(self, name: &str, other: &'a str) -> &'a str
    where
        'static: 'a,
    {
        self.words().get(name).map_or(other, String::as_str)
    }

    /// Returns the words of a class of failures, of a code of our own errors, or of the reason why an account takes no request.
    /// English pages have the names of logs and metrics for classes and codes.
    pub(super) fn class<'a>(self, name: &'a str) -> &'a str
    where
        'static: 'a,
    {
        self.text_or(&format!("class.{name}"), self.text_or(&format!("reason.{name}"), name))
    }

    /// Returns what an operator can do about a failure, of which the log has the English words.
    pub(super) fn mend(self, english: &'static str) -> &'static str {
        self.text_or(&format!("mend.{english}"), english)
    }

    /// Returns the words of a name with values in place of `{…}`.
    pub(super) fn filled(self, name: &str, values: &[(&str, &str)]) -> String {
        let fill = |text: String, (place, value): &(&str, &str)| text.replace(&format!("{{{place}}}"), value);
        values.iter().fold(self.text(name).to_owned(), fill)
    }
}

fn read(file: &str) -> HashMap<String, String> {
    serde_json::from_str(file).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::error::ERRORS;
    use crate::types::FailureClass;
    use crate::upstream::mends;

    fn places(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(place, _)| place).collect()
    }

    #[test]
    fn all_languages_have_the_same_names_and_places() {
        let english = Language::English.words();
        assert!(english.len() > 50, "the file is read");
        for language in Language::ALL {
            let words = language.words();
            let names = |words: &HashMap<String, String>| words.keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(names(english), names(words), "{}", language.tag());
            for (name, text) in words {
                assert_eq!(places(text), places(&english[name]), "{}: {name}", language.tag());
                assert!(!text.trim().is_empty(), "{}: {name}", language.tag());
            }
        }
    }

    #[test]
    fn everything_that_operators_are_told_to_do_has_words() {
        for mend in mends() {
            assert_eq!(Language::English.mend(mend), mend);
            assert!(!Language::Chinese.mend(mend).is_ascii(), "{mend} has no Chinese words");
        }
    }

    #[test]
    fn every_name_in_the_code_is_there_and_every_name_there_is_used() {
        let mut code = String::new();
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("reads").map_while(Result::ok) {
                match entry.path() {
                    path if path.is_dir() => folders.push(path),
                    path if path.extension().is_some_and(|e| e == "rs") => {
                        code += &fs::read_to_string(path).expect("reads")
                    }
                    _ => {}
                }
            }
        }
        let words = Language::English.words();
        for call in ["text(\"", "filled(\"", ".t(\"", ".tr(\""] {
            for used in
                code.split(call).skip(1).filter_map(|rest| rest.split('"').next()).filter(|name| name.contains('.'))
            {
                assert!(words.contains_key(used), "no words for {used}");
            }
        }
        // Names made from values: the begin stands in the code, as in `state.{…}`.
        let begins: Vec<&str> =
            code.split("\"").filter_map(|text| text.split_once(".{")).map(|(begin, _)| begin).collect();
        let is_made = |name: &str| begins.iter().any(|begin| name.split('.').next() == Some(*begin));
        for name in words.keys().filter(|name| !is_made(name)) {
            assert!(code.contains(&format!("\"{name}\"")), "{name} is used nowhere");
        }
    }

    #[test]
    fn every_class_of_failures_and_every_code_of_ours_has_words() {
        let classes = FailureClass::ALL.map(FailureClass::as_str);
        let codes = ERRORS.iter().map(|row| row.code);
        for name in classes.into_iter().chain(codes) {
            let words = format!("class.{name}");
            assert_eq!(Language::English.text(&words), name, "add {words} to both files of src/ui/text");
            assert!(!Language::Chinese.class(name).is_ascii(), "{words} has no Chinese words");
        }
    }

    #[test]
    fn the_first_known_language_is_taken() {
        for (header, language) in [
            ("de-DE,zh-CN;q=0.8,en;q=0.5", Some(Language::Chinese)),
            ("en-US,en;q=0.9", Some(Language::English)),
            ("ZH", Some(Language::Chinese)),
            ("de", None),
            ("", None),
        ] {
            assert_eq!(Language::accepted(header), language, "{header}");
        }
    }
}
