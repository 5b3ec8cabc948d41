//! Optional parameters of requests, which some providers refuse.

/// A set of parameters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ParameterSet(u32);

impl ParameterSet {
    /// The known parameters, by their names in a request. A parameter's number is the place here.
    pub const NAMES: [&'static str; 25] = [
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "metadata",
        "min_p",
        "modalities",
        "n",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning_effort",
        "response_format",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_k",
        "top_logprobs",
        "top_p",
        "user",
    ];

    /// The set without a parameter.
    pub const NONE: ParameterSet = ParameterSet(0);

    /// Returns the set of the parameter of this name, if the parameter is known.
    pub fn of(name: &str) -> Option<ParameterSet> {
        let nth = ParameterSet::NAMES.iter().position(|known| *known == name)?;
        Some(ParameterSet(1 << nth))
    }

    /// Returns the set of the parameters whose places in [`ParameterSet::NAMES`] are true.
    pub fn where_true(present: [bool; ParameterSet::NAMES.len()]) -> ParameterSet {
        ParameterSet(present.iter().rev().fold(0, |set, present| set << 1 | u32::from(*present)))
    }

    /// Returns the parameters of both.
    #[must_use]
    pub fn with(self, other: ParameterSet) -> ParameterSet {
        ParameterSet(self.0 | other.0)
    }

    /// Returns whether any parameter is in both.
    pub fn intersects(self, other: ParameterSet) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns the names of the parameters.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        ParameterSet::NAMES.into_iter().enumerate().filter(move |(nth, _)| self.0 >> nth & 1 == 1).map(|(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_into_it() {
        assert!(ParameterSet::NAMES.is_sorted(), "a reader finds a name");
        let both = ["seed", "user"].map(|name| ParameterSet::of(name).expect("known"));
        let set = both[0].with(both[1]);
        assert_eq!(set.names().collect::<Vec<_>>(), ["seed", "user"]);
        assert!(set.intersects(both[0]) && !both[0].intersects(both[1]) && !ParameterSet::NONE.intersects(set));
        assert_eq!(ParameterSet::of("seeds"), None);
        assert_eq!(ParameterSet::where_true(ParameterSet::NAMES.map(|name| name == "seed" || name == "user")), set);
    }
}
