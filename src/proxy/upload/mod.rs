//! Uploads: forms (`multipart/form-data`), read to their end before an upstream is asked. A large one waits in a temporary file.

mod part_head;
mod scanner;
mod spool;

use actix_web::http::header::HeaderValue;
use actix_web::web::Bytes;

use crate::error::ApiError;

pub(super) use scanner::FormFields;
pub use scanner::FormScanner;
pub use spool::{Spool, SpoolError};
pub(super) use spool::{SpooledFile, pieces_of};

/// What is wrong with a form.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidForm(pub(super) String);

impl From<InvalidForm> for ApiError {
    fn from(InvalidForm(message): InvalidForm) -> Self {
        ApiError::Invalid { message, param: None }
    }
}

/// A form, complete.
#[derive(Debug)]
pub struct ReceivedForm {
    /// With the boundary.
    pub content_type: HeaderValue,
    /// What routing needs.
    pub fields: FormFields,
    /// The form's own bytes.
    pub bytes: FormBytes,
}

/// Where the bytes of a form are.
#[derive(Debug)]
pub enum FormBytes {
    /// In memory.
    Memory(Bytes),
    /// On disk.
    Disk(SpooledFile),
}
