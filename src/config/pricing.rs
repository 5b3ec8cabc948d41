//! The prices of each account of a configuration, and the dearest one of a model: what a budget sets aside before anybody knows
//! who serves.

use std::sync::Arc;

use url::{Host, Url};

use super::model::{ApiConfig, Config};
use super::prices::{PriceFileRead, PriceTable};
use super::providers::Providers;
use crate::types::{Price, sorted};

/// Gives each account its prices: by the preset of the entry, or by the host of the base URL.
pub(super) fn attach(config: &mut Config, read: PriceFileRead, providers: &Providers) {
    for api in &mut config.apis {
        let preset = config.presets.get(api.id.as_str()).map(|preset| preset.provider.clone());
        let provider = preset.or_else(|| by_host(api, providers));
        let tables = [&read.table, PriceTable::embedded()];
        Arc::make_mut(api).prices.use_tables(provider, tables.into_iter());
    }
    config.price_file = read.file;
}

fn by_host(api: &ApiConfig, providers: &Providers) -> Option<String> {
    let urls = api.addresses.iter().filter_map(|(_, address)| Some(&address.as_ref()?.base_url));
    // Anything may run on this machine, a relay to a paid account as well.
    let mut hosts = urls.filter(|url| !is_local(url)).filter_map(Url::host_str);
    hosts.find_map(|host| providers.find_by_host(host)).map(|provider| provider.id.clone())
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl ApiConfig {
    /// Returns the price of a model, by this API's own name of the model.
    pub fn price(&self, model: &str) -> Option<Price> {
        self.prices.price(model)
    }

    /// Returns the models that the file names, by this API's own name.
    pub fn models_by_name(&self) -> Vec<&str> {
        let is_own = |name: &&str| self.mapping.get(name).is_none_or(|own| **own == **name);
        let listed = self.models.listed().iter().map(|name| &**name).filter(is_own);
        let mut all: Vec<&str> = listed.chain(self.mapping.iter().map(|(_, own)| &**own)).collect();
        sorted::sort(&mut all);
        all.dedup();
        all
    }

    /// Returns this API's own name for a model that clients may ask for here; `None` if the model is not served.
    fn own_name<'a>(&'a self, model: &'a str) -> Option<&'a str> {
        match self.mapping.get(model) {
            Some(own) => Some(own),
            // Only the upstream could tell.
            None => self.models.names(model).unwrap_or(true).then_some(model),
        }
    }
}

impl Config {
    /// Returns the dearest price of a model, or of the models of an alias, by the clients' name: of each kind of token the dearest
    /// among the enabled APIs that serve it. `None`: no API has a price. Walks over all APIs: keep the answer.
    pub fn dearest_price(&self, model: &str) -> Option<Price> {
        match self.aliases.get(model) {
            Some(models) => models.iter().filter_map(|model| self.dearest_of_one(model)).reduce(Price::dearer),
            None => self.dearest_of_one(model),
        }
    }

    fn dearest_of_one(&self, model: &str) -> Option<Price> {
        let enabled = self.apis.iter().filter(|api| api.enabled);
        enabled.filter_map(|api| api.price(api.own_name(model)?)).reduce(Price::dearer)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use serde_json::{Value, json};

    use crate::config::{Config, ConfigError, ConfigSource, Overrides, parse};
    use crate::testing::api;
    use crate::types::Price;

    fn read(document: &Value, prices: &str) -> Result<Config, ConfigError> {
        let source = ConfigSource { path: "x.json".into(), overrides: Overrides::default() };
        let text = prices.to_owned();
        parse(&document.to_string(), &source, move |name| match name {
            "prices.csv" => Ok(text.clone()),
            _ => Err(io::ErrorKind::NotFound.into()),
        })
    }

    /// The price of the input, in dollars for a million tokens.
    fn input(config: &Config, nth: usize, model: &str) -> Option<String> {
        let price = config.apis[nth].price(model)?;
        Some(Price::dollars_text(price.dearer(price).each().input))
    }

    #[test]
    fn an_entrys_own_price_goes_before_the_file_and_the_file_before_the_programs_table() {
        let groq = json!({
            "baseUrl": "https://api.groq.com/openai/v1",
            "prices": { "own": { "input": 7.25 }, "fam-*": { "input": 1, "output": 2 } },
        });
        let half = json!({ "baseUrl": "https://api.groq.com/openai/v1", "priceFactor": 0.5 });
        let free = json!({ "baseUrl": "https://example.com", "priceFactor": 0 });
        let other = json!({ "baseUrl": "https://example.com" });
        let document = json!({
            "prices": { "file": "prices.csv" },
            "apis": [api("a", &groq), api("b", &half), api("c", &free), api("d", &other)],
        });
        let table = "provider,model,input,output\ngroq,own,1,1\ngroq,fam-1,9,9\ngroq,filed,3,4\n*,any,5,6\n";
        let config = read(&document, table).expect("valid");
        for (nth, model, wanted) in [
            (0, "own", Some("7.25")),
            (0, "fam-1", Some("1")),
            (0, "filed", Some("3")),
            (0, "any", Some("5")),
            (0, "llama-3.1-8b-instant", Some("0.05")),
            (0, "unknown", None),
            (1, "own", Some("0.5")),
            (1, "filed", Some("1.5")),
            (1, "llama-3.1-8b-instant", Some("0.025")),
            (1, "unknown", None),
            (2, "any", Some("0")),
            (2, "unknown", Some("0")),
            (3, "any", Some("5")),
            (3, "filed", None),
        ] {
            assert_eq!(input(&config, nth, model).as_deref(), wanted, "{nth} {model}");
        }
    }

    #[test]
    fn a_bad_file_of_prices_is_refused_as_a_whole_with_the_line_and_the_mend() {
        let document = json!({ "prices": { "file": "prices.csv" }, "apis": [api("a", &json!({}))] });
        let table = format!("provider,model,input,output\n{}", "groq,m,sk-x,1\n".repeat(12));
        let refused = read(&document, &table).expect_err("bad").to_string();
        assert!(refused.contains("prices.file: prices.csv line 2: input must be a number of dollars"), "{refused}");
        assert!(refused.contains("prices.csv has 2 more bad rows") && !refused.contains("sk-x"), "{refused}");
        for (table, said) in [
            ("{\"a\":1}", "neither LiteLLM's"),
            ("{\"a\"", "no whole JSON"),
            (
                "{\"unknown\":{\"litellm_provider\":\"nobody\",\"input_cost_per_token\":1}}",
                "no price of a known provider",
            ),
        ] {
            let refused = read(&document, table).expect_err("bad").to_string();
            assert!(refused.contains(said), "{refused}");
        }
        let missing = json!({ "prices": { "file": "sk-secret" }, "apis": [api("a", &json!({}))] });
        let refused = read(&missing, "").expect_err("bad").to_string();
        assert!(refused.contains("prices.file: the file can't be read") && !refused.contains("secret"), "{refused}");
        for prices in [json!({ "m": {} }), json!({ "m": { "input": -1 } }), json!({ "m": { "inpt": 1 } })] {
            let document = json!({ "apis": [api("a", &json!({ "prices": prices }))] });
            let refused = read(&document, "").expect_err("bad").to_string();
            assert!(refused.contains("apis[0].prices.m"), "{refused}");
        }
    }

    #[test]
    fn tables_of_others_are_told_apart_by_their_content() {
        let litellm = json!({
            "sample_spec": { "litellm_provider": "one of ...", "input_cost_per_token": 0 },
            "groq/m": { "litellm_provider": "groq", "input_cost_per_token": 1.5e-7, "output_cost_per_token": "6e-7" },
            "no-price": { "litellm_provider": "groq", "mode": "rerank" },
        });
        let models_dev = json!({ "groq": { "id": "groq", "models": {
            "m": { "id": "m", "cost": { "input": 0.15, "output": 0.6, "cache_write": 0 } }, "free": { "id": "free" } } } });
        let document = json!({
            "prices": { "file": "prices.csv" },
            "apis": [api("a", &json!({ "baseUrl": "https://api.groq.com/openai/v1" }))],
        });
        for table in [litellm, models_dev] {
            let config = read(&document, &table.to_string()).expect("valid");
            let each = config.apis[0].price("m").expect("a price").each();
            assert_eq!((each.input, each.output, each.cache_write_5m), (150_000, 600_000, 150_000));
        }
    }

    #[test]
    fn the_dearest_price_is_of_those_that_may_serve_the_model_or_the_models_of_an_alias() {
        let entry = |input: f64, more: Value| {
            let mut fields = json!({ "prices": { "*": { "input": input } } });
            fields.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            fields
        };
        let document = json!({
            "aliases": { "smart": ["m", "n"] },
            "apis": [
                api("a", &entry(1.0, json!({ "models": ["m"] }))),
                api("b", &entry(2.0, json!({ "models": ["n"], "modelMapping": { "k": "n" } }))),
                api("c", &entry(9.0, json!({ "models": ["m"], "enabled": false }))),
                api("d", &json!({ "models": ["m", "u"] })),
            ],
        });
        let config = read(&document, "").expect("valid");
        for (model, dollars) in
            [("m", Some(1)), ("n", Some(2)), ("k", Some(2)), ("smart", Some(2)), ("u", None), ("other", None)]
        {
            let input = config.dearest_price(model).map(|price| price.each().input / 1_000_000);
            assert_eq!(input, dollars, "{model}");
        }
    }
}
