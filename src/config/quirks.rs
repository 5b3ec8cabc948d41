//! In what an upstream differs from others of the same format, as data: a preset fills the fields, or a person.

use super::file::{LimitsPerFile, QuirksFile, StreamUsageFile, TpmCountsFile};
use super::validator::Validator;
use crate::types::{CountedTokens, ParameterSet};

/// In what an upstream differs from others of the same format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quirks {
    /// Which tokens count against the limits.
    pub counted_tokens: CountedTokens,
    /// What a limit of the upstream's own is about.
    pub limits_per: LimitsPer,
    /// How the usage of streams is told.
    pub stream_usage: StreamUsage,
    /// A rejected request is tried elsewhere: the upstream refuses what others take.
    pub retry_rejected: bool,
    /// What the upstream refuses.
    pub unsupported: ParameterSet,
}

/// What a limit of an upstream's own is about, where the upstream does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitsPer {
    /// All models together.
    Account,
    /// Each model by itself.
    Model,
}

/// How the usage of streams is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamUsage {
    /// When it is asked for, or not: one refused request shows.
    Ask,
    /// With each stream. `stream_options` are not sent.
    Unasked,
    /// Not at all.
    Never,
}

impl Validator<'_> {
    /// Returns the quirks of the API at this place of the file.
    pub(super) fn quirks(&mut self, at: &str, typed: &QuirksFile) -> Quirks {
        let mut unsupported = ParameterSet::NONE;
        for (nth, name) in typed.unsupported_parameters.iter().flatten().enumerate() {
            match ParameterSet::of(name) {
                Some(one) => unsupported = unsupported.with(one),
                None => {
                    let known = ParameterSet::NAMES.join(", ");
                    self.problem(&format!("{at}.unsupportedParameters[{nth}]"), format!("must be one of {known}"));
                }
            }
        }
        Quirks {
            counted_tokens: CountedTokens {
                completion: match typed.tpm_counts {
                    None | Some(TpmCountsFile::All) => true,
                    Some(TpmCountsFile::Input) => false,
                },
                cached: typed.cached_tokens_count.unwrap_or(true),
            },
            limits_per: match typed.limits_per {
                None | Some(LimitsPerFile::Account) => LimitsPer::Account,
                Some(LimitsPerFile::Model) => LimitsPer::Model,
            },
            stream_usage: match typed.stream_usage {
                None | Some(StreamUsageFile::Ask) => StreamUsage::Ask,
                Some(StreamUsageFile::Unasked) => StreamUsage::Unasked,
                Some(StreamUsageFile::Never) => StreamUsage::Never,
            },
            retry_rejected: typed.retry_rejected.unwrap_or(false),
            unsupported,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::ParameterSet;
    use crate::config::{ApiConfig, ConfigSource, Overrides, parse};

    fn api(entry: &Value) -> ApiConfig {
        let source = ConfigSource { path: "apis.json".into(), overrides: Overrides::default() };
        let text = json!({ "apis": [entry] }).to_string();
        let config = parse(&text, &source, |_| Ok(String::new())).expect("valid");
        config.apis.first().expect("one").as_ref().clone()
    }

    /// No preset has a header today, so a header is typed.
    #[test]
    fn null_takes_away_what_a_preset_would_fill_in() {
        let mut entry = json!({ "id": "a", "provider": "groq", "apiKey": "gsk-0123456789abcdef" });
        assert_ne!(api(&entry).quirks.unsupported, ParameterSet::NONE);
        entry["unsupportedParameters"] = Value::Null;
        assert_eq!(api(&entry).quirks.unsupported, ParameterSet::NONE);
        entry["headers"] = Value::Null;
        assert!(api(&entry).headers.is_empty());
        entry["headers"] = json!({ "X-Title": null, "x-other": "1" });
        assert_eq!(api(&entry).headers.len(), 1);
    }
}
