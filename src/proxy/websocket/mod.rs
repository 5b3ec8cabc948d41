//! WebSockets of the Responses API: one connection, many requests, one upstream. ([`realtime`]: those of the Realtime API.)
//!
//! 1. A *turn* is one request of the connection: a message `response.create`, up to the event that ends the response. Each turn is
//!    admitted, counted, recorded and metered as a request over HTTP is. Turns run one after the other, as OpenAI runs them.
//! 2. The first turn that succeeds chooses the upstream. All later turns go there, or `previous_response_id` would break.
//! 3. Before the first content of a turn another upstream may be asked, as long as none is chosen. Afterwards a failure is an error
//!    event.
//! 4. A refusal is an event `{"type":"error","status":…,"error":{…}}`, and the connection goes on. When the upstream's connection
//!    ends, the client's ends with the same code: the state of the connection was there.
//! 5. An upstream that answers a handshake with a no is known not to speak WebSockets for a while ([`evidence`]). If none of the
//!    pool's upstreams speaks them, the client's upgrade is refused with 426, and agents go on over HTTP.
//! 6. Whoever drops the connection (client gone, shutdown) settles the turn's permit and ends the record.
//!
//! # Bounds
//! A message: `server.bodyLimitMb` of a client, [`upstream_side::LARGEST_MESSAGE`] of an upstream. Messages that wait for their
//! turn: [`client_side::MOST_WAITING`], and all of a client's bytes in memory count for `server.bodiesInFlightMb`. Of the bytes for a client, one message is held: the upstream is not read while the
//! client does not read.

mod answer;
mod body;
mod client_message;
mod client_side;
mod closing;
mod connection;
mod ending;
mod evidence;
mod realtime;
mod receive;
mod refusal;
mod turn;
mod upstream_side;

use std::rc::Rc;
use std::sync::Arc;

use crate::config::{ApiKey, Config, KeyConfig};
use crate::error::ApiError;
use crate::keys::{KeyAdmissionError, KeyPermit, KeySpending};
use crate::records::OpenRecord;
use crate::types::Profile;

pub use body::{ClientSocket, serve};
pub use evidence::{SocketEvidence, any_upstream_speaks};
pub use realtime::{RealtimeSocket, open_realtime};

/// A share of the memory for requests.
pub trait RequestMemory: 'static {
    /// Takes memory for so many bytes in all, or gives back what is beyond.
    ///
    /// # Errors
    /// When all requests together have too much.
    fn resize(&mut self, bytes: usize) -> Result<(), ApiError>;
}

/// What a connection needs of the server around the data path.
pub trait SocketHost: 'static {
    /// A place among the requests that are served at the same time, until the drop.
    type Slot;
    /// Bytes of requests in memory, until the drop.
    type Memory: RequestMemory;

    /// Returns the configuration in force.
    fn config(&self) -> Rc<Arc<Config>>;

    /// Returns what is known of the upstreams.
    fn evidence(&self) -> &Arc<SocketEvidence>;

    /// Opens the record of a turn.
    fn open_record(&self) -> OpenRecord;

    /// Returns the client's key, if it is still one.
    ///
    /// # Errors
    /// When the key may not ask any more.
    fn key(&self) -> Result<Arc<KeyConfig>, ApiError>;

    /// Returns the secret of a realtime session by which the client came in.
    fn secret(&self) -> Option<&ApiKey>;

    /// Resolves when another configuration is in force.
    fn config_changed(&self) -> impl Future<Output = ()>;

    /// Takes a place among the requests that are served at the same time, if the client's key is still one. Returns the key, too.
    ///
    /// # Errors
    /// When the key may not ask any more, or too much is served.
    fn admit(&self) -> Result<(Self::Slot, Arc<KeyConfig>), ApiError>;

    /// Admits a turn by the limits of the client's key.
    ///
    /// # Errors
    /// When a limit or a budget of the key leaves no room.
    fn admit_key(
        &self,
        key: &Arc<KeyConfig>,
        profile: &Profile,
    ) -> impl Future<Output = Result<Option<KeyPermit>, KeyAdmissionError>>;

    /// Counts what a key has spent without an admission.
    fn spend(&self, key: &Arc<KeyConfig>, spending: KeySpending);

    /// Returns a share of the memory for requests, of nothing yet.
    fn hold(&self) -> Self::Memory;

    /// Resolves when the server takes no more connections: what runs may end in its time.
    fn draining(&self) -> impl Future<Output = ()> + 'static;

    /// Resolves when what runs is to end now.
    fn over(&self) -> impl Future<Output = ()> + 'static;
}
