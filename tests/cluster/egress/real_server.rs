//! A real server in the form of OpenAI: that of llama.cpp, with the model of the tests.

use crate::generator::FILE;
use socle_tests::{Cluster, PATIENCE, error_of, model_directory};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

/// Ends when it is dropped.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server and its address; `None`, with a line that says so, where it is not installed.
fn serve(more: &[&str]) -> Option<(Served, String)> {
    let Some(packages) = std::env::var_os("SOCLE_SERVER").filter(|packages| !packages.is_empty()) else {
        // Written to stderr directly, as the output of tests that pass is captured.
        let _ =
            writeln!(std::io::stderr(), "SKIPPED: a real server of models, because xllamacpp could not be installed");
        return None;
    };
    let mut child = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/egress/serve.py"))
        .arg(model_directory().join(FILE))
        .args(more)
        .env("PYTHONPATH", packages)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    Some((Served(child), address.trim().to_string()))
}

#[test]
fn a_real_server_writes_texts_and_answers() {
    let Some((_served, address)) = serve(&[]) else { return };
    let cluster = Cluster::with_models("socle.default_rerank_model = 'reranker'");
    let mut client = cluster.connect();
    let seconds = i32::try_from(PATIENCE.as_secs()).unwrap();
    client
        .execute(
            "SELECT socle.register_endpoint('real', $1, 'openai_legacy', 'm', allow_loopback => true, timeout_seconds => $2,
                                            context_tokens => 2048)",
            &[&format!("{address}/v1"), &(4 * seconds)],
        )
        .unwrap();
    let sql = "SELECT socle.generate('What is the capital of France?', 'real', max_tokens => 6)";
    let text: String = client.query_one(sql, &[]).unwrap().get(0);
    assert!(text.chars().any(char::is_alphabetic), "{text}");
    client
        .batch_execute(
            "CREATE TABLE guide (id int PRIMARY KEY, body text);
             INSERT INTO guide VALUES (1, 'A backup is made each night at two. Stop the server before you restore a backup.');
             SELECT socle.create_corpus('guide', 'guide', ARRAY['body'], model => 'minilm', language => 'en', egress => ARRAY['real'])",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('guide')").unwrap();
    let sql = "SELECT generator, prompt_tokens, answer_tokens, finish, jsonb_array_length(citations)
               FROM socle.answer('guide', 'When is a backup made?', generator => 'real', max_tokens => 40, context_tokens => 200)";
    let row = client.query_one(sql, &[]).unwrap();
    assert_eq!(row.get::<_, &str>(0), "real");
    assert!(row.get::<_, i32>(1) > 50 && (1..=40).contains(&row.get::<_, i32>(2)), "{row:?}");
    assert!(["stop", "length", "unsupported"].contains(&row.get::<_, &str>(3)) && row.get::<_, i32>(4) > 0, "{row:?}");
}

#[test]
fn a_real_server_embeds_a_corpus() {
    let Some((_served, address)) = serve(&["vectors"]) else { return };
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .execute(
            "SELECT socle.register_endpoint('real', $1, 'openai_legacy', 'm', allow_loopback => true)",
            &[&format!("{address}/v1")],
        )
        .unwrap();
    let sql = "SELECT dimensions, normalized FROM socle.register_endpoint_model('smol', 'real', max_tokens => 300)";
    let row = client.query_one(sql, &[]).unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get::<_, bool>(1)), (576, true));
    // One text alone and among others, on a server that computes in batches.
    let sql = "SELECT 1 - (socle.embed('A backup is made each night.', 'smol')
                           <=> (socle.embed(ARRAY['Cats sleep.', 'A backup is made each night.'] || array_agg(repeat('word ', n)), 'smol'))[2])
               FROM generate_series(1, 40) n";
    let cosine: f64 = client.query_one(sql, &[]).unwrap().get(0);
    assert!(cosine > 0.999, "{cosine}");
    client
        .batch_execute(
            "CREATE TABLE guide (id int PRIMARY KEY, body text);
             INSERT INTO guide SELECT n, 'Document ' || n || ' says that the number is ' || n * 7 || '.' FROM generate_series(1, 100) n;
             SELECT socle.create_corpus('guide', 'guide', ARRAY['body'], model => 'smol', egress => ARRAY['real'])",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('guide')").unwrap();
    let found = "SELECT source_key->>'id' FROM socle.search('guide', 'Document 42 says that the number is 294.', mode => 'vector', result_limit => 1)";
    assert_eq!(client.query_one(found, &[]).unwrap().get::<_, &str>(0), "42");
    // Longer than a batch of the server: said as it is, and not tried for ever.
    let long = "SELECT socle.embed(repeat('1 ', 700), 'smol')";
    client
        .batch_execute(
            "SELECT socle.drop_model('smol', force => true); SELECT socle.register_endpoint_model('smol', 'real', max_tokens => 4000)",
        )
        .unwrap();
    let (code, message, ..) = error_of(&client.query_one(long, &[]).unwrap_err());
    assert_eq!((code.as_str(), message.as_str()), ("54000", "endpoint \"real\" has less room than the request needs"));
}
