//! The table of OpenAI's reports: what each counts, and how a row is written.

use serde_json::{Value, json};

use crate::types::BilledUnit;
use crate::usage::{Bucket, Dimension, OperationKind, UsageRow};

/// What is asked, and how the answer's rows are written.
pub(super) struct OrganizationReport {
    pub(super) kind: Option<OperationKind>,
    pub(super) row: fn(&UsageRow) -> Value,
    /// What the rows can be apart by, and the dimension of ours. `None`: always null.
    pub(super) groups: &'static [(&'static str, Option<Dimension>)],
    /// The buckets, each with the usual number of a page and the largest.
    pub(super) widths: &'static [(&'static str, Bucket, usize, usize)],
}

const USAGE_GROUPS: &[(&str, Option<Dimension>)] = &[
    ("model", Some(Dimension::Model)),
    ("api_key_id", Some(Dimension::Key)),
    ("project_id", None),
    ("user_id", None),
    ("batch", None),
    ("service_tier", None),
];

/// Images are of any size here, and of no source.
const UNIT_GROUPS: &[(&str, Option<Dimension>)] = &[
    ("model", Some(Dimension::Model)),
    ("api_key_id", Some(Dimension::Key)),
    ("project_id", None),
    ("user_id", None),
    ("size", None),
    ("source", None),
];

const USAGE_WIDTHS: &[(&str, Bucket, usize, usize)] = &[("1d", Bucket::Day, 7, 31), ("1h", Bucket::Hour, 24, 168)];

pub(super) static COMPLETIONS: OrganizationReport = OrganizationReport {
    kind: Some(OperationKind::Completions),
    row: completions_row,
    groups: USAGE_GROUPS,
    widths: USAGE_WIDTHS,
};

pub(super) static EMBEDDINGS: OrganizationReport = OrganizationReport {
    kind: Some(OperationKind::Embeddings),
    row: embeddings_row,
    groups: USAGE_GROUPS,
    widths: USAGE_WIDTHS,
};

pub(super) static IMAGES: OrganizationReport = OrganizationReport {
    kind: Some(OperationKind::Images),
    row: images_row,
    groups: UNIT_GROUPS,
    widths: USAGE_WIDTHS,
};

pub(super) static SPEECHES: OrganizationReport = OrganizationReport {
    kind: Some(OperationKind::Speech),
    row: speeches_row,
    groups: UNIT_GROUPS,
    widths: USAGE_WIDTHS,
};

pub(super) static TRANSCRIPTIONS: OrganizationReport = OrganizationReport {
    kind: Some(OperationKind::Transcriptions),
    row: transcriptions_row,
    groups: UNIT_GROUPS,
    widths: USAGE_WIDTHS,
};

pub(super) static COSTS: OrganizationReport = OrganizationReport {
    kind: None,
    row: costs_row,
    groups: &[("line_item", Some(Dimension::Model)), ("api_key_id", Some(Dimension::Key)), ("project_id", None)],
    widths: &[("1d", Bucket::Day, 7, 180)],
};

fn completions_row(row: &UsageRow) -> Value {
    let [key, _, model, _] = &row.names;
    let tokens = &row.counts.tokens;
    json!({
        "object": "organization.usage.completions.result",
        "input_tokens": tokens.prompt(),
        "input_cached_tokens": tokens.cached,
        "input_cache_write_tokens": tokens.cache_write_5m.saturating_add(tokens.cache_write_1h),
        "output_tokens": tokens.completion(),
        "input_audio_tokens": 0,
        "output_audio_tokens": 0,
        "num_model_requests": row.counts.requests,
        "project_id": null,
        "user_id": null,
        "api_key_id": key,
        "model": model,
        "batch": null,
        "service_tier": null,
    })
}

fn embeddings_row(row: &UsageRow) -> Value {
    let [key, _, model, _] = &row.names;
    json!({
        "object": "organization.usage.embeddings.result",
        "input_tokens": row.counts.tokens.prompt(),
        "num_model_requests": row.counts.requests,
        "project_id": null,
        "user_id": null,
        "api_key_id": key,
        "model": model,
    })
}

fn images_row(row: &UsageRow) -> Value {
    units_row(
        row,
        "images",
        json!({ "images": row.counts.billed().get(BilledUnit::Image), "size": null, "source": null }),
    )
}

fn speeches_row(row: &UsageRow) -> Value {
    units_row(row, "audio_speeches", json!({ "characters": row.counts.billed().get(BilledUnit::Character) }))
}

fn transcriptions_row(row: &UsageRow) -> Value {
    units_row(row, "audio_transcriptions", json!({ "seconds": row.counts.billed().get(BilledUnit::AudioSecond) }))
}

/// Returns a row with these fields for what is billed.
fn units_row(row: &UsageRow, name: &str, mut billed: Value) -> Value {
    let [key, _, model, _] = &row.names;
    if let Some(fields) = billed.as_object_mut() {
        fields.insert("object".to_owned(), format!("organization.usage.{name}.result").into());
        fields.insert("num_model_requests".to_owned(), row.counts.requests.into());
        fields.insert("project_id".to_owned(), Value::Null);
        fields.insert("user_id".to_owned(), Value::Null);
        fields.insert("api_key_id".to_owned(), json!(key));
        fields.insert("model".to_owned(), json!(model));
    }
    billed
}

fn costs_row(row: &UsageRow) -> Value {
    let [key, _, model, _] = &row.names;
    json!({
        "object": "organization.costs.result",
        "amount": { "value": row.counts.cost, "currency": "usd" },
        "line_item": model,
        "project_id": null,
        "api_key_id": key,
    })
}
