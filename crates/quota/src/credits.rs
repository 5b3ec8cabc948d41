//! What of a quota may be taken without asking its owner: one atomic, spent by whoever admits, on any thread.
//!
//! The quota opens units that are durable and fit into its windows, and counts them as on the way from then on, which is
//! as *now* in each window. So nobody who takes one can go over a limit, and nothing is stranded: all threads take from
//! the same units, and the quota calls in what is left whenever it is looked at.

use std::sync::atomic::{AtomicU64, Ordering};

/// Requests and tokens are packed into one number, so that an attempt takes both or none.
const TOKEN_BITS: u32 = 40;
const MOST_TOKENS: u64 = (1 << TOKEN_BITS) - 1;
const MOST_REQUESTS: u64 = (1 << (u64::BITS - TOKEN_BITS)) - 1;

/// So many requests and tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    pub requests: u64,
    pub tokens: u64,
}

/// Why nothing was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untaken {
    /// The owner is to decide: there may be more.
    Ask,
    /// There is nothing to be had just now, as far as is known: others come first.
    NotNow,
}

/// The open units of one quota under one set of limits.
#[derive(Debug)]
pub struct Allowance {
    /// Are requests bounded? What is not bounded is not counted here.
    requests: bool,
    /// The most tokens that are set aside for an attempt, if tokens are bounded.
    tokens: Option<u64>,
    left: AtomicU64,
    /// Until when what is open may be used (ms, monotonic): what a store lends has an end.
    begin_by: AtomicU64,
    /// Nothing is to be had before (ms, monotonic).
    shut_until: AtomicU64,
}

impl Allowance {
    /// Nothing is open yet. `requests`: are they bounded? `tokens`: the tightest bound of tokens.
    pub fn new(requests: bool, tokens: Option<u64>) -> Allowance {
        let left = AtomicU64::new(0);
        Allowance { requests, tokens, left, begin_by: AtomicU64::new(0), shut_until: AtomicU64::new(0) }
    }

    /// What an attempt of so many tokens takes.
    pub fn amount(&self, demand: u64) -> Amount {
        Amount {
            requests: u64::from(self.requests),
            tokens: self.tokens.map_or(0, |tightest| demand.max(1).min(tightest)),
        }
    }

    /// Takes what one attempt of so many tokens needs, at `now` (ms, monotonic). Returns until when it must have begun to be
    /// sent.
    pub fn take(&self, demand: u64, now: u64) -> Result<u64, Untaken> {
        // Read first: what is lent anew in the meantime may be used for longer, never for less.
        let begin_by = self.begin_by.load(Ordering::Acquire);
        let Amount { requests, tokens } = self.amount(demand);
        if now >= begin_by || tokens > MOST_TOKENS {
            return Err(Untaken::Ask);
        }
        let one = pack(Amount { requests, tokens });
        let taken = self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
            let there = unpack(left);
            (there.requests >= requests && there.tokens >= tokens).then(|| left - one)
        });
        match (taken, self.shut_until.load(Ordering::Acquire)) {
            (Ok(_), _) => Ok(begin_by),
            (Err(_), until) if until > now => Err(Untaken::NotNow),
            (Err(_), _) => Err(Untaken::Ask),
        }
    }

    /// Opens units: as many as fit of `amount`, which are returned. Only the quota does that, and only when nothing is open.
    pub fn open(&self, amount: Amount, begin_by: u64, shut_until: u64) -> Amount {
        let amount = Amount { requests: amount.requests.min(MOST_REQUESTS), tokens: amount.tokens.min(MOST_TOKENS) };
        self.begin_by.store(begin_by, Ordering::Release);
        self.shut_until.store(shut_until, Ordering::Release);
        self.left.store(pack(amount), Ordering::Release);
        amount
    }

    /// The tightest bound of tokens, if they are bounded.
    pub fn tightest(&self) -> Option<u64> {
        self.tokens
    }

    /// What is left.
    pub fn left(&self) -> Amount {
        unpack(self.left.load(Ordering::Acquire))
    }

    /// Calls in what is left.
    pub fn call_in(&self) -> Amount {
        unpack(self.left.swap(0, Ordering::AcqRel))
    }
}

fn pack(Amount { requests, tokens }: Amount) -> u64 {
    requests << TOKEN_BITS | tokens
}

fn unpack(packed: u64) -> Amount {
    Amount { requests: packed >> TOKEN_BITS, tokens: packed & MOST_TOKENS }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn an_attempt_takes_both_its_request_and_its_tokens_or_nothing() {
        let allowance = Allowance::new(true, Some(1_000));
        assert_eq!(allowance.take(1, 0), Err(Untaken::Ask), "nothing is open yet");
        allowance.open(Amount { requests: 3, tokens: 1_500 }, 100, 50);
        assert_eq!(allowance.take(1_600, 0), Ok(100), "more than a window holds takes all of it");
        assert_eq!(allowance.take(501, 0), Err(Untaken::NotNow));
        assert_eq!(allowance.take(0, 0), Ok(100), "nothing is foreseen, and there is room");
        assert_eq!(allowance.take(501, 50), Err(Untaken::Ask));
        assert_eq!(allowance.take(499, 100), Err(Untaken::Ask), "what was lent is another's by now");
        assert_eq!(allowance.take(499, 99), Ok(100));
        assert_eq!(allowance.call_in(), Amount::default());
        allowance.open(Amount { requests: 1, tokens: 0 }, 100, 0);
        assert_eq!(allowance.take(0, 0), Err(Untaken::Ask), "it may take tokens, and there are none");
    }

    #[test]
    fn what_is_not_bounded_is_not_counted() {
        let allowance = Allowance::new(false, Some(10));
        allowance.open(Amount { requests: 0, tokens: 10 }, u64::MAX, 0);
        assert_eq!((allowance.take(5, 0), allowance.take(5, 0)), (Ok(u64::MAX), Ok(u64::MAX)));
        let most = allowance.open(Amount { requests: u64::MAX, tokens: u64::MAX }, u64::MAX, 0);
        assert_eq!(most, Amount { requests: MOST_REQUESTS, tokens: MOST_TOKENS });
        assert_eq!(allowance.call_in(), most);
    }

    #[test]
    fn many_threads_take_each_unit_once_while_it_is_called_in_and_opened() {
        let (allowance, over) = (Allowance::new(true, None), AtomicBool::new(false));
        let (opened, taken) = std::thread::scope(|scope| {
            let take_on = || {
                let mut taken = 0;
                while !over.load(Ordering::Relaxed) {
                    taken += u64::from(allowance.take(0, 0).is_ok());
                }
                taken
            };
            let takers: Vec<_> = (0..4).map(|_| scope.spawn(take_on)).collect();
            let mut opened = 0;
            // Until enough of them came between.
            while opened < 10_000 {
                opened += allowance.open(Amount { requests: 7, tokens: 0 }, u64::MAX, 0).requests;
                std::thread::yield_now();
                opened -= allowance.call_in().requests;
            }
            over.store(true, Ordering::Relaxed);
            (opened, takers.into_iter().map(|taker| taker.join().expect("no panic")).sum::<u64>())
        });
        assert_eq!(taken, opened);
    }
}
