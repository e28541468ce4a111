//! Corpora are dumped and restored, and their chunks outlive the extension.

use super::{check, counts, settle, value, with_corpus};
use socle_tests::{bin, command, run};

#[test]
fn a_dump_keeps_corpora_and_a_restore_embeds_nothing_again() {
    let (cluster, mut client) = with_corpus(20);
    client
        .batch_execute(
            "SELECT socle.pause_corpus('handbook'); UPDATE article SET body = 'in the log when dumped' WHERE id = 1",
        )
        .unwrap();
    let host = format!("--host={}", cluster.directory().display());
    let file = cluster.directory().join("dump");
    let output = format!("--file={}", file.display());
    run(command(bin("pg_dump")).args([&host, "--username=postgres", "--format=custom", &output, "postgres"]));
    client.batch_execute("CREATE DATABASE restored TEMPLATE template0").unwrap();
    run(command(bin("pg_restore"))
        .args([&host, "--username=postgres", "--dbname=restored", "--exit-on-error", "--jobs=2"])
        .arg(&file));
    let mut restored = cluster.connect_to("restored");
    let row = restored.query_one("SELECT state, state_reason FROM socle.corpus_status", &[]).unwrap();
    assert_eq!(row.get::<_, String>(0), "paused");
    assert!(row.get::<_, String>(1).contains("socle.resume_corpus()"));
    restored.batch_execute("UPDATE article SET body = 'before it was resumed' WHERE id = 2").unwrap();
    restored.batch_execute("SELECT socle.resume_corpus('handbook')").unwrap();
    settle(&mut restored);
    restored.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    let found: i64 =
        value(&mut restored, "SELECT count(*) FROM socle.search('handbook', 'article', 100, mode => 'keyword')");
    let chunks: i64 = value(&mut restored, "SELECT count(*) FROM handbook_chunk WHERE content LIKE '%article%'");
    assert_eq!(found, chunks, "the keyword index is made anew");
    assert_eq!(counts(&mut restored).0, 2, "only what changed was embedded");
    restored.batch_execute("UPDATE article SET body = 'afterwards' WHERE id = 3").unwrap();
    settle(&mut restored);
    let indexed: bool = value(&mut restored, "SELECT count(*) = 1 FROM pg_indexes WHERE indexdef LIKE '%hnsw%'");
    assert!(indexed);
}

#[test]
fn dropping_the_extension_leaves_chunks_and_source_and_its_return_adopts_them() {
    let (_cluster, mut client) = with_corpus(5);
    assert_eq!(crate::sqlstate(client.batch_execute("DROP EXTENSION socle")), "2BP01");
    client
        .batch_execute("DROP EXTENSION socle CASCADE; UPDATE article SET body = 'without the extension' WHERE id = 1")
        .unwrap();
    let nearest: i32 = value(
        &mut client,
        "SELECT source_id FROM handbook_chunk ORDER BY embedding <=> (SELECT embedding FROM handbook_chunk WHERE source_id = 3) LIMIT 1",
    );
    assert_eq!(nearest, 3);
    let left: i64 =
        value(&mut client, "SELECT count(*) FROM pg_class WHERE relname IN ('handbook_change', 'handbook_document')");
    assert_eq!(left, 0, "what only socle needs goes with it");
    client
        .batch_execute(
            "CREATE EXTENSION socle; SELECT socle.register_model('minilm', 'all-minilm-l6-v2');
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], title => 'title', model => 'minilm')",
        )
        .unwrap();
    settle(&mut client);
    assert_eq!(counts(&mut client), (1, 4));
    check(&mut client);
}

/// The owner of a database, which is no superuser, restores a dump of it into one where a superuser has created the
/// extension and registered the model.
#[test]
fn the_owner_of_a_database_restores_its_corpora() {
    let (cluster, mut client) = with_corpus(20);
    client
        .batch_execute(
            "CREATE ROLE tenant LOGIN CREATEDB; CREATE ROLE stranger LOGIN; GRANT tenant TO postgres;
                        SELECT socle.create_synonyms('handbook', ARRAY['essay', 'article'])",
        )
        .unwrap();
    let host = format!("--host={}", cluster.directory().display());
    let file = |name: &str| cluster.directory().join(name);
    for (format, name) in [("custom", "dump"), ("plain", "dump.sql")] {
        let (format, output) = (format!("--format={format}"), format!("--file={}", file(name).display()));
        run(command(bin("pg_dump")).args([&host, "--username=postgres", "--no-owner", &format, &output, "postgres"]));
    }
    for database in ["custom", "plain"] {
        client.batch_execute(&format!("CREATE DATABASE {database} OWNER tenant TEMPLATE template0")).unwrap();
        let mut restored = cluster.connect_to(database);
        restored
            .batch_execute("CREATE EXTENSION socle CASCADE; SELECT socle.register_model('minilm', 'all-minilm-l6-v2')")
            .unwrap();
        let dbname = format!("--dbname={database}");
        let mut restore = if database == "custom" {
            let mut restore = command(bin("pg_restore"));
            restore.args(["--no-owner", "--jobs=2"]).arg(file("dump"));
            restore
        } else {
            let mut restore = command(bin("psql"));
            restore.args(["--no-psqlrc", "--quiet"]).arg(format!("--file={}", file("dump.sql").display()));
            restore
        };
        let output = restore.args([&host, "--username=tenant", &dbname]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let errors: Vec<&str> = said.lines().filter(|line| line.to_lowercase().contains("error:")).collect();
        // As the README says: the comments of extensions belong to their owner.
        let explained = |line: &&&str| line.contains("must be owner of extension") || line.contains("errors ignored");
        assert_eq!(errors.iter().filter(|line| !explained(line)).count(), 0, "{said}");

        let mut tenant = cluster.configuration().user("tenant").dbname(database).connect(postgres::NoTls).unwrap();
        let state: String = value(&mut tenant, "SELECT state || ': ' || state_reason FROM socle.corpus_status");
        assert!(state.starts_with("paused: restored from a dump"), "{state}");
        tenant.batch_execute("UPDATE article SET body = 'before it was resumed' WHERE id = 2").unwrap();
        tenant.batch_execute("SELECT socle.resume_corpus('handbook')").unwrap();
        settle(&mut tenant);
        assert_eq!(counts(&mut tenant).0, 1, "only what changed was embedded");
        tenant.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
        let found: i64 = value(&mut tenant, "SELECT count(*) FROM socle.search('handbook', 'article', 100)");
        assert_eq!(found, 20);
        let found: i64 =
            value(&mut tenant, "SELECT count(*) FROM socle.search('handbook', 'essay', 100, mode => 'keyword')");
        assert_eq!(found, 19, "synonyms are kept; one row has changed");
    }
    only_who_owns_the_tables(&cluster);
}

/// What the owner of a dump may do is refused for tables of other roles, and for what would be run as it is.
fn only_who_owns_the_tables(cluster: &socle_tests::Cluster) {
    let mut tenant = cluster.configuration().user("tenant").dbname("custom").connect(postgres::NoTls).unwrap();
    let mut stranger = cluster.configuration().user("stranger").dbname("custom").connect(postgres::NoTls).unwrap();
    let insert = |changes: &str| {
        format!(
            "INSERT INTO socle.corpus SELECT (jsonb_populate_record(NULL::socle.corpus, to_jsonb(c) || '{{\"name\": \"copy\"}}' || '{changes}')).*
             FROM socle.corpus c WHERE name = 'handbook'"
        )
    };
    assert_eq!(crate::sqlstate(stranger.batch_execute(&insert("{}"))), "42501", "the tables of another");
    for changes in [
        r#"{"key_operators": ["= s.id OR evil() OR 1 ="]}"#,
        r#"{"key_operators": []}"#,
        r#"{"key_columns": [null]}"#,
        r#"{"content_roles": ["text", "text"]}"#,
        r#"{"document_table": "nowhere"}"#,
        r#"{"source_schema": "pg_catalog", "source_table": "pg_authid"}"#,
    ] {
        assert_eq!(crate::sqlstate(tenant.batch_execute(&insert(changes))), "42501", "{changes}");
    }
    for (changes, code) in [
        (r#"{"content_roles": ["nonsense"]}"#, "XX000"),
        (r#"{"template": "{nowhere"}"#, "22023"),
        (r#"{"format": "nonsense"}"#, "22023"),
        (r#"{"language": "nonsense"}"#, "22023"),
        (r#"{"dimensions": -1}"#, "XX000"),
    ] {
        assert_eq!(crate::sqlstate(tenant.batch_execute(&insert(changes))), code, "{changes}");
    }
    tenant.batch_execute(&insert(r#"{"replaces": "handbook"}"#)).unwrap();
    tenant.batch_execute("INSERT INTO socle.model SELECT * FROM socle.model").unwrap();
    tenant
        .batch_execute(
            "INSERT INTO socle.model SELECT (jsonb_populate_record(m, '{\"name\": \"mine\"}')).* FROM socle.model m",
        )
        .unwrap();
    let left: i64 =
        value(&mut tenant, "SELECT (SELECT count(*) FROM socle.corpus) + (SELECT count(*) FROM socle.model)");
    assert_eq!(left, 2, "what cannot be let in is left out");
}
