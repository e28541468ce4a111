//! What runs inside the processes of PostgreSQL: no parser of documents, no further thread, and nothing at a commit that
//! could fail.

use super::{metadata, rust};
use socle_core::fair_queue::message::Message;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::net::UnixDatagram;
use wake_socket::WakeSocket;

#[path = "../../src/supervisor/wake_socket.rs"]
mod wake_socket;

/// Counts the allocations of each thread.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: forwards everything to the system allocator. The counter is a cell without a destructor, which allocates
// nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) };
    }
}

/// What each package is linked with, by name: its direct dependencies, without those of build scripts and tests.
fn dependencies() -> HashMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_string();
    let names: HashMap<String, String> =
        packages.iter().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
    let mut found: HashMap<String, BTreeSet<String>> = HashMap::new();
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let linked =
            node["deps"].as_array().unwrap().iter().filter(|dependency| {
                dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null())
            });
        let linked = linked.map(|dependency| names[dependency["pkg"].as_str().unwrap()].clone());
        found.entry(names[node["id"].as_str().unwrap()].clone()).or_default().extend(linked);
    }
    found
}

/// A package and all that is linked with it.
fn linked_with<'a>(package: &'a str, dependencies: &'a HashMap<String, BTreeSet<String>>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut next = vec![package];
    while let Some(name) = next.pop() {
        if found.insert(name) {
            next.extend(dependencies[name].iter().map(String::as_str));
        }
    }
    found
}

#[test]
fn no_parser_of_documents_is_linked_with_the_extension() {
    let dependencies = dependencies();
    let [core, engine, extension] =
        ["socle-core", "socle-engine", "socle"].map(|name| linked_with(name, &dependencies));
    let parsers: BTreeSet<&str> = dependencies["socle-extract"]
        .iter()
        .map(String::as_str)
        .filter(|name| !core.contains(name))
        .chain(["socle-extract"])
        .collect();
    // What is looked for is there, and linked with the engine.
    assert!(["quick-xml", "zip", "mail-parser", "hayro-syntax"].iter().all(|known| parsers.contains(known)));
    assert!(parsers.is_subset(&engine));
    assert_eq!(parsers.intersection(&extension).collect::<Vec<_>>(), Vec::<&&str>::new());
    // The extension may know the chunks of `socle_core` and the names of formats, and not what cuts and parses texts.
    let uses = |text: &str| {
        text.split("socle_core::chunk::")
            .skip(1)
            .any(|rest| !rest.starts_with("Format;") && !rest.starts_with("Chunk;"))
    };
    let wrong: Vec<String> = rust("src/").into_iter().filter(|(_, text)| uses(text)).map(|(name, _)| name).collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_library_starts_no_thread_of_its_own() {
    let wrong: Vec<String> = rust("src/")
        .into_iter()
        .filter(|(_, text)| {
            let uses = text.split("thread::").skip(1);
            let harmless = |rest: &str| rest.starts_with("panicking()") || rest.starts_with("sleep(");
            uses.into_iter().any(|rest| !harmless(rest)) || text.contains("use std::thread") || text.contains("pthread")
        })
        .map(|(name, _)| name)
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
    let dependencies = dependencies();
    let linked = linked_with("socle", &dependencies);
    let pools: Vec<&str> = ["rayon", "rayon-core", "tokio", "threadpool", "async-std", "smol"]
        .into_iter()
        .filter(|name| linked.contains(*name))
        .collect();
    assert_eq!(pools, Vec::<&str>::new());
}

#[test]
fn a_message_to_the_supervisor_allocates_nothing_whatever_becomes_of_it() {
    let path = std::env::temp_dir().join(format!("socle-wake-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let socket = WakeSocket::open(&path).unwrap();
    let allocations_of = |work: &dyn Fn()| {
        let before = ALLOCATIONS.get();
        work();
        ALLOCATIONS.get() - before
    };
    assert_eq!(allocations_of(&|| drop(std::hint::black_box(Box::new(1)))), 1);
    let send = || allocations_of(&|| socket.send(&Message::WorkAvailable.encode(16_384)));
    assert_eq!(send(), 0, "without a supervisor");
    let supervisor = UnixDatagram::bind(&path).unwrap();
    supervisor.set_nonblocking(true).unwrap();
    assert_eq!(send(), 0);
    let mut bytes = [0; 100];
    let size = supervisor.recv(&mut bytes).unwrap();
    assert_eq!(Message::decode(&bytes[..size]), Some((16_384, Message::WorkAvailable)));
    // The queue of a socket holds far fewer: the rest is lost, and nothing waits.
    for _ in 0..10_000 {
        assert_eq!(send(), 0);
    }
    let received = std::iter::from_fn(|| supervisor.recv(&mut bytes).ok()).count();
    assert!((1..10_000).contains(&received), "{received}");
    drop(supervisor);
    assert_eq!(send(), 0, "after the supervisor");
    std::fs::remove_file(&path).unwrap();
}

/// The names that are called in the body of a function.
fn calls<'a>(text: &'a str, function: &str) -> BTreeSet<&'a str> {
    let start = text.find(&format!("fn {function}(")).unwrap_or_else(|| panic!("{function} does not exist"));
    let body = text[start..].split_once("{\n").unwrap().1.split("\n}\n").next().unwrap();
    body.match_indices(['(', '!'])
        .map(|(at, _)| body[..at].rsplit(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap())
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn the_commit_callback_sends_a_prepared_message_and_does_nothing_else() {
    let sources: BTreeMap<String, String> = rust("src/").into_iter().collect();
    let at_commit: Vec<&String> =
        sources.iter().filter(|(_, text)| text.contains("XACT_EVENT_COMMIT")).map(|(name, _)| name).collect();
    assert_eq!(at_commit, ["src/pg/callback.rs", "src/supervisor/wake.rs"]);
    let wake = &sources["src/supervisor/wake.rs"];
    assert_eq!(calls(wake, "transaction_ends"), BTreeSet::from(["my_database", "replace", "send", "set"]));
    assert_eq!(calls(wake, "send"), BTreeSet::from(["Some", "encode", "get", "send", "to_u32"]));
    // The other handlers of the end of a transaction have nothing for this event.
    for other in ["src/capture/pending.rs", "src/ledger.rs"] {
        assert_eq!(calls(&sources[other], "transaction_event"), BTreeSet::from(["flush", "forget"]));
    }
    assert_eq!(sources.values().map(|text| text.matches("at_transaction_events(").count()).sum::<usize>(), 4);
}
