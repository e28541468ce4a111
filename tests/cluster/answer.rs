//! Answers that a generator writes, on real clusters with a real, small model: what it writes is of little use, and what is
//! kept of it has to be right all the same.

mod generated;
mod refused;
mod security;
mod stream;

use crate::search::{texts, value};
use postgres::Client;
use socle_tests::Cluster;

/// The model of the tests, below the model directory.
const FILE: &str = "smollm2-135m-instruct/model.gguf";

/// Questions that the guides answer.
const QUESTIONS: [&str; 6] = [
    "When is a backup made?",
    "What must I stop before I restore a backup?",
    "On which port does the server listen?",
    "How long do cats sleep?",
    "Which command lists the modules?",
    "Who wrote the handbook?",
];

/// Guides, of which a role sees those of its tenant, a corpus over them, and the generator "smol", which is no default.
fn with_guides(configuration: &str) -> (Cluster, Client) {
    let cluster = Cluster::with_models(&format!("socle.default_rerank_model = 'reranker'\n{configuration}"));
    let mut client = cluster.connect();
    client.execute("SELECT socle.register_generator('smol', $1)", &[&FILE]).unwrap();
    client
        .batch_execute(
            "CREATE TABLE guide (id int PRIMARY KEY, title text, body text, tenant int);
             INSERT INTO guide VALUES
                 (1, 'Backups', 'A backup is made each night at two. Stop the server before you restore a backup. Then unpack the archive with tar -x.', 1),
                 (2, 'Vault', 'The password of the vault is swordfish. The vault stands in room 4711.', 2),
                 (3, 'Cats', 'Cats sleep for 14 hours of the day. They hunt at night.', 1),
                 (4, 'Server', 'The server Webmin listens on port 10000. The command semodule -l lists the modules.', 1),
                 (5, 'Handbook', 'Raphaël Hertzog wrote the handbook. It has 500 pages.', 1);
             INSERT INTO guide SELECT i, 'note ' || i, format('Note %s is about the garden and the weather.', i), 1 FROM generate_series(10, 30) i;
             SELECT socle.create_corpus('guide', 'guide', ARRAY['body'], title => 'title', language => 'en', model => 'minilm');
             CREATE ROLE reader; CREATE ROLE stranger; GRANT SELECT ON guide, guide_chunk TO reader; GRANT SELECT ON guide_chunk TO stranger;
             CREATE POLICY seen ON guide TO reader USING (tenant = 1); ALTER TABLE guide ENABLE ROW LEVEL SECURITY",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('guide')").unwrap();
    (cluster, client)
}

/// The row of an answer to a question, with more arguments, as JSON.
fn answer(client: &mut Client, question: &str, arguments: &str) -> serde_json::Value {
    let question = question.replace('\'', "''");
    let sql = format!(
        "SELECT to_jsonb(a)::text FROM socle.answer('guide', '{question}', generator => 'smol', max_tokens => 60, context_tokens => 200 {arguments}) AS a"
    );
    serde_json::from_str(&value::<String>(client, &sql)).unwrap()
}

/// The states of the citations of an answer.
fn states(client: &mut Client, answer: &serde_json::Value) -> Vec<String> {
    let citations = answer["citations"].to_string().replace('\'', "''");
    texts(client, &format!("SELECT k.state FROM jsonb_array_elements('{citations}') AS c, socle.cite(c) AS k"))
}
