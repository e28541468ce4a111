//! What becomes of pages, right ones and wrong ones.

use super::{body, read};
use crate::{Limits, Media, Writer};
use socle_core::document::Document;

const LIMITS: Limits = Limits { output: 1 << 24, unpacked: 1 << 24, depth: 8 };

fn page(html: &str) -> Document {
    let mut writer = Writer::new(Media::Html, LIMITS);
    read(html.as_bytes(), &mut writer).unwrap();
    writer.finish()
}

fn markdown(html: &str) -> String {
    page(html).markdown
}

#[test]
fn structure_becomes_markdown() {
    let html = "<h1>Top <em>one</em></h1><p>First <a href=x>link</a>,\n<img alt=picture> second.<p>Next<br>line\
        <ul><li>one<ul><li>inner</ul><li><p>two</p><p>more</p></ul><ol start=3><li>three<li value=7>seven<li>eight</ol>\
        <blockquote><p>said</p></blockquote><pre><code class='language-rust'>fn a() {\n    1\n}</code></pre>\
        <dl><dt>term<dd>meaning</dl><h2>Sub<br>title</h2>tail";
    assert_eq!(
        markdown(html),
        "# Top one\n\nFirst link, picture second.\n\nNext\nline\n\n- one\n  - inner\n- two\n\nmore\n\n3. three\n7. seven\n\
         8. eight\n\n> said\n\n```rust\nfn a() {\n    1\n}\n```\n\n- term\n  - meaning\n\n## Sub title\n\ntail"
    );
}

#[test]
fn tables_keep_their_columns() {
    let html = "<table><caption>Sales</caption><tr><th>Region<th colspan=2>Sum<th>Note</tr>\
        <tr><td rowspan=2>North<td>1<td>2<td><ul><li>a<li>b</ul><tr><td>3<td>4<td>c|d</table>";
    assert_eq!(
        markdown(html),
        "Sales\n\n| Region | Sum |  | Note |\n| --- | --- | --- | --- |\n| North | 1 | 2 | a b |\n|  | 3 | 4 | c\\|d |"
    );
}

#[test]
fn tables_that_arrange_are_none() {
    let html = "<table><tr><td><table><tr><td>a<td>1<tr><td>b<td>2</table><td><h2>Head</h2>text</table>";
    assert_eq!(markdown(html), "| a | 1 |\n| --- | --- |\n| b | 2 |\n\n## Head\n\ntext");
    assert_eq!(markdown("<table><tr><td>•<td>point<tr></table>"), "• point");
    assert_eq!(markdown("<table><tr><td><p>one<p>two<tr><td>three</table>"), "one\n\ntwo\n\nthree");
}

#[test]
fn furniture_is_left_out() {
    let text = "word ".repeat(60);
    let html = format!(
        "<header>Site <nav>menu</nav></header><header><h1>Head</h1></header><div id=cookie-banner>accept</div>\
         <main><header>Kept</header><p>{text}<p hidden>h<p aria-hidden=true>a<p style='display : none'>s<svg><title>t\
         </title></svg><script>if (a < b) '</p>'</script><aside class=note>said aside</aside></main>\
         <div role=navigation>n</div><aside>more</aside><footer>legal</footer>"
    );
    assert_eq!(markdown(&html), format!("# Head\n\nKept\n\n{}\n\nsaid aside", text.trim()));
}

#[test]
fn the_only_text_is_never_lost() {
    assert_eq!(markdown("<nav><p>only this text</nav>"), "only this text");
    assert_eq!(markdown("<div hidden>only this</div>"), "only this");
    let text = "word ".repeat(500);
    assert_eq!(markdown(&format!("<main>x</main><p>{text}")), format!("x\n\n{}", text.trim()));
}

#[test]
fn wrong_markup_keeps_its_text() {
    assert_eq!(markdown("<b><p>one</b> still one<p>two</i></div>"), "one still one\n\ntwo");
    assert_eq!(markdown("<h1>Head<p>text<p>more"), "# Head\n\ntext\n\nmore");
    assert_eq!(markdown("<td>a<td>b</tr>"), "a b");
    assert_eq!(
        markdown("<table>before<tr><td>a</div><td>b<tr><td>c<td>d"),
        "before\n\n| a | b |\n| --- | --- |\n| c | d |"
    );
    assert_eq!(markdown("<li>a<li>b</ul>c</p>d"), "- a\n- b\n\nc\n\nd".replace("- b\n\nc", "- bc"));
    assert_eq!(markdown("a &lt; b &amp;amp; &nbsp;&eacute;&#8364; <3 & < c"), "a < b &amp; é€ <3 & < c");
    assert_eq!(markdown("<p>a<!-- x --><![if]>b<p"), "ab");
    assert_eq!(markdown("<div><span hidden>x<span>y</span>z</span>seen</div>"), "seen");
}

#[test]
fn xhtml_is_read_as_such() {
    let html = "<?xml version='1.0'?><html xml:lang='pl'><head><title/><script src='a'/></head><body><div/><![CDATA[a<b]]></body></html>";
    let document = page(html);
    assert_eq!((document.markdown.as_str(), document.metadata.language.as_deref()), ("a<b", Some("pl")));
}

#[test]
fn the_head_becomes_metadata() {
    let document = page(
        "<html lang=de_AT><meta property='og:title' content='shared'><title> A &amp;\n B </title><title>x</title>\
         <meta name=Author content='Änne'><meta property=article:published_time content='2024-05-06T07:08:09.5+0200'>\
         <meta http-equiv=last-modified content='2024-05-07'>t",
    );
    let metadata = document.metadata;
    assert_eq!(metadata.title.as_deref(), Some("A & B"));
    assert_eq!(metadata.author.as_deref(), Some("Änne"));
    assert_eq!(metadata.language.as_deref(), Some("de-AT"));
    assert_eq!(metadata.created.as_deref(), Some("2024-05-06T07:08:09+02:00"));
    assert_eq!(metadata.modified.as_deref(), Some("2024-05-07"));
    assert_eq!(metadata.media_type, "text/html");
}

#[test]
fn declared_encodings_are_used() {
    let text = |bytes: &[u8]| {
        let mut writer = Writer::new(Media::Html, LIMITS);
        read(bytes, &mut writer).unwrap();
        writer.finish().markdown
    };
    assert_eq!(text(b"<meta charset=windows-1251>\xcf\xf0\xe8"), "При");
    assert_eq!(text(b"<meta http-equiv=x content='text/html; charset=iso-8859-2'>\xb1\xb6"), "ąś");
    assert_eq!(text(b"<?xml version='1.0' encoding='koi8-r'?><p>\xf0\xd2\xc9"), "При");
    assert_eq!(text("<meta charset=iso-8859-1>é".as_bytes()), "é");
    assert_eq!(text(b"\xff\xfe<\0p\0>\0\xe9\0"), "é");
}

#[test]
fn mails_are_read_whole() {
    let mut writer = Writer::new(Media::Mail, LIMITS);
    body("<style>x</style><div>Hi<br><br>there</div><div class=footer>Bye</div>", &mut writer).unwrap();
    assert_eq!(writer.finish().markdown, "Hi\n\nthere\n\nBye");
}

#[test]
fn nesting_costs_no_stack_and_no_time() {
    for (open, close) in [
        ("<div>", "</div>"),
        ("<table><tr><td>", "</table>"),
        ("<ul><li>", "</b>"),
        ("<b>", "</i>"),
        ("<blockquote>", "</p>"),
        ("<main>", ""),
        ("<table>", "</div>"),
        ("<p><span hidden>", "</p>"),
        ("<h1>", "</h2>"),
    ] {
        let html = format!("{}seen{}", open.repeat(50_000), close.repeat(50_000));
        assert!(markdown(&html).contains("seen"), "{open}");
    }
}

#[test]
fn wide_tables_are_bounded() {
    let limits = Limits { output: 1 << 20, ..LIMITS };
    let mut writer = Writer::new(Media::Html, limits);
    let html = format!("<table>{}</table>", "<tr><td colspan=99999999>a<td colspan=250><td>b".repeat(10_000));
    assert!(read(html.as_bytes(), &mut writer).is_err());
}

#[test]
fn alternative_texts_are_text_unless_they_are_names_of_files() {
    let html = "<p>One <img src='a/1.png' alt='E = mc²'> two \
                <img src='images/image0001.png' alt='OEBPS/images/image0001.png'><img alt='C:\\scans\\Photo 1.JPG'>\
                <img src='x/cover.jpeg' alt='cover'><img hidden src='b.png' alt='secret'> three <img src='.png' alt=''>.";
    assert_eq!(markdown(html), "One E = mc² two three .");
}
