//! Corpora whose model of recognition is replaced, gone, or another than it was.

use super::ocr::session;
use super::value;
use crate::model::{copy, use_models};
use postgres::Client;
use socle_tests::{Cluster, error_of, eventually, model_directory};

const PDF: &[u8] = include_bytes!("files/harbour.pdf");
const PNG: &[u8] = include_bytes!("files/harbour.png");

/// A vector that no text has.
const MARK: &str = "array_fill(0.5, ARRAY[384])::vector";

/// A corpus of a scan, a web page and a picture, recognised by `ocr`, and a model `other` whose digest is another: it does
/// not tell which lines stand on their head.
fn with_scans() -> (Cluster, Client) {
    let cluster = Cluster::with_models("");
    let models = cluster.directory().join("models");
    for model in ["all-minilm-l6-v2", "bge-small-en-v1.5", "pp-ocrv6-small"] {
        std::fs::create_dir_all(&models).unwrap();
        copy(&model_directory().join(model), &models.join(model));
    }
    copy(&models.join("pp-ocrv6-small"), &models.join("upright"));
    std::fs::remove_file(models.join("upright/direction.onnx")).unwrap();
    use_models(&cluster, &models);
    let mut client = session(&cluster);
    client
        .batch_execute(
            "SELECT socle.register_model('other', 'upright'); CREATE TABLE scan (id int PRIMARY KEY, bytes bytea)",
        )
        .unwrap();
    client
        .execute(
            "INSERT INTO scan VALUES (1, $1), (2, convert_to('<p>Boats without a deck are left on the beach.', 'UTF8')), (3, $2)",
            &[&PDF, &PNG],
        )
        .unwrap();
    client
        .batch_execute("SELECT socle.create_corpus('scans', source => 'scan', document => 'bytes', model => 'minilm')")
        .unwrap();
    complete(&mut client);
    assert_eq!(read_by(&mut client), wanted(&mut client, "ocr"));
    // What repairs a corpus names its model itself.
    client.batch_execute("RESET socle.ocr_model").unwrap();
    (cluster, client)
}

fn complete(client: &mut Client) {
    client.batch_execute("CALL socle.sync_corpus('scans')").unwrap();
}

/// What the chunks of each document were read by.
fn read_by(client: &mut Client) -> String {
    let sql = "SELECT string_agg(DISTINCT source_id || ' ' || extractor, '; ' ORDER BY source_id || ' ' || extractor) FROM scans_chunk";
    value(client, sql)
}

/// What they were read by if this model has recognised the pictures.
fn wanted(client: &mut Client, model: &str) -> String {
    let digest: String = value(client, &format!("SELECT digest FROM socle.model WHERE name = '{model}'"));
    format!("1 socle-extract 1, ocr {digest}; 2 socle-extract 1; 3 socle-extract 1, ocr {digest}")
}

/// Why the corpus is broken, once a change has shown it.
fn why_broken(client: &mut Client) -> String {
    client.batch_execute("UPDATE scan SET bytes = bytes || '\\x0a'::bytea WHERE id = 2").unwrap();
    eventually("the corpus is broken", || {
        let sql = "SELECT state_reason FROM socle.corpus_status WHERE name = 'scans' AND state = 'broken'";
        client.query_opt(sql, &[]).unwrap().map(|row| row.get(0))
    })
}

fn states(client: &mut Client) -> Vec<(String, String)> {
    let rows = client.query("SELECT name, state FROM socle.corpus_status ORDER BY name", &[]).unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[test]
fn another_model_reads_all_scans_again() {
    let (_cluster, mut client) = with_scans();
    let before: String =
        value(&mut client, "SELECT string_agg(content, '|' ORDER BY source_id, ordinal) FROM scans_chunk");
    client.batch_execute(&format!("UPDATE scans_chunk SET embedding = {MARK}")).unwrap();
    client.batch_execute("SELECT socle.alter_corpus('scans', ocr_model => 'other')").unwrap();
    complete(&mut client);
    assert_eq!(read_by(&mut client), wanted(&mut client, "other"));
    let after: String =
        value(&mut client, "SELECT string_agg(content, '|' ORDER BY source_id, ordinal) FROM scans_chunk");
    assert_eq!(before, after, "the pages are upright");
    let kept = value::<bool>(&mut client, &format!("SELECT bool_and(embedding = {MARK}) FROM scans_chunk"));
    assert!(kept, "texts that are the same keep their vectors");
    let question = "SELECT citations ->> 0 FROM socle.answer('scans', 'How long must a ship be to take a pilot?',
                                                            max_sentences => 1, min_relevance => -100)";
    let citation: String = value(&mut client, question);
    let digest: String = value(&mut client, "SELECT digest FROM socle.model WHERE name = 'other'");
    assert!(citation.contains(&digest), "{citation}");
    let same = value::<String>(&mut client, "SELECT socle.alter_corpus('scans', ocr_model => 'other')");
    assert_eq!(same, "scans", "nothing is to change");
    // Which pictures are recognised is changed without a word about the model, which stays.
    client.batch_execute("SELECT socle.alter_corpus('scans', ocr => 'always')").unwrap();
    complete(&mut client);
    let of_corpus = "SELECT ocr || ' ' || ocr_model FROM socle.corpus";
    assert_eq!(value::<String>(&mut client, of_corpus), "always other");
    assert_eq!(read_by(&mut client), wanted(&mut client, "other"));
    for (arguments, code) in [
        ("ocr_model => 'minilm'", "42809"),
        ("ocr_model => 'nothing'", "42704"),
        ("ocr_model => 'other', ocr => 'off'", "22023"),
    ] {
        let error = client.batch_execute(&format!("SELECT socle.alter_corpus('scans', {arguments})")).unwrap_err();
        assert_eq!(error_of(&error).0, code, "{arguments}");
    }
}

#[test]
fn a_corpus_whose_model_of_recognition_is_gone_says_what_to_do_and_that_heals_it() {
    let (_cluster, mut client) = with_scans();
    client.batch_execute("SELECT socle.drop_model('ocr', force => true)").unwrap();
    let reason = why_broken(&mut client);
    assert!(reason.contains("model \"ocr\" does not exist"), "{reason}");
    for way in ["socle.alter_corpus('scans', ocr_model => ...)", "socle.alter_corpus('scans', ocr => 'off')"] {
        assert!(reason.contains(way), "{reason}");
    }
    let refused = client.batch_execute("SELECT socle.resume_corpus('scans')").unwrap_err();
    assert!(error_of(&refused).3.contains("ocr_model => ..."), "{refused:?}");
    let refused = client.batch_execute("SELECT socle.alter_corpus('scans', max_tokens => 100)").unwrap_err();
    assert_eq!(error_of(&refused).0, "42704", "the model is still missing");
    client.batch_execute("SELECT socle.alter_corpus('scans', ocr_model => 'other')").unwrap();
    // Until the new chunks are there, it is as it was.
    let meanwhile = states(&mut client);
    assert!(meanwhile.contains(&("scans".into(), "broken".into())) || meanwhile.len() == 1, "{meanwhile:?}");
    complete(&mut client);
    assert_eq!(states(&mut client), [("scans".to_string(), "active".to_string())]);
    assert_eq!(read_by(&mut client), wanted(&mut client, "other"));
    assert_eq!(value::<Option<String>>(&mut client, "SELECT state_reason FROM socle.corpus_status"), None);
    client.batch_execute("DELETE FROM scan WHERE id = 3").unwrap();
    complete(&mut client);
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM scans_chunk WHERE source_id = 3"), 0);
}

#[test]
fn a_corpus_whose_model_of_recognition_is_another_than_it_was_adopts_it_or_does_without() {
    let (_cluster, mut client) = with_scans();
    let digest: String = value(&mut client, "SELECT digest FROM socle.model WHERE name = 'ocr'");
    client
        .batch_execute("SELECT socle.drop_model('ocr', force => true); SELECT socle.register_model('ocr', 'upright')")
        .unwrap();
    let reason = why_broken(&mut client);
    assert!(reason.contains("is not the model that corpus \"scans\" was created with"), "{reason}");
    assert!(reason.contains(&format!("that of the model of the recognized text is {digest}")), "{reason}");
    assert!(!reason.contains("vectors"), "{reason}");
    client.batch_execute("SELECT socle.alter_corpus('scans', ocr_model => 'ocr')").unwrap();
    complete(&mut client);
    assert_eq!(read_by(&mut client), wanted(&mut client, "other"), "the files of both are the same");
    client.batch_execute("SELECT socle.drop_model('ocr', force => true)").unwrap();
    why_broken(&mut client);
    client.batch_execute("SELECT socle.alter_corpus('scans', ocr => 'off')").unwrap();
    complete(&mut client);
    assert_eq!(read_by(&mut client), "2 socle-extract 1");
}

#[test]
fn what_else_breaks_a_corpus_is_not_repaired_by_another_model() {
    let (_cluster, mut client) = with_scans();
    client.batch_execute("ALTER TABLE scan DROP CONSTRAINT scan_pkey").unwrap();
    client.batch_execute("SELECT socle.drop_model('ocr', force => true)").unwrap();
    let refused = client.batch_execute("SELECT socle.alter_corpus('scans', ocr_model => 'other')").unwrap_err();
    assert_eq!(error_of(&refused).0, "55000");
    // A model of vectors that is gone is replaced in the same way.
    client.batch_execute("ALTER TABLE scan ADD PRIMARY KEY (id)").unwrap();
    client.batch_execute("SELECT socle.register_model('ocr', 'pp-ocrv6-small')").unwrap();
    client.batch_execute("SELECT socle.resume_corpus('scans')").unwrap();
    complete(&mut client);
    client.batch_execute("SELECT socle.drop_model('minilm', force => true)").unwrap();
    let reason = why_broken(&mut client);
    assert!(reason.contains("socle.alter_corpus('scans', model => ...)"), "{reason}");
    client.batch_execute("SELECT socle.alter_corpus('scans', model => 'bge')").unwrap();
    complete(&mut client);
    assert_eq!(value::<String>(&mut client, "SELECT model || ' ' || state FROM socle.corpus_status"), "bge active");
}
