//! Forms: read to their end before an upstream is asked, so that another one can be sent the same.
//!
//! A form of up to [`IN_MEMORY`] bytes waits in memory, as long as there is memory for bodies. Any other waits in a temporary file.

use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::{HttpRequest, web};

use super::Worker;
use super::body::{BodyDeadline, announced, next_piece};
use super::concurrency::BodyMemory;
use crate::error::ApiError;
use crate::proxy::{FormBytes, FormScanner, ReceivedForm, SpoolError};

/// The largest form in memory, in bytes.
const IN_MEMORY: usize = 8 << 20;

/// So much of a larger form is written at once, in bytes.
const WRITTEN_AT_ONCE: usize = 256 << 10;

const FULL: &str = "the files of uploads under way take too much disk (server.spoolMb)";
const NO_DISK: &str = "an upload could not be written below the data folder";

/// Returns the type of a body that is a form.
pub(super) fn form_type(request: &HttpRequest) -> Option<HeaderValue> {
    let is_form = |value: &&HeaderValue| {
        let kind = value.as_bytes().get(..MULTIPART.len());
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case(MULTIPART.as_bytes()))
    };
    request.headers().get(CONTENT_TYPE).filter(is_form).cloned()
}

const MULTIPART: &str = "multipart/form-data";

/// Reads a whole form. A guard comes along, for the share of the memory for all bodies.
pub(super) async fn read_form(
    worker: &Worker,
    request: &HttpRequest,
    mut payload: web::Payload,
    content_type: HeaderValue,
) -> Result<(ReceivedForm, BodyMemory), ApiError> {
    let server = worker.config().server.clone();
    let limit = server.upload_limit;
    let too_large = || ApiError::TooLarge(limit, "server.uploadLimitMb");
    let announced = announced(request);
    if announced > limit {
        return Err(too_large());
    }
    let mut deadline = BodyDeadline::of(server.limits.body_timeout);
    let mut scanner = FormScanner::new(content_type.as_bytes())?;
    let mut held = worker.concurrency.hold();
    let mut file = None;
    let (mut pieces, mut waiting, mut came) = (Vec::new(), 0, 0);
    while let Some(piece) = next_piece(&mut payload, &mut deadline, came).await? {
        came += piece.len();
        if came > limit {
            return Err(too_large());
        }
        scanner.push(&piece)?;
        waiting += piece.len();
        pieces.push(piece);
        // Who says that much will come need not hold the beginning.
        let is_large = file.is_some() || announced > IN_MEMORY;
        let most = if is_large { WRITTEN_AT_ONCE } else { IN_MEMORY };
        if waiting > most || !held.grow_to(waiting, worker.bodies_in_flight()) {
            let spooled = match &mut file {
                Some(spooled) => spooled,
                None => file.insert(worker.spool.file().await.map_err(refused)?),
            };
            spooled.append(std::mem::take(&mut pieces), server.spool).await.map_err(refused)?;
            waiting = 0;
            held.shrink_to(0);
        }
    }
    let fields = scanner.finish()?;
    let bytes = match file {
        Some(mut spooled) => {
            spooled.append(pieces, server.spool).await.map_err(refused)?;
            held.shrink_to(0);
            FormBytes::Disk(spooled)
        }
        None => FormBytes::Memory(match pieces.len() {
            1 => pieces.pop().unwrap_or_default(),
            _ => pieces.concat().into(),
        }),
    };
    Ok((ReceivedForm { content_type, fields, bytes }, held))
}

fn refused(error: SpoolError) -> ApiError {
    match error {
        SpoolError::Full => ApiError::Overloaded(FULL),
        SpoolError::Disk(error) => {
            log::error!("{NO_DISK}: {error}");
            ApiError::Overloaded(NO_DISK)
        }
    }
}
