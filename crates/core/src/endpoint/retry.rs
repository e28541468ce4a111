//! When a server that refuses for now wants to be asked again: the header Retry-After in its three spellings.

use std::time::Duration;

/// Longest time that is reported: a server that says more is not waited for anyhow.
pub const LONGEST: Duration = Duration::from_secs(3_600);

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The time to wait, [`LONGEST`] at most: of `retry-after-ms`, or else of `retry-after`, which has seconds or a date. `now` is
/// in seconds since 1970.
pub fn retry_after(milliseconds: Option<&str>, text: Option<&str>, now: u64) -> Option<Duration> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| *number >= 0.0);
    let seconds = milliseconds.and_then(number).map(|number| number / 1_000.0);
    let seconds = seconds.or_else(|| text.and_then(number));
    let seconds = seconds.or_else(|| Some(date(text?)?.saturating_sub(now) as f64))?;
    Some(Duration::from_secs_f64(seconds.min(LONGEST.as_secs_f64())))
}

/// Seconds since 1970 of a date such as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
fn date(text: &str) -> Option<u64> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let [_, day, month, year, time, "GMT"] = parts.as_slice() else { return None };
    let (day, year): (u64, u64) = (day.parse().ok()?, year.parse().ok()?);
    let month = MONTHS.iter().position(|name| name == month)? as u64 + 1;
    let clock: Vec<u64> = time.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hour, minute, second] = clock.as_slice() else { return None };
    if !(1970..=9999).contains(&year) || !(1..=31).contains(&day) || *hour > 23 || *minute > 59 || *second > 60 {
        return None;
    }
    // Days since 1970 of the Gregorian calendar: years begin with March, so that leap days come last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 784_111_777;

    fn after(milliseconds: Option<&str>, text: Option<&str>) -> Option<u128> {
        retry_after(milliseconds, text, NOW).map(|time| time.as_millis())
    }

    #[test]
    fn all_spellings_are_read() {
        assert_eq!(after(None, Some("20")), Some(20_000));
        assert_eq!(after(None, Some("0.5")), Some(500));
        assert_eq!(after(Some("250"), Some("1")), Some(250));
        assert_eq!(date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(NOW));
        assert_eq!(after(None, Some("Sun, 06 Nov 1994 08:50:07 GMT")), Some(30_000));
        assert_eq!(date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(date("Thu, 29 Feb 2024 12:00:00 GMT"), Some(1_709_208_000));
    }

    #[test]
    fn a_day_is_cut_and_nonsense_ignored() {
        assert_eq!(after(None, Some("86400")), Some(LONGEST.as_millis()));
        assert_eq!(after(None, Some("1e300")), Some(LONGEST.as_millis()));
        assert_eq!(after(None, Some("inf")), Some(LONGEST.as_millis()));
        assert_eq!(after(None, Some("Sun, 06 Nov 1994 00:00:00 GMT")), Some(0));
        for text in
            ["", "soon", "-1", "NaN", "06 Nov 1994", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:00:00 GMT"]
        {
            assert_eq!(after(None, Some(text)), None, "{text}");
        }
        assert_eq!(after(None, None), None);
    }
}
