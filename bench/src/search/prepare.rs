//! A corpus of many chunks without embedding them: its chunk table is filled beforehand and adopted, so that the sync
//! worker finds every chunk there, and only writes the keyword index.

use super::{timed, wal};
use postgres::Client;
use socle_core::corpus::chunk_hash;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

/// Lengths of sentences in characters: two fit into the window of a model.
const LENGTHS: std::ops::Range<usize> = 40..300;

/// Documents of two random sentences each.
pub struct Documents {
    pub sentences: Vec<String>,
    pub pairs: Vec<(usize, usize)>,
}

impl Documents {
    pub fn new(texts: &[String], count: usize) -> Self {
        let mut sentences: Vec<String> = Vec::new();
        for text in texts {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('\\', "/");
            let parts = text.split_inclusive(". ").map(|part| part.trim().to_string());
            sentences.extend(parts.filter(|part| LENGTHS.contains(&part.len())));
        }
        sentences.sort();
        sentences.dedup();
        let mut random = Random(42);
        let pairs = (0..count).map(|_| (random.below(sentences.len()), random.below(sentences.len()))).collect();
        Self { sentences, pairs }
    }

    pub fn body(&self, at: usize) -> String {
        let (one, other) = self.pairs[at];
        format!("{} {}", self.sentences[one], self.sentences[other])
    }

    /// Consecutive words of a document, a different place for each number.
    pub fn query(&self, at: usize, words: usize) -> String {
        let body = self.body((at * 7919) % self.pairs.len());
        let all: Vec<&str> = body.split(' ').collect();
        let from = (at * 31) % all.len().saturating_sub(words).max(1);
        all[from..all.len().min(from + words)].join(" ").replace(['"', '-', '*'], " ")
    }

    /// `count` different words of more than four letters from one document, for each of the first `queries` such
    /// documents.
    pub fn terms(&self, count: usize, queries: usize) -> Vec<Vec<String>> {
        (0..self.pairs.len())
            .map(|at| {
                let body = self.body((at * 7919) % self.pairs.len()).to_lowercase();
                let mut words: Vec<String> = Vec::new();
                for word in body.split(|sign: char| !sign.is_ascii_alphabetic()).filter(|word| word.len() > 4) {
                    if words.len() < count && !words.iter().any(|known| known == word) {
                        words.push(word.to_string());
                    }
                }
                words
            })
            .filter(|words| words.len() == count)
            .take(queries)
            .collect()
    }
}

/// A pseudo-random sequence that is the same each time (Knuth's MMIX generator).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Creates the corpus "bench" over `bench_source`, whose column `part` has the numbers 0 to 9999 in random order, and
/// `bench_words` with the words as PostgreSQL's own search needs them. Prints build times and sizes, and returns the
/// result of [`wal::since`].
pub fn corpus(client: &mut Client, model: &str, documents: &Documents) -> Option<i64> {
    end(client);
    let create =
        "SELECT socle.create_corpus('bench', 'bench_source', ARRAY['body'], model => $1, template => '{content}')";
    client
        .batch_execute("CREATE TABLE bench_source (id int PRIMARY KEY, body text NOT NULL, part int NOT NULL)")
        .unwrap();
    client.execute(create, &[&model]).unwrap();
    client.batch_execute("CALL socle.sync_corpus('bench')").unwrap();
    client
        .batch_execute("SELECT socle.drop_corpus('bench', keep_chunks => true); DROP INDEX bench_chunk_embedding_idx")
        .unwrap();
    load(client, model, documents);
    // One process each, so that it is the same on every machine; memory for all of the graph.
    client.batch_execute("SET maintenance_work_mem = '4GB'; SET max_parallel_maintenance_workers = 0").unwrap();
    let mut run = |sql: &str| timed(|| client.batch_execute(sql).unwrap()) / 1000.0;
    let hnsw = run(
        "CREATE INDEX bench_chunk_embedding_idx ON bench_chunk USING hnsw (embedding vector_cosine_ops) WITH (m = 16, ef_construction = 128)",
    );
    let vectors =
        run("CREATE TABLE bench_words AS SELECT chunk_id, to_tsvector('english', content) AS words FROM bench_chunk");
    let gin = run("CREATE INDEX bench_words_idx ON bench_words USING gin (words)");
    run("VACUUM ANALYZE bench_source, bench_chunk, bench_words");
    let mark = wal::mark(client);
    client.execute(create, &[&model]).unwrap();
    let compared = until(client, &format!("SELECT count(*) >= {} FROM bench_document", documents.pairs.len()));
    let keyword = until(client, "SELECT state = 'active' FROM socle.corpus WHERE name = 'bench'");
    let embedded: i64 =
        client.query_one("SELECT embedded_count FROM socle.corpus_status WHERE name = 'bench'", &[]).unwrap().get(0);
    let written: i64 = client.query_one("SELECT count(DISTINCT xmin::text) FROM bench_chunk", &[]).unwrap().get(0);
    assert_eq!((embedded, written), (0, 1), "the worker did not find the chunks");
    // Autovacuum must not run while queries are timed.
    client.batch_execute("VACUUM ANALYZE bench_chunk, bench_change, bench_document").unwrap();
    client.batch_execute("CHECKPOINT").unwrap();
    let sizes = "SELECT pg_relation_size('bench_chunk_embedding_idx'), pg_relation_size('bench_words_idx'),
                 (SELECT sum(pg_column_size(words)) FROM bench_words), sum(octet_length(bytes)), count(DISTINCT digest)
                 FROM socle.keyword_segment_part WHERE corpus = 'bench'";
    let sizes = client.query_one(sizes, &[]).unwrap();
    let bytes = |at: usize| sizes.get::<_, i64>(at) / documents.pairs.len() as i64;
    println!(
        "\n### Indexes of {} chunks of two sentences, {} different sentences\n",
        documents.pairs.len(),
        documents.sentences.len()
    );
    println!("| | built in | bytes per chunk |\n|---|---|---|");
    println!("| vectors: HNSW, one process | {hnsw:.1} s | {} |", bytes(0));
    println!(
        "| words: keyword index in {} segments, language detected | {keyword:.1} s | {} |",
        sizes.get::<_, i64>(4),
        bytes(3)
    );
    println!("| words: `to_tsvector` | {vectors:.1} s | {} |", bytes(2));
    println!("| words: GIN over it | {gin:.1} s | {} |", bytes(1));
    println!("| comparing all documents with their chunks, once | {compared:.1} s | |");
    wal::since(client, &mark, documents.pairs.len())
}

fn load(client: &mut Client, model: &str, documents: &Documents) {
    client
        .batch_execute(
            "CREATE TABLE bench_sentence (number int PRIMARY KEY, embedding vector NOT NULL, token_count int NOT NULL);
             CREATE TABLE bench_staged (id int, one int, other int, body text, hash bytea)",
        )
        .unwrap();
    let embed = "INSERT INTO bench_sentence SELECT n - 1, v, socle.count_tokens(t, $2)
                 FROM unnest($1::text[], socle.embed($1::text[], $2)) WITH ORDINALITY AS e (t, v, n)";
    client.execute(embed, &[&documents.sentences, &model]).unwrap();
    let mut writer = client.copy_in("COPY bench_staged FROM STDIN").unwrap();
    for (at, (one, other)) in documents.pairs.iter().enumerate() {
        let body = documents.body(at);
        let mut hash = String::new();
        chunk_hash("", &body).iter().for_each(|byte| write!(hash, "{byte:02x}").unwrap());
        writeln!(writer, "{at}\t{one}\t{other}\t{body}\t\\\\x{hash}").unwrap();
    }
    writer.finish().unwrap();
    // The two special tokens count once. A chunk with a wrong count would be rewritten.
    client
        .batch_execute(
            "SELECT setseed(0.5);
             INSERT INTO bench_source SELECT id, body, (row_number() OVER (ORDER BY random()) - 1) % 10000 FROM bench_staged;
             CREATE INDEX ON bench_source (part);
             INSERT INTO bench_chunk (source_id, ordinal, content, heading_path, start_offset, end_offset, token_count, content_hash, embedding)
             SELECT s.id, 1, s.body, '{}', 1, length(s.body) + 1, a.token_count + b.token_count - 2, s.hash, l2_normalize(a.embedding + b.embedding)
             FROM bench_staged s JOIN bench_sentence a ON a.number = s.one JOIN bench_sentence b ON b.number = s.other
             ORDER BY s.id;
             DROP TABLE bench_staged, bench_sentence",
        )
        .unwrap();
}

/// Seconds until a query returns true.
pub fn until(client: &mut Client, sql: &str) -> f64 {
    timed(|| {
        while !client.query_one(sql, &[]).unwrap().get::<_, bool>(0) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }) / 1000.0
}

/// Removes all tables.
pub fn end(client: &mut Client) {
    client
        .batch_execute("DROP TABLE IF EXISTS bench_source CASCADE; DROP TABLE IF EXISTS bench_chunk, bench_words, bench_staged, bench_sentence")
        .unwrap();
}
