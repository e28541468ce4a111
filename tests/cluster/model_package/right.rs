//! Who may use a model, take it along, and bring one.

use super::{export, import, value, vector};
use crate::sqlstate;
use postgres::NoTls;
use socle_tests::{Cluster, error_of};

#[test]
fn a_model_is_for_everybody_until_its_use_is_taken_back_and_granted_to_some() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE ROLE team; CREATE ROLE member LOGIN IN ROLE team; CREATE ROLE other LOGIN;
             CREATE TABLE note (id int PRIMARY KEY, body text); INSERT INTO note VALUES (1, 'a fox');
             SELECT socle.create_corpus('note', 'note', ARRAY['body'], model => 'minilm');
             GRANT SELECT ON note, note_chunk TO PUBLIC; GRANT CREATE ON SCHEMA public TO other",
        )
        .unwrap();
    assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('note', '2 minutes')"));
    let connect = |user: &str| cluster.configuration().user(user).connect(NoTls).unwrap();
    let (mut member, mut other) = (connect("member"), connect("other"));
    vector(&mut other, "minilm").unwrap();
    client.batch_execute("SELECT socle.revoke_model('minilm', 'public'), socle.grant_model('minilm', 'team')").unwrap();
    let (state, message, _, hint) = error_of(&vector(&mut other, "minilm").unwrap_err());
    assert_eq!((state.as_str(), message.as_str()), ("42501", "permission denied for model \"minilm\""));
    assert!(hint.contains("socle.grant_model()"));
    for statement in [
        "SELECT socle.embed_query('x', 'minilm')",
        "SELECT socle.count_tokens('x', 'minilm')",
        "SELECT * FROM socle.chunk('x', model => 'minilm')",
        "CREATE TABLE mine (id int PRIMARY KEY, body text); SELECT socle.create_corpus('mine', 'mine', ARRAY['body'], model => 'minilm')",
    ] {
        assert_eq!(sqlstate(other.batch_execute(statement)), "42501", "{statement}");
    }
    // Whoever may read a corpus may search it.
    assert_eq!(other.query("SELECT * FROM socle.search('note', 'fox')", &[]).unwrap().len(), 1);
    vector(&mut member, "minilm").unwrap();
    vector(&mut client, "minilm").unwrap();
    assert!(!value::<bool>(&mut client, "SELECT public_use FROM socle.model_status WHERE name = 'minilm'"));
    client.batch_execute("INSERT INTO note VALUES (2, 'another fox')").unwrap();
    assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('note', '2 minutes')"), "the corpus goes on");
    client.batch_execute("SELECT socle.revoke_model('minilm', 'team')").unwrap();
    assert_eq!(sqlstate(vector(&mut member, "minilm")), "42501");
    client.batch_execute("SELECT socle.grant_model('minilm', 'public')").unwrap();
    vector(&mut other, "minilm").unwrap();
    for statement in ["SELECT socle.grant_model('nowhere', 'team')", "SELECT socle.grant_model('minilm', 'nobody')"] {
        assert_eq!(sqlstate(client.batch_execute(statement)), "42704", "{statement}");
    }
}

#[test]
fn who_may_register_models_takes_them_along_and_only_a_superuser_trusts_keys() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    let object = export(&mut client, "minilm");
    client
        .batch_execute(
            "CREATE ROLE librarian LOGIN; CREATE ROLE other LOGIN;
             GRANT EXECUTE ON FUNCTION socle.export_model, socle.import_model(text, bytea, text), socle.import_model(text, oid, text),
                 socle.trust_key, socle.distrust_key, socle.grant_model, socle.revoke_model, socle.drop_model TO librarian",
        )
        .unwrap();
    let connect = |user: &str| cluster.configuration().user(user).connect(NoTls).unwrap();
    let (mut librarian, mut other) = (connect("librarian"), connect("other"));
    for statement in [
        "SELECT socle.export_model('minilm')",
        "SELECT socle.import_model('x', 1::oid)",
        "SELECT socle.import_model('x', ''::bytea)",
        "SELECT socle.grant_model('minilm', 'other')",
        "SELECT socle.revoke_model('minilm', 'public')",
        "SELECT socle.trust_key('x', 'y')",
        "SELECT socle.distrust_key('x')",
        "SELECT * FROM socle.model_package_part",
        "INSERT INTO socle.model_package (sha256, manifest) VALUES ('x', 'y')",
        "INSERT INTO socle.trusted_key (name, public_key, key_id) VALUES ('x', 'y', 'z')",
        "INSERT INTO socle.model_grant VALUES ('minilm', 'other')",
        "SET socle.require_signed_models = off",
    ] {
        other.batch_execute("SELECT socle.version()").unwrap();
        assert_eq!(sqlstate(other.batch_execute(statement)), "42501", "{statement}");
    }
    // The large object is read with the rights of the caller.
    assert_eq!(sqlstate(librarian.execute("SELECT socle.import_model('x', $1::oid)", &[&object])), "42501");
    let own = export(&mut librarian, "minilm");
    librarian.execute("SELECT socle.import_model('x', $1::oid)", &[&own]).unwrap();
    vector(&mut other, "x").unwrap();
    for statement in ["SELECT socle.trust_key('x', 'y')", "SELECT socle.distrust_key('x')"] {
        assert_eq!(sqlstate(librarian.batch_execute(statement)), "42501", "{statement}");
    }
    let package = super::bytes_of(&mut librarian, own);
    librarian.batch_execute("SELECT socle.drop_model('x')").unwrap();
    import(&mut librarian, "x", &package).unwrap();
}

#[test]
fn a_model_that_corpora_use_is_dropped_by_force_only() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TABLE note (id int PRIMARY KEY, body text);
             SELECT socle.create_corpus('note', 'note', ARRAY['body'], model => 'minilm', token_model => 'colbert')",
        )
        .unwrap();
    for model in ["minilm", "colbert"] {
        let error = client.execute("SELECT socle.drop_model($1)", &[&model]).unwrap_err();
        let (state, message, detail, hint) = error_of(&error);
        assert_eq!((state.as_str(), message), ("55000", format!("model \"{model}\" is in use")));
        assert_eq!(detail, "Corpora use it: \"note\".");
        assert!(hint.contains("force => true"));
    }
    client.batch_execute("SELECT socle.drop_model('bge'), socle.drop_model('minilm', force => true)").unwrap();
}

/// Anybody may write a row of `socle.corpus`, as a restore of a dump does.
#[test]
fn a_corpus_that_was_restored_is_resumed_by_those_who_may_use_its_model() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE ROLE owner LOGIN; GRANT CREATE ON SCHEMA public TO owner; SET ROLE owner;
             CREATE TABLE note (id int PRIMARY KEY, body text); INSERT INTO note VALUES (1, 'a fox');
             SELECT socle.create_corpus('note', 'note', ARRAY['body'], model => 'minilm'); RESET ROLE",
        )
        .unwrap();
    assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('note', '2 minutes')"));
    client
        .batch_execute(
            "SELECT socle.revoke_model('minilm', 'public');
             GRANT EXECUTE ON FUNCTION socle.export_model TO owner",
        )
        .unwrap();
    let mut owner = cluster.configuration().user("owner").connect(NoTls).unwrap();
    assert_eq!(sqlstate(owner.query("SELECT socle.export_model('minilm')", &[])), "42501");
    owner.batch_execute("SELECT socle.pause_corpus('note'); SELECT socle.resume_corpus('note')").unwrap();
    client.batch_execute("DELETE FROM socle.corpus_binding WHERE corpus = 'note'").unwrap();
    let (state, message, ..) = error_of(&owner.batch_execute("SELECT socle.resume_corpus('note')").unwrap_err());
    assert_eq!((state.as_str(), message.as_str()), ("42501", "permission denied for model \"minilm\""));
    client.batch_execute("SELECT socle.grant_model('minilm', 'owner')").unwrap();
    owner.batch_execute("SELECT socle.resume_corpus('note')").unwrap();
}

/// A generator, a corpus, and who uses and grants them.
const GENERATOR_ROLES: &str = "
    CREATE ROLE team; CREATE ROLE member LOGIN IN ROLE team; CREATE ROLE other LOGIN; CREATE ROLE librarian LOGIN;
    SELECT socle.register_generator('smol', 'smollm2-135m-instruct/model.gguf');
    CREATE TABLE note (id int PRIMARY KEY, body text); INSERT INTO note VALUES (1, 'A backup is made each night.');
    SELECT socle.create_corpus('note', 'note', ARRAY['body'], model => 'minilm');
    GRANT SELECT ON note, note_chunk TO PUBLIC;
    GRANT EXECUTE ON FUNCTION socle.grant_generator, socle.revoke_generator TO librarian";

const GENERATE: &str = "SELECT socle.generate('Hello', 'smol', max_tokens => 2)";

#[test]
fn a_generator_is_for_everybody_until_its_use_is_taken_back_and_granted_to_some() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client.batch_execute(GENERATOR_ROLES).unwrap();
    assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('note', '2 minutes')"));
    let connect = |user: &str| cluster.configuration().user(user).connect(NoTls).unwrap();
    let (mut member, mut other, mut librarian) = (connect("member"), connect("other"), connect("librarian"));
    other.batch_execute(GENERATE).unwrap();
    for statement in [
        "SELECT socle.grant_generator('smol', 'other')",
        "SELECT socle.revoke_generator('smol', 'public')",
        "INSERT INTO socle.generator_grant VALUES ('smol', 'other')",
        "UPDATE socle.generator SET public_use = false",
    ] {
        assert_eq!(sqlstate(other.batch_execute(statement)), "42501", "{statement}");
    }
    librarian
        .batch_execute("SELECT socle.revoke_generator('smol', 'public'), socle.grant_generator('smol', 'team')")
        .unwrap();
    let (state, message, _, hint) = error_of(&other.batch_execute(GENERATE).unwrap_err());
    assert_eq!((state.as_str(), message.as_str()), ("42501", "permission denied for generator \"smol\""));
    assert!(hint.contains("socle.grant_generator()"));
    for statement in [
        "SELECT socle.count_generator_tokens('x', 'smol')",
        "SELECT socle.prompt('note', 'When?', token_model => 'smol')",
        "SELECT * FROM socle.answer('note', 'When is the backup made?', generator => 'smol', min_relevance => -100)",
        "SET socle.default_generator = 'smol'; SELECT socle.generate('Hello', max_tokens => 2)",
    ] {
        assert_eq!(sqlstate(other.batch_execute(statement)), "42501", "{statement}");
    }
    client.batch_execute("GRANT EXECUTE ON FUNCTION socle.export_model TO other").unwrap();
    assert_eq!(sqlstate(other.query("SELECT socle.export_model('smol')", &[])), "42501");
    assert!(!value::<bool>(&mut other, "SELECT public_use FROM socle.generator_status WHERE name = 'smol'"));
    member.batch_execute(GENERATE).unwrap();
    client.batch_execute(GENERATE).unwrap();
    librarian.batch_execute("SELECT socle.revoke_generator('smol', 'team')").unwrap();
    assert_eq!(sqlstate(member.batch_execute(GENERATE)), "42501");
    // The grant of a role that was dropped is gone with the next one.
    client.batch_execute("CREATE ROLE gone; SELECT socle.grant_generator('smol', 'gone'); DROP ROLE gone").unwrap();
    librarian.batch_execute("SELECT socle.grant_generator('smol', 'team')").unwrap();
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM socle.generator_grant"), 1);
    librarian.batch_execute("SELECT socle.grant_generator('smol', 'public')").unwrap();
    other.batch_execute(GENERATE).unwrap();
    for statement in
        ["SELECT socle.grant_generator('nowhere', 'team')", "SELECT socle.grant_generator('smol', 'nobody')"]
    {
        assert_eq!(sqlstate(client.batch_execute(statement)), "42704", "{statement}");
    }
    let told = "SELECT string_agg(kind || ' ' || (entry -> 'data' ->> 'role'), ', ' ORDER BY number) FROM socle.ledger
                WHERE kind IN ('grant_generator', 'revoke_generator') AND role = 'librarian'";
    assert_eq!(
        value::<String>(&mut client, told),
        "revoke_generator public, grant_generator team, revoke_generator team, grant_generator team, grant_generator public"
    );
    client.batch_execute("SELECT socle.drop_generator('smol')").unwrap();
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM socle.generator_grant"), 0);
}
