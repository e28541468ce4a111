//! `socle.import_directory`: what it stores, what it leaves alone, and what it must not open.

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

/// Names below the directory and contents, and the row version that each is in.
fn rows(client: &mut Client) -> Vec<(String, String, String)> {
    let sql = "SELECT regexp_replace(file_name, '^/.*/socle-import-[^/]*/', ''), convert_from(data, 'UTF8'), ctid::text FROM file ORDER BY file_name";
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
    files.write(".hidden/deep.txt", "hidden");
    files.write("a/.hidden.txt", "hidden");
    call(&mut client, files.path(), ", '*.txt'").unwrap();
    assert_eq!(names(&mut client), ["top.txt"], "a star stops at a slash");
    call(&mut client, files.path(), ", 'a/*/d??p.[a-z]xt'").unwrap();
    assert_eq!(names(&mut client), ["a/b/deep.txt", "top.txt"]);
    client.batch_execute("DELETE FROM file").unwrap();
    call(&mut client, files.path(), ", '**/*.txt'").unwrap();
    assert_eq!(names(&mut client), ["a/b/deep.txt", "top.txt"], "what begins with a dot is left alone");
    call(&mut client, files.path(), ", '.hidden/*'").unwrap();
    call(&mut client, files.path(), ", '**/.*.txt'").unwrap();
    assert_eq!(names(&mut client), [".hidden/deep.txt", "a/.hidden.txt", "a/b/deep.txt", "top.txt"]);
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
    // A process that opened the FIFO would wait for a writer.
    let pipe = files.path().join("pipe.txt");
    assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
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
    // Before the library is loaded any role can set the value; it does not count afterwards.
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

#[test]
fn what_another_directory_brought_stays_and_so_does_all_of_one_without_files() {
    let files = Files::new("several");
    files.write("handbook/index.html", "handbook");
    files.write("handbook/old.html", "old");
    files.write("contracts/index.html", "contracts");
    files.write("contracts2/index.html", "more contracts");
    let (_cluster, mut client) = open(&files, "");
    let [handbook, contracts, others] = ["handbook", "contracts", "contracts2"].map(|name| files.path().join(name));
    for directory in [&handbook, &contracts, &others] {
        call(&mut client, directory, ", remove_missing => true").unwrap();
    }
    let all = ["contracts/index.html", "contracts2/index.html", "handbook/index.html", "handbook/old.html"];
    assert_eq!(names(&mut client), all, "files of the same name stay apart");
    let name = value::<String>(&mut client, "SELECT file_name FROM file ORDER BY 1 LIMIT 1");
    assert_eq!(Path::new(&name), contracts.join("index.html"));
    // An empty directory, as when its file system is not mounted, removes nothing.
    std::fs::remove_dir_all(&contracts).unwrap();
    std::fs::create_dir(&contracts).unwrap();
    call(&mut client, &contracts, ", remove_missing => true").unwrap();
    assert_eq!(names(&mut client), all);
    // The same names, written differently and relative to the parent directory.
    std::fs::remove_file(handbook.join("old.html")).unwrap();
    call(&mut client, &files.path().join("./handbook//"), ", remove_missing => true").unwrap();
    assert_eq!(names(&mut client), all[..3]);
    call(&mut client, files.path(), ", remove_missing => true").unwrap();
    assert_eq!(names(&mut client), all[1..3]);
}

#[test]
fn data_that_somebody_changed_in_the_table_is_put_right() {
    let files = Files::new("changed");
    files.write("guide.md", "# Guide");
    let (_cluster, mut client) = open(&files, "");
    call(&mut client, files.path(), "").unwrap();
    // The contents have the same size; only the hash differs.
    client.batch_execute("UPDATE file SET data = '# Wrong', modified_at = NULL").unwrap();
    call(&mut client, files.path(), "").unwrap();
    assert_eq!(rows(&mut client)[0].1, "# Guide");
    client.batch_execute("UPDATE file SET data = 'something longer'").unwrap();
    call(&mut client, files.path(), "").unwrap();
    assert_eq!(rows(&mut client)[0].1, "# Guide");
}

#[test]
fn triggers_of_the_table_run_under_the_names_of_the_caller() {
    let files = Files::new("trigger");
    files.write("guide.md", "# Guide");
    files.write("unwanted.md", "x");
    let (_cluster, mut client) = open(&files, "");
    client
        .batch_execute(
            "CREATE TABLE arrival (file_name text);
             CREATE FUNCTION note_arrival() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF new.file_name LIKE '%unwanted%' THEN RETURN NULL; END IF;
                 INSERT INTO arrival VALUES (new.file_name); RETURN new; END $$;
             CREATE TRIGGER note BEFORE INSERT ON file FOR EACH ROW EXECUTE FUNCTION note_arrival();
             CREATE SCHEMA evil;
             CREATE FUNCTION evil.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT 'evil'::bytea $$;
             SET search_path = evil, public, pg_catalog",
        )
        .unwrap();
    call(&mut client, files.path(), "").unwrap();
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM arrival"), 1);
    assert!(value::<bool>(&mut client, "SELECT bool_and(content_hash = pg_catalog.sha256(data)) FROM file"));
}

#[test]
fn progress_is_told_and_what_was_taken_before_a_cancel_stays_whole() {
    let files = Files::new("progress");
    for at in 0..260 {
        files.write(&format!("{at:03}.txt"), &format!("file {at}"));
    }
    let (cluster, mut client) = open(&files, "");
    client
        .batch_execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.03); RETURN new; END $$;
             CREATE TRIGGER slow BEFORE INSERT ON file FOR EACH ROW EXECUTE FUNCTION slow()",
        )
        .unwrap();
    let (mut importer, heard) = cluster.connect_and_listen();
    let token = importer.cancel_token();
    std::thread::scope(|scope| {
        let import = scope.spawn(|| call(&mut importer, files.path(), "").unwrap_err());
        let said = heard.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
        assert!(said.ends_with(" of 260 files"), "{said}");
        socle_tests::eventually("a batch", || {
            (value::<i64>(&mut client, "SELECT count(*) FROM file") > 0).then_some(())
        });
        token.cancel_query(postgres::NoTls).unwrap();
        assert_eq!(error_of(&import.join().unwrap()).0, "57014");
    });
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM file"), 200, "a whole batch and no more");
    assert!(value::<bool>(&mut client, "SELECT bool_and(content_hash = sha256(data)) FROM file"));
    call(&mut client, files.path(), "").unwrap();
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM file"), 260);
}

#[test]
fn a_name_that_says_the_wrong_thing_keeps_no_file_from_being_read() {
    let files = Files::new("misnamed");
    for name in ["text.pdf", "text.docx", "text.ts", "text.png", "text.zip", "text.html", "text.xml", "text.json"] {
        files.write(name, "Plain words of a letter.");
    }
    files.write("page.txt", "<!DOCTYPE html><html><body><p>Plain words of a letter.</p></body></html>");
    let (_cluster, mut client) = open(&files, "");
    call(&mut client, files.path(), "").unwrap();
    // What is named as code stands in a block of it.
    let wrong = "SELECT string_agg(file_name, ' ') FROM file WHERE socle.extract_text(data, media_type, file_name) NOT LIKE '%Plain words of a letter.%'";
    assert_eq!(value::<Option<String>>(&mut client, wrong), None);
}
