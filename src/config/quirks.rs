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
