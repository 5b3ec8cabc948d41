//! What the samples come to: the table of thirds, and the verdict.

use super::program::Sample;

/// Growth of memory from the middle third to the last that may be chance: a share, and KiB.
const MEMORY: (f64, f64) = (1.10, 4096.0);

/// The same of the data folder, which grows in steps.
const DATA: (f64, f64) = (1.50, 8192.0);

/// Descriptors that may be left over: idle connections to upstreams, which close at the next use.
const DESCRIPTORS: u64 = 16;

/// So many threads more than before are allowed.
const THREADS: u64 = 2;

/// What is true of each sample, by name.
type Column = (&'static str, fn(&Sample) -> u64);

const COLUMNS: [Column; 5] = [
    ("memory, KiB", |sample| sample.rss),
    ("descriptors", |sample| sample.descriptors),
    ("threads", |sample| sample.threads),
    ("data, KiB", |sample| sample.data),
    ("in flight", |sample| sample.in_flight),
];

/// The moments that are compared: at rest before the load, under it, at rest after it.
pub struct Report {
    /// After a first load, when its clients had left.
    pub base: Sample,
    /// Every ten seconds of the load.
    pub under_load: Vec<Sample>,
    /// When all clients had left.
    pub after: Sample,
}

impl Report {
    /// Prints the means of each third.
    pub fn print(&self) {
        println!("{:12} {:>10} {:>10} {:>10} {:>10} {:>10}", "", "at rest", "first", "middle", "last", "at rest");
        for (name, of) in COLUMNS {
            let [first, middle, last] = self.thirds(of);
            let (base, after) = (of(&self.base), of(&self.after));
            println!("{name:12} {base:>10} {first:>10.0} {middle:>10.0} {last:>10.0} {after:>10}");
        }
    }

    /// Everything that is not as it should be.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let grown = |of: fn(&Sample) -> u64, (share, more): (f64, f64)| {
            let [_, middle, last] = self.thirds(of);
            last > middle * share + more
        };
        if grown(|sample| sample.rss, MEMORY) {
            complaints.push("memory grows".to_owned());
        }
        if grown(|sample| sample.data, DATA) {
            complaints.push("the data folder grows".to_owned());
        }
        let (before, after) = (self.base, self.after);
        if after.descriptors > before.descriptors + DESCRIPTORS {
            complaints.push(format!("{} descriptors at rest, {} before", after.descriptors, before.descriptors));
        }
        // The runtime keeps a pool of threads for what blocks, which fills as it is needed.
        if after.threads > before.threads + THREADS {
            complaints.push(format!("{} threads at rest, {} before", after.threads, before.threads));
        }
        if after.in_flight > 0 {
            complaints.push(format!("{} attempts in flight, and no client is left", after.in_flight));
        }
        complaints
    }

    /// The means of each third; not a number where there are too few samples.
    fn thirds(&self, of: fn(&Sample) -> u64) -> [f64; 3] {
        let all = self.under_load.len();
        [0, 1, 2].map(|nth| {
            let part = self.under_load.get(nth * all / 3..(nth + 1) * all / 3).unwrap_or_default();
            let sum: u64 = part.iter().map(of).sum();
            sum as f64 / part.len() as f64
        })
    }
}
