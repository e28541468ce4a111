//! Corpora travel with dumps, and their chunks outlive the extension.

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
