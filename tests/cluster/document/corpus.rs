//! Corpora of files: the text of their chunks, what follows a change, and the cost of a bad file.

use super::value;
use postgres::Client;
use socle_tests::{Cluster, error_of};

const HTML: &str = "<h1>Backups</h1><p>Stop the server before you copy its files.</p>\
                    <h2>Restoring</h2><p>Copy the files back and start the server again.</p>";

fn settle(client: &mut Client) {
    assert!(value::<bool>(client, "SELECT socle.wait_for_corpus('files', '2 minutes')"));
    let problems = client.query("SELECT problem, detail FROM socle.verify_corpus('files')", &[]).unwrap();
    assert_eq!(problems.len(), 0, "{:?}", problems.first().map(|row| row.get::<_, String>(1)));
}

fn with_files(arguments: &str) -> (Cluster, Client) {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute("CREATE TABLE file (id int PRIMARY KEY, name text, mime text, label text, data bytea)")
        .unwrap();
    client.execute("INSERT INTO file VALUES (1, 'guide.html', 'text/html', 'Guide', $1)", &[&HTML.as_bytes()]).unwrap();
    client
        .batch_execute(&format!("SELECT socle.create_corpus('files', 'file', model => 'minilm', {arguments})"))
        .unwrap();
    (cluster, client)
}

const ALL: &str = "max_tokens => 24, document => 'data', media_type => 'mime', file_name => 'name', title => 'label'";

fn chunks(client: &mut Client, id: i32) -> Vec<(Vec<String>, String)> {
    let sql = "SELECT heading_path, content FROM files_chunk WHERE source_id = $1 ORDER BY ordinal";
    client.query(sql, &[&id]).unwrap().into_iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[test]
fn files_are_read_and_followed() {
    let (_cluster, mut client) = with_files(ALL);
    client.execute("INSERT INTO file VALUES (2, 'note.txt', NULL, 'Note', $1), (3, NULL, NULL, 'Nothing', NULL), (4, 'x', NULL, 'Empty', '')", &[&"Rotterdam café".as_bytes()]).unwrap();
    settle(&mut client);
    let guide = chunks(&mut client, 1);
    assert_eq!(guide.last().unwrap().0, ["Backups", "Restoring"]);
    let text: String = guide.iter().map(|(_, content)| content.as_str()).collect::<Vec<_>>().join("\n");
    assert!(text.contains("Stop the server") && text.contains("start the server again") && !text.contains("<p>"));
    assert_eq!(chunks(&mut client, 2), [(Vec::new(), "Rotterdam café".to_string())]);
    assert!(chunks(&mut client, 3).is_empty() && chunks(&mut client, 4).is_empty());
    let hit = "SELECT source_key ->> 'id' FROM socle.search('files', 'How do I restore?', result_limit => 1)";
    assert_eq!(value::<String>(&mut client, hit), "1");

    // In Latin-1, which is no UTF-8.
    client.execute("UPDATE file SET data = convert_to('Żółw w Gdańsku', 'LATIN2') WHERE id = 2", &[]).unwrap();
    client.execute("UPDATE file SET label = 'Handbook' WHERE id = 1", &[]).unwrap();
    settle(&mut client);
    assert_eq!(chunks(&mut client, 1), guide);
    assert_eq!(chunks(&mut client, 2)[0].1, "Żółw w Gdańsku");
    client.batch_execute("ALTER TABLE file RENAME COLUMN data TO bytes; ALTER TABLE file RENAME COLUMN mime TO media; UPDATE file SET bytes = 'renamed' WHERE id = 2").unwrap();
    settle(&mut client);
    assert_eq!(chunks(&mut client, 2)[0].1, "renamed");
    client.batch_execute("DELETE FROM file WHERE id = 1").unwrap();
    settle(&mut client);
    assert!(chunks(&mut client, 1).is_empty());
}

#[test]
fn a_file_that_cannot_be_read_is_parked_at_once_with_the_reason_and_its_neighbours_go_on() {
    let (_cluster, mut client) = with_files(ALL);
    client
        .execute(
            "INSERT INTO file VALUES (2, 'photo.png', 'image/png', 'Photo', '\\x89504e470d0a1a0a0000000d49484452')",
            &[],
        )
        .unwrap();
    client.execute("INSERT INTO file SELECT i, i || '.txt', 'text/plain', 'Text', convert_to('text ' || i, 'UTF8') FROM generate_series(3, 20) i", &[]).unwrap();
    assert!(!value::<bool>(&mut client, "SELECT socle.wait_for_corpus('files', '1 minute')"), "one has failed");
    let failure = client
        .query_one("SELECT source_key ->> 'id', failed_step, error_sqlstate, error_message, attempt_count FROM socle.job_failure", &[])
        .unwrap();
    let text = |at: usize| failure.get::<_, String>(at);
    assert_eq!((text(0).as_str(), text(1).as_str(), text(2).as_str()), ("2", "extract", "0A000"));
    assert!(text(3).contains("PNG image cannot be read: ") && text(3).contains("socle.alter_corpus()"), "{}", text(3));
    assert_eq!(failure.get::<_, i32>(4), 1, "the same bytes are not read again: {}", text(3));
    assert_eq!(value::<i64>(&mut client, "SELECT count(DISTINCT source_id) FROM files_chunk"), 19);
    client.execute("UPDATE file SET data = 'a caption' WHERE id = 2", &[]).unwrap();
    settle(&mut client);
    assert_eq!(chunks(&mut client, 2)[0].1, "a caption");
}

#[test]
fn files_that_cannot_be_read_cost_the_others_nothing() {
    let (_cluster, mut client) = with_files(ALL);
    settle(&mut client);
    let requests = "SELECT request_count FROM socle.engine_status";
    let before: i64 = value(&mut client, requests);
    client
        .execute("INSERT INTO file SELECT i, i || '.png', NULL, 'Photo', '\\x89504e470d0a1a0a0000000d49484452' FROM generate_series(100, 139) i", &[])
        .unwrap();
    assert!(!value::<bool>(&mut client, "SELECT socle.wait_for_corpus('files', '1 minute')"));
    assert_eq!(
        value::<i64>(&mut client, "SELECT count(*) FROM socle.job_failure WHERE parked AND attempt_count = 1"),
        40
    );
    // Each document was read once: if all were read again for each that fails, there would be 820 reads.
    let asked = value::<i64>(&mut client, requests) - before;
    assert!((40..80).contains(&asked), "{asked}");
}

#[test]
fn a_hit_in_a_pdf_names_the_page() {
    let (_cluster, mut client) = with_files(ALL);
    let pdf =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/extract/tests/files/handbook.pdf")).unwrap();
    client.execute("UPDATE file SET data = $1, name = 'handbook.pdf', mime = 'application/pdf'", &[&pdf]).unwrap();
    // The keywords of a first fill follow its chunks.
    client.batch_execute("CALL socle.sync_corpus('files')").unwrap();
    let sql =
        "SELECT page, heading_path[1], content FROM socle.search('files', $1, mode => 'keyword', result_limit => 1)";
    let extracted = "SELECT page FROM socle.extract($1) WHERE position($2 IN content) > 0 ORDER BY ordinal LIMIT 1";
    let mut pages = Vec::new();
    for phrase in ["reading room keeps different hours", "envelope is intact"] {
        let hit = client.query_one(sql, &[&phrase]).unwrap();
        let page: i32 = client.query_one(extracted, &[&pdf, &phrase]).unwrap().get(0);
        assert_eq!(hit.get::<_, Option<i32>>(0), Some(page), "{phrase}");
        assert_eq!(hit.get::<_, String>(1), "Handbook of the Harbour Archive");
        pages.push(page);
    }
    let last: i32 = value(&mut client, "SELECT max(page) FROM files_chunk");
    assert_eq!(last, 6);
    // The same text on other pages: chunks move and are not embedded again.
    let embedded: i64 = value(&mut client, "SELECT embedded_count FROM socle.corpus_status");
    client.batch_execute("UPDATE files_chunk SET page = 99; UPDATE file SET data = data || '\x0a'").unwrap();
    settle(&mut client);
    assert_eq!(value::<i32>(&mut client, "SELECT max(page) FROM files_chunk"), 6);
    assert_eq!(value::<i64>(&mut client, "SELECT embedded_count FROM socle.corpus_status"), embedded);
}

/// Neighbouring results are one passage, though they begin on different pages.
#[test]
fn a_citation_names_the_page_of_its_own_chunk() {
    let (_cluster, mut client) = with_files(ALL);
    let pdf =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/extract/tests/files/handbook.pdf")).unwrap();
    client.execute("UPDATE file SET data = $1, name = 'handbook.pdf', mime = 'application/pdf'", &[&pdf]).unwrap();
    client.batch_execute("CALL socle.sync_corpus('files')").unwrap();
    let merged = "SELECT count(*) FILTER (WHERE p.page <> k.page) AS wrong, max(last.page - k.page) AS pages
        FROM socle.context_passages('files', 'archive', 4000, passage_limit => 50) AS p
        CROSS JOIN LATERAL (SELECT page FROM files_chunk WHERE start_offset <= p.start_offset ORDER BY start_offset DESC LIMIT 1) AS k
        CROSS JOIN LATERAL (SELECT page FROM files_chunk WHERE start_offset < p.end_offset ORDER BY start_offset DESC LIMIT 1) AS last";
    let row = client.query_one(merged, &[]).unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
    assert!(row.get::<_, i32>(1) > 0, "no passage goes on on a further page");
    let cited = "SELECT count(*) FILTER (WHERE (c->>'page')::int IS DISTINCT FROM k.page) AS wrong, count(DISTINCT k.page) AS pages
        FROM socle.answer('files', 'archive', passage_limit => 50, max_sentences => 10) AS a
        CROSS JOIN LATERAL jsonb_array_elements(a.citations) AS c
        CROSS JOIN LATERAL (SELECT page FROM files_chunk
                            WHERE start_offset <= (c->>'start_offset')::int ORDER BY start_offset DESC LIMIT 1) AS k";
    let row = client.query_one(cited, &[]).unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
    assert!(row.get::<_, i64>(1) > 1, "all sentences are on one page");
}

#[test]
fn large_objects_are_read() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client.batch_execute("CREATE TABLE file (id int PRIMARY KEY, object oid)").unwrap();
    client
        .execute("INSERT INTO file VALUES (1, lo_from_bytea(0, $1)), (2, NULL), (3, 99)", &[&HTML.as_bytes()])
        .unwrap();
    client
        .batch_execute(
            "SELECT socle.create_corpus('files', 'file', model => 'minilm', max_tokens => 24, document => 'object')",
        )
        .unwrap();
    settle(&mut client);
    assert_eq!(chunks(&mut client, 1).last().unwrap().0, ["Backups", "Restoring"]);
    // A change of the bytes of a large object fires no trigger, because its OID in the row stays.
    client
        .batch_execute("SELECT lo_put(object, 0, convert_to('<h1>Changed</h1>', 'UTF8')) FROM file WHERE id = 1")
        .unwrap();
    let problems = client.query("SELECT problem FROM socle.verify_corpus('files', repair => true)", &[]).unwrap();
    assert_eq!(problems[0].get::<_, String>(0), "stale");
    settle(&mut client);
    assert!(chunks(&mut client, 1).iter().any(|(path, _)| path.first().is_some_and(|heading| heading == "Changed")));
}

#[test]
fn readers_see_chunks_of_files_that_they_may_read() {
    let (cluster, mut client) = with_files(ALL);
    settle(&mut client);
    client.batch_execute("CREATE ROLE reader LOGIN; GRANT SELECT ON files_chunk TO reader; GRANT SELECT (id, name, mime, label) ON file TO reader").unwrap();
    let mut reader = cluster.configuration().user("reader").connect(postgres::NoTls).unwrap();
    let (state, ..) = error_of(&reader.query("SELECT content FROM files_chunk", &[]).unwrap_err());
    assert_eq!(state, "42501");
    client.batch_execute("GRANT SELECT (data) ON file TO reader").unwrap();
    assert!(!reader.query("SELECT content FROM files_chunk", &[]).unwrap().is_empty());
    client.batch_execute("ALTER TABLE file ENABLE ROW LEVEL SECURITY").unwrap();
    assert!(reader.query("SELECT content FROM files_chunk", &[]).unwrap().is_empty());
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client.batch_execute("CREATE TABLE file (id int PRIMARY KEY, name text, data bytea)").unwrap();
    let mut refused = |arguments: &str, state: &str, message: &str| {
        let sql = format!("SELECT socle.create_corpus('files', 'file', model => 'minilm', {arguments})");
        let error = error_of(&client.query(&sql, &[]).expect_err(arguments));
        assert_eq!((error.0.as_str(), error.1.as_str()), (state, message), "{arguments}");
    };
    refused("title => 'name'", "22023", "content must name at least one column");
    refused("content => '{name}', document => 'data'", "22023", "content and document are mutually exclusive");
    refused("content => '{name}', media_type => 'name'", "22023", "media_type and file_name require files");
    refused("document => 'name'", "42804", "column \"name\" of table \"file\" does not hold files");
    refused("document => 'nothing'", "42703", "column \"nothing\" of table \"file\" does not exist");
    refused("document => 'data', media_type => 'data'", "42804", "column \"data\" of table \"file\" is not text");
    refused("document => 'data', format => 'html'", "22023", "format belongs to content");
    refused("content => '{data}'", "42804", "column \"data\" of table \"file\" is not text");
    client.batch_execute("SELECT socle.create_corpus('files', 'file', model => 'minilm', document => 'data')").unwrap();
    settle(&mut client);
    let error = error_of(&client.query("SELECT socle.alter_corpus('files', format => 'plain')", &[]).unwrap_err());
    assert_eq!(error.0, "22023");
    client.batch_execute("SELECT socle.alter_corpus('files', max_tokens => 50)").unwrap();
    client.batch_execute("CALL socle.sync_corpus('files')").unwrap();
}

/// The member `extractor` of the provenance of all chunks, of which there are some, and of a citation.
fn extractors(client: &mut Client) -> (Option<String>, Option<String>) {
    let traced = "SELECT t.detail ->> 'extractor' FROM files_chunk k, LATERAL socle.trace('files', k.chunk_id) AS t
                  WHERE t.step = 'vector' AND k.source_id = 1";
    let mut traced: Vec<Option<String>> = client.query(traced, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    assert!(traced.len() > 1);
    traced.dedup();
    assert_eq!(traced.len(), 1, "{traced:?}");
    let traced = traced.remove(0);
    let cited = "SELECT citations -> 0 ->> 'extractor'
                 FROM socle.answer('files', 'What do I stop before I copy files?', min_relevance => -100, max_sentences => 1)";
    (traced, value(client, cited))
}

#[test]
fn a_chunk_of_a_file_says_what_its_text_was_extracted_with() {
    let (_cluster, mut client) = with_files("max_tokens => 24, document => 'data', media_type => 'mime'");
    settle(&mut client);
    let present = || Some("socle-extract 1".to_string());
    assert_eq!(extractors(&mut client), (present(), present()));
    // From the answer, as the ledger has it, without a look at the source.
    let answered = "SELECT answer FROM socle.answer('files', 'What do I stop before I copy files?', min_relevance => -100, max_sentences => 1)";
    let answer: String = value(&mut client, answered);
    let told = "SELECT detail ->> 'extractor' FROM socle.trace($1::text) WHERE step = 'citation' LIMIT 1";
    assert_eq!(client.query_one(told, &[&answer]).unwrap().get::<_, Option<String>>(0), present());

    // A reader of some columns sees all but this one.
    client
        .batch_execute(
            "CREATE ROLE reader; GRANT SELECT ON file TO reader; GRANT SELECT (chunk_id, source_id, ordinal, content,
                 heading_path, page, start_offset, end_offset, token_count, content_hash, embedding) ON files_chunk TO reader;
             SET ROLE reader",
        )
        .unwrap();
    assert_eq!(extractors(&mut client), (None, None));
    client.batch_execute("RESET ROLE").unwrap();

    // The table of a version that did not have the column, and after its update: then it is not known.
    client.batch_execute("ALTER TABLE files_chunk DROP COLUMN extractor").unwrap();
    client.batch_execute("UPDATE file SET data = data || '<p>More.</p>' WHERE id = 1").unwrap();
    settle(&mut client);
    assert_eq!(extractors(&mut client), (None, None));
    client.batch_execute("ALTER TABLE files_chunk ADD COLUMN extractor text").unwrap();
    assert_eq!(extractors(&mut client), (None, None));
    // Read again, the chunks that stay say it, too.
    let first: i64 = value(&mut client, "SELECT min(chunk_id) FROM files_chunk");
    client.batch_execute("UPDATE file SET data = data || '<p>And more.</p>' WHERE id = 1").unwrap();
    settle(&mut client);
    assert_eq!(extractors(&mut client), (present(), present()));
    assert_eq!(value::<i64>(&mut client, "SELECT min(chunk_id) FROM files_chunk"), first);
}

#[test]
fn texts_of_columns_are_extracted_with_nothing() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TABLE note (id int PRIMARY KEY, body text); INSERT INTO note VALUES (1, 'A backup is made each night.');
             SELECT socle.create_corpus('notes', 'note', ARRAY['body'], model => 'minilm')",
        )
        .unwrap();
    assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('notes', '2 minutes')"));
    let columns =
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'notes_chunk'::regclass AND attname = 'extractor'";
    assert_eq!(value::<i64>(&mut client, columns), 0);
    let traced = "SELECT detail ? 'extractor' FROM socle.trace('notes', (SELECT chunk_id FROM notes_chunk)) WHERE step = 'vector'";
    assert!(!value::<bool>(&mut client, traced));
}
