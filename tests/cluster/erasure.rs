//! Documents are erased: from all tables and files of socle, and what is left is found. This file has what the subjects share.

mod forget;
mod report;
mod residue;
mod wait;

use postgres::Client;
use serde_json::Value;
use socle_tests::{Cluster, error_of};
use std::path::{Path, PathBuf};

/// Words that stand in the documents to be erased and nowhere else.
const SECRET: &str = "Quetzalkoatlus";
const SECRET_TITLE: &str = "Xylophagidaean";

/// A cluster with a corpus `handbook` over 200 articles, of which number 7 has the secret words.
fn with_secret() -> (Cluster, Client) {
    with_secret_and("")
}

/// The same, with further settings.
fn with_secret_and(configuration: &str) -> (Cluster, Client) {
    let cluster = Cluster::with_models(&format!("autovacuum = off\nwal_compression = off\n{configuration}"));
    let mut client = cluster.connect();
    client
        .batch_execute(&format!(
            "CREATE TABLE article (id int PRIMARY KEY, title text, body text);
             INSERT INTO article SELECT i, 'title ' || i, 'The body of article number ' || i || ' is about gardens.' FROM generate_series(1, 200) i;
             UPDATE article SET title = '{SECRET_TITLE}', body = 'The patient {SECRET} was here. ' || repeat('Nothing else was said of it. ', 60)
                 WHERE id = 7;
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], title => 'title', model => 'minilm')"
        ))
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    (cluster, client)
}

/// Calls `socle.forget` with these arguments, and returns the receipt.
fn forget(client: &mut Client, arguments: &str) -> Value {
    let sql = format!("SELECT socle.forget({arguments})::text");
    serde_json::from_str(client.query_one(&sql, &[]).unwrap().get(0)).unwrap()
}

/// Waits until nothing is pending of an erasure.
fn wait_for(client: &mut Client, receipt: &Value) {
    if let Err(error) = client.batch_execute(&format!("CALL socle.wait_for_erasure($${receipt}$$, '2 minutes')")) {
        panic!("{:?}", error_of(&error));
    }
}

/// What `socle.verify_erasure` calls a residue: place and finding.
fn residues(client: &mut Client, receipt: &Value, words: &[&str]) -> Vec<(String, String)> {
    let sql =
        format!("SELECT place, finding FROM socle.verify_erasure($${receipt}$$, $1) WHERE is_residue ORDER BY 1, 2");
    client.query(&sql, &[&words]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// The files of the data directory that have these bytes, without those below `pg_wal`.
fn files_with(cluster: &Cluster, words: &[&str]) -> Vec<String> {
    let root = cluster.data();
    let mut found = Vec::new();
    collect(&root, &root, words, &mut found);
    found.sort();
    found
}

fn collect(root: &Path, directory: &Path, words: &[&str], found: &mut Vec<String>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        // Files come and go while the server runs.
        let Ok(kind) = std::fs::symlink_metadata(&path).map(|file| file.file_type()) else { continue };
        if kind.is_dir() && !path.ends_with("pg_wal") {
            collect(root, &path, words, found);
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).unwrap_or_default();
            let has = |word: &&str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
            if words.iter().any(has) {
                found.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
}
