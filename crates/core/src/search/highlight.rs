//! Highlights matches in a text.

use std::ops::Range;

/// The text with `start` before and `stop` after each of `ranges`, which are in bytes, in any order; those that overlap
/// or touch become one. Ranges that are empty, reach beyond the text or cut a character are left out.
///
/// With `escape_html`, `&`, `<`, `>`, `"` and `'` of the text are replaced by references, so that the result can stand
/// in a page whatever the text says. Without it the result is as unsafe there as that of `ts_headline`, which escapes
/// nothing either. `start` and `stop` are never changed.
pub fn highlight(text: &str, ranges: &[Range<usize>], start: &str, stop: &str, escape_html: bool) -> String {
    let mut ranges: Vec<&Range<usize>> =
        ranges.iter().filter(|range| text.get((*range).clone()).is_some_and(|part| !part.is_empty())).collect();
    ranges.sort_by_key(|range| range.start);
    let mut marked = String::with_capacity(text.len() + ranges.len() * (start.len() + stop.len()));
    let mut done = 0;
    let mut next = ranges.into_iter().peekable();
    while let Some(range) = next.next() {
        let mut end = range.end;
        while let Some(more) = next.next_if(|more| more.start <= end) {
            end = end.max(more.end);
        }
        push(&text[done..range.start], escape_html, &mut marked);
        marked.push_str(start);
        push(&text[range.start..end], escape_html, &mut marked);
        marked.push_str(stop);
        done = end;
    }
    push(&text[done..], escape_html, &mut marked);
    marked
}

fn push(part: &str, escape_html: bool, marked: &mut String) {
    if !escape_html {
        marked.push_str(part);
        return;
    }
    for character in part.chars() {
        match character {
            '&' => marked.push_str("&amp;"),
            '<' => marked.push_str("&lt;"),
            '>' => marked.push_str("&gt;"),
            '"' => marked.push_str("&quot;"),
            '\'' => marked.push_str("&#39;"),
            _ => marked.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    #[allow(clippy::single_range_in_vec_init)]
    fn words_are_marked() {
        assert_eq!(highlight("a été b", &[2..7], "<mark>", "</mark>", false), "a <mark>été</mark> b");
        assert_eq!(highlight("a", &[], "[", "]", false), "a");
        assert_eq!(highlight("", &[0..0], "[", "]", false), "");
    }

    #[test]
    fn ranges_that_touch_are_one_and_order_does_not_matter() {
        assert_eq!(highlight("東京都庁", &[3..9, 0..6], "[", "]", false), "[東京都]庁");
        assert_eq!(highlight("abcdef", &[4..5, 0..1, 1..2, 0..1], "[", "]", false), "[ab]cd[e]f");
        assert_eq!(highlight("abcdef", &[1..2, 0..6], "[", "]", false), "[abcdef]");
    }

    #[test]
    fn bad_ranges_are_left_out() {
        let reversed = Range { start: 2, end: 1 };
        let ranges = [0..1, 1..3, 4..9, reversed, 3..3, usize::MAX - 1..usize::MAX];
        assert_eq!(highlight("été", &ranges, "[", "]", false), "été");
    }

    #[test]
    #[allow(clippy::single_range_in_vec_init)]
    fn a_page_stays_whole() {
        let text = "<script>'a' & \"b\"</script>";
        let escaped = "&lt;script&gt;<mark>&#39;a&#39;</mark> &amp; &quot;b&quot;&lt;/script&gt;";
        assert_eq!(highlight(text, &[8..11], "<mark>", "</mark>", true), escaped);
    }

    proptest! {
        #[test]
        fn marks_are_all_that_is_added(text in "[a-zé東 ]{0,20}", ranges in proptest::collection::vec((0..30_usize, 0..30_usize), 0..8)) {
            let ranges: Vec<Range<usize>> = ranges.into_iter().map(|(start, end)| start..end).collect();
            let marked = highlight(&text, &ranges, "[", "]", false);
            prop_assert_eq!(marked.replace(['[', ']'], ""), text);
            prop_assert!(!marked.contains("[]") && !marked.contains("]["));
            prop_assert_eq!(marked.matches('[').count(), marked.matches(']').count());
        }
    }
}
