//! The promises of api-together, tested against the running program over real sockets. A file per promise.

#![expect(unreachable_pub, reason = "a test binary exports nothing")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

mod helpers;

mod agent;
mod alerts;
mod aliases;
mod anthropic;
mod auth;
mod azure;
mod both_dialects;
mod cli;
mod client_headers;
mod clients;
mod config;
mod dashboard;
mod documents;
mod echoes;
mod edge;
mod endpoints;
mod examples;
mod explain;
mod failures;
mod file_copies;
mod first_run;
mod forecast;
mod forms;
mod framing;
mod fuzz_corpus;
mod gemini;
mod health;
mod homes;
mod http2;
mod import;
mod init;
mod key_attempts;
mod key_budgets;
mod key_crashes;
mod keys;
mod limits;
mod listen_tls;
mod manual;
mod messages;
mod metrics;
mod mistyped;
mod names;
mod objects;
mod online;
mod pacing;
mod periods;
mod persistence;
mod pings;
mod presets;
mod prices;
mod probes;
mod promises;
mod providers;
mod proxies;
mod quotas;
mod realtime;
mod records;
mod reload;
mod renames;
mod replicas;
mod retry;
mod retry_storm;
mod routing;
mod sdk;
mod sdk_refusals;
mod secrets;
mod sessions;
mod stop;
mod stream_ends;
mod streams;
mod surface;
mod tls;
mod tokens;
mod transport;
mod uploads;
mod usage;
mod verdicts;
mod websocket;
mod wrong_address;
mod wrong_path;
