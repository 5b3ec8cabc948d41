//! From what is typed to what is meant: every rule beyond types. Finds all problems, not the first.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv6Addr;
use std::sync::Arc;

use url::Url;

use super::file::{ApiFile, KeyFile, OneOrMany, ServerFile, StoreFile};
use super::keys::Served;
use super::mailboxes::mailboxes;
use super::model::{ActorsConfig, ApiConfig, Config, KeyOwners, QueueConfig, ServerConfig, StoreConfig};
use super::origin::is_origin;
use super::partial::SoundParts;
use super::placeholder::why_no_key;
use super::problem::Problem;
use super::quotas::count_on;
use super::retry_timeouts::{Defaults, non_zero};
use super::secret::{ApiKey, ClientKey};
use super::served_models::Models;
use super::server_limits::ServerLimits;
use super::source::{ConfigSource, DEFAULT_HOST, DEFAULT_NAME, DEFAULT_PORT, folder_of};
use super::validator::{KeyTexts, Validator};
use crate::types::{ApiId, ByFormat, LedgerId};

/// Bytes in a MiB.
const MIB: usize = 1 << 20;

/// Validates what is typed. `problems` were found before; `key_texts` are the contents of the `apiKeyFile`s by path.
pub(super) fn validate(
    mut file: SoundParts,
    problems: Vec<Problem>,
    source: &ConfigSource,
    key_texts: &KeyTexts,
) -> Result<Config, Vec<Problem>> {
    let mut validator = Validator { problems, warnings: Vec::new(), key_texts };
    let proxy = validator.proxy_choice("server.proxy", file.server.proxy.as_deref());
    validator.distinct_names(&file.server, &file.keys);
    let access = validator.access(&mut file.server);
    let of_server = keys_of_server(&mut file.server);
    let server = validator.server(file.server, source);
    validator.doubt_server(&server.host, &typed_keys(&of_server, &file.keys), access.open);
    validator.unique_ids(&file.apis);
    validator.former_ids(&file.apis);
    let retry = validator.retry(&file.retry);
    let defaults = Defaults { timeouts: &file.timeouts, retry: &file.retry, proxy: &proxy };
    let named = file.apis.into_iter().filter_map(|(i, api)| {
        let group = api.quota_group.clone();
        Some((validator.api(i, api, &defaults)?, group))
    });
    let (mut apis, groups): (Vec<_>, Vec<_>) = named.unzip();
    validator.join_groups(&mut apis, &groups, &file.groups);
    let aliases = validator.aliases(file.aliases, &apis);
    let of_server = of_server.iter().filter_map(|(at, key)| validator.client_key(at, key)).collect();
    let keys = validator.client_keys(of_server, file.keys, &Served { apis: &apis, aliases: &aliases });
    validator.distinct_secrets(&keys, &access);
    let owners = KeyOwners::new(&keys, &access);
    validator.doubt_keys(&apis, &owners);
    validator.passthrough(&server, &apis);
    let apis: Vec<_> = apis.into_iter().map(Arc::new).collect();
    let alerts = validator.alerts(file.alerts, &proxy);
    let store = file.store.and_then(|store| validator.store(store));
    if !apis.iter().any(|api| api.enabled) {
        validator.warnings.push("every API is disabled: all requests will be refused".to_owned());
    }
    if !validator.problems.is_empty() {
        return Err(validator.problems);
    }
    Ok(Config {
        server,
        apis,
        keys,
        access,
        owners,
        aliases,
        retry,
        queue: QueueConfig {
            max_wait_ms: u64::from(file.queue.max_wait_ms.unwrap_or(0)),
            max_waiting: file.queue.max_waiting.unwrap_or(1_000) as usize,
        },
        store,
        actors: ActorsConfig {
            workers: file.actors.workers.map(|workers| workers as usize),
            mailboxes: mailboxes(&file.actors),
        },
        affinity: file.affinity.into(),
        alerts,
        hash: String::new(),
        key_files: Vec::new(),
        presets: BTreeMap::new(),
        preset_file: None,
        price_file: None,
        warnings: validator.warnings,
    })
}

impl Validator<'_> {
    fn server(&mut self, file: ServerFile, source: &ConfigSource) -> ServerConfig {
        let overrides = &source.overrides;
        let limits = ServerLimits::from_file(&file, folder_of(&source.path));
        let host = overrides.host.clone().or(file.host).unwrap_or_else(|| DEFAULT_HOST.to_owned());
        if !is_host(&host) {
            let at = if overrides.host.is_some() { "--host, or $HOST" } else { "server.host" };
            self.problem(at, "must be a host name or an address, such as localhost, 0.0.0.0 or ::1");
        }
        for (field, path) in file.tls.iter().flat_map(|tls| [("certFile", &tls.cert_file), ("keyFile", &tls.key_file)])
        {
            if path.contains("-----BEGIN") || path.chars().any(char::is_control) {
                self.problem(&format!("server.tls.{field}"), "must be the path of a PEM file, not what stands in it");
            }
        }
        for (at, origin) in numbered("server.cors", file.cors.clone().unwrap_or_default()) {
            if !is_origin(&origin) {
                let form = "https://app.example.com or tauri://localhost (no path, no final slash), null, or *";
                self.problem(&at, format!("must be an origin such as {form}"));
            }
        }
        for (at, name) in numbered("server.hostnames", file.hostnames.clone().unwrap_or_default()) {
            if !is_host(&name) {
                self.problem(&at, "must be a host name such as pool.example.org, without scheme and port");
            }
        }
        let admin = file.admin.map(|admin| (admin.host.unwrap_or_else(|| DEFAULT_HOST.to_owned()), admin.port));
        if admin.as_ref().is_some_and(|(host, _)| !is_host(host)) {
            self.problem("server.admin.host", "must be a host name or an address, such as localhost, 0.0.0.0 or ::1");
        }
        ServerConfig {
            admin,
            hostnames: file.hostnames.unwrap_or_default(),
            name: file.name.unwrap_or_else(|| DEFAULT_NAME.to_owned()),
            host,
            port: overrides.port.or(file.port).unwrap_or(DEFAULT_PORT),
            stream_ping: non_zero(file.stream_ping_ms),
            echo_model: file.echo_model.unwrap_or(false),
            passthrough: file.passthrough.as_deref().map(ApiId::from),
            body_limit: file.body_limit_mb.unwrap_or(64) as usize * MIB,
            upload_limit: file.upload_limit_mb.unwrap_or(1_024) as usize * MIB,
            spool: u64::from(file.spool_mb.unwrap_or(8_192)) << 20,
            replicate_files: file.replicate_files.unwrap_or(false),
            limits,
            cors: file.cors.unwrap_or_default(),
        }
    }

    fn api(&mut self, index: usize, file: ApiFile, defaults: &Defaults<'_>) -> Option<ApiConfig> {
        let at = |field: &str| format!("apis[{index}].{field}");
        if file.id.trim() != file.id || file.id.chars().any(char::is_control) {
            self.problem(&at("id"), "must not begin or end with a space, nor hold control characters");
        }
        let key = self.upstream_key(index, &file);
        let addresses = self.addresses(index, &file, defaults.proxy);
        let headers = self.fixed_headers(&at("headers"), file.headers.iter().flatten());
        let models = match &file.models {
            Some(listed) => self.models(&at("models"), listed),
            None => Models::Asked,
        };
        let mapping = self.mapping(&at("modelMapping"), &file, &models);
        let urls =
            || addresses.iter().flat_map(ByFormat::iter).filter_map(|(_, address)| Some(&address.as_ref()?.base_url));
        if file.http2 == Some(true) && urls().any(|url| url.scheme() == "http") {
            self.warnings.push(format!("{}: HTTP/2 is spoken over https:// only", at("http2")));
        }
        let quirks = self.quirks(&format!("apis[{index}]"), &file.quirks);
        let prices = self.prices(&format!("apis[{index}]"), &file.prices);
        let quota = self.api_quota(&format!("apis[{index}]"), &file);
        let key_field = if file.api_key_file.is_some() { "apiKeyFile" } else { "apiKey" };
        self.doubt_key(&at(key_field), key.as_ref(), addresses.as_ref());
        self.doubt_api(index, &file, addresses.as_ref());
        Some(ApiConfig {
            name: file.name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| file.id.clone()),
            ledger: LedgerId::from(file.id.as_str()),
            id: ApiId::from(file.id.as_str()),
            was: file.was.as_deref().map(ApiId::from),
            addresses: addresses?,
            key: key?,
            headers,
            enabled: file.enabled.unwrap_or(true) && !quota.as_ref()?.limits.disable(),
            quota: quota?,
            group: None,
            count_on: count_on(file.count_on),
            models,
            mapping,
            weight: file.weight.unwrap_or(1),
            priority: file.priority.unwrap_or(0),
            http2: file.http2.unwrap_or(true),
            timeouts: defaults.timeouts(&file.timeouts.unwrap_or_default()),
            quirks,
            prices,
        })
    }

    fn store(&mut self, file: StoreFile) -> Option<StoreConfig> {
        let rule = "must be redis://[user:password@]host[:port][/database], or rediss:// for TLS";
        let is_redis = Url::parse(&file.url).is_ok_and(|url| {
            let database = url.path().trim_start_matches('/');
            matches!(url.scheme(), "redis" | "rediss")
                && url.has_host()
                && (database.is_empty() || database.parse::<u32>().is_ok())
        });
        if !is_redis {
            return self.refuse("store.url", rule);
        }
        let prefix = file.prefix.unwrap_or_else(|| "api-together".to_owned());
        Some(StoreConfig { url: ApiKey::new(&file.url), prefix })
    }

    fn upstream_key(&mut self, index: usize, file: &ApiFile) -> Option<ApiKey> {
        let at = |field: &str| format!("apis[{index}].{field}");
        match (&file.api_key, &file.api_key_file) {
            (Some(key), None) => self.key(&at("apiKey"), key),
            (None, Some(path)) => match self.key_texts.get(path) {
                Some(Ok(text)) => self.key(&at("apiKeyFile"), text.trim()),
                Some(Err(why)) => self.refuse(&at("apiKeyFile"), format!("{}: {why}", file.id)),
                None => self.refuse(&at("apiKeyFile"), "the file was not read"),
            },
            (Some(_), Some(_)) => self.refuse(&at("apiKeyFile"), "give either apiKey or apiKeyFile, not both"),
            // The field is there, and wrong. Or the provider is wrong, and might have a key.
            (None, None) if ["apiKey", "provider"].iter().any(|field| self.is_known_as_wrong(&at(field))) => None,
            (None, None) => self.refuse(
                &at("apiKey"),
                "is missing; give apiKey or apiKeyFile (any text will do for an upstream that needs none)",
            ),
        }
    }

    /// Returns a key that a client must present.
    pub(super) fn client_key(&mut self, at: &str, key: &str) -> Option<ClientKey> {
        if key.is_empty() {
            let mend = match at {
                "server.apiKey" => "leave the field out to let everybody in",
                _ => "give a random one, as `openssl rand -hex 32` prints, or remove the entry",
            };
            return self.refuse(at, format!("must not be empty; {mend}"));
        }
        self.key(at, key)?;
        let digest = "a digest must be sha256: and 64 hexadecimal digits, as `printf %s KEY | sha256sum` prints them";
        ClientKey::parse(key).or_else(|| self.refuse(at, digest))
    }

    /// A key must fit into a header, or every request with it would fail.
    fn key(&mut self, at: &str, key: &str) -> Option<ApiKey> {
        if key.is_empty() {
            return self.refuse(at, "must not be empty");
        }
        if !key.bytes().all(|b| b.is_ascii_graphic()) {
            return self.refuse(at, why_no_key(key));
        }
        Some(ApiKey::new(key))
    }

    fn unique_ids(&mut self, apis: &[(usize, ApiFile)]) {
        let mut first: HashMap<&str, usize> = HashMap::new();
        for (index, api) in apis {
            match first.get(api.id.as_str()) {
                Some(before) => {
                    let text = format!("is the id of apis[{before}] too; ids must be unique");
                    self.problem(&format!("apis[{index}].id"), text);
                }
                None => drop(first.insert(&api.id, *index)),
            }
        }
    }
}

/// Returns the keys of `server.apiKey` and `server.apiKeys` as typed, each with its place.
fn keys_of_server(server: &mut ServerFile) -> Vec<(String, String)> {
    let mut keys = match server.api_key.take() {
        Some(OneOrMany::One(key)) => vec![("server.apiKey".to_owned(), key)],
        Some(OneOrMany::Many(keys)) => numbered("server.apiKey", keys),
        None => Vec::new(),
    };
    keys.extend(numbered("server.apiKeys", server.api_keys.take().unwrap_or_default()));
    keys
}

/// Returns all clients' keys as typed, each with its place.
fn typed_keys(of_server: &[(String, String)], entries: &[(usize, KeyFile)]) -> Vec<(String, String)> {
    let of_entry = |(i, entry): &(usize, KeyFile)| match &entry.key {
        OneOrMany::One(key) => vec![(format!("keys[{i}].key"), key.clone())],
        OneOrMany::Many(keys) => numbered(&format!("keys[{i}].key"), keys.clone()),
    };
    of_server.iter().cloned().chain(entries.iter().flat_map(of_entry)).collect()
}

/// Returns whether the host is an IPv6 address, perhaps with a zone, or else labels of letters, digits and hyphens.
fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let address = host.split_once('%').map_or(host, |(address, _zone)| address);
    address.parse::<Ipv6Addr>().is_ok() || host.strip_suffix('.').unwrap_or(host).split('.').all(is_label)
}

fn numbered(at: &str, texts: Vec<String>) -> Vec<(String, String)> {
    texts.into_iter().enumerate().map(|(i, text)| (format!("{at}[{i}]"), text)).collect()
}
