//! `api-together bench`: what this program costs, measured on this machine beside other servers.

use ::bench::{BenchArgs, BenchError, Surroundings};

use super::CliError;
use super::temporary_folder::TemporaryFolder;
use crate::app::open_files;

pub(super) fn bench(args: &BenchArgs) -> Result<(), CliError> {
    let folder = TemporaryFolder::create("bench")?;
    let version = env!("CARGO_PKG_VERSION");
    let surroundings = Surroundings { folder: &folder.0, open_files: open_files(), version };
    ::bench::run(args, surroundings).map_err(|error| match error {
        BenchError::Measure(why) => CliError::Server(why.to_string()),
        BenchError::Output(why) => CliError::Output(why),
    })
}
