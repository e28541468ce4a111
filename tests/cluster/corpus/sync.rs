//! What is embedded again when something changes, what is not, and how a document that fails is handled.

use super::{counts, settle, status, value, wait, with_corpus};
use postgres::Client;
use socle_tests::eventually;

/// Real-looking paragraphs, all different: `count` of them with some fifty words each.
fn paragraphs(count: usize) -> Vec<String> {
    const WORDS: [&str; 24] = [
        "server",
        "backup",
        "restore",
        "index",
        "vector",
        "query",
        "table",
        "column",
        "schema",
        "privilege",
        "cluster",
        "standby",
        "replica",
        "checkpoint",
        "transaction",
        "snapshot",
        "partition",
        "trigger",
        "function",
        "extension",
        "language",
        "document",
        "passage",
        "answer",
    ];
    (0..count)
        .map(|number| {
            let words: Vec<String> = (0..50)
                .map(|at| {
                    format!("{}{}", WORDS[(number * 7 + at * at) % WORDS.len()], if at % 12 == 11 { "." } else { "" })
                })
                .collect();
            format!("Paragraph {number} says: {}", words.join(" "))
        })
        .collect()
}

fn store(client: &mut Client, id: i32, text: &str) {
    let sql = "INSERT INTO article VALUES ($1, 'long', $2) ON CONFLICT (id) DO UPDATE SET body = excluded.body";
    client.execute(sql, &[&id, &text]).unwrap();
    wait(client);
    assert_eq!(client.query("SELECT * FROM socle.verify_corpus('handbook')", &[]).unwrap().len(), 0);
}

#[test]
fn an_edit_in_a_long_document_embeds_few_chunks() {
    let (_cluster, mut client) = with_corpus(1);
    // Two hundred pages of some three hundred words.
    let mut text = paragraphs(1200);
    store(&mut client, 10, &text.join("\n\n"));
    let chunks: i64 = value(&mut client, "SELECT count(*) FROM handbook_chunk WHERE source_id = 10");
    assert!(chunks > 300, "{chunks}");
    let (embedded, _) = counts(&mut client);
    text[600] = "This one paragraph was written anew by somebody who knew better.".to_string();
    store(&mut client, 10, &text.join("\n\n"));
    let edited = counts(&mut client).0 - embedded;
    assert!((1..=3).contains(&edited), "{edited} chunks were embedded");
    // Offsets and order are those of the new text.
    let exact: bool = value(
        &mut client,
        "SELECT bool_and(substr(body, start_offset, end_offset - start_offset) = content)
             AND count(*) = max(ordinal) AND count(*) = count(DISTINCT ordinal)
         FROM handbook_chunk JOIN article ON id = source_id WHERE id = 10",
    );
    assert!(exact);
    // A paragraph is removed.
    let (embedded, _) = counts(&mut client);
    text.remove(300);
    store(&mut client, 10, &text.join("\n\n"));
    assert!(counts(&mut client).0 - embedded <= 3);
}

#[test]
fn nothing_is_embedded_twice() {
    let (_cluster, mut client) = with_corpus(5);
    let (embedded, reused) = counts(&mut client);
    assert_eq!((embedded, reused), (5, 0));
    // The same title and body elsewhere, twice in one transaction.
    client
        .batch_execute("INSERT INTO article SELECT id + 100 * n, title, body FROM article, generate_series(1, 2) n")
        .unwrap();
    settle(&mut client);
    assert_eq!(counts(&mut client), (5, 10));
    // Content that is written again and is the same. The key is new, the text is not.
    client.batch_execute("UPDATE article SET id = id + 10000").unwrap();
    settle(&mut client);
    assert_eq!(counts(&mut client).0, 5);
    // New and equal in one batch: embedded once.
    client.batch_execute("INSERT INTO article SELECT i, 'new', 'all the same' FROM generate_series(1, 50) i").unwrap();
    settle(&mut client);
    assert_eq!(counts(&mut client).0, 6);
    // A change that is reverted before a worker has read it.
    client.batch_execute("SELECT socle.pause_corpus('handbook'); UPDATE article SET body = 'x' WHERE id = 1; UPDATE article SET body = 'all the same' WHERE id = 1").unwrap();
    let before = counts(&mut client);
    client.batch_execute("SELECT socle.resume_corpus('handbook')").unwrap();
    settle(&mut client);
    assert_eq!(counts(&mut client), before);
}

#[test]
fn the_template_decides_what_is_embedded_and_not_what_is_stored() {
    let (_cluster, mut client) = with_corpus(3);
    let close = "SELECT bool_and(embedding <-> socle.embed(title || E'\\n' || content, 'minilm') < 1e-5)
                 FROM handbook_chunk JOIN article ON id = source_id";
    assert!(value::<bool>(&mut client, close));
    client.batch_execute("UPDATE article SET title = 'a title of another kind' WHERE id = 2").unwrap();
    settle(&mut client);
    assert!(value::<bool>(&mut client, close));
    assert_eq!(counts(&mut client).0, 4);
    client
        .batch_execute(
            "CREATE TABLE page (name text, lang text, part int, head text, body text, PRIMARY KEY (name, part));
             INSERT INTO page VALUES ('guide', 'en', 1, '', E'# Guide\\n\\n## Install\\n\\nRun it.'), ('guide', 'en', 2, 'Two', 'More.');
             SELECT socle.create_corpus('pages', 'page', ARRAY['head', 'body'], title => 'name', model => 'minilm', format => 'markdown',
                                        template => '[{lang}] {title}: {heading}: {content}')",
        )
        .unwrap();
    let done: bool = value(&mut client, "SELECT socle.wait_for_corpus('pages')");
    assert!(done);
    let row = client
        .query_one(
            "SELECT content, heading_path, embedding <-> socle.embed('[en] guide: Guide: ' || content, 'minilm') < 1e-5
             FROM pages_chunk WHERE source_part = 1 ORDER BY ordinal DESC LIMIT 1",
            &[],
        )
        .unwrap();
    let (content, path): (String, Vec<String>) = (row.get(0), row.get(1));
    assert!(content.ends_with("Run it."), "{content}");
    assert!(path.starts_with(&["Guide".to_string()]), "{path:?}");
    let document: bool = value(
        &mut client,
        "SELECT bool_and(substr(concat_ws(E'\\n\\n', nullif(head, ''), nullif(body, '')), start_offset, end_offset - start_offset) = content)
         FROM pages_chunk JOIN page ON (name, part) = (source_name, source_part)",
    );
    assert!(document, "offsets count in the columns joined by empty lines");
}

#[test]
fn a_document_that_fails_is_parked_while_its_neighbours_proceed() {
    let (_cluster, mut client) = with_corpus(3);
    for sql in [
        "SELECT socle.drop_corpus('handbook')",
        "SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], title => 'title', model => 'minilm', max_attempts => 1)",
        "SELECT socle.wait_for_corpus('handbook')",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN IF NEW.content LIKE '%poison%' THEN RAISE 'no % here', 'poison'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON handbook_chunk FOR EACH ROW EXECUTE FUNCTION refuse()",
        "ALTER SYSTEM SET socle.max_input_bytes = 10000",
        "SELECT pg_reload_conf()",
        "SELECT socle.pause_corpus('handbook')",
        "INSERT INTO article SELECT i, 't', CASE WHEN i % 50 = 0 THEN 'poison ' ELSE 'food ' END || i FROM generate_series(100, 299) i",
        "INSERT INTO article VALUES (1000, 't', repeat('too much ', 2000))",
        "SELECT socle.resume_corpus('handbook')",
    ] {
        client.batch_execute(sql).unwrap();
    }
    let done = eventually("all have had their attempt", || {
        let row = client.query_one("SELECT pending_count, failed_count FROM socle.corpus_status", &[]).unwrap();
        (row.get::<_, i64>(0) == 0).then(|| row.get::<_, i64>(1))
    });
    assert_eq!(done, 5, "{}", status(&mut client));
    let food: i64 = value(&mut client, "SELECT count(*) FROM handbook_chunk WHERE content LIKE 'food%'");
    assert_eq!(food, 196);
    let failures = client
        .query("SELECT source_key->>'id', parked, failed_step, error_sqlstate, error_message, attempt_count FROM socle.job_failure ORDER BY (source_key->>'id')::int", &[])
        .unwrap();
    let failures: Vec<(String, bool, String, String, String, i32)> =
        failures.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4), row.get(5))).collect();
    let poison = |id: &str| (id.into(), true, "write".into(), "P0001".into(), "no poison here".into(), 1);
    assert_eq!(failures[..4], [poison("100"), poison("150"), poison("200"), poison("250")]);
    assert_eq!((failures[4].2.as_str(), failures[4].3.as_str()), ("read", "54000"));
    let waited: bool = value(&mut client, "SELECT socle.wait_for_corpus('handbook')");
    assert!(!waited, "a reader is told that something is missing");
    // After a new change of the row, and after a request to try again, the document is processed again.
    client.batch_execute("UPDATE article SET body = 'cured' WHERE id = 100").unwrap();
    eventually("it is cured", || {
        (value::<i64>(&mut client, "SELECT failed_count FROM socle.corpus_status") == 4).then_some(())
    });
    client.batch_execute("DROP TRIGGER refuse ON handbook_chunk; DELETE FROM article WHERE id = 1000").unwrap();
    let retried: i64 = value(&mut client, "SELECT socle.retry_failed('handbook')");
    assert!((3..=4).contains(&retried), "{retried}");
    settle(&mut client);
}

#[test]
fn verify_finds_and_repairs_what_was_done_behind_its_back() {
    let (_cluster, mut client) = with_corpus(10);
    client
        .batch_execute(
            "ALTER TABLE article DISABLE TRIGGER ALL;
             SELECT socle.pause_corpus('handbook');
             DELETE FROM handbook_change;
             INSERT INTO article VALUES (50, 't', 'unseen');
             UPDATE article SET body = 'changed unseen' WHERE id = 1;
             DELETE FROM article WHERE id = 2;
             DELETE FROM handbook_chunk WHERE source_id = 3;
             INSERT INTO handbook_chunk (source_id, ordinal, content, heading_path, start_offset, end_offset, token_count, content_hash, embedding)
                 SELECT 999, ordinal, content, heading_path, 1, 2, 3, content_hash, embedding FROM handbook_chunk WHERE source_id = 4;
             INSERT INTO handbook_chunk (source_id, ordinal, content, heading_path, start_offset, end_offset, token_count, content_hash, embedding)
                 SELECT 5, ordinal, content, heading_path, 1, 2, 3, content_hash, embedding FROM handbook_chunk WHERE source_id = 5",
        )
        .unwrap();
    let found = |client: &mut Client, repair: bool| -> Vec<String> {
        let sql =
            "SELECT concat_ws(' ', problem, source_key->>'id') FROM socle.verify_corpus('handbook', $1) ORDER BY 1";
        client.query(sql, &[&repair]).unwrap().iter().map(|row| row.get(0)).collect()
    };
    // A chunk that was inserted by hand is in no segment.
    let all = ["damaged 3", "damaged 5", "keywords", "missing 50", "orphan 2", "stale 1", "stray 999"];
    assert_eq!(found(&mut client, false), all);
    assert_eq!(found(&mut client, true), all);
    client
        .batch_execute(
            "ALTER TABLE article ENABLE ALWAYS TRIGGER socle_capture_handbook; SELECT socle.resume_corpus('handbook')",
        )
        .unwrap();
    settle(&mut client);
}

#[test]
fn a_trigger_that_was_off_for_a_while_costs_nothing() {
    let (cluster, _client) = with_corpus(5);
    let (mut client, heard) = cluster.connect_and_listen();
    super::wait_for_state(&mut client, "active");
    let sql = "ALTER TABLE article DISABLE TRIGGER ALL; UPDATE article SET body = 'while nobody looked' WHERE id = 1";
    client.batch_execute(sql).unwrap();
    let mut said = || {
        client.batch_execute("SELECT count(*) FROM socle.search('handbook', 'nobody looked')").unwrap();
        heard.try_iter().collect::<Vec<_>>()
    };
    let of_trigger = "corpus \"handbook\" may be out of date: its trigger is disabled on public.article: changes there are found \
                      when it is enabled again";
    let told = said();
    assert!(told.iter().any(|notice| notice == of_trigger), "{told:?}");
    cluster.connect().batch_execute("ALTER TABLE article ENABLE TRIGGER ALL").unwrap();
    settle(&mut cluster.connect());
    assert_eq!(said(), [""; 0]);
}
