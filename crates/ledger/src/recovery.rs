//! Opens a chain to write on: checks that its segments fit together and that its last one is sound, and finds where it ends.
//!
//! A process or a machine that dies while it writes leaves a line without its end, or zeros where a line was to be. Nobody was told
//! that such an entry is there, so it is cut off, and the cut is recorded. Anything else that is not right was done by somebody.

use crate::entry::Entry;
use crate::fault::Fault;
use crate::hash::Hash;
use crate::read::{first_entry, last_entry};
use crate::segment::{self, State};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

/// The last segment of a chain.
#[derive(Debug)]
pub struct Opened {
    /// Open for appending.
    pub file: File,
    /// Its path.
    pub path: PathBuf,
    /// Number of its bytes.
    pub bytes: u64,
    /// What the next line goes on from.
    pub state: State,
    /// What was cut off.
    pub torn: Option<Torn>,
}

/// The end of a file that was never written completely.
#[derive(Clone, Copy, Debug)]
pub struct Torn {
    /// Number of bytes.
    pub bytes: u64,
    /// Their hash.
    pub hash: Hash,
}

/// Opens a chain.
///
/// # Errors
/// Damage, and those of the file system.
pub fn open(directory: &Path) -> Result<Opened, Fault> {
    let mut segments = segment::list(directory)?;
    let none = || Fault::damage(format!("chain \"{}\" has no segments", directory.display()));
    let (mut first, mut path) = segments.last().cloned().ok_or_else(none)?;
    let mut torn = None;
    // Its process died before its first entry was complete.
    if segments.len() > 1 && has_no_line(&path)? {
        torn = Some(read_torn(&path)?);
        std::fs::remove_file(&path).map_err(|error| Fault::of_file("remove", &path, &error))?;
        crate::place::sync(directory)?;
        segments.pop();
        (first, path) = segments.last().cloned().ok_or_else(none)?;
    }
    check_joints(&segments)?;
    let content = std::fs::read(&path).map_err(|error| Fault::of_file("read", &path, &error))?;
    let (state, end) = sound_part(&content, first, &path)?;
    let file = OpenOptions::new().append(true).open(&path);
    let file = file.map_err(|error| Fault::of_file("open", &path, &error))?;
    let rest = &content[end..];
    if !rest.is_empty() {
        torn = Some(Torn { bytes: rest.len() as u64, hash: Hash::of(&[rest]) });
        file.set_len(end as u64).map_err(|error| Fault::of_file("cut", &path, &error))?;
    }
    // What an earlier process wrote may be in memory only.
    file.sync_all().map_err(|error| Fault::of_file("sync", &path, &error))?;
    Ok(Opened { file, path, bytes: end as u64, state, torn })
}

fn has_no_line(path: &Path) -> Result<bool, Fault> {
    let content = std::fs::read(path).map_err(|error| Fault::of_file("read", path, &error))?;
    Ok(!content.contains(&b'\n') || content.first() == Some(&0))
}

fn read_torn(path: &Path) -> Result<Torn, Fault> {
    let content = std::fs::read(path).map_err(|error| Fault::of_file("read", path, &error))?;
    Ok(Torn { bytes: content.len() as u64, hash: Hash::of(&[&content]) })
}

/// Each segment has to begin where the one before it ends.
fn check_joints(segments: &[(u64, PathBuf)]) -> Result<(), Fault> {
    for pair in segments.windows(2) {
        let [(_, earlier), (first, later)] = pair else { continue };
        let (last, next) = (last_entry(earlier)?, first_entry(later)?);
        let before = State::before(&next).map_err(Fault::damage)?;
        let fits = next.stamp.number == *first && last.stamp.number + 1 == *first && before.hash == last.stamp.hash;
        if !fits {
            let (earlier, later) = (earlier.display(), later.display());
            return Err(Fault::damage(format!("\"{later}\" does not go on where \"{earlier}\" ends")));
        }
    }
    Ok(())
}

/// The state after the sound lines of a segment, and the number of their bytes. What is behind them was torn.
fn sound_part(content: &[u8], first: u64, path: &Path) -> Result<(State, usize), Fault> {
    let mut state: Option<State> = None;
    let mut at = 0;
    while let Some(length) = content[at..].iter().position(|byte| *byte == b'\n') {
        let line =
            std::str::from_utf8(&content[at..at + length]).map_err(|_| "there is a line that is no entry".into());
        match line.and_then(|line| go_on(state.as_ref(), line, first)) {
            Ok(next) => state = Some(next),
            Err(_) if content[at..].contains(&0) => break,
            Err(reason) => return Err(Fault::damage(format!("in \"{}\", {reason}", path.display()))),
        }
        at += length + 1;
    }
    let state = state.ok_or_else(|| Fault::damage(format!("\"{}\" does not begin with an entry", path.display())))?;
    Ok((state, at))
}

/// The state after a line, the first one of the segment or a further one.
pub fn go_on(state: Option<&State>, line: &str, first: u64) -> Result<State, String> {
    let before = match state {
        Some(state) => state.clone(),
        None => {
            let entry = Entry::read_unchained(line)?;
            if entry.stamp.number != first {
                return Err(format!("entry {} stands where entry {first} should", entry.stamp.number));
            }
            State::before(&entry)?
        }
    };
    let entry = Entry::read(line, before.hash, before.next())?;
    let mut after = before;
    after.push(line, entry.stamp.hash);
    Ok(after)
}
