//! TOML.

use toml_edit::{DocumentMut, Item, TableLike, Value};

use super::MergeError;

/// Puts the keys of `lines` into `text`.
pub(super) fn merge(text: &str, lines: &str) -> Result<String, MergeError> {
    let mut document = parse(text)?;
    let wanted = parse(lines)?;
    let before = document.to_string();
    put(document.as_table_mut(), wanted.as_table(), "")?;
    let result = document.to_string();
    if result == before {
        return Ok(text.to_owned());
    }
    // What was put in must be found again.
    let mut again = parse(&result)?;
    put(again.as_table_mut(), wanted.as_table(), "")?;
    if again.to_string() == result { Ok(result) } else { Err(MergeError::Odd("it can't be edited safely")) }
}

fn parse(text: &str) -> Result<DocumentMut, MergeError> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
        MergeError::Unreadable { line, why: "this is not valid TOML" }
    })
}

fn put(into: &mut dyn TableLike, wanted: &dyn TableLike, at: &str) -> Result<(), MergeError> {
    for (name, item) in wanted.iter() {
        let here = format!("{at}{name}");
        let Some(old) = into.get_mut(name) else {
            into.insert(name, unplaced(item.clone()));
            continue;
        };
        match (item.as_table_like(), old.is_table_like()) {
            (Some(wanted), true) => {
                if let Some(old) = old.as_table_like_mut() {
                    put(old, wanted, &format!("{here}."))?;
                }
            }
            (None, false) => {
                let (Some(new), Some(old)) = (item.as_value(), old.as_value_mut()) else {
                    return Err(MergeError::OtherKind(here));
                };
                set(old, new);
            }
            (Some(_), false) | (None, true) => return Err(MergeError::OtherKind(here)),
        }
    }
    Ok(())
}

/// Sets a value, if it is another. A comment behind the old one stays.
fn set(old: &mut Value, new: &Value) {
    let bare = |value: &Value| value.clone().decorated("", "").to_string();
    let is_same_text = old.as_str().is_some() && old.as_str() == new.as_str();
    if is_same_text || bare(old) == bare(new) {
        return;
    }
    let decor = old.decor().clone();
    *old = new.clone();
    *old.decor_mut() = decor;
}

/// Returns an item that stands behind all others: its place in the recipe means nothing here.
fn unplaced(mut item: Item) -> Item {
    if let Some(table) = item.as_table_mut() {
        table.set_position(None);
        for (_, below) in table.iter_mut() {
            let free = unplaced(std::mem::take(below));
            *below = free;
        }
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "model = \"m\"\nmodel_provider = \"pool\"\n\n[model_providers.pool]\nname = \"pool\"\nbase_url = \"http://x/v1\"\n";

    #[test]
    fn what_a_person_wrote_stays() {
        let text = "# mine\nmodel = \"old\" # the best\n\n[model_providers.other]\nname = \"other\"\n\n# of pool\n[model_providers.pool]\nbase_url = \"http://old\"\nkeep = 1\n\n[tui]\ntheme = \"dark\"\n";
        let merged = merge(text, LINES).expect("merged");
        for kept in [
            "# mine\nmodel = \"m\" # the best\n",
            "[model_providers.other]\nname = \"other\"\n",
            "# of pool\n[model_providers.pool]\nbase_url = \"http://x/v1\"\nkeep = 1\nname = \"pool\"\n",
            "[tui]\ntheme = \"dark\"\n",
        ] {
            assert!(merged.contains(kept), "no {kept:?} in:\n{merged}");
        }
        let model_provider = merged.find("model_provider = ").expect("there");
        assert!(model_provider < merged.find('[').expect("a table"), "at the root:\n{merged}");
        assert_eq!(merge(&merged, LINES).as_ref(), Ok(&merged), "a second time changes nothing");
    }

    #[test]
    fn new_tables_come_behind_the_others() {
        let merged = merge("[tui]\ntheme = \"dark\"\n", LINES).expect("merged");
        let (tui, pool) = (merged.find("[tui]").expect("there"), merged.find("[model_providers.pool]").expect("there"));
        assert!(tui < pool, "{merged}");
        let inline = merge("model_providers = { a = { name = \"a\" } }\n", LINES).expect("merged");
        assert!(inline.contains("a = { name = \"a\" }") && inline.parse::<DocumentMut>().is_ok(), "{inline}");
    }

    #[test]
    fn what_cannot_be_read_or_edited_is_refused() {
        let unreadable = MergeError::Unreadable { line: 2, why: "this is not valid TOML" };
        assert_eq!(merge("a = 1\nb = \n", LINES), Err(unreadable));
        let other = |at: &str| Err(MergeError::OtherKind(at.to_owned()));
        assert_eq!(merge("model_providers = 1\n", LINES), other("model_providers"));
        assert_eq!(merge("[model]\na = 1\n", LINES), other("model"));
    }
}
