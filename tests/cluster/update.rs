//! From 0.1.0 to the present version: the files first, then each database, beside workers and writers.

use crate::embed;
use crate::start::replace_engine;
use postgres::Client;
use socle_tests::{Cluster, ServerCopy, bin, command, error_of, eventually, run, signal};
use std::collections::BTreeMap;
use std::path::Path;

const OBJECTS: &str = include_str!("../upgrade/objects.sql");
const OLD_SCRIPT: &str = include_str!("../upgrade/socle--0.1.0.sql");
const OLD_CORPUS: &str = include_str!("../upgrade/corpus-0.1.0.sql");

fn objects(client: &mut Client) -> BTreeMap<(String, String), String> {
    let rows = client.query(OBJECTS, &[]).unwrap();
    rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect()
}

/// A copy of the server in which version 0.1.0 is installed as well.
fn server_with_both(cluster: &Cluster) -> Option<ServerCopy> {
    let server = ServerCopy::new()?;
    std::fs::write(server.extensions.join("socle--0.1.0.sql"), OLD_SCRIPT).unwrap();
    cluster.start_on(&server.postgres);
    Some(server)
}

#[test]
fn an_installation_that_was_updated_is_like_a_new_one() {
    let cluster = Cluster::new("");
    let Some(_server) = server_with_both(&cluster) else { return };
    let mut client = cluster.connect();
    client.batch_execute("CREATE DATABASE fresh").unwrap();
    let mut fresh = cluster.connect_to("fresh");
    fresh.batch_execute("CREATE EXTENSION socle CASCADE").unwrap();
    client.batch_execute("CREATE EXTENSION socle VERSION '0.1.0' CASCADE; ALTER EXTENSION socle UPDATE").unwrap();
    let (new, mut updated) = (objects(&mut fresh), objects(&mut client));
    assert!(new.len() > 200, "{}", new.len());
    let mut differences = Vec::new();
    for (name, wanted) in &new {
        match updated.remove(name) {
            Some(found) if found == *wanted => {}
            found => differences
                .push(format!("{name:?}\n  is {}\n  not {wanted}", found.unwrap_or_else(|| "missing".into()))),
        }
    }
    differences.extend(updated.into_keys().map(|name| format!("{name:?} is left over")));
    assert!(differences.is_empty(), "after the update:\n{}", differences.join("\n"));
}

fn load(cluster: &Cluster, script: &str) {
    let file = cluster.directory().join("script.sql");
    std::fs::write(&file, script).unwrap();
    run(command(bin("psql"))
        .args(["--username=postgres", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"])
        .arg(format!("--host={}", cluster.directory().display()))
        .arg(format!("--file={}", file.display())));
}

/// What cannot work between the update of the files and that of the extension.
const CALLS: [&str; 10] = [
    "SELECT socle.embed('x', 'minilm')",
    "SELECT * FROM socle.search('handbook', 'article')",
    "SELECT * FROM socle.corpus_status",
    "SELECT * FROM socle.job_failure",
    "SELECT socle.wait_for_corpus('handbook')",
    "SELECT socle.drop_corpus('handbook')",
    "CALL socle.sync_corpus('handbook')",
    "ALTER TABLE article RENAME TO story",
    "ALTER TABLE article ADD COLUMN extra int",
    "DROP TABLE article CASCADE",
];

#[test]
fn a_corpus_of_an_older_version_is_kept_true_through_the_update() {
    let cluster = Cluster::new("");
    let Some(_server) = server_with_both(&cluster) else { return };
    let mut client = cluster.connect();
    client.batch_execute("CREATE EXTENSION socle VERSION '0.1.0' CASCADE").unwrap();
    load(&cluster, OLD_CORPUS);

    // The new library with the old extension: calls that cannot work raise an error with a hint, and writers continue.
    let mut client = cluster.connect();
    for call in CALLS {
        let (code, message, _, hint) = error_of(&client.batch_execute(call).unwrap_err());
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(message, format!("extension socle is at version 0.1.0, its library at {version}"), "{call}");
        assert_eq!((code.as_str(), hint.contains("ALTER EXTENSION socle UPDATE")), ("55000", true), "{call}");
    }
    client
        .batch_execute("CREATE TABLE neighbour (id int); ALTER TABLE neighbour ADD x int; DROP TABLE neighbour")
        .unwrap();
    client.query_one("SELECT state FROM socle.engine_status", &[]).unwrap();
    client
        .batch_execute(
            "UPDATE article SET body = 'written before the update' WHERE id = 1; DELETE FROM article WHERE id = 2;
             INSERT INTO article VALUES (4, 'title', 'new before the update')",
        )
        .unwrap();

    // Beside a writer, in a transaction that has begun with the old version.
    let mut writer = cluster.connect();
    let mut transaction = writer.transaction().unwrap();
    transaction.batch_execute("INSERT INTO article VALUES (5, 'title', 'new across the update')").unwrap();
    std::thread::scope(|scope| {
        let update = scope.spawn(|| cluster.connect().batch_execute("ALTER EXTENSION socle UPDATE"));
        eventually("the update waits, or is through", || {
            let waits: bool =
                client.query_one("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted", &[]).unwrap().get(0);
            (waits || update.is_finished()).then_some(())
        });
        transaction.batch_execute("INSERT INTO article VALUES (6, 'title', 'new beside the update')").unwrap();
        transaction.commit().unwrap();
        update.join().unwrap().unwrap();
    });
    let text = "SELECT coalesce(string_agg(problem || ' ' || coalesce(detail, ''), ', '), '') FROM socle.verify_corpus('handbook')";
    let waited = "SELECT socle.wait_for_corpus('handbook', '2 minutes')";
    assert!(client.query_one(waited, &[]).unwrap().get::<_, bool>(0));
    assert_eq!(client.query_one(text, &[]).unwrap().get::<_, String>(0), "");
    let chunks =
        client.query_one("SELECT string_agg(content, ', ' ORDER BY source_id) FROM handbook_chunk", &[]).unwrap();
    assert_eq!(
        chunks.get::<_, String>(0),
        "written before the update, body of article 3, new before the update, new across the update, new beside the update"
    );
    let embedded = "SELECT embedded_count - 3 FROM socle.corpus_status";
    assert_eq!(client.query_one(embedded, &[]).unwrap().get::<_, i64>(0), 4, "what has not changed is kept");
    let found = "SELECT source_key ->> 'id' FROM socle.search('handbook', 'across', 1, mode => 'keyword')";
    assert_eq!(client.query_one(found, &[]).unwrap().get::<_, String>(0), "5");
}

/// Who reads a view has locked the view before the tables below it.
#[test]
fn the_update_and_a_reader_of_a_view_do_not_wait_for_each_other() {
    let cluster = Cluster::new("");
    let Some(_server) = server_with_both(&cluster) else { return };
    cluster.connect().batch_execute("CREATE EXTENSION socle VERSION '0.1.0' CASCADE").unwrap();
    let mut holder = cluster.connect();
    let mut transaction = holder.transaction().unwrap();
    transaction.query_one("SELECT state FROM socle.engine_status", &[]).unwrap();
    let mut watcher = cluster.connect();
    let waiting = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted";
    let mut are_waiting = |count: i64| watcher.query_one(waiting, &[]).unwrap().get::<_, i64>(0) >= count;
    std::thread::scope(|scope| {
        let update = scope.spawn(|| cluster.connect().batch_execute("ALTER EXTENSION socle UPDATE"));
        eventually("the update waits", || are_waiting(1).then_some(()));
        let reader = scope.spawn(|| cluster.connect().query_one("SELECT count(*) FROM socle.model_status", &[]));
        eventually("the reader has read, or waits", || (reader.is_finished() || are_waiting(2)).then_some(()));
        transaction.commit().unwrap();
        assert_eq!(reader.join().unwrap().unwrap().get::<_, i64>(0), 0);
        update.join().unwrap().unwrap();
    });
}

/// Replaces a file by a copy, as an update does: its name has another file, and processes that run the old one go on.
fn renew(file: &Path) {
    let new = file.with_extension("new");
    run(std::process::Command::new("cp").arg("-p").arg(file).arg(&new));
    std::fs::rename(new, file).unwrap();
}

#[test]
fn a_supervisor_makes_way_when_its_library_was_replaced_unless_the_server_holds_it() {
    let Some(server) = ServerCopy::new() else { return };
    for preloaded in [false, true] {
        let cluster = Cluster::with_models(if preloaded { "shared_preload_libraries = 'socle'" } else { "" });
        cluster.stop("fast");
        cluster.start_on(&server.postgres);
        let mut client = cluster.connect();
        assert_eq!(embed(&mut client, "before").unwrap(), 384);
        let (supervisor, engine) = (cluster.supervisor_pid().unwrap(), cluster.engine_pid().unwrap());
        renew(&server.library);
        renew(&server.engine);
        assert_eq!(embed(&mut client, "the old ones work on").unwrap(), 384);
        assert_eq!(cluster.supervisor_pid(), Some(supervisor));
        signal(engine, libc::SIGKILL);
        assert_eq!(embed(&mut client, "another engine").unwrap(), 384);
        eventually("there is the supervisor that there should be", || {
            cluster.supervisor_pid().filter(|pid| (*pid == supervisor) == preloaded)
        });
        assert_eq!(embed(&mut cluster.connect(), "after").unwrap(), 384);
    }
}

#[test]
fn supervisor_and_engine_of_different_versions_part() {
    let Some(server) = ServerCopy::new() else { return };
    replace_engine(&server, "SOCLE_VERSION=9.9.9 exec \"$0.real\" \"$1\"");
    for (configuration, advice) in [("", ""), ("shared_preload_libraries = 'socle'", "has to be restarted")] {
        let cluster = Cluster::with_models(configuration);
        cluster.stop("fast");
        cluster.start_on(&server.postgres);
        let mut client = cluster.connect();
        let (code, message, detail, _) = error_of(&embed(&mut client, "x").unwrap_err());
        assert_eq!((code.as_str(), message.as_str()), ("57P03", "the socle engine is not available"));
        let wanted = format!("the engine is not of version {}, as the library is", env!("CARGO_PKG_VERSION"));
        assert!(detail.starts_with(&wanted) && detail.contains(advice), "{detail}");
        let reason: String = client.query_one("SELECT state_reason FROM socle.engine_status", &[]).unwrap().get(0);
        assert_eq!(reason, detail);
    }
}
