//! The body of a request: the client's own bytes, and the few places in them that may change for an upstream.

use std::iter::once;
use std::ops::Range;
use std::sync::Arc;

use actix_web::web::Bytes;
use futures_util::StreamExt;
use futures_util::stream::iter;
use transport::OutgoingBody;

use super::stream_options::UsageWish;
use crate::config::StreamUsage;
use crate::proxy::upload::SpooledFile;
use crate::types::resource_name;

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
#[derive(Debug)]
pub(super) enum FormSource {
    Memory(Bytes),
    Disk(Arc<SpooledFile>),
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

    /// Returns the body for an upstream with this name for the model, if not the client's. `usage`: how the upstream reports the
    /// usage of streams; `ask`: a wish for usage is added.
    pub(super) fn for_upstream(&self, model: Option<&str>, usage: StreamUsage, ask: bool) -> OutgoingBody {
        match (self, usage) {
            (RequestBody::Json(body), StreamUsage::Ask | StreamUsage::Never) => body.asking(model, ask).into(),
            (RequestBody::Json(body), StreamUsage::Unasked) => body.without_stream_options(model).into(),
            (RequestBody::Form(form), _) => form.for_upstream(model),
        }
    }
}

impl JsonBody {
    /// Returns the client's own bytes, except for the model's name and, if `ask_usage`, the wish for usage.
    pub(super) fn asking(&self, model: Option<&str>, ask_usage: bool) -> Bytes {
        let usage = match &self.usage {
            UsageWish::Unasked(at, text) if ask_usage => Some((at.clone(), (*text).to_owned())),
            UsageWish::Unasked(..) | UsageWish::Moot | UsageWish::Asked => None,
        };
        self.edited(model, usage)
    }

    /// Returns the body for an upstream that reports the usage of each stream, and may not know `stream_options`.
    fn without_stream_options(&self, model: Option<&str>) -> Bytes {
        self.edited(model, self.options_at.clone().map(|at| (at, String::new())))
    }

    fn edited(&self, model: Option<&str>, edit: Option<(Range<usize>, String)>) -> Bytes {
        let named = model.filter(|_| !self.model_at.is_empty());
        let named = named.and_then(|own| Some((self.model_at.clone(), serde_json::to_string(own).ok()?)));
        let mut edits: Vec<(Range<usize>, String)> = named.into_iter().chain(edit).collect();
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

fn splice(body: &[u8], edits: &[(Range<usize>, String)]) -> Bytes {
    let added: usize = edits.iter().map(|(_, text)| text.len()).sum();
    let mut spliced = Vec::with_capacity(body.len() + added);
    let mut from = 0;
    for (at, text) in edits {
        spliced.extend_from_slice(body.get(from..at.start).unwrap_or_default());
        spliced.extend_from_slice(text.as_bytes());
        from = at.end;
    }
    spliced.extend_from_slice(body.get(from..).unwrap_or_default());
    spliced.into()
}
