//! The period of a limit, as people write it: `5h`, `30m`, `day`, `week`, `month`, `7 days`.

use std::fmt;
use std::str::FromStr;

use crate::calendar::CalendarUnit;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// The longest period (days): a year.
pub const MAX_PERIOD_DAYS: u64 = 366;

/// The period of a limit.
///
/// A number of minutes, hours or days is rolling: any span of that length. The others are spans of the calendar, unless the owner's
/// reset is rolling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Period {
    /// So many minutes.
    Minutes(u32),
    /// So many hours.
    Hours(u32),
    /// So many times 24 hours.
    Days(u32),
    /// From one full hour to the next.
    Hour,
    /// From midnight to midnight.
    #[default]
    Day,
    /// From Monday to Sunday.
    Week,
    /// From the first of a month to the last.
    Month,
}

/// Why a text is no period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeriodError {
    /// Neither a word nor a number with a unit.
    Unknown,
    /// No time at all.
    Zero,
    /// More than [`MAX_PERIOD_DAYS`].
    TooLong,
}

impl Period {
    /// Returns the calendar's unit; `None` for a number of minutes, hours or days.
    pub fn calendar(self) -> Option<CalendarUnit> {
        match self {
            Period::Hour => Some(CalendarUnit::Hour),
            Period::Day => Some(CalendarUnit::Day),
            Period::Week => Some(CalendarUnit::Week),
            Period::Month => Some(CalendarUnit::Month),
            Period::Minutes(_) | Period::Hours(_) | Period::Days(_) => None,
        }
    }

    /// Returns the length in ms. A month has 31 days: a rolling limit of a month then holds in any month.
    pub fn length_ms(self) -> u64 {
        match self {
            Period::Minutes(minutes) => u64::from(minutes) * MINUTE_MS,
            Period::Hours(hours) => u64::from(hours) * HOUR_MS,
            Period::Days(days) => u64::from(days) * DAY_MS,
            Period::Hour => HOUR_MS,
            Period::Day => DAY_MS,
            Period::Week => 7 * DAY_MS,
            Period::Month => 31 * DAY_MS,
        }
    }

    /// Returns the name in keys of stores. Two spellings of one length have one name: `60m` and `1h`.
    pub fn key(self) -> String {
        match self {
            Period::Minutes(_) | Period::Hours(_) | Period::Days(_) => format!("{}m", self.length_ms() / MINUTE_MS),
            Period::Hour | Period::Day | Period::Week | Period::Month => self.to_string(),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Period::Minutes(minutes) => write!(f, "{minutes}m"),
            Period::Hours(hours) => write!(f, "{hours}h"),
            Period::Days(1) => f.write_str("1 day"),
            Period::Days(days) => write!(f, "{days} days"),
            Period::Hour => f.write_str("hour"),
            Period::Day => f.write_str("day"),
            Period::Week => f.write_str("week"),
            Period::Month => f.write_str("month"),
        }
    }
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Period, PeriodError> {
        let text = text.trim();
        match text {
            "hour" => return Ok(Period::Hour),
            "day" => return Ok(Period::Day),
            "week" => return Ok(Period::Week),
            "month" => return Ok(Period::Month),
            _ => {}
        }
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let number: u32 = match number {
            "" => return Err(PeriodError::Unknown),
            // Only too large a number is none.
            digits => digits.parse().map_err(|_| PeriodError::TooLong)?,
        };
        let period = match unit.trim_start() {
            "m" | "min" | "minute" | "minutes" => Period::Minutes(number),
            "h" | "hour" | "hours" => Period::Hours(number),
            "d" | "day" | "days" => Period::Days(number),
            _ => return Err(PeriodError::Unknown),
        };
        match period.length_ms() {
            0 => Err(PeriodError::Zero),
            ms if ms > MAX_PERIOD_DAYS * DAY_MS => Err(PeriodError::TooLong),
            _ => Ok(period),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_word_or_a_number_with_a_unit() {
        for (text, period, shown) in [
            ("5h", Period::Hours(5), "5h"),
            (" 30 minutes ", Period::Minutes(30), "30m"),
            ("7 days", Period::Days(7), "7 days"),
            ("1d", Period::Days(1), "1 day"),
            ("month", Period::Month, "month"),
            ("366 days", Period::Days(366), "366 days"),
        ] {
            assert_eq!(text.parse(), Ok(period), "{text}");
            assert_eq!((period.to_string(), shown.parse()), (shown.to_owned(), Ok(period)));
        }
        for (text, error) in [
            ("", PeriodError::Unknown),
            ("fortnight", PeriodError::Unknown),
            ("-5h", PeriodError::Unknown),
            ("1.5h", PeriodError::Unknown),
            ("5", PeriodError::Unknown),
            ("minute", PeriodError::Unknown),
            ("5H", PeriodError::Unknown),
            ("0h", PeriodError::Zero),
            ("367 days", PeriodError::TooLong),
            ("99999999999h", PeriodError::TooLong),
        ] {
            assert_eq!(text.parse::<Period>(), Err(error), "{text}");
        }
    }

    #[test]
    fn two_spellings_of_one_length_have_one_key() {
        let key = |text: &str| text.parse::<Period>().expect("a period").key();
        assert_eq!((key("60m"), key("24h")), (key("1h"), key("1 day")));
        assert_ne!(key("24h"), key("day"), "one is rolling");
    }
}
