//! Where the terms of a query stand in the segments, and how often: what BM25 is computed from.

use super::analysis::BARE;
use super::plan::{FieldTerm, TextField};
use super::schema::Fields;
use super::segment::{Segment, guarded};
use socle_core::Result;
use std::collections::HashMap;
use std::sync::Arc;
use tantivy::postings::TermInfo;
use tantivy::query::Bm25StatisticsProvider;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, DocSet, TERMINATED, Term};

/// Terms by number.
#[derive(Debug, Default)]
pub struct Terms {
    numbers: HashMap<FieldTerm, usize>,
    /// Each term.
    pub all: Vec<KnownTerm>,
}

/// A term of a query.
#[derive(Debug)]
pub struct KnownTerm {
    /// As tantivy has it.
    pub term: Term,
    /// Its place in each segment.
    pub places: Arc<[Option<TermInfo>]>,
    /// Chunks that have it, of those that are counted.
    pub frequency: u64,
}

impl Terms {
    /// The number of a term, which is looked up when it is new.
    ///
    /// # Errors
    /// `DamagedIndex`.
    pub fn number(&mut self, term: &FieldTerm, segments: &[Arc<Segment>], fields: &Fields) -> Result<usize> {
        if let Some(number) = self.numbers.get(term) {
            return Ok(*number);
        }
        let known = Term::from_field_text(field(fields, term.0), &term.1);
        let is_bare = term.1.starts_with(BARE);
        let place = |segment: &Arc<Segment>| match is_bare && !segment.has_bare() {
            true => Ok(None),
            false => guarded(|| Ok(segment.inverted(known.field()).get_term_info(&known)?)),
        };
        let places: Arc<[Option<TermInfo>]> = segments.iter().map(place).collect::<Result<_>>()?;
        let frequency = places.iter().flatten().map(|place| u64::from(place.doc_freq)).sum();
        let number = self.all.len();
        self.all.push(KnownTerm { term: known, places, frequency });
        self.numbers.insert(term.clone(), number);
        Ok(number)
    }
}

/// The field of tantivy's.
pub fn field(fields: &Fields, field: TextField) -> Field {
    match field {
        TextField::Stem => fields.stem,
        TextField::Word => fields.word,
    }
}

/// Counts that scores depend on.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Chunks.
    pub chunks: u64,
    /// Terms of field `stem` in them.
    stem_terms: u64,
    /// Terms of field `word` in them.
    word_terms: u64,
    frequencies: HashMap<Term, u64>,
    stem: Option<Field>,
}

impl Counts {
    /// The counts of whole segments.
    pub fn of_segments(segments: &[Arc<Segment>], terms: &Terms, fields: &Fields) -> Self {
        let total = |field: Field| segments.iter().map(|segment| segment.inverted(field).total_num_tokens()).sum();
        Self {
            chunks: segments.iter().map(|segment| u64::from(segment.chunk_count())).sum(),
            stem_terms: total(fields.stem),
            word_terms: total(fields.word),
            frequencies: terms.all.iter().map(|term| (term.term.clone(), term.frequency)).collect(),
            stem: Some(fields.stem),
        }
    }

    /// The counts of some documents of each segment, which become the frequencies of the terms.
    ///
    /// # Errors
    /// `DamagedIndex`.
    pub fn of_documents(
        segments: &[Arc<Segment>],
        documents: &[Vec<DocId>],
        terms: &mut Terms,
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
            known.frequency = 0;
            for (at, (segment, documents)) in segments.iter().zip(documents).enumerate() {
                if let Some(Some(place)) = known.places.get(at) {
                    known.frequency += guarded(|| count(segment, known.term.field(), place, documents))?;
                }
            }
            counts.frequencies.insert(known.term.clone(), known.frequency);
        }
        Ok(counts)
    }

    /// Mean length of a field.
    pub fn mean_length(&self, field: Field) -> f32 {
        let terms = if Some(field) == self.stem { self.stem_terms } else { self.word_terms };
        terms.max(1) as f32 / self.chunks.max(1) as f32
    }
}

/// How many of some documents, ascending, have a term.
///
/// # Errors
/// What reading the posting list fails with.
pub fn count(segment: &Segment, field: Field, place: &TermInfo, documents: &[DocId]) -> tantivy::Result<u64> {
    let mut postings = segment.inverted(field).read_postings_from_terminfo(place, IndexRecordOption::Basic)?;
    let (mut count, mut at) = (0, 0);
    // The shorter of the two leads.
    while let Some(doc) = documents.get(at).filter(|_| postings.doc() != TERMINATED) {
        if postings.doc() < *doc {
            postings.seek(*doc);
        } else {
            count += u64::from(postings.doc() == *doc);
            at += documents[at..].partition_point(|other| *other < postings.doc()).max(1);
        }
    }
    Ok(count)
}

impl Bm25StatisticsProvider for Counts {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        Ok(if Some(field) == self.stem { self.stem_terms } else { self.word_terms }.max(1))
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        Ok(self.chunks.max(1))
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        Ok(self.frequencies.get(term).copied().unwrap_or_default().min(self.chunks))
    }
}
