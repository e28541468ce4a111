//! Corpora on real clusters. One file for each subject; this one has what they share.

mod alter;
mod capture;
mod create;
mod definition;
mod dump;
mod failed_swap;
mod fault;
mod hostile_owner;
mod index;
mod key;
pub mod keyword;
mod large;
mod live;
mod replication;
mod security;
mod sync;
mod token_vectors;
mod unseen;
mod writer;

use postgres::Client;
use socle_tests::{Cluster, eventually};

/// A cluster with a source of short documents and a corpus over it, filled.
fn with_corpus(documents: i32) -> (Cluster, Client) {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(&format!(
            "CREATE TABLE article (id int PRIMARY KEY, title text, body text);
             INSERT INTO article SELECT i, 'title ' || i, 'body of article ' || i FROM generate_series(1, {documents}) i;
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], title => 'title', model => 'minilm')"
        ))
        .unwrap();
    settle(&mut client);
    (cluster, client)
}

/// Waits until nothing is pending, and compares source and chunks in two ways.
fn settle(client: &mut Client) {
    wait(client);
    check(client);
}

fn wait(client: &mut Client) {
    let done: bool = client.query_one("SELECT socle.wait_for_corpus('handbook', '2 minutes')", &[]).unwrap().get(0);
    assert!(done, "{}", status(client));
}

/// The corpus is in sync, by `socle.verify_corpus` and by a comparison that shares no code with it: documents here are
/// short enough to be one chunk each.
fn check(client: &mut Client) {
    let problems =
        client.query("SELECT problem, source_key::text, detail FROM socle.verify_corpus('handbook')", &[]).unwrap();
    let problems: Vec<String> = problems
        .iter()
        .map(|row| format!("{} {} {}", row.get::<_, String>(0), row.get::<_, String>(1), row.get::<_, String>(2)))
        .collect();
    assert_eq!(problems, Vec::<String>::new());
    let sql = "SELECT count(*) FROM (
                   (SELECT id, btrim(body) FROM article WHERE btrim(body) <> '' EXCEPT ALL SELECT source_id, content FROM handbook_chunk)
                   UNION ALL
                   (SELECT source_id, content FROM handbook_chunk EXCEPT ALL SELECT id, btrim(body) FROM article)) AS difference";
    let different: i64 = client.query_one(sql, &[]).unwrap().get(0);
    assert_eq!(different, 0);
}

fn status(client: &mut Client) -> String {
    let sql = "SELECT row_to_json(s)::text FROM socle.corpus_status s WHERE name = 'handbook'";
    let failures = "SELECT coalesce(string_agg(row_to_json(f)::text, ' '), '') FROM socle.job_failure f";
    let status: Option<String> = client.query_opt(sql, &[]).unwrap().map(|row| row.get(0));
    format!("{status:?} {}", client.query_one(failures, &[]).unwrap().get::<_, String>(0))
}

/// Numbers of chunks that were embedded and of chunks that were not.
fn counts(client: &mut Client) -> (i64, i64) {
    let sql = "SELECT embedded_count, reused_count FROM socle.corpus_status WHERE name = 'handbook'";
    let row = client.query_one(sql, &[]).unwrap();
    (row.get(0), row.get(1))
}

fn wait_for_state(client: &mut Client, wanted: &str) -> String {
    eventually(&format!("the corpus is {wanted}"), || {
        let sql = "SELECT state, coalesce(state_reason, '') FROM socle.corpus_status WHERE name = 'handbook'";
        let row = client.query_one(sql, &[]).unwrap();
        (row.get::<_, String>(0) == wanted).then(|| row.get(1))
    })
}

/// One value of one row.
fn value<T: for<'a> postgres::types::FromSql<'a>>(client: &mut Client, sql: &str) -> T {
    client.query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
}
