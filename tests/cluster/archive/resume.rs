//! An export that was interrupted goes on where it stopped, if the chunks are still the same, and is then what it would have been.

use super::{Shelf, export, settle, value, with_handbook};
use postgres::{Client, NoTls};
use socle_tests::{Cluster, error_of, eventually, signal};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const MORE: &str = ", part_megabytes => 1";

/// A reader for whom each chunk after the first thousand takes as many milliseconds.
fn reader(cluster: &Cluster, client: &mut Client, milliseconds: u32) -> Client {
    client
        .batch_execute(&format!(
            "DO $$ BEGIN
                 IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reader') THEN
                     CREATE ROLE reader LOGIN; GRANT pg_write_server_files TO reader;
                 END IF;
             END $$;
             GRANT SELECT ON article, handbook_chunk TO reader; DROP POLICY IF EXISTS slow ON handbook_chunk;
             CREATE POLICY slow ON handbook_chunk AS RESTRICTIVE
                 USING (chunk_id <= 1000 OR pg_sleep({milliseconds} / 1000.0) IS NOT NULL)"
        ))
        .unwrap();
    cluster.configuration().user("reader").connect(NoTls).unwrap()
}

/// Interrupts an export of the slow reader after its first part, as `how` does. Returns the file of that part.
fn interrupt(shelf: &Shelf, cluster: &Cluster, client: &mut Client, how: &dyn Fn(&mut Client)) -> (u64, i64, i64) {
    let mut slow = reader(cluster, client, 100);
    let path = shelf.path().join("out");
    let running = std::thread::spawn(move || export(&mut slow, "handbook", &path, MORE).unwrap_err());
    let directory = shelf.path().join("out.incomplete");
    eventually("a part is complete", || directory.join("progress.json").exists().then_some(()));
    how(client);
    running.join().unwrap();
    version(&directory.join("chunks-00001.parquet"))
}

fn cancel(client: &mut Client) {
    let sql = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE usename = 'reader'";
    assert!(value::<i64>(client, sql) > 0);
}

/// Which file it is, and when it was written.
fn version(file: &Path) -> (u64, i64, i64) {
    let metadata = std::fs::metadata(file).unwrap();
    (metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
}

/// Goes on, and compares with an export that nothing interrupted. Returns the file of the first part.
fn go_on(shelf: &Shelf, cluster: &Cluster, client: &mut Client) -> (u64, i64, i64) {
    let mut fast = reader(cluster, client, 0);
    export(&mut fast, "handbook", &shelf.path().join("out"), MORE).unwrap();
    export(&mut fast, "handbook", &shelf.path().join("whole"), MORE).unwrap();
    let (out, whole) = (shelf.manifest("out"), shelf.manifest("whole"));
    for field in ["files", "chunk_count", "document_count", "left_out_count", "complete", "corpus", "model"] {
        assert_eq!(out[field], whole[field], "{field}");
    }
    assert_eq!(shelf.names(), ["out", "whole"]);
    let first = version(&shelf.path().join("out/chunks-00001.parquet"));
    for name in shelf.names() {
        let mut files: Vec<String> = std::fs::read_dir(shelf.path().join(&name))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        files.sort();
        assert_eq!(
            files,
            ["SHA256SUMS", "chunks-00001.parquet", "chunks-00002.parquet", "chunks-00003.parquet", "manifest.json"]
        );
        std::fs::remove_dir_all(shelf.path().join(name)).unwrap();
    }
    first
}

#[test]
fn it_goes_on_after_a_cancel_and_after_a_crash() {
    let shelf = Shelf::new("resume");
    let (cluster, mut client) = with_handbook(&shelf, 1_500);
    let first = interrupt(&shelf, &cluster, &mut client, &cancel);
    assert_eq!(shelf.names(), ["out.incomplete"]);
    assert_eq!(go_on(&shelf, &cluster, &mut client), first, "the part is the one that was written");
    let kill = |client: &mut Client| {
        let sql = "SELECT pid FROM pg_stat_activity WHERE usename = 'reader'";
        signal(value::<i32>(client, sql).unsigned_abs(), libc::SIGKILL);
    };
    let first = interrupt(&shelf, &cluster, &mut client, &kill);
    eventually("the server is back", || {
        (cluster.log().matches("ready to accept connections").count() > 1).then_some(())
    });
    let mut client = cluster.connect();
    assert_eq!(go_on(&shelf, &cluster, &mut client), first);
}

#[test]
fn it_begins_anew_where_a_chunk_a_part_or_the_call_is_another() {
    let shelf = Shelf::new("anew");
    let (cluster, mut client) = with_handbook(&shelf, 1_500);
    let first = interrupt(&shelf, &cluster, &mut client, &cancel);
    client.batch_execute("UPDATE article SET body = 'another text' WHERE id = 7").unwrap();
    settle(&mut client, "handbook");
    assert_ne!(go_on(&shelf, &cluster, &mut client), first, "a chunk of the part has changed");

    interrupt(&shelf, &cluster, &mut client, &cancel);
    let part = shelf.path().join("out.incomplete/chunks-00001.parquet");
    let mut bytes = std::fs::read(&part).unwrap();
    bytes[1_000] ^= 1;
    std::fs::write(&part, bytes).unwrap();
    go_on(&shelf, &cluster, &mut client);

    interrupt(&shelf, &cluster, &mut client, &cancel);
    let mut fast = reader(&cluster, &mut client, 0);
    export(&mut fast, "handbook", &shelf.path().join("out"), "").unwrap();
    let manifest = shelf.manifest("out");
    assert_eq!((manifest["files"].as_array().unwrap().len(), &manifest["chunk_count"]), (1, &1_500.into()));
    assert_eq!(shelf.names(), ["out"]);
}

#[test]
fn two_sessions_do_not_write_one_directory_and_what_is_not_of_an_export_stays() {
    let shelf = Shelf::new("two");
    let (cluster, mut client) = with_handbook(&shelf, 1_500);
    let path = shelf.path().join("out");
    let at_once = |client: &mut Client| {
        let mut other = cluster.configuration().user("reader").connect(NoTls).unwrap();
        let (state, message, ..) = error_of(&export(&mut other, "handbook", &path, MORE).unwrap_err());
        assert!(state == "55000" && message.starts_with("another session exports"), "{state} {message}");
        cancel(client);
    };
    interrupt(&shelf, &cluster, &mut client, &at_once);
    let note = shelf.path().join("out.incomplete/note.txt");
    std::fs::write(&note, "mine").unwrap();
    let mut fast = reader(&cluster, &mut client, 0);
    let (state, message, ..) = error_of(&export(&mut fast, "handbook", &path, MORE).unwrap_err());
    assert!(state == "42710" && message.ends_with("note.txt\" already exists"), "{state} {message}");
    assert_eq!(std::fs::read_to_string(note).unwrap(), "mine");
}
