//! Who may register models, and what becomes of one whose files change under a running server.

use crate::{embed, sqlstate};
use socle_tests::{Cluster, error_of, eventually, model_directory};
use std::fs;

#[path = "../../crates/engine/tests/support/onnx.rs"]
mod onnx;

/// Registers a model, under the name "slow", whose word "slow" goes around in a loop that many times.
pub fn register_slow(cluster: &Cluster, turns: u64) {
    let models = cluster.directory().join("models");
    onnx::write(&models.join("slow"), &onnx::Flaw { slow: turns, ..Default::default() });
    let (_, minilm) = socle_tests::MODELS[0];
    copy(&model_directory().join(minilm), &models.join(minilm));
    use_models(cluster, &models);
    cluster.connect().execute("SELECT socle.register_model('slow', 'slow')", &[]).unwrap();
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    assert!(std::process::Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
}

fn use_models(cluster: &Cluster, directory: &std::path::Path) {
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
