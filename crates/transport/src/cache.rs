//! The clients of one worker thread.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use actix_rt as rt;
use tokio::time::sleep;

use super::client::{Target, UpstreamClient};

/// How often unused clients are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The clients of one worker thread, one for each upstream.
#[derive(Default)]
pub struct ClientCache {
    clients: Rc<RefCell<Clients>>,
    sweeping: Rc<Cell<bool>>,
}

/// The clients by the serial of their targets.
type Clients = BTreeMap<u64, Rc<UpstreamClient>>;

impl ClientCache {
    /// Returns the client of the target with this serial, or a new one if there is none.
    ///
    /// A new serial replaces the client of an older one with the same id. A client with a stale connection is replaced as
    /// well, since the other idle connections may be stale, too. Idle connections of a replaced client are closed.
    pub fn get(&self, serial: u64, target: impl FnOnce() -> Target) -> Rc<UpstreamClient> {
        let mut clients = self.clients.borrow_mut();
        let known = clients.get(&serial).filter(|client| !client.was_stale());
        let client = match known {
            Some(client) => client.clone(),
            None => {
                let client = Rc::new(UpstreamClient::new(target()));
                clients.retain(|_, other| other.id() != client.id());
                clients.insert(serial, client.clone());
                self.sweep();
                client
            }
        };
        client.note_use();
        client
    }

    /// Starts to drop unused clients: an idle connection is closed only when another is asked for or kept, and
    /// an upstream may have left the configuration.
    fn sweep(&self) {
        if self.sweeping.replace(true) {
            return;
        }
        let clients = Rc::downgrade(&self.clients);
        let sweeping = self.sweeping.clone();
        rt::spawn(async move {
            loop {
                sleep(SWEEP_INTERVAL).await;
                let Some(clients) = clients.upgrade() else { return };
                let mut clients = clients.borrow_mut();
                clients.retain(|_, client| Rc::strong_count(client) > 1 || !client.is_unused());
                if clients.is_empty() {
                    sweeping.set(false);
                    return;
                }
            }
        });
    }
}
