//! Who vouches for a model: packages are signed with the real `minisign`, and put together with the real `tar`.

use super::{bytes_of, export, import, value, vector};
use crate::sqlstate;
use postgres::Client;
use socle_tests::{Cluster, error_of, eventually};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with a package, its manifest, and keys.
struct Desk {
    folder: PathBuf,
    minisign: PathBuf,
}

impl Desk {
    /// `None`, said aloud, where set-up could not get `minisign`.
    fn new(cluster: &Cluster, package: &[u8]) -> Option<Self> {
        let Some(minisign) = std::env::var_os("SOCLE_MINISIGN").filter(|path| !path.is_empty()) else {
            let _ = std::io::Write::write_all(
                &mut std::io::stderr(),
                b"SKIPPED: no minisign, which set-up could not get\n",
            );
            return None;
        };
        let folder = cluster.directory().join("desk");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("package.tar"), package).unwrap();
        let desk = Self { folder, minisign: minisign.into() };
        desk.run(Path::new("tar"), &["-xf", "package.tar", "manifest.json"]);
        Some(desk)
    }

    fn run(&self, program: &Path, arguments: &[&str]) {
        let output = Command::new(program).args(arguments).current_dir(&self.folder).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Makes a pair of keys without a password. Returns the public key.
    fn key(&self, name: &str) -> String {
        let (public, secret) = (format!("{name}.pub"), format!("{name}.key"));
        self.run(&self.minisign, &["-G", "-W", "-p", &public, "-s", &secret]);
        std::fs::read_to_string(self.folder.join(public)).unwrap()
    }

    /// Signs the manifest. Returns the signature.
    fn sign(&self, name: &str) -> String {
        self.run(
            &self.minisign,
            &["-S", "-W", "-s", &format!("{name}.key"), "-m", "manifest.json", "-t", "checked by hand"],
        );
        std::fs::read_to_string(self.folder.join("manifest.json.minisig")).unwrap()
    }
}

fn with_package() -> (Cluster, Client, Vec<u8>) {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    let object = export(&mut client, "minilm");
    let package = bytes_of(&mut client, object);
    (cluster, client, package)
}

fn trust(client: &mut Client, name: &str, key: &str) -> Result<String, postgres::Error> {
    client.query_one("SELECT socle.trust_key($1, $2)", &[&name, &key]).map(|row| row.get(0))
}

fn vouched_by(client: &mut Client, model: &str) -> Option<String> {
    client.query_one("SELECT vouched_by FROM socle.model_status WHERE name = $1", &[&model]).unwrap().get(0)
}

#[test]
fn a_package_that_a_trusted_key_has_signed_is_vouched_for_as_long_as_the_key_is_trusted() {
    let (cluster, mut client, package) = with_package();
    let Some(desk) = Desk::new(&cluster, &package) else { return };
    let key = desk.key("hospital");
    let signature = desk.sign("hospital");
    desk.run(Path::new("tar"), &["--append", "-f", "package.tar", "manifest.json.minisig"]);
    let signed = std::fs::read(desk.folder.join("package.tar")).unwrap();

    assert_eq!(import(&mut client, "early", &signed).unwrap(), None, "signed by a key that is not trusted yet");
    assert_eq!(vouched_by(&mut client, "early"), None);
    let id = trust(&mut client, "Hospital", &key).unwrap();
    // Which leaves out zeros in front.
    assert!(key.contains(id.trim_start_matches('0')), "as minisign shows it: {id} {key}");
    assert_eq!(vouched_by(&mut client, "early").as_deref(), Some("Hospital"));
    assert_eq!(sqlstate(trust(&mut client, "Hospital", &key)), "42710");
    assert_eq!(import(&mut client, "late", &signed).unwrap().as_deref(), Some("Hospital"));
    client.batch_execute("SELECT socle.drop_model('early'), socle.drop_model('late')").unwrap();
    // The signature beside the package.
    let sql = "SELECT vouched_by FROM socle.import_model('beside', $1::bytea, $2)";
    let row = client.query_one(sql, &[&package, &signature]).unwrap();
    assert_eq!(row.get::<_, Option<&str>>(0), Some("Hospital"));
    // It leaves with the model.
    let again: u32 = value(&mut client, "SELECT socle.export_model('beside')");
    let again = bytes_of(&mut client, again);
    client.batch_execute("SELECT socle.drop_model('beside')").unwrap();
    assert_eq!(import(&mut client, "again", &again).unwrap().as_deref(), Some("Hospital"));
    client.batch_execute("SELECT socle.distrust_key('Hospital')").unwrap();
    assert_eq!(vouched_by(&mut client, "again"), None);
    assert_eq!(sqlstate(client.batch_execute("SELECT socle.distrust_key('Hospital')")), "42704");
}

#[test]
fn a_signature_of_something_else_is_refused() {
    let (cluster, mut client, package) = with_package();
    let Some(desk) = Desk::new(&cluster, &package) else { return };
    let key = desk.key("hospital");
    trust(&mut client, "Hospital", &key).unwrap();
    let right = desk.sign("hospital");
    let mut text = std::fs::read_to_string(desk.folder.join("manifest.json")).unwrap();
    text.push(' ');
    std::fs::write(desk.folder.join("manifest.json"), text).unwrap();
    let other = desk.sign("hospital");
    let sql = "SELECT vouched_by FROM socle.import_model('x', $1::bytea, $2)";
    let refused = |client: &mut Client, signature: &str| sqlstate(client.query(sql, &[&package, &signature]));
    assert_eq!(refused(&mut client, &other), "42501");
    assert_eq!(refused(&mut client, "no signature"), "22P03");
    let changed = right.replace("checked by hand", "checked by none");
    assert_ne!(changed, right);
    assert_eq!(refused(&mut client, &changed), "42501", "the comment is signed, too");
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM socle.model_package"), 0);
    client.query(sql, &[&package, &right]).unwrap();
}

#[test]
fn where_signatures_are_required_nothing_else_is_registered_imported_or_used() {
    let (cluster, mut client, package) = with_package();
    let Some(desk) = Desk::new(&cluster, &package) else { return };
    let key = desk.key("hospital");
    let signature = desk.sign("hospital");
    client.execute("SELECT socle.register_generator('smol', $1)", &[&crate::generator::FILE]).unwrap();
    client
        .batch_execute(
            "CREATE TABLE note (id int PRIMARY KEY, body text); INSERT INTO note VALUES (1, 'a fox');
             SELECT socle.create_corpus('note', 'note', ARRAY['body'], model => 'minilm');
             ALTER DATABASE postgres SET socle.require_signed_models = on",
        )
        .unwrap();
    let mut client = cluster.connect();
    client.batch_execute("SELECT socle.version()").unwrap();
    let refused = |client: &mut Client, sql: &str| {
        let (state, message, detail, hint) = error_of(&client.batch_execute(sql).expect_err(sql));
        assert_eq!(state, "42501", "{sql}: {message}");
        assert!(message.starts_with("nobody who is trusted vouches for "), "{message}");
        assert!(detail.contains("socle.require_signed_models is on") && hint.contains("socle.trust_key()"));
    };
    refused(&mut client, "SELECT socle.embed('x', 'minilm')");
    refused(&mut client, "SELECT * FROM socle.search('note', 'fox')");
    refused(&mut client, "SELECT socle.generate('Hello', 'smol')");
    refused(&mut client, "SELECT socle.register_model('new', 'all-minilm-l6-v2')");
    refused(&mut client, "SELECT socle.register_generator('new', 'smollm2-135m-instruct/model.gguf')");
    assert_eq!(sqlstate(import(&mut client, "x", &package)), "42501");
    let sql = "SELECT vouched_by FROM socle.import_model('x', $1::bytea, $2)";
    assert_eq!(sqlstate(client.query(sql, &[&package, &signature])), "42501", "its key is not trusted");
    trust(&mut client, "Hospital", &key).unwrap();
    client.query(sql, &[&package, &signature]).unwrap();
    vector(&mut client, "x").unwrap();
    client.batch_execute("SELECT socle.distrust_key('Hospital')").unwrap();
    refused(&mut client, "SELECT socle.embed('x', 'x')");
}

/// A worker is there, and idle, when it is set.
#[test]
fn that_signatures_are_required_is_obeyed_by_workers_that_run() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TABLE note (id int PRIMARY KEY, body text); INSERT INTO note VALUES (1, 'a fox');
             SELECT socle.create_corpus('note', 'note', ARRAY['body'], model => 'minilm')",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('note')").unwrap();
    let there = |client: &mut Client| -> Vec<i32> {
        let rows = client.query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'socle sync'", &[]).unwrap();
        rows.into_iter().map(|row| row.get(0)).collect()
    };
    for (id, set, reset) in [
        (2, "ALTER DATABASE postgres SET socle.require_signed_models = on", "ALTER DATABASE postgres RESET ALL"),
        (3, "ALTER ROLE postgres SET socle.require_signed_models = on", "ALTER ROLE postgres RESET ALL"),
    ] {
        assert!(!there(&mut client).is_empty(), "no worker is there to be told");
        client.batch_execute(set).unwrap();
        client.execute("INSERT INTO note VALUES ($1, 'a dog')", &[&id]).unwrap();
        let sql = "SELECT state, coalesce(state_reason, '') FROM socle.corpus_status";
        let reason = eventually("the corpus is broken", || {
            let row = client.query_one(sql, &[]).unwrap();
            (row.get::<_, String>(0) == "broken").then(|| row.get::<_, String>(1))
        });
        assert!(reason.contains("vouches for"), "{reason}");
        let chunks = "SELECT count(*) FROM note_chunk WHERE source_id = $1";
        assert_eq!(client.query_one(chunks, &[&id]).unwrap().get::<_, i64>(0), 0);
        client.batch_execute(reset).unwrap();
        client.batch_execute("SELECT socle.resume_corpus('note')").unwrap();
        assert!(client.query_one("SELECT socle.wait_for_corpus('note')", &[]).unwrap().get::<_, bool>(0));
        assert_eq!(client.query_one(chunks, &[&id]).unwrap().get::<_, i64>(0), 1);
    }
}
