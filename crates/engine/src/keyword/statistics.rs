//! Document frequencies and lengths, from which BM25 is computed, and the positions of terms in the dictionaries.

use super::analysis::UNACCENTED;
use super::query_plan::FieldTerm;
use super::schema::{Fields, Part, TEXT_FIELDS};
use super::segment::{Segment, catch_damage};
use socle_core::Result;
use std::collections::HashMap;
use std::sync::Arc;
use tantivy::postings::TermInfo;
use tantivy::query::Bm25StatisticsProvider;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, DocSet, TERMINATED, Term};

/// The terms of a query, numbered in the order in which they are looked up.
#[derive(Debug)]
pub struct TermTable<'a> {
    numbers: HashMap<FieldTerm, usize>,
    /// The parts of chunks that are searched.
    parts: &'a [Part],
    /// The terms by number.
    pub all: Vec<TermStatistics>,
}

/// A term of a query.
#[derive(Debug)]
pub struct TermStatistics {
    /// Where it occurs, by part of the chunk.
    pub places: Vec<TermPlaces>,
    /// Number of chunks that have it in the part in which most have it, among those that statistics are taken of: as in
    /// Lucene's `CombinedFieldQuery`. The number of those that have it in any part is not known without reading them.
    pub doc_freq: u64,
}

/// Where a term occurs in one part of chunks.
#[derive(Clone, Debug)]
pub struct TermPlaces {
    /// The part.
    pub part: Part,
    /// The term of the index.
    pub term: Term,
    /// Its dictionary entry in each segment that has it.
    pub infos: Arc<[Option<TermInfo>]>,
}

impl<'a> TermTable<'a> {
    /// A table of terms in these parts of chunks.
    pub fn new(parts: &'a [Part]) -> Self {
        Self { numbers: HashMap::new(), parts, all: Vec::new() }
    }

    /// The number of a term. A new one is looked up in the segments.
    ///
    /// # Errors
    /// `DamagedIndex`.
    pub fn number(&mut self, term: &FieldTerm, segments: &[Arc<Segment>], fields: &Fields) -> Result<usize> {
        if let Some(number) = self.numbers.get(term) {
            return Ok(*number);
        }
        let is_unaccented = term.1.starts_with(UNACCENTED);
        let mut places = Vec::new();
        let mut doc_freq = 0;
        for part in self.parts {
            let known = Term::from_field_text(fields.of(*part, term.0), &term.1);
            let info =
                |segment: &Arc<Segment>| match !segment.has(*part) || (is_unaccented && !segment.has_unaccented()) {
                    true => Ok(None),
                    false => catch_damage(|| Ok(segment.inverted(known.field()).get_term_info(&known)?)),
                };
            let infos: Arc<[Option<TermInfo>]> = segments.iter().map(info).collect::<Result<_>>()?;
            let found: u64 = infos.iter().flatten().map(|info| u64::from(info.doc_freq)).sum();
            if found > 0 {
                places.push(TermPlaces { part: *part, term: known, infos });
                doc_freq = found.max(doc_freq);
            }
        }
        let number = self.all.len();
        self.all.push(TermStatistics { places, doc_freq });
        self.numbers.insert(term.clone(), number);
        Ok(number)
    }
}

/// Statistics of a set of chunks, on which scores depend.
#[derive(Clone, Debug, Default)]
pub struct CollectionStatistics {
    /// Number of chunks.
    pub chunks: u64,
    /// Of each field, by [`Fields::number`].
    fields: [FieldStatistics; TEXT_FIELDS],
    doc_freqs: HashMap<Term, u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct FieldStatistics {
    /// Number of terms, repetitions included.
    terms: u64,
    /// Number of chunks that have any.
    filled: u64,
}

impl CollectionStatistics {
    /// The statistics of all chunks of the segments.
    pub fn of_segments(segments: &[Arc<Segment>], terms: &TermTable<'_>, fields: &Fields) -> Self {
        let of = |field: Field| FieldStatistics {
            terms: segments.iter().map(|segment| segment.inverted(field).total_num_tokens()).sum(),
            filled: segments.iter().map(|segment| u64::from(segment.filled(field))).sum(),
        };
        let mut counts = Self {
            chunks: segments.iter().map(|segment| u64::from(segment.chunk_count())).sum(),
            fields: fields.texts().map(of),
            doc_freqs: HashMap::new(),
        };
        counts.take_doc_freqs(terms);
        counts
    }

    /// The statistics of some documents of each segment. Sets the document frequencies of `terms` accordingly.
    ///
    /// # Errors
    /// `DamagedIndex`.
    pub fn of_documents(
        segments: &[Arc<Segment>],
        documents: &[Vec<DocId>],
        terms: &mut TermTable<'_>,
        fields: &Fields,
    ) -> Result<Self> {
        let mut counts = Self::default();
        for (segment, documents) in segments.iter().zip(documents) {
            counts.chunks += documents.len() as u64;
            for (field, counts) in fields.texts().into_iter().zip(&mut counts.fields) {
                let lengths = segment.lengths(field);
                for doc in documents.iter().filter(|_| segment.filled(field) > 0) {
                    let length = u64::from(lengths.fieldnorm(*doc));
                    counts.terms += length;
                    counts.filled += u64::from(length > 0);
                }
            }
        }
        for known in &mut terms.all {
            known.doc_freq = 0;
            for places in &known.places {
                let mut found = 0;
                for (at, (segment, documents)) in segments.iter().zip(documents).enumerate() {
                    if let Some(Some(info)) = places.infos.get(at) {
                        found += catch_damage(|| count(segment, places.term.field(), info, documents))?;
                    }
                }
                known.doc_freq = known.doc_freq.max(found);
            }
        }
        counts.take_doc_freqs(terms);
        Ok(counts)
    }

    fn take_doc_freqs(&mut self, terms: &TermTable<'_>) {
        for known in &terms.all {
            self.doc_freqs.extend(known.places.iter().map(|places| (places.term.clone(), known.doc_freq)));
        }
    }

    /// Mean length of a field in terms: of the contents of all chunks, of the titles and headings of those that have any.
    /// At least one term and one chunk are assumed.
    pub fn mean_length(&self, part: Part, field: Field) -> f32 {
        let FieldStatistics { terms, filled } = self.fields[Fields::number(field)];
        let chunks = if part == Part::Content { self.chunks } else { filled };
        terms.max(1) as f32 / chunks.max(1) as f32
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
        Ok(self.fields[Fields::number(field)].terms.max(1))
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        Ok(self.chunks.max(1))
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        Ok(self.doc_freqs.get(term).copied().unwrap_or_default().min(self.chunks))
    }
}
