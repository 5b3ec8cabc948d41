//! Other clocks for the program under test: libfaketime, preloaded.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Launch, scratch};

/// The library that tells a program another time. The one for programs of several threads.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// Finds it in the folders of libraries, or in one below them that is named after the machine.
fn library() -> PathBuf {
    let roots = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(PathBuf::from);
    let below = |root: &PathBuf| fs::read_dir(root).into_iter().flatten().map_while(Result::ok).map(|e| e.path());
    let folders: Vec<PathBuf> = roots.iter().cloned().chain(roots.iter().flat_map(below)).collect();
    let found = folders.iter().map(|folder| folder.join(LIBRARY)).find(|file| file.exists());
    found.unwrap_or_else(|| panic!("no {LIBRARY} in /usr/lib: run tests/run, which installs libfaketime"))
}

fn preloaded(launch: Launch) -> Launch {
    // The times of files stay as they are.
    launch.env("LD_PRELOAD", &library().display().to_string()).env("NO_FAKE_STAT", "1")
}

/// The same program, whose clocks all run so many times faster than time does.
pub fn hurried(launch: Launch, factor: u32) -> Launch {
    preloaded(launch).env("FAKETIME", &format!("+0 x{factor}"))
}

/// A wall clock that a test sets, while the program runs and between two runs. The program's durations stay true.
pub struct WallClock {
    file: PathBuf,
}

impl WallClock {
    /// One that goes right.
    pub fn new() -> WallClock {
        let clock = WallClock { file: scratch().join("clock") };
        clock.set(0);
        clock
    }

    /// The same program, on this clock.
    pub fn on(&self, launch: Launch) -> Launch {
        let launch = preloaded(launch).env("FAKETIME_TIMESTAMP_FILE", &self.file.display().to_string());
        launch.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }

    /// Sets it so many seconds off, at once.
    pub fn set(&self, off: i64) {
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{off:+}\n")).expect("writes");
        // Nobody reads half of it.
        fs::rename(&new, &self.file).expect("replaces");
    }
}

/// Removes what libfaketime leaves of a process that was killed: a later one of its number would stumble over it.
pub fn clean_up_after(pid: u32) {
    for left in [format!("faketime_shm_{pid}"), format!("sem.faketime_sem_{pid}")] {
        let _ = fs::remove_file(Path::new("/dev/shm").join(left));
    }
}
