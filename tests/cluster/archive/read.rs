//! pandas, pyarrow and DuckDB read the files.

use super::{Shelf, export, settle, value};
use serde_json::{Value, json};
use std::process::Command;

#[test]
fn pandas_pyarrow_and_duckdb_read_the_files_as_they_are() {
    let shelf = Shelf::new("readers");
    let cluster = shelf.cluster();
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TABLE page (site text, number int, body text, PRIMARY KEY (site, number));
             INSERT INTO page VALUES ('it''s', 1, E'# Guide\\n\\n## Install\\n\\nRun it.'), ('عربي', 2, 'مرحبا بالعالم'), ('b', -3, NULL);
             INSERT INTO page SELECT 'many', i, 'the same text' FROM generate_series(1, 1000) i;
             SELECT socle.create_corpus('page', 'page', ARRAY['body'], model => 'minilm', format => 'markdown')",
        )
        .unwrap();
    settle(&mut client, "page");
    client
        .batch_execute(
            "CREATE TABLE question (id int, body text); INSERT INTO question VALUES (1, 'Où est ''b''?'), (2, NULL)",
        )
        .unwrap();
    let more = ", part_megabytes => 1, evaluation_sets => '{question}'";
    export(&mut client, "page", &shelf.path().join("page"), more).unwrap();
    let expected: Value = serde_json::from_str(&value::<String>(
        &mut client,
        "SELECT jsonb_agg(jsonb_build_object('source_site', source_site, 'source_number', source_number, 'ordinal', ordinal,
                    'content', content, 'heading_path', heading_path, 'page', page, 'start_offset', start_offset,
                    'end_offset', end_offset, 'token_count', token_count, 'content_hash', encode(content_hash, 'hex'),
                    'embedding', encode(substr(vector_send(embedding), 5), 'hex')) ORDER BY source_site COLLATE \"C\", source_number)::text
         FROM page_chunk",
    ))
    .unwrap();
    assert!(expected.as_array().unwrap().len() > 1_001);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/archive/read.py");
    let packages =
        std::env::var("SOCLE_PYTHON_EXPORT").expect("run the tests with \"make test\", which sets SOCLE_PYTHON_EXPORT");
    // The files belong to the user of the server, and are read as whoever has copied them would.
    let output = Command::new("python3")
        .arg(script)
        .arg(shelf.path().join("page"))
        .env("PYTHONPATH", packages)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    for reader in ["pandas", "pyarrow", "duckdb"] {
        assert_eq!(found[reader].as_array().unwrap().len(), expected.as_array().unwrap().len(), "{reader}");
        assert!(found[reader] == expected, "{reader}: {} {}", found[reader][0], expected[0]);
    }
    let questions = json!([["1", "Où est 'b'?"], ["2", null]]);
    assert_eq!(found["questions"], json!([questions, questions, questions]), "by pandas, pyarrow and DuckDB");
    assert_eq!(found["nearest"], json!("مرحبا بالعالم"), "DuckDB computes with the vectors");
}
