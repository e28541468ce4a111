//! Pictures inside of documents of all formats, recognised by the real model: `files/make_documents.py` has made these.

use super::ocr::{base64, session};
use socle_tests::Cluster;

const PNG: &[u8] = include_bytes!("files/harbour.png");
const DOCX: &[u8] = include_bytes!("files/picture.docx");
const ODT: &[u8] = include_bytes!("files/picture.odt");
const EPUB: &[u8] = include_bytes!("files/picture.epub");
const PPTX: &[u8] = include_bytes!("files/picture.pptx");

/// A mail whose text shows an attached picture between two paragraphs.
fn mail() -> Vec<u8> {
    let html = "<p>Zum Aushang am Tor.</p><p><img src=\"cid:notice@harbour\"></p><p>Bitte am Kai bezahlen.</p>";
    let lines = |text: String| {
        let lines: Vec<String> = text.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line).into()).collect();
        lines.join("\r\n")
    };
    format!(
        "From: master@harbour.example\r\nSubject: Notice\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/related; boundary=\"part\"\r\n\r\n--part\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n\
         --part\r\nContent-Type: image/png; name=\"notice.png\"\r\nContent-ID: <notice@harbour>\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--part--\r\n",
        lines(base64(PNG))
    )
    .into_bytes()
}

#[test]
fn the_text_of_a_picture_stands_between_the_paragraphs_around_it_in_every_format() {
    let cluster = Cluster::with_models("");
    let mut client = session(&cluster);
    let mail = mail();
    for (name, file) in [("docx", DOCX), ("odt", ODT), ("epub", EPUB), ("pptx", PPTX), ("eml", &mail)] {
        let sql = "SELECT content, page FROM socle.extract($1, file_name => 'notice.' || $2::text)";
        let rows = client.query(sql, &[&file, &name]).unwrap();
        let rows: Vec<(String, Option<i32>)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let at = |text: &str| {
            let found = rows.iter().position(|(content, _)| content.contains(text));
            found.unwrap_or_else(|| panic!("{name}: {text:?} is missing in {rows:?}"))
        };
        let order = ["am Tor", "Harbour Regulations", "forty metres", "due on arrival", "61.00", "am Kai"].map(at);
        assert!(order.is_sorted() && order[0] < order[1] && order[4] < order[5], "{name}: {rows:?}");
        let page = (name == "pptx").then_some(1);
        assert!(rows.iter().all(|(_, found)| *found == page), "{name}: {rows:?}");
        // Once, and nothing of it as an attachment.
        assert_eq!(rows.iter().filter(|(content, _)| content.contains("forty metres")).count(), 1, "{name}: {rows:?}");
        let sql = "SELECT socle.document_metadata($1, file_name => 'notice.' || $2::text)::text";
        let metadata: String = client.query_one(sql, &[&file, &name]).unwrap().get(0);
        let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
        assert_eq!(metadata["pages_recognized"], 1, "{name}: {metadata}");
        assert!(metadata["recognition_confidence"].as_f64().unwrap() > 0.9, "{name}: {metadata}");
        assert_eq!(metadata["recognition_model"]["name"], "ocr", "{name}: {metadata}");
        assert_eq!(metadata.get("unread_pictures"), None, "{name}: {metadata}");
        // Without recognition, the paragraphs alone.
        let sql = "SELECT socle.extract_text($1, file_name => 'notice.' || $2::text, ocr => 'off')";
        let text: String = client.query_one(sql, &[&file, &name]).unwrap().get(0);
        assert!(text.contains("am Tor") && text.contains("am Kai") && !text.contains("forty"), "{name}: {text}");
    }
}
