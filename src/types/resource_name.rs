//! The names of models in Gemini's format, which have a collection in front.

use std::borrow::Cow;

/// The collection of a model whose name has none.
const COLLECTION: &str = "models/";

/// Another collection, with which a name may begin.
const TUNED: &str = "tunedModels/";

/// Returns a model's name with the collection in front.
pub fn resource_name(model: &str) -> Cow<'_, str> {
    if model.starts_with(TUNED) { Cow::Borrowed(model) } else { Cow::Owned(format!("{COLLECTION}{model}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tuned_model_has_its_collection_and_any_other_is_a_model() {
        for (model, wanted) in [("m", "models/m"), ("a/b", "models/a/b"), ("tunedModels/t", "tunedModels/t")] {
            assert_eq!(resource_name(model), wanted);
        }
    }
}
