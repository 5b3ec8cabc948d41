//! One of `model_list`.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::super::numbers::milliseconds;
use super::place::place;
use super::reasons;
use crate::cli::import::address::Address;
use crate::cli::import::secrets::KeySource;
use crate::cli::import::tree::Node;

/// A model of an account.
#[derive(Debug)]
pub(super) struct Deployment<'a> {
    /// The name that clients ask for.
    pub(super) asked: String,
    /// The account's own name for the model.
    pub(super) own: String,
    pub(super) address: Address,
    pub(super) key: KeySource,
    /// Where the key stands: there is said what the user must do.
    pub(super) key_field: Option<Node<'a>>,
    /// `rpm`, `tpd` …
    pub(super) limits: Map<String, Value>,
    /// The share of the traffic; 0 for none.
    pub(super) weight: Option<(f64, Node<'a>)>,
    /// Fields of the entry.
    pub(super) fields: Map<String, Value>,
    pub(super) headers: Vec<(String, String, Node<'a>)>,
    /// The wish for the entry's id.
    pub(super) id: String,
}

/// Fields of LiteLLM that are limits here.
const LIMITS: [(&str, &str); 5] =
    [("rpm", "rpm"), ("tpm", "tpm"), ("rpd", "rpd"), ("tpd", "tpd"), ("max_parallel_requests", "maxConcurrent")];

impl<'a> Deployment<'a> {
    /// Reads a deployment. One that the pool can't serve is left out, with the reason at the item.
    pub(super) fn read(item: &Node<'a>, credentials: &HashMap<String, Node<'a>>) -> Option<Self> {
        let (name, params) = (item.get("model_name")?, item.get("litellm_params")?);
        let (asked, model) = (name.text()?, params.get("model")?);
        let credential = params.get("litellm_credential_name").and_then(|named| credential(&named, credentials));
        let field = |name: &str| params.get(name).or_else(|| credential.as_ref()?.get(name));
        let base = field("api_base").or_else(|| field("base_url"));
        let placed = place(&model.text()?, params.get("custom_llm_provider").as_ref(), base.as_ref());
        let placed = placed.map_err(|why| item.leave(why)).ok()?;
        let key_field = field("api_key").filter(|key| key.text().is_some());
        let key =
            key_field.as_ref().and_then(Node::text).map_or(placed.usual_key.clone(), |key| KeySource::parse(&key));
        for read in [&name].into_iter().chain(&key_field).chain(&base) {
            read.carry();
        }
        if let Some(provider) = params.get("custom_llm_provider") {
            provider.carry();
        }
        placed.say(&model, base.as_ref());
        if let Some(why) = unsaid(&asked, &placed.own) {
            name.change(why);
        }
        let weight =
            params.get("weight").and_then(|weight| Some((weight.number().filter(|number| *number >= 0.0)?, weight)));
        let deployment = Deployment {
            key,
            key_field,
            limits: limits(&params),
            weight,
            fields: fields(&params),
            headers: headers(&params),
            id: id(item).unwrap_or_else(|| placed.name()),
            address: placed.address,
            own: if placed.own == "*" && !asked.contains('*') { asked.clone() } else { placed.own },
            asked,
        };
        reasons::leave_of_deployment(item, &params);
        Some(deployment)
    }

    /// Returns whether any model of the account is meant. Clients ask here for the names of the account's own list.
    pub(super) fn is_whole_account(&self) -> bool {
        self.own == "*"
    }

    /// Returns the name or the pattern that clients ask for here.
    pub(super) fn asked_here(&self) -> &str {
        if self.asked.contains('*') && self.own.contains('*') { &self.own } else { &self.asked }
    }
}

fn credential<'a>(named: &Node<'a>, credentials: &HashMap<String, Node<'a>>) -> Option<Node<'a>> {
    let found = credentials.get(&named.text()?).cloned();
    match &found {
        Some(_) => named.change("the credential is written into the entry"),
        None => named.leave("credential_list has no credential of this name"),
    }
    found
}

/// Returns what the configuration can't say of a pattern: a part of the asked name goes up as part of another name.
fn unsaid(asked: &str, own: &str) -> Option<String> {
    let is_pattern = asked.contains('*') && own.contains('*');
    match (asked, own) {
        ("*", "*") => Some("the models are those of the account's own list, and no others".to_owned()),
        (_, "*") if is_pattern => {
            let named = asked.replacen('*', "NAME", 1);
            Some(format!("the account's own list has the models: clients ask for NAME here, and not for {named}"))
        }
        _ if is_pattern && asked != own => {
            Some(format!("clients ask for {own} here: a pattern maps to one model, not to another pattern"))
        }
        _ => None,
    }
}

fn id(item: &Node<'_>) -> Option<String> {
    let id = item.at(&["model_info", "id"])?;
    id.carry();
    id.text()
}

fn limits(params: &Node<'_>) -> Map<String, Value> {
    let mut limits = Map::new();
    for (theirs, ours) in LIMITS {
        let Some(field) = params.get(theirs) else { continue };
        match field.whole() {
            Some(number @ 1..) => {
                limits.insert(ours.to_owned(), json!(number));
                if matches!(theirs, "rpm" | "tpm") {
                    field.change("often only a weight in LiteLLM; here a limit that is never exceeded");
                } else {
                    field.carry();
                }
            }
            Some(_) => field.leave("is no limit in LiteLLM, and would be one here"),
            None => {}
        }
    }
    limits
}

fn fields(params: &Node<'_>) -> Map<String, Value> {
    let mut fields = Map::new();
    if let Some(order) = params.get("order")
        && let Some(number) = order.whole().and_then(|order| i32::try_from(order).ok())
    {
        order.change("1 is priority 0, 2 is priority 1, and so on");
        fields.insert("priority".to_owned(), json!(i64::from(number) - 1));
    }
    let mut timeouts = Map::new();
    if let Some(timeout) = params.get("timeout")
        && let Some(ms) = milliseconds(&timeout)
    {
        timeout.change("in milliseconds, and for all of an answer, a stream's too");
        timeouts.insert("totalMs".to_owned(), json!(ms));
    }
    if let Some(timeout) = params.get("stream_timeout")
        && let Some(ms) = milliseconds(&timeout)
    {
        timeout.change("in milliseconds, until the first content");
        timeouts.insert("firstTokenTimeoutMs".to_owned(), json!(ms));
    }
    if !timeouts.is_empty() {
        fields.insert("timeouts".to_owned(), Value::Object(timeouts));
    }
    fields
}

fn headers<'a>(params: &Node<'a>) -> Vec<(String, String, Node<'a>)> {
    let mut headers = Vec::new();
    for group in ["extra_headers", "headers"].iter().filter_map(|name| params.get(name)) {
        for (name, value) in group.fields() {
            headers.extend(value.text().map(|text| (name.to_owned(), text, value.clone())));
        }
    }
    if let Some(organization) = params.get("organization") {
        headers.extend(organization.text().map(|text| ("OpenAI-Organization".to_owned(), text, organization.clone())));
    }
    headers
}
