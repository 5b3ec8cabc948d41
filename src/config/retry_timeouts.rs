//! How long to wait, and how often to try: from what is typed under `retry` and `timeouts` to what is meant.

use std::time::Duration;

use super::file::{RetryFile, RetryOnFile, TimeoutsFile};
use super::model::{BudgetConfig, RetryConfig, Timeouts};
use super::proxies::ProxyChoice;
use super::validator::Validator;
use crate::types::{ClassSet, FailureClass};

/// The values for an API without its own.
pub(super) struct Defaults<'a> {
    pub(super) timeouts: &'a TimeoutsFile,
    pub(super) retry: &'a RetryFile,
    pub(super) proxy: &'a ProxyChoice,
}

impl Defaults<'_> {
    pub(super) fn timeouts(&self, own: &TimeoutsFile) -> Timeouts {
        let all = self.timeouts;
        let ms = |typed: [Option<u32>; 2], default: u32| millis(typed.into_iter().flatten().next().unwrap_or(default));
        let first_token = all.first_token_timeout_ms.or(self.retry.first_token_timeout_ms);
        Timeouts {
            connect: ms([own.connect_ms, all.connect_ms], 10_000),
            first_token: ms([own.first_token_timeout_ms, first_token], 120_000),
            idle: ms([own.idle_ms, all.idle_ms], 120_000),
            total: ms([own.total_ms, all.total_ms], 600_000),
            stream_total: ms([own.total_ms, all.total_ms], 3_600_000),
        }
    }
}

/// 0 stands for never.
pub(super) fn non_zero(typed: Option<u32>) -> Option<Duration> {
    typed.filter(|ms| *ms > 0).map(millis)
}

fn millis(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}

impl Validator<'_> {
    pub(super) fn retry(&mut self, file: &RetryFile) -> RetryConfig {
        RetryConfig {
            max_attempts: file.max_attempts.unwrap_or(10) as usize,
            retry_on: self.retry_on(file.retry_on.as_ref()),
            budget: BudgetConfig {
                percent: file.budget.percent.unwrap_or(20),
                per_second: file.budget.per_second.unwrap_or(10),
            },
            same_upstream: file.same_upstream.unwrap_or(0),
            backoff: millis(file.backoff_ms.unwrap_or(250)),
            hedge_after: non_zero(file.hedge_after_ms),
        }
    }

    fn retry_on(&mut self, typed: Option<&RetryOnFile>) -> ClassSet {
        let named = match typed {
            None => return ClassSet::ELSEWHERE,
            Some(RetryOnFile::One(name)) if name == "any" => return FailureClass::ALL.into_iter().collect(),
            Some(RetryOnFile::One(name)) => vec![("retry.retryOn".to_owned(), name)],
            Some(RetryOnFile::Many(names)) => {
                names.iter().enumerate().map(|(i, name)| (format!("retry.retryOn[{i}]"), name)).collect()
            }
        };
        let known = FailureClass::ALL.map(FailureClass::as_str).join(", ");
        let class = |(at, name): (String, &String)| {
            let class = FailureClass::ALL.into_iter().find(|class| class.as_str() == name);
            if class.is_none() {
                self.problem(&at, format!("is no failure class; use \"any\", or a list of {known}"));
            }
            class
        };
        named.into_iter().filter_map(class).collect()
    }
}
