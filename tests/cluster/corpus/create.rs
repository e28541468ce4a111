//! Corpora are created once, dropped without a trace, and adopt what is left of another. What is refused, and with
//! which error, is tested in `pg_regress/sql/corpus_error.sql`.

use super::{settle, value, with_corpus};

#[test]
fn an_existing_corpus_is_not_made_twice() {
    let (_cluster, mut client) = with_corpus(2);
    let again = "SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], model => 'minilm'";
    assert_eq!(crate::sqlstate(client.batch_execute(&format!("{again})"))), "42710");
    let table: String = value(&mut client, &format!("{again}, if_not_exists => true)::text"));
    assert_eq!(table, "handbook_chunk");
    // Several corpora on one source, all of them kept in sync.
    client.batch_execute("SELECT socle.create_corpus('second', 'article', ARRAY['title', 'body'], model => 'bge', max_tokens => 100)").unwrap();
    client.batch_execute("INSERT INTO article VALUES (10, 'both', 'of them')").unwrap();
    settle(&mut client);
    let done: bool = value(&mut client, "SELECT socle.wait_for_corpus('second')");
    assert!(done);
    let content: String = value(&mut client, "SELECT content FROM second_chunk WHERE source_id = 10");
    assert_eq!(content, "both\n\nof them");
}

#[test]
fn dropping_leaves_the_source_and_the_chunks_if_wanted() {
    let (_cluster, mut client) = with_corpus(2);
    client
        .batch_execute(
            "SELECT socle.drop_corpus('handbook', keep_chunks => true); UPDATE article SET body = 'nobody looks'",
        )
        .unwrap();
    let kept: i64 = value(&mut client, "SELECT count(*) FROM handbook_chunk");
    assert_eq!(kept, 2);
    let left: i64 = value(
        &mut client,
        "SELECT (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'socle%') + (SELECT count(*) FROM pg_class WHERE relname IN ('handbook_change', 'handbook_document'))",
    );
    assert_eq!(left, 0);
    // The same corpus takes the kept chunks over, and embeds only what changed.
    client.batch_execute("UPDATE article SET body = 'body of article 1' WHERE id = 1; SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], title => 'title', model => 'minilm')").unwrap();
    settle(&mut client);
    assert_eq!(super::counts(&mut client), (1, 1));
    client.batch_execute("SELECT socle.drop_corpus('handbook')").unwrap();
    let left: i64 = value(&mut client, "SELECT count(*) FROM pg_class WHERE relname LIKE 'handbook%'");
    assert_eq!(left, 0);
    assert_eq!(crate::sqlstate(client.batch_execute("SELECT socle.drop_corpus('handbook')")), "42704");
}
