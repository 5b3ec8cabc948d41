//! The places of a text's parts. Pure.

use std::collections::HashSet;
use std::ops::Range;

use jsonc_parser::ast::{ObjectPropName, Value as Node};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::Value;

use super::JsonError;

const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: false,
    allow_trailing_commas: true,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// A step from a value to a part of the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A member of an object.
    Member(String),
    /// An entry of a list, from 0.
    Entry(usize),
}

/// A stretch of the text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TextSpan {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// An object or a list: the places of the brackets' insides and of the items.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) is_object: bool,
    /// Between the brackets.
    pub(super) inside: TextSpan,
    /// Of a member the name and the value.
    pub(super) items: Vec<TextSpan>,
}

/// Reads a text without a byte-order mark.
pub(super) fn parse(text: &str) -> Result<Node<'_>, JsonError> {
    let unreadable = |end: usize| {
        let before = text.get(..end).unwrap_or(text);
        JsonError::Unreadable { line: before.matches('\n').count() + 1 }
    };
    let collected = CollectOptions::default();
    let parsed = parse_to_ast(text, &collected, &OPTIONS).map_err(|error| unreadable(error.range().start))?;
    parsed.value.ok_or(unreadable(text.len()))
}

/// Returns whether an object has two members of one name.
pub(super) fn says_twice(node: &Node<'_>) -> bool {
    let members = node.as_object().map(|object| &*object.properties).unwrap_or_default();
    let entries = node.as_array().map(|list| &*list.elements).unwrap_or_default();
    let mut names = HashSet::new();
    members.iter().any(|member| !names.insert(name_of(&member.name)) || says_twice(&member.value))
        || entries.iter().any(says_twice)
}

/// Returns the part at the end of a path.
pub(super) fn find<'a, 'b>(root: &'b Node<'a>, path: &[Step]) -> Option<&'b Node<'a>> {
    path.iter().try_fold(root, |node, step| match step {
        Step::Member(name) => {
            let members = &node.as_object()?.properties;
            Some(&members.iter().find(|member| name_of(&member.name) == *name)?.value)
        }
        Step::Entry(index) => node.as_array()?.elements.get(*index),
    })
}

/// Returns the places of an object's or a list's items.
pub(super) fn container(node: &Node<'_>) -> Option<Container> {
    let range = span(node);
    let inside = TextSpan { start: range.start + 1, end: range.end.checked_sub(1)? };
    let items = match (node.as_object(), node.as_array()) {
        (Some(object), _) => object.properties.iter().map(span).collect(),
        (None, Some(list)) => list.elements.iter().map(span).collect(),
        (None, None) => return None,
    };
    Some(Container { is_object: node.as_object().is_some(), inside, items })
}

/// Returns which of an object's members has the name.
pub(super) fn position(object: &Node<'_>, name: &str) -> Option<usize> {
    object.as_object()?.properties.iter().position(|member| name_of(&member.name) == name)
}

/// Returns the place of a part.
pub(super) fn span(of: &impl Ranged) -> TextSpan {
    TextSpan { start: of.start(), end: of.end() }
}

fn name_of<'a>(name: &'a ObjectPropName<'a>) -> &'a str {
    name.as_str()
}

/// A value without parts, and its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Leaf {
    /// From the document.
    pub(crate) path: Vec<Step>,
    /// In bytes of the text.
    pub(crate) at: Range<usize>,
    /// What the text says there.
    pub(crate) value: Value,
}

/// Returns the values without parts in the order of the text. The places count from `offset`.
pub(super) fn leaves(root: Node<'_>, offset: usize) -> Vec<Leaf> {
    fn walk(node: Node<'_>, path: &mut Vec<Step>, offset: usize, found: &mut Vec<Leaf>) {
        let mut below = |step: Step, node: Node<'_>| {
            path.push(step);
            walk(node, path, offset, found);
            path.pop();
        };
        match node {
            Node::Object(object) => {
                for member in object.properties {
                    below(Step::Member(member.name.into_string()), member.value);
                }
            }
            Node::Array(list) => {
                list.elements.into_iter().enumerate().for_each(|(index, entry)| below(Step::Entry(index), entry));
            }
            Node::StringLit(_) | Node::NumberLit(_) | Node::BooleanLit(_) | Node::NullKeyword(_) => {
                let at = node.start() + offset..node.end() + offset;
                found.push(Leaf { path: path.clone(), at, value: Value::from(node) });
            }
        }
    }
    let mut found = Vec::new();
    walk(root, &mut Vec::new(), offset, &mut found);
    found
}
