//! Verification: every hash, every number, every joint, what was pruned, what a chain goes on from, and a checkpoint that was kept
//! elsewhere.

use crate::checkpoint::Checkpoint;
use crate::entry::Entry;
use crate::fault::Fault;
use crate::hash::Hash;
use crate::read::{self, Chain, Line, Lines, first_entry};
use crate::segment::State;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// What was found of a chain.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// Name of the chain, drawn at random: the origin of its checkpoints.
    pub origin: String,
    /// Whether it is the one that is written here.
    pub is_current: bool,
    /// Number of the first entry that is kept.
    pub first: u64,
    /// Number of the last entry.
    pub last: u64,
    /// Time of the first entry that is kept.
    pub first_at: Option<String>,
    /// Time of the last entry.
    pub last_at: Option<String>,
    /// Hash of the last entry.
    pub hash: Option<Hash>,
    /// Whether a checkpoint was compared, and agrees.
    pub is_confirmed: bool,
    /// What is wrong; each is a sentence without a full stop.
    pub problems: Vec<String>,
}

/// Says that entries of a chain were removed on purpose.
struct Anchor {
    removed_to: u64,
    hash: Option<Hash>,
}

/// What is collected over all chains.
#[derive(Default)]
struct Findings {
    /// By chain, what its successor says of its end.
    continued: BTreeMap<String, Vec<(u64, Hash, String)>>,
    anchors: BTreeMap<String, Vec<Anchor>>,
}

/// Verifies all chains below the directory of a ledger. `look` is called for each entry, and may end the work by unwinding.
///
/// # Errors
/// When files cannot be read. What is damaged is a problem in the report.
pub fn verify(root: &Path, checkpoint: Option<&Checkpoint>, look: &mut dyn FnMut()) -> Result<Vec<Report>, Fault> {
    let chains = read::chains(root)?;
    let mut findings = Findings::default();
    for chain in &chains {
        findings.note_continued(chain);
    }
    let mut reports = Vec::new();
    for chain in &chains {
        let own = checkpoint.filter(|checkpoint| checkpoint.origin == chain.origin);
        reports.push(verify_chain(chain, own, &mut findings, look)?);
    }
    for report in &mut reports {
        findings.check_beginning(report, &chains);
    }
    if let Some(checkpoint) = checkpoint
        && !reports.iter().any(|report| report.origin == checkpoint.origin)
    {
        let pruned = findings.anchors.contains_key(&checkpoint.origin);
        let problem = if pruned { "the chain of the checkpoint was pruned" } else { "there is no such chain any more" };
        let problems = vec![problem.to_string()];
        reports.push(Report { origin: checkpoint.origin.clone(), problems, ..Report::default() });
    }
    Ok(reports)
}

impl Findings {
    fn note_continued(&mut self, chain: &Chain) {
        let first = chain.segments.first().and_then(|(_, path)| first_entry(path).ok());
        let continues = first.as_ref().and_then(|first| first.fields.get("continues")).and_then(Value::as_object);
        let Some(continues) = continues else { return };
        let Some((number, hash)) = number_and_hash(continues, "number") else { return };
        if let Some(origin) = continues.get("origin").and_then(Value::as_str) {
            self.continued.entry(origin.to_string()).or_default().push((number, hash, chain.origin.clone()));
        }
    }

    fn note_anchor(&mut self, entry: &Entry) {
        if entry.kind != "prune" {
            return;
        }
        let removed_to = entry.fields.get("removed_to").and_then(Value::as_u64);
        let origin = entry.fields.get("origin").and_then(Value::as_str);
        let (Some(removed_to), Some(origin)) = (removed_to, origin) else { return };
        let hash = entry.fields.get("hash").and_then(Value::as_str).and_then(Hash::parse);
        self.anchors.entry(origin.to_string()).or_default().push(Anchor { removed_to, hash });
    }

    /// Entries before the first one that is kept have to have been pruned.
    fn check_beginning(&self, report: &mut Report, chains: &[Chain]) {
        let Some(missing) = report.first.checked_sub(1).filter(|missing| *missing > 0) else { return };
        let anchors = self.anchors.get(&report.origin).map(Vec::as_slice).unwrap_or_default();
        let before = chains.iter().find(|chain| chain.origin == report.origin);
        let before = before.and_then(|chain| chain.segments.first()).and_then(|(_, path)| first_entry(path).ok());
        let before = before.and_then(|first| State::before(&first).ok()).map(|state| state.hash);
        if !anchors.iter().any(|anchor| anchor.removed_to >= missing) {
            report.problems.push(format!("entries 1 to {missing} are missing, and none says that they were pruned"));
        } else if anchors.iter().any(|anchor| anchor.removed_to == missing && anchor.hash != before) {
            report
                .problems
                .push(format!("entry {missing} was pruned with another hash than entry {} goes on from", missing + 1));
        }
    }
}

fn number_and_hash(fields: &Map<String, Value>, number: &str) -> Option<(u64, Hash)> {
    let hash = fields.get("hash").and_then(Value::as_str).and_then(Hash::parse)?;
    Some((fields.get(number).and_then(Value::as_u64)?, hash))
}

/// A chain that is being verified.
struct Verification<'a> {
    report: Report,
    state: Option<State>,
    checkpoint: Option<&'a Checkpoint>,
    /// What a successor says of an entry of this chain.
    continued: Vec<(u64, Hash, String)>,
}

fn verify_chain(
    chain: &Chain,
    checkpoint: Option<&Checkpoint>,
    findings: &mut Findings,
    look: &mut dyn FnMut(),
) -> Result<Report, Fault> {
    let report = Report { origin: chain.origin.clone(), is_current: chain.is_current, ..Report::default() };
    let continued = findings.continued.get(&chain.origin).cloned().unwrap_or_default();
    let mut chain_so_far = Verification { report, state: None, checkpoint, continued };
    for (at, (first, path)) in chain.segments.iter().enumerate() {
        let is_last = at + 1 == chain.segments.len();
        if let Err(problem) = chain_so_far.read_segment(*first, path, is_last, findings, look)? {
            chain_so_far.report.problems.push(problem);
            break;
        }
    }
    Ok(chain_so_far.end())
}

impl Verification<'_> {
    /// Goes through a segment. The inner error is what is wrong with it.
    fn read_segment(
        &mut self,
        first: u64,
        path: &Path,
        is_last: bool,
        findings: &mut Findings,
        look: &mut dyn FnMut(),
    ) -> Result<Result<(), String>, Fault> {
        let Some(mut lines) = Lines::open(path)? else {
            return Ok(Err(format!("the segment with entry {first} went away meanwhile")));
        };
        let mut is_first = true;
        while let Some(line) = lines.next_line()? {
            look();
            let line = match line {
                Line::Complete(line) => line,
                // Being written.
                Line::Torn(_) if is_last => break,
                Line::Torn(_) | Line::Garbage => {
                    let next = self.state.as_ref().map_or(first, State::next);
                    return Ok(Err(format!("there is a line that is no entry where entry {next} should be")));
                }
            };
            match self.read_line(&line, first, is_first) {
                Ok(entry) => findings.note_anchor(&entry),
                Err(problem) => return Ok(Err(problem)),
            }
            is_first = false;
        }
        Ok(if is_first && !is_last { Err(format!("the segment with entry {first} is empty")) } else { Ok(()) })
    }

    fn read_line(&mut self, line: &str, first: u64, is_first: bool) -> Result<Entry, String> {
        if is_first {
            let entry = Entry::read_unchained(line)?;
            let before = State::before(&entry)?;
            match &self.state {
                None => {
                    self.report.first = before.next();
                    self.state = Some(before);
                    self.compare();
                }
                Some(state) if *state != before || state.next() != first => {
                    return Err(format!(
                        "the segment with entry {first} does not go on after entry {}",
                        state.next() - 1
                    ));
                }
                Some(_) => {}
            }
        }
        let state = self.state.as_mut().ok_or_else(|| "there is no first entry".to_string())?;
        let entry = Entry::read(line, state.hash, state.next())?;
        state.push(line, entry.stamp.hash);
        self.report.last = entry.stamp.number;
        self.report.hash = Some(entry.stamp.hash);
        self.report.first_at.get_or_insert_with(|| entry.at.clone());
        self.report.last_at = Some(entry.at.clone());
        self.compare();
        Ok(entry)
    }

    /// Compares the present state with what others say of it.
    fn compare(&mut self) {
        let Some(state) = &self.state else { return };
        if let Some(checkpoint) = self.checkpoint
            && checkpoint.size == state.tree.size()
        {
            self.report.is_confirmed = checkpoint.root == state.tree.root();
            if !self.report.is_confirmed {
                let size = checkpoint.size;
                self.report.problems.push(format!("the first {size} entries are not those of the checkpoint"));
            }
        }
        for (number, hash, successor) in &self.continued {
            if *number == state.tree.size() && *hash != state.hash {
                let problem = format!("chain {successor} goes on from another entry {number} than there is");
                self.report.problems.push(problem);
            }
        }
    }

    fn end(mut self) -> Report {
        let last = self.state.as_ref().map_or(0, |state| state.tree.size());
        let is_sound = self.report.problems.is_empty();
        for (number, _, successor) in &self.continued {
            if is_sound && *number != last {
                let problem = format!("it ends with entry {last}, but chain {successor} goes on from entry {number}");
                self.report.problems.push(problem);
            }
        }
        let Some(checkpoint) = self.checkpoint else { return self.report };
        if checkpoint.size > last {
            let problem = format!("it ends with entry {last}, but the checkpoint has {} entries", checkpoint.size);
            self.report.problems.push(problem);
        } else if checkpoint.size + 1 < self.report.first {
            let first = self.report.first;
            self.report
                .problems
                .push(format!("the checkpoint is from before entry {first}, the first one that is kept"));
        }
        self.report
    }
}
