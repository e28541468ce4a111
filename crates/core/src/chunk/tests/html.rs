//! What is text in HTML, what separates it, and where it comes from.

use super::*;

fn visible(markup: &str) -> String {
    let chunks = checked(markup, &rule(100_000, 0, Format::Html), &Characters);
    chunks.into_iter().map(|chunk| chunk.content).collect::<Vec<_>>().join("|")
}

fn assert_visible(cases: &[(&str, &str)]) {
    for (markup, text) in cases {
        assert_eq!(visible(markup), *text, "{markup}");
    }
}

#[test]
fn white_space_collapses_and_blocks_are_lines() {
    assert_visible(&[
        ("  a \n\t b  ", "a b"),
        ("<p>a</p><p>b", "a\n\nb"),
        ("a<div>b<div>c</div></div>d", "a\n\nb\n\nc\n\nd"),
        ("<ul><li>a<li>b</ul>c", "a\nb\n\nc"),
        ("a<br>b<br/>c<br><br>d<br><br><br>e</br>f", "a\nb\nc\n\nd\n\ne\nf"),
        ("<table><tr><td>a</td> <td> b</td></tr><tr><th>c<th>d</table>", "a\tb\nc\td"),
        ("a<b>b</b> <i> c</i>d", "ab cd"),
        ("a<span> </span>b<!-- x -->c", "a bc"),
        ("<p> <p>\n<br> <p>a<p></p>", "a"),
        ("a&nbsp;&nbsp;b&#32;&#32;c&#10;d", "a\u{a0}\u{a0}b c d"),
        ("a<h2>b</h2>c<hr>d", "a\n\n\nb\n\nc\n\n\nd"),
        ("日本\n語", "日本 語"),
    ]);
}

#[test]
fn preformatted_text_keeps_its_lines() {
    let markup = "a<pre>\nb\r\n  c\rd &amp;\te\n</pre>f";
    let chunks = checked(markup, &rule(100, 0, Format::Html), &Characters);
    assert_eq!(chunks[0].content, "a\n\nb\n  c\nd &\te\n\nf");
    assert_eq!((chunks[0].start, chunks[0].end), (0, markup.len()));
    let chunks = checked(markup, &rule(6, 0, Format::Html), &Characters);
    assert_eq!(chunks[1].content, "b\n  c");
    assert_eq!(characters(markup, chunks[1].start..chunks[1].end), "b\r\n  c");
}

#[test]
fn what_nobody_sees_is_left_out() {
    assert_visible(&[
        ("<head><title>t &amp; u</title><meta a=b><style>p > b { }</style></head><body>a", "a"),
        ("a<script>if (b < c) document.write('<p>d</p>') //</p></script>e", "ae"),
        ("a<script><!-- <script> b </script> --></script>c", "ac"),
        ("a<SCRIPT type=x>b</Script >c", "ac"),
        ("a<script src=x />b", "ab"),
        ("a<noscript><p>b</p></noscript>c", "ac"),
        ("a<template>b<template>c</template><script>'</template>'</script>d</template>e</template>f", "aef"),
        ("a<textarea><b>c</textarea>d<iframe>e</iframe>f<noframes>g</noframes>h", "adfh"),
        ("a<img alt='b' title=\"c\"><input value=d>e", "ae"),
        ("a<!-- b --c -->d<!-->e<!--->f<!-- -- -->g", "adefg"),
        ("<?xml version='1.0'?><!DOCTYPE html [x]>a<![CDATA[b]]>c</ d>e</>f", "acef"),
        ("a<p title='>'>b", "a\n\nb"),
    ]);
}

#[test]
fn references_are_decoded() {
    assert_visible(&[
        ("&lt;b&gt; &eacute;&Eacute &amp &ampamp; &copy2", "<b> éÉ & &amp; ©2"),
        ("&#233;&#xE9;&#XE9 &#x1F600;&#128512", "éé\u{e9} 😀😀"),
        ("&notin; &notit; &foo; &; & &# &#x; &#;", "∉ ¬it; &foo; &; & &# &#x; &#;"),
        ("a&#0;b&#xD800;c&#x110000;d&#99999999999;e", "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}e"),
        ("&#128; &#150;", "€ –"),
        ("&NotEqualTilde; &ngE; e&#x301;", "≂̸ ≧̸ e\u{301}"),
        ("a\0b", "ab"),
    ]);
}

#[test]
fn malformed_markup_loses_no_text() {
    assert_visible(&[
        ("a < b, c <3 <é <", "a < b, c <3 <é <"),
        ("<b><i>a</b>b</i></p></div></pre>c", "ab\n\nc"),
        ("<p>a<table><p>b<td>c</p></table>d", "a\n\nb\tc\n\nd"),
        ("a<b c", "a"),
        ("a</b", "a"),
        ("a</", "a</"),
        ("a<b c='d>e", "a"),
        ("a<!-- b", "a"),
        ("a<script>b", "a"),
        ("a<x-y:z>b</x-y:z><aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa>c", "abc"),
    ]);
}

#[test]
fn ranges_are_the_smallest() {
    let markup = "<p>  <b>&Eacute;t&eacute;</b> en <i>été</i>. </p>";
    let chunks = checked(markup, &rule(3, 0, Format::Html), &Characters);
    let ranges = chunks.iter().map(|chunk| (chunk.content.as_str(), characters(markup, chunk.start..chunk.end)));
    let expected = [("Été", "&Eacute;t&eacute;"), ("en", "en"), ("été", "été"), (".", ".")];
    assert_eq!(ranges.collect::<Vec<_>>(), expected.map(|(content, range)| (content, range.to_owned())));
}

#[test]
fn headings_are_found_wherever_they_are() {
    let markup = "q0<h1>A <b>b</b>\n &amp; c</h1>q1<div><h3>D</h3></div>q2<h2><div>E</div></h2>q3<h2></h2>q4\
                  <h6>F<p>q5<h1>G<br>g</h2>q6<template><h1>no</h1></template>q7";
    let visible = super::super::html::read(markup, &Characters).unwrap();
    let paths = ["", "A b & c", "A b & c > D", "A b & c > E", "A b & c > E", "A b & c > E > F", "G g", "G g"];
    for (number, path) in paths.into_iter().enumerate() {
        let at = visible.text.find(&format!("q{number}")).unwrap();
        assert_eq!(visible.outline.path(at).join(" > "), path, "q{number}");
    }
}

#[test]
fn a_chunk_that_starts_with_a_heading_has_it_in_its_path() {
    let markup = "<h1>Guide</h1><p>Some words.</p><h2>Installer</h2><p>Some more words.</p><h2>Utiliser</h2>";
    let chunks = checked(markup, &rule(30, 0, Format::Html), &Characters);
    let found = chunks.iter().map(|chunk| (chunk.content.as_str(), chunk.heading_path.join(" > ")));
    let expected = [
        ("Guide\n\nSome words.", "Guide"),
        ("Installer\n\nSome more words.", "Guide > Installer"),
        ("Utiliser", "Guide > Utiliser"),
    ];
    assert_eq!(found.collect::<Vec<_>>(), expected.map(|(content, path)| (content, path.to_owned())));
}

/// An unclosed heading does not carry the whole document in the path of each chunk.
#[test]
fn a_heading_has_a_limit() {
    let markup = format!("<h1>{}<p>b", "é a ".repeat(1000));
    let chunks = checked(&markup, &rule(1000, 0, Format::Html), &Characters);
    for chunk in chunks {
        assert_eq!(chunk.heading_path.len(), 1);
        assert_eq!(chunk.heading_path[0].chars().count(), MAX_HEADING_CHARACTERS - 1, "without the space at the cut");
    }
}

#[test]
fn each_chunk_of_a_table_has_its_header_row_in_the_path() {
    let rows: String = (0..300).map(|row| format!("<tr><td>screw {row}<td>M{}</td></tr>\n", row % 9)).collect();
    for head in [
        "<thead><tr><th>Part</th><th>Size<br>in &quot;M&quot;</th></tr></thead><tbody>",
        "<caption>Parts</caption><tr></tr><tr><th>Part<th><b>Size</b> in \"M\"",
    ] {
        let markup = format!("<h1>Stock</h1><p>Before.</p><table>{head}{rows}</table><p>After.</p>");
        let chunks = checked(&markup, &rule(200, 0, Format::Html), &Characters);
        let rows: Vec<&Chunk> = chunks.iter().filter(|chunk| chunk.content.starts_with("screw")).collect();
        assert!(rows.len() > 15);
        for chunk in rows {
            assert_eq!(chunk.heading_path, ["Stock", "Part | Size in \"M\""], "{}", chunk.content);
        }
        assert_eq!(chunks[0].heading_path, ["Stock"], "it has the header row itself");
    }
    // Headers of rows; no headers; a table for the layout, of which the inner one has a header.
    for (markup, path) in [
        ("<table><tr><th>a<td>1<tr><th>b<td>q</table>", ""),
        ("<table><tr><td>a<td>1<tr><th>b<td>q</table>", ""),
        ("<table><tr><th>a<tr><td><table><tr><th>b<tr><td>q</table></table>", "b"),
        ("<table><tr><th>a<tr><td><table><tr><th>b<tr><td>c</table>q</table>", ""),
        ("<table><tr><th>a<tr><td>1</table>q", ""),
        ("<table><tr><th>a<tr><td>q", "a"),
    ] {
        let html = crate::chunk::html::read(markup, &Characters).unwrap();
        assert_eq!(html.outline.path(html.text.find('q').unwrap()).join(" > "), path, "{markup}");
    }
}
