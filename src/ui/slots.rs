//! Places for streams of updates. Clients' keys can't take the places of operators.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use super::visitor::Visitor;
use crate::types::KeyName;

/// Open streams at the same time, in the whole process.
const MOST: usize = 64;

/// The most of all clients' keys together, and of one.
const MOST_OF_CLIENTS: usize = 32;
const MOST_OF_ONE_CLIENT: usize = 4;

static OPEN: LazyLock<Mutex<Open>> = LazyLock::new(Mutex::default);

#[derive(Debug, Default)]
struct Open {
    all: usize,
    of_clients: HashMap<KeyName, usize>,
}

/// A place among the open streams.
#[derive(Debug)]
pub(super) struct TabSlot {
    /// The client's key; `None` for an operator.
    client: Option<KeyName>,
}

impl TabSlot {
    /// Takes a place, if one is left for this visitor.
    pub(super) fn take(visitor: &Visitor) -> Option<TabSlot> {
        let client = (!visitor.is_operator()).then(|| visitor.name.clone());
        OPEN.lock().unwrap_or_else(PoisonError::into_inner).take(client)
    }
}

impl Open {
    fn take(&mut self, client: Option<KeyName>) -> Option<TabSlot> {
        let of_clients: usize = self.of_clients.values().sum();
        if self.all >= MOST {
            return None;
        }
        if let Some(name) = &client {
            let own = self.of_clients.get(name).copied().unwrap_or_default();
            if of_clients >= MOST_OF_CLIENTS || own >= MOST_OF_ONE_CLIENT {
                return None;
            }
            self.of_clients.insert(name.clone(), own + 1);
        }
        self.all += 1;
        Some(TabSlot { client })
    }

    fn give_back(&mut self, client: Option<&KeyName>) {
        self.all = self.all.saturating_sub(1);
        let Some(name) = client else { return };
        match self.of_clients.get_mut(name) {
            Some(own) if *own > 1 => *own -= 1,
            Some(_) | None => drop(self.of_clients.remove(name)),
        }
    }
}

impl Drop for TabSlot {
    fn drop(&mut self) {
        OPEN.lock().unwrap_or_else(PoisonError::into_inner).give_back(self.client.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_leave_places_for_operators_and_none_takes_those_of_others() {
        let mut open = Open::default();
        let mut taken = Vec::new();
        for client in 0..10 {
            let name = KeyName::from(format!("team-{client}").as_str());
            taken.extend((0..5).filter_map(|_| open.take(Some(name.clone()))));
        }
        assert_eq!((taken.len(), open.all), (MOST_OF_CLIENTS, MOST_OF_CLIENTS));
        taken.extend((0..40).filter_map(|_| open.take(None)));
        assert_eq!(taken.len(), MOST);
        for mut slot in taken {
            open.give_back(slot.client.take().as_ref());
            // These were never places of the process.
            std::mem::forget(slot);
        }
        assert!(open.all == 0 && open.of_clients.is_empty());
    }
}
