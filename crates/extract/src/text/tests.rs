//! Texts in the encodings that people use, written by iconv, and what becomes of markdown, JSON and XML.

use super::{decode, read};
use crate::{Limits, Media, Writer};
use pulldown_cmark::{Event, Options, Parser, Tag};
use socle_core::document::{BlockKind, Document};
use std::path::Path;

fn document(media: Media, bytes: &[u8]) -> Document {
    let mut writer = Writer::new(media, Limits { output: 1 << 24, unpacked: 1 << 24, depth: 8 });
    read(media, bytes, &mut writer).unwrap();
    writer.finish()
}

fn markdown(media: Media, text: &str) -> String {
    document(media, text.as_bytes()).markdown
}

#[test]
fn each_encoding_is_told_apart() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/text");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        let language = name.split('.').next().unwrap();
        let wanted = std::fs::read_to_string(folder.join(format!("{language}.txt"))).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(decode(&bytes, None), wanted, "{name}");
        assert_eq!(Media::detect(&bytes, None, None).unwrap(), Media::Plain, "{name}");
        // A wrong declaration does no harm where bytes contradict it.
        if name.contains("utf") || name.matches('.').count() == 1 {
            assert_eq!(decode(&bytes, Some("iso-8859-1")), wanted, "{name} declared as something else");
        }
        count += 1;
    }
    assert!(count > 25);
}

#[test]
fn broken_text_stays_readable() {
    assert_eq!(decode("Käse und Übermut \u{20ac}".as_bytes(), None), "Käse und Übermut €");
    assert_eq!(decode(b"K\xc3\xa4se, \xc3\x9cbermut, caf\xe9 dazu", None), "Käse, Übermut, café dazu");
    assert_eq!(decode(b"K\xc3\xa4se und \xe2\x82", None), "Käse und ");
    let big5 = [&b"\xa4\xa4\xa4\xe5 ".repeat(100)[..], b"\xff\xff"].concat();
    assert!(decode(&big5, Some("big5")).starts_with("中文 中文"));
    assert_eq!(decode(b"\0\x01\xf6\0\0\0\0a", None), "😀a");
    assert_eq!(decode(b"", None), "");
    assert_eq!(decode(b"\xef\xbb\xbf\xc3\xa4", Some("koi8-r")), "ä");
    assert_eq!(decode(b"\xff\xfe", None), "");
    assert_eq!(decode(b"\xff\xfea\0b", None), "a\u{fffd}");
    // One zero makes no wide characters.
    let text = "A\0 text of some words, and not one in Chinese.";
    assert_eq!(decode(text.as_bytes(), None), text);
}

#[test]
fn plain_text_becomes_paragraphs() {
    let text = "One\r\nline.\r\n\r\n\r\n# no head\r\n- no list\n\u{c}1. page\n   \nlast";
    assert_eq!(markdown(Media::Plain, text), "One\nline.\n\n\\# no head\n\\- no list\n\n1\\. page\n\nlast");
}

#[test]
fn json_stays_as_it_is() {
    let text = "{\n  \"a\": [1, 2]\n}\n";
    assert_eq!(markdown(Media::Plain, text), "```json\n{\n  \"a\": [1, 2]\n}\n```");
    assert_eq!(markdown(Media::Plain, "{\"a\":1}\n{\"a\":2}\n"), "```json\n{\"a\":1}\n{\"a\":2}\n```");
    assert_eq!(markdown(Media::Plain, "{\"a\": "), "{\"a\":");
    assert_eq!(markdown(Media::Plain, "[1] Someone: a book."), "[1] Someone: a book.");
    assert!(markdown(Media::Plain, &"[".repeat(100_000)).starts_with('['));
}

#[test]
fn xml_becomes_the_text_of_its_elements() {
    let text = "<?xml version=\"1.0\"?>\n<!DOCTYPE l [<!ENTITY a \"b\">]>\n<list><item><name>One</name><nav>1</nav></item>\n\
        <item>\n  <name>Two &amp; &a;</name>\n  <p>un<b>bro</b>ken <i>text</i></p></item><c><![CDATA[<p>page</p><p>more</p>]]></c></list>";
    assert_eq!(markdown(Media::Plain, text), "One\n1\n\nTwo & &a;\nunbroken text\n\npage\n\nmore");
    let deep = format!("<?xml version='1.0'?>{}x{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    assert_eq!(markdown(Media::Plain, &deep), "x");
    let encoded = b"<?xml version='1.0' encoding='iso-8859-2'?><a>\xb1\xb6\xbf</a>";
    assert_eq!(document(Media::Plain, encoded).markdown, "ąśż");
}

#[test]
fn what_attributes_say_is_text() {
    let text = "<?xml version=\"1.0\"?>\n<ports version='2'><port id='7' name=\"North\" depth=\"12 m\" remark=\"Ice &amp; wind\"/>\
        <port name=\"South\" depth=\"8 m\" xml:lang='en' href='https://example.org'>Open <b class='x'>all</b> year</port></ports>";
    assert_eq!(markdown(Media::Plain, text), "North 12 m Ice & wind\nSouth\nOpen all year");
    let nested = "<list title='All'><group name='A'><e v='1'/><e v='2'/></group></list>";
    assert_eq!(markdown(Media::Plain, nested), "All\nA\n1\n2");
    let drawing = "<?xml version='1.0'?><svg width='9'><path d='M0 0L5 5'/><text x='1'>words</text></svg>";
    assert_eq!(markdown(Media::Plain, drawing), "words");
    let long = format!("<?xml version='1.0'?><a b='{}'/>", "word ".repeat(20_000));
    assert_eq!(markdown(Media::Plain, &long).matches("word").count(), 20_000);
}

#[test]
fn base64_in_xml_is_no_text() {
    let binary: String = (0..40).map(|at| format!("aB{at:02}xYz9+/Qq{:04}\n", at * 7919 % 10_000)).collect();
    let binary = binary.replace('\n', "") + "==";
    let text = format!("<?xml version='1.0'?><invoice><n>17</n><file>{binary}</file><m>18</m></invoice>");
    assert_eq!(markdown(Media::Plain, &text), "17\n18");
    let words = "word".repeat(100);
    assert!(markdown(Media::Plain, &format!("<?xml version='1.0'?><a>{words}</a>")).contains(&words));
    let picture = format!("# T\n\n![a](data:image/png;base64,{binary}) end\n");
    assert_eq!(markdown(Media::Markdown, &picture), "# T\n\n![a](data:image/png;base64,) end");
}

#[test]
fn books_in_xml_are_books() {
    let book = "<?xml version='1.0' encoding='windows-1251'?><FictionBook xmlns='http://www.gribuser.ru/xml/fictionbook/2.0' \
        xmlns:l='x'><description><title-info><author><first-name>A</first-name><last-name>Sample</last-name><email>a@b.c</email>\
        </author><book-title>Tides</book-title><lang>en</lang><date value='2001-02-03'>2001</date></title-info><document-info>\
        <author><nickname>nobody</nickname></author></document-info></description><body><image l:href='#c'/><section><title><p>One</p>\
        <p>and more</p></title><p>Text <emphasis>here</emphasis><a l:href='#n1' type='note'>1</a>.</p><section><title><p>Deep</p></title>\
        <subtitle>Sub</subtitle><poem><stanza><v>a line</v><v>another</v></stanza></poem><table><tr><th>a</th><th>b</th></tr><tr><td>1\
        </td><td>2</td></tr></table></section></section></body><body name='notes'><section id='n1'><title><p>1</p></title><p>A note.</p>\
        </section></body><binary id='c' content-type='image/png'>iVBORw0KGgoAAAANSUhEUg</binary></FictionBook>";
    let document =
        crate::extract(book.as_bytes(), None, None, Limits { output: 1 << 20, unpacked: 0, depth: 4 }).unwrap();
    assert_eq!(
        document.markdown,
        "# Tides\n\n## One and more\n\nText here[^1].\n\n[^1]: A note.\n\n### Deep\n\n#### Sub\n\na line\n\nanother\n\n\
         | a | b |\n| --- | --- |\n| 1 | 2 |"
    );
    let metadata = document.metadata;
    assert_eq!(metadata.media_type, "application/x-fictionbook+xml");
    assert_eq!((metadata.title.as_deref(), metadata.author.as_deref()), (Some("Tides"), Some("A Sample")));
    assert_eq!((metadata.language.as_deref(), metadata.created.as_deref()), (Some("en"), Some("2001-02-03")));
}

#[test]
fn notebooks_are_their_texts_and_their_code() {
    let book = r##"{"cells":[{"cell_type":"markdown","source":["# Title\n","\n","text"]},
        {"cell_type":"code","source":"def f():\n    return 1","outputs":[{"output_type":"stream","text":["out\n"]},
        {"output_type":"display_data","data":{"image/png":"iVBORw0KGgo","text/plain":["<Figure>"]}},
        {"output_type":"execute_result","data":{"text/plain":"\u001b[31m42\u001b[0m","text/html":"<b>42</b>"}},
        {"output_type":"error","ename":"ValueError","evalue":"bad","traceback":["x"]}]}],
        "metadata":{"kernelspec":{"language":"python"}},"nbformat":4,"nbformat_minor":5}"##;
    let wanted = "# Title\n\ntext\n\n```python\ndef f():\n    return 1\n```\n\n```\nout\n```\n\n```\n42\n```\n\n```\nValueError: bad\n```";
    for media in [Media::Plain, Media::Code("json")] {
        let document = document(media, book.as_bytes());
        assert_eq!(document.markdown, wanted);
        assert_eq!(document.metadata.media_type, "application/x-ipynb+json");
    }
    let old = r#"{"nbformat":3,"worksheets":[{"cells":[{"cell_type":"heading","level":2,"source":"Old"},{"cell_type":"code","language":"python",
        "input":"x = 1","outputs":[{"output_type":"pyout","text":["1"]}]}]}],"metadata":{}}"#;
    assert_eq!(markdown(Media::Plain, old), "## Old\n\n```python\nx = 1\n```\n\n```\n1\n```");
    let other = r#"{"nbformat": "none", "cells": []}"#;
    assert_eq!(markdown(Media::Plain, other), format!("```json\n{other}\n```"));
}

#[test]
fn code_stays_as_it_is() {
    let code = "# height\nimport math\n\n\ndef height(t):\n\tif t < 0:\n        return '```'\n";
    assert_eq!(markdown(Media::Code("python"), code), format!("````python\n{}\n````", code.trim_end()));
    assert_eq!(markdown(Media::Code(""), "a:\n  - b\n"), "```\na:\n  - b\n```");
}

const MARKDOWN: &str = "---\ntitle: \"A title\"\nauthor: Me\ndate: 2024-05-06\nlang: fr\n---\n# One #\n\nText *as* it\nis.\n\
    * a\n* b\n\n  more\n  1. x\n\n```rust\n# no\n\n- no\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nTwo\n---\n\n> quoted\n> - x\n\n\
    1. n\n2. m\n\n    code\n\n***\n\n### Three {#three}\ntext\n3. no list\n~~~\nopen\n\nto the end";

#[test]
fn markdown_is_cut_into_its_blocks() {
    let document = document(Media::Markdown, MARKDOWN.as_bytes());
    assert_eq!(document.metadata.title.as_deref(), Some("A title"));
    assert_eq!(document.metadata.author.as_deref(), Some("Me"));
    assert_eq!(document.metadata.created.as_deref(), Some("2024-05-06"));
    assert_eq!(document.metadata.language.as_deref(), Some("fr"));
    let blocks: Vec<_> = document.rows().map(|row| (row.kind, row.content)).collect();
    let wanted = [
        (BlockKind::Heading(1), "One"),
        (BlockKind::Paragraph, "Text *as* it\nis."),
        (BlockKind::List, "* a\n* b\n\n  more\n  1. x"),
        (BlockKind::Code, "```rust\n# no\n\n- no\n```"),
        (BlockKind::Table, "| a | b |\n|---|---|\n| 1 | 2 |"),
        (BlockKind::Heading(2), "Two"),
        (BlockKind::Paragraph, "> quoted\n> - x"),
        (BlockKind::List, "1. n\n2. m\n\n    code"),
        (BlockKind::Paragraph, "***"),
        (BlockKind::Heading(3), "Three"),
        (BlockKind::Paragraph, "text\n3. no list"),
        (BlockKind::Code, "~~~\nopen\n\nto the end"),
    ];
    assert_eq!(blocks, wanted);
}

#[test]
fn text_between_two_rules_is_no_metadata() {
    let text = "---\n\nNote: keep backups.\n\nLong text.\n\n---\n\nEnd";
    assert_eq!(markdown(Media::Markdown, text), text);
    for kept in [
        "---\nNote: one colon.\nAnd a sentence.\n---\nEnd",
        "---\n\nNote: keep it.\n\n---\n\nEnd",
        "---\nSee this page: it has more.\n---\nEnd",
        "---\n- one\n- two\n---\nEnd",
        "---\nhttps://example.org/\n---\nEnd",
        "+++\nif a = b then\n+++\nEnd",
    ] {
        let text = markdown(Media::Markdown, kept);
        for word in kept.split_whitespace().filter(|word| word.len() > 2 && !word.starts_with(['-', '+'])) {
            assert!(text.contains(word), "{word} of {kept:?} in {text:?}");
        }
    }
    for dropped in [
        "---\ntitle: A\ntags:\n- x\n- y\n\n# comment\nmore: >\n  folded\n  text\n\"quoted key\": 1\nlist: [\n  a\n]\n---\nEnd",
        "+++\ntitle = \"A\"\n[extra]\na.b = 1\nlist = [\n  1,\n]\n# comment\n+++\nEnd",
    ] {
        let document = document(Media::Markdown, dropped.as_bytes());
        assert_eq!((document.markdown.as_str(), document.metadata.title.as_deref()), ("End", Some("A")), "{dropped}");
    }
}

/// What a parser of CommonMark makes of it.
#[test]
fn markdown_is_cut_as_a_parser_cuts_it() {
    let text = MARKDOWN.split_once("---\n# ").unwrap().1;
    let text = format!("# {text}");
    let parser = Parser::new_ext(&text, Options::ENABLE_TABLES | Options::ENABLE_HEADING_ATTRIBUTES);
    let (mut depth, mut kinds) = (0, Vec::new());
    for event in parser {
        match event {
            Event::Start(tag) if depth == 0 => {
                depth += 1;
                kinds.push(match tag {
                    Tag::Heading { level, .. } => BlockKind::Heading(level as u8),
                    Tag::List(_) => BlockKind::List,
                    Tag::Table(_) => BlockKind::Table,
                    Tag::CodeBlock(_) => BlockKind::Code,
                    _ => BlockKind::Paragraph,
                });
            }
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            Event::Rule if depth == 0 => kinds.push(BlockKind::Paragraph),
            _ => {}
        }
    }
    let ours: Vec<_> = document(Media::Markdown, text.as_bytes()).blocks.iter().map(|block| block.kind).collect();
    assert_eq!(ours, kinds);
}
