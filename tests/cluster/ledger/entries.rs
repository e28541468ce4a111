//! What stands in the ledger, and when.

use super::{checkpoint, count_written, entries, problems, written};
use crate::egress::{Server, cluster, generate};
use serde_json::json;
use socle_tests::{Cluster, eventually, signal};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};

const ARTICLES: &str = "CREATE TABLE article (id int PRIMARY KEY, body text);
     INSERT INTO article VALUES (1, 'A backup is made each night at two.'), (2, 'Cats sleep for 14 hours of the day.');
     SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], language => 'en', model => 'minilm');";

#[test]
fn what_is_done_is_told_and_what_is_rolled_back_is_not() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client.batch_execute(ARTICLES).unwrap();
    client
        .batch_execute(
            "BEGIN; SELECT socle.alter_corpus('handbook', egress => '{}'); ROLLBACK;
             BEGIN; SAVEPOINT a; SELECT socle.alter_corpus('handbook', egress => '{}'); ROLLBACK TO a;
             SAVEPOINT b; SELECT * FROM socle.verify_corpus('handbook'); RELEASE b; COMMIT;
             SELECT socle.drop_corpus('handbook')",
        )
        .unwrap();
    let kinds = ["create_corpus", "alter_corpus", "verify_corpus", "drop_corpus"];
    let told = entries(&mut client, &kinds);
    let kinds: Vec<_> = told.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["create_corpus", "verify_corpus", "drop_corpus"]);
    assert_eq!(told[0]["data"]["corpus"], "handbook");
    assert_eq!(told[0]["data"]["source"], "public.article");
    assert_eq!(told[0]["who"]["database"], "postgres");
    assert_eq!(told[0]["who"]["session_role"], "postgres");
    let sql = "SELECT DISTINCT transaction_state FROM socle.ledger WHERE kind IN ('create_corpus', 'drop_corpus')";
    assert_eq!(client.query_one(sql, &[]).unwrap().get::<_, String>(0), "committed");
    // A table that goes takes its corpus along.
    client.batch_execute("SELECT socle.create_corpus('other', 'article', ARRAY['body'], model => 'minilm'); DROP TABLE article CASCADE").unwrap();
    let dropped = entries(&mut client, &["drop_corpus"]).pop().unwrap();
    assert_eq!(dropped["data"]["corpus"], "other");
    assert_eq!(problems(&mut client, None), Vec::<String>::new());
    client.batch_execute("SET socle.ledger = off; SELECT socle.drop_model('bge')").unwrap();
    assert_eq!(entries(&mut client, &["drop_model"]), Vec::<serde_json::Value>::new());
}

/// In two phases: what is prepared is told, and its state when it is asked for.
#[test]
fn what_is_prepared_is_told_whatever_becomes_of_it() {
    let cluster = Cluster::with_models("max_prepared_transactions = 5");
    let mut client = cluster.connect();
    client.batch_execute(ARTICLES).unwrap();
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    let prepare = |client: &mut postgres::Client, model: &str| {
        let sql = format!(
            "BEGIN; SELECT * FROM socle.register_model('{model}', 'all-minilm-l6-v2');
             SELECT answer FROM socle.answer('handbook', 'When is a backup made?'); PREPARE TRANSACTION '{model}'"
        );
        client.batch_execute(&sql).unwrap();
    };
    let state = |client: &mut postgres::Client, model: &str| -> Option<String> {
        let sql = "SELECT transaction_state FROM socle.ledger WHERE kind = 'register_model' AND entry -> 'data' ->> 'model' = $1";
        // PostgreSQL tells nothing of the newest transaction while it is under way.
        client.batch_execute("SELECT pg_current_xact_id()").unwrap();
        client.query_one(sql, &[&model]).unwrap().get(0)
    };
    prepare(&mut client, "kept");
    prepare(&mut client, "undone");
    let mut other = cluster.connect();
    assert_eq!(state(&mut other, "kept").as_deref(), Some("in progress"));
    assert_eq!(entries(&mut other, &["answer"]).len(), 2, "what was answered is told at once");
    // Whoever ends them is another session, and after a crash.
    cluster.kill_postmaster();
    cluster.start();
    let mut other = cluster.wait_for_connection();
    other.batch_execute("COMMIT PREPARED 'kept'").unwrap();
    other.batch_execute("ROLLBACK PREPARED 'undone'").unwrap();
    let states = ["kept", "undone"].map(|model| state(&mut other, model));
    assert_eq!(states, [Some("committed".to_string()), Some("aborted".to_string())]);
    assert_eq!(problems(&mut other, None), Vec::<String>::new());
}

#[test]
fn an_answer_is_told_with_its_sources_and_without_its_words() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client.batch_execute(ARTICLES).unwrap();
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    let question = "When is a backup made?";
    let ask = "SELECT answer, citations::text FROM socle.answer('handbook', $1)";
    let row = client.query_one(ask, &[&question]).unwrap();
    let (answer, citations): (String, String) = (row.get(0), row.get(1));
    client.query(ask, &[&"Who painted the Mona Lisa?"]).unwrap();
    client.query("SELECT * FROM socle.answer_stream('handbook', $1)", &[&question]).unwrap();
    let told = entries(&mut client, &["answer"]);
    let decisions: Vec<_> = told.iter().map(|entry| entry["data"]["decision"].as_str().unwrap()).collect();
    assert_eq!(decisions, ["answered", "declined", "answered"]);
    let cited: serde_json::Value = serde_json::from_str(&citations).unwrap();
    let data = &told[0]["data"];
    assert_eq!(data["citations"][0]["content_sha256"], cited[0]["content_sha256"]);
    assert_eq!(data["citations"][0]["source_key"], "{\"id\": 1}");
    assert_eq!(data["corpora"][0]["corpus"], "handbook");
    assert_eq!(data["corpora"][0]["model_digest"].as_str().unwrap().len(), 64);
    assert_eq!(data["question_hmac"], told[2]["data"]["question_hmac"], "the same question has the same hash");
    assert_eq!(data["answer_hmac"], told[2]["data"]["answer_hmac"]);
    assert_ne!(data["question_hmac"], told[1]["data"]["question_hmac"]);
    let text = written(&cluster);
    for word in ["backup", "night", "Mona"] {
        assert!(!text.contains(word), "{word}");
    }
    let key = std::fs::read_to_string(cluster.data().join("socle/ledger.key")).unwrap();
    assert!(!text.contains(key.trim()) && !cluster.log().contains(key.trim()));
    // From the answer to its document, and from the document to its answers.
    let steps = |client: &mut postgres::Client, arguments: &str| -> Vec<String> {
        let rows = client.query(&format!("SELECT step FROM socle.trace({arguments})"), &[]).unwrap();
        rows.into_iter().map(|row| row.get(0)).collect()
    };
    let quoted = answer.replace('\'', "''");
    assert_eq!(steps(&mut client, &format!("'{quoted}'::text")), ["answer", "citation", "answer", "citation"]);
    let citation = cited[0].to_string().replace('\'', "''");
    assert_eq!(steps(&mut client, &format!("'{citation}'::jsonb")), ["citation", "model", "answer", "answer"]);
    let chunk = |like: &str| format!("'handbook', (SELECT chunk_id FROM handbook_chunk WHERE content LIKE '{like}%')");
    assert_eq!(steps(&mut client, &chunk("A backup")), ["vector", "model", "answer", "answer"]);
    assert_eq!(steps(&mut client, &chunk("Cats")), ["vector", "model"]);
    let state = format!(
        "SELECT c.state FROM socle.trace('{quoted}'::text) AS t,
         LATERAL socle.cite(jsonb_build_object('corpus', t.corpus_name, 'source_key', t.source_key) || t.detail) AS c
         WHERE t.step = 'citation' LIMIT 1"
    );
    assert_eq!(client.query_one(&state, &[]).unwrap().get::<_, String>(0), "valid");
    client.batch_execute("UPDATE article SET body = 'Nothing.' WHERE id = 1").unwrap();
    assert_eq!(client.query_one(&state, &[]).unwrap().get::<_, String>(0), "changed");
    client.batch_execute("UPDATE article SET body = 'A backup is made each night at two.' WHERE id = 1").unwrap();
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    // Texts are kept where somebody wants that, beside the ledger.
    client.batch_execute("SET socle.ledger_text = on; SET socle.ledger_search = on").unwrap();
    client.query_one(ask, &[&question]).unwrap();
    client.query("SELECT * FROM socle.search('handbook', 'cats')", &[]).unwrap();
    let sql = "SELECT question, answer FROM socle.ledger WHERE kind = 'answer' ORDER BY at DESC LIMIT 1";
    let row = client.query_one(sql, &[]).unwrap();
    assert_eq!((row.get::<_, String>(0), row.get::<_, String>(1)), (question.to_string(), answer));
    assert_eq!(entries(&mut client, &["search"])[0]["data"]["results"], json!(2));
    assert!(!written(&cluster).contains("backup"));
}

#[test]
fn a_request_is_on_disk_before_it_leaves_and_its_outcome_follows() {
    let disk: Arc<OnceLock<Cluster>> = Arc::default();
    let (seen, unseen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (looked, count, missed) = (disk.clone(), seen.clone(), unseen.clone());
    let server = Server::new(move |_| {
        let count = count.fetch_add(1, SeqCst) + 1;
        if count_written(looked.get().unwrap(), "request") < count {
            missed.fetch_add(1, SeqCst);
        }
        Some("Hello.".to_string())
    });
    let (running, mut client) = cluster(&server, "");
    let _ = disk.set(running);
    generate(&mut client, "Hi hunter2-4711").unwrap();
    let request = entries(&mut client, &["request"]).remove(0);
    let outcome = entries(&mut client, &["outcome"]).remove(0);
    assert_eq!((&request["endpoint"], &request["url"]), (&json!("door"), &json!(server.url())));
    assert!(request["bytes"].as_u64().unwrap() > 50);
    assert_eq!((&outcome["request"], &outcome["result"]), (&request["number"], &json!("complete")));
    assert_eq!((&outcome["status"], &outcome["who"]["role"]), (&json!(200), &json!("postgres")));
    assert!(!written(disk.get().unwrap()).contains("hunter2"));
    // The process is killed again and again under load.
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut session = disk.get().unwrap().connect();
            let is_over = &is_over;
            scope.spawn(move || {
                while !is_over.load(SeqCst) {
                    let _ = generate(&mut session, "Hi");
                }
            });
        }
        for round in 1..=6 {
            eventually("requests arrive", || (seen.load(SeqCst) >= round * 15).then_some(()));
            if let Some(pid) = disk.get().unwrap().child_pid("socle-egress") {
                signal(pid, libc::SIGKILL);
            }
        }
        is_over.store(true, SeqCst);
    });
    assert_eq!(unseen.load(SeqCst), 0, "of {} requests", seen.load(SeqCst));
    assert!(count_written(disk.get().unwrap(), "request") >= seen.load(SeqCst));
    let text = checkpoint(&mut client);
    assert_eq!(problems(&mut client, Some(&text)), Vec::<String>::new());
}
