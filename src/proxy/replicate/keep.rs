//! Keeps what a client uploaded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use tokio::time::timeout;

use crate::proxy::client_request::{ClientRequest, FormSource};
use crate::proxy::file_copies::{FileCopies, FileRecord, MOST_OF_ONE, VERSION, uploaded_id};
use crate::types::Now;

/// How long the disk may take. Then the client has its answer, and the file is kept a little later.
const KEEP_WITHIN: Duration = Duration::from_secs(5);

/// Keeps the form of an upload that an account took, if the form is small enough. `answer`: the account's word.
pub(in crate::proxy) async fn keep(copies: &Arc<FileCopies>, request: &ClientRequest, answer: Option<&Bytes>) {
    let Some((form, id)) = request.form().zip(answer.and_then(|answer| uploaded_id(answer))) else { return };
    let length = match form {
        FormSource::Memory(bytes) => bytes.len() as u64,
        FormSource::Disk(file) => file.length(),
    };
    if length > MOST_OF_ONE {
        log::debug!("{id} has {length} bytes and is not kept: at most {MOST_OF_ONE} are");
        return;
    }
    let record = FileRecord {
        version: VERSION,
        id,
        format: request.route.id.format(),
        headers: headers_of(request),
        query: request.query.clone(),
        length,
        at: Now::read().wall,
        copies: BTreeMap::new(),
        losses: BTreeMap::new(),
    };
    let kept = timeout(KEEP_WITHIN, copies.keep(record, form.clone())).await;
    if let Err(why) =
        kept.map_err(|_| "the disk takes long".to_owned()).and_then(|kept| kept.map_err(|e| e.to_string()))
    {
        log::warn!("a file can't be kept below the data folder: {why}; the file is at its home alone");
    }
}

/// Returns the headers that another account needs to understand the form.
fn headers_of(request: &ClientRequest) -> Vec<(String, String)> {
    let is_needed = |name: &str| {
        name == CONTENT_TYPE.as_str() || matches!(name, "accept" | "openai-beta") || name.starts_with("anthropic-")
    };
    let needed = request.headers.iter().filter(|(name, _)| is_needed(name.as_str()));
    needed.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect()
}
