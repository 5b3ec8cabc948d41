//! `server`: the pool's own address, keys and bounds.

use schemars::JsonSchema;
use serde::Deserialize;

use super::OperatorKeyFile;

/// The pool's own address and keys.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ServerFile {
    /// The name that `/health`, `/v1/status` and `/v1/token/stats` give as `service`. Default: "OpenAI API代理服务".
    pub name: Option<String>,
    /// Address to listen on. Default: `localhost`, which is 127.0.0.1 and \[::1\]; `0.0.0.0` for every interface.
    pub host: Option<String>,
    /// TCP port. Default: 3001. 0 takes any free one. A change needs a restart.
    pub port: Option<u16>,
    /// The key (or a list of keys) for clients: in clear text, or as a digest, `sha256:` and what `printf %s KEY | sha256sum`
    /// prints. Without any, clients need none.
    pub api_key: Option<OneOrMany>,
    /// More keys for clients.
    #[schemars(length(min = 1))]
    pub api_keys: Option<Vec<String>>,
    /// The keys of people who operate the pool: operators read the pool's state and reset statistics, and call no models. Each is a text, a
    /// digest, or `{"name": "ops", "key": …}`. With one of these or of `viewerKeys`, clients' keys read nothing of the state.
    #[schemars(length(min = 1))]
    pub admin_keys: Option<Vec<OperatorKeyFile>>,
    /// Keys of people who read the state, and do no more.
    #[schemars(length(min = 1))]
    pub viewer_keys: Option<Vec<OperatorKeyFile>>,
    /// Whether the pool may listen beyond this machine without any client's key. Default: false.
    pub open: Option<bool>,
    /// An address for the dashboard alone. The pool's other addresses have no dashboard then. A change needs a restart.
    pub admin: Option<AdminFile>,
    /// The names under which the dashboard is opened, beside `localhost` and addresses: those of a proxy in front, or of this
    /// machine. A page of somebody else whose name points here (DNS rebinding) is refused. Default: none.
    #[schemars(length(min = 1))]
    pub hostnames: Option<Vec<String>>,
    /// After so many milliseconds of silence a stream gets a comment (`: ping`). Clients pass over comments, and nothing on the
    /// way takes the stream for dead. Default: 0, never. A stream without content yet is then answered with a 200 at once, and
    /// a failure comes as an event.
    #[schemars(range(min = 0, max = 600_000))]
    pub stream_ping_ms: Option<u32>,
    /// Whether answers have the asked name of the model in `model`, and not the upstream's. Not in answers beyond 8 MiB that are
    /// no streams, nor on WebSockets. Default: false.
    pub echo_model: Option<bool>,
    /// The id of the API that gets requests for paths below `/v1/` that the pool does not know, as they are. Default: none, and such
    /// a path is a 404.
    #[schemars(length(min = 1))]
    pub passthrough: Option<String>,
    /// The proxy on the way to all APIs without `proxy` of their own: `http://user:password@host:port` (or `https://`),
    /// `socks5://…`, or `socks5h://…` for a proxy that resolves the names. `env` takes the proxies that `HTTPS_PROXY`,
    /// `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` name. Default: `none`.
    #[schemars(length(min = 1))]
    pub proxy: Option<String>,
    /// The largest request body, in MiB. Default: 64.
    #[schemars(range(min = 1, max = 4096))]
    pub body_limit_mb: Option<u32>,
    /// The largest form (`multipart/form-data`: sound, images, files), in MiB. Default: 1024.
    #[schemars(range(min = 1, max = 65_536))]
    pub upload_limit_mb: Option<u32>,
    /// What forms beyond 8 MiB may take below the data folder together, in MiB, while they are under way; more are refused (503).
    /// Default: 8192.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub spool_mb: Option<u32>,
    /// Whether the pool keeps the files that clients upload, up to 16 MiB each, and gives a file to the account that needs the
    /// file for a request: where the home of the file can't serve, or several files have several homes. Default: false.
    pub replicate_files: Option<bool>,
    /// Origins (`https://app.example.com`, `tauri://localhost`, `chrome-extension://ID`, `null`) whose pages may call the pool
    /// from a browser; `vscode-webview://*` for any host of such an app's scheme, `*` for any origin. Default: none.
    #[schemars(length(min = 1))]
    pub cors: Option<Vec<String>>,
    /// Clients' connections at the same time; more get a 503. Default: a little less than half of the process's file
    /// descriptors, at most 25000. A change needs a restart.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: Option<u32>,
    /// Requests at the same time; more are refused (503). Default: 10000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_requests: Option<u32>,
    /// Request bodies held in memory at the same time, in MiB; more are refused (503). Default: an eighth of the memory of the
    /// machine or the container.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub bodies_in_flight_mb: Option<u32>,
    /// How long a request's head may take to come, in milliseconds (to the half second). Default: 10000. A change needs a
    /// restart.
    #[schemars(range(min = 1_000, max = 3_600_000))]
    pub head_timeout_ms: Option<u32>,
    /// How long the next piece of a request's body may take, in milliseconds; and the whole body, with a second more for each
    /// 1,000 bytes. Default: 30000.
    #[schemars(range(min = 10, max = 3_600_000))]
    pub body_timeout_ms: Option<u32>,
    /// How long a client may read nothing of an answer, in milliseconds. Default: 60000. A change needs a restart.
    #[schemars(range(min = 10, max = 3_600_000))]
    pub write_timeout_ms: Option<u32>,
    /// How long `/health` says `stopping` before the server takes no more connections, in milliseconds. Default: 0. A change
    /// needs a restart.
    #[schemars(range(min = 0, max = 600_000))]
    pub drain_delay_ms: Option<u32>,
    /// How long running answers may take to end when the server stops, in seconds. Default: 30. A change needs a restart.
    #[schemars(range(min = 0, max = 86_400))]
    pub shutdown_timeout_sec: Option<u32>,
    /// Makes the server speak HTTPS. A change needs a restart, a new content of the files does not.
    pub tls: Option<ServerTlsFile>,
}

/// Where the dashboard listens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdminFile {
    /// Address to listen on. Default: `localhost`.
    pub host: Option<String>,
    /// TCP port.
    pub port: u16,
}

/// A certificate of the server's own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerTlsFile {
    /// PEM file with the certificate and the intermediate ones, relative to this file's folder.
    #[schemars(length(min = 1))]
    pub cert_file: String,
    /// PEM file with the certificate's private key, relative to this file's folder.
    #[schemars(length(min = 1))]
    pub key_file: String,
}

/// One string, or a list of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// A single one.
    One(String),
    /// A list.
    Many(#[schemars(length(min = 1))] Vec<String>),
}

impl OneOrMany {
    /// Returns all of them.
    pub fn list(self) -> Vec<String> {
        match self {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        }
    }
}
