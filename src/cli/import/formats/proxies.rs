//! Outgoing proxies.

use crate::cli::import::draft::{AccountDraft, Draft};
use crate::cli::import::tree::Node;

const WHY: &str = "there is no proxy on the way to accounts yet";

/// Reads the proxy of an entry.
pub(super) fn of_entry(from: &Node<'_>, name: &str, _entry: (&str, &mut AccountDraft), _draft: &Draft) {
    from.get(name).iter().filter(|proxy| proxy.text().is_some()).for_each(|proxy| proxy.leave(WHY));
}

/// Reads the proxy of all entries.
pub(super) fn of_all(from: &Node<'_>, name: &str, _draft: &mut Draft) {
    from.get(name).iter().filter(|proxy| proxy.text().is_some()).for_each(|proxy| proxy.leave(WHY));
}

/// Reads the proxy that stands inside of a field.
pub(super) fn within(field: &Node<'_>, _proxy: &str, _entry: (&str, &mut AccountDraft), _draft: &Draft) {
    field.leave(WHY);
}
