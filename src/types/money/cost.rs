//! An amount of money, exact.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Serialize, Serializer};

/// Pico-dollars in a dollar.
const DOLLAR: u64 = 1_000_000_000_000;

/// The decimals of a dollar that an amount has.
pub(super) const DECIMALS: usize = 12;

/// An amount in pico-dollars (1e-12 $). A price of one dollar for a million tokens is a million pico-dollars for a token, so
/// costs and their sums are exact. The largest amount, some 18 million dollars, is never passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost(u64);

impl Cost {
    /// Nothing.
    pub const ZERO: Cost = Cost(0);

    /// Returns an amount of so many pico-dollars.
    pub const fn from_picodollars(amount: u64) -> Cost {
        Cost(amount)
    }

    /// Returns an amount in dollars as a person writes one: `12.5`. `None`: no such number, less than zero, or too large. Digits
    /// beyond the twelfth decimal round up.
    pub fn from_dollars(text: &str) -> Option<Cost> {
        scaled(text, DECIMALS).map(Cost)
    }

    /// Returns the amount in pico-dollars.
    pub const fn picodollars(self) -> u64 {
        self.0
    }

    /// Returns the amount in nano-dollars, rounded up.
    pub const fn nanodollars(self) -> u64 {
        self.0.div_ceil(1_000)
    }

    /// Returns the amount in dollars, as the nearest number of a computer: exact for people, with 15 digits.
    pub fn dollars(self) -> f64 {
        self.to_string().parse().unwrap_or_default()
    }
}

/// Returns a decimal number times ten to the power of `decimals`, rounded up. `None`: no plain decimal number, or too large. An
/// exponent is understood: `1.5e-07`.
pub(super) fn scaled(text: &str, decimals: usize) -> Option<u64> {
    let (mantissa, exponent) = text.trim().split_once(['e', 'E']).unwrap_or((text.trim(), "0"));
    let exponent: i64 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    if !has_digits || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let shift =
        exponent.checked_add(i64::try_from(decimals).ok()?)?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    if shift >= 0 {
        let zeros = usize::try_from(shift).ok().filter(|zeros| *zeros <= 20)?;
        return format!("{digits}{}", "0".repeat(zeros)).parse().ok();
    }
    let dropped = usize::try_from(shift.unsigned_abs()).ok()?;
    let (kept, rest) = digits.split_at(digits.len().saturating_sub(dropped));
    let kept: u64 = if kept.is_empty() { 0 } else { kept.parse().ok()? };
    let is_exact = rest.bytes().all(|byte| byte == b'0');
    kept.checked_add(u64::from(!is_exact))
}

impl Add for Cost {
    type Output = Cost;

    fn add(self, other: Cost) -> Cost {
        Cost(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Cost) {
        *self = *self + other;
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Cost>>(costs: I) -> Cost {
        costs.fold(Cost::ZERO, Cost::add)
    }
}

impl fmt::Display for Cost {
    /// Writes dollars, with as many decimals as the amount has, or as many as are asked for, rounded up.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().map_or(DECIMALS, |decimals| decimals.min(DECIMALS));
        let unit = 10_u64.pow(u32::try_from(DECIMALS - decimals).unwrap_or_default());
        let (whole, rest) = (self.0 / DOLLAR, (self.0 % DOLLAR).div_ceil(unit) * unit);
        // Rounded up, the rest may be a whole dollar.
        let (whole, mut rest) = (whole + rest / DOLLAR, rest % DOLLAR);
        let mut digits = [b'0'; DECIMALS];
        for digit in digits.iter_mut().rev() {
            *digit += u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
        }
        let shown = digits.get(..decimals).and_then(|shown| std::str::from_utf8(shown).ok()).unwrap_or_default();
        let shown = if f.precision().is_some() { shown } else { shown.trim_end_matches('0') };
        if shown.is_empty() { write!(f, "{whole}") } else { write!(f, "{whole}.{shown}") }
    }
}

impl Serialize for Cost {
    /// Writes a number of dollars.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.dollars())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_read_and_written_exactly() {
        for (text, amount, shown) in [
            ("0", 0, "0"),
            ("1", DOLLAR, "1"),
            ("0.000000000001", 1, "0.000000000001"),
            ("12.50", 12_500_000_000_000, "12.5"),
            (".5", DOLLAR / 2, "0.5"),
            ("5.", 5 * DOLLAR, "5"),
            ("1.5e-07", 150_000, "0.00000015"),
            ("3E-6", 3_000_000, "0.000003"),
            ("2e3", 2_000 * DOLLAR, "2000"),
            ("0.0000000000001", 1, "0.000000000001"),
            ("18446744.073709551615", u64::MAX, "18446744.073709551615"),
        ] {
            let cost = Cost::from_dollars(text);
            assert_eq!(cost, Some(Cost(amount)), "{text}");
            assert_eq!(Cost(amount).to_string(), shown);
        }
        for text in ["", ".", "-1", "1,5", "1e", "1e99", "NaN", "inf", "18446744.073709551616", "0x1", "1 2"] {
            assert_eq!(Cost::from_dollars(text), None, "{text}");
        }
    }

    #[test]
    fn an_amount_in_json_has_no_noise() {
        for text in ["0.1", "0.3", "123456.789", "0.000000000001", "999.999999999999", "2.675"] {
            let cost = Cost::from_dollars(text).expect("an amount");
            let json = serde_json::to_string(&cost).expect("JSON");
            assert_eq!(Cost::from_dollars(&json), Some(cost), "{json}");
            assert!(json.len() <= text.len(), "{json}");
        }
    }

    #[test]
    fn fewer_decimals_and_nanodollars_round_up_and_sums_stop_at_the_largest_amount() {
        let cost = Cost(1_234_567_890_001);
        assert_eq!((format!("{cost:.2}"), format!("{cost:.6}")), ("1.24".to_owned(), "1.234568".to_owned()));
        assert_eq!(format!("{:.2}", Cost::ZERO), "0.00");
        assert_eq!((cost.nanodollars(), Cost(1).nanodollars()), (1_234_567_891, 1));
        assert_eq!([Cost(u64::MAX), Cost(1)].into_iter().sum::<Cost>(), Cost(u64::MAX));
        assert_eq!(format!("{:.0}", Cost(u64::MAX)), "18446745");
    }
}
