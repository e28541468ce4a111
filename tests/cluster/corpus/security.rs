//! Nobody sees through a corpus what he may not see in its source, and nobody's code runs with another's rights.

use super::{settle, value, with_corpus};
use crate::sqlstate;
use postgres::Client;

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
        "SELECT socle._column_numbers(1, '{a}')",
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
