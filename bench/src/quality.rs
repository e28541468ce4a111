//! Quality of searches on a set of judged queries in the BEIR layout: `corpus.jsonl`, `queries.jsonl`, and `qrels.tsv`
//! with a header line. `SOCLE_BENCH_MODEL` is the directory of another embedding model; the rerankers, which are for
//! English, are only measured with the English one.

use postgres::Client;
use std::fs;
use std::path::Path;

const MODEL: &str = "bge-small-en-v1.5";

/// Query prefix according to the model card of bge. Other models here have none.
const BGE_PREFIX: &str = "Represent this sentence for searching relevant passages: ";

/// Rerankers, and how many candidates each reranks.
const RERANKERS: [(&str, &[i32]); 2] =
    [("ms-marco-minilm-l12-v2", &[20]), ("answerai-colbert-small-v1", &[20, 50, 100])];

const FUSIONS: [&str; 3] = ["adaptive", "rrf", "minmax"];

pub fn measure(directory: &Path) {
    let model = std::env::var("SOCLE_BENCH_MODEL").unwrap_or_else(|_| MODEL.into());
    let mut client = crate::connect();
    load(&mut client, directory);
    let is_english = model == MODEL;
    let prefix = if is_english { BGE_PREFIX } else { "" };
    client.execute("SELECT socle.register_model('judge', $1, query_prefix => $2)", &[&model, &prefix]).unwrap();
    let create = "SELECT socle.create_corpus('judged', 'judged_text', ARRAY['body'], 'title', model => 'judge')";
    client.batch_execute(create).unwrap();
    client.batch_execute("CALL socle.sync_corpus('judged')").unwrap();
    println!("\n### {model}: quality on {}\n", directory.display());
    println!("| mode | queries | nDCG@10 | recall@10 | reciprocal rank | recall of the vector index | p50 |");
    println!("|---|---|---|---|---|---|---|");
    evaluate(&mut client, "{keyword,vector}", FUSIONS[0], None);
    FUSIONS.iter().for_each(|fusion| evaluate(&mut client, "{hybrid}", fusion, None));
    if is_english {
        for (model, counts) in RERANKERS {
            client.execute("SELECT socle.register_model($1, $1)", &[&model]).unwrap();
            counts.iter().for_each(|count| evaluate(&mut client, "{hybrid}", FUSIONS[0], Some((model, *count))));
        }
    }
    client.batch_execute("DROP TABLE judged_text CASCADE; DROP TABLE judged_query, judged_grade").unwrap();
}

fn load(client: &mut Client, directory: &Path) {
    client
        .batch_execute(
            "DROP TABLE IF EXISTS judged_text CASCADE;
             DROP TABLE IF EXISTS judged_chunk, judged_query, judged_grade;
             CREATE TABLE judged_text (id text PRIMARY KEY, title text, body text NOT NULL);
             CREATE TABLE judged_query (id text PRIMARY KEY, query text NOT NULL);
             CREATE TABLE judged_grade (query_id text, document_id text, grade int)",
        )
        .unwrap();
    let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    let lines = |name: &str| read(name).lines().map(str::to_string).collect::<Vec<_>>();
    let documents = "INSERT INTO judged_text SELECT j ->> '_id', j ->> 'title', j ->> 'text'
                     FROM unnest($1::text[]::jsonb[]) AS j WHERE trim(j ->> 'text') <> ''";
    client.execute(documents, &[&lines("corpus.jsonl")]).unwrap();
    let queries = "INSERT INTO judged_query SELECT j ->> '_id', j ->> 'text' FROM unnest($1::text[]::jsonb[]) AS j";
    client.execute(queries, &[&lines("queries.jsonl")]).unwrap();
    let grades = "INSERT INTO judged_grade SELECT f[1], f[2], f[3]::float8::int FROM unnest($1::text[]) AS l, string_to_array(l, E'\\t') AS f";
    client.execute(grades, &[&lines("qrels.tsv").split_off(1)]).unwrap();
}

fn evaluate(client: &mut Client, modes: &str, fusion: &str, rerank: Option<(&str, i32)>) {
    let sql = "SELECT mode, query_count, ndcg, recall, reciprocal_rank, index_recall, median_milliseconds
               FROM socle.evaluate('judged', 'judged_query', 'judged_grade', modes => $1::text::text[], fusion => $2,
                                   rerank_model => $3, rerank_count => $4)";
    let (model, count) = rerank.unzip();
    for row in client.query(sql, &[&modes, &fusion, &model, &count]).unwrap() {
        let mut mode: String = row.get(0);
        if mode == "hybrid" {
            mode += &format!(", {fusion}");
        }
        if let Some((model, count)) = rerank {
            mode += &format!(", the best {count} reranked by {model}");
        }
        let [ndcg, recall, rank, milliseconds] =
            [2, 3, 4, 6].map(|at| row.get::<_, Option<f64>>(at).unwrap_or(f64::NAN));
        let index = row.get::<_, Option<f64>>(5).map_or(String::new(), |recall| format!("{recall:.3}"));
        println!(
            "| {mode} | {} | {ndcg:.4} | {recall:.4} | {rank:.4} | {index} | {milliseconds:.1} ms |",
            row.get::<_, i32>(1)
        );
    }
}
