//! Boosts: factors by the formulas, in every mode and after reranking, under row security and column privileges.

use super::{MODES, found, try_found, value, wait, with_papers};
use postgres::Client;

const FRESH: &str = r#"{"column": "published", "decay": "exponential", "scale": "30 days"}"#;
const READ: &str = r#"{"column": "views", "function": "logarithm", "weight": 0.5}"#;

/// Papers of ten texts, each at ten ages and numbers of readers, some of which are not known.
fn with_ages() -> (socle_tests::Cluster, Client) {
    let (cluster, mut client) = with_papers(1);
    client
        .batch_execute(
            "ALTER TABLE paper ADD published timestamptz, ADD day date, ADD local timestamp, ADD views int, ADD price numeric, ADD mass real;
             DELETE FROM paper;
             INSERT INTO paper SELECT i, 'paper ' || i, sentence(i % 10), i % 7, i % 5,
                     CASE WHEN i % 10 < 8 AND i <> 95 THEN now() - (i / 10) * interval '17 days' END,
                     CASE WHEN i % 10 < 8 AND i <> 95 THEN (now() - (i / 10) * interval '17 days')::date END,
                     CASE WHEN i % 10 < 8 AND i <> 95 THEN localtimestamp + (i / 10) * interval '17 days' END,
                     CASE WHEN i % 10 < 8 AND i <> 95 THEN i * i - 50 END, i / 3.0, i / 7.0
                 FROM generate_series(0, 99) i",
        )
        .unwrap();
    wait(&mut client);
    client.batch_execute("CALL socle.sync_corpus('paper')").unwrap();
    (cluster, client)
}

/// Whether each boosted score is the one without boost, times a factor as SQL, counted from a floor as SQL.
fn is_multiplied(client: &mut Client, arguments: &str, boost: &str, factor: &str, floor: &str) {
    let sql = format!(
        "WITH plain AS (SELECT p.*, s.score FROM socle.search('paper', {arguments}, result_limit => 100) s
                 JOIN paper p ON p.id = (source_key->>'id')::int),
              floored AS (SELECT *, {floor} AS floor FROM plain),
              boosted AS (SELECT (source_key->>'id')::int AS id, score FROM socle.search('paper', {arguments}, result_limit => 100, boost => '{boost}'))
         SELECT coalesce(string_agg(format('%s: %s from %s', coalesce(f.id, b.id), b.score, f.score), ', '), '')
         FROM floored f FULL JOIN boosted b USING (id)
         WHERE (abs(floor + (f.score - floor) * {factor} - b.score) < 1e-6 * (1 + abs(f.score))) IS NOT TRUE"
    );
    let wrong: String = value(client, &sql);
    assert_eq!(wrong, "", "{arguments}, {boost}");
    let count =
        format!("SELECT count(*) FROM socle.search('paper', {arguments}, result_limit => 100, boost => '{boost}')");
    assert!(value::<i64>(client, &count) >= 10, "{arguments}");
}

#[test]
fn scores_are_multiplied_by_the_formulas() {
    let (_cluster, mut client) = with_ages();
    let epoch = |column: &str| format!("extract(epoch FROM {column})::float8");
    let decayed = |distance: &str| format!("coalesce(power(0.5, abs({distance}) / (30 * 86400.0)::float8), 0)");
    let age = decayed(&epoch("now() - published"));
    let days = decayed("(current_date - day) * 86400.0::float8");
    let local = decayed(&epoch("localtimestamp - local"));
    let read = "(1 + 0.5 * ln(1 + greatest(coalesce(views, 0), 0)::float8))";
    // In one transaction, now() is the same for both sides.
    client.batch_execute("BEGIN; SET LOCAL timezone = 'Pacific/Auckland'").unwrap();
    let keyword = "'fox', mode => 'keyword'";
    for (boost, factor) in [
        (FRESH.to_string(), age.clone()),
        (FRESH.replace("published", "day"), days),
        (FRESH.replace("published", "local"), local),
        (READ.to_string(), read.to_string()),
        (format!("[{FRESH}, {READ}]"), format!("{age} * {read}")),
        (
            r#"{"column": "price", "decay": "gaussian", "origin": 20.5, "scale": 4, "offset": 2, "decay_at_scale": 0.3, "weight": 0.6}"#.into(),
            "(0.4 + 0.6 * exp(ln(0.3) * power(greatest(abs(price - 20.5) - 2, 0)::float8 / 4, 2)))".into(),
        ),
        (
            r#"{"column": "mass", "decay": "linear", "origin": 3, "scale": 5}"#.into(),
            "greatest(0, 1 - 0.5 * abs(mass - 3) / 5)".into(),
        ),
        (
            r#"{"column": "published", "decay": "linear", "origin": "now", "scale": "1 month 15 days", "offset": "2 days"}"#.into(),
            format!("CASE WHEN published IS NULL THEN 0 ELSE greatest(0, 1 - 0.5 * greatest({} - 2 * 86400, 0) / (45 * 86400)) END", epoch("now() - published")),
        ),
        ("[]".into(), "1".into()),
    ] {
        is_multiplied(&mut client, keyword, &boost, &factor, "0");
    }
    let half = FRESH.replace("30 days\"", "30 days\", \"weight\": 0.5");
    let factor = format!("(0.5 + 0.5 * {age})");
    for arguments in ["'fox', fusion => 'rrf'", "'fox', fusion => 'minmax'"] {
        is_multiplied(&mut client, arguments, &half, &factor, "0");
    }
    let below = "(SELECT min(score) - stddev_pop(score) FROM plain)";
    is_multiplied(&mut client, "'a fox by the river', mode => 'vector'", &half, &factor, below);
    let reranked = "'a fox by the river', mode => 'keyword', rerank_model => 'reranker', rerank_count => 100";
    is_multiplied(&mut client, reranked, &half, &factor, below);
    client.batch_execute("ROLLBACK").unwrap();
}

#[test]
fn a_boost_moves_results_between_the_best_and_the_worst_in_every_mode() {
    let (_cluster, mut client) = with_ages();
    for mode in MODES {
        let query = format!("'a raven sings', mode => '{mode}', result_limit => 100");
        let plain = found(&mut client, &query);
        let order = found(&mut client, &format!("{query}, boost => '{FRESH}'"));
        assert_ne!(plain, order, "{mode}");
        let sorted = |list: &[i32]| {
            let mut list = list.to_vec();
            list.sort_unstable();
            list
        };
        assert_eq!(sorted(&plain), sorted(&order), "{mode}");
        // Of ten papers with the same text the newest comes first, and one of an unknown age never before another.
        let of_text = |text: i32| order.iter().copied().filter(|id| id % 10 == text).collect::<Vec<_>>();
        assert!(of_text(2).is_sorted() && of_text(2)[0] == 2, "{mode}: {order:?}");
        let none = found(
            &mut client,
            &format!("{query}, boost => '{}'", FRESH.replace("30 days\"", "30 days\", \"weight\": 0")),
        );
        let text = |list: &[i32]| list.iter().map(|id| id % 10).collect::<Vec<_>>();
        assert_eq!(text(&plain), text(&none), "{mode}: a boost without weight");
    }
    // A mild boost changes the order among the relevant and raises nothing irrelevant.
    let mild = FRESH.replace("30 days\"", "30 days\", \"weight\": 0.3");
    let query = "'a raven sings beside the river', boost => ";
    let best = found(&mut client, &format!("{query}'{mild}', result_limit => 10"));
    let ravens = best.iter().filter(|id| [2, 7].contains(&(*id % 10))).count();
    assert!(ravens >= 8, "{best:?}");
    let explained = format!(
        "SELECT string_agg(step || ': ' || detail, E'\n') FROM socle.explain_search('paper', {query}'{mild}', chunk_id =>
             (SELECT chunk_id FROM socle.search('paper', {query}'{mild}', result_limit => 1)))"
    );
    let explained: String = value(&mut client, &explained);
    assert!(explained.contains("boost: 100 candidates by \"published\", factors from 0.7"), "{explained}");
    let chunk = explained.lines().find(|line| line.starts_with("chunk: rank 1 with score")).unwrap();
    assert!(chunk.contains("before the boost by factor 1.0000"), "{chunk}");
}

#[test]
fn numbers_beyond_every_range_have_a_factor() {
    let (_cluster, mut client) = with_ages();
    client
        .batch_execute(
            "UPDATE paper SET price = CASE id % 4 WHEN 0 THEN '1e400' WHEN 1 THEN 'NaN' WHEN 2 THEN '1e-400' ELSE '-Infinity' END::numeric,
                              published = CASE WHEN id % 2 = 0 THEN 'infinity' ELSE '-infinity' END::timestamptz,
                              day = CASE id % 3 WHEN 0 THEN 'infinity' WHEN 1 THEN '5874897-12-31' ELSE '4713-01-01 BC' END::date,
                              local = CASE WHEN id % 2 = 0 THEN '294276-12-31' ELSE '-infinity' END::timestamp",
        )
        .unwrap();
    wait(&mut client);
    for boost in [
        r#"{"column": "price", "function": "logarithm"}"#.to_string(),
        r#"{"column": "price", "decay": "gaussian", "origin": 1e300, "scale": 1e-300}"#.to_string(),
        FRESH.to_string(),
        FRESH.replace("published", "day"),
        FRESH.replace("published", "local"),
        r#"{"column": "published", "decay": "linear", "origin": "infinity", "scale": "1 day"}"#.to_string(),
    ] {
        for mode in MODES {
            let sql = format!(
                "SELECT count(*) FILTER (WHERE score < 'Infinity' AND score > '-Infinity') = count(*) AND count(*) > 9
                 FROM socle.search('paper', 'the fox', mode => '{mode}', result_limit => 50, boost => '{boost}')"
            );
            assert!(value::<bool>(&mut client, &sql), "{mode}: {boost}");
        }
    }
}

#[test]
fn what_the_caller_may_not_see_changes_no_factor_group_or_count() {
    let (_cluster, mut client) = with_ages();
    client
        .batch_execute(
            "CREATE ROLE narrow; GRANT SELECT ON paper, paper_chunk TO narrow; ALTER TABLE paper ENABLE ROW LEVEL SECURITY;
             CREATE POLICY few ON paper TO narrow USING (id < 60);
             CREATE ROLE clerk; GRANT SELECT (id, title, body, tenant) ON paper TO clerk; GRANT SELECT ON paper_chunk TO clerk;
             CREATE POLICY all_rows ON paper TO clerk USING (true)",
        )
        .unwrap();
    let day = r#"{"column": "day", "decay": "linear", "origin": "2020-01-01", "scale": "20 years"}"#;
    let calls = [
        format!("'a fox', mode => 'vector', boost => '{day}'"),
        format!("'a fox', boost => '[{day}, {READ}]', score_statistics => 'visible', count_total => true"),
        format!(
            "'a fox', mode => 'keyword', boost => '{READ}', score_statistics => 'visible', count_total => true, result_limit => 3"
        ),
        "'a fox', mode => 'vector', group_by => 'tenant', group_size => 2, count_total => true".into(),
        "'a fox', mode => 'keyword', group_by => 'views', score_statistics => 'visible', count_total => true".into(),
        "'a fox', mode => 'keyword', group_by_document => true, score_statistics => 'visible', count_total => true"
            .into(),
    ];
    let ask = |client: &mut Client| -> Vec<String> {
        client.batch_execute("SET ROLE narrow").unwrap();
        let all = calls.iter().map(|arguments| {
            let sql = format!("SELECT string_agg(format('%s %s %s', chunk_id, score, total_count), ', ') FROM socle.search('paper', {arguments})");
            let explained = format!("SELECT string_agg(step || ': ' || detail, ', ') FROM socle.explain_search('paper', {arguments}) WHERE step NOT IN ('keyword')");
            value::<String>(client, &sql) + &value::<String>(client, &explained)
        });
        let all = all.collect();
        client.batch_execute("RESET ROLE").unwrap();
        all
    };
    let before = ask(&mut client);
    client
        .batch_execute(
            "INSERT INTO paper SELECT i, 'hidden', 'A fox, a fox.', i, 1, now(), current_date, localtimestamp, 1000000, 1, 1 FROM generate_series(1000, 1200) i",
        )
        .unwrap();
    wait(&mut client);
    client.batch_execute("CALL socle.sync_corpus('paper')").unwrap();
    assert_eq!(ask(&mut client), before);
    // A column that may not be read, though nothing is found.
    client.batch_execute("SET ROLE clerk").unwrap();
    assert!(!found(&mut client, "'a fox', group_by => 'tenant'").is_empty());
    for mode in MODES {
        for refused in [format!("boost => '{READ}'"), "group_by => 'level'".into()] {
            for query in ["'a fox'", "'a fox', filter => '{\"or\": []}'"] {
                let found = try_found(&mut client, &format!("{query}, mode => '{mode}', {refused}"));
                assert_eq!(crate::sqlstate(found), "42501", "{query}, {mode}, {refused}");
            }
        }
    }
}
