//! WebSockets of the Realtime API: one connection, one account, both sides at once.
//!
//! 1. The upgrade chooses the account, by the model in the query. The client is answered when an account has opened the connection, so
//!    another account may be asked before ([`connect`]).
//! 2. Afterwards each message passes as it came. The upstream is not read while the client does not take, nor the client while the
//!    upstream does not take ([`relay`]).
//! 3. Each response is a request, and the connection is none. A client's `response.create` is admitted before it goes up. A response
//!    that the upstream begins by itself (voice activity) is admitted as it begins, or else cancelled ([`admission`]).
//! 4. A response sets aside what the connection's last response took and the account's usual answer. The usage in `response.done`
//!    corrects that ([`responses`]).
//! 5. A refusal is an event. It ends the connection, too, if asking again would not help: a spent budget, a key that is none any more, a
//!    response that had begun already.
//! 6. A connection ends as soon as no response is under way if its account or key has left the configuration, or if the key has lost the
//!    model or the account.
//! 7. What the account takes beside admitted responses counts as it tells: cancelled responses, and what is written down beside a
//!    conversation ([`spent`]). A connection that ends cancels what is under way, and hears what that took ([`leaving`]).
//!
//! # Bounds
//! Messages as in [`super`]. Responses under way: [`responses::MOST_OPEN`]. A connection on which nothing passes ends after
//! [`relay::LONGEST_IDLE`]. Last words of an account: [`leaving::TOLD_WITHIN`].

mod admission;
mod connect;
mod leaving;
mod messages;
mod relay;
mod responses;
mod spent;

pub use connect::{RealtimeSocket, open_realtime};
