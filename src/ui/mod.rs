//! The dashboard: pages that the program makes itself, for people who look at the pool and steer it.
//!
//! In reading order: [`table`] (what there is), [`door`] (who comes in), [`page`] and [`show`] (a page, from the request to the
//! markup), [`pages`], [`live`] (updates of an open page), [`forms`] and [`actions`] (what a form does).
//!
//! 1. Pages hold no state. What they show is asked of the actors that own it, once a request. Sessions belong to the
//!    [`DashboardActor`].
//! 2. A page is made of *pieces*. An open page is made again twice a second at most, and pieces that differ are sent. Nobody
//!    looks: nothing is made.
//! 3. Everything works without JavaScript, except the updates.
//! 4. What a page shows is escaped by [`maud`]. No markup is glued from texts.

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
