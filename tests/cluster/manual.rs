//! The README and the manual are correct: the SQL of each page runs as written, from top to bottom, in a database of its
//! own, and prints what the page shows.
//!
//! A block of SQL that is followed by a block `text` prints exactly that, but for spaces at the ends of lines. All other
//! queries return at least one row. Scores that are shown are rounded to what all processors agree on.

use socle_tests::{Cluster, bin, command, run};
use std::fs;
use std::path::{Path, PathBuf};

/// A page whose commands are run by a test of its own, `tests/cluster/archive/leaving.rs`: not all of them are SQL.
const TESTED_ELSEWHERE: &str = "leaving.md";

/// SQL of a page, and where it stands.
struct Block {
    place: String,
    sql: String,
    /// What the page shows as its output.
    shown: Option<String>,
}

#[test]
fn the_sql_of_the_manual_runs_as_written_and_prints_what_is_shown() {
    let cluster = Cluster::new("");
    cluster.start();
    let pages = pages();
    assert!(pages.len() > 10, "{pages:?}");
    // Where psql starts, as the manual tells its readers: its server's user may not be able to enter the checkout.
    let folder = cluster.directory().join("manual");
    fs::create_dir(&folder).unwrap();
    fs::copy(root().join("docs/examples.sql"), folder.join("examples.sql")).unwrap();
    let mut client = cluster.connect();
    for page in &pages {
        client.batch_execute(&format!("CREATE DATABASE \"{}\"", database(page))).unwrap();
    }
    // Two at a time: much of a page is waiting.
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let every_second = |first| {
            let pages = pages.iter().skip(first).step_by(2);
            let (cluster, folder) = (&cluster, &folder);
            scope.spawn(move || pages.flat_map(|page| wrong(cluster, folder, page)).collect::<Vec<_>>())
        };
        [every_second(0), every_second(1)].into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn database(page: &Path) -> String {
    page.file_stem().unwrap().to_string_lossy().to_lowercase()
}

/// What a page shows and does not print.
fn wrong(cluster: &Cluster, folder: &Path, page: &Path) -> Vec<String> {
    let blocks = blocks(page);
    if blocks.is_empty() {
        return Vec::new();
    }
    differences(&blocks, &outputs(cluster, folder, &database(page), &blocks))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn pages() -> Vec<PathBuf> {
    let is_page = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "md") && !path.ends_with(TESTED_ELSEWHERE)
    };
    let mut pages: Vec<_> =
        fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()).filter(is_page).collect();
    pages.sort();
    pages.insert(0, root().join("README.md"));
    pages
}

fn blocks(page: &Path) -> Vec<Block> {
    let text = fs::read_to_string(page).unwrap();
    let mut blocks = Vec::new();
    for (at, _) in text.match_indices("```sql\n") {
        let (sql, rest) = text[at + "```sql\n".len()..].split_once("```\n").unwrap();
        let shown = rest.strip_prefix("\n```text\n").map(|rest| trimmed(rest.split_once("```").unwrap().0));
        let name = page.file_name().unwrap().to_string_lossy();
        let place = format!("{name}, line {}", text[..at].lines().count() + 1);
        blocks.push(Block { place, sql: sql.to_string(), shown });
    }
    blocks
}

/// What psql prints, without spaces at the ends of lines and empty lines around it.
fn trimmed(output: &str) -> String {
    let lines: Vec<&str> = output.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_string()
}

/// Runs the blocks of a page in one session, and returns what each prints.
fn outputs(cluster: &Cluster, folder: &Path, database: &str, blocks: &[Block]) -> Vec<String> {
    const MARK: &str = "==== the next block";
    let script: String = blocks.iter().map(|block| format!("\\echo {MARK}\n{}\n", block.sql)).collect();
    let file = folder.join(format!("{database}.sql"));
    fs::write(&file, script).unwrap();
    let output = run(command(bin("psql"))
        .current_dir(folder)
        .args(["--username=postgres", "--no-psqlrc", "--set=ON_ERROR_STOP=1"])
        .arg(format!("--dbname={database}"))
        .arg(format!("--host={}", cluster.directory().display()))
        .arg(format!("--file={}", file.display())));
    let output = String::from_utf8(output.stdout).unwrap();
    output.split(&format!("{MARK}\n")).skip(1).map(trimmed).collect()
}

fn differences(blocks: &[Block], outputs: &[String]) -> Vec<String> {
    assert_eq!(blocks.len(), outputs.len());
    let mut wrong = Vec::new();
    for (block, output) in blocks.iter().zip(outputs) {
        match &block.shown {
            Some(shown) if shown != output => {
                wrong.push(format!("{} shows\n{shown}\nand prints\n{output}", block.place));
            }
            None if output.contains("(0 rows)") => {
                wrong.push(format!("{} has a query without rows:\n{output}", block.place));
            }
            _ => {}
        }
    }
    wrong
}
