//! The body of a request: the client's own bytes, and the few places in them that may change for an upstream.

use std::iter::once;
use std::ops::Range;
use std::sync::Arc;

use actix_web::web::Bytes;
use futures_util::StreamExt;
use futures_util::stream::iter;
use transport::OutgoingBody;

use super::ClientRequest;
use super::stream_options::UsageWish;
use crate::config::StreamUsage;
use crate::proxy::upload::SpooledFile;
use crate::types::resource_name;

/// A place in a body, and what stands there for an upstream.
pub(in crate::proxy) type BodyEdit = (Range<usize>, String);

/// What is other in the body for one upstream than in the client's.
pub(in crate::proxy) struct BodyChanges<'a> {
    /// The upstream's name for the model, if not the client's.
    pub(in crate::proxy) model: Option<&'a str>,
    /// How the upstream reports the usage of streams.
    pub(in crate::proxy) usage: StreamUsage,
    /// A wish for usage is added.
    pub(in crate::proxy) ask_usage: bool,
    /// The upstream's own ids of files, and where they go.
    pub(in crate::proxy) ids: Vec<BodyEdit>,
}

/// A body.
#[derive(Debug)]
pub(super) enum RequestBody {
    Json(JsonBody),
    Form(FormBody),
}

/// A JSON object.
#[derive(Debug)]
pub(super) struct JsonBody {
    pub(super) bytes: Bytes,
    /// Where the model stands; empty without a model.
    pub(super) model_at: Range<usize>,
    /// Where names of models stand with the collection in front, as Gemini's format has them.
    pub(super) resources_at: Vec<Range<usize>>,
    pub(super) usage: UsageWish,
    /// Where the client's `stream_options` stand, if a stream has any.
    pub(super) options_at: Option<Range<usize>>,
}

/// A form.
#[derive(Debug)]
pub(super) struct FormBody {
    /// Where the name of the model stands; empty without a model.
    pub(super) model_at: Range<u64>,
    pub(super) bytes: FormSource,
}

/// Where the bytes of a form are.
#[derive(Debug, Clone)]
pub(in crate::proxy) enum FormSource {
    Memory(Bytes),
    Disk(Arc<SpooledFile>),
}

impl ClientRequest {
    /// Would the proxy have to ask for this stream's usage, as the client did not?
    pub(in crate::proxy) fn lacks_usage(&self) -> bool {
        self.body.lacks_usage()
    }

    /// The client's JSON; nothing of a form.
    pub(in crate::proxy) fn json(&self) -> &Bytes {
        self.body.json()
    }

    /// The JSON for an upstream: the client's own bytes, except for the model's name and, if `ask_usage`, the wish for usage.
    pub fn body_for(&self, upstream_model: Option<&str>, ask_usage: bool) -> Bytes {
        match &self.body {
            RequestBody::Json(body) => body.asking(upstream_model, ask_usage),
            RequestBody::Form(_) => Bytes::new(),
        }
    }

    /// Returns the body for an upstream.
    pub(in crate::proxy) fn outgoing(&self, changes: BodyChanges<'_>) -> OutgoingBody {
        self.body.for_upstream(changes)
    }

    /// Returns the bytes of a form, if the body is one.
    pub(in crate::proxy) fn form(&self) -> Option<&FormSource> {
        match &self.body {
            RequestBody::Json(_) => None,
            RequestBody::Form(form) => Some(&form.bytes),
        }
    }
}

impl RequestBody {
    /// Returns no body.
    pub(super) fn none() -> RequestBody {
        RequestBody::Json(JsonBody {
            bytes: Bytes::new(),
            model_at: 0..0,
            resources_at: Vec::new(),
            usage: UsageWish::Moot,
            options_at: None,
        })
    }

    /// Returns the bytes of JSON; none of a form.
    pub(super) fn json(&self) -> &Bytes {
        static NONE: Bytes = Bytes::new();
        match self {
            RequestBody::Json(body) => &body.bytes,
            RequestBody::Form(_) => &NONE,
        }
    }

    /// Would the proxy have to ask for this stream's usage, as the client did not?
    pub(super) fn lacks_usage(&self) -> bool {
        matches!(self, RequestBody::Json(JsonBody { usage: UsageWish::Unasked(..), .. }))
    }

    /// Returns the body for an upstream.
    pub(super) fn for_upstream(&self, changes: BodyChanges<'_>) -> OutgoingBody {
        let BodyChanges { model, usage, ask_usage, ids } = changes;
        match (self, usage) {
            (RequestBody::Json(body), StreamUsage::Ask | StreamUsage::Never) => {
                body.edited(model, body.wish(ask_usage), ids).into()
            }
            (RequestBody::Json(body), StreamUsage::Unasked) => {
                // The upstream reports the usage of each stream, and may not know `stream_options`.
                body.edited(model, body.options_at.clone().map(|at| (at, String::new())), ids).into()
            }
            (RequestBody::Form(form), _) => form.for_upstream(model),
        }
    }
}

impl JsonBody {
    /// Returns the client's own bytes, except for the model's name and, if `ask_usage`, the wish for usage.
    pub(super) fn asking(&self, model: Option<&str>, ask_usage: bool) -> Bytes {
        self.edited(model, self.wish(ask_usage), Vec::new())
    }

    /// Returns the wish for usage, if one is to be added.
    fn wish(&self, ask_usage: bool) -> Option<BodyEdit> {
        match &self.usage {
            UsageWish::Unasked(at, text) if ask_usage => Some((at.clone(), (*text).to_owned())),
            UsageWish::Unasked(..) | UsageWish::Moot | UsageWish::Asked => None,
        }
    }

    fn edited(&self, model: Option<&str>, edit: Option<BodyEdit>, ids: Vec<BodyEdit>) -> Bytes {
        let named = model.filter(|_| !self.model_at.is_empty());
        let named = named.and_then(|own| Some((self.model_at.clone(), serde_json::to_string(own).ok()?)));
        let mut edits: Vec<BodyEdit> = named.into_iter().chain(edit).chain(ids).collect();
        if let Some(own) = model.filter(|_| !self.resources_at.is_empty())
            && let Ok(name) = serde_json::to_string(&resource_name(own))
        {
            edits.extend(self.resources_at.iter().map(|at| (at.clone(), name.clone())));
        }
        if edits.is_empty() {
            return self.bytes.clone();
        }
        edits.sort_by_key(|(at, _)| at.start);
        splice(&self.bytes, &edits)
    }
}

impl FormBody {
    /// Returns the client's own bytes, except for the model's name.
    fn for_upstream(&self, model: Option<&str>) -> OutgoingBody {
        let Range { start, end } = self.model_at;
        let model = model.filter(|_| start < end);
        match &self.bytes {
            FormSource::Memory(bytes) => match model {
                None => bytes.clone().into(),
                Some(own) => {
                    let [start, end] = [start, end].map(|at| usize::try_from(at).unwrap_or(usize::MAX));
                    splice(bytes, &[(start..end, own.to_owned())]).into()
                }
            },
            FormSource::Disk(file) => {
                let length = file.length();
                let Some(own) = model.map(|own| Bytes::from(own.to_owned())) else {
                    return OutgoingBody::Stream(length, Box::pin(file.read(0, length)));
                };
                let sent = length - (end - start) + own.len() as u64;
                let pieces = file.read(0, start).chain(iter(once(Ok(own)))).chain(file.read(end, length));
                OutgoingBody::Stream(sent, Box::pin(pieces))
            }
        }
    }
}

/// Puts texts into the places of others, in order. A place within an earlier one is gone with that.
fn splice(body: &[u8], edits: &[BodyEdit]) -> Bytes {
    let added: usize = edits.iter().map(|(_, text)| text.len()).sum();
    let mut spliced = Vec::with_capacity(body.len() + added);
    let mut from = 0;
    for (at, text) in edits {
        if at.start < from {
            continue;
        }
        spliced.extend_from_slice(body.get(from..at.start).unwrap_or_default());
        spliced.extend_from_slice(text.as_bytes());
        from = at.end;
    }
    spliced.extend_from_slice(body.get(from..).unwrap_or_default());
    spliced.into()
}
