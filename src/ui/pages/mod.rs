//! The pages, a file each: what is asked of the actors, and how that looks.

pub(super) mod account;
mod card;
pub(super) mod configuration;
mod key_card;
pub(super) mod keys;
pub(super) mod live;
pub(super) mod me;
pub(super) mod models;
pub(super) mod now;
pub(super) mod recipes;
pub(super) mod request;
pub(super) mod settings;
pub(super) mod steering;
pub(super) mod system;
pub(super) mod trial;
pub(super) mod usage;
