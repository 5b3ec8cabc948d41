//! What a page is: a row of the table, the question for its facts, and the facts.

use std::rc::Rc;
use std::time::Duration;

use actix::Addr;
use actix_web::{HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use maud::Markup;
use url::form_urlencoded;

use super::actor::DashboardActor;
use super::door::{api_address, door};
use super::view::View;
use super::visitor::Visitor;
use crate::error::ApiError;
use crate::http::{Worker, worker};

/// A page.
pub(super) struct PageRow {
    /// A pattern may end in `{name}`.
    pub(super) path: &'static str,
    /// The name of the words of the title.
    pub(super) title: &'static str,
    pub(super) audience: PageAudience,
    pub(super) in_navigation: bool,
    /// How often an open page is made again, if at all.
    pub(super) refresh: Option<Duration>,
    pub(super) load: Load,
}

/// Who sees a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageAudience {
    /// Whoever operates the pool.
    Operators,
    /// Whoever may change something.
    Admins,
    /// Holders of a client's key.
    Clients,
}

/// For what changes with each request.
const AT_ONCE: Option<Duration> = Some(Duration::from_millis(500));

/// For what changes with the hour.
pub(super) const SLOWLY: Option<Duration> = Some(Duration::from_secs(5));

pub(super) const fn page(path: &'static str, title: &'static str, load: Load) -> PageRow {
    PageRow { path, title, audience: PageAudience::Operators, in_navigation: true, refresh: AT_ONCE, load }
}

impl PageRow {
    pub(super) const fn refreshed(self, refresh: Option<Duration>) -> PageRow {
        PageRow { refresh, ..self }
    }

    pub(super) const fn of(self, audience: PageAudience) -> PageRow {
        PageRow { audience, ..self }
    }

    pub(super) const fn aside(self) -> PageRow {
        PageRow { in_navigation: false, ..self }
    }
}

impl PageRow {
    /// Returns the name at the end of a path of this page: `None` for another page's path, and an empty one where the page has none.
    pub(super) fn name_in(&self, path: &str) -> Option<String> {
        match self.path.split_once("{name}") {
            None => (self.path == path).then(String::new),
            Some((begin, _)) => path.strip_prefix(begin).map(percent_decoded).filter(|name| !name.is_empty()),
        }
    }

    /// Asks for the facts of an address of this page, with its query.
    pub(super) async fn facts(
        &self,
        request: &HttpRequest,
        visitor: &Visitor,
        address: &str,
    ) -> Result<Box<dyn Facts>, ApiError> {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let fields = web::Query::<Vec<(String, String)>>::from_query(query);
        let asked = PageRequest {
            dashboard: door(request).ok_or(ApiError::Internal)?.dashboard.clone(),
            worker: worker(request)?.clone(),
            visitor: visitor.clone(),
            name: self.name_in(path).filter(|name| !name.is_empty()),
            address: api_address(request),
            query: Rc::new(fields.map(web::Query::into_inner).unwrap_or_default()),
        };
        (self.load)(asked).await
    }
}

fn percent_decoded(text: &str) -> String {
    // `+` is a plus in a path.
    let text = text.replace('+', "%2B");
    form_urlencoded::parse(text.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

impl PageAudience {
    pub(super) fn admits(self, visitor: &Visitor) -> bool {
        match self {
            PageAudience::Operators => visitor.is_operator(),
            PageAudience::Admins => visitor.is_admin(),
            PageAudience::Clients => !visitor.is_operator(),
        }
    }
}

/// A request for a page.
#[derive(Clone)]
pub(super) struct PageRequest {
    pub(super) worker: Worker,
    pub(super) dashboard: Addr<DashboardActor>,
    pub(super) visitor: Visitor,
    /// The rest of the path, behind the page's own: an account's id.
    pub(super) name: Option<String>,
    /// Where clients reach the API: the scheme and the host, without a `/` at the end.
    pub(super) address: String,
    /// The fields of the query.
    pub(super) query: Rc<Vec<(String, String)>>,
}

impl PageRequest {
    /// Returns a field of the query. An empty one is none.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }
}

/// What a page shows, ready to be made as markup on any thread.
pub(super) trait Facts: Send {
    /// Makes the page's content.
    fn render(&self, view: &View) -> Markup;

    /// Returns whether there is what was asked for.
    fn is_there(&self) -> bool {
        true
    }

    /// Returns what the page is about, for its title. None: the page's own name.
    fn about(&self) -> Option<String> {
        None
    }
}

/// Asks for a page's facts.
pub(super) type Load = fn(PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>>;
