//! The stores of a process, opened.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::AppError;
use crate::config::Config;
use crate::homes::{HomesActor, KnownHomes};
use crate::mailbox::spawn;
use crate::persistence::{
    RedisHomes, RedisStore, RedisUsage, SharedBackend, SharedHomes, SharedUsage, SledStore, Store, UsageReader,
};
use crate::proxy::FileCopies;
use crate::records::{LogFormat, restore_usage};
use crate::types::{Now, UsageChange};
use crate::usage::UsageLedger;

/// Where counts and statistics are kept.
#[derive(Debug, Clone)]
pub struct Data {
    /// The folder.
    pub folder: PathBuf,
    /// Begins at zero if the folder is damaged. Otherwise every limit counts as spent then.
    pub fresh: bool,
    /// How lines of the log are written.
    pub log_format: LogFormat,
}

/// What is saved, and where.
pub(super) struct Stores {
    /// The data folder.
    pub(super) store: Arc<dyn Store>,
    /// Lends quotas, if several servers share them.
    pub(super) lender: Option<Arc<dyn SharedBackend>>,
    /// Has the homes of other servers' objects, likewise.
    pub(super) shared_homes: Option<Arc<dyn SharedHomes>>,
    /// Has the usage of other servers, likewise.
    pub(super) shared_usage: Option<Arc<dyn SharedUsage>>,
    /// The homes in the data folder.
    pub(super) known_homes: KnownHomes,
    /// What is kept of files in the data folder.
    pub(super) copies: Arc<FileCopies>,
    /// The usage of today, and seals of days before.
    pub(super) usage: (UsageLedger, Vec<UsageChange>),
}

impl Stores {
    /// Opens the stores that a configuration names.
    ///
    /// # Errors
    /// When the data folder can't be used, or the URL of the shared store.
    pub(super) fn open(config: &Config, data: &Data) -> Result<Stores, AppError> {
        let failed = |why| AppError::Store { folder: data.folder.clone(), why };
        let store = SledStore::open(&data.folder, data.fresh).map_err(failed)?;
        let known_homes = KnownHomes::restore(store.homes(), HomesActor::today());
        let store: Arc<dyn Store> = Arc::new(store);
        let usage = restore_usage(&UsageReader::new(store.clone()), &TimeZone::system(), Now::read().wall);
        let copies = Arc::new(FileCopies::open(data.folder.join("files")));
        spawn(copies.clone().look_after());
        let mut stores =
            Stores { store, lender: None, shared_homes: None, shared_usage: None, known_homes, copies, usage };
        if let Some(shared) = &config.store {
            let (url, prefix) = (shared.url.expose(), &shared.prefix);
            stores.lender = Some(Arc::new(RedisStore::new(url, prefix).map_err(AppError::SharedStore)?));
            let server = stores.store.usage_server();
            stores.shared_usage = Some(Arc::new(RedisUsage::new(url, prefix, server).map_err(AppError::SharedStore)?));
            stores.shared_homes = Some(Arc::new(RedisHomes::new(url, prefix).map_err(AppError::SharedStore)?));
        }
        Ok(stores)
    }
}
