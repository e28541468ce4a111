//! A package that is not what it says is one clear error, and leaves nothing behind.

use super::{import, left, minilm, packed, sha256, value};
use postgres::Client;
use serde_json::{Value, json};
use socle_package::MANIFEST;
use socle_tests::{Cluster, error_of, eventually};
use std::time::Duration;

fn borrowed(files: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
    files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect()
}

/// What is refused: a name for it, the package, the SQLSTATE and a part of the error.
type Case = (&'static str, Vec<u8>, &'static str, &'static str);

fn cases(client: &mut Client) -> Vec<Case> {
    let (manifest, files) = minilm(client);
    let files_as_they_are = borrowed(&files);
    let whole = packed(&manifest, &files_as_they_are);
    let changed = |pointer: &str, to: Value| {
        let mut manifest = manifest.clone();
        *manifest.pointer_mut(pointer).unwrap() = to;
        packed(&manifest, &files_as_they_are)
    };
    let mut surplus = files_as_they_are.clone();
    surplus.push(("surplus", b"x"));
    let garbage = vec![1; 100_000];
    let mut bad = manifest.clone();
    bad["files"] = json!([{"path": "model.onnx", "bytes": garbage.len(), "sha256": sha256(&garbage)}]);
    let alone = packed(&bad, &[("model.onnx", &garbage)]);
    vec![
        ("nothing", Vec::new(), "22P03", "truncated"),
        ("garbage", garbage.clone(), "22P03", "not a tar file"),
        ("truncated", whole[..whole.len() / 2].to_vec(), "22P03", "truncated"),
        ("path", changed("/files/0/path", json!("../../../../postgresql.conf")), "22P03", "not a path"),
        ("absolute", changed("/files/0/path", json!("/tmp/x")), "22P03", "not a path"),
        ("more bytes", changed("/files/0/bytes", json!(1)), "22P03", "the manifest says 1"),
        ("checksum", changed("/files/0/sha256", json!("ab".repeat(32))), "22P03", "SHA-256"),
        ("surplus", packed(&manifest, &surplus), "22P03", "surplus"),
        ("missing", packed(&manifest, &files_as_they_are[1..]), "22P03", "is missing"),
        ("digest", changed("/digest", json!("ab".repeat(32))), "22P03", "the manifest says abab"),
        ("later", changed("/format_version", json!(7)), "0A000", "version 7"),
        ("kind", changed("/kind", json!("oracle")), "0A000", "oracle"),
        ("no model", alone, "XX001", "model.onnx"),
        ("manifest", packed(&json!({"format": "socle model"}), &[]), "22P03", MANIFEST),
    ]
}

#[test]
fn each_is_one_error_and_leaves_nothing() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    for (case, package, state, part) in cases(&mut client) {
        let error = import(&mut client, "x", &package).expect_err(case);
        let (found, message, detail, _) = error_of(&error);
        assert_eq!(found, state, "{case}: {message} {detail}");
        assert!(format!("{message} {detail}").contains(part), "{case}: {message} {detail}");
        assert_eq!(left(&cluster, &mut client), (0, 0, Vec::new()), "{case}");
        assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM socle.model WHERE name = 'x'"), 0, "{case}");
    }
    let missing = client.query("SELECT socle.import_model('x', 4711::oid)", &[]).unwrap_err();
    assert_eq!(error_of(&missing).0, "42704");
    let wrong = client.query("SELECT socle.import_model('', '\\x00'::bytea)", &[]).unwrap_err();
    assert_eq!(error_of(&wrong).0, "22023");
    let (manifest, files) = minilm(&mut client);
    import(&mut client, "x", &packed(&manifest, &borrowed(&files))).unwrap();
    assert_eq!(super::vector(&mut client, "x").unwrap().len(), 384, "and one as it has to be is taken");
}

#[test]
fn a_rolled_back_or_cancelled_import_leaves_nothing_in_the_database_and_the_next_one_clears_the_disk() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    let (manifest, files) = minilm(&mut client);
    let package = packed(&manifest, &borrowed(&files));
    client.batch_execute("BEGIN").unwrap();
    import(&mut client, "x", &package).unwrap();
    client.batch_execute("ROLLBACK").unwrap();
    assert_eq!(left(&cluster, &mut client).0, 0);
    // Cancelled while the engine tries the model, which takes longer than to store it.
    let cancel = client.cancel_token();
    let handle = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        cancel.cancel_query(postgres::NoTls)
    });
    let imported = import(&mut client, "y", &package);
    handle.join().unwrap().unwrap();
    if let Err(error) = imported {
        assert_eq!(error_of(&error).0, "57014");
        assert_eq!(left(&cluster, &mut client), (0, 0, Vec::new()));
    }
    let done = eventually("an import after that", || import(&mut client, "z", &package).ok());
    assert_eq!(done, None);
}
