//! Document frequencies and lengths, from which BM25 is computed, and the positions of terms in the dictionaries.

use super::analysis::UNACCENTED;
use super::query_plan::{FieldTerm, TextField};
use super::schema::Fields;
use super::segment::{Segment, catch_damage};
use socle_core::Result;
use std::collections::HashMap;
use std::sync::Arc;
use tantivy::postings::TermInfo;
use tantivy::query::Bm25StatisticsProvider;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, DocSet, TERMINATED, Term};

/// The terms of a query, numbered in the order in which they are looked up.
#[derive(Debug, Default)]
pub struct TermTable {
    numbers: HashMap<FieldTerm, usize>,
    /// The terms by number.
    pub all: Vec<TermStatistics>,
}

/// A term of a query.
#[derive(Debug)]
pub struct TermStatistics {
    /// The term.
    pub term: Term,
    /// Its dictionary entry in each segment that has it.
    pub infos: Arc<[Option<TermInfo>]>,
    /// Number of chunks that have it, among those that statistics are taken of.
    pub doc_freq: u64,
}

impl TermTable {
    /// The number of a term. A new one is looked up in the segments.
    ///
    /// # Errors
    /// `DamagedIndex`.
    pub fn number(&mut self, term: &FieldTerm, segments: &[Arc<Segment>], fields: &Fields) -> Result<usize> {
        if let Some(number) = self.numbers.get(term) {
            return Ok(*number);
        }
        let known = Term::from_field_text(field(fields, term.0), &term.1);
        let is_unaccented = term.1.starts_with(UNACCENTED);
        let info = |segment: &Arc<Segment>| match is_unaccented && !segment.has_unaccented() {
            true => Ok(None),
            false => catch_damage(|| Ok(segment.inverted(known.field()).get_term_info(&known)?)),
        };
        let infos: Arc<[Option<TermInfo>]> = segments.iter().map(info).collect::<Result<_>>()?;
        let doc_freq = infos.iter().flatten().map(|info| u64::from(info.doc_freq)).sum();
        let number = self.all.len();
        self.all.push(TermStatistics { term: known, infos, doc_freq });
        self.numbers.insert(term.clone(), number);
        Ok(number)
    }
}

/// The field of the schema.
pub fn field(fields: &Fields, field: TextField) -> Field {
    match field {
        TextField::Stem => fields.stem,
        TextField::Word => fields.word,
    }
}

/// Statistics of a set of chunks, on which scores depend.
#[derive(Clone, Debug, Default)]
pub struct CollectionStatistics {
    /// Number of chunks.
    pub chunks: u64,
    /// Number of terms in field `stem`, repetitions included.
    stem_terms: u64,
    /// Number of terms in field `word`, repetitions included.
    word_terms: u64,
    doc_freqs: HashMap<Term, u64>,
    /// Field `stem`.
    stem: Option<Field>,
}

impl CollectionStatistics {
    /// The statistics of all chunks of the segments.
    pub fn of_segments(segments: &[Arc<Segment>], terms: &TermTable, fields: &Fields) -> Self {
        let total = |field: Field| segments.iter().map(|segment| segment.inverted(field).total_num_tokens()).sum();
        Self {
            chunks: segments.iter().map(|segment| u64::from(segment.chunk_count())).sum(),
            stem_terms: total(fields.stem),
            word_terms: total(fields.word),
            doc_freqs: terms.all.iter().map(|term| (term.term.clone(), term.doc_freq)).collect(),
            stem: Some(fields.stem),
        }
    }

    /// The statistics of some documents of each segment. Sets the document frequencies of `terms` accordingly.
    ///
    /// # Errors
    /// `DamagedIndex`.
    pub fn of_documents(
        segments: &[Arc<Segment>],
        documents: &[Vec<DocId>],
        terms: &mut TermTable,
        fields: &Fields,
    ) -> Result<Self> {
        let mut counts = Self { stem: Some(fields.stem), ..Self::default() };
        for (segment, documents) in segments.iter().zip(documents) {
            counts.chunks += documents.len() as u64;
            for doc in documents {
                counts.stem_terms += u64::from(segment.lengths(fields.stem).fieldnorm(*doc));
                counts.word_terms += u64::from(segment.lengths(fields.word).fieldnorm(*doc));
            }
        }
        for known in &mut terms.all {
            known.doc_freq = 0;
            for (at, (segment, documents)) in segments.iter().zip(documents).enumerate() {
                if let Some(Some(info)) = known.infos.get(at) {
                    known.doc_freq += catch_damage(|| count(segment, known.term.field(), info, documents))?;
                }
            }
            counts.doc_freqs.insert(known.term.clone(), known.doc_freq);
        }
        Ok(counts)
    }

    /// Mean length of a field in terms; at least one term and one chunk are assumed.
    pub fn mean_length(&self, field: Field) -> f32 {
        let terms = if Some(field) == self.stem { self.stem_terms } else { self.word_terms };
        terms.max(1) as f32 / self.chunks.max(1) as f32
    }
}

/// How many of `documents`, which have to ascend, have a term.
///
/// # Errors
/// What reading the posting list fails with.
pub fn count(segment: &Segment, field: Field, info: &TermInfo, documents: &[DocId]) -> tantivy::Result<u64> {
    let mut count = 0;
    for_each_of(segment, field, info, Some(documents), &mut |_| count += 1)?;
    Ok(count)
}

/// Calls `take` with each document that has a term, or with those of `documents`, which have to ascend.
///
/// # Errors
/// What reading the posting list fails with.
pub fn for_each_of(
    segment: &Segment,
    field: Field,
    info: &TermInfo,
    documents: Option<&[DocId]>,
    take: &mut impl FnMut(DocId),
) -> tantivy::Result<()> {
    let mut postings = segment.inverted(field).read_postings_from_terminfo(info, IndexRecordOption::Basic)?;
    let Some(documents) = documents else {
        while postings.doc() != TERMINATED {
            take(postings.doc());
            postings.advance();
        }
        return Ok(());
    };
    let mut at = 0;
    // Skips alternately in the list and in the postings.
    while let Some(doc) = documents.get(at).filter(|_| postings.doc() != TERMINATED) {
        if postings.doc() < *doc {
            postings.seek(*doc);
        } else {
            if postings.doc() == *doc {
                take(*doc);
            }
            at += documents[at..].partition_point(|other| *other < postings.doc()).max(1);
        }
    }
    Ok(())
}

impl Bm25StatisticsProvider for CollectionStatistics {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        Ok(if Some(field) == self.stem { self.stem_terms } else { self.word_terms }.max(1))
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        Ok(self.chunks.max(1))
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        Ok(self.doc_freqs.get(term).copied().unwrap_or_default().min(self.chunks))
    }
}
