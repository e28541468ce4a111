//! Models that come as one file: they leave and arrive as they were, whoever is trusted vouches for them, and what is no such
//! file leaves nothing behind. This file has what the subjects share.

mod hostile;
mod place;
mod right;
mod round_trip;
mod signature;

use postgres::Client;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use socle_package::{END, MANIFEST, header, padding};
use socle_tests::{Cluster, model_directory};
use std::path::PathBuf;

/// Exports a model; returns the large object.
fn export(client: &mut Client, name: &str) -> u32 {
    client.query_one("SELECT socle.export_model($1, 'a registry of packages')", &[&name]).unwrap().get(0)
}

/// The bytes of a large object.
fn bytes_of(client: &mut Client, object: u32) -> Vec<u8> {
    client.query_one("SELECT lo_get($1)", &[&object]).unwrap().get(0)
}

/// Imports from bytes. Returns who vouches.
fn import(client: &mut Client, name: &str, package: &[u8]) -> Result<Option<String>, postgres::Error> {
    client
        .query_one("SELECT vouched_by FROM socle.import_model($1, $2::bytea)", &[&name, &package])
        .map(|row| row.get(0))
}

/// The vector of a text.
fn vector(client: &mut Client, model: &str) -> Result<Vec<f32>, postgres::Error> {
    client.query_one("SELECT socle.embed('a short text', $1)::real[]", &[&model]).map(|row| row.get(0))
}

/// One value of one row.
fn value<T: for<'a> postgres::types::FromSql<'a>>(client: &mut Client, sql: &str) -> T {
    client.query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
}

/// What a package would have been put into, in the database and on disk.
fn left(cluster: &Cluster, client: &mut Client) -> (i64, i64, Vec<String>) {
    let packages = value(client, "SELECT count(*) FROM socle.model_package");
    let parts = value(client, "SELECT count(*) FROM socle.model_package_part");
    (packages, parts, files(cluster))
}

/// The files of packages on disk, but for locks.
fn files(cluster: &Cluster) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories: Vec<PathBuf> = vec![cluster.data().join("socle/pgsql_tmp/packages")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.file_name().unwrap() != "lock" {
                found.push(path.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// A package of these files, beside the manifest.
fn packed(manifest: &Value, files: &[(&str, &[u8])]) -> Vec<u8> {
    let text = manifest.to_string();
    let mut tar = Vec::new();
    for (path, bytes) in [(MANIFEST, text.as_bytes())].iter().chain(files) {
        tar.extend(header(path, bytes.len() as u64).unwrap());
        tar.extend(*bytes);
        tar.extend(&END[..padding(bytes.len() as u64)]);
    }
    tar.extend(END);
    tar
}

/// The files of all-MiniLM, and a manifest for them.
fn minilm(client: &mut Client) -> (Value, Vec<(String, Vec<u8>)>) {
    let row: String = value(client, "SELECT row_to_json(m)::text FROM socle.model m WHERE name = 'minilm'");
    let row: Value = serde_json::from_str(&row).unwrap();
    let directory = model_directory().join(row["directory"].as_str().unwrap());
    let read = |file: &Value| {
        let path = file["path"].as_str().unwrap();
        (path.to_string(), std::fs::read(directory.join(path)).unwrap())
    };
    let files: Vec<(String, Vec<u8>)> = row["files"].as_array().unwrap().iter().map(read).collect();
    let listed =
        |(path, bytes): &(String, Vec<u8>)| json!({"path": path, "bytes": bytes.len(), "sha256": sha256(bytes)});
    let manifest = json!({
        "format": "socle model", "format_version": 1, "name": "minilm", "kind": "embedding", "digest": row["digest"],
        "exported_at": "2026-01-01T00:00:00Z", "socle_version": "0.2.0",
        "model": {"dimensions": 384, "max_tokens": row["max_tokens"], "pooling": row["pooling"],
                  "normalized": row["normalized"], "query_prefix": "", "passage_prefix": "", "graph": row["files"][0]["path"]},
        "files": files.iter().map(listed).collect::<Vec<_>>(),
    });
    (manifest, files)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Copies a directory with its directories.
fn copy_directory(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_directory(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}
