//! The list of one account, read page by page.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::Bytes;

use super::MOST_PAGES;
use super::form::ListQuery;
use super::page::{AccountCursor, AccountPage, ListedObject};
use crate::config::RetryConfig;
use crate::proxy::client_request::ClientRequest;
use crate::proxy::dispatch::dispatch;
use crate::proxy::own_chat::{collect, once};
use crate::proxy::pool::Upstreams;
use crate::records::PartRecords;
use crate::types::{ApiId, NameList, ObjectKey};

/// What all accounts are asked, each for its part.
pub(super) struct ListQuestion<'a, U> {
    pub(super) upstreams: Rc<U>,
    pub(super) request: &'a ClientRequest,
    pub(super) query: ListQuery,
    pub(super) retry: RetryConfig,
    pub(super) record: PartRecords,
}

impl<U: Upstreams> ListQuestion<'_, U> {
    /// Returns whether the page begins behind an object that is known to be gone.
    pub(super) async fn begins_behind_removed(&self) -> bool {
        match &self.query.after {
            Some(after) => self.upstreams.homes().is_gone(ObjectKey::of_id(after)).await,
            None => false,
        }
    }
}

/// One account's list.
pub(super) struct AccountList {
    pub(super) api: ApiId,
    /// Why the rest of the list is missing.
    pub(super) failed: Option<FailedPart>,
    items: VecDeque<ListedObject>,
    /// Where the next page begins; `None` in front of the first one.
    next: Option<AccountCursor>,
    has_more: bool,
    pages: usize,
}

/// The answer of an account that did not give its part.
pub(super) struct FailedPart {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl FailedPart {
    /// Returns whether the account refuses what the client asks.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self.status.as_u16(), 400 | 422)
    }
}

impl AccountList {
    /// Begins with an account.
    pub(super) fn new(api: ApiId) -> AccountList {
        AccountList { api, failed: None, items: VecDeque::new(), next: None, has_more: true, pages: 0 }
    }

    /// Returns whether the next page is needed.
    pub(super) fn is_due(&self) -> bool {
        self.items.is_empty() && self.has_more
    }

    /// Returns the next object.
    pub(super) fn head(&self) -> Option<&ListedObject> {
        self.items.front()
    }

    /// Takes the next object.
    pub(super) fn take(&mut self) -> Option<ListedObject> {
        self.items.pop_front()
    }

    /// Reads the next page.
    pub(super) async fn fetch<U: Upstreams>(&mut self, part: &ListQuestion<'_, U>) {
        let mut asked = part.request.of_account(part.query.of_account(self.next.as_ref()));
        asked.profile.apis = Some(Arc::new(NameList::only(self.api.as_str())));
        let answer = dispatch(part.upstreams.clone(), asked, once(part.retry), part.record.open()).await;
        let status = answer.status();
        let body = collect(answer.into_body()).await;
        self.pages += 1;
        self.has_more = false;
        if !status.is_success() {
            // Nothing is at the path: the account has no such objects.
            let has_none = matches!(status.as_u16(), 404 | 405 | 501);
            self.failed = (!has_none).then_some(FailedPart { status, body });
            return;
        }
        let Some((items, next)) = AccountPage::read(&body) else {
            self.failed = Some(FailedPart { status: StatusCode::BAD_GATEWAY, body: Bytes::new() });
            return;
        };
        // The same page again would go on without an end.
        self.has_more = next.is_some() && next != self.next;
        if self.has_more && self.pages >= MOST_PAGES {
            self.has_more = false;
            self.failed = Some(FailedPart { status: StatusCode::BAD_GATEWAY, body: Bytes::new() });
        }
        self.next = next;
        self.items = items.into();
    }
}
