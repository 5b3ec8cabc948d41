//! Numbers as other programs write them.

use serde_json::{Map, Value, json};

use crate::cli::import::tree::Node;

/// The longest time of a configuration, in milliseconds.
const LONGEST_MS: f64 = 3_600_000.0;

/// Returns seconds as milliseconds, if the configuration takes so many.
pub(super) fn milliseconds(seconds: &Node<'_>) -> Option<u64> {
    let ms = (seconds.number()? * 1_000.0).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the bounds just checked")]
    (1.0..=LONGEST_MS).contains(&ms).then_some(ms as u64)
}

/// Returns weights of any size as whole ones of at least 1, in the same proportions.
pub(super) fn whole_weight(weight: f64, all: &[f64]) -> u64 {
    let is_whole = all.iter().all(|weight| weight.fract() == 0.0);
    let scaled = if is_whole { weight } else { (weight * 100.0).round() };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the configuration's bounds"
    )]
    let whole = scaled.clamp(1.0, 1_000_000.0) as u64;
    whole
}

/// Reads limits such as `15/min,500/day`. Returns the limits, and what the configuration can't say.
pub(super) fn rates(text: &str) -> (Map<String, Value>, Vec<String>) {
    let mut limits: Map<String, Value> = Map::new();
    let mut unsaid = Vec::new();
    for rate in text.split(',').map(str::trim).filter(|rate| !rate.is_empty()) {
        let parts =
            rate.split_once('/').and_then(|(count, unit)| Some((count.trim().parse::<u64>().ok()?, unit.trim())));
        let field = parts.and_then(|(_, unit)| match unit.to_ascii_lowercase().as_str() {
            "s" | "sec" | "second" => Some("burst"),
            "m" | "min" | "minute" => Some("rpm"),
            "d" | "day" => Some("rpd"),
            _ => None,
        });
        let (Some((count, _)), Some(field)) = (parts, field) else {
            unsaid.push(rate.to_owned());
            continue;
        };
        // Of two limits for one time the lower counts.
        let known = limits.get(field).and_then(|known| known["requests"].as_u64().or(known.as_u64()));
        let least = known.map_or(count, |known| known.min(count));
        let limit = if field == "burst" { json!({ "requests": least.max(1), "seconds": 1 }) } else { json!(least) };
        limits.insert(field.to_owned(), limit);
    }
    (limits, unsaid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_become_limits_and_what_cannot_be_said_is_named() {
        for (text, limits, unsaid) in [
            ("15/min", json!({ "rpm": 15 }), &[][..]),
            ("15/min, 500/day,10/min", json!({ "rpm": 10, "rpd": 500 }), &[]),
            ("2/s,5/hour,100/month", json!({ "burst": { "requests": 2, "seconds": 1 } }), &["5/hour", "100/month"]),
            ("1048576/tpr,10/min", json!({ "rpm": 10 }), &["1048576/tpr"]),
            ("nonsense,", json!({}), &["nonsense"]),
        ] {
            let (read, left) = rates(text);
            assert_eq!(
                (Value::Object(read), left.iter().map(String::as_str).collect::<Vec<_>>()),
                (limits, unsaid.to_vec())
            );
        }
    }

    #[test]
    fn weights_keep_their_proportions() {
        assert_eq!(whole_weight(3.0, &[3.0, 1.0]), 3);
        assert_eq!([0.75, 0.25, 1.0].map(|weight| whole_weight(weight, &[0.75, 0.25, 1.0])), [75, 25, 100]);
        assert_eq!(whole_weight(9e9, &[9e9]), 1_000_000);
    }
}
