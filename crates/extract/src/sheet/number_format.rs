//! Number formats of spreadsheets, as far as they carry meaning: decimals, per cent and currency. Independent of the
//! locale: without digit grouping and with a decimal point.

/// A parsed number format.
#[derive(Clone, Debug, Default)]
pub struct Format {
    /// Minimum and maximum number of decimals; `None` for as many as needed.
    decimals: Option<(usize, usize)>,
    /// Minimum number of integer digits.
    digits: usize,
    is_percent: bool,
    before: String,
    after: String,
}

/// Kind of a number format.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A number.
    Number,
    /// A date or a time of day.
    Moment,
    /// A duration.
    Duration,
}

impl Kind {
    /// The kind of a format code: unquoted date letters make a date, hours in brackets a duration.
    pub fn of(code: &str) -> Self {
        if code.eq_ignore_ascii_case("general") {
            return Self::Number;
        }
        let mut rest = code.chars();
        while let Some(c) = rest.next() {
            match c {
                ';' => break,
                '"' => drop(rest.by_ref().find(|c| *c == '"')),
                '\\' | '_' | '*' => drop(rest.next()),
                '[' => {
                    let inner: String = rest.by_ref().take_while(|c| *c != ']').collect();
                    if !inner.is_empty() && inner.chars().all(|c| matches!(c, 'h' | 'H' | 'm' | 'M' | 's' | 'S')) {
                        return Self::Duration;
                    }
                }
                'd' | 'D' | 'm' | 'M' | 'y' | 'Y' | 'h' | 'H' | 's' | 'S' => return Self::Moment,
                _ => {}
            }
        }
        Self::Number
    }
}

impl Format {
    /// Parses a format code, e.g. `#,##0.00 [$€-407];[Red]-#,##0.00 [$€-407]`.
    pub fn new(code: &str) -> Self {
        let mut format = Self::default();
        if code.eq_ignore_ascii_case("general") || code == "@" {
            return format;
        }
        let mut has_digits = false;
        let mut is_fraction = false;
        let (mut least, mut most) = (0, 0);
        let mut in_decimals = false;
        let mut rest = code.chars();
        while let Some(c) = rest.next() {
            let text = if has_digits { &mut format.after } else { &mut format.before };
            match c {
                ';' => break,
                '0' | '#' | '?' => {
                    has_digits = true;
                    most += usize::from(in_decimals);
                    if c == '0' {
                        *(if in_decimals { &mut least } else { &mut format.digits }) += 1;
                    }
                }
                '.' => in_decimals = true,
                '%' => format.is_percent = true,
                // Exponents, fractions and dates give a plain number.
                'E' | 'e' | '/' => is_fraction = true,
                '"' => text.extend(rest.by_ref().take_while(|c| *c != '"')),
                '\\' => text.extend(rest.next()),
                // `_x` is a space as wide as x; `*x` fills the cell with x.
                '_' | '*' => drop(rest.next()),
                '[' => {
                    let inner: String = rest.by_ref().take_while(|c| *c != ']').collect();
                    if let Some(currency) = inner.strip_prefix('$') {
                        text.push_str(currency.split('-').next().unwrap_or_default());
                    }
                }
                '$' | '€' | '£' | '¥' | '-' | '+' | '(' | ')' => text.push(c),
                ' ' => text.push(' '),
                _ => {}
            }
        }
        if is_fraction || !has_digits {
            return Self { is_percent: format.is_percent, ..Self::default() };
        }
        format.decimals = Some((least.min(15), most.min(15)));
        format.digits = format.digits.min(30);
        format
    }

    /// Formats a number.
    pub fn shown(&self, number: f64) -> String {
        let number = if self.is_percent { number * 100.0 } else { number };
        let digits = match self.decimals {
            Some((least, most)) if number.abs() < 1e15 => {
                let mut digits = format!("{:.most$}", number.abs());
                for _ in least..most {
                    if digits.ends_with('0') {
                        digits.pop();
                    }
                }
                let after = digits.len() - digits.find('.').unwrap_or(digits.len());
                let width = self.digits + after;
                format!("{digits:0>width$}").trim_end_matches('.').to_string()
            }
            _ => plain(number.abs()),
        };
        let sign = if number < 0.0 && digits.chars().any(|c| matches!(c, '1'..='9')) { "-" } else { "" };
        let percent = if self.is_percent { "%" } else { "" };
        format!("{sign}{}{digits}{percent}{}", self.before.trim_start(), self.after.trim_end())
    }
}

/// A number in General format: 15 significant digits, and 3.0 gives 3.
fn plain(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return if number == 0.0 { "0".to_string() } else { number.to_string() };
    }
    let rounded: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    if (1e-9..1e21).contains(&rounded.abs()) { rounded.to_string() } else { format!("{rounded:e}") }
}

/// A date, a time of day, or both, in ISO 8601: numbers below 1 have no date, whole numbers no time.
pub fn moment(number: f64, (year, month, day, hour, minute, second, milli): (u16, u8, u8, u8, u8, u8, u16)) -> String {
    let date = format!("{year:04}-{month:02}-{day:02}");
    let seconds = match (second, milli) {
        (0, 0) => String::new(),
        (_, 0) => format!(":{second:02}"),
        _ => format!(":{second:02}.{milli:03}"),
    };
    let time = format!("{hour:02}:{minute:02}{seconds}");
    if number < 1.0 {
        time
    } else if (hour, minute, second, milli) == (0, 0, 0, 0) {
        date
    } else {
        format!("{date} {time}")
    }
}

/// A duration of `days`, as hours, minutes and seconds.
pub fn duration(days: f64) -> String {
    let seconds = (days.abs().min(1e9) * 86_400.0).round() as u64;
    let sign = if days < 0.0 { "-" } else { "" };
    format!("{sign}{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_their_format_says() {
        let shown = |code: &str, number: f64| Format::new(code).shown(number);
        assert_eq!(shown("General", 3.0), "3");
        assert_eq!(shown("General", 0.1 + 0.2), "0.3");
        assert_eq!(shown("General", 123_456_789_012.0), "123456789012");
        assert_eq!(shown("General", -2.75), "-2.75");
        assert_eq!(shown("0.00", 1.0), "1.00");
        assert_eq!(shown("0", -0.2), "0");
        assert_eq!(shown("0.0%", 0.125), "12.5%");
        assert_eq!(shown("#,##0.00\\ [$€-407];[RED]\\-#,##0.00\\ [$€-407]", -1250.5), "-1250.50 €");
        assert_eq!(shown("\"$\"#,##0_);(\"$\"#,##0)", 8.0), "$8");
        assert_eq!(shown("0.00E+00", 12345.678), "12345.678");
        assert_eq!(shown("# ?/?", 0.5), "0.5");
        assert_eq!(shown("00000", 420.0), "00420");
        assert_eq!(["0.0##", "0.##", "#"].map(|code| shown(code, 2.0)), ["2.0", "2", "2"]);
        assert_eq!(shown("0.0##", 2.1256), "2.126");
        assert_eq!(shown("0\\ \"Kisten\"", 3.0), "3 Kisten");
    }

    #[test]
    fn formats_of_dates_are_told_from_those_of_numbers() {
        for code in ["yyyy-mm-dd", "[$-407]d. mmmm yyyy", "h:mm AM/PM", "[Red]dd/mm"] {
            assert_eq!(Kind::of(code), Kind::Moment, "{code}");
        }
        assert_eq!([Kind::of("[h]:mm:ss"), Kind::of("[mm]:ss")], [Kind::Duration; 2]);
        for code in ["General", "0.00", "#,##0 \"days\"", "0\\d", "_d0", "[Red]0.0", "0;yyyy"] {
            assert_eq!(Kind::of(code), Kind::Number, "{code}");
        }
    }

    #[test]
    fn times_are_shown_as_iso_8601() {
        let at = (2024, 3, 5, 0, 0, 0, 0);
        assert_eq!(moment(45356.0, at), "2024-03-05");
        assert_eq!(moment(45356.5, (2024, 3, 5, 12, 0, 0, 0)), "2024-03-05 12:00");
        assert_eq!(moment(0.75, (1899, 12, 31, 18, 0, 30, 0)), "18:00:30");
        assert_eq!(duration(1.5), "36:00:00");
        assert_eq!(duration(f64::INFINITY), "24000000000:00:00");
    }
}
