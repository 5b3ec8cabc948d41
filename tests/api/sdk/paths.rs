//! No path of the official packages is forgotten: each has a row of docs/api.md, is the pool's own, or is left out by name.

use super::{printed_by, tools};
use crate::objects::rows;

/// What administers an organization, which no account of a pool may do (docs/decisions.md).
const ADMINISTRATION: [&str; 6] =
    ["/organization", "/organizations", "/projects", "/webhook_endpoints", "/webhook_event_types", "/compliance"];

/// The lists and the pages of models are the pool's own.
const OWN: [&str; 2] = ["GET /models", "GET /models/{}"];

/// Checks the paths of a package against the rows of its dialect.
fn are_rows(package: &str, dialect: &str) {
    let python = tools().join("clients-venv/bin/python");
    let printed = printed_by(python, ["paths.py", package], ["", ""]);
    let unnamed = |path: &str| {
        let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
        parts.collect::<Vec<_>>().join("/")
    };
    let rows = rows().into_iter().filter(|(_, _, named)| named == dialect);
    let rows: Vec<String> =
        rows.map(|(verb, path, _)| format!("{verb} {}", unnamed(path.trim_start_matches("/v1")))).collect();
    let is_left_out = |path: &str| {
        ADMINISTRATION
            .iter()
            .any(|left| path.strip_prefix(left).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    };
    let known: Vec<&str> = printed.lines().collect();
    let missing = known.iter().filter(|line| !rows.iter().any(|row| row == *line) && !OWN.contains(line));
    let missing: Vec<_> =
        missing.filter(|line| !line.split_once(' ').is_some_and(|(_, path)| is_left_out(path))).collect();
    assert!(known.len() > 100, "{} paths", known.len());
    assert!(missing.is_empty(), "no row for {missing:#?}");
}

#[test]
fn each_path_of_openais_package_has_a_row() {
    are_rows("openai", "OpenAI");
}

#[test]
fn each_path_of_anthropics_package_has_a_row() {
    are_rows("anthropic", "Anthropic");
}
