//! Where the files of an imported model are: in the database, and as copies on each server that needs them.

use super::{export, files, import, value, vector};
use socle_tests::{Cluster, bin, command, error_of, eventually, run};

fn with_imported(configuration: &str) -> (Cluster, postgres::Client) {
    let cluster = Cluster::with_models(configuration);
    let mut client = cluster.connect();
    let object = export(&mut client, "minilm");
    client.execute("SELECT socle.import_model('mine', $1::oid)", &[&object]).unwrap();
    (cluster, client)
}

#[test]
fn a_standby_has_the_model_without_any_file_and_writes_its_own_copy() {
    let (primary, mut client) = with_imported("");
    let standby = Cluster::standby_of(&primary);
    assert!(files(&standby).is_empty(), "a base backup has no copies");
    standby.start();
    let mut reader = standby.wait_for_connection();
    assert_eq!(vector(&mut reader, "mine").unwrap(), vector(&mut client, "minilm").unwrap());
    assert_eq!(files(&standby), files(&primary));
    // One that is imported while it follows.
    client.batch_execute("SELECT socle.drop_model('mine')").unwrap();
    let object = export(&mut client, "bge");
    client.execute("SELECT socle.import_model('later', $1::oid)", &[&object]).unwrap();
    eventually("the standby has it", || vector(&mut reader, "later").ok());
}

#[test]
fn copies_that_are_gone_or_cut_off_are_written_again() {
    let (cluster, mut client) = with_imported("");
    let before = vector(&mut client, "mine").unwrap();
    let there = files(&cluster);
    for entry in std::fs::read_dir(cluster.data().join("socle/pgsql_tmp/packages")).unwrap() {
        std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    assert_eq!(vector(&mut client, "mine").unwrap(), before);
    assert_eq!(files(&cluster), there);
    for entry in std::fs::read_dir(cluster.data().join("socle/pgsql_tmp/packages")).unwrap() {
        for package in std::fs::read_dir(entry.unwrap().path()).unwrap() {
            let file = package.unwrap().path().join("tokenizer.json");
            if let Ok(file) = std::fs::OpenOptions::new().write(true).open(file) {
                file.set_len(100).unwrap();
            }
        }
    }
    assert_eq!(vector(&mut client, "mine").unwrap(), before);
    cluster.stop("immediate");
    std::fs::remove_dir_all(cluster.data().join("socle/pgsql_tmp/packages")).unwrap();
    cluster.start();
    let mut client = cluster.connect();
    assert_eq!(vector(&mut client, "mine").unwrap(), before);
    // A corpus, whose worker needs them.
    client
        .batch_execute(
            "CREATE TABLE note (id int PRIMARY KEY, body text); INSERT INTO note VALUES (1, 'a fox');
                        SELECT socle.create_corpus('note', 'note', ARRAY['body'], model => 'mine')",
        )
        .unwrap();
    assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('note', '2 minutes')"));
}

#[test]
fn many_sessions_that_need_the_files_at_once_all_get_them() {
    let (cluster, mut client) = with_imported("");
    let before = vector(&mut client, "mine").unwrap();
    for entry in std::fs::read_dir(cluster.data().join("socle/pgsql_tmp/packages")).unwrap() {
        std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    std::thread::scope(|scope| {
        let session = |_| scope.spawn(|| vector(&mut cluster.connect(), "mine").unwrap());
        let sessions: Vec<_> = (0..6).map(session).collect();
        for session in sessions {
            assert_eq!(session.join().unwrap(), before);
        }
    });
}

#[test]
fn a_dump_has_the_registry_without_the_files_and_the_package_brings_them_back() {
    let (cluster, mut client) = with_imported("");
    let object: u32 = value(&mut client, "SELECT socle.export_model('mine')");
    let package = super::bytes_of(&mut client, object);
    client.batch_execute("SELECT socle.revoke_model('mine', 'public')").unwrap();
    let host = format!("--host={}", cluster.directory().display());
    let file = cluster.directory().join("dump");
    run(command(bin("pg_dump"))
        .args([&host, "--username=postgres", "--format=custom", "--no-large-objects"])
        .arg(format!("--file={}", file.display()))
        .arg("postgres"));
    assert!(std::fs::metadata(&file).unwrap().len() < 1_000_000, "weights are not in a dump");
    client.batch_execute("CREATE DATABASE restored TEMPLATE template0").unwrap();
    run(command(bin("pg_restore"))
        .args([&host, "--username=postgres", "--dbname=restored", "--exit-on-error"])
        .arg(&file));
    let mut restored = cluster.connect_to("restored");
    let (state, message, detail, hint) = error_of(&vector(&mut restored, "mine").unwrap_err());
    assert_eq!((state.as_str(), message.as_str()), ("58P01", "the files of model \"mine\" are not in this database"));
    assert!(detail.contains("Dumps do not contain the files of models.") && hint.contains("socle.import_model()"));
    import(&mut restored, "mine", &package).unwrap();
    assert_eq!(vector(&mut restored, "mine").unwrap(), vector(&mut client, "minilm").unwrap());
    let public: bool = value(&mut restored, "SELECT public_use FROM socle.model WHERE name = 'mine'");
    assert!(!public, "what was not for everybody is not after a restore");
    // A database that goes takes its copies along, at the next import.
    drop(restored);
    assert_eq!(files(&cluster).len() % 2, 0);
    let count = files(&cluster).len();
    client.batch_execute("DROP DATABASE restored WITH (FORCE)").unwrap();
    client.batch_execute("SELECT socle.drop_model('mine')").unwrap();
    assert!(count > 0 && files(&cluster).is_empty(), "{:?}", files(&cluster));
}
