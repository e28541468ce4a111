//! Trace of a search for `socle.explain_search`: time of each step, and where one chunk was found or lost.

use super::rank::{Boosted, Ranked, RetrieverScore};
use super::scope::Stale;
use std::collections::HashSet;
use std::time::Instant;

/// Most results that are listed.
const MAX_LINES: usize = 10;

/// Step name of the lines with results.
const RESULT: &str = "result";

/// A step: its name, and the corpus it was done in, or "" for all.
pub type Step<'a> = (&'static str, &'a str);

/// One line of an explanation.
#[derive(Debug)]
struct Line {
    /// Name of the step.
    step: &'static str,
    /// Name of the corpus; empty for all.
    corpus: String,
    /// Time of the step in milliseconds, if it takes time.
    milliseconds: Option<f64>,
    /// Outcome of the step.
    detail: String,
}

/// Collects lines; costs nothing unless they are read.
#[derive(Debug, Default)]
pub struct Trace {
    /// Whether lines are collected.
    pub explained: bool,
    /// Id of the chunk to follow, in each corpus that has one of this id.
    pub chunk: Option<i64>,
    /// Names of the corpora.
    corpora: Vec<String>,
    lines: Vec<Line>,
    /// Lines about the chunk to follow.
    fate: Vec<Line>,
}

impl Trace {
    /// A trace that collects lines, and follows a chunk.
    pub fn explained(chunk: Option<i64>) -> Self {
        Self { explained: true, chunk, ..Self::default() }
    }

    /// Starts again, with the corpora that are searched.
    pub fn begin<'a>(&mut self, corpora: impl Iterator<Item = &'a str>) {
        if self.explained {
            let corpora = corpora.map(str::to_string).collect();
            *self = Self { corpora, ..Self::explained(self.chunk) };
        }
    }

    /// Step, milliseconds and detail of each line, those about the chunk to follow at the end. The detail names the
    /// corpus if there are several.
    pub fn into_lines(self) -> impl Iterator<Item = (&'static str, Option<f64>, String)> {
        let several = self.corpora.len() > 1;
        self.lines.into_iter().chain(self.fate).map(move |line| {
            let detail = match (several && !line.corpus.is_empty(), line.detail.is_empty()) {
                (false, _) => line.detail,
                (true, false) => format!("corpus \"{}\": {}", line.corpus, line.detail),
                (true, true) => format!("corpus \"{}\"", line.corpus),
            };
            (line.step, line.milliseconds, detail)
        })
    }

    /// Runs `work` and adds its time to that of its step.
    pub fn timed<T>(&mut self, step: Step<'_>, work: impl FnOnce() -> T) -> T {
        if !self.explained {
            return work();
        }
        let begun = Instant::now();
        let result = work();
        self.took(step, begun.elapsed().as_secs_f64() * 1e3);
        result
    }

    /// Adds milliseconds to the time of a step.
    pub fn took(&mut self, step: Step<'_>, took: f64) {
        if let Some(line) = self.line(step) {
            line.milliseconds = Some(line.milliseconds.unwrap_or_default() + took);
        }
    }

    /// Sets the detail of a step; the last one counts.
    pub fn note(&mut self, step: Step<'_>, detail: impl FnOnce() -> String) {
        if let Some(line) = self.line(step) {
            line.detail = detail();
        }
    }

    /// The line of a step, which is added if there is none.
    fn line(&mut self, (step, corpus): Step<'_>) -> Option<&mut Line> {
        if !self.explained {
            return None;
        }
        let known = self.lines.iter().position(|line| line.step == step && line.corpus == corpus);
        let at = known.unwrap_or_else(|| {
            self.lines.push(Line { step, corpus: corpus.to_string(), milliseconds: None, detail: String::new() });
            self.lines.len() - 1
        });
        self.lines.get_mut(at)
    }

    /// Removes the results so far, and the lines about the chunk to follow.
    pub fn forget_results(&mut self) {
        self.lines.retain(|line| line.step != RESULT);
        self.fate.clear();
    }

    fn record(&mut self, corpus: &str, detail: String) {
        self.fate.push(Line { step: "chunk", corpus: corpus.to_string(), milliseconds: None, detail });
    }

    /// Adds why the chunk to follow is lost, for the corpora that had it before and no longer do.
    pub fn lost(&mut self, before: &[usize], after: &[(usize, Ranked)], reason: impl Fn() -> String) {
        let still = self.places(after);
        for at in before.iter().filter(|at| !still.contains(at)) {
            let corpus = self.corpora.get(*at).cloned().unwrap_or_default();
            self.record(&corpus, format!("lost: {}", reason()));
        }
    }

    /// The indexes of the corpora whose chunk to follow is among these.
    pub fn places(&self, ranked: &[(usize, Ranked)]) -> Vec<usize> {
        let Some(chunk) = self.chunk else { return Vec::new() };
        ranked.iter().filter(|(_, ranked)| ranked.chunk_id == chunk).map(|(at, _)| *at).collect()
    }

    /// Adds the results, with rank and score in each retriever before and after normalisation.
    pub fn results(&mut self, ranked: &[(usize, Ranked)]) {
        if !self.explained {
            return;
        }
        for (at, (corpus, found)) in ranked.iter().enumerate() {
            let corpus = self.corpora.get(*corpus).cloned().unwrap_or_default();
            if Some(found.chunk_id) == self.chunk {
                self.record(&corpus, format!("result number {}", at + 1));
            }
            if at >= MAX_LINES {
                continue;
            }
            let rerank = found.rerank.map(|score| format!("; reranked {score:.4}")).unwrap_or_default();
            let boost = found.boost.map(describe_boost).unwrap_or_default();
            let stale = if found.stale { "; stale: its document has changed since" } else { "" };
            let (number, chunk, score) = (at + 1, found.chunk_id, found.score);
            let scores =
                format!("vector: {}; keyword: {}", describe_score(found.vector), describe_score(found.keyword));
            let detail = format!("{number}: chunk {chunk} with score {score:.4}; {scores}{rerank}{boost}{stale}");
            self.lines.push(Line { step: RESULT, corpus, milliseconds: None, detail });
        }
    }

    /// Adds the ranked candidates of a corpus, and those that were left out: because their documents have changed, or
    /// because an operator of the query excludes them.
    pub fn candidates(&mut self, corpus: &str, ranked: &[Ranked], (stale, refused): (&Stale, &HashSet<i64>)) {
        self.note(("candidates", corpus), || {
            let shown = ranked.iter().filter(|ranked| ranked.stale).count();
            let left_out = (stale.waiting.len() + stale.gone.len()).saturating_sub(shown);
            let ranked = ranked.len();
            let mut detail = format!("{ranked} ranked, {left_out} left out because their documents have changed");
            if shown > 0 {
                detail += &format!(", {shown} stale ones among the ranked");
            }
            if !refused.is_empty() {
                detail += &format!(", {} by an operator of the query", refused.len());
            }
            detail
        });
        let Some(chunk) = self.chunk else { return };
        let at = ranked.iter().position(|ranked| ranked.chunk_id == chunk);
        if at.is_none() && (stale.waiting.contains(&chunk) || stale.gone.contains(&chunk)) {
            self.record(corpus, "left out: its document has changed since".into());
        } else if refused.contains(&chunk) {
            self.record(corpus, "left out: excluded by an operator of the query".into());
        } else if let Some(at) = at {
            let found = &ranked[at];
            self.record(corpus, format!("vector: {}", describe_score(found.vector)));
            self.record(corpus, format!("keyword: {}", describe_score(found.keyword)));
            let boost = found.boost.map(describe_boost).unwrap_or_default();
            self.record(corpus, format!("rank {} with score {:.4}{boost}", at + 1, found.score));
        } else {
            self.record(
                corpus,
                "no candidate: neither retriever ranks it among its best, or the caller may not see it".into(),
            );
        }
    }
}

/// Describes what a boost has done to a score.
fn describe_boost(boost: Boosted) -> String {
    format!("; {:.4} before the boost by factor {:.4}", boost.relevance, boost.factor)
}

/// Describes rank and score of a chunk in one retriever.
fn describe_score(score: Option<RetrieverScore>) -> String {
    match score {
        Some(score) => format!(
            "rank {}, score {:.4}, counted as {}",
            score.rank.map_or("beyond the candidates".to_string(), |rank| rank.to_string()),
            score.score,
            score.normalised.map_or("it is".to_string(), |score| format!("{score:.4}"))
        ),
        None => "not found".to_string(),
    }
}
