//! `socle.import_directory`: what it takes, what it leaves alone, and what it must not open.

use super::value;
use postgres::Client;
use socle_tests::{Cluster, error_of};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

const TABLE: &str = "CREATE TABLE file (file_name text PRIMARY KEY, modified_at timestamptz, content_hash bytea, media_type text, data bytea)";

/// A directory with files, readable by the server.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("socle-import-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn call(client: &mut Client, directory: &Path, rest: &str) -> Result<(), postgres::Error> {
    client.batch_execute(&format!("CALL socle.import_directory('file', '{}'{rest})", directory.display()))
}

/// Names and contents, and the row version that each is in.
fn rows(client: &mut Client) -> Vec<(String, String, String)> {
    let sql = "SELECT file_name, convert_from(data, 'UTF8'), ctid::text FROM file ORDER BY file_name";
    client.query(sql, &[]).unwrap().into_iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

fn names(client: &mut Client) -> Vec<String> {
    rows(client).into_iter().map(|(name, ..)| name).collect()
}

fn open(files: &Files, more: &str) -> (Cluster, Client) {
    let cluster =
        Cluster::with_models(&format!("socle.import_directories = '/nowhere, {}'\n{more}", files.path().display()));
    let mut client = cluster.connect();
    client.batch_execute(TABLE).unwrap();
    (cluster, client)
}

#[test]
fn a_directory_is_taken_once_and_then_only_what_changed() {
    let files = Files::new("taken");
    files.write("guide.md", "# Guide");
    files.write("contracts/2026/first.txt", "first");
    files.write("contracts/second.PDF", "second");
    let (_cluster, mut client) = open(&files, "");
    call(&mut client, files.path(), "").unwrap();
    let first = rows(&mut client);
    assert_eq!(names(&mut client), ["contracts/2026/first.txt", "contracts/second.PDF", "guide.md"]);
    let types = "SELECT string_agg(media_type, ' ' ORDER BY file_name) FROM file";
    assert_eq!(value::<String>(&mut client, types), "text/plain application/pdf text/markdown");
    let sound = "SELECT bool_and(content_hash = sha256(data) AND modified_at > now() - interval '1 hour' AND modified_at <= now()) FROM file";
    assert!(value::<bool>(&mut client, sound));

    call(&mut client, files.path(), "").unwrap();
    assert_eq!(rows(&mut client), first, "nothing is written again");

    files.write("guide.md", "# Guide, new");
    files.write("contracts/second.PDF", "second");
    std::fs::remove_file(files.path().join("contracts/2026/first.txt")).unwrap();
    call(&mut client, files.path(), "").unwrap();
    let second = rows(&mut client);
    assert_eq!(second[0], first[0], "what is missing stays unless asked otherwise");
    assert_eq!(second[2].1, "# Guide, new");
    call(&mut client, files.path(), ", '*.md', remove_missing => true").unwrap();
    assert_eq!(names(&mut client).len(), 3, "what the pattern does not name stays");
    call(&mut client, files.path(), ", remove_missing => true").unwrap();
    assert_eq!(names(&mut client), ["contracts/second.PDF", "guide.md"]);
}

#[test]
fn patterns_choose_and_large_and_unreadable_files_are_left_out() {
    let files = Files::new("chosen");
    files.write("a/b/deep.txt", "deep");
    files.write("top.txt", "top");
    files.write("top.md", "top");
    files.write("large.txt", &"x".repeat(2_000));
    files.write("closed.txt", "closed");
    std::fs::set_permissions(files.path().join("closed.txt"), std::fs::Permissions::from_mode(0o000)).unwrap();
    let (_cluster, mut client) = open(&files, "socle.max_document_bytes = 1000");
    call(&mut client, files.path(), ", '*.txt'").unwrap();
    let taken = names(&mut client);
    assert!(taken.contains(&"a/b/deep.txt".to_string()) && taken.contains(&"top.txt".to_string()));
    for left_out in ["top.md", "large.txt", "closed.txt"] {
        assert!(!taken.contains(&left_out.to_string()), "{left_out}");
    }
    let (state, message, ..) = error_of(&call(&mut client, files.path(), ", '['").unwrap_err());
    assert_eq!((state.as_str(), message.as_str()), ("22023", "pattern \"[\" is malformed"));
}

#[test]
fn what_cannot_be_looked_at_is_not_taken_for_missing() {
    let files = Files::new("closed");
    files.write("open.txt", "open");
    files.write("inner/kept.txt", "kept");
    let (_cluster, mut client) = open(&files, "");
    call(&mut client, files.path(), "").unwrap();
    std::fs::remove_file(files.path().join("open.txt")).unwrap();
    let inner = files.path().join("inner");
    std::fs::set_permissions(&inner, std::fs::Permissions::from_mode(0o000)).unwrap();
    call(&mut client, files.path(), ", remove_missing => true").unwrap();
    assert_eq!(names(&mut client), ["inner/kept.txt", "open.txt"]);
    std::fs::set_permissions(&inner, std::fs::Permissions::from_mode(0o755)).unwrap();
    call(&mut client, files.path(), ", remove_missing => true").unwrap();
    assert_eq!(names(&mut client), ["inner/kept.txt"]);
}

#[test]
fn only_directories_that_a_superuser_named_are_opened_and_no_link_leads_out() {
    let (files, other) = (Files::new("named"), Files::new("unnamed"));
    files.write("plain.txt", "plain");
    other.write("secret.txt", "secret");
    symlink(other.path().join("secret.txt"), files.path().join("link.txt")).unwrap();
    symlink(other.path(), files.path().join("linked")).unwrap();
    let (cluster, mut client) = open(&files, "");
    call(&mut client, files.path(), "").unwrap();
    assert_eq!(names(&mut client), ["plain.txt"]);
    for directory in [other.path(), &files.path().join("linked"), &files.path().join(".."), Path::new("/nonexistent")] {
        let (state, message, _, hint) = error_of(&call(&mut client, directory, "").unwrap_err());
        assert_eq!(state, "42501", "{message}");
        assert_eq!(hint, "A superuser can add it to socle.import_directories.");
    }
    let (state, ..) = error_of(&call(&mut client, Path::new("relative"), "").unwrap_err());
    assert_eq!(state, "22023");
    let (state, ..) = error_of(&call(&mut client, &files.path().join("missing"), "").unwrap_err());
    assert_eq!(state, "58030");

    client
        .batch_execute("CREATE ROLE reader LOGIN; GRANT ALL ON file TO reader; GRANT USAGE ON SCHEMA public TO reader")
        .unwrap();
    let mut config = cluster.configuration();
    let mut reader = config.user("reader").connect(postgres::NoTls).unwrap();
    let (state, message, ..) = error_of(&call(&mut reader, files.path(), "").unwrap_err());
    assert_eq!((state.as_str(), message.as_str()), ("42501", "permission denied for procedure import_directory"));
    client.batch_execute("GRANT pg_read_server_files TO reader; DELETE FROM file").unwrap();
    // Before the library is loaded anybody can set anything; it does not count afterwards.
    reader.batch_execute("SET socle.import_directories = '/'").unwrap();
    assert_eq!(error_of(&call(&mut reader, other.path(), "").unwrap_err()).0, "42501");
    let (state, ..) = error_of(&reader.batch_execute("SET socle.import_directories = '/'").unwrap_err());
    assert_eq!(state, "42501");
    call(&mut reader, files.path(), "").unwrap();
    assert_eq!(names(&mut client), ["plain.txt"]);
}

#[test]
fn a_table_that_cannot_take_files_is_told_how_it_should_look() {
    let files = Files::new("table");
    files.write("plain.txt", "plain");
    let (_cluster, mut client) = open(&files, "");
    client.batch_execute("ALTER TABLE file DROP COLUMN content_hash").unwrap();
    let (state, message, _, hint) = error_of(&call(&mut client, files.path(), "").unwrap_err());
    assert_eq!(
        (state.as_str(), message.as_str()),
        ("42703", "column \"content_hash\" of table \"file\" does not exist")
    );
    assert!(
        hint.contains("(file_name text PRIMARY KEY, modified_at timestamp with time zone, content_hash bytea"),
        "{hint}"
    );
    client.batch_execute("ALTER TABLE file ADD content_hash text").unwrap();
    let (state, ..) = error_of(&call(&mut client, files.path(), "").unwrap_err());
    assert_eq!(state, "42804");
    client.batch_execute("DROP TABLE file").unwrap();
    client.batch_execute(&TABLE.replace(" PRIMARY KEY", "")).unwrap();
    let (state, ..) = error_of(&call(&mut client, files.path(), "").unwrap_err());
    assert_eq!(state, "42P10", "no unique index");
    let block = client
        .batch_execute(&format!("BEGIN; CALL socle.import_directory('file', '{}'); COMMIT", files.path().display()));
    assert_eq!(error_of(&block.unwrap_err()).0, "25001");
}
