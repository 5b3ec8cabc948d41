//! Warns of a base URL at a known provider's host whose path is none of the provider's. Pure.

use url::Url;

use crate::config::base_url;
use crate::config::model::Config;
use crate::config::providers::{Provider, Providers};
use crate::types::WireFormat;

/// Returns a warning for each base URL at a known host with an unknown path.
pub(in crate::config) fn unknown_paths(config: &Config, providers: &Providers) -> Vec<String> {
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
