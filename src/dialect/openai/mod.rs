//! OpenAI's dialect: what the fields of its answers mean, of the upstreams that imitate it as well.

pub(crate) mod as_events;
pub(crate) mod as_object;
mod fields;
mod finish;
pub(crate) mod json_response;
pub(super) mod stream_event;
mod usage;
