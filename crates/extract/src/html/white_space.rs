//! White space as HTML collapses it.

/// Appends text to a line with each run of ASCII white space collapsed to one space.
pub(super) fn append_collapsed(line: &mut String, text: &str) {
    for part in text.split_inclusive(|c: char| c.is_ascii_whitespace()) {
        let word = part.trim_end_matches(|c: char| c.is_ascii_whitespace());
        line.push_str(word);
        if word.len() < part.len() && !line.ends_with(|c: char| c.is_ascii_whitespace()) {
            line.push(' ');
        }
    }
}
