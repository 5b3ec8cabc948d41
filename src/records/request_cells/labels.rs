//! The values of labels, each from a bounded set.

use std::sync::Arc;

use actix_web::http::StatusCode;

use crate::config::Config;
use crate::types::{QuickSet, RouteId};

/// The most models with a label of their own.
pub(super) const MOST_MODELS: usize = 500;

/// The longest label of a model, in bytes.
const LONGEST_MODEL: usize = 128;

/// Stands for all that have no label of their own.
pub(super) const OTHER: &str = "other";

/// The operation of the pool's own endpoints.
const OWN: &str = "own";

/// Returns the label of a route: the path, and `chat` for the chats.
pub(super) fn operation(route: Option<RouteId>) -> &'static str {
    match route.map(RouteId::path) {
        Some("chat/completions") => "chat",
        Some(path) => path,
        None => OWN,
    }
}

/// A kind of status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusLabel {
    /// 2xx, and 1xx and 3xx, which the pool never sends.
    Fine,
    /// 4xx, without 429.
    ClientError,
    /// 429.
    Limited,
    /// 5xx.
    ServerError,
    /// The client left before any status.
    ClientLeft,
}

impl StatusLabel {
    /// Every kind.
    pub const ALL: [StatusLabel; 5] = [
        StatusLabel::Fine,
        StatusLabel::ClientError,
        StatusLabel::Limited,
        StatusLabel::ServerError,
        StatusLabel::ClientLeft,
    ];

    /// Returns the kind of a status.
    pub fn of(status: Option<StatusCode>) -> StatusLabel {
        match status.map(|status| status.as_u16()) {
            None => StatusLabel::ClientLeft,
            Some(429) => StatusLabel::Limited,
            Some(..400) => StatusLabel::Fine,
            Some(400..500) => StatusLabel::ClientError,
            Some(500..) => StatusLabel::ServerError,
        }
    }

    /// Returns the label.
    pub const fn as_str(self) -> &'static str {
        match self {
            StatusLabel::Fine => "2xx",
            StatusLabel::ClientError => "4xx",
            StatusLabel::Limited => "429",
            StatusLabel::ServerError => "5xx",
            StatusLabel::ClientLeft => "client_left",
        }
    }
}

/// The models with a label of their own: the configuration's, and those that an upstream has served. What a client merely types
/// is none.
#[derive(Debug, Clone)]
pub(super) struct ModelLabels {
    known: QuickSet<Arc<str>>,
    other: Arc<str>,
    none: Arc<str>,
}

impl Default for ModelLabels {
    fn default() -> Self {
        ModelLabels { known: QuickSet::default(), other: OTHER.into(), none: Arc::default() }
    }
}

impl ModelLabels {
    /// Takes up the names in a configuration.
    pub(super) fn configure(&mut self, config: &Config) {
        let of_apis = config
            .apis
            .iter()
            .flat_map(|api| api.models.listed().iter().chain(api.mapping.exact().map(|(asked, _)| asked)));
        of_apis.chain(config.aliases.exact().map(|(alias, _)| alias)).for_each(|model| self.learn(model));
    }

    /// Returns the label of a model.
    pub(super) fn label(&mut self, model: Option<&Arc<str>>, served: bool) -> Arc<str> {
        let Some(model) = model else { return self.none.clone() };
        if let Some(known) = self.known.get(model) {
            return known.clone();
        }
        if served {
            self.learn(model);
        }
        self.known.get(model).unwrap_or(&self.other).clone()
    }

    fn learn(&mut self, model: &Arc<str>) {
        let is_plain = model.len() <= LONGEST_MODEL && !model.chars().any(char::is_control);
        if is_plain && self.known.len() < MOST_MODELS {
            self.known.insert(model.clone());
        }
    }
}
