//! Databases are created and dropped while the engine runs, and the registry is dumped and restored.

use crate::{embed, sqlstate};
use socle_tests::{Cluster, bin, command, run, signal};

#[test]
fn databases_are_created_and_dropped_while_supervisor_and_engine_are_stopped() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    embed(&mut client, "warm").unwrap();
    client.batch_execute("CREATE DATABASE doomed").unwrap();
    let (engine, supervisor) = (cluster.engine_pid().unwrap(), cluster.supervisor_pid().unwrap());
    for stopped in [supervisor, engine] {
        signal(stopped, libc::SIGSTOP);
        client.batch_execute("SET statement_timeout = '30s'").unwrap();
        client.batch_execute("DROP DATABASE doomed").unwrap();
        client.batch_execute("CREATE DATABASE doomed").unwrap();
        signal(stopped, libc::SIGCONT);
    }
    assert_eq!(embed(&mut client, "after").unwrap(), 384);
}

#[test]
fn dropping_the_extension_leaves_vectors_and_creating_it_again_works() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TABLE note (content text, embedding vector(384));
             INSERT INTO note SELECT t, socle.embed(t, 'minilm') FROM (VALUES ('one'), ('two')) AS v (t);
             DROP EXTENSION socle",
        )
        .unwrap();
    let left: i64 = client.query_one("SELECT count(embedding <-> embedding) FROM note", &[]).unwrap().get(0);
    assert_eq!(left, 2);
    assert_eq!(sqlstate(client.execute("SELECT socle.version()", &[])), "3F000");
    client.batch_execute("CREATE EXTENSION socle").unwrap();
    client.execute("SELECT socle.register_model('minilm', 'all-minilm-l6-v2')", &[]).unwrap();
    let same: bool = client
        .query_one("SELECT bool_and(embedding <-> socle.embed(content, 'minilm') < 1e-5) FROM note", &[])
        .unwrap()
        .get(0);
    assert!(same);
}

#[test]
fn a_schema_that_somebody_prepared_is_not_adopted() {
    let cluster = Cluster::new("");
    cluster.start();
    let mut client = cluster.connect();
    client.batch_execute("CREATE EXTENSION vector; CREATE SCHEMA socle").unwrap();
    assert_eq!(sqlstate(client.batch_execute("CREATE EXTENSION socle")), "42P06");
    client.batch_execute("DROP SCHEMA socle; CREATE SCHEMA socle_internal").unwrap();
    assert_eq!(sqlstate(client.batch_execute("CREATE EXTENSION socle")), "42P06");
    client.batch_execute("DROP SCHEMA socle_internal; CREATE SCHEMA trap; CREATE TYPE trap.vector AS (x int)").unwrap();
    client.batch_execute("SET search_path = trap, public").unwrap();
    // The script resolves "vector" by the search path that CREATE EXTENSION sets: the target schema first.
    assert_eq!(sqlstate(client.batch_execute("CREATE EXTENSION socle SCHEMA trap")), "0A000");
    client.batch_execute("RESET search_path; CREATE EXTENSION socle").unwrap();
}

#[test]
fn the_registry_is_dumped_and_restored() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    let sql = "SELECT string_agg(name || digest || registered_at, ',' ORDER BY name) FROM socle.model";
    let before: String = client.query_one(sql, &[]).unwrap().get(0);
    let host = format!("--host={}", cluster.directory().display());
    let dump = run(command(bin("pg_dump")).args([&host, "--username=postgres", "postgres"]));
    client.batch_execute("CREATE DATABASE restored TEMPLATE template0").unwrap();
    let file = cluster.directory().join("dump.sql");
    std::fs::write(&file, dump.stdout).unwrap();
    run(command(bin("psql"))
        .args([&host, "--username=postgres", "--dbname=restored", "--set=ON_ERROR_STOP=1", "--quiet"])
        .arg(format!("--file={}", file.display())));
    let mut restored = cluster.connect_to("restored");
    let after: String = restored.query_one(sql, &[]).unwrap().get(0);
    assert_eq!(before, after);
    assert_eq!(embed(&mut restored, "after").unwrap(), 384);
}
