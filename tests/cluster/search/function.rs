//! Search functions with the key of a source in columns of their own types.

use super::{found, value, with_papers};
use crate::sqlstate;
use postgres::Client;
use socle_tests::{Cluster, error_of};

fn types(client: &mut Client, sql: &str) -> String {
    let rows = client.query(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    rows[0]
        .columns()
        .iter()
        .map(|column| format!("{} {}", column.name(), column.type_()))
        .collect::<Vec<_>>()
        .join(", ")
}

#[test]
fn results_join_without_casts_and_are_those_of_search() {
    let (_cluster, mut client) = with_papers(60);
    let made: String = value(&mut client, "SELECT socle.create_search_function('paper', 'search_paper')::text");
    assert!(made.starts_with("search_paper(text,integer,text,jsonb"), "{made}");
    let arguments = "'a fox hunts', mode => 'keyword', result_offset => 2, filter => '{\"tenant\": [1, 2, 3]}'";
    let rows = client.query(&format!("SELECT id FROM search_paper({arguments})"), &[]).unwrap();
    let ids: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(ids, found(&mut client, arguments));
    let joined = format!("SELECT count(*) FROM search_paper({arguments}) JOIN paper USING (id, title)");
    assert_eq!(value::<i64>(&mut client, &joined), 10);
    let columns = types(&mut client, "SELECT * FROM search_paper('fox')");
    assert!(columns.starts_with("id int4, chunk_id int8, title text, heading_path _text, page int4"), "{columns}");
    assert!(columns.ends_with("stale bool, snippet text, total_count int8"), "{columns}");
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM search_paper(NULL)"), 0);
    // It runs as whoever calls it, under row security, and whatever is in the search path.
    client
        .batch_execute(
            "CREATE ROLE narrow; GRANT SELECT ON paper, paper_chunk TO narrow; ALTER TABLE paper ENABLE ROW LEVEL SECURITY;
             CREATE POLICY few ON paper TO narrow USING (tenant = 1); CREATE ROLE nobody;
             CREATE SCHEMA trap; CREATE FUNCTION trap.jsonb_to_record(jsonb) RETURNS record LANGUAGE sql AS 'SELECT 1';
             SET search_path = trap, public, pg_catalog; SET ROLE narrow",
        )
        .unwrap();
    let seen = "SELECT count(*), bool_and(p.tenant = 1) FROM search_paper('fox', result_limit => 50) s JOIN paper p USING (id)";
    let row = client.query_one(seen, &[]).unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, bool>(1)), (9, true));
    client.batch_execute("RESET ROLE; RESET search_path; SET ROLE nobody").unwrap();
    assert_eq!(sqlstate(client.query("SELECT * FROM search_paper('fox')", &[])), "42501");
    client.batch_execute("RESET ROLE").unwrap();
    // It belongs to who made it, and the extension can be dropped and updated without it.
    let whole: bool = value(
        &mut client,
        "SELECT NOT prosecdef AND provolatile = 's' AND proconfig = '{\"search_path=pg_catalog, pg_temp\"}' AND proowner = 'postgres'::regrole
                AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND refclassid IN ('pg_extension'::regclass, 'pg_proc'::regclass))
         FROM pg_proc p WHERE proname = 'search_paper'",
    );
    assert!(whole);
}

#[test]
fn nothing_is_replaced_and_rights_are_those_of_the_caller() {
    let (_cluster, mut client) = with_papers(5);
    client
        .batch_execute(
            "CREATE ROLE maker; CREATE SCHEMA own AUTHORIZATION maker; CREATE SCHEMA other;
             CREATE FUNCTION other.search_paper(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        )
        .unwrap();
    for (arguments, state, words) in [
        ("'paper', 'search_paper', 'other'", "42710", "function other.search_paper already exists"),
        ("'paper', 'f', 'nowhere'", "3F000", "schema \"nowhere\" does not exist"),
        ("'nowhere', 'f'", "42704", "corpus \"nowhere\" does not exist"),
        ("NULL, 'f'", "22023", "corpus must not be null or empty"),
        ("'paper', NULL", "22023", "name must not be null or empty"),
        ("'paper', ''", "22023", "name must not be null or empty"),
    ] {
        let sql = format!("SELECT socle.create_search_function({arguments})");
        let (code, message, ..) = error_of(&client.batch_execute(&sql).unwrap_err());
        assert!(code == state && message.contains(words), "{arguments}: {code} {message}");
    }
    client.batch_execute("SET ROLE maker").unwrap();
    assert_eq!(sqlstate(client.batch_execute("SELECT socle.create_search_function('paper', 'f', 'other')")), "42501");
    client.batch_execute("SELECT socle.create_search_function('paper', 'f', 'own')").unwrap();
    assert_eq!(sqlstate(client.batch_execute("SELECT socle.create_search_function('paper', 'f', 'own')")), "42710");
    assert_eq!(sqlstate(client.query("SELECT * FROM own.f('fox')", &[])), "42501", "the maker has no right to read");
    client.batch_execute("RESET ROLE").unwrap();
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM own.f('fox')"), 5);
    assert_eq!(
        value::<String>(&mut client, "SELECT proowner::regrole::text FROM pg_proc WHERE proname = 'f'"),
        "maker"
    );
    assert_eq!(
        sqlstate(client.batch_execute("BEGIN READ ONLY; SELECT socle.create_search_function('paper', 'g')")),
        "25006"
    );
    client.batch_execute("ROLLBACK; ALTER TABLE paper RENAME id TO number").unwrap();
    // Never a key of NULL, and the error says what to do.
    let error = client.query("SELECT * FROM own.f('fox')", &[]).err().unwrap();
    let (code, message, detail, hint) = error_of(&error);
    assert_eq!((code.as_str(), message.as_str()), ("42703", "the key of the corpus has no column \"id\""), "{detail}");
    assert!(hint.contains("create it again with socle.create_search_function()"), "{hint}");
    client
        .batch_execute(
            "DROP FUNCTION own.f; SELECT socle.create_search_function('paper', 'f', 'own'); SELECT number FROM own.f('fox')",
        )
        .unwrap();
}

#[test]
fn keys_of_every_kind_keep_their_types() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client.batch_execute("CREATE DOMAIN positive AS int CHECK (value > 0)").unwrap();
    let name = "\"the \"\"key' \\ $1\"";
    for (definition, values, condition, wanted) in [
        (
            "\"the key\" text PRIMARY KEY".replace("\"the key\"", name),
            "'é\"''\\'",
            format!("s.{name} = t.{name}"),
            "text",
        ),
        ("id uuid PRIMARY KEY".into(), "'00000000-0000-0000-0000-000000000001'", "s.id = t.id".into(), "uuid"),
        ("id numeric(30, 2) PRIMARY KEY".into(), "12345678901234567890123.50", "s.id = t.id".into(), "numeric"),
        ("id char(5) PRIMARY KEY".into(), "'ab'", "s.id = t.id".into(), "bpchar"),
        ("id positive PRIMARY KEY".into(), "5", "s.id = t.id".into(), "int4"),
        ("id bytea PRIMARY KEY".into(), "'\\x00ff'", "s.id = t.id".into(), "bytea"),
        ("id timestamptz PRIMARY KEY".into(), "'2024-02-29 12:00:00.123456+05'", "s.id = t.id".into(), "timestamptz"),
        ("id int4range PRIMARY KEY".into(), "'[1,5)'", "s.id = t.id".into(), "int4range"),
        ("id float8 PRIMARY KEY".into(), "'NaN'", "s.id = t.id".into(), "float8"),
        ("id float4 PRIMARY KEY".into(), "1.0 / 3", "s.id = t.id".into(), "float4"),
        ("id jsonb PRIMARY KEY".into(), "'\"5\"'", "s.id = t.id".into(), "jsonb"),
        ("id jsonb PRIMARY KEY".into(), "'null'", "s.id = t.id".into(), "jsonb"),
    ] {
        client
            .batch_execute(&format!(
                "CREATE TABLE thing ({definition}, body text); INSERT INTO thing VALUES ({values}, 'a fox');
                 SELECT socle.create_corpus('thing', 'thing', '{{body}}', model => 'minilm'); SELECT socle.create_search_function('thing', 'find')"
            ))
            .unwrap();
        assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('thing', '30 seconds')"));
        let joined = format!("SELECT count(*) FROM find('fox') s JOIN thing t ON {condition}");
        assert_eq!(value::<i64>(&mut client, &joined), 1, "{definition}");
        let columns = types(&mut client, "SELECT * FROM find('fox')");
        assert_eq!(columns.split(", chunk_id").next().unwrap().rsplit(' ').next().unwrap(), wanted, "{definition}");
        client.batch_execute("DROP FUNCTION find; SELECT socle.drop_corpus('thing'); DROP TABLE thing").unwrap();
    }
    // The owner of a type could give its name to a domain with checks, which would run as the caller of the function.
    client
        .batch_execute(
            "CREATE TYPE grade AS ENUM ('low', 'high'); CREATE TABLE graded (id grade PRIMARY KEY, body text);
             SELECT socle.create_corpus('graded', 'graded', '{body}', model => 'minilm')",
        )
        .unwrap();
    assert_eq!(sqlstate(client.batch_execute("SELECT socle.create_search_function('graded', 'find')")), "0A000");
    for schema in ["''", "'pg_temp'"] {
        let sql = format!("SELECT socle.create_search_function('graded', 'find', {schema})");
        assert_eq!(sqlstate(client.batch_execute(&sql)), "22023", "{schema}");
    }
    // A column of the key takes the place of a column of the result; arguments have names of their own.
    client
        .batch_execute(
            "CREATE TABLE thing (title text, language text, query int, body text, PRIMARY KEY (language, title, query));
             INSERT INTO thing VALUES ('one', 'en', 7, 'a fox');
             SELECT socle.create_corpus('thing', 'thing', '{body}', model => 'minilm'); SELECT socle.create_search_function('thing', 'find')",
        )
        .unwrap();
    assert!(value::<bool>(&mut client, "SELECT socle.wait_for_corpus('thing', '30 seconds')"));
    let joined = "SELECT count(*) FROM find('fox', language => 'en') JOIN thing USING (language, title, query)";
    assert_eq!(value::<i64>(&mut client, joined), 1);
}
