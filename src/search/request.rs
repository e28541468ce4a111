//! The arguments of a search, checked.

use crate::keyword_index::segments::KeywordQuery;
use crate::model;
use crate::pg::arguments::Arguments;
use socle_core::model::ModelSpec;
use socle_core::protocol::{FieldWeights, QuerySyntax, WordRule};
use socle_core::search::fusion::{Fusion, REFERENCE_DEPTH};
use socle_core::{Error, Kind, Result, language};
use std::ops::RangeInclusive;
use std::rc::Rc;

/// Most results and candidates; candidates by default; most reranked candidates and neighbours.
pub const MAX_RESULTS: i32 = 10_000;
pub const MAX_CANDIDATES: usize = 100_000;
const DEFAULT_CANDIDATES: usize = 100;
const MAX_RERANKED: i32 = 1_000;
const MAX_NEIGHBOURS: i32 = 100;
/// Longest snippet, in characters.
const MAX_SNIPPET: i32 = 10_000;

/// Longest mark, in bytes.
const MAX_MARK: usize = 100;

/// The retrievers that a search uses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Both retrievers.
    Hybrid,
    /// Vectors only.
    Vector,
    /// Keywords only.
    Keyword,
}

impl Mode {
    /// Parses the name of a mode.
    ///
    /// # Errors
    /// `InvalidArgument`, with a hint that lists the names.
    pub fn parse(name: &str) -> Result<Self> {
        let all = [Self::Hybrid, Self::Vector, Self::Keyword];
        all.into_iter().find(|mode| mode.name() == name).ok_or_else(|| {
            Error::new(Kind::InvalidArgument, format!("mode \"{name}\" does not exist"))
                .hint("Modes are \"hybrid\", \"vector\" and \"keyword\".")
        })
    }

    /// The name used in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::Vector => "vector",
            Self::Keyword => "keyword",
        }
    }

    /// Whether vectors are compared.
    pub fn has_vectors(self) -> bool {
        self != Self::Keyword
    }

    /// Whether the keyword index is searched.
    pub fn has_keyword(self) -> bool {
        self != Self::Vector
    }
}

/// A search request.
#[derive(Clone, Debug)]
pub struct SearchRequest {
    /// Text of the query.
    pub query: Rc<String>,
    /// Most results, those of earlier pages included.
    pub limit: usize,
    /// Results of earlier pages, which are left out.
    pub offset: usize,
    /// The retrievers.
    pub mode: Mode,
    /// Filter as JSON, see [`socle_core::search::filter`].
    pub filter: Option<String>,
    /// The document of this chunk is left out.
    pub except_document_of: Option<i64>,
    /// How the lists of the retrievers become one ranking.
    pub fusion: Fusion,
    /// Weight of the keyword retriever; `None` for that of the fusion.
    pub keyword_weight: Option<f64>,
    /// Number of candidates of each retriever.
    pub candidate_count: usize,
    /// Model that reranks the first candidates.
    pub reranker: Option<ModelSpec>,
    /// Number of candidates that are reranked.
    pub rerank_count: usize,
    /// Weight of the reranker: 0 not at all, 1 alone; `None` to choose it by model and query.
    pub rerank_weight: Option<f64>,
    /// Results with a lower score are left out.
    pub min_score: Option<f64>,
    /// Results with a lower cosine similarity are left out.
    pub min_similarity: Option<f64>,
    /// Results with a lower score by the reranker are left out.
    pub min_rerank: Option<f64>,
    /// Boosts as JSON, see [`socle_core::search::boost`].
    pub boost: Option<String>,
    /// As many results for each document as a group may have.
    pub group_by_document: bool,
    /// As many results as a group may have for each value in this column of the source.
    pub group_by: Option<String>,
    /// Most results of a group.
    pub group_size: usize,
    /// The results of all pages are counted.
    pub count_total: bool,
    /// Weight of diversity: 0 by score alone, 1 by difference from better results alone.
    pub diversity: f64,
    /// Number of chunks on each side of a hit that become one passage with it.
    pub neighbours: u32,
    /// How the query is read by the keyword retriever.
    pub syntax: QuerySyntax,
    /// Language of the query; `None` to detect it.
    pub language: Option<&'static str>,
    /// BM25 statistics are those of the chunks visible to the caller.
    pub visible_statistics: bool,
    /// Searches without vectors rather than failing.
    pub vector_optional: bool,
    /// Chunks whose documents have changed since are returned, marked as stale.
    pub stale_shown: bool,
    /// Contents are returned: the words of the query are marked in them.
    pub shown: bool,
    /// Most characters of a snippet; 0 for none.
    pub snippet_length: usize,
    /// What stands before and after each word of the query in contents and snippets.
    pub marks: [String; 2],
    /// The snippet of a passage without words of the query is its nearest sentence.
    pub snippet_by_meaning: bool,
    /// What words count in each field.
    pub weights: FieldWeights,
    /// The fields that words are looked for in, where they are named: `weights` leaves the others out.
    pub has_fields: bool,
}

impl SearchRequest {
    /// The query of the keyword index of a corpus with these rules.
    pub fn keyword_query<'a>(&'a self, rules: &'a [WordRule]) -> KeywordQuery<'a> {
        KeywordQuery {
            text: &self.query,
            syntax: self.syntax,
            language: self.language,
            visible_statistics: self.visible_statistics,
            rules,
            weights: self.weights,
        }
    }

    /// A search with default options.
    pub fn new(query: String) -> Self {
        Self {
            query: Rc::new(query),
            limit: 10,
            offset: 0,
            mode: Mode::Hybrid,
            filter: None,
            except_document_of: None,
            fusion: Fusion::Adaptive,
            keyword_weight: None,
            candidate_count: DEFAULT_CANDIDATES,
            reranker: None,
            rerank_count: 20,
            rerank_weight: None,
            min_score: None,
            min_similarity: None,
            min_rerank: None,
            boost: None,
            group_by_document: false,
            group_by: None,
            group_size: 1,
            count_total: false,
            diversity: 0.0,
            neighbours: 0,
            syntax: QuerySyntax::Natural,
            language: None,
            visible_statistics: false,
            vector_optional: false,
            stale_shown: false,
            shown: true,
            snippet_length: 300,
            marks: ["<mark>", "</mark>"].map(str::to_string),
            snippet_by_meaning: false,
            weights: FieldWeights::default(),
            has_fields: false,
        }
    }

    /// Reads the arguments of `socle.search`, from the second on. `None` without a query.
    ///
    /// # Errors
    /// `InvalidArgument` for what is outside its range or contradicts itself, `UnknownModel` for a reranker.
    pub fn read(arguments: Arguments) -> Result<Option<Self>> {
        let Some(query) = arguments.content(1, "query")? else { return Ok(None) };
        if query.trim().is_empty() {
            return Err(Error::new(Kind::InvalidArgument, "query must not be empty or only white space"));
        }
        let mut request = Self::new(query);
        request.limit = number(arguments, 2, "result_limit", 0..=MAX_RESULTS)?.unwrap_or(request.limit);
        request.offset = number(arguments, 20, "result_offset", 0..=MAX_RESULTS)?.unwrap_or_default();
        request.limit += request.offset;
        request.mode = arguments.short_text(3, "mode")?.map_or(Ok(request.mode), |name| Mode::parse(&name))?;
        request.filter = arguments.json(4);
        request.fusion = arguments.short_text(5, "fusion")?.map_or(Ok(request.fusion), |name| name.parse())?;
        request.keyword_weight = arguments.f64(6);
        let candidates = number(arguments, 7, "candidate_count", 1..=MAX_CANDIDATES as i32)?;
        request.candidate_count = candidates.unwrap_or(request.candidate_count).max(request.limit);
        request.reranker =
            arguments.short_text(8, "rerank_model")?.map(|name| model::rerank_model(Some(name))).transpose()?;
        request.rerank_count = rerank_count(arguments, 9)?.unwrap_or(request.rerank_count);
        if request.offset == 0 {
            request.rerank_count = request.rerank_count.max(request.limit);
        }
        request.rerank_weight = rerank_weight(arguments, 10)?;
        request.min_score = arguments.f64(11);
        request.group_by_document = arguments.boolean(12).unwrap_or_default();
        request.diversity = arguments.f64(13).unwrap_or_default();
        if !(0.0..=1.0).contains(&request.diversity) {
            return Err(Error::new(Kind::InvalidArgument, "diversity must be between 0 and 1"));
        }
        let neighbours = number(arguments, 14, "neighbours", 0..=MAX_NEIGHBOURS)?.unwrap_or_default();
        request.neighbours = u32::try_from(neighbours).unwrap_or_default();
        request.language = arguments.short_text(15, "language")?.map(|name| language::canonical(&name)).transpose()?;
        request.visible_statistics = second_of(arguments, 16, "score_statistics", ["corpus", "visible"])?;
        request.vector_optional = arguments.boolean(17).unwrap_or_default();
        request.stale_shown = second_of(arguments, 18, "stale", ["omit", "show"])?;
        request.min_similarity = arguments.f64(21);
        request.min_rerank = arguments.f64(22);
        let length = number(arguments, 23, "snippet_length", 0..=MAX_SNIPPET)?;
        request.snippet_length = length.unwrap_or(request.snippet_length);
        request.syntax =
            arguments.short_text(19, "query_syntax")?.map_or(Ok(request.syntax), |name| QuerySyntax::named(&name))?;
        request.boost = arguments.json(24);
        request.group_by = arguments.short_text(25, "group_by")?;
        request.group_size = number(arguments, 26, "group_size", 1..=MAX_RESULTS)?.unwrap_or(request.group_size);
        request.count_total = arguments.boolean(27).unwrap_or_default();
        request.marks = marks(arguments, 28)?.unwrap_or(request.marks);
        request.snippet_by_meaning = second_of(arguments, 29, "snippet_by", ["words", "meaning"])?;
        request.weights = weights(arguments, 30)?;
        (request.weights, request.has_fields) = only_fields(arguments, 32, request.weights)?;
        request.check()?;
        request.check_pages(candidates)?;
        Ok(Some(request))
    }

    /// Whether the query may have prefixes, such as `back*`. In the syntax `operators` something else may follow at once.
    pub fn has_prefix(&self) -> bool {
        let ends = |word: &str| match self.syntax {
            QuerySyntax::Operators => word.contains('*'),
            _ => word.ends_with('*'),
        };
        let is_prefix = |word: &str| ends(word) && word.contains(char::is_alphanumeric);
        self.syntax != QuerySyntax::Plain && self.query.split_whitespace().any(is_prefix)
    }

    /// Number of candidates asked of each retriever: never fewer than normalisation looks at.
    pub fn depth(&self) -> usize {
        self.candidate_count.max(REFERENCE_DEPTH)
    }

    /// Whether results are grouped.
    pub fn is_grouped(&self) -> bool {
        self.group_by_document || self.group_by.is_some()
    }

    /// What a group is called.
    pub fn group_noun(&self) -> &'static str {
        if self.group_by.is_some() { "group" } else { "document" }
    }

    /// Checks that every page is one of the same ranking, whatever its number; `candidates` is the argument.
    fn check_pages(&self, candidates: Option<usize>) -> Result<()> {
        let same = |name: &str, count: usize| {
            let message = format!("result_offset and result_limit reach beyond {name}, {count}");
            let hint = format!("Pass the same {name} for every page, as large as the last result of the last one.");
            Err(Error::new(Kind::InvalidArgument, message).hint(hint))
        };
        let candidates = candidates.unwrap_or(DEFAULT_CANDIDATES);
        if self.reranker.is_some() && self.rerank_count < self.limit {
            return same("rerank_count", self.rerank_count);
        }
        // What orders the candidates anew makes another ranking of more of them.
        let reorders = self.boost.is_some() || self.mode == Mode::Hybrid || self.diversity > 0.0;
        if reorders && self.offset > 0 && candidates < self.limit {
            return same("candidate_count", candidates);
        }
        if self.diversity > 0.0 && self.is_grouped() && self.offset > 0 {
            let message = "result_offset has no meaning with diversity and groups";
            return Err(Error::new(Kind::InvalidArgument, message)
                .hint("Which results differ from each other depends on their number: ask for all pages at once."));
        }
        if self.reranker.is_some() && self.rerank_count > MAX_RERANKED as usize {
            let message = format!("result_limit must be at most {MAX_RERANKED} with a rerank_model");
            return Err(Error::new(Kind::InvalidArgument, message));
        }
        Ok(())
    }

    /// Checks that the options fit each other.
    ///
    /// # Errors
    /// `InvalidArgument` for what contradicts itself.
    pub fn check(&self) -> Result<()> {
        let contradiction = |what: &str, mode: &str| {
            Err(Error::new(Kind::InvalidArgument, format!("{what} has no meaning in mode \"{mode}\""))
                .hint("Omit it, or choose mode \"hybrid\"."))
        };
        match self.mode {
            Mode::Vector if self.keyword_weight.is_some() => contradiction("keyword_weight", "vector"),
            Mode::Vector if self.visible_statistics => contradiction("score_statistics", "vector"),
            Mode::Vector if self.has_fields => contradiction("fields", "vector"),
            Mode::Keyword if self.keyword_weight.is_some() => contradiction("keyword_weight", "keyword"),
            Mode::Keyword if self.min_similarity.is_some() => contradiction("min_similarity", "keyword"),
            Mode::Keyword if self.snippet_by_meaning => contradiction("snippet_by => 'meaning'", "keyword"),
            _ if self.group_by.is_some() && self.group_by_document => {
                Err(Error::new(Kind::InvalidArgument, "group_by and group_by_document exclude each other"))
            }
            _ if self.group_size > 1 && !self.is_grouped() => {
                Err(Error::new(Kind::InvalidArgument, "group_size needs group_by or group_by_document"))
            }
            _ if self.min_rerank.is_some() && self.reranker.is_none() => {
                Err(Error::new(Kind::InvalidArgument, "min_rerank needs a rerank_model"))
            }
            _ if self.keyword_weight.is_some_and(|weight| !(weight.is_finite() && weight >= 0.0)) => {
                Err(Error::new(Kind::InvalidArgument, "keyword_weight must be a number of at least 0"))
            }
            _ if [self.min_score, self.min_similarity, self.min_rerank].into_iter().flatten().any(f64::is_nan) => {
                Err(Error::new(Kind::InvalidArgument, "a least score must be a number, not NaN"))
            }
            _ => Ok(()),
        }
    }
}

/// What stands before and after a word that is marked.
///
/// # Errors
/// `InvalidArgument` for anything but two short texts.
fn marks(arguments: Arguments, at: usize) -> Result<Option<[String; 2]>> {
    let Some(marks) = arguments.limited_texts(at, "marks")? else { return Ok(None) };
    match marks.elements.as_slice() {
        [Some(before), Some(after)] if [before, after].iter().all(|mark| mark.len() <= MAX_MARK) => {
            Ok(Some([before, after].map(|mark| (*mark).to_string())))
        }
        _ => Err(Error::new(Kind::InvalidArgument, format!("marks must be two texts of at most {MAX_MARK} bytes"))
            .hint("They look like ARRAY['<b>', '</b>'], and stand before and after each word of the query.")),
    }
}

/// Whether an argument is the second of two words; the first is the default.
///
/// # Errors
/// `InvalidArgument` for any other word.
pub fn second_of(arguments: Arguments, at: usize, name: &str, words: [&str; 2]) -> Result<bool> {
    match arguments.short_text(at, name)?.as_deref() {
        None => Ok(false),
        Some(word) if words.contains(&word) => Ok(word == words[1]),
        Some(word) => Err(Error::new(Kind::InvalidArgument, format!("{name} \"{word}\" does not exist"))
            .hint(format!("It is \"{}\" or \"{}\".", words[0], words[1]))),
    }
}

/// Number of candidates that are reranked.
///
/// # Errors
/// Those of [`number`].
pub fn rerank_count(arguments: Arguments, at: usize) -> Result<Option<usize>> {
    number(arguments, at, "rerank_count", 1..=MAX_RERANKED)
}

/// The weights of titles and headings, in this order from an argument on.
///
/// # Errors
/// `InvalidArgument` outside 0 to [`FieldWeights::MAX`].
pub fn weights(arguments: Arguments, at: usize) -> Result<FieldWeights> {
    let weight = |at: usize, name: &str, default: f32| match arguments.f32(at) {
        Some(weight) if !(0.0..=FieldWeights::MAX).contains(&weight) => {
            let message = format!("{name} must be between 0 and {}", FieldWeights::MAX);
            Err(Error::new(Kind::InvalidArgument, message)
                .hint("It is in relation to the content, which has 1; 0 leaves the field out."))
        }
        weight => Ok(weight.unwrap_or(default)),
    };
    let default = FieldWeights::default();
    Ok(FieldWeights {
        content: 1.0,
        title: weight(at, "title_weight", default.title)?,
        headings: weight(at + 1, "heading_weight", default.headings)?,
    })
}

/// Names of the fields of the keyword index.
const FIELDS: [&str; 3] = ["content", "title", "headings"];

/// Leaves out the fields that an argument does not name. Returns the weights as they are, and false, without the argument.
///
/// # Errors
/// `InvalidArgument` for an unknown field, and where no field is left.
pub fn only_fields(arguments: Arguments, at: usize, weights: FieldWeights) -> Result<(FieldWeights, bool)> {
    let Some(names) = arguments.limited_texts(at, "fields")? else { return Ok((weights, false)) };
    let names: Vec<&str> = names.elements.iter().copied().flatten().collect();
    let refused = |message: String| {
        Err(Error::new(Kind::InvalidArgument, message)
            .hint("Fields are \"title\", \"headings\" and \"content\". A field of weight 0 is left out."))
    };
    if let Some(unknown) = names.iter().find(|name| !FIELDS.contains(name)) {
        return refused(format!("field \"{unknown}\" does not exist"));
    }
    let [content, title, headings] = FIELDS.map(|name| if names.contains(&name) { 1.0 } else { 0.0 });
    let weights = FieldWeights { content, title: title * weights.title, headings: headings * weights.headings };
    if weights.content + weights.title + weights.headings == 0.0 {
        return refused("fields must name a field that is searched".into());
    }
    Ok((weights, true))
}

/// Weight of a reranker against the first ranking.
///
/// # Errors
/// `InvalidArgument` outside 0 to 1.
pub fn rerank_weight(arguments: Arguments, at: usize) -> Result<Option<f64>> {
    match arguments.f64(at) {
        Some(weight) if !(0.0..=1.0).contains(&weight) => {
            Err(Error::new(Kind::InvalidArgument, "rerank_weight must be between 0 and 1"))
        }
        weight => Ok(weight),
    }
}

/// An integer argument that counts something.
///
/// # Errors
/// `InvalidArgument` outside the range.
pub fn number(arguments: Arguments, at: usize, name: &str, range: RangeInclusive<i32>) -> Result<Option<usize>> {
    match arguments.i32(at) {
        Some(value) if !range.contains(&value) => Err(Error::new(
            Kind::InvalidArgument,
            format!("{name} must be between {} and {}", range.start(), range.end()),
        )),
        value => Ok(value.and_then(|value| usize::try_from(value).ok())),
    }
}
