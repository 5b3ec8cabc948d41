//! What providers bill beside tokens: the table of units, and numbers by unit.

use std::ops::AddAssign;

/// A unit that providers bill beside tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BilledUnit {
    /// An image that was made.
    Image,
    /// A second of sound that was heard. A begun one counts.
    AudioSecond,
    /// A character of a text that was spoken.
    Character,
    /// A page of a document that was read.
    Page,
    /// A search: in the web, or of a ranking, as the provider counts.
    Search,
}

/// The names of a unit.
#[derive(Debug)]
pub struct UnitNames {
    /// The unit.
    pub unit: BilledUnit,
    /// The field in answers and in the log.
    pub field: &'static str,
    /// The column in CSV, and the label in metrics.
    pub column: &'static str,
    /// The field of a price.
    pub price_field: &'static str,
    /// The column of a price.
    pub price_column: &'static str,
}

impl BilledUnit {
    /// How many units there are.
    pub const COUNT: usize = 5;

    /// Every unit with its names. The order is that of the records on disk: a new one goes to the end.
    pub const TABLE: [UnitNames; Self::COUNT] = [
        names(BilledUnit::Image, ["images", "images", "perImage", "per_image"]),
        names(BilledUnit::AudioSecond, ["audioSeconds", "audio_seconds", "perAudioSecond", "per_audio_second"]),
        names(BilledUnit::Character, ["characters", "characters", "perCharacter", "per_character"]),
        names(BilledUnit::Page, ["pages", "pages", "perPage", "per_page"]),
        names(BilledUnit::Search, ["searches", "searches", "perSearch", "per_search"]),
    ];
}

const fn names(unit: BilledUnit, [field, column, price_field, price_column]: [&'static str; 4]) -> UnitNames {
    UnitNames { unit, field, column, price_field, price_column }
}

/// A number for each unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ByUnit<T>([T; BilledUnit::COUNT]);

/// The units of one exchange. Small: each record has them, and most have none.
pub type BilledUnits = ByUnit<u32>;

/// The units of many exchanges.
pub type BilledSums = ByUnit<u64>;

impl<T: Copy + Default + Ord> ByUnit<T> {
    /// Returns a number for one unit, and none for the others.
    pub fn of(unit: BilledUnit, number: T) -> Self {
        let mut all = ByUnit::default();
        all.set(unit, number);
        all
    }

    /// Returns the number of a unit.
    pub fn get(&self, unit: BilledUnit) -> T {
        self.0.get(unit as usize).copied().unwrap_or_default()
    }

    /// Sets the number of a unit.
    pub fn set(&mut self, unit: BilledUnit, number: T) {
        if let Some(place) = self.0.get_mut(unit as usize) {
            *place = number;
        }
    }

    /// Returns whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|number| *number == T::default())
    }

    /// Returns the names and the number of each unit.
    pub fn by_name(&self) -> impl Iterator<Item = (&'static UnitNames, T)> + use<T> {
        const TABLE: &[UnitNames; BilledUnit::COUNT] = &BilledUnit::TABLE;
        TABLE.iter().zip(self.0)
    }

    /// Returns the names and the number of each unit that has one.
    pub fn present(&self) -> impl Iterator<Item = (&'static UnitNames, T)> + use<T> {
        self.by_name().filter(|(_, number)| *number != T::default())
    }

    /// Returns the larger number of each unit.
    pub fn larger(self, other: Self) -> Self {
        let mut all = self.0;
        all.iter_mut().zip(other.0).for_each(|(number, other)| *number = (*number).max(other));
        ByUnit(all)
    }

    /// Returns the numbers, in the order of the table.
    pub fn to_array(self) -> [T; BilledUnit::COUNT] {
        self.0
    }

    /// Returns numbers in the order of the table.
    pub fn from_array(numbers: [T; BilledUnit::COUNT]) -> Self {
        ByUnit(numbers)
    }

    /// Returns the numbers changed.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> ByUnit<U> {
        ByUnit(self.0.map(change))
    }
}

impl BilledUnits {
    /// Adds so many of a unit.
    pub fn add(&mut self, unit: BilledUnit, more: u32) {
        self.set(unit, self.get(unit).saturating_add(more));
    }
}

impl AddAssign for BilledSums {
    fn add_assign(&mut self, other: BilledSums) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum = sum.saturating_add(more));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_stands_at_its_own_place() {
        for (place, UnitNames { unit, field, .. }) in BilledUnit::TABLE.iter().enumerate() {
            assert_eq!(*unit as usize, place, "{field}");
            let all = BilledUnits::of(*unit, 7);
            assert_eq!((all.get(*unit), all.present().count()), (7, 1), "{field}");
        }
        assert!(BilledUnits::default().is_empty());
    }

    #[test]
    fn numbers_add_up_and_stop_at_the_largest_one() {
        let mut units = BilledUnits::of(BilledUnit::Image, u32::MAX);
        units.add(BilledUnit::Image, 1);
        units.add(BilledUnit::Page, 2);
        assert_eq!((units.get(BilledUnit::Image), units.get(BilledUnit::Page)), (u32::MAX, 2));
        let mut sums = units.map(u64::from);
        sums += sums;
        assert_eq!(sums.get(BilledUnit::Image), 2 * u64::from(u32::MAX));
        assert_eq!(units.larger(BilledUnits::of(BilledUnit::Page, 9)).get(BilledUnit::Page), 9);
    }
}
