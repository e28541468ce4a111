//! Who reads the ledger, and who does what with it.

use super::{checkpoint, problems};
use crate::sqlstate;
use socle_tests::{Cluster, error_of};

#[test]
fn only_those_who_were_granted_it_read_it_and_of_their_database_only() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE ROLE auditor LOGIN; CREATE ROLE stranger LOGIN;
             GRANT SELECT ON socle.ledger TO auditor; GRANT EXECUTE ON FUNCTION socle.verify_ledger TO auditor;
             SELECT socle.drop_model('bge')",
        )
        .unwrap();
    client.batch_execute("CREATE DATABASE other").unwrap();
    let mut other = cluster.connect_to("other");
    other
        .batch_execute("CREATE EXTENSION socle CASCADE; SELECT socle.register_model('mine', 'all-minilm-l6-v2')")
        .unwrap();
    let databases = "SELECT DISTINCT database FROM socle.ledger WHERE database IS NOT NULL ORDER BY 1";
    let read = |client: &mut postgres::Client, sql: &str| -> Result<Vec<String>, postgres::Error> {
        client.query(sql, &[]).map(|rows| rows.into_iter().map(|row| row.get(0)).collect())
    };
    let all = read(&mut client, databases).unwrap();
    assert!(all.contains(&"other".to_string()) && all.contains(&"postgres".to_string()), "{all:?}");
    let mut auditor = cluster.configuration().user("auditor").connect(postgres::NoTls).unwrap();
    assert_eq!(read(&mut auditor, databases).unwrap(), ["postgres"]);
    assert_eq!(problems(&mut auditor, None), Vec::<String>::new());
    let mut stranger = cluster.configuration().user("stranger").connect(postgres::NoTls).unwrap();
    for sql in [
        "SELECT * FROM socle.ledger",
        "SELECT * FROM socle_internal.ledger_entries()",
        "SELECT * FROM socle.verify_ledger()",
        "SELECT socle.ledger_checkpoint()",
        "SELECT * FROM socle.prune_ledger(now())",
        "SELECT * FROM socle.ledger_status",
        "SELECT socle_internal.ledger_report()",
    ] {
        assert_eq!(sqlstate(stranger.query(sql, &[])), "42501", "{sql}");
    }
    for setting in ["socle.ledger", "socle.ledger_text", "socle.ledger_search"] {
        assert_eq!(sqlstate(stranger.batch_execute(&format!("LOAD 'socle'; SET {setting} = off"))), "42501");
    }
    client.batch_execute("GRANT EXECUTE ON FUNCTION socle.prune_ledger TO stranger").unwrap();
    assert_eq!(sqlstate(stranger.query("SELECT * FROM socle.prune_ledger(now())", &[])), "42501");
}

/// Whoever may read the ledger lends that right to no owner of a table that an answer cites.
#[test]
fn an_answer_is_traced_without_running_policies_of_the_source() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE ROLE auditor LOGIN; GRANT SELECT ON socle.ledger TO auditor;
             CREATE TABLE article (id int PRIMARY KEY, body text);
             INSERT INTO article VALUES (1, 'A backup is made each night at two.'), (2, 'Cats sleep for fourteen hours a day.');
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], model => 'bge'); GRANT SELECT ON article TO auditor",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    let ask = "SELECT answer FROM socle.answer('handbook', 'When is a backup made?', min_relevance => -100, max_sentences => 1)";
    let answer: String = client.query_one(ask, &[]).unwrap().get(0);
    client
        .batch_execute(
            "CREATE FUNCTION spy() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'it ran'; END$$;
             ALTER TABLE article ENABLE ROW LEVEL SECURITY; CREATE POLICY spy ON article USING (spy())",
        )
        .unwrap();
    let mut auditor = cluster.configuration().user("auditor").connect(postgres::NoTls).unwrap();
    let steps = auditor.query("SELECT step FROM socle.trace($1::text)", &[&answer]).unwrap();
    assert_eq!(steps.iter().map(|row| row.get(0)).collect::<Vec<String>>(), ["answer", "citation"]);
    let cited = "SELECT c.state FROM socle.trace($1::text) AS t,
                 LATERAL socle.cite(jsonb_build_object('corpus', t.corpus_name, 'source_key', t.source_key) || t.detail) AS c
                 WHERE t.step = 'citation'";
    assert_eq!(
        error_of(&auditor.query(cited, &[&answer]).unwrap_err()).1,
        "it ran",
        "who names a corpus reads its source"
    );
}

#[test]
fn a_checkpoint_that_is_none_is_refused_and_pruning_leaves_what_is_written() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    let verify = "SELECT * FROM socle.verify_ledger($1)";
    let (state, _, detail, hint) = error_of(&client.query(verify, &[&"nonsense"]).unwrap_err());
    assert_eq!(state, "22023");
    assert!(detail.contains("first line") && hint.contains("ledger_checkpoint"), "{detail} {hint}");
    let kept = checkpoint(&mut client);
    client.batch_execute("SELECT socle.drop_model('bge')").unwrap();
    let row =
        client.query_one("SELECT state, confirmed, is_current FROM socle.verify_ledger($1) WHERE confirmed", &[&kept]);
    assert_eq!(row.unwrap().get::<_, String>(0), "sound");
    client.query("SELECT * FROM socle.prune_ledger('infinity')", &[]).unwrap();
    assert_eq!(problems(&mut client, Some(&kept)), Vec::<String>::new());
    // An entry that somebody takes away at the end.
    let later = checkpoint(&mut client);
    let path = super::last_segment(&cluster);
    let text = std::fs::read_to_string(&path).unwrap();
    let end = text.trim_end().rfind('\n').unwrap() + 1;
    std::fs::write(&path, &text[..end]).unwrap();
    assert_eq!(problems(&mut client, None), Vec::<String>::new(), "nothing but a checkpoint shows it");
    let found = problems(&mut client, Some(&later));
    assert!(!found.is_empty(), "{found:?}");
}

#[test]
fn rights_on_columns_hold_wherever_the_entries_are_asked_for() {
    let cluster = Cluster::with_models("socle.ledger_text = on");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE ROLE auditor LOGIN; CREATE ROLE counter LOGIN;
             GRANT SELECT (number, at, kind, role, entry) ON socle.ledger TO auditor;
             GRANT SELECT (kind, transaction_state) ON socle.ledger TO counter;
             CREATE TABLE article (id int PRIMARY KEY, body text); INSERT INTO article VALUES (1, 'A backup is made each night.');
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], model => 'minilm')",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    client.query("SELECT FROM socle.answer('handbook', 'When is a backup made?', min_relevance => -100)", &[]).unwrap();
    let texts = "SELECT count(question), count(answer), count(body), count(database), count(role) FROM socle_internal.ledger_entries()";
    let counts = |client: &mut postgres::Client| -> Vec<bool> {
        let row = client.query_one(texts, &[]).unwrap();
        (0..5).map(|at| row.get::<_, i64>(at) > 0).collect()
    };
    assert_eq!(counts(&mut client), [true; 5], "nothing is shown otherwise");
    let connect = |role: &str| cluster.configuration().user(role).connect(postgres::NoTls).unwrap();
    let mut auditor = connect("auditor");
    assert_eq!(counts(&mut auditor), [false, false, true, false, true]);
    for column in ["question", "answer", "database"] {
        assert_eq!(sqlstate(auditor.query(&format!("SELECT {column} FROM socle.ledger"), &[])), "42501");
    }
    let mut counter = connect("counter");
    let kinds = "SELECT count(*) FROM socle.ledger WHERE kind = 'answer'";
    assert_eq!(counter.query_one(kinds, &[]).unwrap().get::<_, i64>(0), 1, "one column is enough to read it");
    let state = "SELECT transaction_state FROM socle.ledger WHERE kind = 'create_corpus'";
    assert_eq!(counter.query_one(state, &[]).unwrap().get::<_, Option<String>>(0).as_deref(), Some("committed"));
    let bodies = "SELECT DISTINCT jsonb_object_keys(body::jsonb -> 'data') FROM socle_internal.ledger_entries()";
    let keys: Vec<String> = counter.query(bodies, &[]).unwrap().into_iter().map(|row| row.get(0)).collect();
    assert_eq!(keys, ["xid"]);
    assert_eq!(sqlstate(counter.query("SELECT * FROM socle.trace('{}'::jsonb)", &[])), "22023");
}

#[test]
fn texts_go_with_the_entries_that_are_pruned() {
    let cluster = Cluster::with_models("socle.ledger_text = on\nsocle.ledger_search = on");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TABLE article (id int PRIMARY KEY, body text); INSERT INTO article VALUES (1, 'A backup is made each night.');
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], model => 'minilm')",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    let search = |client: &mut postgres::Client| {
        client.query("SELECT FROM socle.search('handbook', 'Where is the quorblatt?')", &[]).unwrap();
    };
    let texts = || std::fs::read_dir(cluster.data().join("socle/ledger_text")).map_or(0, Iterator::count);
    search(&mut client);
    search(&mut client);
    assert_eq!(texts(), 2);
    // The chain that follows one that was damaged, or that a copy of the server has begun.
    std::fs::remove_file(super::directory(&cluster).join("place")).unwrap();
    let writer = cluster.child_pid("socle-egress").unwrap();
    socle_tests::signal(writer, libc::SIGKILL);
    socle_tests::eventually("it has ended", || (cluster.child_pid("socle-egress") != Some(writer)).then_some(()));
    search(&mut client);
    assert_eq!(texts(), 3);
    let pruned = client.query_one("SELECT segment_count, entry_count FROM socle.prune_ledger(now())", &[]).unwrap();
    assert!(pruned.get::<_, i64>(0) >= 1 && pruned.get::<_, i64>(1) > 2);
    assert_eq!(texts(), 1, "those of the entries that are left");
    let sql = "SELECT count(*), count(question) FROM socle.ledger WHERE kind = 'search'";
    let left = client.query_one(sql, &[]).unwrap();
    assert_eq!((left.get::<_, i64>(0), left.get::<_, i64>(1)), (1, 1));
}
