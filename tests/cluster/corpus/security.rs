//! No role sees through a corpus what it may not see in its source, and no code runs with the rights of another role.

use super::{settle, value, with_corpus};
use crate::sqlstate;
use postgres::Client;
use socle_tests::error_of;

fn visible_to(client: &mut Client, role: &str) -> Vec<i32> {
    client.batch_execute(&format!("SET ROLE {role}")).unwrap();
    let rows = client.query("SELECT source_id FROM handbook_chunk ORDER BY 1", &[]).unwrap();
    client.batch_execute("RESET ROLE").unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[test]
fn chunks_are_as_visible_as_their_rows() {
    let (_cluster, mut client) = with_corpus(4);
    client.batch_execute("CREATE ROLE reader; CREATE ROLE half; CREATE ROLE bypass BYPASSRLS; GRANT SELECT ON handbook_chunk TO reader, half, bypass").unwrap();
    client.batch_execute("SET ROLE reader").unwrap();
    assert_eq!(sqlstate(client.query("SELECT * FROM handbook_chunk", &[])), "42501", "no right to the source");
    client
        .batch_execute(
            "RESET ROLE; GRANT SELECT ON article TO reader, bypass; GRANT SELECT (id, title) ON article TO half",
        )
        .unwrap();
    assert_eq!(visible_to(&mut client, "reader"), [1, 2, 3, 4]);
    client.batch_execute("SET ROLE half").unwrap();
    assert_eq!(
        sqlstate(client.query("SELECT content FROM handbook_chunk", &[])),
        "42501",
        "content comes from a column he may not read"
    );
    client.batch_execute("RESET ROLE; ALTER TABLE article ENABLE ROW LEVEL SECURITY").unwrap();
    assert_eq!(visible_to(&mut client, "reader"), Vec::<i32>::new());
    assert_eq!(visible_to(&mut client, "bypass"), [1, 2, 3, 4]);
    client.batch_execute("CREATE POLICY odd ON article TO reader USING (id % 2 = 1)").unwrap();
    assert_eq!(visible_to(&mut client, "reader"), [1, 3]);
    client.batch_execute("ALTER POLICY odd ON article USING (id > 2)").unwrap();
    assert_eq!(visible_to(&mut client, "reader"), [3, 4], "a change of the policy counts at once");
    client.batch_execute("DELETE FROM article WHERE id = 3").unwrap();
    assert_eq!(visible_to(&mut client, "reader"), [4], "before any worker has looked");
    // Rows without content in one column are rows all the same.
    client.batch_execute("UPDATE article SET title = NULL WHERE id = 4").unwrap();
    settle(&mut client);
    assert_eq!(visible_to(&mut client, "reader"), [4]);
    client.batch_execute("SET ROLE reader").unwrap();
    for sql in [
        "INSERT INTO handbook_change (source_id) VALUES (1)",
        "SELECT * FROM handbook_document",
        "DELETE FROM handbook_chunk",
        "SELECT socle.drop_corpus('handbook')",
        "SELECT socle.pause_corpus('handbook')",
        "SELECT socle.resume_corpus('handbook')",
        "SELECT socle.retry_failed('handbook')",
        "SELECT * FROM socle.verify_corpus('handbook')",
        "UPDATE socle.corpus SET state = 'paused'",
        "DELETE FROM socle.corpus_binding",
        "SELECT socle_internal.column_numbers(1, '{a}')",
    ] {
        assert_eq!(sqlstate(client.simple_query(sql)), "42501", "{sql}");
    }
    let counts: Option<i64> = value(&mut client, "SELECT pending_count FROM socle.corpus_status");
    assert_eq!(counts, None, "counts are for those who may read the log");
    let waited: bool = value(&mut client, "SELECT socle.wait_for_corpus('handbook')");
    assert!(waited, "a reader may wait");
}

#[test]
fn forced_row_security_breaks_the_corpus_instead_of_emptying_it() {
    let (_cluster, mut client) = with_corpus(3);
    client
        .batch_execute(
            "CREATE ROLE owner; GRANT ALL ON SCHEMA public TO owner;
             ALTER TABLE article OWNER TO owner; ALTER TABLE handbook_chunk OWNER TO owner; ALTER TABLE handbook_change OWNER TO owner; ALTER TABLE handbook_document OWNER TO owner;
             ALTER TABLE article ENABLE ROW LEVEL SECURITY; ALTER TABLE article FORCE ROW LEVEL SECURITY;
             UPDATE article SET body = 'changed' WHERE id = 1",
        )
        .unwrap();
    let reason = super::wait_for_state(&mut client, "broken");
    assert!(reason.contains("row-level security"), "{reason}");
    let chunks: i64 = value(&mut client, "SELECT count(*) FROM handbook_chunk");
    assert_eq!(chunks, 3, "nothing was taken for deleted");
    client
        .batch_execute("ALTER TABLE article NO FORCE ROW LEVEL SECURITY; SELECT socle.resume_corpus('handbook')")
        .unwrap();
    settle(&mut client);
}

#[test]
fn code_of_the_owner_runs_as_the_owner_and_leaves_no_setting() {
    let (_cluster, mut client) = with_corpus(1);
    client
        .batch_execute(
            "CREATE ROLE mallory; CREATE SCHEMA trap AUTHORIZATION mallory; GRANT ALL ON SCHEMA public TO mallory;
             CREATE TABLE canary (who text, session text, path text); GRANT ALL ON canary TO PUBLIC;
             SET ROLE mallory;
             CREATE TABLE bait (id int PRIMARY KEY, body text);
             INSERT INTO bait VALUES (1, 'one');
             SELECT socle.create_corpus('bait', 'bait', ARRAY['body'], model => 'minilm');
             CREATE FUNCTION trap.spring() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO public.canary VALUES (current_user, session_user, current_setting('search_path'));
                 PERFORM set_config('search_path', 'trap, public', false);
                 PERFORM set_config('row_security', 'on', false);
                 BEGIN EXECUTE 'SET ROLE postgres'; INSERT INTO public.canary VALUES ('escaped', '', ''); EXCEPTION WHEN OTHERS THEN NULL; END;
                 BEGIN EXECUTE 'SET SESSION AUTHORIZATION postgres'; INSERT INTO public.canary VALUES ('escaped', '', ''); EXCEPTION WHEN OTHERS THEN NULL; END;
                 RETURN NEW; END $$;
             CREATE TRIGGER spring BEFORE INSERT ON bait_chunk FOR EACH ROW EXECUTE FUNCTION trap.spring();
             CREATE TRIGGER spring BEFORE INSERT ON bait_change FOR EACH ROW EXECUTE FUNCTION trap.spring();
             CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE sql AS $$ INSERT INTO public.canary VALUES (current_user, 'now', '') RETURNING '-infinity'::timestamptz $$;
             GRANT ALL ON bait TO PUBLIC;
             RESET ROLE; SET search_path = trap, public;
             INSERT INTO bait VALUES (2, 'two'), (3, 'three');
             RESET search_path",
        )
        .unwrap();
    let done: bool = value(&mut client, "SELECT socle.wait_for_corpus('bait')");
    assert!(done);
    client.batch_execute("UPDATE article SET body = 'another corpus, afterwards'").unwrap();
    settle(&mut client);
    let users: Vec<String> =
        client.query("SELECT DISTINCT who FROM canary", &[]).unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(users, ["mallory"]);
    let path: i64 = value(&mut client, "SELECT count(*) FROM canary WHERE path LIKE 'trap%' AND session <> 'postgres'");
    assert_eq!(path, 0);
}

#[test]
fn a_trigger_with_a_borrowed_name_writes_nowhere() {
    let (_cluster, mut client) = with_corpus(2);
    client
        .batch_execute(
            "CREATE ROLE mallory; GRANT ALL ON SCHEMA public TO mallory; SET ROLE mallory;
             CREATE TABLE own (id int PRIMARY KEY, body text);
             CREATE TRIGGER mine AFTER INSERT ON own FOR EACH ROW EXECUTE FUNCTION socle._capture_change('handbook');
             CREATE TRIGGER none AFTER INSERT ON own FOR EACH ROW EXECUTE FUNCTION socle._capture_change();
             SELECT socle.wait_for_corpus('handbook') FROM (SELECT 1) AS x WHERE false;
             INSERT INTO own VALUES (77, 'x'); RESET ROLE",
        )
        .unwrap();
    let logged: i64 = value(&mut client, "SELECT count(*) FROM handbook_change");
    assert_eq!(logged, 0);
    assert_eq!(sqlstate(client.simple_query("SELECT socle._capture_change()")), "39P01");
}

#[test]
fn a_role_without_the_right_to_read_learns_nothing_from_hits() {
    let (_cluster, mut client) = with_corpus(3);
    client
        .batch_execute(
            "CREATE ROLE nobody; CREATE ROLE chunks_alone; CREATE ROLE all_but_body; CREATE ROLE columns; CREATE ROLE elsewhere;
             GRANT SELECT ON handbook_chunk TO chunks_alone, all_but_body;
             GRANT SELECT (id, title) ON article TO all_but_body;
             GRANT SELECT (id, title, body) ON article TO columns;
             GRANT SELECT (chunk_id, source_id, ordinal, content, heading_path, page, start_offset, end_offset, embedding)
                 ON handbook_chunk TO columns;
             CREATE SCHEMA closed; CREATE TABLE closed.note (id int PRIMARY KEY, body text); INSERT INTO closed.note VALUES (1, 'body');
             SELECT socle.create_corpus('closed', 'closed.note', '{body}', model => 'minilm');
             GRANT SELECT ON ALL TABLES IN SCHEMA closed TO elsewhere;
             CREATE TABLE query (id int, query text); CREATE TABLE judgment (query int, id int, grade int);
             GRANT SELECT ON query, judgment TO PUBLIC",
        )
        .unwrap();
    let mut calls = Vec::new();
    for query in ["body", "unheardof", "\"body of article\"", "bo*"] {
        for mode in ["keyword", "vector", "hybrid"] {
            calls.push(format!("SELECT * FROM socle.search('handbook', '{query}', mode => '{mode}')"));
            calls.push(format!("SELECT * FROM socle.explain_search('handbook', '{query}', mode => '{mode}')"));
        }
    }
    calls.push("SELECT * FROM socle.search('handbook', 'body', filter => '{\"id\": 1}')".into());
    calls.push("SELECT * FROM socle.search(ARRAY['handbook'], 'unheardof', mode => 'keyword')".into());
    calls.push("SELECT * FROM socle.evaluate('handbook', 'query', 'judgment')".into());
    assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('handbook')"));
    client.batch_execute("SET ROLE nobody").unwrap();
    assert_eq!(sqlstate(client.simple_query("SELECT socle.wait_for_corpus('handbook', '0')")), "42501");
    client.batch_execute("RESET ROLE").unwrap();
    for role in ["nobody", "chunks_alone", "all_but_body"] {
        client.batch_execute(&format!("SET ROLE {role}")).unwrap();
        for call in &calls {
            assert_eq!(sqlstate(client.simple_query(call)), "42501", "{role}: {call}");
        }
        client.batch_execute("RESET ROLE").unwrap();
    }
    client.batch_execute("SET ROLE columns").unwrap();
    for call in &calls {
        client.simple_query(call).unwrap_or_else(|error| panic!("{call}: {error}"));
    }
    client.batch_execute("RESET ROLE; SET ROLE elsewhere").unwrap();
    let error =
        client.simple_query("SELECT * FROM socle.search('closed', 'unheardof', mode => 'keyword')").unwrap_err();
    let (code, message, ..) = error_of(&error);
    assert_eq!((code.as_str(), message.as_str()), ("42501", "permission denied for schema closed"));
}

#[test]
fn nobody_holds_up_or_pushes_aside_the_corpus_of_another() {
    let (cluster, mut client) = with_corpus(3);
    let mut other = cluster.connect();
    client
        .batch_execute(
            "CREATE ROLE other; CREATE SCHEMA other AUTHORIZATION other; GRANT CREATE ON SCHEMA public TO other;
             CREATE ROLE owner; GRANT ALL ON SCHEMA public TO owner; ALTER TABLE article OWNER TO owner; ALTER TABLE handbook_chunk OWNER TO owner;
             ALTER TABLE handbook_change OWNER TO owner; ALTER TABLE handbook_document OWNER TO owner",
        )
        .unwrap();
    other.batch_execute("SET SESSION AUTHORIZATION other").unwrap();
    // By a trigger of that name, on a table of the role's own and on a table that is not a partition.
    other
        .batch_execute(
            "CREATE TABLE other.own (id int, title text, body text);
             CREATE TRIGGER socle_capture_handbook AFTER INSERT ON other.own FOR EACH ROW EXECUTE FUNCTION socle._capture_change('handbook')",
        )
        .unwrap();
    other.batch_execute("BEGIN; DROP TRIGGER socle_capture_handbook ON other.own").unwrap();
    let own_rows = "RESET SESSION AUTHORIZATION; SELECT count(*) FROM handbook_change";
    assert_eq!(count(&mut other, own_rows), 0);
    other.batch_execute("ROLLBACK").unwrap();
    other.batch_execute("SET SESSION AUTHORIZATION other").unwrap();
    other.batch_execute("BEGIN; DROP TABLE other.own").unwrap();
    assert_eq!(count(&mut other, own_rows), 0);
    other.batch_execute("COMMIT").unwrap();
    // By advisory locks, whatever their numbers.
    other
        .batch_execute(
            "SET SESSION AUTHORIZATION other;
             SELECT pg_advisory_lock(c, b.change::int) FROM socle.corpus_binding b, unnest(ARRAY[330782, 330783, 330784, 330785, 20673, 20674, 20675, 3079]) AS c;
             SELECT pg_advisory_lock(3079, 20673)",
        )
        .unwrap();
    client.batch_execute("INSERT INTO article VALUES (4, 'four', 'while others hold locks')").unwrap();
    settle(&mut client);
    // By the names of corpora and relations that alter_corpus creates.
    other.batch_execute("CREATE TABLE other.m (id int PRIMARY KEY, body text)").unwrap();
    for name in ["handbook~next", "~", "a~b"] {
        let create = format!("SELECT socle.create_corpus('{name}', 'other.m', '{{body}}', model => 'minilm')");
        assert_eq!(sqlstate(other.simple_query(&create)), "22023", "{name}");
    }
    other.batch_execute("CREATE TABLE public.\"handbook~next_chunk\" (a int); CREATE TABLE public.\"handbook~next2_document\" (a int)").unwrap();
    client.batch_execute("SET ROLE owner").unwrap();
    let next: String = value(&mut client, "SELECT socle.alter_corpus('handbook', max_tokens => 77)");
    assert_eq!(next, "handbook~next3");
    client
        .batch_execute(
            "SELECT socle.drop_corpus('handbook~next3'); SELECT socle.alter_corpus('handbook', max_tokens => 78)",
        )
        .unwrap();
    client.batch_execute("RESET ROLE").unwrap();
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    settle(&mut client);
    let names = "SELECT count(*) FROM pg_class WHERE relname LIKE '%~%' AND relname NOT IN ('handbook~next_chunk', 'handbook~next2_document')";
    assert_eq!(value::<i64>(&mut client, names), 0);
    // The owner of a corpus may drop what was to replace it, though that belonged to another role.
    client
        .batch_execute(
            "BEGIN; SELECT socle.alter_corpus('handbook', max_tokens => 79); ALTER TABLE handbook_chunk OWNER TO other;
             SET ROLE other; SELECT socle.drop_corpus('handbook~next3'); RESET ROLE; COMMIT",
        )
        .unwrap();
}

fn count(client: &mut Client, sql: &str) -> i64 {
    let messages = client.simple_query(sql).unwrap();
    let row = messages.iter().find_map(|message| match message {
        postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_string),
        _ => None,
    });
    row.unwrap().parse().unwrap()
}

#[test]
fn what_everybody_may_read_of_a_corpus_says_nothing_of_data() {
    let (_cluster, mut client) = with_corpus(2);
    // The worker gets this error before the worker knows which document is the cause.
    client
        .batch_execute(
            "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'secret of %', NEW.change_id USING ERRCODE = '42501', DETAIL = 'secret'; END $$;
             CREATE TRIGGER tell BEFORE UPDATE ON handbook_change FOR EACH ROW EXECUTE FUNCTION tell();
             INSERT INTO article VALUES (3, 'three', 'secret')",
        )
        .unwrap();
    let reason = super::wait_for_state(&mut client, "broken");
    assert_eq!(reason, "insufficient privilege (SQLSTATE 42501); the log of the server says more");
    client.batch_execute("DROP TRIGGER tell ON handbook_change; SELECT socle.resume_corpus('handbook')").unwrap();
    settle(&mut client);
}
