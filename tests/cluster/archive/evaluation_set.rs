//! Tables of questions and judgments go with a corpus, as their caller may read them, and come back as they were.

use super::{Shelf, export, value, with_handbook};
use crate::sqlstate;
use postgres::{Client, NoTls};
use socle_tests::error_of;
use std::path::Path;

const TABLES: &str = "
    CREATE SCHEMA quality;
    CREATE TABLE quality.question (id int PRIMARY KEY, body text, \"asked at\" timestamptz);
    INSERT INTO quality.question VALUES (1, 'Where is body 7?', '2026-01-02 03:04:05.6+00'), (2, NULL, NULL),
        (3, E'tab\\tand ''é''', NULL);
    CREATE TABLE judgment (question int, document jsonb, grade numeric);
    INSERT INTO judgment VALUES (1, '{\"id\": 7}', 2), (1, '{\"id\": 57}', 1.50), (3, NULL, 0);
    CREATE TABLE asked (question text, reference text[], documents int[]);
    INSERT INTO asked VALUES ('Which body is it?', '{\"body 7\",\"a, b\"}', '{7,57}'), ('Who?', NULL, NULL)";

const SETS: &str = ", evaluation_sets => '{quality.question,judgment,asked,judgment}'";

/// The statement that reads a set into rows of a table.
fn rows_of(path: &Path, name: &str, table: &str) -> String {
    format!(
        "SELECT r.* FROM socle.import_evaluation_set('{}', '{name}') AS s,
         LATERAL jsonb_populate_record(NULL::{table}, s.content) AS r ORDER BY s.row_number",
        path.display()
    )
}

#[test]
fn sets_come_back_as_they_were_and_measure_the_same() {
    let shelf = Shelf::new("sets");
    let (_cluster, mut client) = with_handbook(&shelf, 60);
    client.batch_execute(TABLES).unwrap();
    let path = shelf.path().join("export");
    let files = export(&mut client, "handbook", &path, SETS).unwrap();
    let sets = (1..=3).map(|number| format!("evaluation-{number:05}.parquet"));
    let wanted = std::iter::once("chunks-00001.parquet".to_string()).chain(sets);
    let wanted: Vec<String> = wanted.chain(["manifest.json", "SHA256SUMS"].map(str::to_string)).collect();
    assert_eq!(files, wanted);
    let manifest = shelf.manifest("export");
    let sets = &manifest["evaluation_sets"];
    assert_eq!((&sets[0]["schema"], &sets[0]["table"]), (&"quality".into(), &"question".into()));
    assert_eq!((&sets[1]["columns"][1]["type_name"], &sets[1]["file"]["rows"]), (&"jsonb".into(), &3.into()));
    let sums = std::fs::read_to_string(path.join("SHA256SUMS")).unwrap();
    for set in sets.as_array().unwrap() {
        let [sum, name] = ["sha256", "name"].map(|field| set["file"][field].as_str().unwrap());
        assert!(sums.contains(&format!("{sum}  {name}\n")), "{sums}");
    }
    for (name, table) in [("quality.question", "quality.question"), ("judgment", "judgment"), ("public.asked", "asked")]
    {
        let copy = format!("back_{}", table.replace('.', "_"));
        client.batch_execute(&format!("CREATE TABLE {copy} AS {}", rows_of(&path, name, table))).unwrap();
        let text = |table: &str| format!("SELECT string_agg(t::text, E'\\n' ORDER BY t::text) FROM {table} AS t");
        let is: String = value(&mut client, &text(&copy));
        assert_eq!(is, value::<String>(&mut client, &text(table)), "{table}");
    }
    let measured = |queries: &str, judgments: &str| {
        format!(
            "SELECT mode || ' ' || query_count || ' ' || ndcg
             FROM socle.evaluate('handbook', '{queries}', '{judgments}', modes => '{{keyword}}')"
        )
    };
    let before: String = value(&mut client, &measured("quality.question", "judgment"));
    assert_eq!(value::<String>(&mut client, &measured("back_quality_question", "back_judgment")), before);
    let told = "SELECT entry -> 'data' ->> 'evaluation_sets' FROM socle.ledger WHERE kind = 'export_corpus'";
    assert_eq!(value::<String>(&mut client, told), r#"["quality.question", "public.judgment", "public.asked"]"#);
    // The corpus itself comes back beside them.
    client.batch_execute(&format!("SELECT socle.import_corpus('copy', '{}')", path.display())).unwrap();
}

#[test]
fn what_the_caller_may_not_read_is_not_taken_along() {
    let shelf = Shelf::new("sets-rights");
    let (cluster, mut client) = with_handbook(&shelf, 10);
    client.batch_execute(TABLES).unwrap();
    client
        .batch_execute(
            "CREATE ROLE carrier LOGIN IN ROLE pg_write_server_files, pg_read_server_files; CREATE ROLE other LOGIN;
             GRANT SELECT ON article, handbook_chunk, asked TO carrier;
             ALTER TABLE asked ENABLE ROW LEVEL SECURITY; CREATE POLICY answerable ON asked USING (reference IS NOT NULL)",
        )
        .unwrap();
    let mut carrier = cluster.configuration().user("carrier").connect(NoTls).unwrap();
    let path = shelf.path().join("export");
    assert_eq!(sqlstate(export(&mut carrier, "handbook", &path, ", evaluation_sets => '{judgment}'")), "42501");
    assert_eq!(shelf.names(), Vec::<String>::new());
    export(&mut carrier, "handbook", &path, ", evaluation_sets => '{asked}'").unwrap();
    let set = &shelf.manifest("export")["evaluation_sets"][0];
    assert_eq!((&set["row_security"], &set["file"]["rows"]), (&true.into(), &1.into()));
    let mut other = cluster.configuration().user("other").connect(NoTls).unwrap();
    assert_eq!(sqlstate(other.query(&rows_of(&path, "asked", "asked"), &[])), "42501");
    assert_eq!(carrier.query(&rows_of(&path, "asked", "asked"), &[]).unwrap().len(), 1);
}

#[test]
fn what_is_no_set_of_the_export_is_refused_by_name() {
    let shelf = Shelf::new("sets-refused");
    let (_cluster, mut client) = with_handbook(&shelf, 10);
    client.batch_execute(TABLES).unwrap();
    client.batch_execute("CREATE INDEX judged ON judgment (question); CREATE TABLE quality.asked (a text)").unwrap();
    let path = shelf.path().join("export");
    for sets in ["{judged}", "{0}"] {
        let more = format!(", evaluation_sets => '{sets}'");
        assert_eq!(sqlstate(export(&mut client, "handbook", &path, &more)), "22023", "{sets}");
    }
    export(&mut client, "handbook", &path, ", evaluation_sets => '{asked,quality.asked,judgment}'").unwrap();
    let refusal = |client: &mut Client, name: &str| {
        let error = client.query(&rows_of(&path, name, "judgment"), &[]).expect_err(name);
        let (state, message, ..) = error_of(&error);
        (state, message)
    };
    assert_eq!(refusal(&mut client, "asked").0, "22023", "two have the name");
    let (state, message) = refusal(&mut client, "judgement");
    assert_eq!((state.as_str(), message.as_str()), ("42704", "evaluation set \"judgement\" does not exist"));
    let file = path.join("evaluation-00003.parquet");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let (state, message) = refusal(&mut client, "judgment");
    let wanted = "\"evaluation-00003.parquet\" is not the file that was exported";
    assert_eq!((state.as_str(), message.as_str()), ("22P03", wanted));
}
