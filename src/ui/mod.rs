//! The dashboard: pages for the people who operate the pool, and a page for the holder of a client's key.
//!
//! In reading order: [`table`] (what there is), [`door`] (who comes in), [`page`] and [`show`] (a page, from the request to the
//! markup), [`pages`], [`live`] (updates of an open page), [`forms`] and [`actions`] (what a form does).
//!
//! 1. Pages hold no state. Each request asks the owning actors for the facts. Sessions belong to the [`DashboardActor`].
//! 2. A page has *pieces*. An open page is made again, at most twice a second, and changed pieces are sent. Without an open page
//!    nothing is made.
//! 3. Everything but the updates works without JavaScript.
//! 4. [`maud`] escapes all values in a page. No markup is made from texts.

mod actions;
mod actor;
mod assets;
mod audit;
mod chart;
mod cookies;
mod door;
mod edit;
mod fields;
mod format;
mod forms;
mod frame;
mod host;
mod limits;
mod live;
mod log_in;
mod messages;
mod notices;
mod page;
mod pages;
mod routes;
mod search;
mod sessions;
mod show;
mod slots;
mod table;
mod text;
mod trial;
mod tries;
mod view;
mod visitor;
mod widgets;

pub use actor::DashboardActor;
pub use messages::MakeLink;
pub use routes::configure;
