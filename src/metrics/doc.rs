//! The table in docs/metrics.md, made from the table of metrics. `UPDATE_DOCS=1 cargo test --lib metrics::doc` writes the table;
//! without the variable the test compares.

use std::fmt::Write;
use std::path::Path;

use super::families::FAMILIES;

/// Stand around the table.
const MARKS: [&str; 2] = ["<!-- The table is made from src/metrics/families.rs. -->\n", "<!-- End of the table. -->\n"];

fn table() -> String {
    let mut table = "| Metric | Kind | Labels | |\n|---|---|---|---|\n".to_owned();
    for family in FAMILIES {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind) = (family.name, family.kind.as_str());
        let _ = writeln!(table, "| `{name}` | {kind} | {} | {} |", labels.join(", "), family.help);
    }
    table
}

#[test]
fn docs_metrics_md_has_the_table_of_all_metrics() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let page = std::fs::read_to_string(&file).expect("reads docs/metrics.md");
    let (before, rest) = page.split_once(MARKS[0]).expect("the table begins");
    let (_, after) = rest.split_once(MARKS[1]).expect("the table ends");
    let made = [before, MARKS[0], &table(), MARKS[1], after].concat();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &made).expect("writes docs/metrics.md");
        return;
    }
    assert!(page == made, "docs/metrics.md is old: run UPDATE_DOCS=1 cargo test --lib metrics::doc");
}
