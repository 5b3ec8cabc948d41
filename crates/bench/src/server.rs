//! The servers of the bench. No process outlives the bench, however the bench ends.
//!
//! 1. Each server runs in a process group of its own, and so do the server's children.
//! 2. A dropped server is asked to stop and waited for. What is left of the group is killed.
//! 3. A server is dropped at the normal end, after an error, and when a panic unwinds.
//! 4. A signal (Ctrl-C, SIGTERM, SIGHUP, SIGQUIT) stops all servers in the same way, and then ends the process.

use std::io;
use std::path::Path;
use std::process::{Child, Command};
#[cfg(unix)]
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(unix)]
use rustix::process::{self, Pid, Signal, WaitOptions};

/// How long a server may take to stop by itself.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// How long the system may take to remove what was killed.
const KILLED_WITHIN: Duration = Duration::from_secs(1);

/// How often to look whether a server is gone.
const POLL: Duration = Duration::from_millis(2);

/// The groups of all running servers, for the end by a signal.
#[cfg(unix)]
static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

pub(crate) struct Server(Child);

impl Server {
    pub(crate) fn start(command: &mut Command) -> io::Result<Server> {
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            // Held across the start: a signal comes before the start or finds the server in the list.
            let mut running = running();
            // What a server leaves behind is then ours to wait for.
            #[cfg(target_os = "linux")]
            let _ = process::set_child_subreaper(Some(process::getpid()));
            let server = Server(command.process_group(0).spawn()?);
            running.push(Pid::from_child(&server.0));
            Ok(server)
        }
        #[cfg(not(unix))]
        command.spawn().map(Server)
    }

    /// Returns whether the server has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().is_ok_and(|ended| ended.is_some())
    }
}

#[cfg(unix)]
impl Drop for Server {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.0);
        stop(group);
        running().retain(|other| *other != group);
    }
}

#[cfg(not(unix))]
impl Drop for Server {
    fn drop(&mut self) {
        // The server may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A thread that panicked with the list in hand left the list whole.
#[cfg(unix)]
fn running() -> MutexGuard<'static, Vec<Pid>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks the leader of a group to stop, and kills what is left of the group.
#[cfg(unix)]
fn stop(group: Pid) {
    // The server may have ended by itself.
    let _ = process::kill_process(group, Signal::TERM);
    wait_until(STOP_WITHIN, || has_leader_ended(group));
    let _ = process::kill_process_group(group, Signal::KILL);
    wait_until(KILLED_WITHIN, || is_gone(group));
}

#[cfg(unix)]
fn has_leader_ended(group: Pid) -> bool {
    reap(group);
    process::test_kill_process(group).is_err()
}

#[cfg(unix)]
fn is_gone(group: Pid) -> bool {
    reap(group);
    process::test_kill_process_group(group).is_err()
}

/// Waits for ended members of a group. Without the wait, ended processes count as members.
#[cfg(unix)]
fn reap(group: Pid) {
    while let Ok(Some(_)) = process::waitpgid(group, WaitOptions::NOHANG) {}
}

#[cfg(unix)]
fn wait_until(within: Duration, done: impl Fn() -> bool) {
    let until = Instant::now() + within;
    while !done() && Instant::now() < until {
        thread::sleep(POLL);
    }
}

/// Ends the process in good order when a signal says so. The folder is removed, too.
///
/// # Errors
/// When the system refuses to tell of signals.
#[cfg(unix)]
pub(crate) fn stop_on_signals(folder: &Path) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let folder = folder.to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
    let mut signals = {
        let _in_runtime = runtime.enter();
        kinds.into_iter().map(|kind| Ok((kind, signal(kind)?))).collect::<io::Result<Vec<_>>>()?
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let first = std::future::poll_fn(|context| {
            let come =
                signals.iter_mut().find_map(|(kind, signal)| signal.poll_recv(context).is_ready().then_some(*kind));
            come.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
        });
        let kind = runtime.block_on(first);
        // Kept until the end: no server is started any more.
        let running = running();
        // All at the same time, and then one after the other.
        for group in running.iter() {
            let _ = process::kill_process(*group, Signal::TERM);
        }
        running.iter().for_each(|group| stop(*group));
        let _ = std::fs::remove_dir_all(folder);
        std::process::exit(128 + kind.as_raw_value());
    })?;
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn stop_on_signals(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    /// Starts a server with two workers. A stubborn one ignores SIGTERM.
    fn with_workers(stubborn: bool) -> (Server, Pid) {
        let script = if stubborn { "trap '' TERM; sleep 60 & sleep 60 & wait" } else { "sleep 60 & sleep 60 & wait" };
        let server = Server::start(Command::new("sh").args(["-c", script])).expect("starts");
        let group = Pid::from_child(&server.0);
        thread::sleep(Duration::from_millis(200));
        (server, group)
    }

    #[test]
    fn a_server_that_is_dropped_leaves_no_process_behind() {
        for stubborn in [false, true] {
            let (server, group) = with_workers(stubborn);
            assert!(!is_gone(group));
            drop(server);
            assert!(is_gone(group) && !running().contains(&group), "stubborn: {stubborn}");
        }
    }

    #[test]
    fn a_panic_leaves_no_process_behind() {
        let (server, group) = with_workers(false);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _server = server;
            panic!("on purpose");
        }));
        assert!(outcome.is_err() && is_gone(group));
    }
}
