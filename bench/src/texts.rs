//! The texts: passages of the handbook, or any set in the BEIR layout.

use postgres::Client;
use std::fs;
use std::path::Path;

/// Most texts of a set that are used.
const MAX_TEXTS: usize = 1500;

/// `corpus.jsonl` of a directory in the BEIR layout.
pub fn beir(directory: &Path) -> Vec<String> {
    let corpus = fs::read_to_string(directory.join("corpus.jsonl")).unwrap();
    let text = |line: &str| {
        let document: serde_json::Value = serde_json::from_str(line).unwrap();
        let part = |key: &str| document[key].as_str().unwrap_or_default().to_string();
        format!("{} {}", part("title"), part("text")).trim().to_string()
    };
    corpus.lines().map(text).filter(|text| !text.is_empty()).take(MAX_TEXTS).collect()
}

/// Paragraphs, unsplit, of the English documents below `SOCLE_DOCUMENTS`.
pub fn stored(client: &mut Client) -> Vec<String> {
    let directory = std::env::var("SOCLE_DOCUMENTS").unwrap();
    let sql = "SELECT DISTINCT paragraph, md5(paragraph) FROM pg_ls_dir($1 || '/en-US') AS f (name),
               socle.chunk(pg_read_file($1 || '/en-US/' || f.name), 1000000, format => 'html') AS c,
               regexp_split_to_table(c.content, '\\n+') AS paragraph
               WHERE length(paragraph) > 40 ORDER BY md5(paragraph) LIMIT $2";
    let rows = client.query(sql, &[&directory, &(MAX_TEXTS as i64)]).unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}
