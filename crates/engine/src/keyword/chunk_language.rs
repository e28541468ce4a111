//! The language that each chunk was analysed in, which its segment has as a term.

use super::language::Language;
use super::segment::{Segment, catch_damage};
use socle_core::Result;
use std::collections::HashMap;
use std::sync::Arc;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, TERMINATED, Term};

/// How many of `documents`, which have to ascend, were analysed in a language.
///
/// # Errors
/// `DamagedIndex`.
pub fn count(segment: &Segment, language: Language, documents: &[DocId]) -> Result<u32> {
    let mut count = 0;
    for_each(segment, language, documents, &mut |_| count += 1)?;
    Ok(count)
}

/// The languages that these chunks were analysed in, in the same order; `None` for those that the segments do not have.
///
/// # Errors
/// `DamagedIndex`.
pub fn of_chunks(segments: &[Arc<Segment>], chunk_ids: &[i64]) -> Result<Vec<Option<Language>>> {
    let mut ascending = chunk_ids.to_vec();
    ascending.sort_unstable();
    ascending.dedup();
    let mut known: HashMap<i64, Language> = HashMap::with_capacity(ascending.len());
    for segment in segments {
        let documents = segment.documents(&ascending);
        if documents.is_empty() {
            continue;
        }
        let languages: Vec<Language> = segment.languages().map(|(language, _)| language).collect();
        if let [only] = languages[..] {
            known.extend(documents.iter().map(|document| (segment.chunk_id(*document), only)));
            continue;
        }
        for language in languages {
            for_each(segment, language, &documents, &mut |document| {
                known.insert(segment.chunk_id(document), language);
            })?;
        }
    }
    Ok(chunk_ids.iter().map(|id| known.get(id).copied()).collect())
}

/// Calls `found` for each of `documents`, which have to ascend, that was analysed in a language.
fn for_each(segment: &Segment, language: Language, documents: &[DocId], found: &mut dyn FnMut(DocId)) -> Result<()> {
    let field = segment.fields.language;
    catch_damage(|| {
        let inverted = segment.reader().inverted_index(field)?;
        let Some(info) = inverted.get_term_info(&Term::from_field_text(field, language.name()))? else {
            return Ok(());
        };
        let mut postings = inverted.read_postings_from_terminfo(&info, IndexRecordOption::Basic)?;
        for document in documents {
            if postings.doc() < *document {
                postings.seek(*document);
            }
            match postings.doc() {
                TERMINATED => break,
                at if at == *document => found(at),
                _ => {}
            }
        }
        Ok(())
    })
}
