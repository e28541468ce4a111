//! What a search did, for `socle.explain_search`: time of each step, and where one chunk was won or lost.

use super::rank::{Ranked, Standing};
use crate::corpus::CorpusSpec;
use std::collections::HashSet;
use std::time::Instant;

/// Results that are listed.
const MAX_LINES: usize = 10;

/// One line of an explanation.
#[derive(Clone, Debug)]
pub struct Line {
    /// What was done.
    pub step: &'static str,
    /// How long it took, in milliseconds, for a step that takes time.
    pub milliseconds: Option<f64>,
    /// What came of it.
    pub detail: String,
}

/// Collects lines; costs nothing worth mentioning when nobody reads them.
#[derive(Debug, Default)]
pub struct Trace {
    /// Somebody is going to read it.
    pub explained: bool,
    /// What was collected.
    pub lines: Vec<Line>,
    /// The chunk that is asked about.
    pub chunk: Option<i64>,
    /// What became of it.
    pub fate: Vec<String>,
}

impl Trace {
    /// Does `work` and adds its time to that of its step.
    pub fn timed<T>(&mut self, step: &'static str, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let result = work();
        self.took(step, begun.elapsed().as_secs_f64() * 1e3);
        result
    }

    /// Adds so many milliseconds to the time of a step.
    pub fn took(&mut self, step: &'static str, took: f64) {
        match self.lines.iter_mut().find(|line| line.step == step) {
            Some(line) => line.milliseconds = Some(line.milliseconds.unwrap_or_default() + took),
            None => self.lines.push(Line { step, milliseconds: Some(took), detail: String::new() }),
        }
    }

    /// Says what came of a step; the last word counts.
    pub fn note(&mut self, step: &'static str, detail: String) {
        match self.lines.iter_mut().find(|line| line.step == step) {
            Some(line) => line.detail = detail,
            None => self.lines.push(Line { step, milliseconds: None, detail }),
        }
    }

    /// Says why the chunk that is asked about is lost, if it was there and no longer is.
    pub fn lost(&mut self, before: bool, after: &[(usize, Ranked)], reason: impl FnOnce() -> String) {
        if before && !self.has(after) {
            self.fate.push(format!("lost: {}", reason()));
        }
    }

    /// Whether the chunk that is asked about is among these.
    pub fn has(&self, ranked: &[(usize, Ranked)]) -> bool {
        self.chunk.is_some_and(|chunk| ranked.iter().any(|(_, ranked)| ranked.chunk_id == chunk))
    }

    /// The results, with what each leg says of them before and after normalisation.
    pub fn results(&mut self, ranked: &[(usize, Ranked)]) {
        if !self.explained {
            return;
        }
        for (at, (_, found)) in ranked.iter().take(MAX_LINES).enumerate() {
            let rerank = found.rerank.map(|score| format!("; reranked {score:.4}")).unwrap_or_default();
            let (number, chunk, score) = (at + 1, found.chunk_id, found.score);
            let legs = format!("vector: {}; keyword: {}", leg(found.vector), leg(found.keyword));
            let detail = format!("{number}: chunk {chunk} with score {score:.4}; {legs}{rerank}");
            self.lines.push(Line { step: "result", milliseconds: None, detail });
        }
    }

    /// The candidates of a corpus, ranked, and those that were left out: because their documents have changed, or because an
    /// operator of the query forbids them.
    pub fn candidates(
        &mut self,
        corpus: &CorpusSpec,
        ranked: &[Ranked],
        (stale, refused): (&HashSet<i64>, &HashSet<i64>),
    ) {
        let mut detail =
            format!("{} ranked, {} left out because their documents have changed", ranked.len(), stale.len());
        if !refused.is_empty() {
            detail += &format!(", {} by an operator of the query", refused.len());
        }
        self.note("candidates", detail);
        let Some(chunk) = self.chunk else { return };
        let name = &corpus.name;
        if stale.contains(&chunk) {
            self.fate.push(format!("left out: its document in corpus \"{name}\" has changed since"));
        } else if refused.contains(&chunk) {
            self.fate.push("left out: an operator of the query forbids it".into());
        } else if let Some(at) = ranked.iter().position(|ranked| ranked.chunk_id == chunk) {
            let found = &ranked[at];
            self.fate.push(format!("vector: {}", leg(found.vector)));
            self.fate.push(format!("keyword: {}", leg(found.keyword)));
            self.fate.push(format!("rank {} of corpus \"{name}\" with score {:.4}", at + 1, found.score));
        } else {
            self.fate.push(format!(
                "no candidate of corpus \"{name}\": neither leg has it among its best, or it may not be seen"
            ));
        }
    }
}

/// What one leg says of a chunk.
fn leg(standing: Option<Standing>) -> String {
    match standing {
        Some(standing) => format!(
            "rank {}, score {:.4}, counted as {}",
            standing.rank.map_or("beyond the candidates".to_string(), |rank| rank.to_string()),
            standing.score,
            standing.normalised.map_or("it is".to_string(), |score| format!("{score:.4}"))
        ),
        None => "not found".to_string(),
    }
}
