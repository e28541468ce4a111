//! Roles that monitor the server see numbers of every corpus; neither data, nor anything that owners have put on their
//! tables.

mod exporter;

use postgres::{Client, NoTls};
use socle_tests::{Cluster, eventually};

const CREATE: &str = "
    CREATE ROLE author LOGIN;
    CREATE ROLE watcher LOGIN IN ROLE pg_monitor;
    CREATE ROLE passer LOGIN;
    CREATE SCHEMA shelf AUTHORIZATION author;
    SET ROLE author;
    CREATE TABLE shelf.article (id text PRIMARY KEY, body text);
    INSERT INTO shelf.article SELECT 'secret key ' || i, 'secret text ' || i FROM generate_series(1, 20) i;
    SELECT socle.create_corpus('handbook', 'shelf.article', ARRAY['body'], model => 'minilm', max_attempts => 1);
    SELECT socle.create_corpus('paused', 'shelf.article', ARRAY['body'], model => 'minilm');";

/// One document of two fails.
const CHANGE: &str = "
    SELECT socle.pause_corpus('paused');
    CREATE FUNCTION shelf.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF NEW.content LIKE '%poison%' THEN RAISE 'no % here', NEW.content; END IF; RETURN NEW; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON shelf.handbook_chunk FOR EACH ROW EXECUTE FUNCTION shelf.refuse();
    INSERT INTO shelf.article VALUES ('secret poison', 'secret poison'), ('secret food', 'secret food');";

/// What an owner can have a session run that plans or runs a statement over the tables of the corpus.
const TRAPS: &str = "
    SET ROLE author;
    CREATE FUNCTION shelf.canary(anyelement) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
        BEGIN PERFORM set_config('canary.ran', current_user, false); RETURN true; END $$;
    CREATE INDEX ON shelf.handbook_change (shelf.canary(1)) WHERE shelf.canary(2);
    CREATE INDEX ON shelf.handbook_document (shelf.canary(1)) WHERE shelf.canary(2);
    ALTER TABLE shelf.handbook_change ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    ALTER TABLE shelf.handbook_document ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY trap ON shelf.handbook_change USING (shelf.canary(3));
    CREATE POLICY trap ON shelf.handbook_document USING (shelf.canary(3));
    CREATE TABLE shelf.child () INHERITS (shelf.handbook_document);
    INSERT INTO shelf.child SELECT * FROM ONLY shelf.handbook_document;";

/// A type that belongs to the owner, with a cast, in place of the type that socle gave to a count.
const FOREIGN_TYPE: &str = "
    SET ROLE author;
    CREATE TYPE shelf.amount AS (value integer);
    CREATE FUNCTION shelf.amount_to_integer(shelf.amount) RETURNS integer LANGUAGE plpgsql AS $$
        BEGIN PERFORM set_config('canary.ran', current_user, false); RETURN 1; END $$;
    CREATE CAST (shelf.amount AS integer) WITH FUNCTION shelf.amount_to_integer AS IMPLICIT;
    ALTER TABLE shelf.paused_document ALTER chunk_count TYPE shelf.amount USING ROW(1)::shelf.amount;";

fn as_role(cluster: &Cluster, role: &str) -> Client {
    cluster.configuration().user(role).connect(NoTls).unwrap()
}

const NUMBERS: &str =
    "SELECT document_count, chunk_count, pending_count, failed_count, extract(epoch FROM lag)::float8,
           state, documents_per_second > 0 FROM socle.corpus_status WHERE name = $1";

type Numbers = (Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<f64>);

fn numbers(client: &mut Client, corpus: &str) -> Numbers {
    let row = client.query_one(NUMBERS, &[&corpus]).unwrap();
    (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4))
}

#[test]
fn who_has_pg_monitor_sees_numbers_and_no_data_and_runs_nothing_of_an_owner() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    cluster.connect().batch_execute(exporter::USE).unwrap();
    for sql in [CREATE, "CALL socle.sync_corpus('handbook')", "CALL socle.sync_corpus('paused')", CHANGE] {
        client.batch_execute(sql).unwrap();
    }
    let mut watcher = as_role(&cluster, "watcher");
    eventually("all have had their attempt", || {
        let (.., pending, failed, _) = numbers(&mut watcher, "handbook");
        (pending == Some(0) && failed == Some(1)).then_some(())
    });
    assert_eq!(numbers(&mut watcher, "handbook"), (Some(21), Some(21), Some(0), Some(1), Some(0.0)));
    let (documents, chunks, pending, failed, lag) = numbers(&mut watcher, "paused");
    assert_eq!((documents, chunks, pending, failed), (Some(20), Some(20), Some(2), Some(0)));
    assert!(lag.unwrap() > 0.0);
    let own = numbers(&mut as_role(&cluster, "author"), "handbook");
    assert_eq!(own, numbers(&mut watcher, "handbook"), "one way of counting for all");
    assert_eq!(numbers(&mut as_role(&cluster, "passer"), "handbook"), (None, None, None, None, None));

    let failure = |client: &mut Client| {
        let sql =
            "SELECT source_key::text, parked, attempt_count, next_attempt_at IS NULL, failed_at <= now(), failed_step,
                       error_sqlstate, error_message FROM socle.job_failure WHERE corpus = 'handbook'";
        let rows = client.query(sql, &[]).unwrap();
        rows.iter()
            .map(|row| {
                assert!(row.get::<_, bool>(1) && row.get::<_, bool>(3) && row.get::<_, bool>(4));
                let text = |at: usize| row.get::<_, Option<String>>(at);
                (text(0), row.get::<_, i32>(2), text(5), text(6), text(7))
            })
            .collect::<Vec<_>>()
    };
    let seen = failure(&mut watcher);
    assert_eq!(seen, [(None, 1, Some("write".into()), Some("P0001".into()), None)]);
    let (key, .., message) = failure(&mut as_role(&cluster, "author")).remove(0);
    assert!(key.unwrap().contains("secret poison") && message.unwrap().contains("secret poison"));
    assert_eq!(failure(&mut as_role(&cluster, "passer")), []);
    for view in ["corpus_status", "job_failure", "worker_status", "engine_status", "model_status"] {
        let sql = format!("SELECT count(*) FROM socle.{view} v WHERE v::text LIKE '%secret%'");
        assert_eq!(watcher.query_one(&sql, &[]).unwrap().get::<_, i64>(0), 0, "{view}");
    }

    a_lock_is_the_reason(&cluster, &mut watcher);

    cluster.connect().batch_execute(TRAPS).unwrap();
    cluster.connect().batch_execute(FOREIGN_TYPE).unwrap();
    // A session that has planned nothing over these tables.
    let mut watcher = as_role(&cluster, "watcher");
    assert_eq!(numbers(&mut watcher, "handbook"), (Some(21), Some(21), Some(0), Some(1), Some(0.0)));
    assert_eq!(numbers(&mut watcher, "paused"), (None, None, None, None, None), "it is not as socle has made it");
    assert_eq!(failure(&mut watcher), seen);
    let ran: String =
        watcher.query_one("SELECT coalesce(current_setting('canary.ran', true), '')", &[]).unwrap().get(0);
    assert_eq!(ran, "", "code of the owner ran");

    // A lock on a table of a corpus does not block monitoring.
    let mut author = as_role(&cluster, "author");
    let mut transaction = author.transaction().unwrap();
    transaction.batch_execute("LOCK TABLE shelf.handbook_change").unwrap();
    assert_eq!(numbers(&mut watcher, "handbook"), (None, None, None, None, None));
    transaction.rollback().unwrap();
    exporter::reads_numbers(&cluster);
}

fn a_lock_is_the_reason(cluster: &Cluster, watcher: &mut Client) {
    let mut author = as_role(cluster, "author");
    let mut transaction = author.transaction().unwrap();
    transaction.batch_execute("LOCK TABLE shelf.handbook_change").unwrap();
    let sql = "SELECT state_reason FROM socle.corpus_status WHERE name = 'handbook'";
    let reason: String = watcher.query_one(sql, &[]).unwrap().get(0);
    assert!(reason.starts_with("shelf.handbook_change is locked by the transaction of process "), "{reason}");
    transaction.rollback().unwrap();
}
