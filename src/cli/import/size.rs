//! How large an input may be in memory. Pure.
//!
//! Each value is told to people with a path. So the sum of all paths is bounded, too.

use serde_json::Value;

/// The most values of an input, with all aliases replaced. A thousand accounts have twenty thousand.
const MOST_VALUES: usize = 500_000;

/// The longest name of a field, in bytes.
const LONGEST_NAME: usize = 1 << 10;

/// How many bytes of a text or a path count as one more value.
const BYTES_OF_A_VALUE: usize = 64;

/// How long the place in a list is in a path, at most, in bytes.
pub(super) const BYTES_OF_A_PLACE: usize = 8;

/// Counts the values in one whose path has so many bytes.
pub(super) fn count(value: &Value, path: usize) -> usize {
    let own = 1 + path / BYTES_OF_A_VALUE;
    match value {
        Value::Array(items) => own + items.iter().map(|item| count(item, path + BYTES_OF_A_PLACE)).sum::<usize>(),
        Value::Object(fields) => {
            own + fields.iter().map(|(name, field)| count(field, path + name.len())).sum::<usize>()
        }
        Value::String(text) => own + text.len() / BYTES_OF_A_VALUE,
        Value::Null | Value::Bool(_) | Value::Number(_) => own,
    }
}

/// Returns a sum of counts, as long as the sum is in the bound.
///
/// # Errors
/// If there are more.
pub(super) fn in_bound(values: usize) -> Result<usize, String> {
    if values > MOST_VALUES {
        return Err(format!("the file has more than {MOST_VALUES} values, aliases and long paths included"));
    }
    Ok(values)
}

/// Checks the name of a field, of which paths are made.
///
/// # Errors
/// If the name is too long.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    if name.len() > LONGEST_NAME {
        return Err(format!("the name of a field has more than {LONGEST_NAME} bytes"));
    }
    Ok(())
}

/// Checks an input that was read without these bounds.
///
/// # Errors
/// If the input would be too large.
pub(super) fn check(root: Value) -> Result<Value, String> {
    check_names(&root)?;
    in_bound(count(&root, 0))?;
    Ok(root)
}

fn check_names(value: &Value) -> Result<(), String> {
    match value {
        Value::Array(items) => items.iter().try_for_each(check_names),
        Value::Object(fields) => fields.iter().try_for_each(|(name, field)| {
            check_name(name)?;
            check_names(field)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}
