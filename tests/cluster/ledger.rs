//! The ledger: what happens is in it, what leaves is in it before it leaves, and what is done to it is seen.

mod damage;
mod entries;
mod rights;
mod servers;

use postgres::Client;
use serde_json::Value;
use socle_tests::Cluster;
use std::fs;
use std::path::PathBuf;

/// Entries of these kinds in the order in which they happened, with their data and who did it.
fn entries(client: &mut Client, kinds: &[&str]) -> Vec<Value> {
    let sql = "SELECT entry::text FROM socle.ledger WHERE kind = ANY ($1) ORDER BY at, number";
    let rows = client.query(sql, &[&kinds]).unwrap();
    rows.into_iter().map(|row| serde_json::from_str(&row.get::<_, String>(0)).unwrap()).collect()
}

/// The problems that verification finds, with a checkpoint or without.
fn problems(client: &mut Client, checkpoint: Option<&str>) -> Vec<String> {
    let sql = "SELECT unnest(problems) FROM socle.verify_ledger($1)";
    client.query(sql, &[&checkpoint]).unwrap().into_iter().map(|row| row.get(0)).collect()
}

fn checkpoint(client: &mut Client) -> String {
    client.query_one("SELECT socle.ledger_checkpoint()", &[]).unwrap().get(0)
}

/// The directory of the ledger of a cluster.
fn directory(cluster: &Cluster) -> PathBuf {
    cluster.data().join("socle/ledger")
}

/// The last segment of the chain that is written.
fn last_segment(cluster: &Cluster) -> PathBuf {
    let place: Value = serde_json::from_str(&fs::read_to_string(directory(cluster).join("place")).unwrap()).unwrap();
    let chain = directory(cluster).join(place["origin"].as_str().unwrap());
    fs::read_dir(chain).unwrap().map(|file| file.unwrap().path()).max().unwrap()
}

/// Everything that the ledger has on disk.
fn written(cluster: &Cluster) -> String {
    let mut text = String::new();
    for chain in
        fs::read_dir(directory(cluster)).unwrap().map(|chain| chain.unwrap().path()).filter(|path| path.is_dir())
    {
        for file in fs::read_dir(chain).unwrap() {
            text += &fs::read_to_string(file.unwrap().path()).unwrap();
        }
    }
    text
}

/// How many entries of a kind are on disk, complete.
fn count_written(cluster: &Cluster, kind: &str) -> usize {
    written(cluster).matches(&format!("\"kind\":\"{kind}\"")).count()
}
