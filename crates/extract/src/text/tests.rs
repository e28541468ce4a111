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
