//! The parts of a page: a row of the table, the question for the facts, and the facts.

use std::rc::Rc;
use std::time::Duration;

use actix::Addr;
use actix_web::HttpRequest;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};
use url::form_urlencoded;

use super::actor::DashboardActor;
use super::door::{api_address, door};
use super::fields::SentFields;
use super::forms::Action;
use super::view::{Facts, View, ViewStart};
use super::visitor::Visitor;
use crate::config::GetConfig;
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
    /// What the page's forms do.
    pub(super) forms: &'static [Action],
}

/// Who sees a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageAudience {
    /// The people who operate the pool.
    Operators,
    /// The people who may change something.
    Admins,
    /// Holders of a client's key.
    Clients,
}

/// For what changes with each request.
const AT_ONCE: Option<Duration> = Some(Duration::from_millis(500));

/// For what changes with the hour.
pub(super) const SLOWLY: Option<Duration> = Some(Duration::from_secs(5));

pub(super) const fn page(path: &'static str, title: &'static str, load: Load) -> PageRow {
    PageRow { path, title, audience: PageAudience::Operators, in_navigation: true, refresh: AT_ONCE, load, forms: &[] }
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

    pub(super) const fn with(self, forms: &'static [Action]) -> PageRow {
        PageRow { forms, ..self }
    }
}

impl PageRow {
    /// Returns the name at the end of this page's path: an empty one for a page without a name. `None`: the path is another page's.
    pub(super) fn name_in(&self, path: &str) -> Option<String> {
        match self.path.split_once("{name}") {
            None => (self.path == path).then(String::new),
            Some((begin, _)) => path.strip_prefix(begin).map(percent_decoded).filter(|name| !name.is_empty()),
        }
    }

    /// Asks for the facts of an address of this page, with its query.
    async fn facts(
        &self,
        request: &HttpRequest,
        start: &ViewStart,
        making: Making,
    ) -> Result<Box<dyn Facts>, ApiError> {
        let (path, query) = start.url.split_once('?').unwrap_or((&start.url, ""));
        let asked = PageRequest {
            dashboard: door(request).ok_or(ApiError::Internal)?.dashboard.clone(),
            worker: worker(request)?.clone(),
            visitor: start.visitor.clone(),
            making,
            name: self.name_in(path).filter(|name| !name.is_empty()),
            address: api_address(request),
            query: Rc::new(SentFields::of_query(query)),
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

/// What is made of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Making {
    /// The page with its forms.
    Whole,
    /// The pieces alone, for an update. Forms are no pieces.
    Pieces,
}

/// A request for a page.
#[derive(Clone)]
pub(super) struct PageRequest {
    pub(super) worker: Worker,
    pub(super) dashboard: Addr<DashboardActor>,
    pub(super) visitor: Visitor,
    pub(super) making: Making,
    /// The rest of the path, behind the page's own: an account's id.
    pub(super) name: Option<String>,
    /// Where clients reach the API: the scheme and the host, without a `/` at the end.
    pub(super) address: String,
    /// The fields of the query.
    pub(super) query: Rc<SentFields>,
}

impl PageRequest {
    /// Returns a field of the query. An empty field counts as none.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.query.field(name)
    }
}

/// A page with its facts, ready to be made as markup on any thread.
pub(super) struct LoadedPage {
    pub(super) row: &'static PageRow,
    pub(super) facts: Box<dyn Facts>,
    /// Whether the configuration's file has mistakes: every page of an operator says so. `None` for a page of a client's key.
    is_file_wrong: Option<bool>,
}

impl LoadedPage {
    /// Asks for the facts of a page and of the frame.
    pub(super) async fn load(
        row: &'static PageRow,
        request: &HttpRequest,
        start: &ViewStart,
        making: Making,
    ) -> Result<LoadedPage, ApiError> {
        let facts = row.facts(request, start, making).await?;
        LoadedPage::of(row, request, &start.visitor, facts).await
    }

    /// Puts facts into a page, and asks for the facts of the frame.
    pub(super) async fn of(
        row: &'static PageRow,
        request: &HttpRequest,
        visitor: &Visitor,
        facts: Box<dyn Facts>,
    ) -> Result<LoadedPage, ApiError> {
        let is_file_wrong = match visitor.is_operator() {
            true => {
                let state = worker(request)?.config_actor.send(GetConfig).await.map_err(|_| ApiError::Stopping)?;
                Some(state.last_error.is_some())
            }
            false => None,
        };
        Ok(LoadedPage { row, facts, is_file_wrong })
    }

    /// Makes the page's content.
    pub(super) fn render(&self, view: &View) -> Markup {
        html! {
            @if let Some(is_wrong) = self.is_file_wrong {
                (view.piece("file-problem", "", html! {
                    @if is_wrong {
                        p class="problem" { a href="/ui/configuration" { (view.t("configuration.not_in_force")) } }
                    }
                }))
            }
            (self.facts.render(view))
        }
    }
}

/// Asks for a page's facts.
pub(super) type Load = fn(PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>>;
