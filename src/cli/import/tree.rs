//! The input as a generic tree, with a mark at each field that a format has dealt with.
//!
//! 1. A format reads a field through a [`Node`], and says what became of the field: carried, changed or left out.
//! 2. A mark of an object or a list stands for all parts without a mark of their own.
//! 3. At the end, each leaf without a mark is left out, and said to be unknown. So no field is lost in silence, whatever a format
//!    knows.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::findings::{Fate, Finding};

/// An input, and what became of the fields so far.
#[derive(Debug)]
pub(super) struct Tree {
    root: Value,
    /// Paths of values that are used elsewhere by a YAML alias.
    used_elsewhere: BTreeSet<String>,
    marks: RefCell<BTreeMap<String, (Fate, String)>>,
}

/// A field with a value.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    tree: &'a Tree,
    value: &'a Value,
    path: String,
}

impl Tree {
    pub(super) fn new(root: Value, used_elsewhere: BTreeSet<String>) -> Tree {
        Tree { root, used_elsewhere, marks: RefCell::default() }
    }

    pub(super) fn root(&self) -> Node<'_> {
        Node { tree: self, value: &self.root, path: String::new() }
    }

    /// Returns what became of each field, in the input's order.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.walk(&self.root(), false, &mut findings);
        findings
    }

    fn walk(&self, node: &Node<'_>, covered: bool, findings: &mut Vec<Finding>) {
        let mark = self.marks.borrow().get(&node.path).cloned();
        let marked = mark.is_some();
        let mut told = |fate, text: String| findings.push(Finding { path: node.path.clone(), fate, text });
        let parts = node.parts();
        match mark {
            Some((fate, text)) => told(fate, text),
            None if covered || !parts.is_empty() => {}
            None if node.is_empty() => told(Fate::LeftOut, "has no value".to_owned()),
            None => told(Fate::LeftOut, "is not known here, or not of a form that is".to_owned()),
        }
        let elsewhere = !covered && !marked && self.used_elsewhere.contains(&node.path);
        if elsewhere {
            let text = "where the file refers to the anchor".to_owned();
            findings.push(Finding { path: node.path.clone(), fate: Fate::Carried, text });
        }
        for part in parts {
            self.walk(&part, covered || marked || elsewhere, findings);
        }
    }
}

impl<'a> Node<'a> {
    /// Returns the field of an object, if there is one with a value.
    pub(super) fn get(&self, name: &str) -> Option<Node<'a>> {
        let value = self.value.as_object()?.get(name)?;
        (!value.is_null()).then(|| self.part(value, &named(&self.path, name)))
    }

    /// Returns a field further down.
    pub(super) fn at(&self, names: &[&str]) -> Option<Node<'a>> {
        names.iter().try_fold(self.clone(), |node, name| node.get(name))
    }

    /// Returns the items of a list.
    pub(super) fn items(&self) -> Vec<Node<'a>> {
        let items = self.value.as_array().into_iter().flatten().enumerate();
        items.map(|(i, item)| self.part(item, &format!("{}[{i}]", self.path))).collect()
    }

    /// Returns the fields of an object.
    pub(super) fn fields(&self) -> Vec<(&'a str, Node<'a>)> {
        let fields = self.value.as_object().into_iter().flatten();
        fields.map(|(name, value)| (name.as_str(), self.part(value, &named(&self.path, name)))).collect()
    }

    fn parts(&self) -> Vec<Node<'a>> {
        self.items().into_iter().chain(self.fields().into_iter().map(|(_, field)| field)).collect()
    }

    fn part(&self, value: &'a Value, path: &str) -> Node<'a> {
        Node { tree: self.tree, value, path: path.to_owned() }
    }

    /// Returns a text. A number is taken for one: a model may be called `4`.
    pub(super) fn text(&self) -> Option<String> {
        match self.value {
            Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// Returns a number, which may be written as a text.
    pub(super) fn number(&self) -> Option<f64> {
        let number = match self.value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().replace('_', "").parse().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        number.filter(|number| number.is_finite())
    }

    /// Returns a whole number in exact bounds of `f64`.
    pub(super) fn whole(&self) -> Option<i64> {
        const MOST: f64 = 9_007_199_254_740_992.0;
        let number = self.number().filter(|number| number.fract() == 0.0 && number.abs() <= MOST)?;
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within the bounds of i64")]
        Some(number as i64)
    }

    /// Returns a switch, in all spellings of YAML.
    pub(super) fn flag(&self) -> Option<bool> {
        match self.value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" => Some(true),
                "false" | "no" | "off" => Some(false),
                _ => None,
            },
            Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// Returns the texts of a list, or the one text in place of a list.
    pub(super) fn texts(&self) -> Vec<(Node<'a>, String)> {
        let nodes = if self.is_list() { self.items() } else { vec![self.clone()] };
        nodes.into_iter().filter_map(|node| node.text().map(|text| (node, text))).collect()
    }

    pub(super) fn is_list(&self) -> bool {
        self.value.is_array()
    }

    pub(super) fn is_object(&self) -> bool {
        self.value.is_object()
    }

    fn is_empty(&self) -> bool {
        match self.value {
            Value::Null => true,
            Value::String(text) => text.trim().is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// Returns the value as it stands.
    pub(super) fn value(&self) -> &'a Value {
        self.value
    }

    /// Returns where the field stands: `model_list[0].model_name`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Marks the field as carried over as it is.
    pub(super) fn carry(&self) {
        self.mark(Fate::Carried, String::new());
    }

    /// Marks the field as carried over in another form.
    pub(super) fn change(&self, how: impl Into<String>) {
        self.mark(Fate::Changed, how.into());
    }

    /// Marks the field as left out.
    pub(super) fn leave(&self, why: impl Into<String>) {
        self.mark(Fate::LeftOut, why.into());
    }

    /// Marks all fields of these names, each as left out for the reason beside the name.
    pub(super) fn leave_each(&self, reasons: &[(&[&str], &str)]) {
        for (names, why) in reasons {
            for field in names.iter().filter_map(|name| self.get(name)) {
                field.leave(*why);
            }
        }
    }

    fn mark(&self, fate: Fate, text: String) {
        self.tree.marks.borrow_mut().insert(self.path.clone(), (fate, text));
    }
}

/// Returns the path of a field. A name that could be taken for several is quoted.
pub(super) fn named(path: &str, name: &str) -> String {
    let is_plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$'));
    match (is_plain, path.is_empty()) {
        (true, true) => name.to_owned(),
        (true, false) => format!("{path}.{name}"),
        (false, _) => format!("{path}[{name:?}]"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_leaf_without_a_mark_is_left_out_and_named() {
        let tree = Tree::new(
            json!({ "a": 1, "b": { "c": "x", "d": [true, null] }, "e": { "f": 1, "g": 2 }, "gpt-3.5": "" }),
            BTreeSet::new(),
        );
        let root = tree.root();
        root.get("a").expect("there").carry();
        root.get("e").expect("there").leave("why");
        root.at(&["e", "g"]).expect("there").change("how");
        let told: Vec<String> = tree.findings().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "carried   a",
                "left out  b.c: is not known here, or not of a form that is",
                "left out  b.d[0]: is not known here, or not of a form that is",
                "left out  b.d[1]: has no value",
                "left out  e: why",
                "changed   e.g: how",
                "left out  [\"gpt-3.5\"]: has no value",
            ]
        );
    }

    #[test]
    fn values_are_read_as_people_write_them() {
        let tree = Tree::new(json!({ "n": "1_000", "f": "On", "m": 4, "x": "2.5", "t": " a " }), BTreeSet::new());
        let root = tree.root();
        let get = |name: &str| root.get(name).expect("there");
        assert_eq!((get("n").whole(), get("x").whole(), get("x").number()), (Some(1_000), None, Some(2.5)));
        assert_eq!((get("f").flag(), get("m").flag(), get("m").text().as_deref()), (Some(true), None, Some("4")));
        assert_eq!(get("t").text().as_deref(), Some("a"));
    }
}
