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
