//! How many messages wait in each mailbox.

use super::file::ActorsFile;
use super::model::ActorsConfig;
use crate::mailbox::{ActorKind, set_capacity};

/// Returns the typed capacities, by kind.
pub(super) fn mailboxes(file: &ActorsFile) -> [(ActorKind, Option<usize>); 11] {
    let typed = &file.mailboxes;
    [
        (ActorKind::Supervisor, file.mailbox),
        (ActorKind::Scheduler, typed.scheduler),
        (ActorKind::Upstream, typed.upstream),
        (ActorKind::Keys, typed.keys),
        (ActorKind::Homes, typed.homes),
        (ActorKind::Recorder, typed.recorder),
        (ActorKind::Config, typed.config),
        (ActorKind::Discovery, typed.discovery),
        (ActorKind::Alerts, typed.alerts),
        (ActorKind::Dashboard, typed.dashboard),
        (ActorKind::Follower, typed.follower),
    ]
    .map(|(kind, most)| (kind, most.map(|most| most as usize)))
}

impl ActorsConfig {
    /// Returns how many messages a mailbox of this kind takes.
    pub fn mailbox(&self, kind: ActorKind) -> usize {
        let typed = self.mailboxes.iter().find(|(of, _)| *of == kind).and_then(|(_, most)| *most);
        typed.unwrap_or(kind.usual_capacity())
    }

    /// Puts the capacities of all mailboxes in force.
    pub(super) fn apply(&self) {
        self.mailboxes.iter().for_each(|(kind, most)| set_capacity(*kind, *most));
    }
}
