//! Scans on a real cluster, recognised by the real model: `files/make.py` has drawn what they say.

use super::value;
use postgres::Client;
use socle_tests::{Cluster, error_of, eventually};

const PNG: &[u8] = include_bytes!("files/harbour.png");
const TIFF: &[u8] = include_bytes!("files/harbour.tif");
const FORM: &[u8] = include_bytes!("files/form.png");
const PDF: &[u8] = include_bytes!("files/harbour.pdf");

/// A session that recognises pictures.
pub fn session(cluster: &Cluster) -> Client {
    let mut client = cluster.connect();
    client
        .batch_execute(
            "SELECT socle.register_model('ocr', 'pp-ocrv6-small', license => 'Apache-2.0')
             WHERE NOT EXISTS (SELECT FROM socle.model WHERE name = 'ocr'); SET socle.ocr_model = 'ocr'",
        )
        .unwrap();
    client
}

fn metadata(client: &mut Client, document: &[u8], ocr: &str) -> serde_json::Value {
    let row = client.query_one("SELECT socle.document_metadata($1, ocr => $2)::text", &[&document, &ocr]).unwrap();
    serde_json::from_str(row.get(0)).unwrap()
}

#[test]
fn a_picture_of_a_page_becomes_heading_paragraphs_and_table() {
    let cluster = Cluster::with_models("");
    let mut client = session(&cluster);
    for file in [PNG, TIFF, PDF] {
        let text: String = client.query_one("SELECT socle.extract_text($1)", &[&file]).unwrap().get(0);
        assert!(
            text.starts_with("# Harbour Regulations\n\nShips that are longer than forty metres take a pilot"),
            "{text}"
        );
        assert!(text.contains("\n\nThe fee for a berth is due on arrival."), "{text}");
        assert!(text.contains("| Length | Fee per day | Deposit |\n"), "{text}");
        assert!(text.contains("| up to 40 m | 61.00 | 250.00 |"), "{text}");
    }
    for file in [TIFF, PDF] {
        let found = "SELECT count(*) FROM socle.extract($1) WHERE page = 2 AND content LIKE '%nuit jusqu_à l_aube.%'";
        assert_eq!(client.query_one(found, &[&file]).unwrap().get::<_, i64>(0), 1);
        let metadata = metadata(&mut client, file, "auto");
        assert_eq!((&metadata["page_count"], &metadata["pages_recognized"]), (&2.into(), &2.into()), "{metadata}");
        assert!(metadata["recognition_confidence"].as_f64().unwrap() > 0.9, "{metadata}");
        assert_eq!(metadata["recognition_model"]["name"], "ocr");
        let digest: String = value(&mut client, "SELECT digest FROM socle.model WHERE name = 'ocr'");
        assert_eq!(metadata["recognition_model"]["digest"], digest.as_str());
    }
}

/// Memory of a process in kB, of a line of its status.
fn kilobytes(pid: u32, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let found = status.lines().find_map(|read| read.strip_prefix(line)).unwrap();
    found.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn memory_is_given_back_once_no_page_is_read() {
    let cluster = Cluster::with_models("");
    session(&cluster).query_one("SELECT socle.extract_text($1)", &[&PDF]).unwrap();
    let engine = cluster.engine_pid().unwrap();
    let most = kilobytes(engine, "VmHWM:");
    eventually("memory to be given back", || (kilobytes(engine, "VmRSS:") < most / 2).then_some(()));
}

#[test]
fn pictures_are_read_only_if_that_is_wanted_and_possible() {
    let cluster = Cluster::with_models("");
    let mut client = session(&cluster);
    let refused = |client: &mut Client, sql: &str| {
        let error = client.query(sql, &[&PNG]).unwrap_err();
        let error = error.as_db_error().unwrap();
        (error.code().code().to_string(), format!("{} {}", error.message(), error.hint().unwrap_or_default()))
    };
    let (code, text) = refused(&mut client, "SELECT socle.extract_text($1, ocr => 'off')");
    assert!(
        code == "0A000" && text.starts_with("PNG image cannot be read") && text.contains("socle.ocr_model"),
        "{text}"
    );
    let (code, text) = refused(&mut client, "SELECT socle.extract_text($1, ocr => 'sometimes')");
    assert!(code == "22023" && text.contains("off, auto, always"), "{text}");
    client.batch_execute("RESET socle.ocr_model").unwrap();
    let (code, _) = refused(&mut client, "SELECT socle.extract_text($1)");
    assert_eq!(code, "0A000");
    let (code, text) = refused(&mut client, "SELECT socle.extract_text($1, ocr => 'always')");
    assert!(code == "22023" && text.contains("register_model"), "{text}");
    let wide = [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\x01\0\0\0\x01\0\0\x08\0\0\0\0".as_slice(), &[0; 64]].concat();
    client.batch_execute("SET socle.ocr_model = 'ocr'").unwrap();
    assert!(client.query("SELECT socle.extract_text($1)", &[&wide]).is_err());
    assert_eq!(metadata(&mut client, PNG, "auto")["pages_recognized"], 1);
}

#[test]
fn a_role_needs_the_right_to_use_the_model_for_pictures_alone() {
    let cluster = Cluster::with_models("");
    let mut client = session(&cluster);
    client.batch_execute("CREATE ROLE clerk; SELECT socle.revoke_model('ocr', 'public')").unwrap();
    // Recognised by one who may, and known to the engine from then on.
    client.query_one("SELECT socle.extract_text($1)", &[&PNG]).unwrap();
    client.batch_execute("SET ROLE clerk").unwrap();
    let html = page_with_picture();
    for ocr in ["auto", "always"] {
        let text = "SELECT socle.extract_text(convert_to('<p>Plain words.', 'UTF8'), ocr => $1)";
        assert_eq!(client.query_one(text, &[&ocr]).unwrap().get::<_, String>(0), "Plain words.");
        for file in [PNG, PDF, html.as_bytes()] {
            let error = client.query("SELECT socle.extract_text($1, ocr => $2)", &[&file, &ocr]).unwrap_err();
            let error = error.as_db_error().unwrap();
            assert_eq!((error.code().code(), error.message()), ("42501", "permission denied for model \"ocr\""));
            let hint = error.hint().unwrap_or_default();
            assert!(hint.contains("ocr => 'off'") && hint.contains("socle.grant_model()"), "{hint}");
        }
    }
    client.query_one("SELECT socle.extract_text($1, ocr => 'off')", &[&html.as_bytes()]).unwrap();
    let own = "RESET ROLE; GRANT CREATE ON SCHEMA public TO clerk; SET ROLE clerk; CREATE TABLE note (id int PRIMARY KEY, bytes bytea)";
    client.batch_execute(own).unwrap();
    let create = |ocr: &str| {
        format!("SELECT socle.create_corpus('notes', source => 'note', document => 'bytes', model => 'minilm'{ocr})")
    };
    for ocr in ["", ", ocr => 'auto'"] {
        let (state, _, _, hint) = error_of(&client.batch_execute(&create(ocr)).unwrap_err());
        assert!(
            state == "42501" && hint.contains("socle.ocr_model names it") && hint.contains("ocr => 'off'"),
            "{hint}"
        );
    }
    client.batch_execute(&create(", ocr => 'off'")).unwrap();
    client.batch_execute("RESET ROLE; SELECT socle.grant_model('ocr', 'clerk'); SET ROLE clerk").unwrap();
    client.query_one("SELECT socle.extract_text($1)", &[&PNG]).unwrap();
}

#[test]
fn a_corpus_of_scans_says_what_was_recognised_and_how_surely() {
    let cluster = Cluster::with_models("");
    let mut client = session(&cluster);
    client.batch_execute("CREATE TABLE scan (id int PRIMARY KEY, bytes bytea)").unwrap();
    client
        .execute(
            "INSERT INTO scan VALUES (1, $1), (2, convert_to('<p>Boats without a deck are left on the beach.', 'UTF8')),
             (3, substr($2::bytea, 1, 2000))",
            &[&PDF, &PNG],
        )
        .unwrap();
    client
        .batch_execute("SELECT socle.create_corpus('scans', source => 'scan', document => 'bytes', model => 'minilm')")
        .unwrap();
    client.query("SELECT socle.wait_for_corpus('scans', '5 minutes')", &[]).unwrap();
    let recognised =
        "SELECT count(*) FROM scans_chunk WHERE source_id = 1 AND recognition_confidence > 0.9 AND page IN (1, 2)";
    assert!(value::<i64>(&mut client, recognised) >= 2);
    let plain = "SELECT bool_and(recognition_confidence IS NULL) FROM scans_chunk WHERE source_id = 2";
    assert!(value::<bool>(&mut client, plain));
    let digest: String = value(&mut client, "SELECT digest FROM socle.model WHERE name = 'ocr'");
    let extractors = "SELECT string_agg(DISTINCT source_id || ' ' || extractor, '; ' ORDER BY source_id || ' ' || extractor) FROM scans_chunk";
    let wanted = format!("1 socle-extract 1, ocr {digest}; 2 socle-extract 1");
    assert_eq!(value::<String>(&mut client, extractors), wanted);
    // The damaged picture alone fails.
    let failed: Vec<i32> = client
        .query("SELECT (source_key ->> 'id')::int FROM socle.job_failure WHERE corpus = 'scans'", &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(failed, [3]);
    let question = "SELECT (citations -> 0 ->> 'recognition_confidence')::float8
                    FROM socle.answer('scans', 'How long must a ship be to take a pilot?', max_sentences => 1, min_relevance => -100)";
    assert!(value::<f64>(&mut client, question) > 0.9);
    let provenance = "SELECT ocr || ' ' || ocr_model || ' ' || (ocr_model_digest = (SELECT digest FROM socle.model WHERE name = 'ocr'))
                      FROM socle.corpus WHERE name = 'scans'";
    assert_eq!(value::<String>(&mut client, provenance), "auto ocr true");
    assert_eq!(
        value::<i64>(&mut client, "SELECT count(*) FROM socle.verify_corpus('scans') WHERE problem <> 'missing'"),
        0
    );
    // Switched off, the files are read again beside the chunks.
    client.batch_execute("SELECT socle.alter_corpus('scans', ocr => 'off')").unwrap();
    client.batch_execute("CALL socle.sync_corpus('scans')").unwrap();
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM scans_chunk WHERE source_id = 1"), 0);
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM scans_chunk WHERE source_id = 2"), 1);
}

#[test]
fn ocr_belongs_to_files() {
    let cluster = Cluster::with_models("");
    let mut client = session(&cluster);
    client.batch_execute("CREATE TABLE note (id int PRIMARY KEY, body text)").unwrap();
    let sql =
        "SELECT socle.create_corpus('notes', source => 'note', content => '{body}', model => 'minilm', ocr => 'auto')";
    let error = client.batch_execute(sql).unwrap_err();
    assert_eq!(error.as_db_error().unwrap().message(), "ocr requires files");
}

#[test]
fn the_value_of_a_field_follows_its_label() {
    let cluster = Cluster::with_models("");
    let mut client = session(&cluster);
    let text: String = client.query_one("SELECT socle.extract_text($1)", &[&FORM]).unwrap().get(0);
    let words = text.replace(['\n', '|'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(
        words.replace(" --- ---", ""),
        "# Application for a berth Name of the ship: Seagull Length in metres: 38.5 Home port: Bergen Arrival: 12 May"
    );
}

/// A web page with a picture of a page between two paragraphs.
fn page_with_picture() -> String {
    format!(
        "<!doctype html><h1>Fees</h1><p>Zum Aushang am Tor.</p><p><img src=\"data:image/png;base64,{}\"></p>\
         <p>Bitte am Kai bezahlen.</p><h1>Wharf</h1><p>Schluss.</p>",
        base64(PNG)
    )
}

pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for at in 0..4 {
            let letter = char::from(LETTERS[(bits >> (18 - 6 * at) & 63) as usize]);
            text.push(if at <= three.len() { letter } else { '=' });
        }
    }
    text
}

#[test]
fn the_text_of_a_picture_stands_in_its_section_and_is_marked_alone() {
    let cluster = Cluster::with_models("");
    let mut client = session(&cluster);
    let page = page_with_picture();
    let rows = client.query("SELECT heading_path, kind, content FROM socle.extract($1)", &[&page.as_bytes()]).unwrap();
    let rows: Vec<(Vec<String>, String, String)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let at = |text: &str| rows.iter().position(|(.., content)| content.contains(text)).unwrap();
    let order = ["am Tor", "Harbour Regulations", "forty metres", "61.00", "am Kai", "Schluss"].map(at);
    assert!(order.is_sorted(), "{rows:?}");
    // Its heading is none here: what follows is not about it.
    for text in ["Harbour Regulations", "forty metres", "61.00", "am Kai"] {
        assert_eq!(rows[at(text)].0, ["Fees"], "{rows:?}");
    }
    assert_eq!(rows[at("61.00")].1, "table");
    client.batch_execute("CREATE TABLE page (id int PRIMARY KEY, bytes bytea)").unwrap();
    client.execute("INSERT INTO page VALUES (1, $1)", &[&page.as_bytes()]).unwrap();
    client
        .batch_execute(
            "SELECT socle.create_corpus('pages', source => 'page', document => 'bytes', model => 'minilm', max_tokens => 60,
                                        overlap_tokens => 0)",
        )
        .unwrap();
    client.query("SELECT socle.wait_for_corpus('pages', '5 minutes')", &[]).unwrap();
    let sure = |text: &str| format!("SELECT recognition_confidence FROM pages_chunk WHERE content LIKE '%{text}%'");
    assert!(value::<Option<f32>>(&mut client, &sure("61.00")).unwrap() > 0.9);
    assert_eq!(value::<Option<f32>>(&mut client, &sure("Schluss")), None);
}

#[test]
fn a_text_that_is_unsure_is_marked_where_it_is_cited() {
    let cluster = Cluster::with_models("");
    let mut client = session(&cluster);
    client.batch_execute("CREATE TABLE scan (id int PRIMARY KEY, bytes bytea)").unwrap();
    client.execute("INSERT INTO scan VALUES (1, $1)", &[&PNG]).unwrap();
    client
        .batch_execute("SELECT socle.create_corpus('scans', source => 'scan', document => 'bytes', model => 'minilm')")
        .unwrap();
    client.query("SELECT socle.wait_for_corpus('scans', '5 minutes')", &[]).unwrap();
    let mut citation = || {
        let question = "SELECT citations ->> 0 FROM socle.answer('scans', 'How long must a ship be to take a pilot?',
                                                                max_sentences => 1, min_relevance => -100)";
        let text: String = value(&mut client, question);
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    assert_eq!(citation().get("recognition_unsure"), None);
    cluster.connect().batch_execute("UPDATE scans_chunk SET recognition_confidence = 0.7").unwrap();
    let cited = citation();
    assert_eq!(cited["recognition_unsure"], true, "{cited}");
    assert_eq!(cited["recognition_confidence"], 0.7);
}

#[test]
fn the_languages_of_a_scan_are_told_and_what_the_model_cannot_write_of_them() {
    let cluster = Cluster::with_models("");
    let mut client = session(&cluster);
    let languages = metadata(&mut client, PDF, "auto")["recognition_languages"].clone();
    assert_eq!(languages, serde_json::json!(["english", "french"]));
    assert_eq!(metadata(&mut client, b"<p>Boats without a deck", "auto").get("recognition_languages"), None);
    let (mut client, heard) = cluster.connect_and_listen();
    client
        .batch_execute(
            "SET socle.ocr_model = 'ocr'; CREATE TABLE scan (id int PRIMARY KEY, bytes bytea);
             SELECT socle.create_corpus('german', source => 'scan', document => 'bytes', model => 'minilm', language => 'german')",
        )
        .unwrap();
    let said = || heard.try_iter().collect::<Vec<String>>().join("\n");
    assert!(!said().contains("cannot write"));
    client
        .batch_execute(
            "SELECT socle.create_corpus('russian', source => 'scan', document => 'bytes', model => 'minilm', language => 'ru')",
        )
        .unwrap();
    let notice = said();
    assert!(notice.contains("model \"ocr\" cannot write these letters of russian") && notice.contains('ж'), "{notice}");
    client.query("SELECT socle.wait_for_corpus('german', '5 minutes')", &[]).unwrap();
    client.batch_execute("SELECT socle.alter_corpus('german', language => 'ukrainian')").unwrap();
    let notice = said();
    assert!(notice.contains("letters of ukrainian") && notice.contains('ї'), "{notice}");
    client.batch_execute("CALL socle.sync_corpus('german')").unwrap();
    client.batch_execute("SELECT socle.alter_corpus('german', max_attempts => 4)").unwrap();
    assert!(!said().contains("cannot write"));
}
