//! docs/leaving.md is correct: all of its commands run as written, from top to bottom, on a fresh server.

use super::{Shelf, value};
use socle_tests::{Cluster, bin};
use std::path::Path;
use std::process::{Command, Output};

/// The language and the text of each block.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let fenced = page.split("```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).collect()
}

fn run(cluster: &Cluster, language: &str, text: &str) -> Output {
    let psql = bin("psql");
    let (program, arguments): (&Path, &[&str]) = match language {
        "sql" => (&psql, &["--no-psqlrc", "--set=ON_ERROR_STOP=1", "--file=-"]),
        "sh" => (Path::new("bash"), &["-euo", "pipefail", "-c", text]),
        "python" => (Path::new("python3"), &["-c", text]),
        other => panic!("nobody runs a block in \"{other}\""),
    };
    let packages =
        std::env::var("SOCLE_PYTHON_EXPORT").expect("run the tests with \"make test\", which sets SOCLE_PYTHON_EXPORT");
    let path = format!("{}:{}", bin("").display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(program);
    let packages = [Some(packages), lancedb()].into_iter().flatten().collect::<Vec<_>>().join(":");
    command.args(arguments).env("PATH", path).env("PYTHONPATH", packages);
    command.env("PGHOST", cluster.directory()).env("PGUSER", "postgres").env("PGDATABASE", "postgres");
    let input = cluster.directory().join("block.sql");
    std::fs::write(&input, text).unwrap();
    command.stdin(std::fs::File::open(input).unwrap());
    command.output().unwrap()
}

/// Where LanceDB is, if set-up could get it.
fn lancedb() -> Option<String> {
    std::env::var("SOCLE_PYTHON_LANCEDB").ok().filter(|path| !path.is_empty())
}

#[test]
fn the_page_on_leaving_runs_as_written() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/leaving.md")).unwrap();
    let shelf = Shelf::new("leaving");
    let page = page.replace("/srv/socle", &shelf.path().display().to_string());
    let cluster = Cluster::new("");
    cluster.start();
    let mut count = 0;
    let mut said = String::new();
    for (language, text) in blocks(&page) {
        if text.contains("lancedb") && lancedb().is_none() {
            let _ =
                std::io::Write::write_all(&mut std::io::stderr(), b"SKIPPED: no LanceDB, which set-up could not get\n");
            continue;
        }
        let output = run(&cluster, language, text);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{text}\n{errors}");
        said += &String::from_utf8_lossy(&output.stdout);
        count += 1;
    }
    assert!(count > 11, "{count} blocks");
    assert!(said.contains("Pour restaurer une sauvegarde, arrêtez le serveur."), "{said}");
    let mut client = cluster.connect_to("elsewhere");
    let same = |table: &str, key: &str| {
        format!(
            "SELECT count(*) FROM chunk JOIN {table} t ON t.{key} = chunk.article_id AND vector_send(t.embedding) = vector_send(chunk.embedding)"
        )
    };
    for (table, key) in [("from_files", "article_id"), ("handbook_chunk", "source_id"), ("archive_chunk", "source_id")]
    {
        assert_eq!(value::<i64>(&mut client, &same(table, key)), 2, "{table}: every vector arrives as it was");
    }
    assert_eq!(value::<i64>(&mut client, "SELECT embedded_count FROM socle.corpus_status"), 0);
    let mut client = cluster.connect();
    let left: i64 =
        value(&mut client, "SELECT count(*) FROM pg_class WHERE relname LIKE 'handbook_%' AND relkind = 'r'");
    assert_eq!(left, 1, "the chunk table alone stays");
}
