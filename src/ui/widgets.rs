//! Small parts that several pages are made of.

use maud::{Markup, Render, html};

use super::view::View;

/// Makes a number with a name, and a remark below. `name`: of the words.
pub(super) fn tile(view: &View, name: &str, value: impl Render, below: impl Render) -> Markup {
    let below = below.render();
    html! {
        div class="tile" {
            dt { (view.t(name)) }
            dd { (value) }
            @if !below.0.is_empty() { dd class="sub" { (below) } }
        }
    }
}

/// Makes the head of a table: columns of words, then columns of numbers. Names of the words.
pub(super) fn head(view: &View, words: &[&str], numbers: &[&str]) -> Markup {
    html! {
        thead {
            tr {
                @for name in words { th { (view.t(name)) } }
                @for name in numbers { th class="right" { (view.t(name)) } }
            }
        }
    }
}

/// Makes a cell with a number.
pub(super) fn number(value: impl Render) -> Markup {
    html! { td class="right" { (value) } }
}

/// Makes the row of an empty table.
pub(super) fn empty_row(columns: usize, text: &str) -> Markup {
    html! { tr { td colspan=(columns) class="faint" { (text) } } }
}
