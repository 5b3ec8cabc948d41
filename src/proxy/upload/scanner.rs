//! Finds the model in a form (`multipart/form-data`) while the bytes come by, wherever the field stands.
//!
//! 1. The bytes go upstream as they came, so an upstream must read the same model here: whatever two readers could take
//!    for different things is refused. Some readers take half an end of a line for a whole one, some see an empty part
//!    where a boundary follows a head at once, and some read on behind the last boundary.
//! 2. Memory is bounded: a delimiter, the head of a part, and the short values of the fields that matter.

use std::ops::Range;

use memchr::memmem::{self, Finder};

use super::InvalidForm;
use super::part_head::{self, Field};

/// The most parts of a form. OpenAI's largest has some twenty.
const MOST_PARTS: usize = 1_000;

/// The longest head of a part, in bytes.
const LONGEST_HEAD: usize = 8 << 10;

/// The longest value of a field that matters, in bytes. The model's own bound is tighter.
const LONGEST_VALUE: usize = 4 << 10;

/// The most blanks behind a boundary, in bytes.
const MOST_BLANKS: usize = 64;

/// Stands before the first byte of a form, so that the first delimiter looks like all others.
const VIRTUAL: &[u8] = LINE_END;

/// Ends a line, and stands before each boundary.
const LINE_END: &[u8] = b"\r\n";

const MISPLACED: &str = "the form's boundary stands within one of its parts";

/// What a form says, as far as routing needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FormFields {
    /// The model, and where it stands in the form.
    pub(in crate::proxy) model: Option<(String, Range<u64>)>,
    /// Does the client want a stream of events?
    pub(in crate::proxy) stream: bool,
    /// How many answers are wanted, as typed. Of several the first.
    pub(in crate::proxy) n: Option<String>,
}

/// Reads a form piece by piece.
#[derive(Debug)]
pub struct FormScanner {
    /// The boundary, with the dashes in front.
    boundary: Finder<'static>,
    state: ScanState,
    /// What has come and is not read yet.
    rest: Vec<u8>,
    /// The last byte that was read.
    last: u8,
    /// How many bytes were read, with those of [`VIRTUAL`].
    read: u64,
    parts: usize,
    found: FormFields,
    has_stream: bool,
}

#[derive(Debug)]
enum ScanState {
    /// Before the first delimiter.
    Preamble,
    /// Behind a delimiter.
    Boundary,
    Head,
    /// In a part that does not matter.
    Content,
    /// In a part that matters, whose value began here.
    Value(Field, Vec<u8>),
    /// Behind the last delimiter.
    Epilogue,
}

/// What a step needs.
enum ScanStep {
    Again,
    More,
}

impl FormScanner {
    /// Creates a scanner for a form with this `Content-Type`.
    ///
    /// # Errors
    /// When the type has no usable boundary.
    pub fn new(content_type: &[u8]) -> Result<FormScanner, InvalidForm> {
        let boundary = part_head::boundary(content_type)
            .ok_or_else(|| refused("the Content-Type of a form must have one boundary, of 1 to 70 characters"))?;
        Ok(FormScanner {
            boundary: Finder::new(&[b"--", boundary.as_slice()].concat()).into_owned(),
            state: ScanState::Preamble,
            rest: VIRTUAL.to_vec(),
            last: 0,
            read: 0,
            parts: 0,
            found: FormFields::default(),
            has_stream: false,
        })
    }

    /// Reads the next piece.
    ///
    /// # Errors
    /// When the form is broken, or two readers could understand it differently.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), InvalidForm> {
        self.rest.extend_from_slice(piece);
        while let ScanStep::Again = self.step()? {}
        Ok(())
    }

    /// Returns what was found, at the end of the form.
    ///
    /// # Errors
    /// When the end is missing.
    pub fn finish(self) -> Result<FormFields, InvalidForm> {
        match self.state {
            ScanState::Epilogue => Ok(self.found),
            ScanState::Preamble | ScanState::Boundary | ScanState::Head | ScanState::Content | ScanState::Value(..) => {
                Err(refused("the form is cut off: its last boundary is missing"))
            }
        }
    }

    fn step(&mut self) -> Result<ScanStep, InvalidForm> {
        match &self.state {
            ScanState::Preamble | ScanState::Content | ScanState::Value(..) | ScanState::Epilogue => self.content(),
            ScanState::Boundary => self.boundary(),
            ScanState::Head => self.head(),
        }
    }

    /// Reads up to the next delimiter.
    fn content(&mut self) -> Result<ScanStep, InvalidForm> {
        let needle = LINE_END.len() + self.boundary.needle().len();
        let found = self.delimiter()?;
        // A delimiter may begin in this piece and end in the next.
        let length = found.unwrap_or_else(|| self.rest.len().saturating_sub(needle - 1));
        if let ScanState::Value(field, value) = &mut self.state {
            value.extend_from_slice(self.rest.get(..length).unwrap_or_default());
            if value.len() > LONGEST_VALUE {
                return Err(refused(&format!("{} is longer than {LONGEST_VALUE} bytes", field.name())));
            }
        }
        self.take(length);
        if found.is_none() {
            return Ok(ScanStep::More);
        }
        match std::mem::replace(&mut self.state, ScanState::Boundary) {
            ScanState::Value(field, value) => self.record(field, value)?,
            ScanState::Epilogue => return Err(refused("the form goes on behind its last boundary")),
            ScanState::Preamble | ScanState::Boundary | ScanState::Head | ScanState::Content => {}
        }
        self.take(needle);
        Ok(ScanStep::Again)
    }

    /// Returns where the next delimiter begins: the end of a line, and the boundary.
    ///
    /// # Errors
    /// When a boundary stands where some readers see a delimiter: behind half an end of a line, or behind a head at
    /// once.
    fn delimiter(&self) -> Result<Option<usize>, InvalidForm> {
        for at in self.boundary.find_iter(&self.rest) {
            let front = self.rest.get(..at).unwrap_or_default();
            if front.ends_with(LINE_END) {
                return Ok(Some(at - LINE_END.len()));
            }
            if matches!(front.last().unwrap_or(&self.last), b'\r' | b'\n') {
                return Err(refused(MISPLACED));
            }
        }
        Ok(None)
    }

    /// Reads what stands behind a delimiter: the end of the line, or the mark of the last one.
    fn boundary(&mut self) -> Result<ScanStep, InvalidForm> {
        let blanks = self.rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match self.rest.get(blanks..).filter(|_| blanks <= MOST_BLANKS) {
            Some([b'-', b'-', ..]) if blanks == 0 => {
                self.state = ScanState::Epilogue;
                Ok(ScanStep::Again)
            }
            Some([b'\r', b'\n', ..]) => {
                self.take(blanks + 2);
                self.state = ScanState::Head;
                Ok(ScanStep::Again)
            }
            Some([] | [b'\r']) => Ok(ScanStep::More),
            Some([b'-']) if blanks == 0 => Ok(ScanStep::More),
            Some(_) | None => Err(refused(MISPLACED)),
        }
    }

    fn head(&mut self) -> Result<ScanStep, InvalidForm> {
        let end = memmem::find(&self.rest, b"\r\n\r\n");
        if end.unwrap_or(self.rest.len()) > LONGEST_HEAD {
            return Err(refused(&format!("the head of a part of the form is longer than {LONGEST_HEAD} bytes")));
        }
        let Some(end) = end else { return Ok(ScanStep::More) };
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return Err(refused(&format!("the form has more than {MOST_PARTS} parts")));
        }
        let head = self.rest.get(..end).unwrap_or_default();
        self.state = match part_head::field(head).map_err(|why| refused(&why))? {
            Some(field) => ScanState::Value(field, Vec::new()),
            None => ScanState::Content,
        };
        self.take(end + 4);
        Ok(ScanStep::Again)
    }

    fn record(&mut self, field: Field, value: Vec<u8>) -> Result<(), InvalidForm> {
        let end = self.read - VIRTUAL.len() as u64;
        let place = end - value.len() as u64..end;
        let value = String::from_utf8(value).map_err(|_| refused(&format!("{} is not UTF-8", field.name())))?;
        let was_there = match field {
            Field::Model => self.found.model.replace((value, place)).is_some(),
            Field::Stream => {
                self.found.stream = value.trim() == "true";
                std::mem::replace(&mut self.has_stream, true)
            }
            Field::N => {
                self.found.n.get_or_insert(value);
                false
            }
        };
        if was_there { Err(refused(&format!("the form has {} twice", field.name()))) } else { Ok(()) }
    }

    fn take(&mut self, length: usize) {
        self.last = self.rest.drain(..length).next_back().unwrap_or(self.last);
        self.read += length as u64;
    }
}

fn refused(message: &str) -> InvalidForm {
    InvalidForm(message.to_owned())
}

#[cfg(test)]
mod tests;
