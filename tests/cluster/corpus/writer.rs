//! A write to a source does not fail because of the state of its corpus, and nothing written is lost.

use super::{settle, status, value, with_corpus};
use postgres::Client;

/// Writes in every way that is logged differently.
fn write(client: &mut Client, number: i32) {
    client
        .batch_execute(&format!(
            "INSERT INTO article VALUES ({number}, '', 'alone {number}');
             BEGIN; SAVEPOINT s; INSERT INTO article VALUES ({number} + 1, '', 'in a savepoint {number}'); RELEASE s;
             SAVEPOINT s; INSERT INTO article VALUES ({number} + 2, '', 'rolled back {number}'); ROLLBACK TO s;
             INSERT INTO article VALUES ({number} + 3, '', 'before it ends {number}'); COMMIT;
             DO $$ BEGIN INSERT INTO article VALUES ({number} + 4, '', 'in a block {number}');
                 BEGIN INSERT INTO article VALUES ({number} + 5, '', 'in an inner block {number}'); EXCEPTION WHEN OTHERS THEN RAISE; END; END $$;
             BEGIN; INSERT INTO article VALUES ({number} + 6, '', 'then read only {number}'); SET TRANSACTION READ ONLY; COMMIT;
             INSERT INTO article SELECT {number} + 10 + i, '', 'many {number}' FROM generate_series(1, 1500) i;
             DELETE FROM article WHERE id > {number} + 10"
        ))
        .unwrap();
    let written: i64 =
        value(client, &format!("SELECT count(*) FROM article WHERE id BETWEEN {number} AND {number} + 6"));
    assert_eq!(written, 6, "{number}");
}

/// What may block a log, and what removes that.
const OBSTACLES: [(&str, &str); 11] = [
    ("SELECT 1", "SELECT 1"),
    ("ALTER SCHEMA shelf OWNER TO postgres", "ALTER SCHEMA shelf OWNER TO owner"),
    ("REVOKE INSERT ON handbook_change FROM owner", "GRANT INSERT ON handbook_change TO owner"),
    (
        "CREATE TRIGGER no BEFORE INSERT ON handbook_change FOR EACH ROW EXECUTE FUNCTION refuse()",
        "DROP TRIGGER no ON handbook_change",
    ),
    (
        "ALTER TABLE handbook_change ADD CONSTRAINT no CHECK (source_id < 0) NOT VALID",
        "ALTER TABLE handbook_change DROP CONSTRAINT no",
    ),
    (
        "ALTER TABLE handbook_change ADD COLUMN no int CHECK (no IS NOT NULL)",
        "ALTER TABLE handbook_change DROP COLUMN no",
    ),
    ("CREATE UNIQUE INDEX no ON handbook_change ((1))", "DROP INDEX no"),
    ("CREATE RULE no AS ON INSERT TO handbook_change DO ALSO SELECT 1 / 0", "DROP RULE no ON handbook_change"),
    (
        "ALTER TABLE handbook_change ALTER COLUMN attempt_count SET DEFAULT 1 / (random() * 0)::int",
        "ALTER TABLE handbook_change ALTER COLUMN attempt_count SET DEFAULT 0",
    ),
    (
        "ALTER TABLE handbook_change ALTER COLUMN source_id TYPE smallint, ALTER COLUMN batch_1 TYPE smallint[]",
        "ALTER TABLE handbook_change ALTER COLUMN source_id TYPE int, ALTER COLUMN batch_1 TYPE int[]",
    ),
    (
        "ALTER TABLE handbook_change RENAME COLUMN source_id TO key",
        "ALTER TABLE handbook_change RENAME COLUMN key TO source_id",
    ),
];

#[test]
fn nothing_that_is_done_to_a_corpus_fails_a_writer() {
    let (_cluster, mut client) = with_corpus(3);
    client
        .batch_execute(
            "CREATE ROLE owner; CREATE SCHEMA shelf AUTHORIZATION owner;
             ALTER TABLE article SET SCHEMA shelf; ALTER TABLE handbook_chunk SET SCHEMA shelf;
             ALTER TABLE handbook_change SET SCHEMA shelf; ALTER TABLE handbook_document SET SCHEMA shelf;
             ALTER TABLE shelf.article OWNER TO owner; ALTER TABLE shelf.handbook_chunk OWNER TO owner;
             ALTER TABLE shelf.handbook_change OWNER TO owner; ALTER TABLE shelf.handbook_document OWNER TO owner;
             SET search_path = shelf, public;
             CREATE FUNCTION shelf.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
             ALTER FUNCTION shelf.refuse() OWNER TO owner",
        )
        .unwrap();
    settle(&mut client);
    for (at, (obstacle, remedy)) in (0_i32..).zip(OBSTACLES) {
        let number = 40_000 + at * 10_000;
        client.batch_execute(obstacle).unwrap_or_else(|error| panic!("{obstacle}: {error:?}"));
        write(&mut client, number);
        client.batch_execute(remedy).unwrap();
        client.batch_execute("SELECT socle.resume_corpus('handbook')").unwrap();
        settle(&mut client);
        let missed: i64 = value(&mut client, "SELECT count(*) FROM socle.missed_change");
        assert_eq!(missed, 0, "{obstacle}: {}", status(&mut client));
    }
    // The purpose of the record: a session that waits for the corpus is not told too early that the corpus is in sync.
    client.batch_execute("SELECT socle.pause_corpus('handbook'); REVOKE INSERT ON handbook_change FROM owner").unwrap();
    write(&mut client, 1000);
    let pending: i64 = value(&mut client, "SELECT pending_count FROM socle.corpus_status");
    assert!(pending > 0);
    let done: bool = value(&mut client, "SELECT socle.wait_for_corpus('handbook', '100 milliseconds')");
    assert!(!done);
    client.batch_execute("BEGIN; UPDATE article SET body = 'own' WHERE id = 1").unwrap();
    let waited = client.batch_execute("SELECT socle.wait_for_corpus('handbook')");
    assert_eq!(crate::sqlstate(waited), "25001");
    client
        .batch_execute("ROLLBACK; GRANT INSERT ON handbook_change TO owner; SELECT socle.resume_corpus('handbook')")
        .unwrap();
    settle(&mut client);
    client.batch_execute("DROP TABLE handbook_change").unwrap();
    write(&mut client, 2000);
    client.batch_execute("SELECT socle.drop_corpus('handbook')").unwrap();
    let missed: i64 = value(&mut client, "SELECT count(*) FROM socle.missed_change");
    assert_eq!(missed, 0, "what is left of a corpus goes with it");
    write(&mut client, 3000);
}

/// Sessions of applications that are new to a corpus, while somebody works on other tables of the database for long.
#[test]
fn tables_that_somebody_has_locked_hold_up_nobody_who_does_not_use_them() {
    let (cluster, mut client) = with_corpus(3);
    client
        .batch_execute(
            "CREATE TABLE plain (id int PRIMARY KEY DEFAULT 1, kind text CHECK (kind <> ''), twice int GENERATED ALWAYS AS (id * 2) STORED);
             CREATE INDEX ON plain (kind) WHERE id > 0; CREATE VIEW plain_view AS SELECT * FROM plain;
             CREATE TABLE note (id int PRIMARY KEY DEFAULT 1, text text);
             SELECT socle.create_corpus('notes', 'note', ARRAY['text'], model => 'minilm');
             CREATE TABLE page (id int PRIMARY KEY, text text); INSERT INTO page VALUES (1, 'A page.')",
        )
        .unwrap();
    assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('notes', '1 minute')"));
    let mut lock = client.transaction().unwrap();
    lock.batch_execute("LOCK TABLE plain, note, notes_chunk, notes_change, notes_document IN ACCESS EXCLUSIVE MODE")
        .unwrap();
    for statement in [
        "INSERT INTO article VALUES (10, '', 'new to the session')",
        "UPDATE article SET body = 'changed' WHERE id = 10",
        "DELETE FROM article WHERE id = 10",
        "COPY article (id, body) FROM PROGRAM 'echo 11,copied' (FORMAT csv)",
        "SELECT count(*) FROM socle.search('handbook', 'article')",
        "SELECT count(*) FROM socle.explain_search('handbook', 'article')",
        "SELECT socle.wait_for_corpus('handbook', '1 minute')",
        "SELECT count(*) FROM socle.verify_corpus('handbook')",
        "SELECT count(*) FROM socle.corpus_status",
        "SELECT count(*) FROM socle.job_failure",
        "SELECT count(*) FROM socle.worker_status",
        "SELECT socle.sovereignty_report()",
        "SELECT socle.pause_corpus('handbook')",
        "SELECT socle.resume_corpus('handbook')",
        "SELECT socle.retry_failed('handbook')",
        "SELECT socle.create_corpus('pages', 'page', ARRAY['text'], model => 'minilm')",
        "SELECT socle.wait_for_corpus('pages', '1 minute')",
        "ALTER TABLE page ADD COLUMN more text",
        "SELECT socle.alter_corpus('pages', template => 'Page: {content}')",
        "CALL socle.sync_corpus('pages')",
        "TRUNCATE page",
        "SELECT socle.drop_corpus('pages')",
        "DROP TABLE page",
    ] {
        let mut session = cluster.connect();
        session.batch_execute("SET lock_timeout = '5 s'").unwrap();
        session.batch_execute(statement).unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    lock.commit().unwrap();
    settle(&mut client);
}
