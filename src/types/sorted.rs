//! Sorts, and ordered maps and sets, for all but the path of a request.
//!
//! The standard library's sort is 7 KB of code for each type of items, and the sort inside `BTreeMap::from_iter` is, too. Here one sort of
//! places serves every type. A stable sort, as [`slice::sort`].

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Sorts items.
pub fn sort<T: Ord>(items: &mut Vec<T>) {
    sort_by(items, T::cmp);
}

/// Sorts items by a key of each.
pub fn sort_by_key<T, K: Ord>(items: &mut Vec<T>, key: impl Fn(&T) -> K) {
    sort_by(items, |one, other| key(one).cmp(&key(other)));
}

/// Sorts items as two of them compare.
pub fn sort_by<T>(items: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    let places = sorted_places(items.len(), &|one, other| match (items.get(one), items.get(other)) {
        (Some(one), Some(other)) => compare(one, other),
        (_, _) => Ordering::Equal,
    });
    let mut unsorted: Vec<Option<T>> = std::mem::take(items).into_iter().map(Some).collect();
    items.extend(places.into_iter().filter_map(|place| unsorted.get_mut(place)?.take()));
}

/// Returns the places of so many items in the order of the items.
fn sorted_places(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|one, other| compare(*one, *other));
    places
}

/// Makes a map. Of entries with one key the last one counts.
pub fn map<K: Ord, V>(entries: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    map.extend(entries);
    map
}

/// Makes a set.
pub fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    set.extend(items);
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_sorted_and_equal_ones_keep_their_order() {
        for count in [0, 1, 2, 21, 300] {
            let items: Vec<(usize, String)> = (0..count).map(|at| (at * 7 % 5, at.to_string())).collect();
            let (mut ours, mut wanted) = (items.clone(), items);
            sort_by_key(&mut ours, |(number, _)| *number);
            wanted.sort_by_key(|(number, _)| *number);
            assert_eq!(ours, wanted);
            sort(&mut ours);
            wanted.sort();
            assert_eq!(ours, wanted);
            sort_by(&mut ours, |one, other| other.1.cmp(&one.1));
            wanted.sort_by(|one, other| other.1.cmp(&one.1));
            assert_eq!(ours, wanted);
        }
    }

    #[test]
    fn maps_and_sets_are_as_the_standard_librarys() {
        let entries = [(3, 'a'), (1, 'b'), (3, 'c'), (2, 'd')];
        assert_eq!(map(entries), BTreeMap::from(entries));
        assert_eq!(set([3, 1, 3, 2]), BTreeSet::from([1, 2, 3]));
    }
}
