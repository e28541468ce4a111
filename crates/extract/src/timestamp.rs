//! Times in the metadata of documents.

/// Converts an ISO 8601 time to RFC 3339; `None` for any other text. A time without an offset is taken for UTC, a date
/// without a time is returned as it is.
pub(crate) fn rfc_3339(text: &str) -> Option<String> {
    let text = text.trim();
    let date = text.get(..10)?;
    let matches_pattern = |text: &str, pattern: &str| {
        text.len() == pattern.len()
            && text
                .bytes()
                .zip(pattern.bytes())
                .all(|(byte, like)| if like == b'0' { byte.is_ascii_digit() } else { byte == like })
    };
    if !matches_pattern(date, "0000-00-00") {
        return None;
    }
    let Some(rest) = text.get(11..) else { return (text.len() == 10).then(|| date.to_string()) };
    if !matches!(text.get(10..11), Some("T" | "t" | " ")) {
        return None;
    }
    let minutes = rest.get(..5).filter(|minutes| matches_pattern(minutes, "00:00"))?;
    let rest = rest.get(5..)?;
    let seconds = rest.get(..3).filter(|seconds| matches_pattern(seconds, ":00"));
    let rest = if seconds.is_some() { rest.get(3..)? } else { rest };
    let rest = rest.strip_prefix('.').map_or(rest, |part| part.trim_start_matches(|c: char| c.is_ascii_digit()));
    let rest = rest.trim();
    let offset = match rest {
        "" | "Z" | "z" | "UTC" | "GMT" => "Z".to_string(),
        _ if matches_pattern(rest.get(1..)?, "00:00") => rest.to_string(),
        _ if matches_pattern(rest.get(1..)?, "0000") => format!("{}:{}", rest.get(..3)?, rest.get(3..)?),
        _ => return None,
    };
    matches!(offset.chars().next(), Some('Z' | '+' | '-'))
        .then(|| format!("{date}T{minutes}{}{offset}", seconds.unwrap_or(":00")))
}
