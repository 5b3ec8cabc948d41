//! The command: see [`api_together::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    api_together::cli::run()
}
