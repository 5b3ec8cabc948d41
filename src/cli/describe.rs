//! A configuration in words, for the start banner and for `check`. Keys are masked.

use std::io::{self, Write};

use url::Url;

use super::terminal::{Paint, Tone, count};
use crate::config::{ApiConfig, Config, CountOn, DEFAULT_NAME, KeyConfig, Models, Pacing, PeriodLimit, Reset};
use crate::types::{AlertEvent, ApiId, Limit, Limits, NamePattern, WireFormat};

/// How much is said of each API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// A line each.
    Brief,
    /// With models, mapping and timeouts.
    Full,
}

/// Returns the server's name, unless nobody gave one.
pub(super) fn own_name(name: &str) -> Option<&str> {
    Some(name).filter(|name| *name != DEFAULT_NAME)
}

pub(super) fn server(out: &mut impl Write, config: &Config) -> io::Result<()> {
    let server = &config.server;
    writeln!(out, "  Address   {}/v1", base(config, server.port))?;
    writeln!(out, "  Key       {}", keys(config))?;
    writeln!(out, "  Body      up to {} MiB", server.body_limit >> 20)?;
    let limits = &server.limits;
    writeln!(
        out,
        "  Waits     head {:?}, body {:?}, write {:?}; up to {} requests at once",
        limits.head_timeout, limits.body_timeout, limits.write_timeout, limits.max_requests
    )?;
    if !server.cors.is_empty() {
        writeln!(out, "  CORS      {}", server.cors.join(", "))?;
    }
    if let Some(store) = &config.store {
        let place = Url::parse(store.url.expose()).ok();
        let host = place.as_ref().and_then(Url::host_str).unwrap_or_default();
        let port = place.as_ref().and_then(Url::port).unwrap_or(6379);
        writeln!(out, "  Store     Redis at {}:{port}, prefix {}", url_host(host), store.prefix)?;
    }
    for alert in &config.alerts {
        let on = alert.on.iter().map(|event| event.as_str()).collect::<Vec<_>>();
        let on = if on.len() == AlertEvent::ALL.len() { "all events".to_owned() } else { on.join(", ") };
        writeln!(out, "  Alerts    {} on {on}", alert.shown)?;
    }
    writeln!(out, "  Retry     up to {} attempts a request, each with another API", config.retry.max_attempts)
}

/// Returns the server's URL, for clients on this machine.
pub(super) fn base(config: &Config, port: u16) -> String {
    url(config, &config.server.host, port)
}

/// Returns the dashboard's URL, for browsers on this machine.
pub(super) fn dashboard_base(config: &Config, port: u16) -> String {
    url(config, config.server.admin.as_ref().map_or(&config.server.host, |(host, _)| host), port)
}

fn url(config: &Config, host: &str, port: u16) -> String {
    let scheme = if config.server.limits.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{}:{port}", url_host(host))
}

pub(super) fn keys(config: &Config) -> String {
    if !config.wants_key() {
        return "none: every client is let in".to_owned();
    }
    let shown = |key: &KeyConfig| {
        let masked: Vec<String> = key.secrets.iter().map(ToString::to_string).collect();
        if key.is_default() { masked.join(", ") } else { format!("{} ({})", key.name, masked.join(", ")) }
    };
    config.keys.iter().map(|key| shown(key)).collect::<Vec<_>>().join(", ")
}

/// Returns a host as written in a URL.
pub(super) fn url_host(host: &str) -> String {
    match host {
        "0.0.0.0" | "::" => "localhost".to_owned(),
        v6 if v6.contains(':') => format!("[{v6}]"),
        name => name.to_owned(),
    }
}

pub(super) fn apis(out: &mut impl Write, config: &Config, detail: Detail) -> io::Result<()> {
    let enabled = config.apis.iter().filter(|api| api.enabled).count();
    writeln!(out, "\n  {}, {enabled} of them enabled\n", count(config.apis.len(), "API"))?;
    let width = config.apis.iter().map(|api| api.id.as_str().chars().count()).max().unwrap_or(0);
    let disabled = Paint::stdout().tint(Tone::Bad, "  DISABLED");
    for api in &config.apis {
        let state = if api.enabled { "" } else { &*disabled };
        let id = api.id.as_str();
        writeln!(
            out,
            "    {id:width$}  {}  {}  rpm {}, rpd {}, {}{state}",
            api.name,
            urls(api),
            api.quota.limits.rpm,
            api.quota.limits.rpd,
            models(api),
        )?;
        if detail == Detail::Full {
            in_full(out, api, width)?;
            filled_in(out, config, api, width)?;
        }
    }
    if detail == Detail::Full && !config.aliases.is_empty() {
        writeln!(out)?;
    }
    for (alias, models) in config.aliases.iter().filter(|_| detail == Detail::Full) {
        writeln!(out, "    alias {alias} → {}", models.join(", "))?;
    }
    writeln!(out)
}

fn in_full(out: &mut impl Write, api: &ApiConfig, width: usize) -> io::Result<()> {
    let indent = " ".repeat(width + 6);
    writeln!(out, "{indent}key {}, weight {}, priority {}", api.key, api.weight, api.priority)?;
    let names: Vec<&str> = api.headers.keys().map(|name| &**name).collect();
    if !names.is_empty() {
        writeln!(out, "{indent}headers {}", names.join(", "))?;
    }
    writeln!(out, "{indent}the day of rpd {}{}", reset(&api.quota.reset), spread(api.quota.limits.pacing))?;
    let quotas = api.group.as_ref().map(|group| (format!("group {}: ", group.name), &group.quota));
    for (owner, quota) in std::iter::once((String::new(), &api.quota)).chain(quotas) {
        // Requests a minute and a day stand in the first line already.
        let own = Limits { rpm: Limit::Unlimited, rpd: Limit::Unlimited, ..quota.limits };
        let all = (format!("{owner}at most"), if owner.is_empty() { own } else { quota.limits });
        let of_model = |(model, limits): (_, &Limits)| (format!("{owner}{model}: at most"), *limits);
        for (whose, limits) in std::iter::once(all).chain(quota.models.iter().map(of_model)) {
            limited(&limits).into_iter().try_for_each(|bound| writeln!(out, "{indent}{whose} {bound}"))?;
        }
        for entry in &quota.more {
            let model = entry.model.as_ref().map(|model| format!("{model}: ")).unwrap_or_default();
            writeln!(out, "{indent}{owner}{model}at most {}{}", entry.limit, begins(entry))?;
        }
    }
    if api.count_on == CountOn::Accepted {
        writeln!(out, "{indent}requests that it turns away with a 429 don't count")?;
    }
    let patterns = api.models.patterns().iter().map(NamePattern::as_str);
    let named: Vec<&str> = api.models.listed().iter().map(|name| &**name).chain(patterns).collect();
    if !named.is_empty() {
        writeln!(out, "{indent}models {}", named.join(", "))?;
    }
    for (asked, own) in api.mapping.iter().filter(|(asked, own)| *asked != &***own) {
        writeln!(out, "{indent}{asked} → {own}")?;
    }
    for (_, address) in api.addresses.iter() {
        if let Some((address, proxy)) = address.as_ref().and_then(|address| Some((address, address.proxy.as_ref()?))) {
            writeln!(out, "{indent}by the proxy {proxy} to {}", address.base_url)?;
        }
    }
    if !api.http2 {
        writeln!(out, "{indent}is spoken to in HTTP/1.1 alone")?;
    }
    let t = &api.timeouts;
    writeln!(
        out,
        "{indent}waits: connect {:?}, first token {:?}, idle {:?}, total {:?} (streams {:?})",
        t.connect, t.first_token, t.idle, t.total, t.stream_total
    )
}

/// Prints what the preset of the API's provider filled in, and of which day the preset is.
fn filled_in(out: &mut impl Write, config: &Config, api: &ApiConfig, width: usize) -> io::Result<()> {
    let Some(preset) = config.presets.get(api.id.as_str()) else { return Ok(()) };
    let indent = " ".repeat(width + 6);
    let filled: Vec<String> = preset.filled.iter().map(|(field, value)| format!("{field} {value}")).collect();
    writeln!(out, "{indent}filled in from {} ({}): {}", preset.provider, preset.as_of, filled.join(", "))?;
    let filled_group = preset.filled.iter().any(|(field, _)| field == "quotaGroup");
    let members = api.group.iter().flat_map(|group| &group.members).filter(|member| **member != api.id);
    let others: Vec<&str> = members.map(ApiId::as_str).collect();
    if filled_group && !others.is_empty() {
        let others = others.join(", ");
        writeln!(
            out,
            "{indent}shares limits with {others}, as keys of one account do; if not so, give each a quotaGroup"
        )?;
    }
    Ok(())
}

/// Returns when the period of a limit begins, as far as the limit's words do not say so, and how the limit is spread.
fn begins(PeriodLimit { limit, reset, pacing, .. }: &PeriodLimit) -> String {
    let begin = match (limit.period.calendar(), reset) {
        (None, _) => String::new(),
        (Some(_), Reset::Rolling) => " (rolling)".to_owned(),
        (Some(_), Reset::LocalMidnight) => " (by the server's time zone)".to_owned(),
        (Some(_), Reset::Midnight(zone)) => format!(" (by {})", zone.iana_name().unwrap_or("its time zone")),
    };
    format!("{begin}{}", spread(*pacing))
}

/// Returns how a limit is spread, if so.
fn spread(pacing: Pacing) -> &'static str {
    match pacing {
        Pacing::Free => "",
        Pacing::Spread => ", spread evenly",
    }
}

fn limited(limits: &Limits) -> Vec<String> {
    let bound = |limit: Limit, of: &str| limit.bound().map(|bound| format!("{bound} {of}"));
    let bounds = [
        bound(limits.rpm, "requests a minute"),
        bound(limits.rpd, &format!("requests a day{}", spread(limits.pacing))),
        bound(limits.tpm, "tokens a minute"),
        bound(limits.tpd, &format!("tokens a day{}", spread(limits.pacing))),
        limits.burst.map(|burst| format!("{} requests in {} s", burst.requests, burst.span_ms / 1_000)),
        limits.max_concurrent.map(|most| format!("{most} requests at the same time")),
    ];
    bounds.into_iter().flatten().collect()
}

fn reset(reset: &Reset) -> String {
    match reset {
        Reset::LocalMidnight => "ends at midnight in the server's time zone".to_owned(),
        Reset::Midnight(zone) => format!("ends at midnight in {}", zone.iana_name().unwrap_or("its time zone")),
        Reset::Rolling => "is any 24 hours".to_owned(),
    }
}

/// Returns the base URLs, with a word for those of other formats than OpenAI's.
fn urls(api: &ApiConfig) -> String {
    let urls = api.addresses.iter().filter_map(|(format, address)| {
        let url = &address.as_ref()?.base_url;
        Some(match format {
            WireFormat::OpenAi => url.to_string(),
            WireFormat::Anthropic | WireFormat::Gemini => format!("{url} ({}'s format)", format.title()),
        })
    });
    urls.collect::<Vec<_>>().join("  ")
}

fn models(api: &ApiConfig) -> String {
    match &api.models {
        Models::Listed(listed) => count(listed.len(), "model"),
        Models::Matching { listed, patterns } if listed.is_empty() => {
            format!("models by {}", count(patterns.len(), "pattern"))
        }
        Models::Matching { listed, patterns } => {
            let (models, patterns) = (count(listed.len(), "model"), count(patterns.len(), "pattern"));
            format!("{models}, and more by {patterns}")
        }
        Models::Asked => "models: discovered".to_owned(),
    }
}
