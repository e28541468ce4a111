//! Searches on real clusters. One file for each subject; this one has what they share.

mod answer;
mod boost;
mod context;
mod evaluate;
mod facets;
mod fault;
mod field;
mod function;
mod group;
mod input;
mod key;
mod oracle;
mod page;
mod result;
mod similar;
mod spelling;
mod stale;
mod suggest;
mod token_vectors;
mod word_rule;

use postgres::{Client, NoTls};
use socle_tests::Cluster;
use std::sync::{Arc, Mutex};

/// A cluster with a source of papers of one sentence each, sixty different ones, and a filled corpus over it.
fn with_papers(papers: i32) -> (Cluster, Client) {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(&format!(
            "CREATE TABLE paper (id int PRIMARY KEY, title text, body text, tenant int, level int);
             CREATE FUNCTION sentence(i int) RETURNS text LANGUAGE sql AS $$
                 SELECT format('The %s %s beside the %s.', (ARRAY['fox', 'wolf', 'raven', 'otter', 'badger'])[1 + i % 5],
                               (ARRAY['sleeps', 'hunts', 'sings'])[1 + i / 5 % 3], (ARRAY['river', 'barn', 'oak', 'glacier'])[1 + i / 15 % 4]) $$;
             INSERT INTO paper SELECT i, 'paper ' || i, sentence(i), i % 7, i % 5 FROM generate_series(1, {papers}) i;
             SELECT socle.create_corpus('paper', 'paper', ARRAY['body'], title => 'title', language => 'en', model => 'minilm',
                                        template => '{{content}}')"
        ))
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('paper')").unwrap();
    (cluster, client)
}

fn wait(client: &mut Client) {
    let done: bool = client.query_one("SELECT socle.wait_for_corpus('paper', '2 minutes')", &[]).unwrap().get(0);
    assert!(done);
}

/// The documents that a search finds, in order; `arguments` are those after the corpus.
fn found(client: &mut Client, arguments: &str) -> Vec<i32> {
    try_found(client, arguments).unwrap_or_else(|error| panic!("{arguments}: {error:?}"))
}

fn try_found(client: &mut Client, arguments: &str) -> Result<Vec<i32>, postgres::Error> {
    let sql = format!("SELECT (source_key->>'id')::int FROM socle.search('paper', {arguments})");
    client.query(&sql, &[]).map(|rows| rows.iter().map(|row| row.get(0)).collect())
}

/// One value of one row.
pub fn value<T: for<'a> postgres::types::FromSql<'a>>(client: &mut Client, sql: &str) -> T {
    client.query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
}

/// One column of each row, as text.
pub fn texts(client: &mut Client, sql: &str) -> Vec<String> {
    let rows = client.query(&format!("SELECT x::text FROM ({sql}) AS t (x)"), &[]);
    rows.unwrap_or_else(|error| panic!("{sql}: {error:?}")).iter().map(|row| row.get(0)).collect()
}

/// What `work` returns with the rights of a role.
pub fn as_role<T>(client: &mut Client, role: &str, work: impl FnOnce(&mut Client) -> T) -> T {
    client.batch_execute(&format!("SET ROLE {role}")).unwrap();
    let result = work(client);
    client.batch_execute("RESET ROLE").unwrap();
    result
}

/// A session, and a channel with its notices.
pub fn listening(cluster: &Cluster) -> (Client, Arc<Mutex<Vec<String>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&told);
    let mut configuration = cluster.configuration();
    configuration.notice_callback(move |notice| ear.lock().unwrap().push(notice.message().to_string()));
    (configuration.connect(NoTls).unwrap(), told)
}

pub fn drain(told: &Mutex<Vec<String>>) -> String {
    std::mem::take(&mut *told.lock().unwrap()).join("\n")
}

const MODES: [&str; 3] = ["vector", "keyword", "hybrid"];
