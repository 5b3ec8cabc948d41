//! The table of the pool's own endpoints. The forwarded ones stand in [`crate::dialect::ROUTES`]. The HTTP routes are made from
//! both tables, and docs/api.md too.

use actix_web::{Route as HttpRoute, guard, web};

use super::{health, key, metrics, models, root, status, tokens, usage};

/// A row of the table.
pub(super) struct OwnEndpoint {
    /// The path, as a pattern of the router.
    pub(super) path: &'static str,
    pub(super) method: OwnMethod,
    /// Who may call.
    pub(super) audience: Audience,
    /// Gives the route its handler.
    pub(super) handled: fn(HttpRoute) -> HttpRoute,
    /// The query's parameters, for the documentation.
    #[cfg_attr(not(test), expect(dead_code, reason = "docs/api.md is made by a test"))]
    pub(super) query: &'static str,
    /// What it is for, for the documentation.
    #[cfg_attr(not(test), expect(dead_code, reason = "docs/api.md is made by a test"))]
    pub(super) about: &'static str,
}

/// Who may call an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// Everybody, without a key.
    Everybody,
    /// Whoever has a key.
    AnyKey,
    /// Clients: for models.
    Clients,
    /// Operators, for the pool's state.
    Readers,
    /// Operators, for a change of the pool's state.
    Admins,
}

/// What an endpoint takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnMethod {
    /// `GET`, and so `HEAD`.
    Get,
    /// `POST`.
    Post,
}

/// The pool's own endpoints. A pattern stands last.
pub(super) static OWN_ENDPOINTS: [OwnEndpoint; 21] = [
    OwnEndpoint {
        path: "/v1/models",
        method: OwnMethod::Get,
        audience: Audience::AnyKey,
        handled: |route| route.to(models::list),
        query: "`limit`, `after_id`, `before_id` (Anthropic's form); `pageSize`, `pageToken` (Gemini's); `client_version` \
                (Codex's)",
        about: "The models of the pool, in the form of the client that asks: Anthropic's with the header \
                `anthropic-version`, Gemini's with `x-goog-api-key` or `key`, Codex's with `client_version`, else OpenAI's.",
    },
    OwnEndpoint {
        path: "/v1/status",
        method: OwnMethod::Get,
        audience: Audience::Readers,
        handled: |route| route.to(status::status),
        query: "`model`: what would become of a request for this model; `format` (`openai`, `anthropic`) with it",
        about: "The present state of each upstream, and the configuration in force.",
    },
    OwnEndpoint {
        path: "/v1/token/stats",
        method: OwnMethod::Get,
        audience: Audience::Readers,
        handled: |route| route.to(tokens::stats),
        query: "",
        about: "How many tokens the upstreams' answers took.",
    },
    OwnEndpoint {
        path: "/v1/token/reset",
        method: OwnMethod::Post,
        audience: Audience::Admins,
        handled: |route| route.to(tokens::reset),
        query: "",
        about: "Sets the token statistics to zero: of all upstreams, or of `apiId`.",
    },
    OwnEndpoint {
        path: "/v1/key",
        method: OwnMethod::Get,
        audience: Audience::Clients,
        handled: |route| route.to(key::key),
        query: "",
        about: "What the client's own key may use, and what is used, in OpenRouter's form ([keys](keys.md#what-a-key-learns-of-itself)).",
    },
    OwnEndpoint {
        path: "/v1/dashboard/billing/subscription",
        method: OwnMethod::Get,
        audience: Audience::Clients,
        handled: |route| route.to(key::subscription),
        query: "",
        about: "The budget of the client's own key, in OpenAI's former form.",
    },
    OwnEndpoint {
        path: "/v1/dashboard/billing/usage",
        method: OwnMethod::Get,
        audience: Audience::Clients,
        handled: |route| route.to(key::usage),
        query: "`start_date`, `end_date` (the day after the last)",
        about: "What the client's own key has spent, in cents, in OpenAI's former form.",
    },
    OwnEndpoint {
        path: "/metrics",
        method: OwnMethod::Get,
        audience: Audience::Readers,
        handled: |route| route.to(metrics::metrics),
        query: "",
        about: "All numbers in Prometheus' text format ([metrics.md](metrics.md)).",
    },
    OwnEndpoint {
        path: "/v1/usage",
        method: OwnMethod::Get,
        audience: Audience::Readers,
        handled: |route| route.to(usage::json),
        query: "`from`, `to` (a date, a time or Unix seconds); `by` (`hour`, `day`, `month`); `group` (`api,model,key,app`); \
                `key`, `api`, `model`, `app`: only these",
        about: "Who used what: requests, tokens by kind, and cost. See [usage.md](usage.md).",
    },
    OwnEndpoint {
        path: "/v1/usage.csv",
        method: OwnMethod::Get,
        audience: Audience::Readers,
        handled: |route| route.to(usage::csv),
        query: "as `/v1/usage`",
        about: "The same as CSV.",
    },
    OwnEndpoint {
        path: "/v1/organization/usage/completions",
        method: OwnMethod::Get,
        audience: Audience::Readers,
        handled: |route| route.to(usage::organization::completions),
        query: "`start_time`, `end_time` (Unix seconds); `bucket_width` (`1h`, `1d`); `group_by`, `models`, `api_key_ids`; `limit`, `page`",
        about: "Who used what, in the shape of OpenAI's own usage of completions.",
    },
    OwnEndpoint {
        path: "/v1/organization/usage/embeddings",
        method: OwnMethod::Get,
        audience: Audience::Readers,
        handled: |route| route.to(usage::organization::embeddings),
        query: "likewise",
        about: "The same for embeddings.",
    },
    OwnEndpoint {
        path: "/v1/organization/usage/images",
        method: OwnMethod::Get,
        audience: Audience::Readers,
        handled: |route| route.to(usage::organization::images),
        query: "likewise",
        about: "The same for images.",
    },
    OwnEndpoint {
        path: "/v1/organization/usage/audio_speeches",
        method: OwnMethod::Get,
        audience: Audience::Readers,
        handled: |route| route.to(usage::organization::speeches),
        query: "likewise",
        about: "The same for the characters of speech.",
    },
    OwnEndpoint {
        path: "/v1/organization/usage/audio_transcriptions",
        method: OwnMethod::Get,
        audience: Audience::Readers,
        handled: |route| route.to(usage::organization::transcriptions),
        query: "likewise",
        about: "The same for the seconds of transcriptions and translations.",
    },
    OwnEndpoint {
        path: "/v1/organization/costs",
        method: OwnMethod::Get,
        audience: Audience::Readers,
        handled: |route| route.to(usage::organization::costs),
        query: "likewise",
        about: "What it cost, in OpenAI's shape.",
    },
    OwnEndpoint {
        path: "/health",
        method: OwnMethod::Get,
        audience: Audience::Everybody,
        handled: |route| route.to(health::health),
        query: "",
        about: "Says whether the process is there and will stay. No key is needed.",
    },
    OwnEndpoint {
        path: "/",
        method: OwnMethod::Get,
        audience: Audience::Everybody,
        handled: |route| route.to(root::root),
        query: "",
        about: "Says what this is, and where the rest is. No key is needed.",
    },
    OwnEndpoint {
        path: "/v1beta/models",
        method: OwnMethod::Get,
        audience: Audience::AnyKey,
        handled: |route| route.to(models::list),
        query: "`pageSize`, `pageToken`",
        about: "The models of the pool, in Gemini's form. `/v1alpha/models` is the same.",
    },
    // A model's name may hold slashes.
    OwnEndpoint {
        path: "/v1beta/models/{id:.+}",
        method: OwnMethod::Get,
        audience: Audience::AnyKey,
        handled: |route| route.to(models::one),
        query: "",
        about: "One model, in Gemini's form.",
    },
    OwnEndpoint {
        path: "/v1/models/{id:.+}",
        method: OwnMethod::Get,
        audience: Audience::AnyKey,
        handled: |route| route.to(models::one),
        query: "",
        about: "One model, in the same form.",
    },
];

impl OwnMethod {
    /// Returns the value of `allow`.
    pub(super) const fn allow(self) -> &'static str {
        match self {
            OwnMethod::Get => "GET, HEAD",
            OwnMethod::Post => "POST",
        }
    }

    /// Returns a route for requests of this method.
    pub(super) fn route(self) -> HttpRoute {
        match self {
            OwnMethod::Get => web::route().guard(guard::Any(guard::Get()).or(guard::Head())),
            OwnMethod::Post => web::post(),
        }
    }
}
