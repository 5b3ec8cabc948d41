//! The command: see [`api_together::cli`].

use std::process::ExitCode;

/// Measured in docs/performance.md. Without the feature the system's allocator serves.
#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    api_together::cli::run()
}
