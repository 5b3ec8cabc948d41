//! A table with columns as wide as their widest cell.

use std::io::{self, Write};

use super::one_line::one_line;
use super::paint::{Paint, Tone};

/// Between two columns.
const GAP: &str = "  ";

/// What is printed in columns.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<(String, Option<Tone>)>>,
}

impl Table {
    /// Returns a table without rows.
    pub(crate) fn new(head: &[&str]) -> Table {
        Table { head: head.iter().map(|&name| name.to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row. A cell may have a tone, and paints nothing by itself: names come from clients and upstreams.
    pub(crate) fn row(&mut self, cells: Vec<(String, Option<Tone>)>) {
        self.rows.push(cells.into_iter().map(|(text, tone)| (one_line(&text).into_owned(), tone)).collect());
    }

    /// Returns whether there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Prints the table, each line behind two spaces. A column without any text is left out.
    ///
    /// # Errors
    /// When nothing more can be written.
    pub(crate) fn print(&self, out: &mut impl Write, paint: Paint) -> io::Result<()> {
        let widths: Vec<usize> = (0..self.head.len()).map(|column| self.width(column)).collect();
        let head = self.head.iter().map(|name| (name.clone(), Some(Tone::Faint))).collect();
        for row in std::iter::once(&head).chain(&self.rows) {
            let mut line = String::new();
            let mut blanks = 0;
            for ((text, tone), width) in row.iter().zip(&widths).filter(|(_, width)| **width > 0) {
                line.push_str(&" ".repeat(blanks));
                line.push_str(&tone.map_or(text.into(), |tone| paint.tint(tone, text)));
                blanks = width.saturating_sub(columns(text)) + GAP.len();
            }
            writeln!(out, "{GAP}{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Returns a column's width; 0 for a column without any text.
    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|(text, _)| columns(text));
        let widest = cells.max().unwrap_or(0);
        if widest == 0 { 0 } else { widest.max(self.head.get(column).map_or(0, |name| columns(name))) }
    }
}

/// Returns how many columns a text takes on a terminal. Characters of East Asia take two.
fn columns(text: &str) -> usize {
    let is_wide = |c: char| matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}');
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells<const N: usize>(texts: [&str; N]) -> Vec<(String, Option<Tone>)> {
        texts.map(|text| (text.to_owned(), None)).into()
    }

    #[test]
    fn columns_stand_below_each_other_and_empty_ones_are_left_out() {
        let mut table = Table::new(&["api", "until", "name"]);
        table.row(cells(["模型", "", "x"]));
        table.row(cells(["a", "", "longer"]));
        table.row(cells(["\u{1b}", "", "y"]));
        let mut out = Vec::new();
        table.print(&mut out, Paint::stdout()).expect("printed");
        assert_eq!(
            String::from_utf8(out).expect("UTF-8"),
            "  api     name\n  模型    x\n  a       longer\n  \\u{1b}  y\n"
        );
    }
}
