//! Bytes on their way to the client.

use std::cell::RefCell;

use actix_web::web::{Bytes, BytesMut};

/// What is to be written to the client.
#[derive(Default)]
pub(super) struct Outbox(RefCell<BytesMut>);

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Appends what `write` writes.
    pub(super) fn fill(&self, write: impl FnOnce(&mut BytesMut)) {
        write(&mut self.0.borrow_mut());
    }

    /// Takes all that is to be written.
    pub(super) fn take(&self) -> Option<Bytes> {
        Some(self.0.borrow_mut().split().freeze()).filter(|bytes| !bytes.is_empty())
    }
}
