//! The lines for a program's settings: a template of `recipes/` with the server's address, models and key put in.
//!
//! | In a template | Stands for |
//! |---|---|
//! | `{root}`, `{base}` | the server's URL without and with `/v1` |
//! | `{key}` | a client's key |
//! | `{model}`, `{small}` | the chosen model, and the one for small tasks |
//! | `{opus}`, `{sonnet}`, `{haiku}` | the model for each role of Claude Code |
//! | a line with `{each}` | a line for each model |

/// What goes into a template.
#[derive(Debug, Clone)]
pub(crate) struct Values {
    /// The server's URL without `/v1` and without a `/` at the end.
    pub(crate) root: String,
    pub(crate) key: String,
    pub(crate) models: Chosen,
}

/// The models of a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) model: String,
    pub(crate) small: String,
    /// By the roles of Claude Code.
    pub(crate) opus: String,
    pub(crate) sonnet: String,
    pub(crate) haiku: String,
    /// The models that the program may show, with the chosen models among them.
    pub(crate) listed: Vec<String>,
}

impl Values {
    /// Returns a template with the values put in. The values need no quotation marks: each of them [`is_plain`].
    pub(crate) fn put_into(&self, template: &str) -> String {
        let mut text = String::new();
        for line in template.lines() {
            if line.contains("{each}") {
                let lines: Vec<String> = self.models.listed.iter().map(|name| line.replace("{each}", name)).collect();
                text.push_str(&lines.join(",\n"));
            } else {
                text.push_str(line);
            }
            text.push('\n');
        }
        let models = &self.models;
        let pairs = [
            ("{root}", &self.root),
            ("{base}", &format!("{}/v1", self.root)),
            ("{key}", &self.key),
            ("{model}", &models.model),
            ("{small}", &models.small),
            ("{opus}", &models.opus),
            ("{sonnet}", &models.sonnet),
            ("{haiku}", &models.haiku),
        ];
        pairs.iter().fold(text, |text, (name, value)| text.replace(name, value))
    }
}

/// Returns whether a text can stand in quotes in every format of settings, and in a shell's command.
pub(crate) fn is_plain(text: &str) -> bool {
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || "\"'\\`${}".contains(c);
    !text.is_empty() && !text.chars().any(is_odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_in_and_a_line_is_repeated_for_each_model() {
        let models = Chosen {
            model: "m".to_owned(),
            small: "s".to_owned(),
            opus: "o".to_owned(),
            sonnet: "n".to_owned(),
            haiku: "h".to_owned(),
            listed: vec!["a".to_owned(), "b".to_owned()],
        };
        let values = Values { root: "http://x".to_owned(), key: "sk".to_owned(), models };
        let template = "{base} {root} {key} {env:POOL_KEY}\n  \"{each}\": 1\n{model} {small}\n";
        assert_eq!(values.put_into(template), "http://x/v1 http://x sk {env:POOL_KEY}\n  \"a\": 1,\n  \"b\": 1\nm s\n");
    }

    #[test]
    fn what_would_need_quoting_is_known() {
        for plain in ["sk-123", "openai/gpt-5.1:free", "模型@v1"] {
            assert!(is_plain(plain), "{plain}");
        }
        for odd in ["", "a b", "a\"b", "a'b", "a\\b", "$x", "{x}", "a\nb", "`x`"] {
            assert!(!is_plain(odd), "{odd:?}");
        }
    }
}
