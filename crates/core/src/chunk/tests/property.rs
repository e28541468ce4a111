//! Random documents, put together from what has ever been difficult.

use super::*;
use proptest::prelude::*;

/// Clusters of several characters, and what looks like the start of one.
const CLUSTERS: &[&str] = &[
    "👩‍👩‍👧‍👦",
    "🏳️‍🌈",
    "🇫🇷",
    "🇩🇪🇵🇱",
    "🇬",
    "👍🏽",
    "각",
    "ᄀ",
    "ᆨ",
    "e\u{301}",
    "a\u{308}\u{323}",
    " \u{301}",
    "क्षि",
    "नमस्ते",
    "\u{94d}",
    "กำ",
    "ที่",
    "\u{600}",
    "\u{600} ",
    "\u{200d}",
    "\u{200c}",
    "\u{feff}",
    "\r\n",
    "\u{ad}",
    "ﷺ",
    "\u{1f468}",
    "க்ஷ",
    "ក្ម",
];
const WORDS: &[&str] = &[
    "a",
    "mot",
    "Wort.",
    "Łódź",
    "Ελλάδα;",
    "これはテストです。",
    "中文，",
    "ภาษาไทย",
    "سلام؟ ",
    "Straße!",
    "x",
    "3.14",
    "donaudampfschifffahrt",
    "Sentence one. ",
    "Une phrase ! ",
    "don't",
    "\"quoted.\" ",
];
const SPACES: &[&str] =
    &[" ", "\n", "\n\n", "\n\n\n", "\t", "\u{a0}", "\u{3000}", "\r", "\r\n\r\n", "  ", "\u{2029}", "\u{85}"];
const MARKDOWN: &[&str] = &[
    "\n# ",
    "\n## ",
    "\n\n### Title\n\n",
    "\nText\n===\n",
    "\n---\n",
    "```\n",
    "\n~~~~\n",
    "- ",
    "\n  - ",
    "1. ",
    "\n> ",
    "> > ",
    "*",
    "**",
    "_",
    "`",
    "[",
    "](",
    "![a](b)",
    ")",
    "|",
    "\n|-|-|\n",
    "\n| a | b |\n",
    "\n    code\n",
    "<div>",
    "</div>\n",
    "\\",
    "&amp;",
    "<!-- ",
    " -->",
    "[^1]",
    "\n[^1]: ",
    "\n: ",
    "$",
    "$$",
    "^",
    "~",
    "~~",
    "- [ ] ",
    "\n[r]: /u\n",
    "\n+++\n",
    "::: x\n",
    "[[w]]",
    "   # ",
    "\n\n\u{301}",
];
const HTML: &[&str] = &[
    "<p>",
    "</p>",
    "<div>",
    "</div>",
    "<b>",
    "</b>",
    "<br>",
    "<br/>",
    "</br>",
    "<h1>",
    "</h1>",
    "<h3>",
    "</h3>",
    "<li>",
    "<td>",
    "</td>",
    "<tr>",
    "<hr>",
    "<script>",
    "</script>",
    "<style>a{}</style>",
    "<title>t</title>",
    "<textarea>",
    "</textarea>",
    "<template>",
    "</template>",
    "<!-- c -->",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?php x ?>",
    "<!x>",
    "</>",
    "</ x>",
    "<",
    "<3",
    "< ",
    "&amp;",
    "&amp",
    "&lt;b&gt;",
    "&eacute;",
    "&eacute",
    "&nbsp;",
    "&#x1F469;",
    "&#128169",
    "&#0;",
    "&#0",
    "&#xD800;",
    "&#32;",
    "&#13;",
    "&#x301;",
    "&notin;",
    "&notit;",
    "&foo;",
    "&",
    "&#",
    "&#x",
    "&NotEqualTilde;",
    "&ThickSpace;",
    "&zwj;",
    "&#x600;",
    "\0",
    "\r",
    "<a href='x>y'>",
    "<a b=\"",
    "\">",
    "<img alt=x>",
    "<SCRIPT>",
    "</Script >",
    "<svg/>",
    "<noscript>",
    "</noscript>",
    "<script/>",
    "<é",
    "<plaintext>",
    "&Aacute;",
    "&nvlt;",
];
const RAW_SPACE: &[&str] = &["<pre>", "</pre>", "<xmp>", "<pre>\n", "\n", "  ", "\r\n", "\r"];

fn text(parts: &'static [&'static [&'static str]], most: usize) -> impl Strategy<Value = String> {
    let part = (0..parts.len(), any::<prop::sample::Index>()).prop_map(|(list, index)| *index.get(parts[list]));
    prop::collection::vec(part, 0..most).prop_map(|parts| parts.concat())
}

fn sizes() -> impl Strategy<Value = (usize, usize)> {
    prop_oneof![(1..40_usize, Just(0)), (2..60_usize).prop_flat_map(|max| (Just(max), 0..max)), Just((500, 100))]
}

fn sizer() -> impl Strategy<Value = &'static dyn Sizer> {
    prop_oneof![Just(&Characters as &dyn Sizer), Just(&Pieces as &dyn Sizer), Just(&Uneven as &dyn Sizer)]
}

impl std::fmt::Debug for dyn Sizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sizer that gives {} for \"a b\"", self.size("a b").unwrap())
    }
}

fn cases(cases: u32) -> ProptestConfig {
    // A run that searches: PROPTEST_CASES=100000.
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(cases);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn plain(text in text(&[CLUSTERS, WORDS, WORDS, SPACES], 120), (max, overlap) in sizes(), sizer in sizer()) {
        checked(&text, &rule(max, overlap, Format::Plain), sizer);
    }

    #[test]
    fn markdown(text in text(&[CLUSTERS, WORDS, SPACES, MARKDOWN], 120), (max, overlap) in sizes(), sizer in sizer()) {
        checked(&text, &rule(max, overlap, Format::Markdown), sizer);
    }

    /// Reading a document piece by piece finds the same blocks and headings as reading it at once.
    #[test]
    fn markdown_sections(text in text(&[WORDS, SPACES, MARKDOWN, MARKDOWN], 120), section in 1..200_usize) {
        // Without colons: what stands under the definition of a link, with no empty line between, and paragraphs
        // between definitions may become other blocks. It does no harm.
        let text = text.replace(':', "");
        let whole = super::super::markdown::read_sections(&text, &Characters, usize::MAX, usize::MAX).unwrap();
        let parts = super::super::markdown::read_sections(&text, &Characters, section, usize::MAX).unwrap();
        prop_assert_eq!(whole.structure, parts.structure);
        for (at, _) in text.char_indices() {
            // The text of a link may depend on its definition, which may be in another section.
            prop_assert_eq!(whole.outline.path(at).len(), parts.outline.path(at).len());
        }
    }

    #[test]
    fn html(text in text(&[CLUSTERS, WORDS, SPACES, HTML], 60), (max, overlap) in sizes(), sizer in sizer()) {
        checked(&text, &rule(max, overlap, Format::Html), sizer);
    }

    #[test]
    fn html_with_raw_space(text in text(&[WORDS, SPACES, HTML, RAW_SPACE], 60), (max, overlap) in sizes()) {
        checked(&text, &rule(max, overlap, Format::Html), &Characters);
    }

    #[test]
    fn any_text(text in any::<String>(), (max, overlap) in sizes(), sizer in sizer()) {
        for format in [Format::Plain, Format::Markdown, Format::Html] {
            checked(&text, &rule(max, overlap, format), sizer);
        }
    }
}
