//! Warns of what does not fit to a known provider's host. Pure.
//!
//! 1. The path of the base URL is none of the provider's.
//! 2. The provider has no API of the base URL's format.
//! 3. The entry's `provider` is another one.
//! 4. The key begins like those of another provider.

use url::Url;

use crate::config::model::Config;
use crate::config::providers::{Provider, Providers};
use crate::config::{base_url, key_beginnings};
use crate::types::WireFormat;

/// Returns a warning for each address at a known host, and for each key there, that does not fit.
pub(in crate::config) fn at_known_hosts(config: &Config, providers: &Providers) -> Vec<String> {
    let mut warnings = unknown_paths(config, providers);
    for (index, api) in config.apis.iter().enumerate() {
        let named = config.presets.get(api.id.as_str()).map(|used| used.provider.as_str());
        let at = |field: &str| format!("apis[{index}].{field}");
        for (format, address) in api.addresses.iter() {
            let Some(url) = address.as_ref().map(|address| &address.base_url) else { continue };
            let here = providers_at(url, providers);
            let Some(first) = here.first() else { continue };
            let is_here = |id: &str| here.iter().any(|provider| provider.id == id);
            let field = at(format.base_url_field());
            if let Some(named) = named.filter(|named| !is_here(named)) {
                let text = format!("is at the host of {}, and provider says {named}", first.name);
                warnings.push(format!("{field}: {text}; correct one of the two"));
            } else if !here.iter().any(|provider| provider.base_url(format).is_some()) {
                let title = format.title();
                let has_none = format!("is at the host of {}, which has no API of {title}'s format", first.name);
                let has = |other: &WireFormat| here.iter().any(|provider| provider.base_url(*other).is_some());
                let other = format.others().find(has).unwrap_or(WireFormat::OpenAi);
                warnings.push(format!("{field}: {has_none}; {} is for {}'s", other.base_url_field(), other.title()));
            }
            if let Some(owner) = key_beginnings::provider_of(api.key.expose()).filter(|owner| !is_here(owner)) {
                let text = format!("begins like a key of {owner}, and is sent to the host of {}", first.name);
                warnings.push(format!("{}: {text}; give each account its own key", at("apiKey")));
            }
        }
    }
    warnings
}

/// Returns the providers with an API of either format at the URL's host.
fn providers_at<'a>(url: &Url, providers: &'a Providers) -> Vec<&'a Provider> {
    if base_url::is_loopback(url) {
        return Vec::new();
    }
    let host = |provider: &Provider, format| known(provider, format).is_some_and(|base| base.host() == url.host());
    let is_here = |provider: &&Provider| WireFormat::ALL.into_iter().any(|format| host(provider, format));
    providers.list().iter().filter(is_here).collect()
}

/// Returns a warning for each base URL at a known host with an unknown path.
fn unknown_paths(config: &Config, providers: &Providers) -> Vec<String> {
    let mut warnings = Vec::new();
    for (index, api) in config.apis.iter().enumerate() {
        for (format, address) in api.addresses.iter() {
            let Some(url) = address.as_ref().map(|address| &address.base_url) else { continue };
            let Some(known) = meant(url, format, providers) else { continue };
            let Some(base) = known.base_url(format) else { continue };
            let at = format!("apis[{index}].{}", format.base_url_field());
            let name = &known.name;
            let mend = format!("write that, or \"provider\": \"{}\" instead", known.id);
            warnings.push(format!("{at}: is at the host of {name}, whose base URL is {base}; {mend}"));
        }
    }
    warnings
}

/// Returns the provider at the URL's host, if the URL is none of the known ones there.
fn meant<'a>(url: &Url, format: WireFormat, providers: &'a Providers) -> Option<&'a Provider> {
    if base_url::is_loopback(url) {
        return None;
    }
    let bases = providers.list().iter().filter_map(|provider| Some((provider, known(provider, format)?)));
    let here: Vec<(&Provider, Url)> = bases.filter(|(_, base)| base.host() == url.host()).collect();
    let is_known = here.iter().any(|(_, base)| is_same_path(base, url));
    here.first().filter(|_| !is_known).map(|(provider, _)| *provider)
}

/// Returns the address of a provider, with `*` in place of each blank.
fn known(provider: &Provider, format: WireFormat) -> Option<Url> {
    let typed = provider.base_url(format)?;
    let filled = provider.blanks.keys().fold(typed.to_owned(), |url, blank| url.replace(&format!("{{{blank}}}"), "*"));
    base_url::parse(&filled, format).ok()
}

fn is_same_path(known: &Url, url: &Url) -> bool {
    let segments = |url: &Url| url.path_segments().map(|all| all.map(str::to_owned).collect::<Vec<_>>());
    let (known, typed) = (segments(known).unwrap_or_default(), segments(url).unwrap_or_default());
    known.len() == typed.len() && known.iter().zip(&typed).all(|(known, typed)| known == "*" || known == typed)
}
