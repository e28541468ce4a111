//! Corpora are taken away and brought back: files, rows, and what must not happen. This file has what the subjects share.

mod evaluation_set;
mod files;
mod import;
mod leaving;
mod read;
mod refused;
mod resume;
mod round_trip;

use postgres::Client;
use serde_json::Value;
use socle_tests::Cluster;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A directory that the server may write below, and read.
struct Shelf(PathBuf);

impl Shelf {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("socle-export-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    /// A cluster that may use it, with models.
    fn cluster(&self) -> Cluster {
        let path = self.0.display();
        Cluster::with_models(&format!(
            "socle.export_directories = '/nowhere, {path}'\nsocle.import_directories = '{path}'"
        ))
    }

    /// The names in it.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn manifest(&self, export: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.0.join(export).join("manifest.json")).unwrap()).unwrap()
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A cluster with a corpus named `handbook`, filled, over a table `article` with these documents.
fn with_handbook(shelf: &Shelf, documents: i32) -> (Cluster, Client) {
    let cluster = shelf.cluster();
    let mut client = cluster.connect();
    client
        .batch_execute(&format!(
            "CREATE TABLE article (id int PRIMARY KEY, title text, body text);
             INSERT INTO article SELECT i, 'title ' || i, 'body of article ' || i % 50 FROM generate_series(1, {documents}) i;
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], model => 'minilm')"
        ))
        .unwrap();
    settle(&mut client, "handbook");
    (cluster, client)
}

fn settle(client: &mut Client, corpus: &str) {
    let sql = format!("SELECT socle.wait_for_corpus('{corpus}', '2 minutes')");
    assert!(value::<bool>(client, &sql), "{corpus} is not filled");
}

/// Exports below the shelf. `more` are further arguments.
fn export(client: &mut Client, corpus: &str, path: &Path, more: &str) -> Result<Vec<String>, postgres::Error> {
    let sql = format!("SELECT file_name FROM socle.export_corpus('{corpus}', '{}'{more})", path.display());
    Ok(client.query(&sql, &[])?.iter().map(|row| row.get(0)).collect())
}

/// Everything in a chunk table but its numbers, vectors as their bits.
fn contents(client: &mut Client, table: &str) -> String {
    let sql = format!(
        "SELECT coalesce(string_agg(x.row, E'\\n' ORDER BY x.row), '') FROM (
             SELECT (to_jsonb(k) - 'chunk_id' || jsonb_build_object('embedding', encode(vector_send(k.embedding), 'hex')))::text AS row
             FROM {table} k) AS x"
    );
    value(client, &sql)
}

/// One value of one row.
fn value<T: for<'a> postgres::types::FromSql<'a>>(client: &mut Client, sql: &str) -> T {
    client.query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
}
