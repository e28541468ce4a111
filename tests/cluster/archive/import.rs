//! Files that are not what was exported are refused, and leave nothing.

use super::{Shelf, export, value, with_handbook};
use postgres::Client;
use serde_json::Value;
use sha2::{Digest, Sha256};
use socle_tests::error_of;
use std::fs;
use std::path::{Path, PathBuf};

fn import(client: &mut Client, path: &Path, more: &str) -> Result<(), postgres::Error> {
    client.batch_execute(&format!("SELECT socle.import_corpus('copy', '{}'{more})", path.display()))
}

/// SQLSTATE, message and detail of an import that fails; nothing is left of it.
fn refusal(client: &mut Client, path: &Path) -> (String, String, String) {
    let (state, message, detail, _) = error_of(&import(client, path, "").expect_err("it is imported"));
    assert_eq!(value::<i64>(client, "SELECT count(*) FROM pg_class WHERE relname = 'copy_chunk'"), 0);
    (state, message, detail)
}

/// A copy of an export that the server may read.
fn copy_of(shelf: &Shelf, export: &str, name: &str) -> PathBuf {
    let path = shelf.path().join(name);
    fs::create_dir(&path).unwrap();
    for entry in fs::read_dir(shelf.path().join(export)).unwrap() {
        let entry = entry.unwrap();
        let target = path.join(entry.file_name());
        fs::write(&target, fs::read(entry.path()).unwrap()).unwrap();
    }
    path
}

fn change_manifest(path: &Path, change: impl FnOnce(&mut Value)) {
    let file = path.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    change(&mut manifest);
    fs::write(file, manifest.to_string()).unwrap();
}

#[test]
fn a_file_that_was_changed_or_is_missing_is_refused_by_name() {
    let shelf = Shelf::new("changed");
    let (_cluster, mut client) = with_handbook(&shelf, 20);
    export(&mut client, "handbook", &shelf.path().join("export"), "").unwrap();

    let path = copy_of(&shelf, "export", "flipped");
    let part = path.join("chunks-00001.parquet");
    let mut bytes = fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&part, &bytes).unwrap();
    let (state, message, detail) = refusal(&mut client, &path);
    assert_eq!(
        (state.as_str(), message.as_str()),
        ("22P03", "\"chunks-00001.parquet\" is not the file that was exported")
    );
    assert!(detail.contains("SHA-256"), "{detail}");

    fs::remove_file(&part).unwrap();
    assert_eq!(refusal(&mut client, &path).0, "58030");
    std::os::unix::fs::symlink(shelf.path().join("export/chunks-00001.parquet"), &part).unwrap();
    assert_eq!(refusal(&mut client, &path).0, "58030", "links are not followed");

    let path = copy_of(&shelf, "export", "manifest");
    fs::write(path.join("manifest.json"), "{").unwrap();
    assert_eq!(refusal(&mut client, &path).0, "22P03");
    fs::remove_file(path.join("manifest.json")).unwrap();
    assert_eq!(refusal(&mut client, &path).0, "58030");
}

/// Whoever writes the files writes the checksums, too: these protect against damage. What is read all the same is parsed where
/// a crash costs nothing, and can bring nothing but values.
#[test]
fn a_manifest_that_lies_brings_no_code_and_ends_nothing() {
    let shelf = Shelf::new("lies");
    let (_cluster, mut client) = with_handbook(&shelf, 20);
    export(&mut client, "handbook", &shelf.path().join("export"), "").unwrap();
    let pid: i32 = value(&mut client, "SELECT pg_backend_pid()");
    type Change = fn(&mut Value);
    let changes: [(&str, Change, &str); 6] = [
        ("type", |m| m["corpus"]["key"][0]["type_name"] = "integer DEFAULT 1/0".into(), "0A000"),
        ("rows", |m| m["files"][0]["rows"] = 21.into(), "22P03"),
        ("dimensions", |m| m["model"]["dimensions"] = 383.into(), "22P03"),
        ("other-type", |m| m["corpus"]["key"][0]["type_name"] = "uuid".into(), "22P03"),
        ("name", |m| m["files"][0]["name"] = "../export/chunks-00001.parquet".into(), "22P03"),
        (
            "collation",
            |m| m["corpus"]["key"][0]["collation"] = serde_json::json!(["x\"; DROP TABLE article; --", "y"]),
            "3F000",
        ),
    ];
    for (name, change, wanted) in changes {
        let path = copy_of(&shelf, "export", name);
        change_manifest(&path, change);
        let (state, message, detail) = refusal(&mut client, &path);
        assert_eq!(state, wanted, "{name}: {message} {detail}");
    }
    let path = copy_of(&shelf, "export", "damaged");
    let original = fs::read(path.join("chunks-00001.parquet")).unwrap();
    for at in (0..original.len()).step_by(original.len() / 60) {
        let mut bytes = original.clone();
        bytes[at] = bytes[at].wrapping_add(0x5b);
        fs::write(path.join("chunks-00001.parquet"), &bytes).unwrap();
        let sum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        change_manifest(&path, |manifest| manifest["files"][0]["sha256"] = sum.as_str().into());
        client.batch_execute("BEGIN").unwrap();
        if let Err(error) = import(&mut client, &path, "") {
            let (state, message, ..) = error_of(&error);
            assert!(["22P03", "38000"].contains(&state.as_str()), "byte {at}: {state} {message}");
        }
        client.batch_execute("ROLLBACK").unwrap();
    }
    assert_eq!(value::<i32>(&mut client, "SELECT pg_backend_pid()"), pid);
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM article"), 20);
}

/// Replaces bytes of the first file, and its checksum in the manifest.
fn forge(path: &Path, from: &str, to: &str) {
    let part = path.join("chunks-00001.parquet");
    let mut bytes = fs::read(&part).unwrap();
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).expect("the text is there");
    bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
    fs::write(&part, &bytes).unwrap();
    let sum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    change_manifest(path, |manifest| manifest["files"][0]["sha256"] = sum.as_str().into());
}

#[test]
fn a_text_that_was_replaced_together_with_the_checksum_is_refused_by_its_row() {
    let shelf = Shelf::new("forged");
    let (_cluster, mut client) = with_handbook(&shelf, 2);
    client.batch_execute("UPDATE article SET body = 'Backups are kept for 30 days.' WHERE id = 1").unwrap();
    super::settle(&mut client, "handbook");
    export(&mut client, "handbook", &shelf.path().join("export"), "").unwrap();
    let path = copy_of(&shelf, "export", "forged");
    import(&mut client, &path, "").unwrap();
    client.batch_execute("DROP TABLE copy_chunk").unwrap();
    forge(&path, "30 days", "99 days");
    let row: i64 = value(
        &mut client,
        "SELECT number FROM (SELECT source_id, row_number() OVER (ORDER BY chunk_id) AS number FROM handbook_chunk) k
         WHERE source_id = 1",
    );
    let (state, message, detail) = refusal(&mut client, &path);
    assert_eq!(
        (state.as_str(), message.as_str()),
        ("22P03", "\"chunks-00001.parquet\" is not the file that was exported")
    );
    assert!(detail.starts_with(&format!("Row {row} is damaged.")) && !detail.contains("days"), "{detail}");
    let (state, ..) = error_of(&import(&mut client, &path, ", 'article'").unwrap_err());
    assert_eq!(state, "22P03", "with the source");
    change_manifest(&path, |manifest| manifest["corpus"]["key"][0]["column"] = "a\0b".into());
    assert_eq!(refusal(&mut client, &path).0, "22P03", "a zero byte");
}

/// The hash covers the title, which is not exported, so that the import cannot compare it.
#[test]
fn a_replaced_text_of_a_corpus_with_a_title_gives_way_to_that_of_the_source() {
    let shelf = Shelf::new("forged-title");
    let (_cluster, mut client) = with_handbook(&shelf, 2);
    client
        .batch_execute(
            "UPDATE article SET body = 'Backups are kept for 30 days.' WHERE id = 1;
             SELECT socle.create_corpus('titled', 'article', ARRAY['body'], title => 'title', model => 'minilm')",
        )
        .unwrap();
    super::settle(&mut client, "titled");
    export(&mut client, "titled", &shelf.path().join("export"), "").unwrap();
    let path = copy_of(&shelf, "export", "forged");
    forge(&path, "30 days", "99 days");
    import(&mut client, &path, ", 'article'").unwrap();
    super::settle(&mut client, "copy");
    let found: String = value(&mut client, "SELECT content FROM copy_chunk WHERE source_id = 1");
    assert_eq!(found, "Backups are kept for 30 days.");
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM copy_chunk"), 2);
}

#[test]
fn a_corpus_of_another_model_is_refused_and_its_vectors_are_kept_as_a_table() {
    let shelf = Shelf::new("model");
    let (_cluster, mut client) = with_handbook(&shelf, 3);
    let path = shelf.path().join("export");
    export(&mut client, "handbook", &path, "").unwrap();
    let error = import(&mut client, &path, ", 'article', model => 'bge'").unwrap_err();
    let (state, message, _, hint) = error_of(&error);
    assert_eq!(
        (state.as_str(), message.as_str()),
        ("55000", "model \"bge\" is not the one that the vectors were made with")
    );
    assert!(hint.contains("without a source"), "{hint}");
    client.batch_execute("SELECT socle.drop_corpus('handbook'); SELECT socle.drop_model('minilm')").unwrap();
    assert_eq!(error_of(&import(&mut client, &path, ", 'article'").unwrap_err()).0, "42704");
    import(&mut client, &path, "").unwrap();
    client.batch_execute("DROP EXTENSION socle").unwrap();
    let nearest: i32 = value(
        &mut client,
        "SELECT source_id FROM copy_chunk ORDER BY embedding <=> (SELECT embedding FROM copy_chunk WHERE source_id = 2) LIMIT 1",
    );
    assert_eq!(nearest, 2, "with pgvector alone");
}
