//! `GET /v1/status?model=X&format=Y`: says of each upstream whether a request may go there now, why not, until when, with which share,
//! and how the request would be refused if no upstream can take it.

mod refused;

use std::sync::Arc;

use serde_json::{Value, json};

use self::refused::refused;
use crate::config::Config;
use crate::scheduler::ApiReport;
use crate::types::{ModelKey, Now, WireFormat, iso};
use crate::upstream::ApiStatus;

/// Returns what would become of a request for `asked`. Without a format: in the first one that serves the model. For an alias: for each
/// of the models, in the order of the tries.
pub(crate) fn explain(asked: &str, format: Option<WireFormat>, config: &Config, reports: &[ApiReport]) -> Value {
    let alone = [Arc::from(asked)];
    let models = config.aliases.get(asked);
    let names: &[Arc<str>] = models.map_or(&alone, |models| models);
    let is_served =
        |format: &WireFormat| names.iter().any(|model| reports.iter().any(|report| serves(report, *format, model)));
    let first = || WireFormat::ALL.into_iter().find(is_served);
    let format = format.or_else(first).unwrap_or(WireFormat::OpenAi);
    let keys: Vec<ModelKey> = names.iter().map(|model| ModelKey { format, model: model.clone() }).collect();
    let explained: Vec<Value> =
        keys.iter().map(|key| json!({ "model": key.model, "apis": apis(key, reports) })).collect();
    let can_serve = |explained: &&Value| {
        let apis = explained.get("apis").and_then(Value::as_array);
        apis.is_some_and(|apis| apis.iter().any(|api| api.get("eligible") == Some(&json!(true))))
    };
    let serving = explained.iter().find(can_serve);
    let apis = serving.or(explained.first()).and_then(|explained| explained.get("apis"));
    let refusal = serving.is_none().then(|| refused(&keys, config.queue, reports));
    let mut answer = json!({ "model": asked, "format": format.as_str(), "apis": apis, "refusal": refusal });
    if let (Some(_), Some(answer)) = (models, answer.as_object_mut()) {
        answer.insert("servedAs".to_owned(), json!(serving.and_then(|serving| serving.get("model"))));
        answer.insert("models".to_owned(), json!(explained));
    }
    answer
}

/// Returns what each upstream would do with a request for a model.
fn apis(ModelKey { format, model }: &ModelKey, reports: &[ApiReport]) -> Vec<Value> {
    let serves = |report: &ApiReport| serves(report, *format, model);
    let eligible = |report: &&ApiReport| serves(report) && refusal(report, model).is_none();
    let first = reports.iter().filter(eligible).map(|report| report.status.config.priority).min();
    let in_turn = |report: &ApiReport| eligible(&report) && Some(report.status.config.priority) == first;
    let now = Now::read();
    let total: u64 = reports.iter().filter(|r| in_turn(r)).map(|r| u64::from(r.status.config.weight)).sum();
    reports
        .iter()
        .map(|report| {
            let config = &report.status.config;
            let share = if in_turn(report) { f64::from(config.weight) / total as f64 } else { 0.0 };
            let refusal = refusal(report, model);
            let (reason, until) = if serves(report) {
                refusal.unzip()
            } else if !config.offers(*format) {
                (Some("other_format".to_owned()), None)
            } else if report.models.is_none() || report.models_at.is_some() {
                (Some("models_unknown".to_owned()), Some(report.models_at.map(|at| now.wall_at(at))))
            } else {
                (Some("model_not_served".to_owned()), None)
            };
            json!({
                "id": config.id,
                "name": config.name,
                "eligible": eligible(&report),
                "reason": reason,
                "until": until.flatten().map(iso),
                "lastError": last_error(&report.status),
                "priority": config.priority,
                "weight": config.weight,
                // Of the requests for this model, in the present state.
                "share": (share * 1_000.0).round() / 1_000.0,
                "ownName": serves(report).then(|| config.mapping.get(model).map_or(model, |own| own)),
            })
        })
        .collect()
}

/// Returns an upstream's last failure.
pub(super) fn last_error(status: &ApiStatus) -> Option<Value> {
    let (at, class, detail) = status.last_failure.as_ref()?;
    Some(json!({ "at": iso(*at), "class": class.as_str(), "detail": detail }))
}

/// Returns why an upstream can't serve the model now, and until when. The reason is the upstream's state, a limit of the
/// model, or the upstream's own word about an unknown model.
fn refusal(report: &ApiReport, model: &str) -> Option<(String, Option<i64>)> {
    let upstream_model = report.status.config.mapping.get(model).map_or(model, |own| own);
    let of_model = report.status.quotas.iter().filter(|quota| quota.model.as_deref() == Some(upstream_model));
    let full = report.status.refusal.iter().map(|(refusal, until)| (refusal.to_string(), *until));
    let of_model = of_model.filter_map(|quota| quota.refusal.as_ref()).map(|(full, until)| (full.to_string(), *until));
    let absent = report.status.absent_models.iter().filter(|absent| &*absent.model == upstream_model);
    full.chain(of_model)
        .chain(absent.map(|absent| (absent.reason.as_str().to_owned(), Some(absent.until))))
        .max_by_key(|(_, until)| *until)
}

fn serves(report: &ApiReport, format: WireFormat, model: &str) -> bool {
    report.status.config.offers(format) && report.models.as_ref().is_some_and(|names| names.serve(model))
}
