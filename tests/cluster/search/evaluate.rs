//! `socle.evaluate` against the same measures written in SQL.

use super::{value, with_papers};
use crate::sqlstate;
use postgres::Client;
use socle_tests::error_of;

/// Queries and judgments of papers, some NULL, one query without judgments.
fn with_judgments(client: &mut Client) {
    client
        .batch_execute(
            "CREATE TABLE question (\"the id\" int, words text, remark text);
             INSERT INTO question VALUES (1, 'a fox beside the river'), (2, 'ravens that sing'), (3, 'not judged'), (4, NULL), (5, 'otter'), (NULL, 'x'), (6, '  ');
             CREATE TABLE judgment (question int, paper text, grade smallint);
             INSERT INTO judgment SELECT 1, id, CASE WHEN body ~ 'fox.*river' THEN 2 WHEN body ~ 'fox' THEN 1 ELSE 0 END FROM paper WHERE id <= 40;
             INSERT INTO judgment SELECT 2, id, 1 FROM paper WHERE body ~ 'raven sings';
             INSERT INTO judgment VALUES (5, '3', 0), (4, '1', 1), (6, '1', 1), (1, NULL, 1), (NULL, '1', 1), (1, '2', NULL), (77, '1', 1)",
        )
        .unwrap();
}

/// The mean of each measure of the first `k` documents, from the results of `socle.search`.
fn expected(client: &mut Client, mode: &str, k: i32) -> (f64, f64, f64) {
    let sql = "
        WITH judged AS (SELECT question, paper, max(grade) AS grade FROM judgment
                        WHERE num_nulls(question, paper, grade) = 0 AND question IN (1, 2, 5) GROUP BY 1, 2),
        result AS (
            SELECT q.\"the id\" AS question, s.rank, coalesce(j.grade, 0) AS grade
            FROM question q
            CROSS JOIN LATERAL socle.search('paper', q.words, mode => $1, result_limit => $2, group_by_document => true)
                WITH ORDINALITY AS s (corpus_name, chunk_id, source_key, title, heading_path, page, content, highlighted, start_offset, end_offset,
                                      score, vector_rank, vector_score, keyword_rank, keyword_score, rerank_score, fresh_at, stale, snippet, total_count, rank)
            LEFT JOIN judged j ON j.question = q.\"the id\" AND j.paper = s.source_key->>'id'
            WHERE q.\"the id\" IN (1, 2, 5)),
        ideal AS (SELECT question, grade, row_number() OVER (PARTITION BY question ORDER BY grade DESC) AS rank FROM judged),
        measure AS (
            SELECT q,
                coalesce((SELECT sum(grade / (ln(rank + 1) / ln(2.0))) FROM result WHERE question = q)
                    / nullif((SELECT sum(grade / (ln(rank + 1) / ln(2.0))) FROM ideal WHERE question = q AND rank <= $2), 0), 0) AS ndcg,
                (SELECT count(*) FROM result WHERE question = q AND grade > 0)::float8
                    / greatest((SELECT count(*) FROM judged WHERE question = q AND grade > 0), 1) AS recall,
                coalesce((SELECT 1.0 / min(rank) FROM result WHERE question = q AND grade > 0), 0) AS reciprocal_rank
            FROM unnest(ARRAY[1, 2, 5]) q)
        SELECT avg(ndcg)::float8, avg(recall)::float8, avg(reciprocal_rank)::float8 FROM measure";
    let row = client.query_one(sql, &[&mode, &k]).unwrap();
    (row.get(0), row.get(1), row.get(2))
}

fn evaluate(client: &mut Client, arguments: &str) -> Vec<postgres::Row> {
    client.query(&format!("SELECT * FROM socle.evaluate('paper', {arguments})"), &[]).unwrap()
}

#[test]
fn measures_are_those_that_sql_calculates_from_the_results() {
    let (_cluster, mut client) = with_papers(60);
    with_judgments(&mut client);
    for k in [1, 5, 10, 50] {
        let rows = evaluate(&mut client, &format!("'question', 'judgment', {k}"));
        let modes: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(modes, ["vector", "keyword", "hybrid"]);
        for row in &rows {
            let mode: &str = row.get(0);
            let (ndcg, recall, reciprocal_rank) = expected(&mut client, mode, k);
            assert_eq!(row.get::<_, i32>("query_count"), 3);
            for (name, wanted) in [("ndcg", ndcg), ("recall", recall), ("reciprocal_rank", reciprocal_rank)] {
                let measured: f64 = row.get(name);
                assert!((measured - wanted).abs() < 1e-9, "{mode}, {k}: {name} is {measured}, not {wanted}");
            }
            let index_recall: Option<f64> = row.get("index_recall");
            assert_eq!(index_recall, (mode != "keyword").then_some(1.0), "{mode}");
            assert!(row.get::<_, f64>("median_milliseconds") > 0.0);
        }
        assert!(rows[0].get::<_, f64>("ndcg") > 0.3, "the vectors know what a fox is");
    }
    // Keys as socle.search shows them; a filter; rerankers.
    client
        .batch_execute(
            "CREATE VIEW shown AS SELECT question, jsonb_build_object('id', paper::int), grade FROM judgment WHERE paper IS NOT NULL",
        )
        .unwrap();
    let same = "SELECT (SELECT array_agg((a.mode, a.ndcg)) FROM socle.evaluate('paper', 'question', 'judgment') a)
                     = (SELECT array_agg((b.mode, b.ndcg)) FROM socle.evaluate('paper', 'question', 'shown') b)";
    assert!(value::<bool>(&mut client, same));
    let rows =
        evaluate(&mut client, "'question', 'judgment', modes => '{vector,vector}', filter => '{\"id\": {\"<\": 0}}'");
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].get::<_, f64>("recall"), rows[0].get::<_, Option<f64>>("index_recall")), (0.0, None));
    for model in ["reranker", "colbert"] {
        let rows = evaluate(
            &mut client,
            &format!(
                "'question', 'judgment', modes => '{{hybrid}}', rerank_model => '{model}', keyword_weight => 0.5, fusion => 'minmax'"
            ),
        );
        assert!(rows[0].get::<_, f64>("ndcg") > 0.3, "{model}");
    }
}

#[test]
fn tables_of_the_caller_are_read_with_his_rights_or_refused_by_name() {
    let (_cluster, mut client) = with_papers(60);
    with_judgments(&mut client);
    client
        .batch_execute(
            "CREATE ROLE reader; GRANT SELECT ON paper, paper_chunk, judgment TO reader; CREATE TABLE narrow (id int);
             CREATE TABLE odd (q int, p text, grade text); INSERT INTO odd VALUES (1, 'x', 'good')",
        )
        .unwrap();
    for (arguments, state, words) in [
        ("'narrow', 'judgment'", "22023", "table public.narrow of queries must have at least 2 columns"),
        ("'judgment', 'narrow'", "22023", "table public.narrow of judgments must have at least 3 columns"),
        ("0, 'judgment'", "22023", "of queries must have at least 2 columns"),
        ("'question', 'odd'", "22P02", "integer"),
        ("'question', 'judgment', 0", "22023", "k must be between 1 and"),
        ("'question', 'judgment', modes => '{telepathy}'", "22023", "telepathy"),
        ("'question', 'judgment', fusion => 'cold'", "22023", "cold"),
        ("'question', 'judgment', keyword_weight => -1", "22023", "keyword_weight"),
        ("'question', 'judgment', filter => '{\"colour\": 1}'", "42703", "colour"),
        ("'question', 'judgment', rerank_count => 0", "22023", "rerank_count"),
        ("'question', 'judgment', rerank_weight => -1", "22023", "rerank_weight"),
    ] {
        let sql = format!("SELECT * FROM socle.evaluate('paper', {arguments})");
        let (code, message, ..) = error_of(&client.query(&sql, &[]).unwrap_err());
        assert!(code == state && message.contains(words), "{arguments}: {code} {message}");
    }
    let count = |client: &mut Client, arguments: &str| evaluate(client, arguments).len();
    assert_eq!(count(&mut client, "NULL, 'judgment'"), 0);
    assert_eq!(count(&mut client, "'question', 'judgment', modes => '{}'"), 0);
    let nothing = evaluate(&mut client, "'question', 'judgment', NULL, NULL, NULL");
    assert_eq!(nothing.len(), 3, "NULL is the default");
    client.batch_execute("SET ROLE reader").unwrap();
    let sql = "SELECT * FROM socle.evaluate('paper', 'question', 'judgment')";
    assert_eq!(sqlstate(client.query(sql, &[])), "42501");
    client.batch_execute("RESET ROLE; GRANT SELECT ON question TO reader; ALTER TABLE paper ENABLE ROW LEVEL SECURITY; SET ROLE reader").unwrap();
    let rows = evaluate(&mut client, "'question', 'judgment'");
    assert!(rows.iter().all(|row| row.get::<_, f64>("recall") == 0.0), "no policy lets him see a paper");
    client
        .batch_execute(
            "RESET ROLE; CREATE TABLE many AS SELECT 1 AS id, 'fox ' || i AS words FROM generate_series(1, 100000) i",
        )
        .unwrap();
    client.batch_execute("SET statement_timeout = '150ms'").unwrap();
    assert_eq!(sqlstate(client.query("SELECT * FROM socle.evaluate('paper', 'many', 'judgment')", &[])), "57014");
}
