//! Maps for what every request looks up and no client can fill: names from a configuration, cells with a bound.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

/// A map with a quick hash. The standard hash withstands keys that an attacker picks, at four times the cost.
pub type QuickMap<K, V> = HashMap<K, V, RandomState>;

/// The same without values.
pub type QuickSet<K> = HashSet<K, RandomState>;
