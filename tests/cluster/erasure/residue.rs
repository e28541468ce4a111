//! What deleted rows leave behind is cleared away, whatever happens meanwhile, and what is left is found.

use super::{SECRET, SECRET_TITLE, files_with, forget, residues, wait_for, with_secret};
use postgres::NoTls;
use socle_tests::{Cluster, error_of, eventually};

#[test]
fn nothing_of_an_erased_document_is_in_any_file_but_those_of_wal() {
    let (cluster, mut client) = with_secret();
    client.batch_execute("ANALYZE; CHECKPOINT").unwrap();
    let before = files_with(&cluster, &[SECRET, SECRET_TITLE]);
    assert!(!before.is_empty(), "the secret words are in no file to begin with");
    // A deleted row version that only the source has: the one that the row had before the corpus was there.
    let receipt = forget(&mut client, r#"'handbook', '{"id": 7}', delete_source => true"#);
    assert_eq!(receipt["rows_deleted"], 1, "{receipt}");
    assert_eq!(receipt["corpora"][0]["documents"], 1, "{receipt}");
    wait_for(&mut client, &receipt);
    client.batch_execute("CHECKPOINT").unwrap();
    assert_eq!(
        files_with(&cluster, &[SECRET, SECRET_TITLE, "quetzalkoatlus", "xylophagidaean"]),
        Vec::<String>::new(),
        "before: {before:?}"
    );
    assert_eq!(residues(&mut client, &receipt, &[SECRET, SECRET_TITLE]), []);
    // What is not of socle to erase is said: the words are in WAL.
    let sql = format!(
        "SELECT count(*) FROM socle.verify_erasure($${receipt}$$, '{{{SECRET}}}') WHERE place LIKE 'pg_wal/%' AND NOT is_residue"
    );
    assert!(client.query_one(&sql, &[]).unwrap().get::<_, i64>(0) > 0);
    let found = "SELECT count(*) FROM socle.search('handbook', $1, mode => 'keyword')";
    assert_eq!(client.query_one(found, &[&SECRET]).unwrap().get::<_, i64>(0), 0);
    assert_eq!(client.query_one(found, &[&"gardens"]).unwrap().get::<_, i64>(0), 10, "the others are still found");
    let problems = "SELECT count(*) FROM socle.verify_corpus('handbook')";
    assert_eq!(client.query_one(problems, &[]).unwrap().get::<_, i64>(0), 0);
}

#[test]
fn a_residue_that_somebody_plants_is_found() {
    let (cluster, mut client) = with_secret();
    client.batch_execute("CREATE TEMP TABLE kept AS SELECT * FROM handbook_chunk WHERE source_id = 7").unwrap();
    let receipt = forget(&mut client, r#"'handbook', '[{"id": 7}]', delete_source => true"#);
    wait_for(&mut client, &receipt);
    assert_eq!(residues(&mut client, &receipt, &[SECRET]), []);
    let place = |table: &str| format!("public.{table}");
    let finding = |what: &str| what.to_string();

    // A chunk that is there, and then a row version that was deleted: found by its hash, though no word is known.
    client.batch_execute("INSERT INTO handbook_chunk OVERRIDING SYSTEM VALUE SELECT * FROM kept").unwrap();
    let found = residues(&mut client, &receipt, &[]);
    assert!(found.contains(&(place("handbook_chunk"), finding("keys of erased documents"))), "{found:?}");
    assert!(found.contains(&(place("handbook_chunk"), finding("chunks with the text of an erased one"))), "{found:?}");
    client.batch_execute("DELETE FROM handbook_chunk WHERE source_id = 7").unwrap();
    let found = residues(&mut client, &receipt, &[]);
    assert!(found.contains(&(place("handbook_chunk"), finding("hashes of erased chunks"))), "{found:?}");
    assert!(
        found.contains(&(place("handbook_chunk_content_hash_idx"), finding("hashes of erased chunks"))),
        "{found:?}"
    );
    // Of the row only its bytes in free space are left.
    client.batch_execute("VACUUM handbook_chunk").unwrap();
    let found = residues(&mut client, &receipt, &[]);
    assert!(found.contains(&(place("handbook_chunk"), finding("hashes of erased chunks"))), "{found:?}");

    // In files of socle, and in a sample of the planner.
    std::fs::write(cluster.data().join("socle/pgsql_tmp/planted"), format!("what {SECRET} is")).unwrap();
    client
        .batch_execute(&format!(
            "INSERT INTO article SELECT 1000 + i, 'x', '{SECRET}' FROM generate_series(1, 50) i; ANALYZE article"
        ))
        .unwrap();
    let found = residues(&mut client, &receipt, &[SECRET]);
    for (place, what) in [("socle/pgsql_tmp/planted", "words"), ("pg_statistic", "words"), ("public.article", "words")]
    {
        assert!(found.iter().any(|(at, finding)| at.ends_with(place) && finding == what), "{place}: {found:?}");
    }
    // The row comes back.
    client.batch_execute("INSERT INTO article VALUES (7, 'again', 'again')").unwrap();
    let found = residues(&mut client, &receipt, &[]);
    assert!(found.contains(&(place("article"), finding("the source has rows of erased documents again"))), "{found:?}");
}

#[test]
fn an_old_snapshot_delays_it_and_is_named_and_a_crash_does_not_end_it() {
    let (cluster, mut client) = with_secret();
    let mut reader = cluster.connect();
    reader.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM article").unwrap();
    let receipt = forget(&mut client, r#"'handbook', filter => '{"id": 7}', delete_source => true"#);
    let waited = format!("CALL socle.wait_for_erasure($${receipt}$$, '0 seconds')");
    assert_eq!(error_of(&client.batch_execute(&waited).unwrap_err()).0, "55000");
    eventually("the reason is told", || {
        let row = client.query_one("SELECT state, state_reason FROM socle.erasure_status", &[]).unwrap();
        (row.get::<_, Option<String>>(1).is_some_and(|reason| reason.contains("backend_xmin"))).then_some(())
    });
    let found = residues(&mut client, &receipt, &[]);
    assert!(found.iter().any(|(_, what)| what.contains("the erasure is pending")), "{found:?}");
    assert!(found.iter().any(|(_, what)| what == "hashes of erased chunks"), "the reader still sees it: {found:?}");
    // Others go on meanwhile.
    client.batch_execute("INSERT INTO article VALUES (300, 'new', 'A new row about tulips.')").unwrap();
    let done: bool = client.query_one("SELECT socle.wait_for_corpus('handbook')", &[]).unwrap().get(0);
    assert!(done);
    cluster.kill_postmaster();
    cluster.start();
    let mut client = cluster.wait_for_connection();
    wait_for(&mut client, &receipt);
    assert_eq!(residues(&mut client, &receipt, &[SECRET]), []);
}

#[test]
fn an_owner_is_told_what_could_not_be_looked_at_and_others_nothing() {
    let (cluster, mut client) = with_secret();
    client
        .batch_execute(
            "CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; ALTER TABLE article OWNER TO alice;
             ALTER TABLE handbook_chunk OWNER TO alice; ALTER TABLE handbook_change OWNER TO alice;
             ALTER TABLE handbook_document OWNER TO alice",
        )
        .unwrap();
    let connect = |role: &str| cluster.configuration().user(role).connect(NoTls).unwrap();
    let (mut alice, mut bob) = (connect("alice"), connect("bob"));
    let receipt = forget(&mut alice, r#"'handbook', '{"id": 7}', delete_source => true"#);
    wait_for(&mut alice, &receipt);
    let sql =
        format!("SELECT finding FROM socle.verify_erasure($${receipt}$$) WHERE place = 'pages of relations, files'");
    assert_eq!(alice.query_one(&sql, &[]).unwrap().get::<_, String>(0), "not looked at");
    let sql = format!("SELECT count(*) FROM socle.verify_erasure($${receipt}$$)");
    assert_eq!(error_of(&bob.query(&sql, &[]).unwrap_err()).0, "42501");
    assert_eq!(bob.query("SELECT FROM socle.erasure_status", &[]).unwrap().len(), 0);
    assert_eq!(error_of(&bob.query("SELECT FROM socle.erasure", &[]).unwrap_err()).0, "42501");
    assert_eq!(alice.query("SELECT FROM socle.erasure_status", &[]).unwrap().len(), 1);
}

#[test]
fn a_standby_is_cleared_by_following() {
    let (primary, mut client) = with_secret();
    client.batch_execute("CHECKPOINT").unwrap();
    let standby = Cluster::standby_of(&primary);
    standby.start();
    let mut reader = standby.wait_for_connection();
    assert!(!files_with(&standby, &[SECRET]).is_empty(), "the secret word is in no file to begin with");
    let receipt = forget(&mut client, r#"'handbook', '{"id": 7}', delete_source => true"#);
    wait_for(&mut client, &receipt);
    client.batch_execute("CHECKPOINT").unwrap();
    let written: String = client.query_one("SELECT pg_current_wal_flush_lsn()::text", &[]).unwrap().get(0);
    eventually("the standby has followed", || {
        let sql = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'::pg_lsn");
        reader.query_one(&sql, &[]).unwrap().get::<_, bool>(0).then_some(())
    });
    // Its own checkpoint, at that of the primary.
    reader.batch_execute("CHECKPOINT").unwrap();
    assert_eq!(files_with(&standby, &[SECRET, SECRET_TITLE]), Vec::<String>::new());
}
