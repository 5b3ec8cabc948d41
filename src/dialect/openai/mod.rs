//! OpenAI's dialect: what the fields of answers mean, from OpenAI and from similar upstreams.

pub(crate) mod as_events;
pub(crate) mod as_object;
mod fields;
mod finish;
pub(crate) mod json_response;
pub(crate) mod model_list;
pub(super) mod stream_event;
mod usage;
