//! The generator: a language model in a process of its own, beside the engine.

mod input;
mod interrupt;
mod process;
mod registry;
mod text;

use postgres::Client;
use socle_tests::{Cluster, eventually, model_directory};
use std::path::PathBuf;

/// The model of the tests, below the model directory.
pub const FILE: &str = "smollm2-135m-instruct/model.gguf";

/// A running cluster with all models and the generator "smol", which is the default.
fn cluster(configuration: &str) -> Cluster {
    let cluster = Cluster::with_models(configuration);
    let mut client = cluster.connect();
    client.execute("SELECT socle.register_generator('smol', $1)", &[&FILE]).unwrap();
    client.batch_execute("ALTER DATABASE postgres SET socle.default_generator = 'smol'").unwrap();
    cluster
}

/// Has a cluster look for models in a directory of its own, with a copy of the model of the tests as `model.gguf`.
fn use_own_directory(cluster: &Cluster) -> PathBuf {
    let models = cluster.directory().join("models");
    std::fs::create_dir(&models).unwrap();
    std::fs::copy(model_directory().join(FILE), models.join("model.gguf")).unwrap();
    set(cluster, "socle.model_directory", &models.to_string_lossy());
    models
}

/// Changes a setting and waits until the server has it, and the supervisor as well.
fn set(cluster: &Cluster, setting: &str, value: &str) {
    let mut client = cluster.connect();
    client.batch_execute("LOAD 'socle'").unwrap();
    client.batch_execute(&format!("ALTER SYSTEM SET {setting} = '{value}'")).unwrap();
    let old = cluster.generator_pid();
    cluster.reload();
    eventually("the setting is in force", || {
        let now: String = client.query_one("SELECT current_setting($1)", &[&setting]).unwrap().get(0);
        (now == value && (old.is_none() || cluster.generator_pid() != old)).then_some(())
    });
}

fn generate(client: &mut Client, prompt: &str) -> Result<String, postgres::Error> {
    client.query_one("SELECT socle.generate($1, max_tokens => 8)", &[&prompt]).map(|row| row.get(0))
}

/// A column of `socle.generator_status`.
fn status<T: for<'a> postgres::types::FromSql<'a>>(client: &mut Client, column: &str) -> T {
    client.query_one(&format!("SELECT {column} FROM socle.generator_status WHERE name = 'smol'"), &[]).unwrap().get(0)
}

/// Waits until the generator has this number of requests in progress or waiting.
fn wait_for_requests(client: &mut Client, wanted: impl Fn(i32) -> bool) {
    eventually("the requests are as expected", || wanted(status(client, "running_count + queued_count")).then_some(()));
}
