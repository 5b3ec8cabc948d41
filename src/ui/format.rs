//! Numbers and times for people.

use maud::{Markup, html};

use crate::types::{Cost, iso};

/// Returns a whole number with its thousands apart: `12,345`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a number in few letters: `950`, `12.3k`, `4.5M`.
pub(super) fn short(number: u64) -> String {
    for (unit, sign) in [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")] {
        if number >= unit {
            let scaled = number as f64 / unit as f64;
            return if scaled < 100.0 { format!("{scaled:.1}{sign}") } else { format!("{scaled:.0}{sign}") };
        }
    }
    number.to_string()
}

/// Returns an amount of dollars: cents, and below a dollar as many decimals as tell something.
pub(super) fn money(cost: Cost) -> String {
    let dollars = cost.dollars();
    match dollars {
        0.0 => "$0".to_owned(),
        1.0.. => format!("${dollars:.2}"),
        0.01.. => format!("${dollars:.3}"),
        _ => format!("${dollars:.6}"),
    }
}

/// Returns a span of milliseconds: `85 ms`, `1.2 s`, `3 min`.
pub(super) fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{:.1} s", ms as f64 / 1_000.0),
        60_000..3_600_000 => format!("{} min", ms / 60_000),
        3_600_000..172_800_000 => format!("{:.1} h", ms as f64 / 3_600_000.0),
        172_800_000.. => format!("{} d", ms / 86_400_000),
    }
}

/// Returns a time, in UTC. In a browser with JavaScript it is shown in the visitor's own zone, and the title has both.
pub(super) fn time(at: i64) -> Markup {
    let text = iso(at);
    let shown = text.get(5..16).unwrap_or_default().replace('T', " ");
    html! { time datetime=(text) { (shown) " UTC" } }
}

/// Returns a time to the second, in UTC, for what just happened.
pub(super) fn seconds(at: i64) -> Markup {
    let text = iso(at);
    let shown = text.get(11..19).unwrap_or_default();
    html! { time datetime=(text) data-seconds { (shown) " UTC" } }
}

/// Returns a part of a whole in percent.
pub(super) fn percent(part: u64, whole: u64) -> u64 {
    if whole == 0 { 0 } else { (u128::from(part) * 100 / u128::from(whole)) as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_true() {
        let counts: Vec<String> = [0, 999, 1_000, 1_234_567].into_iter().map(count).collect();
        assert_eq!(counts, ["0", "999", "1,000", "1,234,567"]);
        let shorts: Vec<String> = [950, 1_000, 12_345, 250_000, 4_500_000].into_iter().map(short).collect();
        assert_eq!(shorts, ["950", "1.0k", "12.3k", "250k", "4.5M"]);
        let dollars = |text: &str| money(Cost::from_dollars(text).expect("dollars"));
        assert_eq!(
            [dollars("0"), dollars("12.345"), dollars("0.05"), dollars("0.00012")],
            ["$0", "$12.35", "$0.050", "$0.000120"]
        );
        let spans: Vec<String> = [85, 1_234, 180_000, 5_400_000, 259_200_000].into_iter().map(span).collect();
        assert_eq!(spans, ["85 ms", "1.2 s", "3 min", "1.5 h", "3 d"]);
    }
}
