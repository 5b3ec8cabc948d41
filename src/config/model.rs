//! What is meant: a configuration, valid by construction. Only `validate` makes one.

mod keys;
mod owners;
mod quotas;
mod retry;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

pub use self::keys::{Access, DASHBOARD_KEY, DEFAULT_KEY, KeyBudget, KeyConfig, OperatorKey};
pub use self::owners::{Identity, KeyOwners};
pub use self::quotas::{PeriodLimit, QuotaConfig};
pub use self::retry::{BudgetConfig, RetryConfig};
use super::alerts::AlertConfig;
use super::base_url::is_this_machine;
use super::file::AffinityFile;
use super::prices::{AccountPrices, PriceFile};
use super::providers::PresetUse;
use super::quirks::Quirks;
use super::secret::ApiKey;
use super::served_models::Models;
use super::server_limits::ServerLimits;
use crate::mailbox::ActorKind;
use crate::types::{ApiId, ByFormat, ByName, LedgerId, WireFormat};

/// A whole valid configuration. Shared by reference; a reload makes a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The pool itself.
    pub server: ServerConfig,
    /// The accounts, in the order of the file; ids are unique.
    pub apis: Vec<Arc<ApiConfig>>,
    /// The keys of clients, with unique names. At least one: without a secret where every client is let in.
    pub keys: Vec<Arc<KeyConfig>>,
    /// The keys of people who operate the pool.
    pub access: Access,
    /// Whose all of these keys are.
    pub owners: KeyOwners,
    /// Other names for models, of the whole pool.
    pub aliases: ModelAliases,
    /// What happens when an upstream fails.
    pub retry: RetryConfig,
    /// What happens when every upstream is at a limit.
    pub queue: QueueConfig,
    /// Where several servers count their limits together.
    pub store: Option<StoreConfig>,
    /// Threads and queue sizes.
    pub actors: ActorsConfig,
    /// Which upstream the requests of one session prefer.
    pub affinity: Affinity,
    /// Who is told of events.
    pub alerts: Vec<Arc<AlertConfig>>,
    /// Of the content of the file and of the key files. Two contents differ in the hash.
    pub hash: String,
    /// The names of the key files, as typed.
    pub key_files: Vec<String>,
    /// By the id of an API: what its provider's preset filled in.
    pub presets: BTreeMap<String, PresetUse>,
    /// The file of presets that was looked for, if a preset is used. The file need not be there.
    pub preset_file: Option<PathBuf>,
    /// The file of prices, if one is named.
    pub price_file: Option<PriceFile>,
    /// What is allowed and yet probably not meant, for the log.
    pub warnings: Vec<String>,
}

impl Config {
    /// Returns whether there is a dashboard: for people who operate the pool, and on this machine for the holder of its key.
    pub fn has_dashboard(&self) -> bool {
        let host = self.server.admin.as_ref().map_or(&self.server.host, |(host, _)| host);
        self.access.has_operators() || is_this_machine(host)
    }

    /// Returns whether clients need a key.
    pub fn wants_key(&self) -> bool {
        self.keys.iter().any(|key| !key.secrets.is_empty())
    }
}

/// By alias: the models that are tried, in order. At least one, and each once.
pub type ModelAliases = ByName<Arc<[Arc<str>]>>;

/// The pool's own address and keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// `service` in the answers of our own endpoints.
    pub name: String,
    /// Host name or address to listen on; `localhost` is both loopback addresses.
    pub host: String,
    /// Port to listen on; 0 takes any free one.
    pub port: u16,
    /// How long a stream may be silent before the client is sent a comment.
    pub stream_ping: Option<Duration>,
    /// The dashboard's own address, if it has one: host and port.
    pub admin: Option<(String, u16)>,
    /// The names under which the dashboard is opened, beside `localhost` and addresses.
    pub hostnames: Vec<String>,
    /// Do answers have the asked name of the model?
    pub echo_model: bool,
    /// Gets requests for unknown paths.
    pub passthrough: Option<ApiId>,
    /// The largest request body, in bytes.
    pub body_limit: usize,
    /// The largest form, in bytes.
    pub upload_limit: usize,
    /// What all forms on disk may take, in bytes.
    pub spool: u64,
    /// Are files given to the accounts that need them?
    pub replicate_files: bool,
    /// Origins of pages with access from a browser; `*` for any.
    pub cors: Vec<String>,
    /// The server's own limits.
    pub limits: ServerLimits,
}

impl ServerConfig {
    /// Returns where the server listens: host and port, and those of the dashboard.
    pub(super) fn address(&self) -> (&str, u16, Option<&(String, u16)>) {
        (&self.host, self.port, self.admin.as_ref())
    }
}

/// One upstream, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// Unique.
    pub id: ApiId,
    /// The id before a rename.
    pub was: Option<ApiId>,
    /// Where counts, statistics and homes are kept: under the id, until the supervisor has found the ledger of a renamed entry.
    pub ledger: LedgerId,
    /// For people.
    pub name: String,
    /// Where the API of each format is. At least one is there.
    pub addresses: ByFormat<Option<AddressConfig>>,
    /// The account's key.
    pub key: ApiKey,
    /// Go along with each request, by name in lower case.
    pub headers: BTreeMap<Arc<str>, ApiKey>,
    /// The limits of this account alone.
    pub quota: QuotaConfig,
    /// The limits shared with other accounts.
    pub group: Option<Arc<GroupConfig>>,
    /// Which requests count against limits.
    pub count_on: CountOn,
    /// `enabled`, and no limit is 0.
    pub enabled: bool,
    /// The models, under the upstream's own names.
    pub models: Models,
    /// Requested name → the upstream's own. With patterns among the requested names, a listed model is mapped to itself.
    pub mapping: ByName<Arc<str>>,
    /// Share of the traffic within a priority, at least 1.
    pub weight: u32,
    /// Lowest first.
    pub priority: i32,
    /// May HTTP/2 be spoken? (Only where TLS is.)
    pub http2: bool,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// In what it differs from others of the same format.
    pub quirks: Quirks,
    /// What tokens cost there.
    pub prices: AccountPrices,
}

impl ApiConfig {
    /// Returns the formats with an address.
    pub fn formats(&self) -> impl Iterator<Item = WireFormat> {
        WireFormat::ALL.into_iter().filter(|format| self.offers(*format))
    }

    /// Returns whether requests of this format can be sent there.
    pub fn offers(&self, format: WireFormat) -> bool {
        self.addresses.of(format).is_some()
    }
}

/// Where an account's API of one format is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressConfig {
    /// Where the operations are. Ends in a slash, and has the version (`https://api.openai.com/v1/`) if there is one.
    pub base_url: Url,
    /// The date of Azure's classic form, if the API is asked in that form. Then the base URL ends in `/openai/`.
    pub api_version: Option<Arc<str>>,
    /// The version in the path of a client's request goes along: of Gemini's format, at a base URL without a version.
    pub takes_version: bool,
    /// How the key is sent.
    pub auth: AuthScheme,
    /// The proxy on the way, if any.
    pub proxy: Option<Arc<transport::Proxy>>,
}

/// How a key is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthScheme {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// `x-api-key: KEY`.
    XApiKey,
    /// `api-key: KEY`.
    ApiKey,
    /// `x-goog-api-key: KEY`.
    XGoogApiKey,
}

/// Limits of several APIs together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupConfig {
    /// The members' name for the group.
    pub name: Arc<str>,
    /// The members.
    pub members: Vec<ApiId>,
    /// Their ledgers.
    pub ledgers: Vec<LedgerId>,
    /// The limits.
    pub quota: QuotaConfig,
}

/// Which requests count against the windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountOn {
    /// Every one that may have reached the upstream.
    Attempt,
    /// All but the ones turned away with a 429.
    Accepted,
}

/// How long to wait for an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// DNS, TCP and TLS.
    pub connect: Duration,
    /// Request to a stream's first content.
    pub first_token: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
    /// The whole exchange, without a stream.
    pub total: Duration,
    /// The whole exchange of a stream.
    pub stream_total: Duration,
}

/// Redis or Valkey, for limits of several servers together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The place; may hold a password.
    pub url: ApiKey,
    /// Begins every key.
    pub prefix: String,
}

/// Threads and queue sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActorsConfig {
    /// Threads for clients; as many as there are cores, if none are named.
    pub workers: Option<usize>,
    /// How many messages wait in a mailbox of each kind, where the configuration says so.
    pub mailboxes: [(ActorKind, Option<usize>); 11],
}

/// Which upstream the requests of one session prefer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affinity {
    /// The same, while the upstream may serve.
    Session,
    /// None.
    Off,
}

impl From<AffinityFile> for Affinity {
    fn from(typed: AffinityFile) -> Affinity {
        match typed {
            AffinityFile::Session => Affinity::Session,
            AffinityFile::Off => Affinity::Off,
        }
    }
}

/// How requests wait for a limit to free.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueConfig {
    /// 0: not at all.
    pub max_wait_ms: u64,
    /// At the same time.
    pub max_waiting: usize,
}
