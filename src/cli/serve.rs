//! `api-together serve`: the server.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use futures_util::FutureExt;

use super::{CliError, ConfigArgs, block_on, describe, environment, logging};
use crate::app::{App, Data, keep_files_private};
use crate::config::{Config, ConfigSource, load};

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Where counts and statistics are kept.
    #[arg(short, long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// If the folder is damaged, begin at zero instead of with the day's limits spent.
    #[arg(long)]
    fresh: bool,
}

pub(super) fn serve(args: ServeArgs) -> Result<(), CliError> {
    keep_files_private();
    let source = args.config.source()?;
    let config = load(&source)?;
    let log_format = logging::format()?;
    let data = Data { folder: args.data, fresh: args.fresh, log_format };
    block_on(run(source, config, &data, async |_| Ok(())).boxed_local())
}

/// Serves until the order to stop. `then` is called after the banner, once the server listens.
pub(super) async fn run(
    source: ConfigSource,
    config: Config,
    data: &Data,
    then: impl AsyncFnOnce(&App) -> io::Result<()>,
) -> Result<(), CliError> {
    let path = source.path.clone();
    let app = App::build(source, config.clone(), data)?;
    banner(&config, &app, &path, &data.folder)?;
    then(&app).await?;
    for warning in &config.warnings {
        log::warn!("configuration: {warning}");
    }
    for warning in environment::warnings() {
        log::warn!("{warning}");
    }
    Ok(app.run().await?)
}

fn banner(config: &Config, app: &App, path: &Path, data: &Path) -> io::Result<()> {
    let addresses = app.addresses();
    let port = addresses.first().map_or(config.server.port, SocketAddr::port);
    let base = describe::base(config, port);
    let listening: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let mut out = io::stdout().lock();
    let name = describe::own_name(&config.server.name).map(|name| format!(" · {name}")).unwrap_or_default();
    writeln!(out, "\napi-together {}{name}\n", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "  Address   {base}/v1   (listening on {})", listening.join(", "))?;
    writeln!(out, "  Key       {}", describe::keys(config))?;
    writeln!(out, "  Status    {base}/v1/status")?;
    if let Some(port) = app.dashboard_port().filter(|_| config.has_dashboard()) {
        writeln!(out, "  Dashboard {}/ui/", describe::dashboard_base(config, port))?;
    }
    writeln!(out, "  Health    {base}/health")?;
    writeln!(out, "  Config    {} (changes take effect at once)", full(path).display())?;
    writeln!(out, "  Data      {}", full(data).display())?;
    describe::apis(&mut out, config, describe::Detail::Brief)?;
    out.flush()
}

/// Returns a path that says where it begins.
pub(super) fn full(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
