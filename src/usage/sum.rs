//! The answer to a question: blocks, added up by bucket and by what is asked to be apart.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use super::block::UsageBlock;
use super::cell::{Dimension, PlaceHasher};
use super::counts::UsageCounts;
use super::query::UsageQuery;

/// The most rows of an answer: about 60 MB of JSON.
pub(super) const MOST_ROWS: usize = 200_000;

/// There would be more than [`MOST_ROWS`] rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyRows;

/// One row of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// The begin of the bucket.
    pub start: i64,
    /// The name of each dimension that is apart, by [`Dimension::ALL`].
    pub names: [Option<Arc<str>>; 4],
    /// The sums.
    pub counts: UsageCounts,
}

/// Sums of a query.
#[derive(Debug)]
pub struct UsageSum {
    query: UsageQuery,
    names: [GroupNames; 4],
    buckets: BTreeMap<i64, HashMap<u64, UsageCounts, BuildHasherDefault<PlaceHasher>>>,
    rows: usize,
}

/// The names of a dimension in the answer.
#[derive(Debug, Default)]
struct GroupNames {
    names: Vec<Arc<str>>,
    places: HashMap<Arc<str>, u16>,
}

impl GroupNames {
    fn place(&mut self, name: &str) -> u16 {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        // The last place is for all beyond: more names than this no year has.
        let place = u16::try_from(self.names.len()).unwrap_or(u16::MAX);
        if place < u16::MAX {
            let name: Arc<str> = Arc::from(name);
            self.names.push(name.clone());
            self.places.insert(name, place);
        }
        place
    }
}

impl UsageSum {
    /// Begins the sums of a query.
    pub fn new(query: UsageQuery) -> UsageSum {
        UsageSum { query, names: Default::default(), buckets: BTreeMap::new(), rows: 0 }
    }

    /// Adds the block of a period that begins at `start`.
    ///
    /// # Errors
    /// When there are too many rows. The sums are unusable then.
    pub fn add(&mut self, start: i64, block: &UsageBlock<'_>) -> Result<(), TooManyRows> {
        if start < self.query.from || start >= self.query.to {
            return Ok(());
        }
        let groups = self.groups(block);
        let [keys, apis, models, apps] = &groups;
        let bucket = self.query.by.start(start, &self.query.zone);
        let rows = self.buckets.entry(bucket).or_default();
        let before = rows.len();
        let kind = self.query.kind;
        // Neighbours are often of the same row.
        let mut run: (Option<u64>, UsageCounts) = (None, UsageCounts::default());
        block.cells(|[key, api, model, app], of, counts| {
            let place = |groups: &Vec<Option<u64>>, local: usize| groups.get(local).copied().flatten();
            let Some(row) = (|| {
                let [key, api] = [place(keys, key)?, place(apis, api)?];
                let [model, app] = [place(models, model)?, place(apps, app)?];
                kind.is_none_or(|kind| kind == of).then_some(key << 48 | api << 32 | model << 16 | app)
            })() else {
                return;
            };
            if run.0 != Some(row) {
                if let Some(done) = run.0 {
                    rows.entry(done).or_default().add(&run.1);
                }
                run = (Some(row), UsageCounts::default());
            }
            run.1.add(&counts);
        });
        if let Some(done) = run.0 {
            rows.entry(done).or_default().add(&run.1);
        }
        self.rows += rows.len() - before;
        if self.rows > MOST_ROWS { Err(TooManyRows) } else { Ok(()) }
    }

    /// Returns for each name of a block the place in the answer: 0 where the dimension is not apart, and `None` where the name is not
    /// wanted.
    fn groups(&mut self, block: &UsageBlock<'_>) -> [Vec<Option<u64>>; 4] {
        let mut groups: [Vec<Option<u64>>; 4] = Default::default();
        let dimensions = Dimension::ALL.into_iter().zip(&self.query.filters).zip(&mut self.names);
        for (((dimension, wanted), known), (names, groups)) in dimensions.zip(block.names.iter().zip(&mut groups)) {
            let is_apart = self.query.group.contains(&dimension);
            groups.extend(names.iter().map(|name| {
                let is_wanted = wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
                is_wanted.then(|| if is_apart { known.place(name).into() } else { 0 })
            }));
        }
        groups
    }

    /// Returns what was asked.
    pub fn query(&self) -> &UsageQuery {
        &self.query
    }

    /// Returns the rows, by bucket and then by name, and the sum of all.
    pub fn rows(&self) -> (Vec<UsageRow>, UsageCounts) {
        let mut total = UsageCounts::default();
        let mut all = Vec::with_capacity(self.rows);
        for (start, rows) in &self.buckets {
            let begin = all.len();
            for (row, counts) in rows.iter().filter(|(_, counts)| !counts.is_empty()) {
                total.add(counts);
                all.push(UsageRow { start: *start, names: self.row_names(*row), counts: counts.clone() });
            }
            if let Some(bucket) = all.get_mut(begin..) {
                bucket.sort_unstable_by(|one, other| one.names.cmp(&other.names));
            }
        }
        (all, total)
    }

    fn row_names(&self, row: u64) -> [Option<Arc<str>>; 4] {
        let mut names: [Option<Arc<str>>; 4] = Default::default();
        let dimensions = Dimension::ALL.into_iter().zip(&self.names).zip([48, 32, 16, 0]);
        for (name, ((dimension, known), shift)) in names.iter_mut().zip(dimensions) {
            if self.query.group.contains(&dimension) {
                let place = usize::from((row >> shift & 0xffff) as u16);
                *name = Some(known.names.get(place).cloned().unwrap_or_else(|| Arc::from(super::names::OTHER)));
            }
        }
        names
    }
}
