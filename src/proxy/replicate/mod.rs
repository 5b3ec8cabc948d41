//! Upload once, use everywhere (`server.replicateFiles`): a file goes to the account that needs the file.
//!
//! 1. [`keep()`]: an upload that an account took is kept, before the client has the answer.
//! 2. [`plan()`]: a request whose files are kept may go beyond their homes. A home stays preferred, then an account with copies of all.
//! 3. [`ids_on()`]: before an attempt elsewhere the missing files are uploaded there. The account's own ids take the places of the
//!    client's, and nothing else in the body changes.
//! 4. [`remove_copies()`]: a removed file is forgotten, and its copies are removed where they are.

mod keep;
mod make;
mod plan;
mod remove;

pub(super) use keep::keep;
pub(super) use make::{OwnIds, forget_missing, ids_on};
pub(super) use plan::{FilePlan, plan};
pub(super) use remove::remove_copies;
