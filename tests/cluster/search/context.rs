//! Where a search may stand in SQL; everywhere it runs once, in the snapshot of its statement.

use super::{found, value, with_papers};
use crate::sqlstate;
use postgres::Client;
use socle_tests::{Cluster, eventually};

fn requests(client: &mut Client) -> i64 {
    value(client, "SELECT request_count FROM socle.engine_status")
}

#[test]
fn a_search_stands_wherever_a_table_may() {
    let (_cluster, mut client) = with_papers(60);
    let expected = found(&mut client, "'fox river', mode => 'vector', result_limit => 5");
    assert_eq!(expected.len(), 5);
    // Prepared: custom plans first, a generic one then.
    let statement = client
        .prepare("SELECT (source_key->>'id')::int FROM socle.search('paper', $1, mode => 'vector', result_limit => $2)")
        .unwrap();
    for _ in 0..8 {
        let rows = client.query(&statement, &[&"fox river", &5]).unwrap();
        assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<i32>>(), expected);
    }
    // A cursor goes on in its snapshot while the session changes what it reads.
    let mut transaction = client.transaction().unwrap();
    transaction
        .batch_execute("DECLARE c CURSOR WITH HOLD FOR SELECT (source_key->>'id')::int FROM socle.search('paper', 'fox river', mode => 'vector', result_limit => 5)")
        .unwrap();
    let mut ids: Vec<i32> = transaction.query("FETCH 2 FROM c", &[]).unwrap().iter().map(|row| row.get(0)).collect();
    transaction.batch_execute("DELETE FROM paper WHERE id % 2 = 0").unwrap();
    ids.extend(transaction.query("FETCH ALL FROM c", &[]).unwrap().iter().map(|row| row.get::<_, i32>(0)));
    assert_eq!(ids, expected);
    // A transaction sees its own changes.
    let rows = transaction
        .query("SELECT (source_key->>'id')::int FROM socle.search('paper', 'fox river', mode => 'vector')", &[])
        .unwrap();
    assert!(rows.len() == 10 && rows.iter().all(|row| row.get::<_, i32>(0) % 2 == 1));
    transaction.rollback().unwrap();

    let lateral = "SELECT count(*), count(DISTINCT q) FROM (VALUES ('fox'), ('wolf'), ('raven')) AS v (q), LATERAL socle.search('paper', q, mode => 'vector', result_limit => 4)";
    let row = client.query_one(lateral, &[]).unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (12, 3));
    client
        .batch_execute(
            "CREATE FUNCTION ask(q text) RETURNS int[] LANGUAGE plpgsql AS $$
             DECLARE r record; ids int[];
             BEGIN
                 FOR r IN SELECT * FROM socle.search('paper', q, mode => 'vector', result_limit => 5) LOOP
                     INSERT INTO asked VALUES (r.chunk_id);
                     ids := ids || (r.source_key->>'id')::int;
                 END LOOP;
                 BEGIN PERFORM * FROM socle.search('nowhere', q); EXCEPTION WHEN undefined_object THEN NULL; END;
                 RETURN ids;
             END $$;
             CREATE TABLE asked (chunk_id bigint)",
        )
        .unwrap();
    for _ in 0..3 {
        assert_eq!(value::<Vec<i32>>(&mut client, "SELECT ask('fox river')"), expected);
    }
}

#[test]
fn a_search_reads_beside_a_parallel_plan_and_in_transactions_that_only_read() {
    let (_cluster, mut client) = with_papers(60);
    client
        .batch_execute(
            "CREATE TABLE wide AS SELECT i, i % 60 AS paper FROM generate_series(1, 100000) i; ANALYZE wide;
             SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET max_parallel_workers_per_gather = 2",
        )
        .unwrap();
    let sql = "SELECT count(*) FROM wide WHERE paper IN (SELECT (source_key->>'id')::int FROM socle.search('paper', 'fox', mode => 'vector', result_limit => 6))";
    let plan: Vec<String> =
        client.query(&format!("EXPLAIN {sql}"), &[]).unwrap().iter().map(|row| row.get(0)).collect();
    assert!(plan.iter().any(|line| line.contains("Parallel")), "{plan:?}");
    let expected: i64 = value(&mut client, sql);
    assert!(expected > 8_000, "{expected}");
    // After a write of the same transaction, too.
    client.batch_execute("BEGIN; INSERT INTO wide SELECT 1, -1").unwrap();
    assert_eq!(value::<i64>(&mut client, sql), expected);
    client.batch_execute("COMMIT; SET debug_parallel_query = on").ok();
    assert_eq!(found(&mut client, "'fox', mode => 'vector'").len(), 10);
    for sql in [
        "BEGIN READ ONLY",
        "COMMIT; BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE",
        "COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ",
    ] {
        client.batch_execute(sql).unwrap();
        for mode in super::MODES {
            let ids = found(&mut client, &format!("'fox', mode => '{mode}', filter => '{{\"tenant\": 2}}'"));
            assert!(mode == "keyword" || ids.len() == 9, "{sql}, {mode}: {ids:?}");
        }
    }
    client.batch_execute("COMMIT").unwrap();
}

#[test]
fn explain_runs_no_inference() {
    let (_cluster, mut client) = with_papers(10);
    found(&mut client, "'fox'");
    let before = requests(&mut client);
    for sql in [
        "EXPLAIN SELECT * FROM socle.search('paper', 'a question')",
        "EXPLAIN (VERBOSE, COSTS) SELECT * FROM socle.search(ARRAY['paper'], 'a question', rerank_model => 'reranker')",
        "EXPLAIN SELECT * FROM socle.explain_search('paper', 'a question')",
        "EXPLAIN SELECT * FROM paper_chunk ORDER BY embedding <=> (SELECT socle.embed_query('a question', 'minilm')) LIMIT 5",
        "EXPLAIN SELECT * FROM (VALUES ('a'), ('b')) AS v (q), LATERAL socle.search('paper', q)",
    ] {
        client.query(sql, &[]).unwrap();
    }
    client
        .batch_execute("PREPARE p AS SELECT * FROM socle.search('paper', $1); EXPLAIN EXECUTE p ('a question')")
        .unwrap();
    assert_eq!(requests(&mut client), before);
    found(&mut client, "'fox', mode => 'vector'");
    assert!(requests(&mut client) > before, "the counter counts");
}

#[test]
fn plans_of_the_session_follow_roles_policies_and_tables() {
    let (_cluster, mut client) = with_papers(60);
    client
        .batch_execute(
            "CREATE ROLE reader; CREATE ROLE other; GRANT SELECT ON paper, paper_chunk TO reader, other;
             CREATE POLICY seen ON paper TO reader USING (tenant = 1); CREATE POLICY others ON paper TO other USING (tenant = 2)",
        )
        .unwrap();
    let tenants = |client: &mut Client, role: &str| -> Vec<i32> {
        client.batch_execute(&format!("SET ROLE {role}")).unwrap();
        let sql = "SELECT DISTINCT tenant FROM paper JOIN socle.search('paper', 'fox', mode => 'vector', result_limit => 60) ON (source_key->>'id')::int = id ORDER BY 1";
        let tenants = client.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect();
        client.batch_execute("RESET ROLE").unwrap();
        tenants
    };
    let all = [0, 1, 2, 3, 4, 5, 6];
    assert_eq!(tenants(&mut client, "reader"), all);
    client.batch_execute("ALTER TABLE paper ENABLE ROW LEVEL SECURITY").unwrap();
    for _ in 0..2 {
        assert_eq!(tenants(&mut client, "reader"), [1]);
        assert_eq!(tenants(&mut client, "other"), [2]);
        assert_eq!(tenants(&mut client, "postgres"), all);
    }
    client.batch_execute("SET row_security = off; SET ROLE reader").unwrap();
    assert_eq!(sqlstate(super::try_found(&mut client, "'fox', mode => 'vector'")), "42501", "as Postgres has it");
    client.batch_execute("RESET ROLE; RESET row_security; ALTER ROLE other BYPASSRLS").unwrap();
    assert_eq!(tenants(&mut client, "other"), all);
    client.batch_execute("ALTER POLICY seen ON paper USING (tenant = 3)").unwrap();
    assert_eq!(tenants(&mut client, "reader"), [3]);
    // Renamed, moved, with another column: the same corpus.
    client
        .batch_execute(
            "CREATE SCHEMA archive; GRANT USAGE ON SCHEMA archive TO reader; ALTER TABLE paper RENAME TO sheet; ALTER TABLE sheet SET SCHEMA archive;
             ALTER TABLE archive.sheet RENAME id TO number; ALTER TABLE paper_chunk RENAME TO pieces; ALTER TABLE archive.sheet ADD mark int DEFAULT 7",
        )
        .unwrap();
    client.batch_execute("SET ROLE reader").unwrap();
    let sql = "SELECT count(*) FROM socle.search('paper', 'fox', mode => 'vector', result_limit => 60, filter => '{\"mark\": 7, \"number\": {\">\": 20}}')
               WHERE source_key ? 'number'";
    assert_eq!(value::<i64>(&mut client, sql), 6);
    client.batch_execute("RESET ROLE; REVOKE USAGE ON SCHEMA archive FROM reader; SET ROLE reader").unwrap();
    let sql = "SELECT * FROM socle.search('paper', 'fox', mode => 'vector')";
    assert_eq!(sqlstate(client.query(sql, &[])), "42501", "without the schema of the source");
}

#[test]
fn a_hot_standby_searches() {
    let (primary, mut client) = with_papers(60);
    let standby = Cluster::standby_of(&primary);
    standby.start();
    let mut reader = standby.wait_for_connection();
    for mode in super::MODES {
        let arguments = format!(
            "'the fox beside the river', mode => '{mode}', rerank_model => 'reranker', filter => '{{\"level\": 1}}'"
        );
        assert_eq!(found(&mut reader, &arguments), found(&mut client, &arguments), "{mode}");
    }
    // Corruption is repaired where it can be, and the repair is replicated.
    let search = "SELECT chunk_id FROM socle.search('paper', 'fox', mode => 'keyword')";
    let hits = |client: &mut Client| client.query(search, &[]).map_or(0, |rows| rows.len());
    let whole = hits(&mut client);
    assert!(whole > 0);
    client.batch_execute("CALL socle.sync_corpus('paper')").unwrap();
    client
        .batch_execute("UPDATE socle.keyword_segment_part SET bytes = set_byte(bytes, 200, 255 - get_byte(bytes, 200))")
        .unwrap();
    let same =
        "SELECT coalesce(string_agg(md5(bytes), ' ' ORDER BY digest, part_number), '') FROM socle.keyword_segment_part";
    let catch_up = |client: &mut Client, reader: &mut Client| {
        eventually("the standby has the same rows", || {
            (value::<String>(reader, same) == value::<String>(client, same)).then_some(())
        });
    };
    catch_up(&mut client, &mut reader);
    for cluster in [&primary, &standby] {
        crate::corpus::keyword::forget_cache(cluster);
    }
    let error = reader.query(search, &[]).err().and_then(|error| error.as_db_error().cloned()).unwrap();
    assert_eq!(error.code().code(), "XX002");
    assert!(error.hint().is_some_and(|hint| hint.contains("on the primary")), "{error:?}");
    assert_eq!(sqlstate(client.query(search, &[])), "XX002");
    eventually("the primary has it made anew", || (hits(&mut client) == whole).then_some(()));
    catch_up(&mut client, &mut reader);
    assert_eq!(hits(&mut reader), whole);
    client.batch_execute("SELECT socle.pause_corpus('paper'); UPDATE paper SET body = 'x' WHERE id < 40").unwrap();
    eventually("the standby has heard of it", || {
        (value::<i64>(&mut reader, "SELECT count(*) FROM paper_change") > 0).then_some(())
    });
    let ids = found(&mut reader, "'fox', mode => 'vector', result_limit => 60");
    assert_eq!((ids.len(), ids.iter().min()), (21, Some(&40)));
}
