//! Who may export and import, and where to and from.

use super::{Shelf, export, with_handbook};
use postgres::Client;
use socle_tests::error_of;
use std::os::unix::fs::symlink;
use std::path::Path;

fn import(client: &mut Client, path: &Path) -> Result<(), postgres::Error> {
    client.batch_execute(&format!("SELECT socle.import_corpus('copy', '{}')", path.display()))
}

#[test]
fn only_directories_that_a_superuser_named_are_written_and_no_link_leads_out() {
    let (shelf, other) = (Shelf::new("named"), Shelf::new("unnamed"));
    let (_cluster, mut client) = with_handbook(&shelf, 2);
    symlink(other.path(), shelf.path().join("linked")).unwrap();
    std::fs::create_dir(shelf.path().join("below")).unwrap();
    std::fs::set_permissions(shelf.path().join("below"), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    for path in [
        other.path().join("out"),
        shelf.path().join("linked/out"),
        shelf.path().join("below/../../out"),
        shelf.path().join(".."),
        shelf.path().to_path_buf(),
        "/nonexistent/out".into(),
        "/".into(),
    ] {
        let (state, message, _, hint) = error_of(&export(&mut client, "handbook", &path, "").unwrap_err());
        assert_eq!(state, "42501", "{message}");
        assert_eq!(hint, "A superuser can add the directory above it to socle.export_directories.");
    }
    let mut state = |path: &Path| error_of(&export(&mut client, "handbook", path, "").unwrap_err()).0;
    assert_eq!(state(Path::new("relative")), "22023");
    assert_eq!(state(&shelf.path().join("missing/out")), "58030");
    assert_eq!(state(Path::new("/nowhere/out")), "58030", "a directory that was named and does not exist");
    export(&mut client, "handbook", &shelf.path().join("below/./in"), "").unwrap();
    assert_eq!(shelf.names(), ["below", "linked"]);
    assert_eq!(other.names(), Vec::<String>::new());
}

#[test]
fn files_are_for_who_may_read_and_write_files_of_the_server_and_rows_for_who_reads_them() {
    let shelf = Shelf::new("role");
    let (cluster, mut client) = with_handbook(&shelf, 2);
    client.batch_execute("CREATE ROLE reader LOGIN; GRANT SELECT ON article, handbook_chunk TO reader; GRANT CREATE ON SCHEMA public TO reader").unwrap();
    let mut reader = cluster.configuration().user("reader").connect(postgres::NoTls).unwrap();
    let path = shelf.path().join("export");
    let (state, message, ..) = error_of(&export(&mut reader, "handbook", &path, "").unwrap_err());
    assert_eq!((state.as_str(), message.as_str()), ("42501", "permission denied for function export_corpus"));
    assert_eq!(reader.query("SELECT * FROM socle.export_corpus_rows('handbook')", &[]).unwrap().len(), 2);
    export(&mut client, "handbook", &path, "").unwrap();
    let (state, message, ..) = error_of(&import(&mut reader, &path).unwrap_err());
    assert_eq!((state.as_str(), message.as_str()), ("42501", "permission denied for function import_corpus"));
    client.batch_execute("GRANT pg_read_server_files, pg_write_server_files TO reader").unwrap();
    // Before the library is loaded any role can set the value; it does not count afterwards.
    let mut again = cluster.configuration().user("reader").connect(postgres::NoTls).unwrap();
    again.batch_execute("SET socle.export_directories = '/tmp'; SET socle.import_directories = '/'").unwrap();
    assert_eq!(error_of(&export(&mut again, "handbook", Path::new("/tmp/socle-out"), "").unwrap_err()).0, "42501");
    assert_eq!(error_of(&import(&mut again, Path::new("/etc")).unwrap_err()).0, "42501");
    export(&mut again, "handbook", &shelf.path().join("reader"), "").unwrap();
    import(&mut again, &path).unwrap();
    let owner: String =
        super::value(&mut client, "SELECT tableowner::text FROM pg_tables WHERE tablename = 'copy_chunk'");
    assert_eq!(owner, "reader");
    let (state, message, ..) = error_of(
        &again
            .batch_execute(&format!("SELECT socle.import_corpus('mine', '{}', 'article')", path.display()))
            .unwrap_err(),
    );
    assert_eq!((state.as_str(), message.as_str()), ("42501", "must be owner of table \"article\""));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let shelf = Shelf::new("meant");
    let (_cluster, mut client) = with_handbook(&shelf, 1);
    let path = shelf.path().join("x").display().to_string();
    for (call, state) in [
        (format!("export_corpus('nowhere', '{path}')"), "42704"),
        (format!("export_corpus(NULL, '{path}')"), "22023"),
        ("export_corpus('handbook', NULL)".to_string(), "22023"),
        (format!("export_corpus('handbook', '{path}', part_megabytes => 0)"), "22023"),
        (format!("export_corpus('handbook', '{path}', part_megabytes => 129)"), "22023"),
        ("export_corpus_rows(NULL)".to_string(), "22023"),
        ("export_corpus_rows('nowhere')".to_string(), "42704"),
        ("import_corpus('copy', NULL)".to_string(), "22023"),
        (format!("import_corpus('copy', '{path}')"), "58030"),
    ] {
        let (code, message, ..) = error_of(&client.batch_execute(&format!("SELECT * FROM socle.{call}")).unwrap_err());
        assert_eq!(code, state, "{call}: {message}");
    }
    client
        .batch_execute(
            "CREATE TABLE odd (id jsonb PRIMARY KEY, body text); INSERT INTO odd VALUES ('{\"a\": 1}', 'text');
             SELECT socle.create_corpus('odd', 'odd', '{body}', model => 'minilm')",
        )
        .unwrap();
    super::settle(&mut client, "odd");
    let (state, message, _, hint) =
        error_of(&client.batch_execute(&format!("SELECT socle.export_corpus('odd', '{path}')")).unwrap_err());
    assert!(state == "0A000" && message.contains("jsonb") && hint.contains("export_corpus_rows"), "{message}");
    let key: String = super::value(&mut client, "SELECT source_key::text FROM socle.export_corpus_rows('odd')");
    assert_eq!(key, "{\"id\": {\"a\": 1}}");
    assert_eq!(shelf.names(), Vec::<String>::new());
}
