//! The files of an export: complete or not there, never overwritten, as private as those of the server.

use super::{Shelf, export, settle, value, with_handbook};
use postgres::Client;
use socle_tests::{Cluster, error_of, eventually};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[test]
fn an_export_has_a_manifest_with_checksums_and_parts_of_bounded_size() {
    let shelf = Shelf::new("parts");
    let (_cluster, mut client) = with_handbook(&shelf, 1_500);
    let names = export(&mut client, "handbook", &shelf.path().join("whole"), "").unwrap();
    assert_eq!(names, ["chunks-00001.parquet", "manifest.json", "SHA256SUMS"]);
    let names = export(&mut client, "handbook", &shelf.path().join("parts"), ", part_megabytes => 1").unwrap();
    assert_eq!(names[..3], ["chunks-00001.parquet", "chunks-00002.parquet", "chunks-00003.parquet"]);
    let manifest = shelf.manifest("parts");
    assert_eq!((&manifest["chunk_count"], &manifest["document_count"]), (&1_500.into(), &1_500.into()));
    assert_eq!((&manifest["complete"], &manifest["format_version"]), (&true.into(), &1.into()));
    let digest: String = value(&mut client, "SELECT digest FROM socle.model WHERE name = 'minilm'");
    assert_eq!(manifest["model"]["digest"], digest.as_str());
    assert_eq!(manifest["model"]["registered"]["files"][0]["sha256"].as_str().map(str::len), Some(64));
    assert!(manifest["model"]["registered"].get("registered_by").is_none(), "names of roles stay here");
    let mut check = Command::new("sha256sum");
    check.args(["--check", "--strict", "SHA256SUMS"]).current_dir(shelf.path().join("parts"));
    let checked = check.output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    assert_eq!(String::from_utf8(checked.stdout).unwrap().lines().count(), names.len() - 1);
    let mode = |path: &str| std::fs::metadata(shelf.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("parts"), mode("parts/manifest.json"), mode("parts/chunks-00001.parquet")), (0o700, 0o600, 0o600));
    assert!(std::fs::metadata(shelf.path().join("parts/chunks-00001.parquet")).unwrap().len() < 2 << 20);
}

#[test]
fn nothing_that_exists_is_overwritten() {
    let shelf = Shelf::new("exists");
    let (_cluster, mut client) = with_handbook(&shelf, 2);
    std::fs::create_dir(shelf.path().join("directory")).unwrap();
    std::fs::write(shelf.path().join("file"), "kept").unwrap();
    std::os::unix::fs::symlink("/nowhere", shelf.path().join("link")).unwrap();
    for name in ["directory", "file", "link"] {
        let (state, message, ..) =
            error_of(&export(&mut client, "handbook", &shelf.path().join(name), "").unwrap_err());
        assert!(state == "42710" && message.ends_with("already exists"), "{state} {message}");
    }
    assert_eq!(std::fs::read_to_string(shelf.path().join("file")).unwrap(), "kept");
    assert_eq!(shelf.names(), ["directory", "file", "link"]);
}

#[test]
fn changes_that_are_pending_are_refused_or_left_out_and_said() {
    let shelf = Shelf::new("pending");
    let (_cluster, mut client) = with_handbook(&shelf, 4);
    client.batch_execute("SELECT socle.pause_corpus('handbook')").unwrap();
    export(&mut client, "handbook", &shelf.path().join("paused"), "").unwrap();
    assert_eq!(shelf.manifest("paused")["complete"], true);
    client
        .batch_execute("UPDATE article SET body = 'new words' WHERE id = 2; DELETE FROM article WHERE id = 3")
        .unwrap();
    let (state, message, detail, hint) =
        error_of(&export(&mut client, "handbook", &shelf.path().join("no"), "").unwrap_err());
    assert_eq!((state.as_str(), message.as_str()), ("55000", "corpus \"handbook\" is not complete"));
    assert!(detail.contains("pending") && hint.contains("incomplete => true"), "{detail} {hint}");
    assert_eq!(crate::sqlstate(client.query("SELECT * FROM socle.export_corpus_rows('handbook')", &[])), "55000");
    export(&mut client, "handbook", &shelf.path().join("some"), ", incomplete => true").unwrap();
    let manifest = shelf.manifest("some");
    assert_eq!(
        (&manifest["complete"], &manifest["left_out_count"], &manifest["chunk_count"]),
        (&false.into(), &2.into(), &2.into())
    );
    assert!(manifest["incomplete_because"][0].as_str().unwrap().contains("pending"));
    let rows =
        "SELECT string_agg(source_key->>'id', ' ' ORDER BY source_key) FROM socle.export_corpus_rows('handbook', true)";
    assert_eq!(value::<String>(&mut client, rows), "1 4");

    client.batch_execute("ALTER TABLE article DISABLE TRIGGER USER; DELETE FROM article WHERE id = 4").unwrap();
    assert_eq!(value::<String>(&mut client, rows), "1", "what is gone without a trace is left out, too");
    client.batch_execute("ALTER TABLE article ENABLE TRIGGER USER; SELECT socle.resume_corpus('handbook')").unwrap();
    settle(&mut client, "handbook");
    let rows = rows.replace(", true", "");
    assert_eq!(value::<String>(&mut client, &rows), "1 2");
    // Not committed, so that no worker fills it meanwhile.
    client
        .batch_execute(
            "BEGIN; CREATE TABLE other (id int PRIMARY KEY, body text); INSERT INTO other VALUES (1, 'text');
             SELECT socle.create_corpus('filling', 'other', '{body}', model => 'minilm')",
        )
        .unwrap();
    let (state, ..) = error_of(&client.query("SELECT * FROM socle.export_corpus_rows('filling')", &[]).unwrap_err());
    client.batch_execute("ROLLBACK").unwrap();
    assert_eq!(state, "55000", "one that is being filled");
    assert_eq!(shelf.names(), ["paused", "some"]);
}

/// A role for which each row of the source takes a while.
fn slow_reader(cluster: &Cluster, client: &mut Client) -> Client {
    client
        .batch_execute(
            "CREATE ROLE reader LOGIN; GRANT pg_write_server_files TO reader; GRANT SELECT ON article, handbook_chunk TO reader;
             ALTER TABLE article ENABLE ROW LEVEL SECURITY;
             CREATE POLICY slow ON article USING (pg_sleep(0.02) IS NOT NULL)",
        )
        .unwrap();
    cluster.configuration().user("reader").connect(postgres::NoTls).unwrap()
}

#[test]
fn a_cancel_and_the_end_of_the_session_leave_nothing_behind() {
    let shelf = Shelf::new("cancel");
    let (cluster, mut client) = with_handbook(&shelf, 1_000);
    for how in ["cancel", "terminate"] {
        let mut reader = if how == "cancel" {
            slow_reader(&cluster, &mut client)
        } else {
            cluster.configuration().user("reader").connect(postgres::NoTls).unwrap()
        };
        let path = shelf.path().join(how);
        let export = std::thread::spawn(move || export(&mut reader, "handbook", &path, "").unwrap_err());
        eventually("the export has begun", || {
            shelf.names().iter().any(|name| *name == format!("{how}.incomplete")).then_some(())
        });
        let end = format!("SELECT count(pg_{how}_backend(pid)) FROM pg_stat_activity WHERE usename = 'reader'");
        assert_eq!(value::<i64>(&mut client, &end), 1);
        let error = export.join().unwrap();
        // Whether the client still reads the reason of its end is a race.
        let state = if error.is_closed() { "57P01".to_string() } else { error_of(&error).0 };
        assert_eq!(state, if how == "cancel" { "57014" } else { "57P01" });
        eventually("nothing is left", || shelf.names().is_empty().then_some(()));
    }
}

#[test]
fn an_error_in_the_middle_and_a_transaction_that_fails_later_are_told_apart() {
    let shelf = Shelf::new("middle");
    let (_cluster, mut client) = with_handbook(&shelf, 300);
    // Not below socle: the table belongs to its owner.
    client.batch_execute("ALTER TABLE handbook_chunk ALTER embedding DROP NOT NULL; UPDATE handbook_chunk SET embedding = NULL WHERE source_id = 299").unwrap();
    let (state, message, ..) =
        error_of(&export(&mut client, "handbook", &shelf.path().join("broken"), "").unwrap_err());
    assert!(state == "55000" && message.contains("no vector"), "{state} {message}");
    assert_eq!(shelf.names(), Vec::<String>::new());
    // Files are no part of the transaction, as with COPY.
    client.batch_execute("UPDATE handbook_chunk SET embedding = (SELECT embedding FROM handbook_chunk LIMIT 1) WHERE source_id = 299; BEGIN").unwrap();
    export(&mut client, "handbook", &shelf.path().join("kept"), "").unwrap();
    client.batch_execute("ROLLBACK").unwrap();
    assert_eq!(shelf.names(), ["kept"]);
}

#[test]
fn a_full_disk_is_a_clear_error_and_leaves_nothing() {
    let shelf = Shelf::new("full");
    let (_cluster, mut client) = with_handbook(&shelf, 1_500);
    let mount = |arguments: &[&str]| {
        Command::new("mount").args(arguments).arg(shelf.path()).output().is_ok_and(|output| output.status.success())
    };
    if !mount(&["-t", "tmpfs", "-o", "size=1m,mode=777", "tmpfs"]) {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"SKIPPED: only root can make a disk that is full\n");
        return;
    }
    let result = export(&mut client, "handbook", &shelf.path().join("full"), "");
    let left = shelf.names();
    let _ = Command::new("umount").arg("--lazy").arg(shelf.path()).output();
    let (state, ..) = error_of(&result.unwrap_err());
    assert_eq!((state.as_str(), left), ("53100", Vec::new()));
}

#[test]
fn a_standby_exports_what_it_has() {
    let shelf = Shelf::new("standby");
    let (primary, mut client) = with_handbook(&shelf, 3);
    let standby = Cluster::standby_of(&primary);
    let path = shelf.path().display();
    std::fs::write(
        standby.data().join("postgresql.auto.conf"),
        std::fs::read_to_string(standby.data().join("postgresql.auto.conf")).unwrap()
            + &format!("\nsocle.export_directories = '{path}'\nsocle.import_directories = '{path}'\n"),
    )
    .unwrap();
    standby.start();
    let mut reader = standby.wait_for_connection();
    export(&mut reader, "handbook", &shelf.path().join("there"), "").unwrap();
    export(&mut client, "handbook", &shelf.path().join("here"), "").unwrap();
    let sums = |export: &str| shelf.manifest(export)["files"].clone();
    assert_eq!(sums("there"), sums("here"), "the same chunks give the same bytes");
    let import = format!("SELECT socle.import_corpus('copy', '{}')", shelf.path().join("here").display());
    assert_eq!(crate::sqlstate(reader.query(&import, &[])), "25006");
}
