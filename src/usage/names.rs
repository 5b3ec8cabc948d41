//! Names in a bounded table: a cell holds places, not texts.

use std::sync::Arc;

use super::cell::{CellKey, CellNames, Dimension};
use crate::types::QuickMap;

/// The name of all that is beyond a bound.
pub(super) const OTHER: &str = "other";

/// The place of [`OTHER`].
pub(super) const OTHER_PLACE: u16 = 0;

/// The place of no name.
pub(super) const NONE_PLACE: u16 = 1;

/// Names of one dimension, in order of entry. The first two are always `other` and none.
#[derive(Debug)]
pub(super) struct NameTable {
    names: Vec<Arc<str>>,
    places: QuickMap<Arc<str>, u16>,
    most: usize,
}

impl NameTable {
    /// Creates a table of at most so many names beside the first two.
    fn new(most: usize) -> NameTable {
        let mut table = NameTable { names: Vec::new(), places: QuickMap::default(), most: most + 2 };
        table.enter(OTHER);
        table.enter("");
        table
    }

    /// Returns the place of a name. A new name gets one if it `may_enter` and the table is not full.
    pub(super) fn place(&mut self, name: &str, may_enter: bool) -> u16 {
        match self.places.get(name) {
            Some(place) => *place,
            None if may_enter && self.names.len() < self.most => self.enter(name),
            None => OTHER_PLACE,
        }
    }

    fn enter(&mut self, name: &str) -> u16 {
        let Ok(place) = u16::try_from(self.names.len()) else { return OTHER_PLACE };
        let name: Arc<str> = Arc::from(name);
        self.names.push(name.clone());
        self.places.insert(name, place);
        place
    }

    /// Returns the name at a place.
    pub(super) fn name(&self, place: u16) -> &str {
        self.names.get(usize::from(place)).map_or(OTHER, |name| name)
    }
}

/// The names of all dimensions.
#[derive(Debug)]
pub(super) struct UsageNames([NameTable; 4]);

impl Default for UsageNames {
    fn default() -> Self {
        UsageNames(Dimension::ALL.map(|dimension| NameTable::new(dimension.most_names())))
    }
}

impl UsageNames {
    /// Returns the cell of these names.
    pub(super) fn cell(&mut self, cell: &CellNames<'_>) -> CellKey {
        let UsageNames([keys, apis, models, apps]) = self;
        let [key, api, model, app] = cell.names;
        CellKey {
            places: [
                keys.place(key, true),
                apis.place(api, true),
                models.place(model, cell.proven),
                apps.place(app, cell.proven),
            ],
            kind: cell.kind,
        }
    }

    /// Returns the names of one dimension.
    pub(super) fn of(&self, dimension: usize) -> Option<&NameTable> {
        self.0.get(dimension)
    }
}
