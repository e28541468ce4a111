//! A model leaves and arrives as it was.

use super::{bytes_of, export, files, import, left, value, vector};
use crate::sqlstate;
use socle_tests::{Cluster, error_of, model_directory};

#[test]
fn every_kind_of_model_arrives_with_its_digest_and_needs_no_directory() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    let names: Vec<String> =
        client.query("SELECT name FROM socle.model ORDER BY name", &[]).unwrap().iter().map(|row| row.get(0)).collect();
    assert!(names.len() > 2, "{names:?}");
    let before = vector(&mut client, "minilm").unwrap();
    let state = "SELECT kind || digest || max_tokens || pooling || query_prefix || output_name || layers || normalized || batchable
                 FROM socle.model WHERE name = $1";
    let mut packages = Vec::new();
    for name in &names {
        let was: String = client.query_one(state, &[name]).unwrap().get(0);
        packages.push((name, was, export(&mut client, name)));
        client.execute("SELECT socle.drop_model($1)", &[name]).unwrap();
    }
    // Engine and server know no directory of models any more.
    client.batch_execute("ALTER SYSTEM SET socle.model_directory = '/nonexistent/models'").unwrap();
    drop(client);
    cluster.stop("fast");
    cluster.start();
    let mut client = cluster.connect();
    for (name, was, object) in packages {
        let sql =
            "SELECT source, byte_count > 100000, vouched_by IS NULL, license FROM socle.import_model($1, $2::oid)";
        let row = client.query_one(sql, &[name, &object]).unwrap();
        assert_eq!(
            (row.get::<_, &str>(0), row.get::<_, bool>(1), row.get::<_, bool>(2)),
            ("a registry of packages", true, true)
        );
        let is: String = client.query_one(state, &[name]).unwrap().get(0);
        assert_eq!(is, was, "{name}");
    }
    assert_eq!(vector(&mut client, "minilm").unwrap(), before);
    assert_eq!(client.query("SELECT * FROM socle.rerank('q', ARRAY['a', 'b'], 'reranker')", &[]).unwrap().len(), 2);
    let state =
        client.query_one("SELECT package, vouched_by FROM socle.model_status WHERE name = 'minilm'", &[]).unwrap();
    assert_eq!((state.get::<_, &str>(0).len(), state.get::<_, Option<&str>>(1)), (64, None));
}

#[test]
fn what_was_imported_leaves_byte_by_byte_as_it_came_and_goes_with_its_last_model() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    let object = export(&mut client, "minilm");
    let package = bytes_of(&mut client, object);
    import(&mut client, "one", &package).unwrap();
    assert_eq!(sqlstate(import(&mut client, "one", &package)), "42710");
    import(&mut client, "two", &package).unwrap();
    let again: u32 = value(&mut client, "SELECT socle.export_model('two')");
    assert!(bytes_of(&mut client, again) == package, "the same bytes");
    let refused = client.query("SELECT socle.export_model('two', 'elsewhere')", &[]).unwrap_err();
    assert_eq!(error_of(&refused).0, "22023");
    client.execute("SELECT socle.drop_model('one')", &[]).unwrap();
    assert_eq!(vector(&mut client, "two").unwrap(), vector(&mut client, "minilm").unwrap());
    client.execute("SELECT socle.drop_model('two')", &[]).unwrap();
    assert_eq!(left(&cluster, &mut client), (0, 0, Vec::new()));
}

#[test]
fn a_generator_is_taken_along_too() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client.execute("SELECT socle.register_generator('smol', $1)", &[&crate::generator::FILE]).unwrap();
    let say = "SELECT socle.generate('Say hello.', 'smol', max_tokens => 5)";
    let said: String = value(&mut client, say);
    let object = export(&mut client, "smol");
    client.batch_execute("SELECT socle.drop_generator('smol')").unwrap();
    let kind: String =
        client.query_one("SELECT kind FROM socle.import_model('smol', $1::oid)", &[&object]).unwrap().get(0);
    assert_eq!(kind, "generator");
    assert_eq!(files(&cluster).len(), 1);
    assert_eq!(value::<String>(&mut client, say), said);
    client.batch_execute("SELECT socle.drop_generator('smol')").unwrap();
    assert_eq!(left(&cluster, &mut client), (0, 0, Vec::new()));
}

#[test]
fn a_file_that_has_changed_since_registration_is_not_exported() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    let models = cluster.directory().join("models");
    crate::model_package::copy_directory(&model_directory().join("all-minilm-l6-v2"), &models.join("mine"));
    client.batch_execute(&format!("ALTER SYSTEM SET socle.model_directory = '{}'", models.display())).unwrap();
    drop(client);
    cluster.stop("fast");
    cluster.start();
    let mut client = cluster.connect();
    client.batch_execute("SELECT socle.register_model('mine', 'mine')").unwrap();
    let file = models.join("mine/tokenizer.json");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] = b' ';
    std::fs::write(file, bytes).unwrap();
    let error = client.query("SELECT socle.export_model('mine')", &[]).unwrap_err();
    let (state, message, ..) = error_of(&error);
    assert_eq!(
        (state.as_str(), message.as_str()),
        ("XX001", "model file \"tokenizer.json\" has changed since registration")
    );
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM pg_largeobject_metadata"), 0, "nothing is left of it");
}
