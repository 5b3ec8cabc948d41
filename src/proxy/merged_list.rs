//! A list of the objects of all accounts, page by page.
//!
//! 1. The order is by the time of creation, then by account, then by id: the same at every server, whoever answers first.
//! 2. Each account is asked for pages of its own, as many as the client's page needs. Nothing is kept between two requests: behind a cursor
//!    the accounts' lists are walked from their begin, up to [`MOST_PAGES`] pages each.
//! 3. An account that fails is left out, and named in the header [`PARTIAL`]. If all fail, the client gets a 502, or their own refusal if
//!    all refuse the request.
//! 4. Behind an object that was removed through the pool the list begins again: programs remove what a page shows, and ask for the next.
//! 5. An account without the path (404, 405, 501) has no objects. One object that two accounts list is shown once.

mod form;
mod page;
mod source;

use std::collections::HashSet;
use std::collections::VecDeque;
use std::rc::Rc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use futures_util::StreamExt;
use futures_util::stream;

use self::form::{ListQuery, page_of};
use self::page::ListedObject;
use self::source::{AccountList, ListQuestion};
use super::client_request::ClientRequest;
use super::dispatch::refuse;
use super::headers;
use super::pool::Upstreams;
use crate::config::RetryConfig;
use crate::error::ApiError;
use crate::records::OpenRecord;
use crate::types::{ApiId, Failure, FailureClass, Phase};

/// Names the accounts whose part is missing, with commas between.
const PARTIAL: HeaderName = HeaderName::from_static("x-api-together-partial");

/// The most accounts that are asked at once.
const AT_ONCE: usize = 16;

/// The most pages of one account in one request: five thousand objects.
const MOST_PAGES: usize = 50;

/// Serves a list from these accounts.
///
/// # Cancel safety
/// Dropping the future (the client left) ends the attempts under way.
pub async fn merged_list<U: Upstreams>(
    upstreams: Rc<U>,
    request: ClientRequest,
    (retry, apis): (RetryConfig, Vec<ApiId>),
    mut record: OpenRecord,
) -> HttpResponse {
    let query = match ListQuery::read(&request.query, request.route) {
        Ok(query) => query,
        Err(invalid) => return refuse(invalid, &mut record),
    };
    let Some(parts) = record.parts() else { return ApiError::Internal.error_response() };
    let mut part = ListQuestion { upstreams, request: &request, query, retry, record: parts };
    let mut walk = MergedWalk::of(&apis);
    let mut taken = take_page(&mut walk, &part).await;
    if taken.is_none() && part.begins_behind_removed().await {
        part.query.after = None;
        walk = MergedWalk::of(&apis);
        taken = take_page(&mut walk, &part).await;
    }
    let ListQuestion { query, record: parts, .. } = part;
    record.add_parts(parts);
    let failed: Vec<&AccountList> = walk.sources.iter().filter(|source| source.failed.is_some()).collect();
    if !failed.is_empty() && failed.len() == walk.sources.len() {
        return all_failed(walk, &mut record);
    }
    let Some(taken) = taken else {
        let (name, id) = query.cursor();
        let message = format!("{name}: no object of this list has the id {id:?}");
        return match failed.is_empty() {
            true => refuse(ApiError::Invalid { message, param: Some(name) }, &mut record),
            false => all_failed(walk, &mut record),
        };
    };
    let names: Vec<&str> = failed.iter().map(|source| source.api.as_str()).collect();
    let mut response = HttpResponse::Ok().body(page_of(&taken.items, taken.has_more, request.route.id.format()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(headers::JSON));
    if let Some(partial) = HeaderValue::try_from(names.join(",")).ok().filter(|_| !names.is_empty()) {
        response.headers_mut().insert(PARTIAL, partial);
    }
    record.answered(StatusCode::OK);
    response
}

/// A page of the client's.
struct Taken {
    items: Vec<ListedObject>,
    has_more: bool,
}

/// The lists of all accounts as one.
struct MergedWalk {
    /// By the account's id.
    sources: Vec<AccountList>,
    /// The ids that were passed.
    seen: HashSet<String>,
}

impl MergedWalk {
    /// Begins the lists of these accounts.
    fn of(apis: &[ApiId]) -> MergedWalk {
        let mut sources: Vec<AccountList> = apis.iter().cloned().map(AccountList::new).collect();
        sources.sort_by(|a, b| a.api.as_str().cmp(b.api.as_str()));
        MergedWalk { sources, seen: HashSet::new() }
    }

    /// Returns the next object of all.
    async fn next<U: Upstreams>(&mut self, part: &ListQuestion<'_, U>) -> Option<ListedObject> {
        loop {
            let due = self.sources.iter_mut().filter(|source| source.is_due());
            stream::iter(due).for_each_concurrent(AT_ONCE, |source| source.fetch(part)).await;
            let ascending = part.query.is_ascending;
            let heads = self.sources.iter_mut().filter(|source| source.head().is_some());
            // The sources are in the order of the accounts, and of equal ones the first counts.
            let first = heads.min_by_key(|source| {
                let created = source.head().map_or(0, |item| item.created);
                if ascending { created } else { -created }
            })?;
            let item = first.take()?;
            if self.seen.insert(item.id.clone()) {
                return Some(item);
            }
        }
    }
}

/// Returns the client's page; `None` if the object of a cursor is in no list.
async fn take_page<U: Upstreams>(walk: &mut MergedWalk, part: &ListQuestion<'_, U>) -> Option<Taken> {
    let ListQuery { limit, after, before, .. } = &part.query;
    if let Some(after) = after {
        while walk.next(part).await?.id != *after {}
    }
    let mut items: VecDeque<ListedObject> = VecDeque::new();
    let mut has_more = false;
    loop {
        let item = walk.next(part).await;
        let Some(item) = item else {
            return before.is_none().then(|| Taken { items: items.into(), has_more });
        };
        if before.as_ref() == Some(&item.id) {
            return Some(Taken { items: items.into(), has_more });
        }
        if items.len() == *limit {
            has_more = true;
            // In front of a cursor, the nearest objects are the page.
            if before.is_none() || after.is_some() {
                return Some(Taken { items: items.into(), has_more });
            }
            items.pop_front();
        }
        items.push_back(item);
    }
}

/// Answers when no account gave its part: with their own refusal of the request, else with a 502.
fn all_failed(mut walk: MergedWalk, record: &mut OpenRecord) -> HttpResponse {
    let is_refusal = |source: &AccountList| source.failed.as_ref().is_some_and(|failed| failed.is_refusal());
    if walk.sources.iter().all(is_refusal)
        && let Some(failed) = walk.sources.pop().and_then(|source| source.failed)
    {
        record.answered(failed.status);
        let mut response = HttpResponse::build(failed.status).body(failed.body);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(headers::JSON));
        return response;
    }
    let last = walk.sources.into_iter().rfind(|source| source.failed.is_some());
    let Some((api, failed)) = last.and_then(|source| Some((source.api, source.failed?))) else {
        return ApiError::Internal.error_response();
    };
    let failure = Failure::new(FailureClass::ServerError, Phase::Head, format!("status {}", failed.status.as_u16()));
    refuse(ApiError::UpstreamFailed { api, failure: Box::new(failure) }, record)
}
