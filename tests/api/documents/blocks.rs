//! Reads the documents: their fenced blocks, links and headings.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A fenced block of a page.
pub(super) struct Block {
    pub(super) page: String,
    /// Of the first line within the fence, from 1.
    pub(super) line: usize,
    pub(super) language: String,
    pub(super) text: String,
}

impl Block {
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.page, self.line)
    }
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All pages: at the root, and in docs/.
pub(super) fn pages() -> Vec<(String, String)> {
    let of = |folder: &str| {
        let read = fs::read_dir(root().join(folder)).expect("reads").map_while(Result::ok);
        read.map(|entry| entry.path()).collect::<Vec<PathBuf>>()
    };
    let mut files = [of("."), of("docs")].concat();
    files.retain(|path| path.extension().is_some_and(|e| e == "md"));
    files.sort();
    assert!(files.len() > 10, "the walk found {files:?}");
    let name =
        |path: &Path| path.strip_prefix(root()).expect("below").to_string_lossy().trim_start_matches("./").to_owned();
    files.iter().map(|path| (name(path), fs::read_to_string(path).expect("reads"))).collect()
}

/// All blocks of all pages, in order.
pub(super) fn all() -> Vec<Block> {
    pages().iter().flat_map(|(page, text)| blocks(page, text)).collect()
}

fn blocks(page: &str, text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut is_within = false;
    for (number, line) in (1..).zip(text.lines()) {
        match line.strip_prefix("```") {
            Some(_) if is_within => is_within = false,
            Some(language) => {
                is_within = true;
                let language = language.to_owned();
                found.push(Block { page: page.to_owned(), line: number + 1, language, text: String::new() });
            }
            None if is_within => {
                let block = found.last_mut().expect("a fence came first");
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {}
        }
    }
    assert!(!is_within, "{page}: a fence is not closed");
    found
}

/// The text without fenced blocks.
fn prose(text: &str) -> String {
    let mut is_within = false;
    let outside = text.lines().filter(|line| {
        let is_fence = line.starts_with("```");
        is_within ^= is_fence;
        !is_within && !is_fence
    });
    outside.collect::<Vec<_>>().join("\n")
}

/// The links of a page to others and to itself.
pub(super) fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|it| !it.contains("://") && !it.starts_with("mailto:")).map(str::to_owned).collect()
}

/// The anchors of a page's headings, as GitHub makes them: small letters, no punctuation, dashes for spaces.
pub(super) fn anchors(text: &str) -> BTreeSet<String> {
    let prose = prose(text);
    let headings = prose.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept = heading.to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}
