//! The limit on the time for which the pictures of a document are recognised.

use super::ocr::session;
use super::value;
use socle_tests::{Cluster, error_of};

const PDF: &[u8] = include_bytes!("files/harbour.pdf");
const PNG: &[u8] = include_bytes!("files/harbour.png");

/// A TIFF of so many pages, at most 500, of about 1,654 by 2,339 points of noise, which take the model nearly a second each; no
/// two pages are the same, nor are those of two seeds.
pub fn noise(pages: u32, seed: u64) -> Vec<u8> {
    const WIDTH: u32 = 1_654;
    const HEIGHT: u32 = 2_339;
    const HEAD: u32 = 8;
    let mut file = b"II*\0".to_vec();
    file.extend((HEAD + WIDTH * HEIGHT).to_le_bytes());
    let mut state = seed;
    file.extend((0..WIDTH * HEIGHT).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    }));
    // Width, height, bits, no compression, black is zero, strip, samples, rows of the strip, its length.
    let entries = |height: u32| -> [(u16, u32); 9] {
        [
            (256, WIDTH),
            (257, height),
            (258, 8),
            (259, 1),
            (262, 1),
            (273, HEAD),
            (277, 1),
            (278, height),
            (279, WIDTH * height),
        ]
    };
    for page in 1..=pages {
        let entries = entries(HEIGHT - page);
        file.extend((entries.len() as u16).to_le_bytes());
        for (tag, number) in entries {
            file.extend(tag.to_le_bytes());
            file.extend(4_u16.to_le_bytes());
            file.extend(1_u32.to_le_bytes());
            file.extend(number.to_le_bytes());
        }
        let next = if page < pages { file.len() as u32 + 4 } else { 0 };
        file.extend(next.to_le_bytes());
    }
    file
}

#[test]
fn a_document_whose_pictures_take_too_long_fails_alone_and_each_time() {
    // Far more than the other files take, and far less than the pages of noise do, on any machine.
    let cluster = Cluster::with_models("socle.ocr_timeout = 20");
    let mut client = session(&cluster);
    client.batch_execute("CREATE TABLE scan (id int PRIMARY KEY, bytes bytea)").unwrap();
    client.execute("INSERT INTO scan VALUES (1, $1), (2, $2)", &[&noise(100, 7), &PNG]).unwrap();
    client
        .batch_execute(
            "SELECT socle.create_corpus('scans', source => 'scan', document => 'bytes', model => 'minilm', max_attempts => 2)",
        )
        .unwrap();
    let complete: bool = value(&mut client, "SELECT socle.wait_for_corpus('scans', '5 minutes')");
    assert!(!complete, "one document has failed");
    let failure = client
        .query_one("SELECT source_key::text, failed_step, error_sqlstate, error_message FROM socle.job_failure", &[])
        .unwrap();
    let text = |at: usize| failure.get::<_, String>(at);
    assert_eq!((text(0).as_str(), text(1).as_str(), text(2).as_str()), ("{\"id\": 1}", "extract", "38000"));
    assert!(text(3).starts_with("recognizing the pictures of the document took too long"), "{}", text(3));
    assert!(value::<i64>(&mut client, "SELECT count(*) FROM scans_chunk WHERE source_id = 2") > 0);
    // What was recognised is not recognised again, and counts nevertheless.
    let sql = "SELECT socle.extract_text(bytes) FROM scan WHERE id = 1";
    let error = client.query(sql, &[]).unwrap_err();
    let (code, message, detail, hint) = error_of(&error);
    assert_eq!((code.as_str(), message.as_str()), ("38000", "recognizing the pictures of the document took too long"));
    assert!(detail.contains("20 s of processor time") && hint.contains("socle.ocr_timeout"), "{detail} {hint}");
    // Neighbours go on, and without the limit the document has been read and says that there is nothing.
    client.query_one("SELECT socle.extract_text($1)", &[&PDF]).unwrap();
    client.batch_execute("SET socle.ocr_timeout = 0").unwrap();
    let (_, message, ..) = error_of(&client.query(sql, &[]).unwrap_err());
    assert!(!message.contains("too long"), "{message}");
}

#[test]
fn superusers_alone_set_the_limit() {
    let cluster = Cluster::with_models("");
    cluster.connect().batch_execute("CREATE ROLE reader LOGIN").unwrap();
    let mut reader = cluster.configuration().user("reader").connect(postgres::NoTls).unwrap();
    reader.execute("SELECT socle.version()", &[]).unwrap();
    let error = reader.batch_execute("SET socle.ocr_timeout = 0").unwrap_err();
    assert_eq!(error_of(&error).0, "42501");
}
