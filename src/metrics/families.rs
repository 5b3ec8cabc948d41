//! The table of all metrics.

/// A row of the table.
#[derive(Debug)]
pub struct MetricFamily {
    /// The name, as exported.
    pub name: &'static str,
    /// What the values are.
    pub kind: MetricKind,
    /// The names of the labels.
    pub labels: &'static [&'static str],
    /// What the values say, for people.
    pub help: &'static str,
}

/// What the values of a family are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Grows until the process ends.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations by bounds.
    Histogram,
}

impl MetricKind {
    /// Returns the word in `# TYPE`.
    pub const fn as_str(self) -> &'static str {
        match self {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        }
    }
}

macro_rules! families {
    ($($row:ident: $kind:ident $name:literal [$($label:literal)*] $help:literal;)*) => {
        $(#[doc = $help] pub static $row: MetricFamily = MetricFamily {
            name: $name, kind: MetricKind::$kind, labels: &[$($label),*], help: $help,
        };)*
        /// Every row.
        pub static FAMILIES: &[&MetricFamily] = &[$(&$row),*];
    };
}

families! {
    REQUESTS: Counter "api_together_requests_total" ["op" "key" "model" "status"]
        "Requests that have ended, by what the client saw.";
    REQUEST_DURATION: Histogram "api_together_request_duration_seconds" ["op" "stream"]
        "From a request's head to the end of its answer.";
    FIRST_TOKEN: Histogram "api_together_first_token_seconds" ["op" "stream"]
        "From a request's head to the first content of its answer, retries and waits included.";
    ADDED_LATENCY: Histogram "api_together_added_latency_seconds" []
        "What the pool itself adds to a request: from the whole request to its first attempt, and from the upstream's first content \
         to the client's.";
    ATTEMPTS: Counter "api_together_attempts_total" ["api" "class"]
        "Exchanges with upstreams, by the class of the end (docs/failures.md): ok where the answer went to the client, abandoned \
         where the attempt was given up.";
    ATTEMPT_FIRST_TOKEN: Histogram "api_together_attempt_first_token_seconds" ["api"]
        "From the start of a serving attempt to its first content.";
    TOKENS: Counter "api_together_tokens_total" ["api" "key" "model" "type" "estimated"]
        "Tokens of all attempts, by kind: input, cached_input, cache_write, output, reasoning. No token is of two kinds.";
    BILLED_UNITS: Counter "api_together_billed_units_total" ["api" "key" "model" "unit"]
        "What all attempts are billed by beside tokens: images, audio_seconds, characters, pages, searches.";
    COST: Counter "api_together_cost_total" ["api" "key" "model" "currency"]
        "What all attempts cost, by the prices in force. A model without a price costs nothing.";
    REFUSALS: Counter "api_together_refusals_total" ["reason" "key"]
        "Requests that the pool itself refused, by reason.";
    LIMIT: Gauge "api_together_limit" ["of" "model" "limit"]
        "The bound of a limit.";
    LIMIT_USED: Gauge "api_together_limit_used" ["of" "model" "limit"]
        "How much of a limit is used, requests under way included.";
    LIMIT_RESET: Gauge "api_together_limit_reset_timestamp_seconds" ["of" "model" "limit"]
        "When a limit's period ends.";
    LIMIT_EXHAUSTION: Gauge "api_together_limit_exhaustion_timestamp_seconds" ["of" "model" "limit"]
        "When a limit is used up at the present rate; no sample where its period ends before.";
    BUDGET: Gauge "api_together_budget" ["key" "per"]
        "A budget of a client's key, in dollars.";
    BUDGET_USED: Gauge "api_together_budget_used" ["key" "per"]
        "How much of a budget is used, requests under way included, in dollars.";
    UPSTREAM_STATE: Gauge "api_together_upstream_state" ["api" "state"]
        "1 for the state in which an upstream is, and 0 for the others.";
    IN_FLIGHT: Gauge "api_together_in_flight" ["api"]
        "Attempts under way.";
    WAITING: Gauge "api_together_waiting" []
        "Requests in wait for a limit to free (queue).";
    CONNECTIONS: Gauge "api_together_connections" []
        "Open connections of clients.";
    REQUESTS_IN_FLIGHT: Gauge "api_together_requests_in_flight" []
        "Requests of clients under way.";
    RETRY_BUDGET_LEFT: Gauge "api_together_retry_budget_left" []
        "Attempts that the retry budget allows now.";
    RETRY_BUDGET_DENIED: Counter "api_together_retry_budget_denied_total" []
        "Attempts not made as the retry budget was spent.";
    MAILBOX_DEPTH: Gauge "api_together_mailbox_depth" ["actor"]
        "Messages that wait, in all mailboxes of a kind of actor.";
    MAILBOX_DEEPEST: Gauge "api_together_mailbox_deepest" ["actor"]
        "The most messages that waited since the start.";
    MAILBOX_REFUSED: Counter "api_together_mailbox_refused_total" ["actor"]
        "Messages that a full mailbox did not take.";
    MAILBOX_CAPACITY: Gauge "api_together_mailbox_capacity" ["actor"]
        "How many messages a mailbox takes (actors.mailboxes); no sample where any number.";
    STORE_UP: Gauge "api_together_store_up" ["store"]
        "1 if the last batch for a store succeeded: disk, or the shared one of several servers.";
    STORE_LAG: Gauge "api_together_store_lag_seconds" ["store"]
        "How long the batch under way has taken so far; 0 without one.";
    CONFIG_RELOADED: Gauge "api_together_config_last_reload_timestamp_seconds" []
        "When the configuration in force was loaded.";
    CONFIG_RELOAD_SUCCESS: Gauge "api_together_config_last_reload_success" []
        "1 if the configuration's file is the one in force, 0 if the file has a mistake.";
    CONFIG_INFO: Gauge "api_together_config_info" ["hash"]
        "1, with the hash of the configuration in force.";
    BUILD_INFO: Gauge "api_together_build_info" ["version"]
        "1, with the version of the program.";
    RECORDS_DROPPED: Counter "api_together_records_dropped_total" []
        "Ended requests that are in no count, as too many had ended at once.";
    CELLS_OVERFLOWED: Counter "api_together_cells_overflowed_total" []
        "Requests counted under other, as there were too many combinations of labels.";
    PROCESS_CPU: Counter "process_cpu_seconds_total" []
        "CPU time of the process.";
    PROCESS_RESIDENT: Gauge "process_resident_memory_bytes" []
        "Memory of the process in RAM.";
    PROCESS_VIRTUAL: Gauge "process_virtual_memory_bytes" []
        "Address space of the process.";
    PROCESS_FDS: Gauge "process_open_fds" []
        "Open files, sockets included.";
    PROCESS_MAX_FDS: Gauge "process_max_fds" []
        "Files that may be open.";
    PROCESS_THREADS: Gauge "process_threads" []
        "Threads of the process.";
    PROCESS_START: Gauge "process_start_time_seconds" []
        "When the process was started.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_end_as_their_kind_does() {
        let names: BTreeSet<_> = FAMILIES.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), FAMILIES.len());
        for MetricFamily { name, kind, labels, help } in FAMILIES {
            assert_eq!(name.ends_with("_total"), *kind == MetricKind::Counter, "{name}");
            assert!(*kind != MetricKind::Histogram || name.ends_with("_seconds"), "{name}");
            assert!(!labels.contains(&"le") && help.ends_with('.'), "{name}");
        }
    }
}
