//! The project about itself: directions between its parts, licences of what it links, promises that a text scan keeps.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod paper;
mod process;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Licences that may be combined with the PostgreSQL licence: permissive ones, and MPL-2.0 for unmodified crates.
const LICENCES: [&str; 12] = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Files with unsafe code outside of `src/pg/`, where functions of PostgreSQL are called behind safe ones, and the reason
/// why it can be nowhere else.
const UNSAFE: [(&str, &str); 16] = [
    ("crates/child/src/control.rs", "the control socket is an inherited descriptor"),
    ("crates/child/src/fork_server.rs", "fork"),
    ("crates/child/src/process.rs", "system calls and signal handlers of a process"),
    ("crates/engine/src/model/runtime.rs", "functions of ONNX Runtime"),
    ("crates/engine/src/model/session.rs", "functions and tensors of ONNX Runtime"),
    ("crates/generator/src/llama/context.rs", "functions of llama.cpp"),
    ("crates/generator/src/llama/declarations.rs", "functions of llama.cpp"),
    ("crates/generator/src/llama/library.rs", "functions of llama.cpp"),
    ("crates/generator/src/llama/model.rs", "functions of llama.cpp"),
    ("src/capture.rs", "PostgreSQL calls the row trigger"),
    ("src/corpus/ddl_events.rs", "PostgreSQL calls the event triggers"),
    ("src/corpus/restore.rs", "PostgreSQL calls the trigger on the registry"),
    ("src/functions/extract.rs", "rows refer to a document that PostgreSQL frees with the call"),
    ("src/worker/owner_code_timeout.rs", "PostgreSQL calls the handlers of timers"),
    ("tests/src/lib.rs", "system calls of the tests"),
    ("tests/src/process.rs", "system calls of the tests"),
];

/// Most lines of a file.
const MAX_LINES: usize = 450;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The files of the project and their contents, those that are text. Not asked of git: a tarball has no repository.
fn files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    collect(&root(), &mut files);
    let known = |wanted: &str| files.iter().any(|(name, _)| name == wanted);
    assert!(known("src/lib.rs") && known("sql/schema/10_model.sql"), "the files of the project were not found");
    files
}

/// Adds what is below a directory, without what tools leave there: build output, repositories, caches.
fn collect(directory: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        let hidden = path.file_name().unwrap().to_string_lossy().starts_with('.');
        if path.is_dir() && !hidden && !name.starts_with("target") && !path.join("CACHEDIR.TAG").exists() {
            collect(&path, files);
        } else if path.is_file()
            && let Ok(text) = fs::read_to_string(&path)
        {
            files.push((name, text));
        }
    }
}

fn rust(below: &str) -> Vec<(String, String)> {
    files().into_iter().filter(|(name, _)| name.starts_with(below) && name.ends_with(".rs")).collect()
}

/// All packages, and which of them depend on which.
fn metadata() -> serde_json::Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--all-features"])
        .current_dir(root())
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_dependency_has_a_licence_that_fits() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100);
    let mut refused = BTreeSet::new();
    for package in packages.iter().filter(|package| !package["source"].is_null()) {
        let licence = package["license"].as_str().unwrap_or_default().replace('/', " OR ");
        let fits = spdx::Expression::parse(&licence)
            .is_ok_and(|licence| licence.evaluate(|required| LICENCES.contains(&required.to_string().as_str())));
        if !fits {
            refused.insert(format!("{} {}: \"{licence}\"", package["name"], package["version"]));
        }
    }
    assert_eq!(refused, BTreeSet::new());
}

#[test]
fn dependencies_point_one_way() {
    let manifest = |path: &str| {
        let text = fs::read_to_string(root().join(path)).unwrap();
        let dependencies = text.split("[dependencies]").nth(1).unwrap_or_default();
        dependencies.split("\n[").next().unwrap_or_default().to_string()
    };
    let names = |path: &str, forbidden: &[&str]| {
        let manifest = manifest(path);
        let found: Vec<_> = forbidden.iter().filter(|name| manifest.contains(**name)).copied().collect();
        assert_eq!(found, Vec::<&str>::new(), "{path}");
    };
    names("crates/core/Cargo.toml", &["pgrx", "ort", "tokenizers", "mio", "libc", "socle-engine"]);
    names("crates/engine/Cargo.toml", &["pgrx", "socle-generator"]);
    names("crates/generator/Cargo.toml", &["pgrx", "ort =", "tokenizers", "socle-engine", "socle-extract"]);
    names("crates/child/Cargo.toml", &["pgrx", "ort =", "tokenizers", "tantivy", "socle-engine", "socle-generator"]);
    names(
        "crates/egress/Cargo.toml",
        &["pgrx", "ort =", "tokenizers", "socle-engine", "socle-generator", "socle-extract"],
    );
    for without_network in ["child", "core", "engine", "extract", "generator"] {
        names(&format!("crates/{without_network}/Cargo.toml"), &["ureq", "rustls", "hyper", "reqwest", "socle-egress"]);
    }
    names(
        "Cargo.toml",
        &[
            "ort =",
            "tokenizers",
            "ndarray",
            "tantivy",
            "socle-engine",
            "socle-child",
            "socle-generator",
            "ureq",
            "rustls",
            "= { path = \"crates/egress",
        ],
    );
}

/// The rooms of `src/`, each of which uses only those before it.
const ROOMS: [&str; 27] = [
    "pg",
    "model_files",
    "supervisor",
    "child_client",
    "egress_client",
    "ledger",
    "engine_client",
    "generator_client",
    "language_model",
    "endpoint",
    "model",
    "generator",
    "catalog",
    "capture",
    "worker",
    "keyword_index",
    "vector_index",
    "residue",
    "corpus",
    "sync",
    "search",
    "answer",
    "import",
    "archive",
    "model_package",
    "erasure",
    "functions",
];

#[test]
fn rooms_use_only_those_below_them() {
    let rank = |room: &str| ROOMS.iter().position(|known| *known == room);
    let mut wrong = Vec::new();
    for (name, text) in rust("src/").into_iter().filter(|(name, _)| name != "src/lib.rs") {
        let room = name["src/".len()..].split(['/', '.']).next().unwrap();
        let own = rank(room).unwrap_or_else(|| panic!("{room} is no room"));
        for rest in text.split("crate::").skip(1) {
            let group = rest.strip_prefix('{').map(|rest| rest.split('}').next().unwrap());
            for used in group.unwrap_or(rest).split(if group.is_some() { ',' } else { ';' }).take(if group.is_some() {
                usize::MAX
            } else {
                1
            }) {
                let used = used.trim().split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap();
                if rank(used).is_none_or(|used| used > own) {
                    wrong.push(format!("{name} uses {used}"));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn one_module_knows_what_the_keyword_index_is_made_with() {
    let elsewhere: Vec<String> = rust("")
        .into_iter()
        .filter(|(name, text)| {
            let may = ["crates/engine/src/keyword/", "bench/", "tests/project/"];
            !may.iter().any(|may| name.starts_with(may)) && text.contains("tantivy::")
        })
        .map(|(name, _)| name)
        .collect();
    assert_eq!(elsewhere, Vec::<String>::new());
}

#[test]
fn versions_of_postgres_differ_in_one_file() {
    let elsewhere: Vec<String> = rust("src/")
        .into_iter()
        .filter(|(name, text)| name != "src/pg/version.rs" && text.contains("feature = \"pg1"))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(elsewhere, Vec::<String>::new());
}

#[test]
fn unsafe_stays_where_it_is() {
    let uses: BTreeSet<String> = ["src/", "crates/", "tests/src/"]
        .into_iter()
        .flat_map(rust)
        .filter(|(_, text)| text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains("unsafe ")))
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with("src/pg/") && !name.contains("/tests/"))
        .collect();
    // Both ways: a file that needs unsafe code no longer leaves the list.
    assert_eq!(uses, UNSAFE.iter().map(|(name, _)| (*name).to_string()).collect());
}

#[test]
fn files_are_small_and_named_for_what_they_hold() {
    for (name, text) in files().into_iter().filter(|(name, _)| name.ends_with(".rs")) {
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{name} has {lines} lines");
        let stem = Path::new(&name).file_stem().unwrap().to_string_lossy().into_owned();
        assert!(!["utils", "util", "helpers", "common", "types", "misc"].contains(&stem.as_str()), "{name}");
        assert!(text.starts_with("//!"), "{name} does not say what it is for");
    }
}

#[test]
fn a_panic_never_aborts() {
    for (name, text) in files().into_iter().filter(|(name, _)| name.ends_with("Cargo.toml")) {
        let compact: String = text.split_whitespace().collect();
        assert!(!compact.contains("panic=\"abort\""), "{name}: an ERROR would become a restart of the cluster");
    }
}

#[test]
fn the_install_script_adopts_nothing() {
    for (name, text) in files().into_iter().filter(|(name, _)| name.starts_with("sql/schema/")) {
        let statements: String = text.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
        let upper = statements.to_uppercase();
        assert!(!upper.contains("OR REPLACE") && !upper.contains("IF NOT EXISTS"), "{name}");
    }
}

#[test]
fn statements_lock_the_tables_of_socle_in_one_order() {
    // That of the LOCK TABLE with which an upgrade script begins: it would else end in a deadlock with a session that has
    // locked the second table and waits for the first.
    let places = |(name, text): (String, String)| {
        let statement: String = text.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
        let first = |table: &str| {
            let mut places = statement.match_indices(table);
            places.find(|(at, table)| !statement[at + table.len()..].starts_with('_')).map(|(at, _)| at)
        };
        Some((name, first("socle.corpus ")?, first("socle.corpus_binding")?, statement.starts_with("INSERT")))
    };
    let is_read = |name: &str| !name.starts_with("sql/schema/") && !name.starts_with("sql/upgrade/");
    let both: Vec<_> =
        files().into_iter().filter(|(name, _)| name.starts_with("sql/") && is_read(name)).filter_map(places).collect();
    assert!(both.len() > 10, "{both:?}");
    for (name, corpus, binding, inserts) in both {
        assert!(corpus < binding || inserts, "{name}");
    }
}

#[test]
fn every_version_can_be_upgraded_to_this_one() {
    let version = env!("CARGO_PKG_VERSION");
    let steps: Vec<(String, String)> = files()
        .into_iter()
        .filter_map(|(name, _)| {
            let steps = name.strip_prefix("sql/upgrade/socle--")?.strip_suffix(".sql")?.to_string();
            steps.split_once("--").map(|(from, to)| (from.to_string(), to.to_string()))
        })
        .collect();
    let known: BTreeSet<&str> = steps.iter().flat_map(|(from, to)| [from.as_str(), to]).collect();
    assert!(known.contains("0.1.0") && known.contains(version), "{known:?}");
    for from in known {
        let mut reached = BTreeSet::from([from]);
        // As many rounds as there are steps are enough for the longest way.
        for _ in &steps {
            let next = steps.iter().filter(|(from, _)| reached.contains(from.as_str()));
            reached.extend(next.map(|(_, to)| to.as_str()).collect::<Vec<_>>());
        }
        assert!(reached.contains(version), "from {from}");
    }
}

#[test]
fn the_changelog_knows_this_version() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    assert!(changelog.contains(&format!("## {}", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn clients_and_examples_are_of_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    for (file, statement) in [
        ("clients/python/pyproject.toml", format!("\nversion = \"{version}\"\n")),
        ("clients/python/src/socle_client/__init__.py", format!("\n__version__ = \"{version}\"\n")),
        ("examples/clients/node/package.json", format!("\n  \"version\": \"{version}\",\n")),
        ("examples/clients/node/package-lock.json", format!("\n  \"version\": \"{version}\",\n")),
    ] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        assert!(text.contains(&statement), "{file}");
        assert!(!text.contains("\"resolved\""), "{file}: a lock file names no registry");
    }
}

#[test]
fn the_metadata_for_pgxn_is_of_this_version() {
    let meta: serde_json::Value = serde_json::from_slice(&fs::read(root().join("META.json")).unwrap()).unwrap();
    for version in [&meta["version"], &meta["provides"]["socle"]["version"]] {
        assert_eq!(version, env!("CARGO_PKG_VERSION"));
    }
}
