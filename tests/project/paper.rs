//! README, manual and papers for developers: the files, tests and sections that they name exist, and they are easy to read
//! in a terminal.

use super::{files, root, rust};
use std::collections::BTreeSet;

/// Most letters of a line, but for tables, pictures and code.
const MAX_WIDTH: usize = 150;

/// The papers and their texts.
fn papers() -> Vec<(String, String)> {
    let papers: Vec<_> =
        files().into_iter().filter(|(name, _)| name.ends_with(".md") && !name.contains("tests/")).collect();
    assert!(papers.iter().any(|(name, _)| name == "docs/search.md"), "the manual was not found");
    papers
}

/// The paths that `a/{b,c}.sql` stands for; a path without braces itself.
fn alternatives(path: &str) -> Vec<String> {
    let parts = path.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    let Some((before, (names, after))) = parts else { return vec![path.to_string()] };
    names.split(',').map(|name| format!("{before}{name}{after}")).collect()
}

#[test]
fn papers_name_tests_and_files_that_exist() {
    let sources: String = rust("").into_iter().map(|(_, text)| text).collect();
    let mut missing = Vec::new();
    for (paper, text) in papers() {
        for quoted in text.split('`').skip(1).step_by(2) {
            let is_name =
                quoted.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
            // Names of tests are sentences; nothing else has as many words but names of PostgreSQL.
            if is_name
                && !quoted.starts_with("pg_")
                && quoted.matches('_').count() >= 4
                && !sources.contains(&format!("fn {quoted}("))
            {
                missing.push(format!("{paper}: {quoted}"));
            }
            let is_path =
                ["src/", "sql/", "crates/", "tests/", "bench/"].iter().any(|folder| quoted.starts_with(folder));
            if is_path && !quoted.contains(['*', ' ', '<', ':']) && !quoted.contains("OLD") {
                // From the root of the project, or from the folder of the paper.
                let folder = root().join(&paper).parent().unwrap().to_path_buf();
                let there = |path: &String| root().join(path).exists() || folder.join(path).exists();
                let lost = alternatives(quoted).into_iter().filter(|path| !there(path));
                missing.extend(lost.map(|path| format!("{paper}: {path}")));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

/// The text without what stands in blocks of code.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// What GitHub calls a section: its heading in lower case, with hyphens for spaces and without other signs.
fn anchor(heading: &str) -> String {
    let letters = heading.to_lowercase();
    letters.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c)).collect::<String>().replace(' ', "-")
}

fn anchors(text: &str) -> BTreeSet<String> {
    let text = prose(text);
    text.lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

#[test]
fn links_between_papers_lead_somewhere() {
    let papers = papers();
    let mut lost = Vec::new();
    let mut count = 0;
    for (paper, text) in &papers {
        let folder = root().join(paper).parent().unwrap().to_path_buf();
        let prose = prose(text);
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.starts_with("http")) {
            count += 1;
            let (path, section) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { root().join(paper) } else { folder.join(path) };
            let found = std::fs::read_to_string(&file).ok().or_else(|| file.is_dir().then(String::new));
            if !found.is_some_and(|text| section.is_empty() || anchors(&text).contains(section)) {
                lost.push(format!("{paper}: {target}"));
            }
        }
    }
    assert!(count > 50, "{count} links");
    assert_eq!(lost, Vec::<String>::new());
}

#[test]
fn every_page_of_the_manual_is_in_the_table_of_the_readme() {
    let papers = papers();
    let (_, readme) = papers.iter().find(|(name, _)| name == "README.md").unwrap();
    let forgotten: Vec<_> = papers
        .iter()
        .filter(|(name, _)| name.starts_with("docs/") && !readme.contains(&format!("({name})")))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(forgotten, Vec::<&String>::new());
}

#[test]
fn lines_of_the_manual_are_short() {
    // Those for developers have names in capital letters.
    let is_manual = |name: &str| {
        name.strip_prefix("docs/")
            .map_or(name == "README.md", |page| page.starts_with(|letter: char| letter.is_lowercase()))
    };
    let mut long = Vec::new();
    for (paper, text) in papers().into_iter().filter(|(name, _)| is_manual(name)) {
        let prose = prose(&text);
        let lines = prose.lines().filter(|line| !line.starts_with(['|', '!']) && line.chars().count() > MAX_WIDTH);
        long.extend(lines.map(|line| format!("{paper}: {line}")));
    }
    assert_eq!(long, Vec::<String>::new());
}
