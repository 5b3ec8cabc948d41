//! Turns a text into one that says something else, part by part. Pure.
//!
//! Each step reads the text afresh: a step costs some milliseconds in a text of a megabyte, and an edit has a few steps.

use serde_json::{Map, Value};

use super::JsonError;
use super::layout::Layout;
use super::tree::{Container, Step, TextSpan, container, find, parse, position, span};
use super::trivia::{begins_line, comma, end_of_comments, indentation_at, tidy};

/// A text under edit.
pub(super) struct ChangedText {
    text: String,
    layout: Layout,
    /// The part that is edited.
    path: Vec<Step>,
}

/// A new item of a container.
#[derive(Clone, Copy)]
struct Item<'a> {
    /// Of a member.
    name: Option<&'a str>,
    value: &'a Value,
}

impl ChangedText {
    /// Begins with a text without a byte-order mark.
    pub(super) fn new(text: &str) -> ChangedText {
        ChangedText { text: text.to_owned(), layout: Layout::of(text), path: Vec::new() }
    }

    /// Returns the text.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// Turns the part at hand from what the part says into what is wanted.
    pub(super) fn turn(&mut self, old: &Value, wanted: &Value) -> Result<(), JsonError> {
        match (old, wanted) {
            _ if old == wanted => Ok(()),
            (Value::Object(old), Value::Object(wanted)) => self.turn_members(old, wanted),
            (Value::Array(old), Value::Array(wanted)) => self.turn_entries(old, wanted),
            _ => self.replace(wanted),
        }
    }

    fn turn_members(&mut self, old: &Map<String, Value>, wanted: &Map<String, Value>) -> Result<(), JsonError> {
        for name in old.keys().filter(|name| !wanted.contains_key(*name)) {
            let index = self.look(|_, node| position(node, name))?;
            self.remove(index)?;
        }
        for (name, value) in wanted {
            match old.get(name) {
                Some(old) => self.below(Step::Member(name.clone()), |draft| draft.turn(old, value))?,
                None => self.insert(usize::MAX, Item { name: Some(name), value })?,
            }
        }
        Ok(())
    }

    /// Entries alike at the beginning and at the end stay. Those between are turned one by one; the rest is removed or inserted.
    fn turn_entries(&mut self, old: &[Value], wanted: &[Value]) -> Result<(), JsonError> {
        let shorter = old.len().min(wanted.len());
        let begin = old.iter().zip(wanted).take_while(|(old, wanted)| old == wanted).count();
        let alike = old.iter().rev().zip(wanted.iter().rev()).take_while(|(old, wanted)| old == wanted).count();
        let end = alike.min(shorter - begin);
        let (old_end, wanted_end) = (old.len() - end, wanted.len() - end);
        for index in (wanted_end.max(begin)..old_end).rev() {
            self.remove(index)?;
        }
        for (index, value) in wanted.iter().enumerate().take(wanted_end).skip(begin) {
            match old.get(index).filter(|_| index < old_end) {
                Some(old) => self.below(Step::Entry(index), |draft| draft.turn(old, value))?,
                None => self.insert(index, Item { name: None, value })?,
            }
        }
        Ok(())
    }

    fn below(&mut self, step: Step, change: impl FnOnce(&mut Self) -> Result<(), JsonError>) -> Result<(), JsonError> {
        self.path.push(step);
        let done = change(self);
        self.path.pop();
        done
    }

    /// Looks at the part at hand in the text.
    fn look<T>(&self, at: impl FnOnce(&str, &jsonc_parser::ast::Value<'_>) -> Option<T>) -> Result<T, JsonError> {
        let root = parse(&self.text)?;
        find(&root, &self.path).and_then(|node| at(&self.text, node)).ok_or(JsonError::Odd)
    }

    /// Puts a value in the place of the part.
    fn replace(&mut self, wanted: &Value) -> Result<(), JsonError> {
        let place = self.look(|_, node| Some(span(node)))?;
        let old = self.text.get(place.start..place.end);
        let new = self.layout.written(wanted, indentation_at(&self.text, place.start), old);
        self.splice(place, &new)
    }

    /// Removes an item of the part, with a comma.
    fn remove(&mut self, index: usize) -> Result<(), JsonError> {
        let cuts = self.look(|text, node| cuts(text, &container(node)?, index))?;
        for cut in cuts.into_iter().rev() {
            self.splice(cut, "")?;
        }
        // An empty container has no blanks.
        let inside = self.look(|_, node| Some(container(node)?.inside))?;
        let is_blank = self.text.get(inside.start..inside.end).is_some_and(|text| text.trim().is_empty());
        if is_blank { self.splice(inside, "") } else { Ok(()) }
    }

    /// Inserts an item before the one of this index, or behind the last one.
    fn insert(&mut self, index: usize, item: Item<'_>) -> Result<(), JsonError> {
        let place = self.look(|_, node| container(node))?;
        match (place.items.get(index), place.items.last()) {
            (Some(next), _) => {
                let (blank, indent) = self.between(*next);
                let new = self.written(item, &indent, Some(*next));
                self.splice(TextSpan { start: next.start, end: next.start }, &format!("{new},{blank}"))
            }
            (None, Some(last)) => self.append(&place, *last, item),
            (None, None) => self.fill(&place, item),
        }
    }

    /// Writes an item behind the last one. A comma at the end of the list stays there, and a comment in the line of its item.
    fn append(&mut self, place: &Container, last: TextSpan, item: Item<'_>) -> Result<(), JsonError> {
        let own_comma = comma(&self.text, TextSpan { start: last.end, end: place.inside.end });
        let (behind, needs_line_end) = end_of_comments(&self.text, own_comma.map_or(last.end, |at| at + 1));
        let (mut blank, indent) = self.between(last);
        if needs_line_end && !blank.contains('\n') {
            blank = self.layout.line_break(&indent);
        }
        let new = self.written(item, &indent, Some(last));
        let end = if own_comma.is_some() { "," } else { "" };
        self.splice(TextSpan { start: behind, end: behind }, &format!("{blank}{new}{end}"))?;
        if own_comma.is_none() { self.splice(TextSpan { start: last.end, end: last.end }, ",") } else { Ok(()) }
    }

    /// Writes the first item of an empty container.
    fn fill(&mut self, place: &Container, item: Item<'_>) -> Result<(), JsonError> {
        let inside = self.text.get(place.inside.start..place.inside.end).unwrap_or_default();
        let outer = indentation_at(&self.text, place.inside.start).to_owned();
        let inner = self.layout.deeper(&outer);
        let wants_line = inside.contains('\n') || self.layout.wants_line(item.value, place.is_object);
        let new = self.written(item, if wants_line { &inner } else { &outer }, None);
        let comments = inside.trim_end().len();
        let at = TextSpan { start: place.inside.start + comments, end: place.inside.end };
        let (before, behind) = match (wants_line, place.is_object || comments > 0) {
            (true, _) => (self.layout.line_break(&inner), self.layout.line_break(&outer)),
            (false, true) => (self.layout.blank().to_owned(), self.layout.blank().to_owned()),
            (false, false) => (String::new(), String::new()),
        };
        self.splice(at, &format!("{before}{new}{behind}"))
    }

    /// Returns what stands between an item and a new neighbour, and the neighbour's indentation.
    fn between(&self, item: TextSpan) -> (String, String) {
        let indent = indentation_at(&self.text, item.start).to_owned();
        let own_line = begins_line(&self.text, item.start);
        let blank = if own_line { self.layout.line_break(&indent) } else { self.layout.blank().to_owned() };
        (blank, indent)
    }

    /// Writes an item in the form of its neighbour.
    fn written(&self, item: Item<'_>, indent: &str, neighbour: Option<TextSpan>) -> String {
        let neighbour = neighbour.and_then(|at| self.text.get(at.start..at.end));
        match item.name {
            Some(name) => self.layout.name(name) + &self.layout.written(item.value, indent, None),
            None => self.layout.written(item.value, indent, neighbour),
        }
    }

    fn splice(&mut self, at: TextSpan, new: &str) -> Result<(), JsonError> {
        let before = self.text.get(..at.start).ok_or(JsonError::Odd)?;
        let behind = self.text.get(at.end..).ok_or(JsonError::Odd)?;
        self.text = [before, new, behind].concat();
        Ok(())
    }
}

/// Returns what goes with an item, in the order of the text: the item's own comma, or of the last item the one before.
fn cuts(text: &str, place: &Container, index: usize) -> Option<Vec<TextSpan>> {
    let item = *place.items.get(index)?;
    let before = index.checked_sub(1).and_then(|before| place.items.get(before));
    let end = place.items.get(index + 1).map_or(place.inside.end, |next| next.start);
    let of_comma = |at: usize| TextSpan { start: at, end: at + 1 };
    if let Some(own) = comma(text, TextSpan { start: item.end, end }) {
        let is_beside = text.get(item.end..own)?.trim().is_empty();
        let with_comma = TextSpan { start: item.start, end: own + 1 };
        return Some(if is_beside { vec![tidy(text, with_comma, true)] } else { vec![item, of_comma(own)] });
    }
    let Some(before) = before else { return Some(vec![tidy(text, item, false)]) };
    let comma = comma(text, TextSpan { start: before.end, end: item.start })?;
    Some(vec![of_comma(comma), tidy(text, item, false)])
}
