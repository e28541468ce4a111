//! The words of a question that tell something, how much each tells, and where passages have them, as the keyword index
//! reads words: in any inflected form, corrected, with synonyms.
//!
//! Where row security applies, the weights of words come from visible chunks alone; if these are too many to be listed,
//! all words weigh the same.

use super::context::{NumberedPassage, heading};
use crate::catalog::CorpusSpec;
use crate::engine_client;
use crate::keyword_index::segments::{self, KeywordQuery, Question};
use crate::pg::plan_cache;
use crate::pg::run_as::as_superuser;
use crate::search::CorpusSearch;
use crate::search::request::{Mode, SearchRequest};
use crate::search::scope::Scope;
use crate::search::trace::Trace;
use crate::search::word_rules;
use socle_core::Result;
use socle_core::answer::choose::{Word, is_name};
use socle_core::answer::particular::{Particular, normalized};
use socle_core::protocol::{FieldWeights, QuerySyntax, Request, Response};
use std::ops::Range;

const CHUNK_COUNT: &str = include_str!("../../sql/answer/chunk_count.sql");

/// Most words of a question that are looked for, the first ones. What is longer is a text.
const MAX_WORDS: usize = 64;

/// Most visible chunks that are listed so that others have no part in the weight of a word.
const MAX_LISTED: usize = 100_000;

/// The best chunk for a word has it more than once as a rule: the factor of its score over that of a single occurrence.
const REPETITION: f64 = 1.5;

/// Languages that write every noun with a capital letter.
const CAPITAL_NOUNS: [&str; 1] = ["german"];

/// Where a passage has a word: whether in its title or headings, and the byte ranges in its content.
type Places = (bool, Vec<Range<usize>>);

/// The words of a question, and the places of each in the passages.
pub struct QuestionWords {
    /// The words, in the order of the question.
    pub words: Vec<Word>,
    /// For each passage, the places of each word.
    pub places: Vec<Vec<Places>>,
}

impl QuestionWords {
    /// Reads the words of the question and finds them in passages, with corrections of misspelt ones if `may_correct`.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn find(
        corpora: &[CorpusSpec],
        request: &SearchRequest,
        passages: &[NumberedPassage],
        may_correct: bool,
    ) -> Result<Self> {
        let mut searched = Vec::with_capacity(corpora.len());
        for corpus in corpora {
            searched.push(OpenCorpus::new(corpus, request)?);
        }
        let mut words: Vec<Word> = Vec::new();
        for corpus in &searched {
            let of_corpus = |passage: &&NumberedPassage| passage.best.corpus == corpus.scope.corpus.name;
            let best = passages.iter().find(of_corpus).map_or("", |passage| &passage.passage.content);
            for word in corpus.words(request, best)? {
                let same = |known: &Word| known.text.to_lowercase() == word.text.to_lowercase();
                match words.iter().position(same) {
                    Some(known) => words[known].is_name &= word.is_name,
                    None if words.len() < MAX_WORDS => words.push(word),
                    None => {}
                }
            }
        }
        let mut places = vec![vec![(false, Vec::new()); words.len()]; passages.len()];
        let mut weights: Vec<Option<f64>> = vec![None; words.len()];
        for corpus in &mut searched {
            let of_corpus: Vec<usize> =
                (0..passages.len()).filter(|at| passages[*at].best.corpus == corpus.scope.corpus.name).collect();
            let searched_for = corpus.weigh(request, &words, &mut weights, may_correct)?;
            for (word, found) in corpus.places(&searched_for, passages, &of_corpus)?.into_iter().enumerate() {
                let whole = Particular::hyphenated_name(&words[word].text, corpus.nouns_are_lower());
                for (at, found) in of_corpus.iter().zip(found) {
                    // The index finds a name by any of its parts, too.
                    if whole.as_ref().is_none_or(|name| name.is_in(&normalized(&whole_text(&passages[*at])))) {
                        places[*at][word] = found;
                    }
                }
            }
        }
        for (word, weight) in words.iter_mut().zip(weights) {
            word.weight = weight.unwrap_or(word.weight);
        }
        Ok(Self { words, places })
    }

    /// For each word, whether one of these passages has it.
    pub fn held(&self, passages: Range<usize>) -> Vec<bool> {
        let places = &self.places[passages.start.min(self.places.len())..passages.end.min(self.places.len())];
        let has = |word: usize| places.iter().any(|words| words[word].0 || !words[word].1.is_empty());
        (0..self.words.len()).map(has).collect()
    }

    /// For each word, whether a range of bytes of a passage has it, or the title or a heading.
    pub fn in_part(&self, passage: usize, range: &Range<usize>) -> Vec<bool> {
        let in_head = self.places[passage].iter().map(|(in_head, _)| *in_head);
        self.in_range(passage, range).into_iter().zip(in_head).map(|(inside, in_head)| inside || in_head).collect()
    }

    /// For each word, whether a range of bytes of a passage has it.
    pub fn in_range(&self, passage: usize, range: &Range<usize>) -> Vec<bool> {
        let within = |found: &Range<usize>| found.start >= range.start && found.end <= range.end;
        self.places[passage].iter().map(|(_, places)| places.iter().any(within)).collect()
    }
}

/// Whether a capital letter makes a word a name, as far as the languages of the corpora are known.
pub fn capitals_are_names(corpora: &[CorpusSpec], request: &SearchRequest) -> bool {
    let language = |corpus: &CorpusSpec| request.language.or_else(|| corpus.only_language());
    !corpora.iter().filter_map(language).any(|language| CAPITAL_NOUNS.contains(&language))
}

/// A passage with its title and headings.
fn whole_text(passage: &NumberedPassage) -> String {
    format!("{}{}", heading(&passage.best), passage.passage.content)
}

/// A corpus whose words are compared.
struct OpenCorpus<'a> {
    scope: Scope<'a>,
    language: Option<&'static str>,
    /// Whether the index may tell how rare a word is, and what is misspelt.
    is_open: bool,
}

impl<'a> OpenCorpus<'a> {
    fn new(corpus: &'a CorpusSpec, request: &SearchRequest) -> Result<Self> {
        // Without the filter, which says what may be found, and not what words mean.
        let plain = SearchRequest { mode: Mode::Vector, shown: true, filter: None, boost: None, ..request.clone() };
        let CorpusSearch { mut scope, .. } = CorpusSearch::open(corpus, &plain, &mut Trace::default())?;
        let is_open = !scope.secured || scope.list_all(MAX_LISTED)?;
        let language = request.language.or_else(|| corpus.only_language());
        Ok(Self { scope, language, is_open })
    }

    /// The words of the question that are no stop words, and that it does not exclude: what is marked in the question
    /// itself. `best` is the content of the best passage, which tells the language where others must not.
    fn words(&self, request: &SearchRequest, best: &str) -> Result<Vec<Word>> {
        let question = request.query.as_str();
        let text = if self.scope.secured { format!("{question}\n{best}") } else { question.to_string() };
        let marks = self.highlights(&[question], request.syntax, &[text])?;
        let is_in_capitals = !question.contains(char::is_lowercase);
        let nouns_are_lower = self.nouns_are_lower();
        let ranges = marks.into_iter().flatten().flatten();
        Ok(ranges
            .filter_map(|range| {
                // Beyond the question is the passage.
                let text = question.get(range.clone())?;
                if request.syntax != QuerySyntax::Plain && question[range.end..].starts_with('*') {
                    // The beginning of words, which are not known.
                    return None;
                }
                // In a question that is written in capitals, they tell nothing.
                let written = if is_in_capitals { text.to_lowercase() } else { text.to_string() };
                let before = question[..range.start]
                    .trim_end_matches(|sign: char| !sign.is_alphanumeric() && !".!?:".contains(sign));
                let follows = before.ends_with(char::is_alphanumeric);
                Some(Word { text: text.to_string(), weight: 1.0, is_name: is_name(&written, follows, nouns_are_lower) })
            })
            .collect())
    }

    /// Whether its language writes ordinary nouns in lower case, as far as it is known.
    fn nouns_are_lower(&self) -> bool {
        self.language.is_some_and(|language| !CAPITAL_NOUNS.contains(&language))
    }

    /// Sets the weights of words by the score of the best chunk that has each, and returns what is searched for: each word
    /// with its corrections. Of several corpora the one counts where a word is most common.
    fn weigh(
        &self,
        request: &SearchRequest,
        words: &[Word],
        weights: &mut [Option<f64>],
        may_correct: bool,
    ) -> Result<Vec<String>> {
        let mut searched_for: Vec<String> = words.iter().map(|word| word.text.clone()).collect();
        if !self.is_open || self.scope.segments.is_empty() {
            return Ok(searched_for);
        }
        let chunks = self.chunk_count()?;
        for ((word, weight), searched_for) in words.iter().zip(weights).zip(&mut searched_for) {
            let rules = word_rules::word_rules(self.scope.corpus, &word.text)?;
            let query = KeywordQuery {
                text: &word.text,
                syntax: QuerySyntax::Plain,
                language: request.language,
                visible_statistics: true,
                rules: &rules,
                // In each field alike: the weight of a word does not depend on where it stands.
                weights: FieldWeights { content: 1.0, title: 1.0, headings: 1.0 },
            };
            let restrict = self.scope.listed().filter(|_| self.scope.secured).cloned();
            let question = Question { limit: 1, restrict, use_vocabulary: may_correct, ..Question::default() };
            let found = segments::ask(self.scope.corpus, &self.scope.segments, query, &question)?;
            // Inverse document frequency, as the scores have it, of a word in no chunk.
            let unknown = REPETITION * (1.0 + (chunks + 0.5) / 0.5).ln();
            let found_weight = found.hits.first().map_or(unknown, |(_, score)| f64::from(*score).clamp(0.1, unknown));
            *weight = Some(weight.map_or(found_weight, |weight| weight.min(found_weight)));
            for (_, corrections) in &found.corrections {
                searched_for.push(' ');
                searched_for.push_str(&corrections.join(" "));
            }
        }
        Ok(searched_for)
    }

    /// Number of chunks whose words are counted.
    fn chunk_count(&self) -> Result<f64> {
        if let Some(listed) = self.scope.listed().filter(|_| self.scope.secured) {
            return Ok(listed.len() as f64);
        }
        let name = [self.scope.corpus.name.as_str().into()];
        let rows = as_superuser(|| plan_cache::rows(CHUNK_COUNT, &name, 1, |row| row.get::<i64>(1)))?;
        Ok(rows.into_iter().flatten().next().unwrap_or_default() as f64)
    }

    /// For each word, for each of the passages, where it stands.
    fn places(
        &self,
        searched_for: &[String],
        passages: &[NumberedPassage],
        of_corpus: &[usize],
    ) -> Result<Vec<Vec<Places>>> {
        if of_corpus.is_empty() {
            return Ok(Vec::new());
        }
        let heads: Vec<String> = of_corpus.iter().map(|at| heading(&passages[*at].best)).collect();
        let texts: Vec<String> = of_corpus.iter().map(|at| whole_text(&passages[*at])).collect();
        let words: Vec<&str> = searched_for.iter().map(String::as_str).collect();
        let marks = self.highlights(&words, QuerySyntax::Plain, &texts)?;
        let split = |(ranges, head): (Vec<Range<usize>>, &String)| {
            let (in_head, in_content): (Vec<_>, Vec<_>) =
                ranges.into_iter().partition(|range| range.start < head.len());
            let in_content = in_content.into_iter().map(|range| range.start - head.len()..range.end - head.len());
            (!in_head.is_empty(), in_content.collect())
        };
        Ok(marks.into_iter().map(|of_word| of_word.into_iter().zip(&heads).map(split).collect()).collect())
    }

    /// For each query, for each text, the byte ranges that match.
    fn highlights(
        &self,
        queries: &[&str],
        syntax: QuerySyntax,
        texts: &[String],
    ) -> Result<Vec<Vec<Vec<Range<usize>>>>> {
        let mut rules = Vec::with_capacity(queries.len());
        for query in queries {
            rules.push(word_rules::word_rules(self.scope.corpus, query)?);
        }
        let engine_request = |number: usize| Request::Highlight {
            query: queries[number],
            syntax,
            rules: rules[number].clone(),
            language: self.language,
            // Segments tell the languages of all chunks, hidden ones included.
            segments: if self.language.is_some() || self.scope.secured {
                Vec::new()
            } else {
                self.scope.segments.clone()
            },
            chunk_ids: Vec::new(),
            contents: texts.iter().map(String::as_str).collect(),
        };
        let mut marks = vec![Vec::new(); queries.len()];
        engine_client::exchange(queries.len(), &engine_request, &mut |number, mut answers| match answers.pop() {
            Some(Response::Highlights(ranges)) if ranges.len() == texts.len() => {
                let bytes = |(start, end): (u32, u32)| start as usize..end as usize;
                marks[number] = ranges.into_iter().map(|ranges| ranges.into_iter().map(bytes).collect()).collect();
                Ok(())
            }
            Some(Response::Failed { error, .. }) => Err(error),
            _ => Err(engine_client::unexpected()),
        })?;
        Ok(marks)
    }
}
