//! A ledger on disk: what is written is found, what was torn is cut off and said, and what was changed is found by verification.

#![allow(clippy::unwrap_used, missing_docs)]

use socle_ledger::verify::{Report, verify};
use socle_ledger::{Checkpoint, Draft, Ledger, Place, read};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A directory that is removed in the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("socle-ledger-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory).unwrap();
        Self(directory)
    }

    fn root(&self) -> PathBuf {
        self.0.join("ledger")
    }

    fn open(&self) -> Ledger {
        Ledger::open(&self.root(), &place(1), SEGMENT).unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Bytes of a segment: some entries.
const SEGMENT: u64 = 1_000;

fn place(timeline: u32) -> Place {
    Place { system: "7".into(), timeline, machine: "m".into() }
}

fn entry(number: usize) -> Draft {
    Draft::new("test").with("what", format!("the {number}th, “quoted”\n"))
}

/// A ledger with some segments.
fn filled(directory: &Directory) -> Ledger {
    let mut ledger = directory.open();
    for number in 0..20 {
        ledger.append_one(&entry(number)).unwrap();
    }
    ledger
}

fn verified(directory: &Directory, checkpoint: Option<&Checkpoint>) -> Vec<Report> {
    verify(&directory.root(), checkpoint, &mut || {}).unwrap()
}

fn problems(directory: &Directory, checkpoint: Option<&Checkpoint>) -> Vec<String> {
    verified(directory, checkpoint).into_iter().flat_map(|report| report.problems).collect()
}

fn segments(directory: &Directory) -> Vec<PathBuf> {
    let chain = read::chains(&directory.root()).unwrap().pop().unwrap();
    chain.segments.into_iter().map(|(_, path)| path).collect()
}

fn kinds(directory: &Directory) -> Vec<String> {
    let chain = read::chains(&directory.root()).unwrap().pop().unwrap();
    read::Entries::from(chain, 0).map(|entry| entry.unwrap().kind).filter(|kind| kind != "segment").collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(file.file_name());
        if file.path().is_dir() {
            copy(&file.path(), &target)
        } else {
            fs::copy(file.path(), target).map(drop).unwrap()
        }
    }
}

#[test]
fn what_is_written_is_found_in_order_over_all_segments_and_processes() {
    let directory = Directory::new();
    let mut ledger = filled(&directory);
    drop(ledger);
    ledger = directory.open();
    let stamps = ledger.append(&[entry(20), entry(21)]).unwrap();
    let numbers: Vec<u64> = stamps.into_iter().map(|stamp| stamp.unwrap().number).collect();
    assert_eq!(numbers[1], numbers[0] + 1);
    assert!(segments(&directory).len() > 3);
    assert_eq!(kinds(&directory)[0], "chain");
    assert_eq!(kinds(&directory).len(), 23);
    let chain = read::chains(&directory.root()).unwrap().pop().unwrap();
    let all: Vec<u64> = read::Entries::from(chain.clone(), 0).map(|entry| entry.unwrap().stamp.number).collect();
    assert_eq!(all, (1..=numbers[1]).collect::<Vec<_>>());
    let late = read::Entries::from(chain, 15).map(|entry| entry.unwrap().stamp.number).next().unwrap();
    assert!((2..=15).contains(&late), "{late}");
    let reports = verified(&directory, Some(&ledger.checkpoint()));
    assert_eq!((reports.len(), reports[0].last, reports[0].is_confirmed), (1, numbers[1], true), "{reports:?}");
    assert_eq!(reports[0].problems, Vec::<String>::new());
}

#[test]
fn an_entry_that_is_too_large_is_refused_and_its_neighbours_are_written() {
    let directory = Directory::new();
    let mut ledger = directory.open();
    let large = Draft::new("test").with("what", "x".repeat(1 << 20));
    let stamps = ledger.append(&[entry(0), large, entry(1)]).unwrap();
    assert_eq!(stamps.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(kinds(&directory), ["chain", "test", "test"]);
    assert_eq!(problems(&directory, None), Vec::<String>::new());
}

#[test]
fn an_end_that_was_torn_anywhere_is_cut_off_and_recorded() {
    let whole = Directory::new();
    drop(filled(&whole));
    let last = segments(&whole).pop().unwrap();
    let content = fs::read(&last).unwrap();
    let name = last.strip_prefix(whole.root()).unwrap().to_path_buf();
    let begin = content[..content.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for (length, zeros) in (begin + 1..content.len()).flat_map(|length| [(length, 0), (length, 7)]) {
        // The place of the ledger is the file that is there, so that it is not copied but made anew each time.
        let torn = [&content[..length], &vec![0; zeros]].concat();
        fs::write(whole.root().join(&name), torn).unwrap();
        let before = fs::metadata(whole.root().join(&name)).unwrap().len();
        let ledger = whole.open();
        assert_eq!(kinds(&whole).last().unwrap(), "torn", "{length} {zeros}");
        let entry = read::last_entry(&whole.root().join(&name)).unwrap();
        assert_eq!(entry.fields["bytes"], before - begin as u64);
        assert_eq!(problems(&whole, None), Vec::<String>::new());
        drop(ledger);
    }
}

#[test]
fn a_segment_that_was_begun_and_not_written_is_begun_again() {
    for content in [&b""[..], b"0123", &[0; 100]] {
        let directory = Directory::new();
        let next = filled(&directory).checkpoint().size + 1;
        let folder = segments(&directory)[0].parent().unwrap().to_path_buf();
        fs::write(folder.join(format!("{next:020}.log")), content).unwrap();
        drop(directory.open());
        assert_eq!(kinds(&directory).last().unwrap(), "torn");
        assert_eq!(problems(&directory, None), Vec::<String>::new());
    }
}

#[test]
fn every_byte_that_is_changed_is_found_and_nothing_more_is_written_where_it_is_seen() {
    let directory = Directory::new();
    drop(filled(&directory));
    for path in segments(&directory) {
        let content = fs::read(&path).unwrap();
        for at in (0..content.len()).step_by(7) {
            let mut changed = content.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            assert_ne!(problems(&directory, None), Vec::<String>::new(), "byte {at} of {}", path.display());
        }
        fs::write(&path, content).unwrap();
    }
    let last = segments(&directory).pop().unwrap();
    let text = fs::read_to_string(&last).unwrap();
    fs::write(&last, text.replacen("test", "tent", 1)).unwrap();
    let fault = Ledger::open(&directory.root(), &place(1), SEGMENT).unwrap_err();
    assert!(fault.is_damage, "{fault:?}");
    fs::write(&last, text).unwrap();
    assert_eq!(problems(&directory, None), Vec::<String>::new());
}

#[test]
fn lines_and_segments_that_are_missing_swapped_or_replaced_are_found() {
    let directory = Directory::new();
    drop(filled(&directory));
    let all = segments(&directory);
    let content = fs::read_to_string(&all[1]).unwrap();
    let lines: Vec<&str> = content.lines().collect();
    let with = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let without: Vec<&str> = [&lines[..1], &lines[2..]].concat();
    let mut swapped = lines.clone();
    swapped.swap(1, 2);
    let doubled: Vec<&str> = [&lines[..2], &lines[1..]].concat();
    let shorter = &lines[..lines.len() - 1];
    let foreign = fs::read_to_string(&all[2]).unwrap();
    for changed in [with(&without), with(&swapped), with(&doubled), with(shorter), foreign, String::new()] {
        fs::write(&all[1], changed).unwrap();
        assert_ne!(problems(&directory, None), Vec::<String>::new());
    }
    fs::remove_file(&all[1]).unwrap();
    assert_ne!(problems(&directory, None), Vec::<String>::new());
    assert!(Ledger::open(&directory.root(), &place(1), SEGMENT).unwrap_err().is_damage);
    fs::remove_file(&all[0]).unwrap();
    let found = problems(&directory, None);
    assert!(found[0].contains("none says that they were pruned"), "{found:?}");
}

#[test]
fn a_chain_that_was_rewritten_or_cut_as_a_whole_is_found_by_a_checkpoint_and_by_nothing_else() {
    let directory = Directory::new();
    let checkpoint = filled(&directory).checkpoint();
    // As who has all rights would do it: another history under the same name.
    let other = Directory::new();
    let mut ledger = other.open();
    for number in 1..21 {
        ledger.append_one(&entry(number)).unwrap();
    }
    let own = segments(&directory)[0].parent().unwrap().to_path_buf();
    let kept = other.0.join("kept");
    fs::rename(&own, &kept).unwrap();
    copy(segments(&other)[0].parent().unwrap(), &own);
    assert_eq!(problems(&directory, None), Vec::<String>::new());
    let found = problems(&directory, Some(&checkpoint));
    assert!(found[0].contains("not those of the checkpoint"), "{found:?}");
    // Its end was removed.
    fs::remove_dir_all(&own).unwrap();
    copy(&kept, &own);
    let last = segments(&directory).pop().unwrap();
    fs::remove_file(last).unwrap();
    assert_eq!(problems(&directory, None), Vec::<String>::new());
    let found = problems(&directory, Some(&checkpoint));
    assert!(found[0].contains("but the checkpoint has"), "{found:?}");
    fs::remove_dir_all(&own).unwrap();
    let found = problems(&directory, Some(&checkpoint));
    assert!(found[0].contains("no such chain"), "{found:?}");
}

#[test]
fn a_copy_and_another_timeline_begin_chains_that_name_where_they_go_on() {
    let directory = Directory::new();
    let mut ledger = filled(&directory);
    let (first, size) = (ledger.origin().to_string(), ledger.checkpoint().size);
    let other = Directory::new();
    copy(&directory.root(), &other.root());
    ledger.append_one(&entry(20)).unwrap();
    let mut copied = other.open();
    copied.append_one(&entry(100)).unwrap();
    assert_ne!(copied.origin(), first);
    let chain = read::chains(&other.root()).unwrap().pop().unwrap();
    let begun = read::Entries::from(chain, 0).next().unwrap().unwrap();
    assert_eq!(begun.fields["continues"]["origin"], first);
    assert_eq!(begun.fields["continues"]["number"], size);
    let second = copied.origin().to_string();
    drop(copied);
    let promoted = Ledger::open(&other.root(), &place(2), SEGMENT).unwrap();
    let chain = read::chains(&other.root()).unwrap().pop().unwrap();
    let begun = read::Entries::from(chain, 0).next().unwrap().unwrap();
    assert_eq!(begun.fields["continues"]["origin"], second);
    assert_eq!(problems(&other, Some(&promoted.checkpoint())), Vec::<String>::new());
    assert_eq!(problems(&other, Some(&ledger.checkpoint())).len(), 1, "the copy is older than that checkpoint");
    // An entry that is taken from the end of a chain that is gone on from.
    let chains = read::chains(&other.root()).unwrap();
    let old = chains.iter().find(|chain| chain.origin == second).unwrap().segments[0].1.clone();
    let content = fs::read_to_string(&old).unwrap();
    let shorter: String = content.lines().take(1).map(|line| format!("{line}\n")).collect();
    fs::write(&old, shorter).unwrap();
    let found = problems(&other, None);
    assert!(found[0].contains("goes on from entry"), "{found:?}");
}

#[test]
fn what_was_pruned_is_said_and_the_rest_can_be_verified() {
    let directory = Directory::new();
    let mut ledger = filled(&directory);
    let (early, count) = (ledger.checkpoint(), segments(&directory).len());
    let fields = serde_json::Map::new();
    let nothing = ledger.prune("1999-12-31T00:00:00.000000Z", &fields).unwrap();
    assert_eq!((nothing.segments, nothing.entries), (0, 0));
    let pruned = ledger.prune("2999-12-31T00:00:00.000000Z", &fields).unwrap();
    assert_eq!(pruned.segments, count as u64 - 1);
    let reports = verified(&directory, Some(&ledger.checkpoint()));
    assert_eq!((reports[0].first, reports[0].is_confirmed), (pruned.entries + 1, true));
    assert_eq!(reports[0].problems, Vec::<String>::new());
    assert!(early.size >= reports[0].first, "the checkpoint is within what is kept");
    assert_eq!(problems(&directory, Some(&early)), Vec::<String>::new());
    for number in 0..20 {
        ledger.append_one(&entry(number)).unwrap();
    }
    ledger.prune("2999-12-31T00:00:00.000000Z", &fields).unwrap();
    assert_eq!(problems(&directory, None), Vec::<String>::new());
    let found = problems(&directory, Some(&early));
    assert!(found[0].contains("from before entry"), "{found:?}");
    drop(directory.open());
    // Without the entry that says so, it is not what it seems.
    let last = segments(&directory).pop().unwrap();
    let text = fs::read_to_string(&last).unwrap();
    fs::write(&last, text.lines().take(1).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let found = problems(&directory, None);
    assert!(found[0].contains("none says that they were pruned"), "{found:?}");
}

#[test]
fn requests_without_an_outcome_are_counted() {
    let directory = Directory::new();
    let mut ledger = Ledger::open(&directory.root(), &place(1), 1 << 20).unwrap();
    let mut append = |kind: &str, field: (&str, serde_json::Value)| {
        ledger.append_one(&Draft::new(kind).with(field.0, field.1)).unwrap().number
    };
    let request = ("endpoint", "\"kind\":\"outcome\"".into());
    let numbers = [1, 2, 3].map(|_| append("request", request.clone()));
    for number in [numbers[1], 12_345] {
        append("outcome", ("request", number.into()));
    }
    append("test", ("what", "\"kind\":\"request\"".into()));
    let newest = segments(&directory).pop().unwrap();
    assert_eq!(read::unanswered(&newest).unwrap(), 2);
    assert_eq!(read::unanswered(&directory.root().join("gone")).unwrap(), 0);
}
