//! The tables of LiteLLM and models.dev, as rows of ours. Providers without a preset are left out.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value};

use super::row::{PriceRow, amount};
use crate::config::Providers;
use crate::types::{BilledUnit, PartialPrice, Price};

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
    /// The fields with a price of one of a unit.
    units: &'static [UnitField],
    /// Reads a price as pico-dollars for a token.
    read: fn(&str) -> Option<u64>,
}

/// A field with a price of one of a unit. The first with a price decides.
struct UnitField {
    /// A JSON pointer.
    at: &'static str,
    unit: BilledUnit,
    /// What the model is for. `None`: anything.
    mode: Option<&'static str>,
}

const fn unit(at: &'static str, unit: BilledUnit, mode: Option<&'static str>) -> UnitField {
    UnitField { at, unit, mode }
}

/// LiteLLM writes dollars for one token, and for one of a unit. Seconds are those of a machine, unless the model hears.
const LITELLM: TableForm = TableForm {
    fields: &[
        ("input_cost_per_token", "input"),
        ("output_cost_per_token", "output"),
        ("cache_read_input_token_cost", "cache_read"),
        ("cache_creation_input_token_cost", "cache_write"),
        ("cache_creation_input_token_cost_above_1hr", "cache_write_1h"),
        ("output_cost_per_reasoning_token", "reasoning"),
    ],
    units: &[
        unit("/output_cost_per_image", BilledUnit::Image, None),
        unit("/input_cost_per_image", BilledUnit::Image, Some("image_generation")),
        unit("/input_cost_per_image", BilledUnit::Image, Some("image_edit")),
        unit("/input_cost_per_second", BilledUnit::AudioSecond, Some("audio_transcription")),
        unit("/output_cost_per_second", BilledUnit::AudioSecond, Some("audio_transcription")),
        unit("/input_cost_per_character", BilledUnit::Character, Some("audio_speech")),
        unit("/output_cost_per_character", BilledUnit::Character, Some("audio_speech")),
        unit("/ocr_cost_per_page", BilledUnit::Page, None),
        unit("/input_cost_per_query", BilledUnit::Search, None),
        // The size that searches have unless a request names another.
        unit("/search_context_cost_per_query/search_context_size_medium", BilledUnit::Search, None),
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
    units: &[],
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

    /// Reads one model, if an input or a unit has a price. Of two with one name the first counts.
    fn row(&mut self, of: (&str, &str), fields: &Value, form: &TableForm) {
        let (provider, model) = of;
        let mut price = PartialPrice::default();
        for (field, column) in form.fields {
            let Some(text) = fields.get(field).and_then(typed) else { continue };
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
        let mode = fields.get("mode").and_then(Value::as_str);
        for UnitField { at, unit, .. } in form.units.iter().filter(|field| field.mode.is_none() || field.mode == mode) {
            let Some(text) = fields.pointer(at).and_then(typed) else { continue };
            match Price::read_dollars_of_one(&text) {
                Some(dollars) if price.per_unit.get(*unit) == 0 => price.per_unit.set(*unit, dollars),
                Some(_) => {}
                None => {
                    let field = at.trim_start_matches('/');
                    let why = format!("{provider} {model}: {field} must be a number of dollars, 0 or more");
                    return self.read.problems.push(why);
                }
            }
        }
        // A write that costs nothing more costs as much as the prompt does.
        price.cache_write = price.cache_write.filter(|write| *write > 0);
        let is_first = self.seen.insert((provider.to_owned(), model.to_owned()));
        if price.filled().is_some() && is_first {
            self.read.rows.push(PriceRow { provider: provider.to_owned(), model: model.to_owned(), price });
        }
    }
}

/// Returns a price as text; `None` where none stands.
fn typed(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::row::write_csv;
    use super::*;

    #[test]
    fn prices_of_one_are_taken_where_the_model_does_what_is_billed() {
        let of = |mode: &str, fields: Value| {
            let mut entry = json!({ "litellm_provider": "openai", "mode": mode });
            if let (Some(entry), Value::Object(fields)) = (entry.as_object_mut(), fields) {
                entry.extend(fields);
            }
            entry
        };
        let searched = json!({ "input_cost_per_token": 2e-6,
            "search_context_cost_per_query": { "search_context_size_low": 0.03, "search_context_size_medium": 0.035 } });
        let document = json!({
            "drawn": of("image_generation", json!({ "input_cost_per_image": 0.04 })),
            "drawn-2": of("image_generation", json!({ "output_cost_per_image": 0.05, "input_cost_per_image": 0.04 })),
            "heard": of("audio_transcription", json!({ "input_cost_per_second": 0.0001, "output_cost_per_second": 0 })),
            "machine": of("chat", json!({ "input_cost_per_second": 0.02, "output_cost_per_second": 0.02 })),
            "ranked": of("rerank", json!({ "input_cost_per_query": "2e-3", "input_cost_per_token": 0 })),
            "read": of("ocr", json!({ "ocr_cost_per_page": 0.001 })),
            "searched": of("chat", searched),
            "seen": of("chat", json!({ "input_cost_per_token": 1e-6, "input_cost_per_image": 0.001 })),
            "spoken": of("audio_speech", json!({ "input_cost_per_character": 1.5e-5 })),
        });
        let document = document.as_object().expect("an object");
        let found = read(document, Providers::embedded()).expect("LiteLLM's");
        assert_eq!(found.problems, Vec::<String>::new());
        let csv = write_csv(&found.rows, "x");
        let rows: Vec<&str> = csv.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "openai,drawn,,,,,,,0.04,,,,",
                "openai,drawn-2,,,,,,,0.05,,,,",
                "openai,heard,,,,,,,,0.0001,,,",
                "openai,ranked,0,,,,,,,,,,0.002",
                "openai,read,,,,,,,,,,0.001,",
                "openai,searched,2,,,,,,,,,,0.035",
                "openai,seen,1,,,,,,,,,,",
                "openai,spoken,,,,,,,,,0.000015,,",
            ]
        );
    }
}
