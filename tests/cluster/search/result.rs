//! The parts of results: several corpora, one for each document, passages with their neighbours, diversity, reranking.

use super::{found, value, with_papers};
use postgres::Client;
use std::collections::HashSet;

/// A corpus of long documents: `documents` of `paragraphs` chunks each, which lie near one another in meaning.
fn with_books(client: &mut Client, documents: i32, paragraphs: i32) {
    client
        .batch_execute(&format!(
            "CREATE TABLE book (name text, part int, title text, body text, PRIMARY KEY (name, part));
             INSERT INTO book SELECT 'book ' || d, 1, 'Title <' || d || '>', string_agg(format('Paragraph %s of %s is about foxes & the number %s.', p, d, p * d), E'\n\n' ORDER BY p)
                 FROM generate_series(1, {documents}) d, generate_series(1, {paragraphs}) p GROUP BY d;
             SELECT socle.create_corpus('book', 'book', ARRAY['body'], title => 'title', language => 'en', model => 'minilm', max_tokens => 24)"
        ))
        .unwrap();
    assert!(value::<bool>(client, "SELECT socle.wait_for_corpus('book', '30 seconds')"));
}

#[test]
fn one_result_for_each_document_looks_on_until_there_are_enough() {
    let (_cluster, mut client) = with_papers(5);
    // One document whose chunks are all nearer than those of the others.
    with_books(&mut client, 4, 12);
    client
        .batch_execute(
            "INSERT INTO book SELECT 'bible', 1, 'fox', string_agg('Foxes, ' || i || ' of them.', E'\n\n') FROM generate_series(1, 900) i",
        )
        .unwrap();
    assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('book', '30 seconds')"));
    assert!(value::<i64>(&mut client, "SELECT count(*) FROM book_chunk WHERE source_name = 'bible'") > 120);
    for mode in ["vector", "hybrid"] {
        let sql = "SELECT source_key->>'name' FROM socle.search('book', 'Foxes, 77 of them.', mode => $1, result_limit => 5, group_by_document => true)";
        let names: Vec<String> = client.query(sql, &[&mode]).unwrap().iter().map(|row| row.get(0)).collect();
        assert_eq!(names.len(), 5, "{mode}: {names:?}");
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), 5, "{mode}: {names:?}");
        assert_eq!(names[0], "bible");
        let ungrouped = "SELECT count(DISTINCT source_key) FROM socle.search('book', 'Foxes, 77 of them.', mode => $1, result_limit => 5)";
        assert_eq!(client.query_one(ungrouped, &[&mode]).unwrap().get::<_, i64>(0), 1);
    }
}

#[test]
fn one_result_for_each_document_looks_no_further_when_there_are_no_more_documents() {
    let (_cluster, mut client) = with_papers(5);
    with_books(&mut client, 3, 120);
    client.batch_execute("INSERT INTO book VALUES ('blank', 1, 'no chunks', '')").unwrap();
    assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('book', '30 seconds')"));
    assert!(value::<i64>(&mut client, "SELECT count(*) FROM book_chunk") > 300);
    for filter in ["NULL", r#"'{"part": {"<": 9}}'"#] {
        let arguments =
            format!("'book', 'paragraph about foxes', mode => 'vector', group_by_document => true, filter => {filter}");
        let names = format!("SELECT count(DISTINCT source_key) FROM socle.search({arguments})");
        assert_eq!(value::<i64>(&mut client, &names), 3);
        let looks = format!("SELECT count(*) FROM socle.explain_search({arguments}) WHERE step = 'candidates'");
        assert_eq!(value::<i64>(&mut client, &looks), 1, "{filter}");
    }
}

#[test]
fn neighbours_make_one_passage_without_the_same_text_twice() {
    let (_cluster, mut client) = with_papers(5);
    with_books(&mut client, 3, 12);
    let parts: i64 = value(&mut client, "SELECT max(ordinal)::bigint FROM book_chunk");
    assert!(parts >= 6, "{parts}");
    let whole = "SELECT content = (SELECT body FROM book WHERE name = source_key->>'name') AND highlighted LIKE '%&amp; the%'
                 FROM socle.search('book', 'Paragraph 6 of 2', mode => 'vector', result_limit => 30, neighbours => 100)";
    let rows: Vec<bool> = client.query(whole, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(rows, [true; 3], "all chunks of a document become the document");
    let sql = "SELECT corpus_name, source_key->>'name', content, start_offset, end_offset,
                      content = (SELECT substr(body, start_offset, end_offset - start_offset) FROM book WHERE name = source_key->>'name')
               FROM socle.search('book', 'Paragraph 6 of 2', mode => 'vector', result_limit => 6, neighbours => 1)";
    let passages: Vec<(String, i32, i32)> = client
        .query(sql, &[])
        .unwrap()
        .iter()
        .map(|row| {
            assert!(row.get::<_, bool>(5), "{row:?}");
            (row.get(1), row.get(3), row.get(4))
        })
        .collect();
    assert!(!passages.is_empty() && passages.len() <= 6);
    for (at, (name, start, end)) in passages.iter().enumerate() {
        for (other, from, to) in &passages[at + 1..] {
            assert!(name != other || to <= start || end <= from, "{passages:?}");
        }
    }
}

#[test]
fn the_longest_list_is_made() {
    let (_cluster, mut client) = with_papers(2_500);
    for more in ["neighbours => 100", "group_by_document => true, neighbours => 3"] {
        let sql = format!(
            "SELECT count(*) FROM socle.search('paper', 'fox', mode => 'vector', result_limit => 10000, {more})"
        );
        assert_eq!(value::<i64>(&mut client, &sql), 2_500, "{more}");
    }
}

#[test]
fn documents_that_are_gone_without_a_trigger_leave_no_gap() {
    let (_cluster, mut client) = with_papers(60);
    client
        .batch_execute(
            "SET session_replication_role = replica; DELETE FROM paper WHERE id <= 45; RESET session_replication_role",
        )
        .unwrap();
    for more in [
        "mode => 'vector'",
        "mode => 'keyword'",
        "mode => 'hybrid'",
        "mode => 'hybrid', rerank_model => 'reranker'",
        "mode => 'hybrid', group_by_document => true, neighbours => 1",
    ] {
        let mut keys = |more: &str| -> Vec<String> {
            let sql = format!("SELECT source_key->>'id' FROM socle.search('paper', 'fox', {more})");
            client.query(&sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
        };
        let left = keys(more);
        assert!(left.len() == 10 || more == "mode => 'keyword'", "{more}: {left:?}");
        // The same results as of a search for the remaining documents only.
        assert_eq!(left, keys(&format!(r#"{more}, filter => '{{"id": {{">": 45}}}}'"#)), "{more}");
    }
    let results = "SELECT count(*) FROM socle.explain_search('paper', 'fox') WHERE step = 'result'";
    assert_eq!(value::<i64>(&mut client, results), 10);
}

#[test]
fn an_explanation_of_several_corpora_says_of_which_it_speaks() {
    let (_cluster, mut client) = with_papers(40);
    with_books(&mut client, 3, 4);
    let sql = "SELECT step, detail, milliseconds IS NULL FROM socle.explain_search(ARRAY['paper', 'book'], 'about foxes', chunk_id => 1)";
    let rows = client.query(sql, &[]).unwrap();
    let lines: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let of = |step: &str| lines.iter().filter(|line| line.0 == step).map(|line| line.1.as_str()).collect::<Vec<_>>();
    for step in ["filter", "vector", "keyword", "candidates", "chunk"] {
        for corpus in ["paper", "book"] {
            let name = format!("corpus \"{corpus}\": ");
            assert!(of(step).iter().any(|detail| detail.starts_with(&name)), "{step}: {lines:?}");
        }
    }
    assert_eq!((of("result").len(), of("embed"), of("total")), (10, vec![""], vec!["10 results"]));
    let sql = "SELECT count(*) FROM socle.explain_search(ARRAY['book'], 'about foxes') WHERE detail LIKE '%corpus%'";
    assert_eq!(value::<i64>(&mut client, sql), 0, "one needs no name");
}

#[test]
fn several_corpora_are_ranked_each_by_itself() {
    let (_cluster, mut client) = with_papers(40);
    with_books(&mut client, 3, 4);
    let rows = client
        .query("SELECT corpus_name, source_key, score FROM socle.search(ARRAY['paper', 'book', 'paper', NULL], 'about foxes', result_limit => 30, mode => 'vector')", &[])
        .unwrap();
    let names: HashSet<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!((rows.len(), names.len()), (30, 2));
    assert!(rows.iter().map(|row| row.get::<_, f64>(2)).is_sorted_by(|a, b| a >= b));
    let both = "SELECT count(*) FROM socle.search(ARRAY['paper', 'book'], 'x', mode => 'vector', result_limit => 1000)";
    let chunks = "SELECT (SELECT count(*) FROM book_chunk) + (SELECT count(*) FROM paper_chunk)";
    assert_eq!(value::<i64>(&mut client, both), value::<i64>(&mut client, chunks));
    // A filter holds for each, so that each has to have its columns.
    let filtered = "SELECT count(*) FROM socle.search(ARRAY['paper', 'book'], 'x', filter => '{\"title\": {\"like\": \"Title%\"}}', mode => 'vector', result_limit => 1000)";
    assert_eq!(value::<i64>(&mut client, filtered), value::<i64>(&mut client, "SELECT count(*) FROM book_chunk"));
    // Passages of different corpora never meet, though their keys may be equal.
    client.batch_execute("SELECT socle.create_corpus('again', 'paper', ARRAY['body'], model => 'minilm')").unwrap();
    assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('again', '30 seconds')"));
    let sql = "SELECT count(DISTINCT (corpus_name, source_key)) FROM socle.search(ARRAY['paper', 'again'], 'fox', mode => 'vector', result_limit => 80, group_by_document => true, neighbours => 1)";
    assert_eq!(value::<i64>(&mut client, sql), 80);
}

#[test]
fn variety_and_a_least_score_change_what_is_returned() {
    let (_cluster, mut client) = with_papers(300);
    let query = "'a fox that sleeps beside the river', mode => 'vector'";
    // Every sentence exists five times: by score alone its copies follow one another.
    let kinds = |client: &mut Client, more: &str| -> i64 {
        value(
            client,
            &format!("SELECT count(DISTINCT content) FROM socle.search('paper', {query}, result_limit => 10{more})"),
        )
    };
    assert_eq!(kinds(&mut client, ""), 2);
    assert!(kinds(&mut client, ", diversity => 0.5") > 4);
    let first = found(&mut client, &format!("{query}, result_limit => 1"));
    assert_eq!(found(&mut client, &format!("{query}, diversity => 0.5"))[0], first[0], "the best stays the first");

    let scores =
        client.query(&format!("SELECT score FROM socle.search('paper', {query}, result_limit => 40)"), &[]).unwrap();
    let least: f64 = scores[7].get(0);
    let kept = scores.iter().filter(|row| row.get::<_, f64>(0) >= least).count();
    let sql = format!("SELECT chunk_id FROM socle.search('paper', {query}, result_limit => 40, min_score => $1)");
    assert_eq!(client.query(&sql, &[&least]).unwrap().len(), kept);
    assert_eq!(client.query(&sql, &[&2.0]).unwrap().len(), 0);
}

/// What holds for a reranker of either kind.
fn reranks(client: &mut Client, model: &str) {
    let query = "'a fox that sleeps beside the river'";
    let sql = format!(
        "SELECT s.score, s.rerank_score, r.score FROM socle.search('paper', {query}, rerank_model => '{model}', group_by_document => true) s,
             LATERAL socle.rerank({query}, ARRAY[s.title || E'\\n' || s.content], '{model}') r"
    );
    let rows = client.query(&sql, &[]).unwrap();
    assert_eq!(rows.len(), 10);
    assert!(rows.is_sorted_by(|a, b| a.get::<_, f64>(0) >= b.get::<_, f64>(0)));
    let reranked: Vec<f64> = rows.iter().map(|row| row.get(1)).collect();
    for (row, reranked) in rows.iter().zip(&reranked) {
        assert!((reranked - f64::from(row.get::<_, f32>(2))).abs() < 1e-4);
    }
    // Ranked by the reranker only, and not reranked.
    let weighted = format!("socle.search('paper', {query}, rerank_model => '{model}', rerank_weight => $1)");
    let by = |client: &mut Client, weight: Option<f64>, column: &str| -> Vec<f64> {
        let sql = format!("SELECT {column}::float8 FROM {weighted}");
        client.query(&sql, &[&weight]).unwrap().iter().map(|row| row.get(0)).collect()
    };
    let alone = by(client, Some(1.0), "rerank_score");
    assert!(alone.len() == 10 && alone.is_sorted_by(|a, b| a >= b), "{alone:?}");
    assert!(!by(client, Some(0.0), "rerank_score").is_sorted_by(|a, b| a >= b), "the first ranking is another");
    let first = format!("SELECT chunk_id::float8 FROM socle.search('paper', {query})");
    let first: Vec<f64> = client.query(&first, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(by(client, Some(0.0), "chunk_id"), first);
    // Without a weight, that of a short query.
    assert_eq!(by(client, None, "score"), by(client, Some(0.3), "score"));

    let best = reranked.iter().copied().fold(f64::MIN, f64::max);
    for least in ["min_score", "min_rerank"] {
        let sql = format!(
            "SELECT rerank_score FROM socle.search('paper', {query}, rerank_model => '{model}', group_by_document => true, {least} => $1)"
        );
        let kept = client.query(&sql, &[&best]).unwrap();
        assert!(!kept.is_empty() && kept.iter().all(|row| row.get::<_, f64>(0) >= best), "{least}: by the reranker");
    }
    let explained = format!(
        "SELECT detail FROM socle.explain_search('paper', {query}, rerank_model => '{model}') WHERE step = 'rerank'"
    );
    assert_eq!(value::<String>(client, &explained), format!("20 candidates, {model} with weight 0.30"));
}

#[test]
fn a_reranker_of_either_kind_reorders_the_best() {
    let (_cluster, mut client) = with_papers(40);
    for model in ["reranker", "colbert"] {
        reranks(&mut client, model);
    }
    // A long query leaves the order of the retrievers to a cross-encoder, not to late interaction.
    let long = "'a fox that sleeps beside the river while the hounds of the hunters run through the dark forest in search of it'";
    let same = |model: &str| {
        format!(
            "SELECT (SELECT array_agg(chunk_id) FROM socle.search('paper', {long}, rerank_model => '{model}'))
                  = (SELECT array_agg(chunk_id) FROM socle.search('paper', {long}))"
        )
    };
    assert!(value::<bool>(&mut client, &same("reranker")));
    let weight = format!(
        "SELECT detail FROM socle.explain_search('paper', {long}, rerank_model => 'colbert') WHERE step = 'rerank'"
    );
    assert_eq!(value::<String>(&mut client, &weight), "20 candidates, colbert with weight 0.30");
}
