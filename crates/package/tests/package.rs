//! A package is read as it was written, and nothing else is taken for one: no path leads out of it, nothing is larger than it says,
//! and no bytes end the reader.
#![allow(clippy::unwrap_used, missing_docs)]

use proptest::prelude::*;
use serde_json::{Value, json};
use socle_core::model::sha256;
use socle_core::{Kind, Result};
use socle_package::{
    END, MANIFEST, Manifest, PART_BYTES, Package, PublicKey, SIGNATURE, Store, check_signature, header, key_of, padding,
};

/// What a package has brought.
#[derive(Default)]
struct Kept {
    files: Vec<Vec<u8>>,
    largest_part: usize,
}

impl Store for Kept {
    fn begin(&mut self, manifest: &Manifest, _: &[u8]) -> Result<()> {
        self.files = vec![Vec::new(); manifest.files.len()];
        Ok(())
    }

    fn part(&mut self, file: usize, part: usize, bytes: &[u8]) -> Result<()> {
        assert_eq!(part, self.files[file].len() / PART_BYTES, "parts come in order, and all but the last are whole");
        self.files[file].extend_from_slice(bytes);
        self.largest_part = self.largest_part.max(bytes.len());
        Ok(())
    }
}

fn read(bytes: &[u8]) -> (Result<Package>, Kept) {
    let mut kept = Kept::default();
    let mut rest = bytes;
    let package = socle_package::read(
        |buffer| {
            // As few bytes at a time as a socket may give.
            let count = rest.len().min(buffer.len()).min(1_000);
            buffer[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            Ok(count)
        },
        &mut kept,
    );
    (package, kept)
}

fn contents() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("onnx/model.onnx", (0..PART_BYTES + 700).map(|number| (number % 251) as u8).collect()),
        ("tokenizer.json", b"{}".to_vec()),
        ("empty.txt", Vec::new()),
    ]
}

fn manifest(contents: &[(&str, Vec<u8>)]) -> Value {
    let file = |(path, bytes): &(&str, Vec<u8>)| json!({"path": path, "bytes": bytes.len(), "sha256": sha256(bytes)});
    json!({
        "format": "socle model", "format_version": 1, "name": "english", "kind": "embedding", "digest": "ab".repeat(32),
        "license": "MIT", "exported_at": "2026-01-01T00:00:00Z", "socle_version": "0.2.0",
        "model": {"dimensions": 3, "max_tokens": 8, "pooling": "mean", "normalized": true, "query_prefix": "query: ",
                  "passage_prefix": "", "graph": "onnx/model.onnx"},
        "files": contents.iter().map(file).collect::<Vec<_>>(),
    })
}

fn put(tar: &mut Vec<u8>, path: &str, bytes: &[u8]) {
    tar.extend(header(path, bytes.len() as u64).unwrap());
    tar.extend(bytes);
    tar.extend(&END[..padding(bytes.len() as u64)]);
}

fn packed(manifest: &Value, contents: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut tar = Vec::new();
    put(&mut tar, MANIFEST, manifest.to_string().as_bytes());
    contents.iter().for_each(|(path, bytes)| put(&mut tar, path, bytes));
    tar.extend(END);
    tar
}

/// What the error says of a package that is refused.
fn refusal(tar: &[u8]) -> String {
    let error = read(tar).0.unwrap_err();
    assert_eq!(error.kind, Kind::DamagedDocument, "{error:?}");
    assert!(error.detail.as_ref().unwrap().len() < 300);
    error.detail.unwrap()
}

#[test]
fn a_package_is_read_as_it_was_written() {
    let (contents, signature) = (contents(), "untrusted comment: x\n");
    let wanted = manifest(&contents);
    let (package, kept) = read(&packed(&wanted, &contents));
    let package = package.unwrap();
    assert_eq!((package.manifest.name.as_str(), package.signature), ("english", None));
    assert_eq!(package.manifest_bytes, wanted.to_string().as_bytes());
    assert_eq!(package.manifest.total_bytes(), (PART_BYTES + 702) as u64);
    assert_eq!(kept.files, contents.iter().map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>());
    assert_eq!(kept.largest_part, PART_BYTES);
    // Files in another order, the signature at the end, filled up to 10 kB as tar does.
    let mut others = contents.clone();
    others.reverse();
    others.push((SIGNATURE, signature.as_bytes().to_vec()));
    let mut tar = packed(&wanted, &others);
    tar.extend(vec![0; 8 * 1024]);
    assert_eq!(read(&tar).0.unwrap().signature.as_deref(), Some(signature));
}

#[test]
fn a_path_that_leads_elsewhere_is_refused() {
    for path in [
        "../model.onnx",
        "/etc/passwd",
        "a/../b",
        "a//b",
        "./model.onnx",
        "a/",
        "",
        ".hidden",
        "a/.git/b",
        "manifest.json",
        "manifest.json.minisig",
        "a\\b",
        "a b",
        "caf\u{e9}",
        "a/b/c/d/e/f/g/h/i",
        "a\nb",
    ] {
        let contents = vec![(path, b"x".to_vec())];
        assert!(refusal(&packed(&manifest(&contents), &contents)).contains("not a path"), "{path}");
    }
    let twice = vec![("Model.onnx", b"x".to_vec()), ("model.onnx", b"x".to_vec())];
    assert!(refusal(&packed(&manifest(&twice), &twice)).contains("twice"));
    let below = vec![("a", b"x".to_vec()), ("a/b", b"x".to_vec())];
    assert!(refusal(&packed(&manifest(&below), &below)).contains("below another file"));
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let contents = contents();
    for (kind, what) in [
        (b'1', "hard link"),
        (b'2', "symbolic link"),
        (b'5', "directory"),
        (b'x', "extension"),
        (b'L', "extension"),
        (b'S', "no regular"),
        (b'3', "no regular"),
    ] {
        let mut tar = packed(&manifest(&contents), &[]);
        tar.truncate(tar.len() - END.len());
        let at = tar.len();
        put(&mut tar, "tokenizer.json", b"");
        tar[at + 156] = kind;
        let sum: u32 = tar[at..at + 512]
            .iter()
            .enumerate()
            .map(|(place, byte)| if (148..156).contains(&place) { 32 } else { u32::from(*byte) })
            .sum();
        tar[at + 148..at + 155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        assert!(refusal(&tar).contains(what), "{}", refusal(&tar));
    }
}

#[test]
fn files_are_exactly_those_of_the_manifest() {
    let contents = contents();
    let wanted = manifest(&contents);
    let mut more = contents.clone();
    more.push(("surplus.bin", b"x".to_vec()));
    assert!(refusal(&packed(&wanted, &more)).contains("surplus.bin"));
    let mut twice = contents.clone();
    twice.push(contents[1].clone());
    assert!(refusal(&packed(&wanted, &twice)).contains("twice"));
    assert!(refusal(&packed(&wanted, &contents[..2])).contains("\"empty.txt\" is missing"));
    let mut larger = contents.clone();
    larger[1].1.push(b' ');
    assert!(refusal(&packed(&wanted, &larger)).contains("has 3 bytes, the manifest says 2"));
    let mut other = contents.clone();
    other[0].1[PART_BYTES] ^= 1;
    assert!(refusal(&packed(&wanted, &other)).contains("SHA-256"));
    let whole = packed(&wanted, &contents);
    for end in [0, 1, 511, 512, 600, 2_000, whole.len() - 1_024, whole.len() - 513] {
        assert!(refusal(&whole[..end]).contains("truncated"), "{end}");
    }
    let mut after = whole.clone();
    after.extend(b"more");
    assert!(refusal(&after).contains("after its end"));
    let mut endless = whole;
    endless.extend(vec![0; 2 << 20]);
    assert!(refusal(&endless).contains("after its end"));
    let mut late = Vec::new();
    put(&mut late, "tokenizer.json", b"{}");
    assert!(refusal(&late).contains("first file is not manifest.json"));
    assert!(refusal(&vec![7; 4_096]).contains("not a tar file"));
}

#[test]
fn a_manifest_that_no_export_writes_is_refused() {
    let contents = contents();
    let changed = |pointer: &str, to: Value| {
        let mut manifest = manifest(&contents);
        *manifest.pointer_mut(pointer).unwrap() = to;
        packed(&manifest, &contents)
    };
    for (pointer, to) in [
        ("/format", json!("socle corpus")),
        ("/name", json!("")),
        ("/name", json!("a\0b")),
        ("/kind", json!("generator")),
        ("/digest", json!("short")),
        ("/files", json!([])),
        ("/files", Value::Array(vec![json!({"path": "a", "bytes": 1, "sha256": "ab".repeat(32)}); 65])),
        ("/files/0/sha256", json!("AB".repeat(32))),
        ("/files/0/bytes", json!(-1)),
        ("/files/0/bytes", json!(1_u64 << 62)),
        ("/model", Value::Null),
        ("/license", json!("x".repeat(10_001))),
        ("/model/query_prefix", json!("x".repeat(10_001))),
    ] {
        assert!(refusal(&changed(pointer, to.clone())).starts_with("manifest.json: "), "{pointer} {to}");
    }
    assert_eq!(read(&changed("/format_version", json!(2))).0.unwrap_err().kind, Kind::NotSupported);
    let mut large = Vec::new();
    put(&mut large, MANIFEST, &vec![b' '; (1 << 20) + 1]);
    assert!(refusal(&large).contains("the limit is"));
}

/// Those of the documentation of minisign-verify, which `minisign` has made.
const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
const OLD_SIGNATURE: &str = "untrusted comment: signature from minisign secret key
RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=
trusted comment: timestamp:1555779966\tfile:test
QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==";
const SIGNATURE_TEXT: &str = "untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=
trusted comment: timestamp:1635443258\tfile:test\thashed
";

#[test]
fn a_key_is_read_with_or_without_its_comment_and_shown_as_minisign_shows_it() {
    let key = PublicKey::parse(KEY).unwrap();
    assert_eq!((key.text.as_str(), key.id.as_str()), (KEY, "E7620F1842B4E81F"));
    assert_eq!(
        PublicKey::parse(&format!("untrusted comment: minisign public key E7620F1842B4E81F\n{KEY}\n")).unwrap(),
        key
    );
    assert_eq!(key_of(OLD_SIGNATURE).as_deref(), Some("E7620F1842B4E81F"));
    for wrong in ["", "x", &KEY[1..], "-----BEGIN PUBLIC KEY-----", &KEY.repeat(2)] {
        let error = PublicKey::parse(wrong).unwrap_err();
        assert_eq!(error.kind, Kind::InvalidArgument);
        assert!(wrong.is_empty() || !format!("{error:?}").contains(&format!("\"{wrong}\"")), "it may be a secret");
    }
}

#[test]
fn a_signature_of_the_older_form_of_other_bytes_or_none_is_refused() {
    let key = PublicKey::parse(KEY).unwrap();
    let kind = |bytes: &[u8], signature: &str| check_signature(&key, bytes, signature).unwrap_err().kind;
    assert_eq!(kind(b"test", OLD_SIGNATURE), Kind::NotPermitted);
    assert_eq!(kind(b"tesT", OLD_SIGNATURE), Kind::NotPermitted);
    assert_eq!(kind(b"test", SIGNATURE_TEXT), Kind::DamagedDocument, "the last line is missing");
    assert_eq!(kind(b"test", "no signature"), Kind::DamagedDocument);
}

proptest! {
    #[test]
    fn changed_bytes_never_panic(at in 0_usize..4_096, byte: u8, length in 0_usize..5_000) {
        let contents = contents();
        let mut tar = packed(&manifest(&contents), &contents[1..]);
        let place = at % tar.len();
        tar[place] = byte;
        tar.truncate(length.max(1).min(tar.len()));
        let _ = read(&tar);
    }

    #[test]
    fn garbage_never_panics(bytes: Vec<u8>, text: String) {
        let _ = read(&bytes);
        let _ = key_of(&text);
        let _ = PublicKey::parse(&text);
        let _ = check_signature(&PublicKey::parse(KEY).unwrap(), &bytes, &text);
    }
}
