//! What a cell is of.

use std::hash::{Hash, Hasher};

/// What usage is grouped and filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// The client's key.
    Key,
    /// The API.
    Api,
    /// The model, by the API's own name.
    Model,
    /// The client's program.
    App,
}

impl Dimension {
    /// All of them, in the order of columns.
    pub const ALL: [Dimension; 4] = [Dimension::Key, Dimension::Api, Dimension::Model, Dimension::App];

    /// Returns the name in queries and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Dimension::Key => "key",
            Dimension::Api => "api",
            Dimension::Model => "model",
            Dimension::App => "app",
        }
    }

    /// Returns the dimension of this name.
    pub fn named(name: &str) -> Option<Dimension> {
        Dimension::ALL.into_iter().find(|dimension| dimension.as_str() == name)
    }

    /// Returns how many names are kept apart in one day, without `other` and none. Keys and APIs stand in the configuration. The
    /// names of models come from clients, too, where an API serves any.
    pub(super) const fn most_names(self) -> usize {
        match self {
            Dimension::Key => 1_000,
            Dimension::Api => 10_000,
            Dimension::Model => 500,
            Dimension::App => 50,
        }
    }
}

/// What kind of operation was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OperationKind {
    /// Text is generated.
    #[default]
    Completions,
    /// Text is embedded.
    Embeddings,
    /// Anything else.
    Other,
    /// Images are made.
    Images,
    /// A text is spoken.
    Speech,
    /// Sound is written down.
    Transcriptions,
}

impl OperationKind {
    /// Returns the number in records.
    pub(super) const fn number(self) -> u16 {
        match self {
            OperationKind::Completions => 0,
            OperationKind::Embeddings => 1,
            OperationKind::Other => 2,
            OperationKind::Images => 3,
            OperationKind::Speech => 4,
            OperationKind::Transcriptions => 5,
        }
    }

    /// Returns the kind of a number in records.
    pub(super) const fn of_number(number: u16) -> OperationKind {
        match number {
            0 => OperationKind::Completions,
            1 => OperationKind::Embeddings,
            3 => OperationKind::Images,
            4 => OperationKind::Speech,
            5 => OperationKind::Transcriptions,
            _ => OperationKind::Other,
        }
    }
}

/// The names of a cell. An empty name: there is none.
#[derive(Debug, Clone, Copy)]
pub struct CellNames<'a> {
    /// By [`Dimension::ALL`].
    pub names: [&'a str; 4],
    /// The kind of operation.
    pub kind: OperationKind,
    /// Whether the model and the app may become new names. Names that nothing proved true are free text, and count as `other` unless
    /// known.
    pub proven: bool,
}

/// A cell by the places of the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CellKey {
    /// By [`Dimension::ALL`].
    pub(super) places: [u16; 4],
    /// The kind of operation.
    pub(super) kind: OperationKind,
}

impl Hash for CellKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let places = self.places.iter().fold(0, |bits, place| bits << 16 | u64::from(*place));
        state.write_u64(places ^ u64::from(self.kind.number()) << 60);
    }
}

/// Hashes one number: places in tables of our own, which no client chooses.
#[derive(Debug, Default)]
pub(super) struct PlaceHasher(u64);

impl Hasher for PlaceHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    fn write_u64(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }
}
