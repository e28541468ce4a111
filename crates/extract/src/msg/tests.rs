//! Messages of Outlook: one that it wrote, and some put together here.

use super::compressed_rtf::unpack;
use super::read;
use crate::{Limits, Media, Writer, extract};
use cfb::CompoundFile;
use socle_core::document::Document;
use socle_core::{Kind, Result};
use std::io::{Cursor, Write};

const LIMITS: Limits = Limits { output: 1 << 24, unpacked: 1 << 24, depth: 8 };

fn message(bytes: &[u8], limits: Limits) -> Result<Document> {
    let mut writer = Writer::new(Media::Msg, limits);
    read(bytes, &mut writer)?;
    Ok(writer.finish())
}

fn outlook() -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/files/msg/outer.msg")).unwrap()
}

/// A compound file of these streams. Names of properties are given without what they all begin with.
fn compound(streams: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    for (path, content) in streams {
        let (storage, name) = path.rsplit_once('/').unwrap_or_default();
        let storage = storage.replace('#', "_version1.0_#").replace("3701000D", "__substg1.0_3701000D");
        let name = if name == "fixed" { "__properties_version1.0".to_string() } else { format!("__substg1.0_{name}") };
        file.create_storage_all(format!("/{storage}")).unwrap();
        file.create_stream(format!("/{storage}/{name}")).unwrap().write_all(content).unwrap();
    }
    file.into_inner().into_inner()
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Fixed properties: identifier and type, value.
fn fixed(head: usize, values: &[(u32, u64)]) -> Vec<u8> {
    let mut bytes = vec![0; head];
    for (tag, value) in values {
        bytes.extend(tag.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(value.to_le_bytes());
    }
    bytes
}

#[test]
fn a_message_of_outlook_is_read() {
    let document = extract(&outlook(), None, None, LIMITS).unwrap();
    assert_eq!(
        document.markdown,
        "# outer subject\n\nTo: outer@foo.bar\nDate: 2016-11-15T23:29:05Z\n\nOuter body\n\n## test\n\nTo: \
         test@foobar.com\nDate: 2016-11-15T23:28:26Z\n\nbody"
    );
    assert_eq!(document.metadata.title.as_deref(), Some("outer subject"));
    assert_eq!(document.metadata.media_type, "application/vnd.ms-outlook");
}

#[test]
fn people_texts_and_files_are_found() {
    let sent = (1_715_000_000 + 11_644_473_600) * 10_000_000;
    let bytes = compound(&[
        ("/fixed", &fixed(32, &[(0x3fde_0003, 1250), (0x0039_0040, sent)])),
        ("/0037001E", b"Zg\xb3oszenie"),
        ("/0042001F", &wide("Łukasz Żak")),
        ("/5D02001F", &wide("lukasz@example.org")),
        ("/1000001F", &wide("no HTML")),
        ("/10130102", b"<p>Drzwi si\xea nie zamykaj\xb9, a klucz do pokoju zgin\xb9\xb3 w zesz\xb3ym tygodniu.</p>"),
        ("/__recip#00000000/fixed", &fixed(8, &[(0x0c15_0003, 1)])),
        ("/__recip#00000000/3001001F", &wide("Support")),
        ("/__recip#00000000/3003001F", &wide("/o=Example/cn=support")),
        ("/__recip#00000001/fixed", &fixed(8, &[(0x0c15_0003, 2)])),
        ("/__recip#00000001/39FE001F", &wide("copy@example.org")),
        ("/__attach#00000000/3707001F", &wide("pokoje.csv")),
        ("/__attach#00000000/37010102", b"a;b;c\n1;2;3\n4;5;6\n"),
        ("/__attach#00000001/fixed", &fixed(8, &[(0x3705_0003, 5)])),
        ("/__attach#00000001/3701000D/0037001F", &wide("inner")),
        ("/__attach#00000001/3701000D/1000001E", b"\xbfar\xf3wka nie \x9cwieci w \xb3azience\0"),
    ]);
    let document = message(&bytes, LIMITS).unwrap();
    assert_eq!(
        document.markdown,
        "# Zgłoszenie\n\nFrom: Łukasz Żak <lukasz@example.org>\nTo: Support\nCc: copy@example.org\nDate: \
         2024-05-06T12:53:20Z\n\nDrzwi się nie zamykają, a klucz do pokoju zginął w zeszłym tygodniu.\n\n## pokoje.csv\n\n\
         | a | b | c |\n| --- | --- | --- |\n| 1 | 2 | 3 |\n| 4 | 5 | 6 |\n\n## inner\n\nżarówka nie świeci w łazience"
    );
    assert_eq!(document.metadata.created.as_deref(), Some("2024-05-06T12:53:20Z"));
    let few = Limits { unpacked: 100, ..LIMITS };
    assert_eq!(message(&bytes, few).unwrap_err().kind, Kind::InputTooLong);
    // Too deep for the inner message alone.
    let text = message(&bytes, Limits { depth: 0, ..LIMITS }).unwrap().markdown;
    assert!(text.ends_with("attachment without a name: documents are nested too deeply"), "{text}");
}

/// The examples of MS-OXRTFCP.
#[test]
fn rich_text_is_unpacked() {
    let simple = b"\x2d\0\0\0\x2b\0\0\0LZFu\xf1\xc5\xc7\xa7\x03\0\x0a\0rcpg125B2\x0a\xf3 hel\x09\0 bw\x05\xb0ld}\x0a\x80\x0f\xa0";
    assert_eq!(unpack(simple, 1000).unwrap(), b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n");
    let overlapping = b"\x1a\0\0\0\x1c\0\0\0LZFu\xe2\xd4KQA\0\x04 WXYZ\x0dn}\x01\x0e\xb0";
    assert_eq!(unpack(overlapping, 1000).unwrap(), b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}");
    assert_eq!(unpack(b"\x0f\0\0\0\x05\0\0\0MELA\0\0\0\0{\\rt}", 1000).unwrap(), b"{\\rt}");
    assert_eq!(unpack(overlapping, 10).unwrap_err().kind, Kind::InputTooLong);
    assert_eq!(unpack(b"short", 10).unwrap_err().kind, Kind::DamagedDocument);
}

#[test]
fn a_message_cut_anywhere_is_no_panic() {
    let bytes = outlook();
    for end in (0..bytes.len()).step_by(61) {
        let _ = message(&bytes[..end], LIMITS);
    }
    assert_eq!(message(&bytes[..100], LIMITS).unwrap_err().kind, Kind::DamagedDocument);
}
