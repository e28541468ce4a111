//! What a search did, for `socle.explain_search`: time of each step, and where one chunk was won or lost.

use super::rank::Ranked;
use crate::corpus::CorpusSpec;
use std::collections::HashSet;
use std::time::Instant;

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
        let took = begun.elapsed().as_secs_f64() * 1e3;
        match self.lines.iter_mut().find(|line| line.step == step) {
            Some(line) => line.milliseconds = Some(line.milliseconds.unwrap_or_default() + took),
            None => self.lines.push(Line { step, milliseconds: Some(took), detail: String::new() }),
        }
        result
    }

    /// Says what came of a step; the last word counts.
    pub fn note(&mut self, step: &'static str, detail: String) {
        match self.lines.iter_mut().find(|line| line.step == step) {
            Some(line) => line.detail = detail,
            None => self.lines.push(Line { step, milliseconds: None, detail }),
        }
    }

    /// The candidates of a corpus, ranked, and those that were left out because their documents have changed.
    pub fn candidates(&mut self, corpus: &CorpusSpec, ranked: &[Ranked], stale: &HashSet<i64>) {
        self.note(
            "candidates",
            format!("{} ranked, {} left out because their documents have changed", ranked.len(), stale.len()),
        );
        let Some(chunk) = self.chunk else { return };
        let name = &corpus.name;
        if stale.contains(&chunk) {
            self.fate.push(format!("left out: its document in corpus \"{name}\" has changed since"));
        } else if let Some(at) = ranked.iter().position(|ranked| ranked.chunk_id == chunk) {
            let found = &ranked[at];
            let leg = |standing: Option<super::rank::Standing>| match standing {
                Some(standing) => format!(
                    "rank {}, score {:.4}, counted as {}",
                    standing.rank.map_or("beyond the candidates".to_string(), |rank| rank.to_string()),
                    standing.score,
                    standing.normalised.map_or("it is".to_string(), |score| format!("{score:.4}"))
                ),
                None => "not found".to_string(),
            };
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
