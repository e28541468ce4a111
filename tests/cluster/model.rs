//! Privileges to register models, and models whose files change under a running server.

use crate::{embed, sqlstate};
use socle_tests::{Cluster, error_of, eventually, model_directory};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[path = "../../crates/engine/tests/support/onnx.rs"]
mod onnx;
#[path = "../../crates/engine/tests/support/table.rs"]
mod table;

/// Rounds that take longer than any test waits, on any processor: about forty minutes on one core.
const ENDLESS: u64 = 100_000_000;

/// Rounds that tell how fast this processor is.
const SAMPLE: u64 = 2_000;

/// Registers a model, under the name "slow", that never ends its work on the word "slow".
pub fn register_endless(cluster: &Cluster) {
    register_slow(cluster, ENDLESS);
}

/// Like [`register_endless`], for a model that works on the word for about this long on this machine under its load.
pub fn register_lasting(cluster: &Cluster, time: Duration) {
    register_slow(cluster, SAMPLE);
    let mut client = cluster.connect();
    let mut embed = |text: &str| client.execute("SELECT socle.embed($1, 'slow')", &[&text]).unwrap();
    embed("one");
    let begun = Instant::now();
    embed("slow");
    let turns = SAMPLE as f64 * time.as_secs_f64() / begun.elapsed().as_secs_f64();
    client.execute("SELECT socle.drop_model('slow')", &[]).unwrap();
    write_slow(cluster, turns as u64);
    client.execute("SELECT socle.register_model('slow', 'slow')", &[]).unwrap();
}

fn write_slow(cluster: &Cluster, turns: u64) -> PathBuf {
    let models = cluster.directory().join("models");
    onnx::write(&models.join("slow"), &onnx::Flaw { slow: turns, ..Default::default() });
    models
}

fn register_slow(cluster: &Cluster, turns: u64) {
    let models = write_slow(cluster, turns);
    let (_, minilm) = socle_tests::MODELS[0];
    copy(&model_directory().join(minilm), &models.join(minilm));
    use_models(cluster, &models);
    cluster.connect().execute("SELECT socle.register_model('slow', 'slow')", &[]).unwrap();
}

pub fn copy(from: &std::path::Path, to: &std::path::Path) {
    assert!(std::process::Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
}

pub fn use_models(cluster: &Cluster, directory: &std::path::Path) {
    cluster.configure(&format!("socle.model_directory = '{}'", directory.display()));
    cluster.reload();
    // An engine that runs is replaced; where none runs, the next one reads the setting.
    let mut client = cluster.connect();
    eventually("the setting is in force", || {
        let row = client.query_one("SELECT socle.version(), current_setting('socle.model_directory')", &[]).unwrap();
        (row.get::<_, String>(1) == directory.to_string_lossy()).then_some(())
    });
    eventually("an engine with it runs", || {
        let inspected = client.execute("SELECT socle.register_model('probe', 'nowhere')", &[]).unwrap_err();
        error_of(&inspected).1.contains(&*directory.to_string_lossy()).then_some(())
    });
}

#[test]
fn only_superusers_and_whom_they_allow_register_models() {
    let cluster = Cluster::with_models("");
    let mut superuser = cluster.connect();
    superuser
        .batch_execute(
            "CREATE ROLE application LOGIN; CREATE ROLE librarian LOGIN;
             GRANT EXECUTE ON FUNCTION socle.register_model, socle.drop_model TO librarian",
        )
        .unwrap();
    let connect = |user: &str| cluster.configuration().user(user).connect(postgres::NoTls).unwrap();
    let (mut application, mut librarian) = (connect("application"), connect("librarian"));
    let register = "SELECT socle.register_model('mine', 'all-minilm-l6-v2')";
    assert_eq!(sqlstate(application.execute(register, &[])), "42501");
    assert_eq!(sqlstate(application.execute("SELECT socle.drop_model('minilm')", &[])), "42501");
    assert_eq!(sqlstate(application.execute("DELETE FROM socle.model", &[])), "42501");
    application.execute("SELECT socle.version()", &[]).unwrap();
    assert_eq!(sqlstate(application.execute("SET socle.model_directory = '/tmp'", &[])), "55P02");
    assert_eq!(sqlstate(application.execute("SET socle.max_input_bytes = 100000000", &[])), "42501");
    assert_eq!(embed(&mut application, "everybody embeds").unwrap(), 384);

    librarian.execute(register, &[]).unwrap();
    let by: String =
        librarian.query_one("SELECT registered_by::text FROM socle.model WHERE name = 'mine'", &[]).unwrap().get(0);
    assert_eq!(by, "librarian");
    librarian.execute("SELECT socle.drop_model('mine')", &[]).unwrap();
    assert_eq!(sqlstate(librarian.execute("DELETE FROM socle.model", &[])), "42501", "through the functions only");
}

#[test]
fn a_model_file_that_changes_or_goes_is_an_error_that_names_it() {
    let cluster = Cluster::with_models("");
    let models = cluster.directory().join("models");
    onnx::write(&models.join("test"), &onnx::Flaw::default());
    use_models(&cluster, &models);
    let mut client = cluster.connect();
    client.execute("SELECT socle.register_model('test', 'test')", &[]).unwrap();
    let embed = "SELECT socle.embed('one', 'test')";
    client.execute(embed, &[]).unwrap();
    let graph = models.join("test/model.onnx");
    let sound = fs::read(&graph).unwrap();

    fs::write(&graph, onnx::graph(&onnx::Flaw { zero: true, ..Default::default() })).unwrap();
    let (sqlstate, message, _, _) = error_of(&client.execute(embed, &[]).unwrap_err());
    assert_eq!(sqlstate, "XX001");
    assert!(message.contains("test/model.onnx"), "{message}");
    fs::remove_file(&graph).unwrap();
    let (sqlstate, message, _, _) = error_of(&client.execute(embed, &[]).unwrap_err());
    assert_eq!(sqlstate, "58P01");
    assert!(message.contains("test/model.onnx"), "{message}");
    fs::write(&graph, sound).unwrap();
    client.execute(embed, &[]).unwrap();
}

#[test]
fn a_model_directory_made_after_the_engine_started_is_seen() {
    let cluster = Cluster::with_models("");
    let models = cluster.directory().join("later");
    use_models(&cluster, &models);
    let mut client = cluster.connect();
    assert_eq!(sqlstate(client.execute("SELECT socle.register_model('test', 'test')", &[])), "58P01");
    onnx::write(&models.join("test"), &onnx::Flaw::default());
    client.execute("SELECT socle.register_model('test', 'test')", &[]).unwrap();
}

#[test]
fn a_row_changed_by_hand_is_an_error() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client.execute("UPDATE socle.model SET max_tokens = 100 WHERE name = 'minilm'", &[]).unwrap();
    assert_eq!(sqlstate(embed(&mut client, "x")), "XX001");
}

#[test]
fn models_say_what_they_are_made_for_and_a_corpus_takes_none_that_cosine_misplaces() {
    let cluster = Cluster::with_models("");
    let models = cluster.directory().join("models");
    let whole = serde_json::json!({
        "similarity_fn_name": "dot", "truncate_dim": 4,
        "prompts": {"retrieval.query": "query : ", "retrieval.passage": "passage : "},
    });
    let file = "config_sentence_transformers.json";
    let weights: [f32; 3 * table::WIDTH] = std::array::from_fn(|at| at as f32 / 4.0 - 1.0);
    let tensors: [(&str, &[usize], &[f32]); 1] = [("linear.weight", &[3, table::WIDTH], &weights)];
    table::write_weights(&models.join("odd/2_Dense"), &tensors);
    let dense = serde_json::json!({
        "in_features": table::WIDTH, "out_features": 3, "bias": false,
        "activation_function": "torch.nn.modules.linear.Identity",
    });
    let chain = table::modules(&[("Transformer", ""), ("Pooling", "1_Pooling"), ("Dense", "2_Dense")]);
    table::write(&models, "dot", table::Shape::default(), &[(file, whole)]);
    table::write(&models, "odd", table::Shape::default(), &[("modules.json", chain), ("2_Dense/config.json", dense)]);
    use_models(&cluster, &models);
    let (mut client, heard) = cluster.connect_and_listen();
    let register = "SELECT query_prefix, passage_prefix, similarity, dimensions FROM";
    let row = client.query_one(&format!("{register} socle.register_model('dot', 'dot')"), &[]).unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(2), row.get::<_, i32>(3)), ("", "dot", 4));
    let said: Vec<String> = heard.try_iter().collect();
    assert!(said[0].contains("\"retrieval.query\"") && said[1].contains("compared by dot"), "{said:?}");
    let prompts = "query_prompt => 'retrieval.query', passage_prompt => 'retrieval.passage', normalized => true";
    let sql = format!("{register} socle.register_model('unit', 'dot', {prompts})");
    let row = client.query_one(&sql, &[]).unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), ("query : ", "passage : "));
    assert_eq!(heard.try_iter().count(), 0);

    client
        .batch_execute("CREATE TABLE note (id int PRIMARY KEY, body text); INSERT INTO note VALUES (1, 'alpha')")
        .unwrap();
    let create =
        |model: &str| format!("SELECT socle.create_corpus('notes', 'note', ARRAY['body'], model => '{model}')");
    let (code, message, _, hint) = error_of(&client.batch_execute(&create("dot")).unwrap_err());
    assert_eq!((code.as_str(), message.as_str()), ("0A000", "model \"dot\" compares vectors by dot"));
    assert!(hint.contains("normalized => true"), "{hint}");
    client.batch_execute(&create("unit")).unwrap();
    let done: bool = client.query_one("SELECT socle.wait_for_corpus('notes', '1 minute')", &[]).unwrap().get(0);
    assert!(done);
    assert_eq!(sqlstate(client.batch_execute("SELECT socle.alter_corpus('notes', model => 'dot')")), "0A000");

    // Layers come back from the registry as they were put there: by another session, from an engine that is new.
    client.execute("SELECT socle.register_model('odd', 'odd')", &[]).unwrap();
    socle_tests::signal(cluster.engine_pid().unwrap(), 9);
    let vector: Vec<f32> =
        cluster.connect().query_one("SELECT socle.embed('beta gamma', 'odd')::real[]", &[]).unwrap().get(0);
    let pooled = table::mean(&table::tokens("beta gamma"));
    let expected = weights.chunks(table::WIDTH).map(|row| row.iter().zip(&pooled).map(|(a, b)| a * b).sum::<f32>());
    assert!(vector.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{vector:?}");
    let roles: String = client
        .query_one(
            "SELECT string_agg(f ->> 'role', ' ') FROM socle.model, jsonb_array_elements(files) f WHERE name = 'odd'",
            &[],
        )
        .unwrap()
        .get(0);
    assert!(roles.ends_with(" weights"), "{roles}");
}
