//! Times of entries: RFC 3339 in UTC with microseconds, so that their order is that of their letters.

use std::time::{SystemTime, UNIX_EPOCH};

const SECONDS_PER_DAY: u64 = 86_400;

/// The present.
pub fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    written(since.as_secs(), since.subsec_micros())
}

/// A time that is given in seconds since 1970.
pub fn written(seconds: u64, micros: u32) -> String {
    let (year, month, day) = date(seconds / SECONDS_PER_DAY);
    let of_day = seconds % SECONDS_PER_DAY;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// The date of a day that is counted from 1970-01-01, in the Gregorian calendar: years begin in March here, so that the odd day is
/// the last one.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// Microseconds since 1970 of a time as [`written`] writes it; `None` for another text.
pub fn micros(text: &str) -> Option<u64> {
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second, micros) = (part(11, 13)?, part(14, 16)?, part(17, 19)?, part(20, 26)?);
    let from_march = (month + 9) % 12;
    let year = year.checked_sub(u64::from(month <= 2))?;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * from_march + 2) / 5 + day;
    let seconds = days.checked_sub(719_469)? * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    let found = seconds * 1_000_000 + micros;
    // One spelling for each time.
    (written(seconds, u32::try_from(micros).ok()?) == text).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(written(0, 0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(written(951_782_400, 5), "2000-02-29T00:00:00.000005Z");
        assert_eq!(written(1_709_251_199, 999_999), "2024-02-29T23:59:59.999999Z");
        assert_eq!(written(4_107_542_400, 0), "2100-03-01T00:00:00.000000Z");
        for seconds in (0..8_000_000_000).step_by(7_654_321) {
            assert_eq!(micros(&written(seconds, 17)), Some(seconds * 1_000_000 + 17));
        }
        for wrong in ["", "2024-02-30T00:00:00.000000Z", "2024-02-29T00:00:00Z", "2024-02-29T24:00:00.000000Z"] {
            assert_eq!(micros(wrong), None, "{wrong}");
        }
    }
}
