//! What tests of several rooms need: a paused clock, a configuration, and a store in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actix::prelude::*;
use quota::QuotaRecord;

use crate::config::{Config, ConfigSource, Overrides, parse};
use crate::mailbox::LaunchActor;
use crate::persistence::{Change, PersistenceActor, Saved, Store, StoreError};
use crate::types::{LedgerId, LedgerRecord, QuotaId, TokenStats};

/// Runs a test with actors, on a clock that stands still while anything is to do, and else jumps to the next timer.
pub(crate) fn on_paused_clock<T>(test: impl Future<Output = T>) -> T {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().expect("a runtime")
    };
    System::with_tokio_rt(runtime).block_on(test)
}

/// Reads a configuration.
pub(crate) fn config(text: &serde_json::Value) -> Config {
    let source = ConfigSource { path: "x.json".into(), overrides: Overrides::default() };
    parse(&text.to_string(), &source, |_| Ok(String::new())).expect("a configuration")
}

/// An entry of `apis` that serves the model `m`, with more fields.
pub(crate) fn api(id: &str, fields: &serde_json::Value) -> serde_json::Value {
    let mut api = serde_json::json!({
        "id": id, "baseUrl": "http://127.0.0.1:1", "apiKey": format!("sk-{id}-0123456789"), "models": ["m"],
    });
    let (Some(api_fields), Some(fields)) = (api.as_object_mut(), fields.as_object()) else { return api };
    api_fields.extend(fields.clone());
    api
}

/// A store in memory. A test can read the records, let commits fail, and hold commits back.
#[derive(Default)]
pub(crate) struct MemoryStore {
    pub(crate) quotas: Mutex<HashMap<QuotaId, QuotaRecord>>,
    pub(crate) ledgers: Mutex<BTreeMap<LedgerId, LedgerRecord>>,
    pub(crate) fails: AtomicBool,
    /// As long as this is set, no call returns.
    pub(crate) holds: AtomicBool,
    /// How many commits there were.
    pub(crate) commits: AtomicUsize,
}

impl MemoryStore {
    /// Starts the actor of this store.
    pub(crate) fn start(self: &Arc<Self>) -> Addr<PersistenceActor> {
        PersistenceActor::new(self.clone(), None).launch()
    }
}

impl MemoryStore {
    /// Blocks the store's thread, during which a paused clock does not jump by itself.
    fn wait_while_held(&self) {
        while self.holds.load(Ordering::Acquire) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

impl Store for MemoryStore {
    fn quota(&self, id: &QuotaId) -> Saved {
        self.wait_while_held();
        Saved { record: self.quotas.lock().expect("whole").get(id).cloned(), lost: false }
    }

    fn tokens(&self, _: &LedgerId) -> TokenStats {
        TokenStats::default()
    }

    fn ledgers(&self) -> Vec<(LedgerId, LedgerRecord)> {
        self.ledgers.lock().expect("whole").clone().into_iter().collect()
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StoreError> {
        self.wait_while_held();
        if self.fails.load(Ordering::Relaxed) {
            return Err(StoreError::new("the store", "fails as the test wants"));
        }
        self.commits.fetch_add(1, Ordering::Relaxed);
        let mut quotas = self.quotas.lock().expect("whole");
        for change in changes {
            match change {
                Change::Quota(id, record) => drop(quotas.insert(id.clone(), record.clone())),
                Change::Ledger(ledger, record) => {
                    self.ledgers.lock().expect("whole").insert(ledger.clone(), record.clone());
                }
                Change::Tokens(..) | Change::Homes(..) | Change::ForgetHomes(_) | Change::Usage(_) => {}
            }
        }
        Ok(())
    }
}
