//! Files that hold anything: what reads them says so and goes on.
#![allow(clippy::unwrap_used, missing_docs)]

use proptest::prelude::*;
use socle_ledger::verify::verify;
use socle_ledger::{Draft, Entry, Hash, Ledger, Place, read};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

fn root() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("socle-garbage-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    std::env::temp_dir().join(name)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_line_of_anything_is_an_entry_or_is_refused(line in "\\PC{0,200}", number in 0u64..3) {
        let _ = Entry::read(&line, Hash::NONE, number);
        let body = format!("{} {line}", "0".repeat(64));
        let _ = Entry::read_unchained(&body);
    }

    #[test]
    fn damage_anywhere_is_found_and_never_panics(
        at in 0usize..2_000, bytes in prop::collection::vec(any::<u8>(), 1..40), cuts in any::<bool>(),
    ) {
        let root = root();
        let mut ledger = Ledger::open(&root, &Place::default(), 1_000).unwrap();
        for number in 0..10 {
            ledger.append_one(&Draft::new("test").with("number_of_test", number)).unwrap();
        }
        let checkpoint = ledger.checkpoint();
        let path = read::chains(&root).unwrap()[0].segments[0].1.clone();
        let content = fs::read(&path).unwrap();
        let mut changed = content.clone();
        let at = at % content.len();
        if cuts {
            changed.truncate(at);
        } else {
            changed.splice(at..at, bytes);
        }
        fs::write(&path, &changed).unwrap();
        let reports = verify(&root, Some(&checkpoint), &mut || {}).unwrap();
        prop_assert!(reports.iter().any(|report| !report.problems.is_empty()));
        let _ = Ledger::open(&root, &Place::default(), 1_000);
        for chain in read::chains(&root).unwrap() {
            let _ = read::Entries::from(chain, 3).count();
        }
        fs::remove_dir_all(&root).unwrap();
    }
}
