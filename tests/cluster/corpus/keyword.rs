//! The keyword index is in sync with the chunks: `verify_corpus`, which every test here ends with, compares the two.

use super::{settle, value, wait, with_corpus};
use postgres::Client;
use socle_tests::{Cluster, error_of, eventually, signal};
use std::time::Duration;

/// Keys of the documents that keywords find, in the order of their keys.
fn found(client: &mut Client, query: &str) -> Vec<i32> {
    let sql = "SELECT (source_key ->> 'id')::int FROM socle.search('handbook', $1, 100, mode => 'keyword') ORDER BY 1";
    client.query(sql, &[&query]).unwrap().iter().map(|row| row.get(0)).collect()
}

/// How many documents are found, or the SQLSTATE of the error.
fn try_found(client: &mut Client, query: &str) -> Result<usize, String> {
    let sql = "SELECT FROM socle.search('handbook', $1, 100, mode => 'keyword')";
    client.query(sql, &[&query]).map(|rows| rows.len()).map_err(|error| error_of(&error).0)
}

fn segments(client: &mut Client) -> i64 {
    value(client, "SELECT count(*) FROM socle.keyword_segment_part WHERE part_number = 1")
}

#[test]
fn words_are_found_as_soon_as_the_change_is_waited_for() {
    let (_cluster, mut client) = with_corpus(5);
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    assert_eq!(found(&mut client, "article"), [1, 2, 3, 4, 5]);
    assert_eq!(found(&mut client, "title 3"), [1, 2, 3, 4, 5], "titles are indexed with their chunks");
    client
        .batch_execute(
            "INSERT INTO article VALUES (6, 'zebra', 'stripes'); UPDATE article SET body = 'giraffe' WHERE id = 1;
             DELETE FROM article WHERE id = 2",
        )
        .unwrap();
    wait(&mut client);
    assert_eq!(found(&mut client, "zebra"), [6]);
    assert_eq!(found(&mut client, "giraffe"), [1]);
    assert_eq!(found(&mut client, "article"), [3, 4, 5]);
    settle(&mut client);
}

#[test]
fn words_of_a_first_fill_are_waited_for() {
    let cluster = Cluster::with_models("");
    let (mut client, mut other) = (cluster.connect(), cluster.connect());
    client
        .batch_execute(
            "CREATE TABLE article (id int PRIMARY KEY, title text, body text);
             INSERT INTO article SELECT i, 'title ' || i, 'body of article ' || i FROM generate_series(1, 5) i",
        )
        .unwrap();
    // No segment is written before this is over.
    client.batch_execute("BEGIN; LOCK TABLE socle.keyword_segment_part IN SHARE MODE").unwrap();
    other.batch_execute("SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], model => 'minilm')").unwrap();
    let waits = |client: &mut Client, time: &str| -> bool {
        value(client, &format!("SELECT socle.wait_for_corpus('handbook', '{time}')"))
    };
    eventually("it has chunks", || {
        (value::<i64>(&mut other, "SELECT count(*) FROM handbook_chunk") == 5).then_some(())
    });
    assert!(!waits(&mut other, "1 second"));
    client.batch_execute("COMMIT").unwrap();
    assert!(waits(&mut other, "30 seconds"));
    assert_eq!(found(&mut other, "article"), [1, 2, 3, 4, 5]);
}

#[test]
fn many_single_changes_leave_few_segments() {
    let (_cluster, mut client) = with_corpus(1);
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    for id in 2..=60 {
        client.batch_execute(&format!("INSERT INTO article VALUES ({id}, 'number {id}', 'word{id} of many')")).unwrap();
        wait(&mut client);
        if id % 3 == 0 {
            client.batch_execute(&format!("DELETE FROM article WHERE id = {id}")).unwrap();
        }
    }
    settle(&mut client);
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    assert!(segments(&mut client) <= 19, "{} segments", segments(&mut client));
    assert_eq!(found(&mut client, "word59"), [59]);
    assert_eq!(found(&mut client, "word57"), Vec::<i32>::new());
    assert_eq!(found(&mut client, "many").len(), 39);
    settle(&mut client);
}

#[test]
fn rows_that_follow_each_other_share_segments() {
    let (_cluster, mut client) = with_corpus(1);
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    let written = "SELECT pg_stat_force_next_flush(), n_tup_ins FROM pg_stat_all_tables WHERE relid = 'socle.keyword_segment_part'::regclass";
    let written = |client: &mut Client| client.query_one(written, &[]).unwrap().get::<_, i64>(1);
    let before = written(&mut client);
    for id in 2..=60 {
        client.batch_execute(&format!("INSERT INTO article VALUES ({id}, 'number {id}', 'one of many')")).unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
    wait(&mut client);
    assert_eq!(found(&mut client, "many").len(), 59);
    // The statistics of the worker come within a second.
    std::thread::sleep(Duration::from_secs(2));
    let segments = written(&mut client) - before;
    assert!((1..=30).contains(&segments), "{segments} segments for 59 rows, those included that were merged");
    settle(&mut client);
}

#[test]
fn a_segment_that_has_lost_much_is_made_anew_alone() {
    let (_cluster, mut client) = with_corpus(1200);
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    let counts = "SELECT string_agg(chunk_count::text, ' ') FROM socle.keyword_segment_part WHERE part_number = 1";
    assert_eq!(value::<String>(&mut client, counts), "1200");
    client.batch_execute("DELETE FROM article WHERE id <= 300").unwrap();
    wait(&mut client);
    assert_eq!(value::<String>(&mut client, counts), "1200", "a quarter is not enough");
    client.batch_execute("DELETE FROM article WHERE id <= 400").unwrap();
    // Three tenths are enough, and may be reached before the last change: changes are processed some at a time.
    wait(&mut client);
    let left = eventually("a third is", || {
        let left: i64 = value::<String>(&mut client, counts).parse().unwrap();
        (left <= 840).then_some(left)
    });
    let dead = "SELECT keyword_deleted_count FROM socle.corpus_binding";
    assert_eq!(left - value::<i64>(&mut client, dead), 800, "what is deleted and still there is counted");
    assert_eq!(found(&mut client, "400"), Vec::<i32>::new());
    assert_eq!(found(&mut client, "401"), [401]);
    settle(&mut client);
}

#[test]
fn a_cache_that_is_deleted_cut_or_changed_is_filled_again() {
    let (cluster, mut client) = with_corpus(200);
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    let all = found(&mut client, "article");
    assert_eq!(all.len(), 100);
    let cache = cluster.data().join("socle/pgsql_tmp/keyword");
    let files = || std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    assert!(!files().is_empty());
    let damages: [fn(&std::path::Path); 3] = [
        |file| std::fs::remove_file(file).unwrap(),
        |file| std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(100).unwrap(),
        |file| {
            let mut bytes = std::fs::read(file).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(file, bytes).unwrap();
        },
    ];
    for damage in damages {
        files().iter().for_each(|file| damage(file));
        assert_eq!(found(&mut client, "article"), all, "while the engine has it open");
        files().iter().for_each(|file| damage(file));
        signal(cluster.wait_for_engine(), libc::SIGKILL);
        assert_eq!(found(&mut client, "article"), all, "when the engine opens it");
    }
    settle(&mut client);
}

#[test]
fn a_segment_of_several_parts_is_stored_and_sent_whole() {
    let (cluster, mut client) = with_corpus(1);
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    // Words of 128 characters: each is one token, so that a megabyte of words is embedded in a second.
    client
        .batch_execute(
            "INSERT INTO article
             SELECT i, 'wide', (SELECT string_agg(md5(i || 'a' || j) || md5(i || 'b' || j) || md5(i || 'c' || j) || md5(i || 'd' || j), ' ')
                                FROM generate_series(1, 180) AS j)
             FROM generate_series(2, 60) AS i",
        )
        .unwrap();
    wait(&mut client);
    // Workers take turns, and each turn writes a segment. Rebuilt, all of it is one.
    client
        .batch_execute(
            "DELETE FROM socle.keyword_segment_part; UPDATE socle.corpus_binding SET keyword_missing_count = 60",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    let parts: i32 = value(&mut client, "SELECT max(part_number) FROM socle.keyword_segment_part");
    assert!(parts > 1, "{parts}");
    forget_cache(&cluster);
    let last: String = value(&mut client, "SELECT md5('60a180') || md5('60b180') || md5('60c180') || md5('60d180')");
    assert_eq!(found(&mut client, &last), [60]);
    settle(&mut client);
}

/// Has the engine start without the segments that it has cached.
pub fn forget_cache(cluster: &Cluster) {
    std::fs::remove_dir_all(cluster.data().join("socle/pgsql_tmp/keyword")).unwrap();
    signal(cluster.wait_for_engine(), libc::SIGKILL);
}

#[test]
fn damaged_rows_are_an_error_once_and_made_anew() {
    let (cluster, mut client) = with_corpus(20);
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    let other = "CREATE TABLE other AS SELECT * FROM article; ALTER TABLE other ADD PRIMARY KEY (id);
                 SELECT socle.create_corpus('other', 'other', ARRAY['body'], model => 'minilm')";
    client.batch_execute(other).unwrap();
    client.batch_execute("CALL socle.sync_corpus('other')").unwrap();
    let untouched =
        "SELECT string_agg(digest::text, ' ' ORDER BY digest) FROM socle.keyword_segment_part WHERE corpus = 'other'";
    let segments_of_other: String = value(&mut client, untouched);
    client.batch_execute("CREATE ROLE reader; GRANT SELECT ON article, handbook_chunk TO reader").unwrap();
    client
        .batch_execute("UPDATE socle.keyword_segment_part SET bytes = set_byte(bytes, 200, 255 - get_byte(bytes, 200)) WHERE corpus = 'handbook'")
        .unwrap();
    forget_cache(&cluster);
    // Any session that finds the damage: a role that is not the owner, in a transaction that may not write.
    client.batch_execute("BEGIN READ ONLY; SET LOCAL ROLE reader").unwrap();
    let damaged = client.query("SELECT FROM socle.search('handbook', 'article', mode => 'keyword')", &[]).map(drop);
    assert_eq!(crate::sqlstate(damaged), "XX002");
    client.batch_execute("ROLLBACK").unwrap();
    let vectors = "SELECT count(*) FROM socle.search('handbook', 'article', mode => 'vector')";
    assert_eq!(value::<i64>(&mut client, vectors), 10);
    eventually("the segment is made anew", || (try_found(&mut client, "article") == Ok(20)).then_some(()));
    settle(&mut client);
    assert_eq!(value::<String>(&mut client, untouched), segments_of_other, "another corpus keeps its segments");
}

#[test]
fn rows_that_postgres_cannot_read_are_made_anew() {
    let (cluster, mut client) = with_corpus(100);
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    let file =
        "SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE oid = 'socle.keyword_segment_part'::regclass";
    let file = cluster.data().join(value::<String>(&mut client, file));
    cluster.stop("fast");
    let bytes = std::fs::metadata(&file).unwrap().len();
    assert!(bytes > 0);
    std::fs::write(&file, vec![0; bytes as usize]).unwrap();
    std::fs::remove_dir_all(cluster.data().join("socle/pgsql_tmp/keyword")).unwrap();
    cluster.start();
    let mut client = cluster.wait_for_connection();
    assert_eq!(try_found(&mut client, "article"), Err("XX001".to_string()));
    eventually("the segment is made anew", || (try_found(&mut client, "article") == Ok(100)).then_some(()));
    settle(&mut client);
}

#[test]
fn damage_that_nobody_searches_is_found_and_repaired_by_verification() {
    let (_cluster, mut client) = with_corpus(20);
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    client
        .batch_execute("UPDATE socle.keyword_segment_part SET bytes = set_byte(bytes, 200, 255 - get_byte(bytes, 200))")
        .unwrap();
    let problem: String = value(&mut client, "SELECT problem FROM socle.verify_corpus('handbook', repair => true)");
    assert_eq!(problem, "keywords");
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    assert_eq!(found(&mut client, "article").len(), 20);
    settle(&mut client);
}

#[test]
fn another_corpus_takes_its_keywords_along() {
    let (_cluster, mut client) = with_corpus(20);
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    client.batch_execute("SELECT socle.alter_corpus('handbook', template => 'zebra {content}')").unwrap();
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    assert_eq!(found(&mut client, "zebra").len(), 20);
    assert_eq!(found(&mut client, "title"), Vec::<i32>::new());
    let corpora: String = value(&mut client, "SELECT string_agg(DISTINCT corpus, ' ') FROM socle.keyword_segment_part");
    assert_eq!(corpora, "handbook");
    settle(&mut client);
    client.batch_execute("SELECT socle.drop_corpus('handbook')").unwrap();
    assert_eq!(segments(&mut client), 0);
}

#[test]
fn languages_have_their_own_words() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE TABLE article (id int PRIMARY KEY, title text, body text, language text);
             INSERT INTO article VALUES (1, '', 'Les sauvegardes de la base sont restaurées', 'fr'),
                                        (2, '', 'Backups of the databases were restored', 'en'),
                                        (3, '', 'Kopie zapasowe ERR-4042 bazy', NULL);
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], model => 'minilm', language => 'pl',
                                        language_column => 'language')",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    assert_eq!(found(&mut client, "restaurer une sauvegarde"), [1]);
    assert_eq!(found(&mut client, "RESTAUREES"), [1], "without accents");
    assert_eq!(found(&mut client, "restore the backup"), [2]);
    assert_eq!(found(&mut client, "err-4042"), [3]);
    client.batch_execute("UPDATE article SET language = 'simple' WHERE id = 1").unwrap();
    wait(&mut client);
    assert_eq!(found(&mut client, "restaurer une sauvegarde"), Vec::<i32>::new());
    assert_eq!(found(&mut client, "sauvegardes"), [1]);
    settle(&mut client);
}

#[test]
fn segments_of_another_version_are_made_anew() {
    let (_cluster, mut client) = with_corpus(5);
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    client
        .batch_execute(
            "UPDATE socle.keyword_segment_part SET format = 0;
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'socle sync'",
        )
        .unwrap();
    assert_eq!(found(&mut client, "article"), Vec::<i32>::new());
    eventually("a search has them made anew", || (try_found(&mut client, "article") == Ok(5)).then_some(()));
    settle(&mut client);
}
