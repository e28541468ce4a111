//! The README is correct: its SQL runs as written, from top to bottom, on a fresh server.

use socle_tests::{Cluster, bin, command, run};

#[test]
fn the_sql_of_the_readme_runs_as_written() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let blocks: Vec<&str> =
        readme.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
    assert!(blocks.len() > 8, "{} blocks", blocks.len());
    let cluster = Cluster::new("");
    cluster.start();
    let script = cluster.directory().join("readme.sql");
    std::fs::write(&script, blocks.join("\n")).unwrap();
    let output = run(command(bin("psql"))
        .args(["--username=postgres", "--no-psqlrc", "--set=ON_ERROR_STOP=1"])
        .arg(format!("--host={}", cluster.directory().display()))
        .arg(format!("--file={}", script.display())));
    let output = String::from_utf8(output.stdout).unwrap();
    assert!(output.contains("Pour restaurer une sauvegarde, arrêtez le serveur."), "the first answer: {output}");
    assert!(output.contains("{Guide,Use}"), "the heading path: {output}");
}
