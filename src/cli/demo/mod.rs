//! `api-together demo`: the server on two built-in upstreams, for a trial without an account.

mod upstream;

use std::io::{self, Write};
use std::net::SocketAddr;

use clap::Args;
use futures_util::FutureExt;
use serde_json::json;

use super::temporary_folder::TemporaryFolder;
use super::{CliError, block_on, logging, serve};
use crate::app::Data;
use crate::config::{ApiKey, ConfigSource, Overrides, load};

/// The key of the demo's clients.
const KEY: &str = "sk-123";

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Address to listen on.
    #[arg(long, default_value = "localhost")]
    host: String,
    /// Port to listen on; 0 takes any free one.
    #[arg(short, long, default_value_t = 3001)]
    port: u16,
}

pub(super) fn demo(args: &DemoArgs) -> Result<(), CliError> {
    let folder = TemporaryFolder::create("demo")?;
    let serving = async {
        // Beside the pool's port, so that the documents can name an upstream's.
        let beside = |nth: u16| if args.port == 0 { 0 } else { args.port.saturating_add(nth) };
        let steady = upstream::start(upstream::Temper::Steady, beside(1))?;
        let moody = upstream::start(upstream::Temper::Moody, beside(2))?;
        let path = folder.0.join("apis.json");
        std::fs::write(&path, configuration(steady, moody))?;
        let overrides = Overrides { host: Some(args.host.clone()), port: Some(args.port), presets: None };
        let source = ConfigSource { path, overrides };
        let config = load(&source)?;
        let data = Data { folder: folder.0.join("data"), fresh: false, log_format: logging::format()? };
        serve::run(source, config, &data, async |app| {
            let port = app.addresses().first().map_or(0, SocketAddr::port);
            let link = app.log_in_link(ApiKey::new(KEY)).await.unwrap_or_default();
            hint(port, moody, &link)
        })
        .await
    };
    block_on(serving.boxed_local())
}

fn configuration(steady: u16, moody: u16) -> String {
    let api = |id: &str, name: &str, port: u16, rpm: i64| {
        json!({
            "id": id, "name": name, "baseUrl": format!("http://127.0.0.1:{port}"), "apiKey": format!("sk-{id}-account-key"),
            "rpm": rpm, "rpd": 1000, "models": [upstream::CHAT_MODEL, upstream::EMBEDDING_MODEL],
            "modelMapping": { "gpt-4": upstream::CHAT_MODEL },
        })
    };
    let document = json!({
        "server": { "name": "api-together's demo", "apiKey": KEY },
        "apis": [
            api("steady", "Demo API that always answers", steady, -1),
            api("moody", "Demo API that fails now and then, 30 requests a minute", moody, 30),
        ],
    });
    format!("{document:#}\n")
}

fn hint(port: u16, moody: u16, link: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let chat = upstream::CHAT_MODEL;
    writeln!(out, "  Try it (Ctrl-C ends it; -N and \"stream\": true for a stream):\n")?;
    writeln!(out, "    curl -N http://localhost:{port}/v1/chat/completions \\")?;
    writeln!(out, "      -H 'Authorization: Bearer sk-123' -H 'Content-Type: application/json' \\")?;
    writeln!(
        out,
        "      -d '{{\"model\": \"{chat}\", \"stream\": true, \"messages\": [{{\"role\": \"user\", \"content\": \"Hello!\"}}]}}'\n"
    )?;
    writeln!(out, "  Look at it, logged in by this link, once:\n")?;
    writeln!(out, "    http://localhost:{port}/ui/link?once={link}\n")?;
    writeln!(out, "  Let the account \"moody\" die; requests go on without an error:\n")?;
    writeln!(out, "    curl -X POST http://localhost:{moody}/die\n")?;
    out.flush()
}
