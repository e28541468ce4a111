//! `make demo` on a small set of documents: every step has its result, nothing is wider than a terminal, a second run loads
//! nothing, and a run that was broken off continues.

use socle_tests::{Cluster, bin, command, run};
use std::path::PathBuf;
use std::process::Command;

/// Pages with the names that the questions of the demo expect, and what they say.
const PAGES: [(&str, &str); 6] = [
    (
        "fr-FR/sect.backup.html",
        "<title>Sauvegarde</title><h1>Sauvegarde</h1><p>Pour sauvegarder un serveur et restaurer ses données, utilisez rsync chaque nuit.",
    ),
    (
        "en-US/sect.backup.html",
        "<title>Backup</title><h1>Backup</h1><p>Making backups is one of the main tasks of any administrator.",
    ),
    (
        "fr-FR/sect.firewall-packet-filtering.html",
        "<title>Pare-feu</title><h1>Pare-feu</h1><p>Pour configurer un pare-feu, écrivez les règles dans nftables.conf.",
    ),
    (
        "en-US/sect.firewall-packet-filtering.html",
        "<title>Firewall</title><h1>Firewall</h1><p>A firewall is configured in the file nftables.conf.",
    ),
    (
        "en-US/advanced-administration.html",
        "<title>Advanced Administration</title><h1>RAID</h1><p>In a software RAID, a failed disk can be replaced with mdadm. The array is then rebuilt.",
    ),
    (
        "en-US/sect.selinux.html",
        "<title>SELinux</title><h1>SELinux</h1><p>SELinux is a system of mandatory access control built on the Linux kernel.",
    ),
];

/// The files of the demo and the documents, where the user of the server can read them.
struct Demo {
    cluster: Cluster,
    handbook: PathBuf,
}

impl Demo {
    fn new() -> Self {
        let cluster = Cluster::new("");
        cluster.start();
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        for folder in ["demo", "examples"] {
            run(Command::new("cp").args(["-r", &format!("{root}/{folder}")]).arg(cluster.directory()));
        }
        run(Command::new("chmod")
            .args(["-R", "a+rX"])
            .arg(cluster.directory().join("demo"))
            .arg(cluster.directory().join("examples")));
        let handbook = cluster.directory().join("handbook");
        for (name, text) in PAGES {
            let path = handbook.join(name);
            run(command("mkdir").arg("-p").arg(path.parent().unwrap()));
            std::fs::write(&path, format!("<!DOCTYPE html><meta charset=utf-8>{text}</p>")).unwrap();
        }
        Self { cluster, handbook }
    }

    fn run(&self) -> String {
        let directory = self.cluster.directory();
        let mut demo = command("bash");
        demo.arg(directory.join("demo/run.sh")).arg(bin("psql")).arg(&self.handbook).arg(directory.join("papers"));
        demo.env("PGHOST", directory).env("PGUSER", "postgres").env("LC_ALL", "C.UTF-8");
        String::from_utf8(run(&mut demo).stdout).unwrap()
    }
}

/// The part of the output from one step to the next, on one line.
fn step(output: &str, number: u32) -> String {
    let begin = output.find(&format!("\n{number}  ")).unwrap_or_else(|| panic!("step {number}: {output}"));
    let end = output.find(&format!("\n{}  ", number + 1)).unwrap_or(output.len());
    output[begin..end].split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_demo_shows_each_step_and_can_be_run_again() {
    let demo = Demo::new();
    // As if the first run had been broken off: the database is there, and nothing in it.
    demo.cluster.connect().batch_execute("CREATE DATABASE demo").unwrap();
    let output = demo.run();
    let expected = [
        (1, &["100 %", "8 files are"][..]),
        (2, &["fr-FR/sect.backup.html", "**sauvegarder**", "meaning", "words"]),
        (3, &["en-US/advanced-administration.html", "**RAID**"]),
        (4, &["en-US/sect.firewall-packet-filtering.html"]),
        (5, &["en/house-rules.pdf", "page 2", "drawn by lot"]),
        (6, &["Indexed", "ms after the commit", "every second Thursday", "Deleted again: 0 hits"]),
        (7, &["confidential/notfallplan.pdf", "Umschlag Nummer sieben"]),
        (8, &["keyword", "rerank", "1: chunk"]),
        (9, &["hybrid", "nDCG@5"]),
        (10, &["[1]", "valid: en-US/advanced-administration.html"]),
        (11, &["No answer: "]),
        (12, &["toy"]),
    ];
    for (number, texts) in expected {
        for text in texts {
            assert!(step(&output, number).contains(text), "step {number} has no {text:?}: {output}");
        }
    }
    let as_both = step(&output, 7);
    let (_, reader) = as_both.split_once("as demo_reader").unwrap();
    assert!(!reader.contains("notfallplan") && !reader.contains("Umschlag"), "{reader}");
    let wide: Vec<&str> = output.lines().filter(|line| line.chars().count() > 100).collect();
    assert_eq!(wide, Vec::<&str>::new());

    let mut client = demo.cluster.connect_to("demo");
    let embedded = "SELECT embedded_count, reused_count FROM socle.corpus_status";
    let before = client.query_one(embedded, &[]).unwrap();
    let again = demo.run();
    let after = client.query_one(embedded, &[]).unwrap();
    assert_eq!(after.get::<_, i64>(0), before.get::<_, i64>(0) + 1, "the note of step 6 alone is embedded again");
    assert!(step(&again, 10).contains("valid: en-US/advanced-administration.html"), "{again}");
    // What a session of "make psql" finds.
    let pasted = again.lines().map(str::trim).find(|line| line.ends_with(" LIMIT 3;")).unwrap();
    assert_eq!(client.query(pasted, &[]).unwrap().len(), 3);
    assert_eq!(client.query_one("SHOW socle.default_model", &[]).unwrap().get::<_, String>(0), "multilingual");
}
