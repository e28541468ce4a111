//! Reads a ledger while it is being written: all chains, all entries that are complete.

use crate::entry::{Entry, MAX_BODY};
use crate::fault::Fault;
use crate::{place, segment};
use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Most bytes of a line with its LF: hash, space, body.
const MAX_LINE: u64 = 65 + MAX_BODY as u64 + 1;

/// A chain on disk.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Its name, drawn at random.
    pub origin: String,
    /// Whether it is the one that is written here.
    pub is_current: bool,
    /// Its segments, by the number of their first entry.
    pub segments: Vec<(u64, PathBuf)>,
}

/// All chains below the directory of a ledger, the current one last. None where there is no ledger yet.
///
/// # Errors
/// When a directory cannot be read, or has a file that does not belong there.
pub fn chains(root: &Path) -> Result<Vec<Chain>, Fault> {
    let failed = |error| Fault::of_file("read", root, &error);
    let current = place::last_origin(root);
    let mut chains = Vec::new();
    let entries = match std::fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(chains),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let Some(origin) = entry.file_name().to_str().filter(|_| path.is_dir()).map(str::to_string) else { continue };
        let segments = segment::list(&path)?;
        // Made by a process that ended before it had written anything.
        if !segments.is_empty() {
            chains.push(Chain { is_current: current.as_ref() == Some(&origin), origin, segments });
        }
    }
    chains.sort_by(|a, b| (a.is_current, &a.origin).cmp(&(b.is_current, &b.origin)));
    Ok(chains)
}

/// A line of a segment.
#[derive(Debug)]
pub enum Line {
    /// With its LF, which is left out here.
    Complete(String),
    /// What is after the last LF: that many bytes.
    Torn(u64),
    /// Text that no entry can be.
    Garbage,
}

/// The lines of a segment.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    file: BufReader<File>,
}

impl Lines {
    /// Opens a segment; `None` if there is none of this name any more.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(path: &Path) -> Result<Option<Self>, Fault> {
        match File::open(path) {
            Ok(file) => Ok(Some(Self { path: path.to_path_buf(), file: BufReader::new(file) })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Fault::of_file("open", path, &error)),
        }
    }

    /// The next line; `None` after the last one.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn next_line(&mut self) -> Result<Option<Line>, Fault> {
        let mut bytes = Vec::new();
        let count = (&mut self.file).take(MAX_LINE).read_until(b'\n', &mut bytes);
        match count.map_err(|error| Fault::of_file("read", &self.path, &error))? {
            0 => Ok(None),
            _ if bytes.last() == Some(&b'\n') => {
                bytes.pop();
                Ok(Some(String::from_utf8(bytes).map_or(Line::Garbage, Line::Complete)))
            }
            count if count as u64 == MAX_LINE => Ok(Some(Line::Garbage)),
            count => Ok(Some(Line::Torn(count as u64))),
        }
    }
}

/// The entries of a chain, from the first one that is kept.
#[derive(Debug)]
pub struct Entries {
    origin: String,
    segments: VecDeque<(u64, PathBuf)>,
    lines: Option<Lines>,
}

impl Entries {
    /// Those from the segment on that has the entry of this number.
    pub fn from(chain: Chain, number: u64) -> Self {
        let before = chain.segments.partition_point(|(first, _)| *first <= number).saturating_sub(1);
        Self { origin: chain.origin, segments: chain.segments.into_iter().skip(before).collect(), lines: None }
    }

    fn advance(&mut self) -> Result<Option<Entry>, Fault> {
        loop {
            if let Some(lines) = &mut self.lines {
                match lines.next_line()? {
                    Some(Line::Complete(line)) => {
                        let entry = Entry::read_unchained(&line);
                        return entry.map(Some).map_err(|reason| self.damage(&reason));
                    }
                    Some(Line::Garbage) => return Err(self.damage("there is a line that is no entry")),
                    // Not written yet, or never; the rest of the chain, if there is one, is looked at by verification.
                    Some(Line::Torn(_)) | None => self.lines = None,
                }
            }
            let Some((_, path)) = self.segments.pop_front() else { return Ok(None) };
            // Pruned meanwhile.
            self.lines = Lines::open(&path)?;
        }
    }

    fn damage(&self, reason: &str) -> Fault {
        Fault::damage(format!("in chain {}, {reason}", self.origin))
    }
}

impl Iterator for Entries {
    type Item = Result<Entry, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            // Nothing is read behind what is damaged.
            self.segments.clear();
            self.lines = None;
        }
        next.transpose()
    }
}

/// The first line of a segment, read.
///
/// # Errors
/// When there is none that is an entry.
pub fn first_entry(path: &Path) -> Result<Entry, Fault> {
    let none = || Fault::damage(format!("\"{}\" does not begin with an entry", path.display()));
    let mut lines = Lines::open(path)?.ok_or_else(none)?;
    match lines.next_line()? {
        Some(Line::Complete(line)) => Entry::read_unchained(&line).map_err(|_| none()),
        _ => Err(none()),
    }
}

/// The last complete line of a segment, read. What is after it is not looked at.
///
/// # Errors
/// When there is none that is an entry.
pub fn last_entry(path: &Path) -> Result<Entry, Fault> {
    let none = || Fault::damage(format!("\"{}\" does not end with an entry", path.display()));
    let failed = |error| Fault::of_file("read", path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let end = file.seek(SeekFrom::End(0)).map_err(failed)?;
    // A line that is not complete may follow.
    file.seek(SeekFrom::Start(end.saturating_sub(2 * MAX_LINE))).map_err(failed)?;
    let mut tail = Vec::new();
    file.take(2 * MAX_LINE).read_to_end(&mut tail).map_err(failed)?;
    let last = tail.iter().rposition(|byte| *byte == b'\n').ok_or_else(none)?;
    let begin = tail[..last].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let line = std::str::from_utf8(&tail[begin..last]).map_err(|_| none())?;
    Entry::read_unchained(line).map_err(|_| none())
}

/// Number of requests in a segment whose outcome is not in it: those under way, and those that may have left and were never
/// answered.
///
/// # Errors
/// Those of the file system.
pub fn unanswered(path: &Path) -> Result<u64, Fault> {
    let mut requests = HashSet::new();
    let Some(mut lines) = Lines::open(path)? else { return Ok(0) };
    while let Some(Line::Complete(line)) = lines.next_line()? {
        // Most lines are of another kind, and need not be read.
        let is_request = line.contains("\"kind\":\"request\"");
        if !is_request && !line.contains("\"kind\":\"outcome\"") {
            continue;
        }
        let Ok(entry) = Entry::read_unchained(&line) else { break };
        if entry.kind == "request" {
            requests.insert(entry.stamp.number);
        } else if entry.kind == "outcome"
            && let Some(number) = entry.fields.get("request").and_then(serde_json::Value::as_u64)
        {
            requests.remove(&number);
        }
    }
    Ok(requests.len() as u64)
}
