//! How often somebody may try a key.
//!
//! 1. After [`MOST_TRIES`] wrong keys in a minute from one address no key from there is looked at for a minute.
//! 2. Behind a proxy all visitors have the proxy's address. There a right key always enters, and the wrong keys of one visitor
//!    lock nobody else out.

use std::collections::HashMap;

use super::messages::KeyOrigin;

/// Wrong keys in a minute from one address.
const MOST_TRIES: usize = 5;

/// In ms.
const MINUTE: u64 = 60_000;

/// Addresses that are remembered. Beyond this number, the address with the oldest wrong key is forgotten.
const MOST_ADDRESSES: usize = 10_000;

/// The wrong keys of the last minute, by address. Times are ms of the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Tries(HashMap<KeyOrigin, AddressTries>);

#[derive(Debug, Default)]
struct AddressTries {
    /// In the last minute.
    wrong: Vec<u64>,
    locked_until: Option<u64>,
}

impl Tries {
    /// Returns whether a right key enters in spite of earlier wrong ones.
    pub(super) fn always_admits_right_key(from: KeyOrigin) -> bool {
        match from {
            KeyOrigin::Direct(_) => false,
            KeyOrigin::Proxy(_) => true,
        }
    }

    /// Returns until when wrong keys from this address are not counted, as there were too many.
    pub(super) fn locked_until(&self, from: KeyOrigin, now: u64) -> Option<u64> {
        self.0.get(&from)?.locked_until.filter(|until| *until > now)
    }

    /// Counts a wrong key.
    pub(super) fn failed(&mut self, from: KeyOrigin, now: u64) {
        if self.0.len() >= MOST_ADDRESSES && !self.0.contains_key(&from) {
            let oldest =
                self.0.iter().min_by_key(|(_, tries)| tries.wrong.last().copied()).map(|(address, _)| *address);
            oldest.map(|address| self.0.remove(&address));
        }
        let tries = self.0.entry(from).or_default();
        tries.wrong.retain(|at| at + MINUTE > now);
        tries.wrong.push(now);
        if tries.wrong.len() >= MOST_TRIES {
            tries.wrong.clear();
            tries.locked_until = Some(now + MINUTE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;

    const HERE: KeyOrigin = KeyOrigin::Direct(IpAddr::V4(Ipv4Addr::LOCALHOST));
    const THERE: KeyOrigin = KeyOrigin::Direct(IpAddr::V6(Ipv6Addr::LOCALHOST));

    #[test]
    fn after_five_wrong_keys_in_a_minute_the_address_waits_for_a_minute() {
        let mut tries = Tries::default();
        for at in [0, 10_000, 20_000, 30_000] {
            tries.failed(HERE, at);
            assert_eq!(tries.locked_until(HERE, at), None);
        }
        tries.failed(HERE, 40_000);
        assert_eq!(tries.locked_until(HERE, 41_000), Some(100_000));
        assert_eq!(tries.locked_until(THERE, 41_000), None);
    }

    #[test]
    fn the_lock_holds_for_the_whole_minute_and_ends() {
        let mut tries = Tries::default();
        (0..5).for_each(|at| tries.failed(HERE, at * 10_000));
        for (now, until) in [(60_001, Some(100_000)), (99_999, Some(100_000)), (100_000, None)] {
            assert_eq!(tries.locked_until(HERE, now), until, "{now}");
        }
    }

    #[test]
    fn wrong_keys_by_a_proxy_lock_out_neither_right_keys_nor_visitors_without_the_proxy() {
        let proxy = KeyOrigin::Proxy(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let mut tries = Tries::default();
        (0..5).for_each(|at| tries.failed(proxy, at));
        assert_eq!(tries.locked_until(proxy, 10), Some(60_004), "more wrong keys are too many");
        assert_eq!(tries.locked_until(HERE, 10), None);
        assert!(Tries::always_admits_right_key(proxy) && !Tries::always_admits_right_key(HERE));
    }

    #[test]
    fn slow_tries_lock_nobody_out_and_many_addresses_take_no_more_memory() {
        let mut tries = Tries::default();
        for at in 0..20 {
            tries.failed(HERE, at * 20_000);
            assert_eq!(tries.locked_until(HERE, at * 20_000), None);
        }
        for address in 0..=MOST_ADDRESSES as u32 {
            tries.failed(KeyOrigin::Direct(IpAddr::V4(address.into())), 500_000 + u64::from(address));
        }
        assert_eq!(tries.0.len(), MOST_ADDRESSES);
    }
}
