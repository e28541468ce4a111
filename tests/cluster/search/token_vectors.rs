//! Stored token vectors: a search with them ranks as the model does, whatever stands in their column, and nobody learns
//! from them what it may not see.

use super::{as_role, drain, listening, value, with_papers};
use postgres::Client;
use socle_tests::Cluster;

const QUERY: &str = "'does a fox sleep near a river?'";

/// Papers in two corpora, of which `stored` has token vectors.
fn with_stored(papers: i32) -> (Cluster, Client) {
    let (cluster, mut client) = with_papers(papers);
    client
        .batch_execute(
            "SELECT socle.create_corpus('stored', 'paper', ARRAY['body'], title => 'title', language => 'en', model => 'minilm',
                                        token_model => 'colbert');
             SELECT socle.create_corpus('bare', 'paper', ARRAY['body'], title => 'title', language => 'en', model => 'minilm')",
        )
        .unwrap();
    for corpus in ["stored", "bare"] {
        client.batch_execute(&format!("CALL socle.sync_corpus('{corpus}')")).unwrap();
    }
    (cluster, client)
}

/// Documents and their scores by the model, in order of the document.
fn scores(client: &mut Client, corpus: &str) -> Vec<(String, f64)> {
    let sql = format!(
        "SELECT source_key::text, rerank_score FROM socle.search('{corpus}', {QUERY}, 20, rerank_model => 'colbert', rerank_count => 20)
         ORDER BY (source_key->>'id')::int"
    );
    client.query(&sql, &[]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// How many candidates had token vectors, as `socle.explain_search` says.
fn stored(client: &mut Client, corpus: &str) -> i32 {
    let sql = format!(
        "SELECT coalesce(substring(detail FROM 'token vectors of (\\d+) were stored')::int, 0)
         FROM socle.explain_search('{corpus}', {QUERY}, rerank_model => 'colbert') WHERE step = 'rerank'"
    );
    value(client, &sql)
}

/// Texts that the model has run.
fn runs(client: &mut Client) -> i64 {
    value(client, "SELECT text_count FROM socle.model_status WHERE name = 'colbert'")
}

fn assert_alike(found: &[(String, f64)], expected: &[(String, f64)]) {
    assert_eq!(found.len(), expected.len());
    for ((key, found), (other, expected)) in found.iter().zip(expected) {
        assert_eq!(key, other);
        assert!((found - expected).abs() < 0.03 * expected, "{key}: {found}, not {expected}");
    }
}

#[test]
fn a_search_with_stored_token_vectors_ranks_as_the_model_does_without_running_it() {
    let (_cluster, mut client) = with_stored(60);
    let expected = scores(&mut client, "bare");
    let before = runs(&mut client);
    let found = scores(&mut client, "stored");
    assert_eq!(found.len(), 20);
    assert_eq!(runs(&mut client), before, "no document was run");
    assert_alike(&found, &expected);
    assert_eq!((stored(&mut client, "stored"), stored(&mut client, "bare")), (20, 0));
    let order = |corpus: &str| {
        format!(
            "SELECT (array_agg(source_key))[:3] FROM socle.search('{corpus}', {QUERY}, rerank_model => 'colbert', group_by_document => true)"
        )
    };
    let same: bool = value(&mut client, &format!("SELECT ({}) = ({})", order("stored"), order("bare")));
    assert!(same, "the best are the same");
    // One of several corpora has them.
    let both: i64 = value(
        &mut client,
        &format!(
            "SELECT count(rerank_score) FROM socle.search(ARRAY['stored', 'bare'], {QUERY}, 20, rerank_model => 'colbert')"
        ),
    );
    assert_eq!(both, 20);
    // Another reranker, and a search without one, do without.
    let other: String = value(
        &mut client,
        &format!(
            "SELECT detail FROM socle.explain_search('stored', {QUERY}, rerank_model => 'reranker') WHERE step = 'rerank'"
        ),
    );
    assert!(other.starts_with("20 candidates, reranker") && !other.contains("stored"), "{other}");
    let size: i32 = value(&mut client, "SELECT max(octet_length(token_vectors)) FROM stored_chunk");
    assert!((1_000..4_000).contains(&size), "{size}: about 20 tokens of 100 bytes");
    let storage: String = value(
        &mut client,
        "SELECT attstorage::text FROM pg_attribute WHERE attrelid = 'stored_chunk'::regclass AND attname = 'token_vectors'",
    );
    assert_eq!(storage, "e", "what cannot be compressed is not");
}

#[test]
fn whatever_stands_in_the_column_a_search_ranks_as_the_model_does() {
    let (cluster, mut client) = with_stored(60);
    let expected = scores(&mut client, "bare");
    let (mut reader, told) = listening(&cluster);
    for (value, damaged) in [
        ("NULL", false),
        ("''", true),
        ("'\\x01'", true),
        ("decode(repeat('ff', 5000), 'hex')", true),
        ("token_vectors || '\\x00'", true),
        ("substring(token_vectors FOR octet_length(token_vectors) - 1)", true),
        ("overlay(token_vectors PLACING '\\x0000c07f' FROM 9)", true),
        ("overlay(token_vectors PLACING '\\xffffffff' FROM 5)", true),
        ("decode(repeat('0102800100000000', 100000), 'hex')", true),
    ] {
        let set = format!(
            "CREATE TEMP TABLE kept AS SELECT chunk_id, token_vectors FROM stored_chunk;
             UPDATE stored_chunk SET token_vectors = {value} WHERE source_id % 2 = 0"
        );
        client.batch_execute(&set).unwrap();
        assert_alike(&scores(&mut reader, "stored"), &expected);
        assert_eq!(drain(&told).contains("are damaged: the model scored them instead"), damaged, "{value}");
        let left = stored(&mut client, "stored");
        assert!(left < 20, "{value}: {left} were stored");
        client
            .batch_execute(
                "UPDATE stored_chunk k SET token_vectors = o.token_vectors FROM kept o WHERE o.chunk_id = k.chunk_id; DROP TABLE kept",
            )
            .unwrap();
    }
    assert_eq!(stored(&mut client, "stored"), 20);
    client.batch_execute("ALTER TABLE stored_chunk ALTER COLUMN token_vectors TYPE text USING ''").unwrap();
    let error = client.batch_execute(&format!("SELECT * FROM socle.search('stored', {QUERY})")).unwrap_err();
    assert!(
        error.as_db_error().unwrap().message().contains("column \"token_vectors\" of chunk table \"stored_chunk\"")
    );
}

#[test]
fn token_vectors_of_hidden_chunks_change_nothing_and_are_not_needed_to_search() {
    let (cluster, mut client) = with_stored(60);
    client
        .batch_execute(
            "CREATE ROLE reader LOGIN; CREATE ROLE narrow LOGIN; GRANT SELECT ON paper, stored_chunk, bare_chunk TO reader;
             GRANT SELECT ON paper TO narrow;
             GRANT SELECT (chunk_id, source_id, ordinal, content, heading_path, page, start_offset, end_offset, embedding) ON stored_chunk TO narrow;
             ALTER TABLE paper ENABLE ROW LEVEL SECURITY;
             CREATE POLICY seen ON paper TO reader, narrow USING (tenant = 3)",
        )
        .unwrap();
    let seen = as_role(&mut client, "reader", |client| (scores(client, "stored"), scores(client, "bare")));
    assert_eq!(seen.0.len(), 9, "those of tenant 3");
    assert_alike(&seen.0, &seen.1);
    // What is hidden is neither read nor told of.
    client
        .batch_execute(
            "UPDATE stored_chunk SET token_vectors = decode('ff', 'hex') FROM paper WHERE id = source_id AND tenant <> 3",
        )
        .unwrap();
    let (mut reader, told) = listening(&cluster);
    reader.batch_execute("SET ROLE reader").unwrap();
    assert_eq!(scores(&mut reader, "stored"), seen.0);
    assert_eq!(stored(&mut reader, "stored"), 9);
    assert_eq!(drain(&told), "");
    // Who may not read the column has the model score instead.
    as_role(&mut client, "narrow", |client| {
        assert_alike(&scores(client, "stored"), &seen.0);
        assert_eq!(stored(client, "stored"), 0);
    });
}
