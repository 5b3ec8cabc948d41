//! Updates of an open page, as server-sent events.
//!
//! 1. The page is made again, at most twice a second. Tabs with the same address, language and visitor share the pieces.
//! 2. An update has the changed pieces, up to [`MOST_AT_ONCE`] bytes. Further pieces wait for the next update.
//! 3. When a page has other pieces than before, the browser is asked to load the page again.
//! 4. The end of a session ends the streams of the session.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::time::Duration;

use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use futures_util::stream;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::door::{cookie_of, door};
use super::fields::SentFields;
use super::frame::view_start;
use super::messages::{CurrentSession, GetSession};
use super::page::{LoadedPage, Making, PageRow};
use super::slots::TabSlot;
use super::table::PAGES;
use super::view::{Piece, View, ViewStart};
use crate::http::{Worker, worker};
use crate::mailbox::blocking;

/// The largest update, in bytes: 50 KB a second.
const MOST_AT_ONCE: usize = 25_000;

/// How often a stream looks for the end of the session and of the server.
const LOOK: Duration = Duration::from_secs(1);

/// The longest silence of a stream. Proxies close silent streams.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Returns a digest of a page's pieces.
pub(super) fn digest(pieces: &[Piece]) -> String {
    let mut hasher = DefaultHasher::new();
    pieces.iter().for_each(|piece| hash_of(piece).hash(&mut hasher));
    format!("{:016x}", hasher.finish())
}

fn hash_of(piece: &Piece) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&piece.id, &piece.html).hash(&mut hasher);
    hasher.finish()
}

/// The pieces of a page, for all tabs of this thread with the same page.
#[derive(Clone)]
struct MadePage {
    at: Instant,
    pieces: Rc<Vec<Piece>>,
}

thread_local! {
    static MADE: RefCell<HashMap<String, MadePage>> = RefCell::default();
}

/// What an open page is sent.
enum Update {
    Send(Bytes),
    /// The browser loads the page again: the session has ended, or has lost the right to the page.
    SessionOver,
    /// The stream ends, and the browser asks again later: the server is stopping.
    End,
}

/// An open page.
struct Tab {
    request: HttpRequest,
    page: &'static PageRow,
    every: Duration,
    /// The page's address, with its query.
    url: String,
    cookie: Option<String>,
    session: CurrentSession,
    /// The hashes of the tab's pieces, by id. `None`: not known yet.
    has: Option<HashMap<String, u64>>,
    /// The ids of the latest pieces, in order.
    order: Option<Vec<String>>,
    /// The digest of the pieces that the tab began with.
    seen: String,
    next: Instant,
    last_sent: Instant,
    _slot: TabSlot,
}

/// Answers with the updates of the page `page`, for a tab with the pieces of the digest `seen`.
pub(super) fn events(request: HttpRequest) -> HttpResponse {
    let query = SentFields::of_query(request.query_string());
    let field = |name: &str| query.field(name).unwrap_or_default().to_owned();
    let (url, seen) = (field("page"), field("seen"));
    let session = request.extensions().get::<CurrentSession>().cloned();
    let (Some(session), Some(page)) = (session, find(&url)) else { return HttpResponse::NotFound().finish() };
    let Some(every) = page.refresh.filter(|_| page.audience.admits(&session.visitor)) else {
        return HttpResponse::NotFound().finish();
    };
    // The browser asks again later, by itself.
    let Some(slot) = TabSlot::take(&session.visitor) else { return HttpResponse::ServiceUnavailable().finish() };
    let cookie = cookie_of(&request);
    let now = Instant::now();
    let tab = Tab {
        request,
        page,
        every,
        url,
        cookie,
        session,
        has: None,
        order: None,
        seen,
        next: now,
        last_sent: now,
        _slot: slot,
    };
    let updates = stream::unfold(Some(tab), |tab| async move {
        let mut tab = tab?;
        let (bytes, tab) = match tab.update().await {
            Update::Send(bytes) => (bytes, Some(tab)),
            Update::SessionOver => (Bytes::from_static(b"event: over\ndata: {}\n\n"), None),
            Update::End => return None,
        };
        Some((Ok::<_, actix_web::Error>(bytes), tab))
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("cache-control", "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(updates)
}

/// Returns the page of an address.
fn find(address: &str) -> Option<&'static PageRow> {
    let path = address.split(['?', '#']).next()?;
    PAGES.iter().find(|page| page.name_in(path).is_some())
}

impl Tab {
    /// Waits for the next update.
    async fn update(&mut self) -> Update {
        loop {
            sleep_until(self.next.min(Instant::now() + LOOK)).await;
            if worker(&self.request).is_ok_and(Worker::is_stopping) {
                return Update::End;
            }
            let Some(session) = self.current_session().await else { return Update::SessionOver };
            if !self.page.audience.admits(&session.visitor) {
                return Update::SessionOver;
            }
            self.session = session;
            if Instant::now() < self.next {
                continue;
            }
            self.next = Instant::now() + self.every;
            // The actors have ended: the process is stopping.
            let Some(pieces) = self.make().await else { return Update::End };
            if let Some(event) = self.news(&pieces) {
                self.last_sent = Instant::now();
                return Update::Send(Bytes::from(event));
            }
            if self.last_sent.elapsed() >= HEARTBEAT {
                self.last_sent = Instant::now();
                return Update::Send(Bytes::from_static(b": still here\n\n"));
            }
        }
    }

    async fn current_session(&self) -> Option<CurrentSession> {
        let Some(cookie) = self.cookie.clone() else {
            let worker = worker(&self.request).ok()?;
            super::visitor::Visitor::without_key(&worker.config())?;
            return Some(self.session.clone());
        };
        door(&self.request)?.dashboard.send(GetSession { cookie, by_request: false }).await.ok()?
    }

    /// Makes the page's pieces, or takes the pieces of another tab.
    async fn make(&self) -> Option<Rc<Vec<Piece>>> {
        let start = view_start(&self.request, &self.session, self.url.clone());
        let key = format!("{} {} {:?} {}", start.language.tag(), start.visitor.name, start.visitor.rights, self.url);
        let fresh = MADE.with_borrow(|made| made.get(&key).filter(|made| made.at.elapsed() < self.every / 2).cloned());
        if let Some(made) = fresh {
            return Some(made.pieces);
        }
        let pieces = Rc::new(self.make_anew(start).await?);
        MADE.with_borrow_mut(|made| {
            made.retain(|_, made| made.at.elapsed() < 2 * self.every);
            made.insert(key, MadePage { at: Instant::now(), pieces: pieces.clone() });
        });
        Some(pieces)
    }

    async fn make_anew(&self, start: ViewStart) -> Option<Vec<Piece>> {
        let loaded = LoadedPage::load(self.page, &self.request, &start, Making::Pieces).await.ok()?;
        let view = View::new(start, String::new(), None);
        let make = move || {
            let _ = loaded.render(&view);
            view.take_pieces()
        };
        blocking(make).await.ok()
    }

    /// Returns the event with the changed pieces, up to the largest update.
    fn news(&mut self, pieces: &[Piece]) -> Option<String> {
        let hashes = |pieces: &[Piece]| pieces.iter().map(|piece| (piece.id.clone(), hash_of(piece))).collect();
        let Some(has) = &mut self.has else {
            let is_current = digest(pieces) == self.seen;
            // Each piece is sent once if the tab's are older.
            self.has =
                Some(if is_current { hashes(pieces) } else { pieces.iter().map(|p| (p.id.clone(), 0)).collect() });
            return if is_current { None } else { self.news(pieces) };
        };
        let order: Vec<String> = pieces.iter().map(|piece| piece.id.clone()).collect();
        let is_same_order = self.order.as_ref().is_none_or(|before| *before == order);
        self.order = Some(order);
        let has_all = pieces.len() == has.len() && pieces.iter().all(|piece| has.contains_key(&piece.id));
        if !has_all || !is_same_order {
            *has = hashes(pieces);
            return Some("event: reload\ndata: {}\n\n".to_owned());
        }
        let mut sent = serde_json::Map::new();
        let mut size = 0;
        for piece in pieces {
            let hash = hash_of(piece);
            if has.get(&piece.id) == Some(&hash) || (size > 0 && size + piece.html.len() > MOST_AT_ONCE) {
                continue;
            }
            size += piece.html.len();
            has.insert(piece.id.clone(), hash);
            sent.insert(piece.id.clone(), json!(piece.html));
        }
        (!sent.is_empty()).then(|| format!("event: pieces\ndata: {}\n\n", serde_json::Value::Object(sent)))
    }
}
