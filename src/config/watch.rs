//! Notices changes of the configuration, in whatever way: in place, by rename, by a ConfigMap's symlink swap,
//! or on a file system without change events.

use std::path::Path;
use std::time::Duration;

use actix::prelude::*;
use notify::{RecursiveMode, Watcher as _};

use super::actor::ConfigActor;
use super::messages::Reload;
use super::source::folder_of;
use crate::mailbox::spawn;

/// How often the file is read without any event: bounds a reload's delay where no event comes
/// (NFS, bind mounts, no inotify left). Reading 10 KB costs 20 µs.
const POLL: Duration = Duration::from_secs(1);

/// After an event, how long the folder must be quiet: editors truncate, write and rename in turn.
const DEBOUNCE: Duration = Duration::from_millis(200);

/// Keeps the watch going until dropped.
pub struct Watcher {
    _events: Option<notify::RecommendedWatcher>,
}

impl Watcher {
    /// Starts watching `path` for `actor`, on the current arbiter. SIGHUP reloads too.
    pub fn start(path: &Path, actor: Addr<ConfigActor>) -> Watcher {
        let (notify_change, changes) = tokio::sync::mpsc::channel(1);
        let events = watch_folder(path, notify_change);
        spawn(poll(changes, actor.clone()));
        #[cfg(unix)]
        spawn(hang_ups(actor));
        Watcher { _events: events }
    }
}

/// The *folder* is watched, for any name in it: a watch on a file goes silent when the file is replaced, and a
/// ConfigMap's swap names only `..data`.
fn watch_folder(path: &Path, notify_change: tokio::sync::mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
    let folder = folder_of(path);
    let on_event = move |event: notify::Result<notify::Event>| {
        // Reading the file is an event too: reading again would go on for ever.
        let only_read = |e: &notify::Event| e.kind.is_access() && !is_close_after_write(e.kind);
        if !event.as_ref().is_ok_and(only_read) {
            // One unread note is enough; a full channel is not an error.
            let _ = notify_change.try_send(());
        }
    };
    let watch = notify::recommended_watcher(on_event).and_then(|mut watcher| {
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    watch
        .inspect_err(|e| log::warn!("configuration: no change events ({e}); the file is read every second instead"))
        .ok()
}

fn is_close_after_write(kind: notify::EventKind) -> bool {
    use notify::event::{AccessKind, AccessMode};
    kind == notify::EventKind::Access(AccessKind::Close(AccessMode::Write))
}

async fn poll(mut changes: tokio::sync::mpsc::Receiver<()>, actor: Addr<ConfigActor>) {
    while actor.connected() {
        match tokio::time::timeout(POLL, changes.recv()).await {
            // A folder without quiet (a log beside the file) is read once a second all the same.
            Ok(Some(())) => drop(tokio::time::timeout(POLL, quiet(&mut changes)).await),
            // No events are to be had: only the clock remains.
            Ok(None) => tokio::time::sleep(POLL).await,
            Err(_) => {}
        }
        actor.do_send(Reload { forced: false });
    }
}

async fn quiet(changes: &mut tokio::sync::mpsc::Receiver<()>) {
    while matches!(tokio::time::timeout(DEBOUNCE, changes.recv()).await, Ok(Some(()))) {}
}

#[cfg(unix)]
async fn hang_ups(actor: Addr<ConfigActor>) {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::hangup()) {
        Ok(mut signals) => {
            while signals.recv().await.is_some() {
                log::info!("SIGHUP: reading the configuration again");
                actor.do_send(Reload { forced: true });
            }
        }
        Err(e) => log::warn!("SIGHUP will not reload the configuration: {e}"),
    }
}
