//! A table of prices as comma-separated values: ours, and any with the same names of columns.

use std::collections::HashSet;

use super::row::{AMOUNTS, PriceRow, amount, unit_of};
use crate::types::{PartialPrice, Price};

/// What a text holds.
#[derive(Debug, Default)]
pub(super) struct CsvRead {
    pub(super) rows: Vec<PriceRow>,
    /// The date in the comments, `2026-07-02`.
    pub(super) as_of: Option<String>,
    /// Each with the number of the line. No text of the file is quoted.
    pub(super) problems: Vec<String>,
}

/// Reads a table. Comments begin with `#`. The first other line names the columns; further columns are left alone.
pub(super) fn read(text: &str) -> CsvRead {
    let mut read = CsvRead::default();
    let mut header: Option<Vec<String>> = None;
    let mut seen: HashSet<(String, String)> = HashSet::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let line = line.trim();
        if let Some(comment) = line.strip_prefix('#') {
            read.as_of = read.as_of.or_else(|| date_in(comment));
            continue;
        }
        if line.is_empty() {
            continue;
        }
        let cells = match split(line) {
            Some(cells) => cells,
            None => {
                read.problems
                    .push(format!("line {number}: has a quote that is not closed; put quotes around a whole cell"));
                continue;
            }
        };
        match &header {
            None => match columns(cells) {
                Ok(columns) => header = Some(columns),
                Err(why) => {
                    read.problems.push(format!("line {number}: {why}"));
                    return read;
                }
            },
            Some(columns) => match row(columns, &cells) {
                Ok(row) if !seen.insert((row.provider.clone(), row.model.clone())) => {
                    read.problems
                        .push(format!("line {number}: is the second row of this provider and model; keep one"));
                }
                Ok(row) => read.rows.push(row),
                Err(why) => read.problems.push(format!("line {number}: {why}")),
            },
        }
    }
    if header.is_none() {
        read.problems.push(format!("has no line with the names of the columns: provider,model,{}", AMOUNTS.join(",")));
    }
    read
}

/// Returns the first date in a comment.
fn date_in(comment: &str) -> Option<String> {
    let words = comment.split(|c: char| !c.is_ascii_digit() && c != '-');
    words.map(str::to_owned).find(|word| word.len() == 10 && word.parse::<jiff::civil::Date>().is_ok())
}

fn columns(cells: Vec<String>) -> Result<Vec<String>, String> {
    let names: Vec<String> = cells.into_iter().map(|cell| cell.trim().to_lowercase()).collect();
    for needed in ["provider", "model", "input", "output"] {
        if !names.iter().any(|name| name == needed) {
            let wanted =
                "provider,model,input,output and perhaps cache_read,cache_write,cache_write_1h,reasoning,per_image";
            return Err(format!("names no column {needed}; the first line must name the columns: {wanted}"));
        }
    }
    Ok(names)
}

fn row(columns: &[String], cells: &[String]) -> Result<PriceRow, String> {
    if cells.len() > columns.len() {
        return Err(format!("has {} cells, and the first line names {} columns", cells.len(), columns.len()));
    }
    let mut row = PriceRow { provider: String::new(), model: String::new(), price: PartialPrice::default() };
    for (column, cell) in columns.iter().zip(cells) {
        let cell = cell.trim();
        match (column.as_str(), amount(&mut row.price, column)) {
            ("provider", _) => row.provider = cell.to_owned(),
            ("model", _) => row.model = cell.to_owned(),
            (_, Some(place)) if !cell.is_empty() => {
                let read = Price::read_dollars(cell);
                let wanted = "must be a number of dollars for a million tokens, such as 2.5, or empty";
                *place = Some(read.ok_or_else(|| format!("{column} {wanted}"))?);
            }
            (_, None) if !cell.is_empty() => {
                if let Some(unit) = unit_of(column) {
                    let wanted = "must be a number of dollars for one, such as 0.04, or empty";
                    let dollars = Price::read_dollars_of_one(cell).ok_or_else(|| format!("{column} {wanted}"))?;
                    row.price.per_unit.set(unit, dollars);
                }
            }
            (_, Some(_) | None) => {}
        }
    }
    for (column, cell) in [("provider", &row.provider), ("model", &row.model)] {
        if cell.is_empty() {
            return Err(format!("{column} must not be empty; * stands for any"));
        }
    }
    if row.price.filled().is_none() {
        return Err("input must not be empty; 0 for a free model".to_owned());
    }
    Ok(row)
}

/// Returns the cells of a line; `None` for an open quote.
fn split(line: &str) -> Option<Vec<String>> {
    let mut cells = vec![String::new()];
    let mut is_quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let cell = cells.last_mut()?;
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' if is_quoted || cell.trim().is_empty() => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(String::new()),
            other => cell.push(other),
        }
    }
    (!is_quoted).then_some(cells)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::prices::write_csv;

    #[test]
    fn a_table_is_read_by_the_names_of_its_columns_and_written_alike() {
        let text = "# Dollars for a million tokens, as of 2026-07-02 (x)\r\nModel,provider,output,input,context,cache_write_1h\r\n\
                    \"a,\"\"b\",groq,2,0.15,131072,\r\n\r\n# more\r\n*,ollama,0,0\r\n";
        let read = read(text);
        assert_eq!((read.problems, read.as_of.as_deref()), (Vec::new(), Some("2026-07-02")));
        let expected = "# x\nprovider,model,input,output,cache_read,cache_write,cache_write_1h,reasoning\n\
                        groq,\"a,\"\"b\",0.15,2,,,,\nollama,*,0,0,,,,\n";
        assert_eq!(write_csv(&read.rows, "x"), expected);
        assert_eq!(super::read(expected).rows, read.rows);
    }

    #[test]
    fn other_units_have_columns_of_their_own_and_may_stand_alone() {
        let text = "provider,model,input,output,per_search,per_image\nopenai,dall-e-3,,,,0.04\nopenai,chat,1,2,0.01,\n";
        let read = read(text);
        assert_eq!(read.problems, Vec::<String>::new());
        let expected = "# x\nprovider,model,input,output,cache_read,cache_write,cache_write_1h,reasoning,per_image,per_search\n\
                        openai,dall-e-3,,,,,,,0.04,\nopenai,chat,1,2,,,,,,0.01\n";
        assert_eq!(write_csv(&read.rows, "x"), expected);
        assert_eq!(super::read(expected).rows, read.rows);
        let bad = super::read("provider,model,input,output,per_image\na,b,1,2,sk-secret\n");
        assert_eq!(bad.problems, ["line 2: per_image must be a number of dollars for one, such as 0.04, or empty"]);
    }

    #[test]
    fn each_bad_row_is_named_with_its_line_and_a_mend_and_never_quoted() {
        let text = "provider,model,input,output\ngroq,a,1,2\ngroq,a,1,2\ngroq,,1,2\n,b,1,2\ngroq,c,sk-secret,2\n\
                    groq,d,-1,2\ngroq,e,,2\ngroq,f,1,2,3\ngroq,\"g,1,2\n";
        let read = read(text);
        let expected = [
            "line 3: is the second row of this provider and model; keep one",
            "line 4: model must not be empty; * stands for any",
            "line 5: provider must not be empty; * stands for any",
            "line 6: input must be a number of dollars for a million tokens, such as 2.5, or empty",
            "line 7: input must be a number of dollars for a million tokens, such as 2.5, or empty",
            "line 8: input must not be empty; 0 for a free model",
            "line 9: has 5 cells, and the first line names 4 columns",
            "line 10: has a quote that is not closed; put quotes around a whole cell",
        ];
        assert_eq!(read.problems, expected);
        for (text, said) in [
            ("", "has no line with the names of the columns"),
            ("# only\n", "has no line"),
            ("provider;model;input;output\n", "line 1: names no column provider"),
            ("sk-secret\n", "line 1: names no column provider"),
        ] {
            let problems = super::read(text).problems.join("\n");
            assert!(problems.contains(said) && !problems.contains("secret"), "{problems}");
        }
    }
}
