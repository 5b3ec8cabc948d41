//! The lines that point each program at this server: with the address as the visitor's browser has it, the models that a
//! key may ask for, and in place of the key a word: keys are not known here.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};

use crate::agents::{AGENTS, ANY_KEY, Agent, Named, Values, chosen, is_plain};
use crate::config::KeyConfig;
use crate::error::ApiError;
use crate::http::Worker;
use crate::scheduler::GetModels;
use crate::types::WireFormat;
use crate::ui::page::PageRequest;
use crate::ui::view::{Facts, View};

/// Stands for a client's key.
const KEY_WORD: &str = "YOUR_KEY";

/// Stands for a model where none is known.
const MODEL_WORD: &str = "MODEL";

/// Keys to choose from. Beyond it, the key's page leads here.
const MOST_KEYS: usize = 200;

struct RecipesFacts {
    root: String,
    /// Whether clients need a key.
    wants_key: bool,
    keys: Vec<Arc<KeyConfig>>,
    chosen: Option<Arc<KeyConfig>>,
    /// The models of each format that the chosen key may ask for.
    models: Vec<(WireFormat, Vec<String>)>,
    /// The formats that an account speaks.
    spoken: Vec<WireFormat>,
}

pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let config = asked.worker.config();
        let chosen = asked.field("key").and_then(|name| config.keys.iter().find(|key| key.name.as_str() == name));
        let models = models(&asked.worker, chosen.map(|key| &**key)).await?;
        let keys = config.keys.iter().filter(|key| key.enabled).take(MOST_KEYS).cloned().collect();
        let speaks = |format: &WireFormat| config.apis.iter().any(|api| api.enabled && api.offers(*format));
        let spoken = WireFormat::ALL.into_iter().filter(speaks).collect();
        let (root, wants_key, chosen) = (asked.address.clone(), config.wants_key(), chosen.cloned());
        Ok(Box::new(RecipesFacts { root, wants_key, keys, chosen, models, spoken }) as Box<dyn Facts>)
    }
    .boxed_local()
}

async fn models(worker: &Worker, key: Option<&KeyConfig>) -> Result<Vec<(WireFormat, Vec<String>)>, ApiError> {
    let mut models = Vec::new();
    for format in WireFormat::ALL {
        let asked = GetModels { format, apis: key.and_then(|key| key.apis.clone()) };
        let names = worker.supervisor.send(asked).await.map_err(|_| ApiError::Stopping)?;
        let may = |name: &&Arc<str>| is_plain(name) && key.is_none_or(|key| key.may_ask_for(name));
        models.push((format, names.iter().filter(may).map(|name| name.to_string()).collect()));
    }
    Ok(models)
}

impl Facts for RecipesFacts {
    fn render(&self, view: &View) -> Markup {
        html! {
            p class="faint" { (view.t("recipes.about")) }
            form method="get" action="/ui/recipes" class="filters" data-auto {
                label { (view.t("filter.key")) select name="key" {
                    option value="" { (view.t("recipes.any_key")) }
                    @for key in &self.keys {
                        @let is_chosen = self.chosen.as_ref().is_some_and(|chosen| chosen.name == key.name);
                        option value=(key.name) selected[is_chosen] { (key.name) }
                    }
                } }
                button type="submit" { (view.t("recipes.show")) }
            }
            p {
                (view.t("recipes.address")) " " code data-copy=(view.t("frame.copy")) { (self.root) "/v1" }
                " · Anthropic: " code data-copy=(view.t("frame.copy")) { (self.root) }
            }
            @if self.wants_key { p { (self.key_note(view)) } }
            div class="cards" { @for agent in &AGENTS { (self.recipe(agent, view)) } }
        }
    }
}

impl RecipesFacts {
    /// Returns what stands in place of the key.
    fn key_word(&self) -> String {
        let named = self.chosen.as_ref().map(|key| format!("KEY_OF_{}", key.name)).filter(|word| is_plain(word));
        if self.wants_key { named.unwrap_or_else(|| KEY_WORD.to_owned()) } else { ANY_KEY.to_owned() }
    }

    fn key_note(&self, view: &View) -> String {
        let word = self.key_word();
        match &self.chosen {
            Some(key) => view.tr("recipes.put_key_of", &[("word", &word), ("name", key.name.as_str())]),
            None => view.tr("recipes.put_key", &[("word", &word)]),
        }
    }

    fn values(&self, agent: &Agent) -> Option<Values> {
        let names = self.models.iter().find(|(format, _)| *format == agent.format).map(|(_, names)| names)?;
        let models = chosen(agent, names, &Named::default());
        let unknown = || chosen(agent, names, &Named { model: Some(MODEL_WORD.to_owned()), small: None });
        Some(Values { root: self.root.clone(), key: self.key_word(), models: models.or_else(unknown)? })
    }

    fn recipe(&self, agent: &Agent, view: &View) -> Markup {
        let Some(values) = self.values(agent) else { return html! {} };
        let filled = |template: &str| values.put_into(template).trim_end().to_owned();
        let exports = |lines: &[(&str, &str)]| {
            lines.iter().map(|(name, value)| format!("export {name}={}\n", filled(value))).collect::<String>()
        };
        html! {
            details class="card recipe" id={ "recipe-" (agent.name) } {
                summary { (agent.title) }
                @if !self.spoken.contains(&agent.format) {
                    p class="problem" { (view.tr("recipes.no_format", &[("format", agent.format.title())])) }
                }
                @if let Some(settings) = &agent.settings {
                    @if let Some(place) = settings.usual_place() {
                        p class="faint" { (view.t("recipes.file")) " " code { (place) } }
                    }
                    pre data-copy=(view.t("frame.copy")) tabindex="0" { (filled(settings.lines)) }
                } @else if let Some(launch) = &agent.launch {
                    p class="faint" { (view.t("recipes.environment")) }
                    pre data-copy=(view.t("frame.copy")) tabindex="0" { (exports(launch.environment).trim_end()) }
                }
                @if !agent.panel.is_empty() {
                    table { tbody { @for (field, text) in agent.panel {
                        tr { th scope="row" lang="en" { (field) } td class="wrap" { code { (filled(text)) } } }
                    } } }
                }
                @if let Some(variable) = agent.key_variable {
                    p class="faint" { (view.t("recipes.key_variable")) }
                    pre data-copy=(view.t("frame.copy")) tabindex="0" { "export " (variable) "=" (values.key) }
                }
                @for note in agent.notes { p class="faint" lang="en" { (filled(note)) } }
            }
        }
    }
}
