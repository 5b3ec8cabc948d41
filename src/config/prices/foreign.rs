//! The tables of LiteLLM and models.dev, as rows of ours. Providers without a preset are left out.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value};

use super::row::{PriceRow, amount};
use crate::config::Providers;
use crate::types::{PartialPrice, Price};

/// What a table of others holds.
#[derive(Debug, Default)]
pub(super) struct ForeignRead {
    pub(super) rows: Vec<PriceRow>,
    pub(super) problems: Vec<String>,
    /// How many models of each provider without a preset were left out.
    pub(super) left_out: BTreeMap<String, usize>,
}

/// How a table writes prices.
struct TableForm {
    /// A field with a price, and our column.
    fields: &'static [(&'static str, &'static str)],
    /// Reads a price as pico-dollars for a token.
    read: fn(&str) -> Option<u64>,
}

/// LiteLLM writes dollars for one token.
const LITELLM: TableForm = TableForm {
    fields: &[
        ("input_cost_per_token", "input"),
        ("output_cost_per_token", "output"),
        ("cache_read_input_token_cost", "cache_read"),
        ("cache_creation_input_token_cost", "cache_write"),
        ("cache_creation_input_token_cost_above_1hr", "cache_write_1h"),
        ("output_cost_per_reasoning_token", "reasoning"),
    ],
    read: Price::read_dollars_of_one,
};

/// The table of models.dev has dollars for a million tokens.
const MODELS_DEV: TableForm = TableForm {
    fields: &[
        ("input", "input"),
        ("output", "output"),
        ("cache_read", "cache_read"),
        ("cache_write", "cache_write"),
        ("reasoning", "reasoning"),
    ],
    read: Price::read_dollars,
};

/// Reads a document of either; `None` for one of neither.
pub(super) fn read(document: &Map<String, Value>, providers: &Providers) -> Option<ForeignRead> {
    let has = |field: &str, is: fn(&Value) -> bool| document.values().any(|value| value.get(field).is_some_and(is));
    let mut reader = Reader { providers, read: ForeignRead::default(), seen: HashSet::new() };
    if has("models", Value::is_object) {
        reader.models_dev(document);
    } else if has("litellm_provider", Value::is_string) {
        reader.litellm(document);
    } else {
        return None;
    }
    Some(reader.read)
}

struct Reader<'a> {
    providers: &'a Providers,
    read: ForeignRead,
    seen: HashSet<(String, String)>,
}

impl Reader<'_> {
    fn litellm(&mut self, document: &Map<String, Value>) {
        for (name, fields) in document {
            let Some(word) = fields.get("litellm_provider").and_then(Value::as_str) else { continue };
            let Some(provider) = self.preset(word) else {
                self.leave_out(word, 1);
                continue;
            };
            // The name of the provider stands in front of most models.
            let model = match name.split_once('/') {
                Some((word, model)) if self.preset(word).as_ref() == Some(&provider) => model,
                Some(_) | None => name,
            };
            self.row((&provider, model), fields, &LITELLM);
        }
    }

    fn models_dev(&mut self, document: &Map<String, Value>) {
        for (word, fields) in document {
            let models = fields.get("models").and_then(Value::as_object);
            let Some(provider) = self.preset(word) else {
                self.leave_out(word, models.map_or(0, Map::len));
                continue;
            };
            for (model, fields) in models.into_iter().flatten() {
                if let Some(cost) = fields.get("cost") {
                    self.row((&provider, model), cost, &MODELS_DEV);
                }
            }
        }
    }

    fn leave_out(&mut self, provider: &str, models: usize) {
        *self.read.left_out.entry(provider.to_owned()).or_default() += models;
    }

    fn preset(&self, word: &str) -> Option<String> {
        self.providers.find_by_word(word).map(|provider| provider.id.clone())
    }

    /// Reads one model, if an input has a price. Of two with one name the first counts.
    fn row(&mut self, of: (&str, &str), fields: &Value, form: &TableForm) {
        let (provider, model) = of;
        let mut price = PartialPrice::default();
        for (field, column) in form.fields {
            let text = match fields.get(field) {
                None | Some(Value::Null) => continue,
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            };
            match ((form.read)(&text), amount(&mut price, column)) {
                (Some(dollars), Some(place)) => *place = Some(dollars),
                (None, _) => {
                    self.read
                        .problems
                        .push(format!("{provider} {model}: {field} must be a number of dollars, 0 or more"));
                    return;
                }
                (Some(_), None) => {}
            }
        }
        // A write that costs nothing more costs as much as the prompt does.
        price.cache_write = price.cache_write.filter(|write| *write > 0);
        let is_first = self.seen.insert((provider.to_owned(), model.to_owned()));
        if price.input.is_some() && is_first {
            self.read.rows.push(PriceRow { provider: provider.to_owned(), model: model.to_owned(), price });
        }
    }
}
