//! The citation of a part of a passage, which is looked at in its document before it is returned.

use super::context::Context;
use super::document::Document;
use crate::catalog::CorpusSpec;
use crate::catalog::privileges::{as_reader, may_read_extractor};
use crate::pg::{plan_cache, value};
use socle_core::Result;
use socle_core::answer::content_hash;
use socle_core::document::RecognizedPage;
use std::ops::Range;

const RECOGNITION: &str = include_str!("../../sql/answer/recognition.sql");
const EXTRACTOR: &str = include_str!("../../sql/answer/extractor.sql");

/// What is cited.
#[derive(Clone, Debug)]
pub struct Cited {
    /// Number of the passage, from 0.
    pub passage: usize,
    /// Its bytes in the passage.
    pub range: Range<usize>,
    /// How well it supports what it is cited for.
    pub support: f64,
}

impl Cited {
    /// The citation with this number as JSON; `None` if it does not stand where its chunk says. Where documents are files,
    /// chunks of a file that has changed are no results, and the text of the same file is the same.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn citation(&self, corpora: &[CorpusSpec], context: &Context, number: usize) -> Result<Option<String>> {
        let numbered = &context.passages[self.passage];
        let (best, passage) = (&numbered.best, &numbered.passage);
        let Some(corpus) = corpora.iter().find(|corpus| corpus.name == best.corpus) else { return Ok(None) };
        let quote = passage.content.get(self.range.clone()).unwrap_or_default();
        let hash = content_hash(quote);
        let (mut start, mut end) = passage.offsets(&self.range);
        // With chunks around a result, white space between them may be another than in the document.
        let is_wide = passage.ordinals.1 - passage.ordinals.0 >= i32::try_from(passage.hits.len()).unwrap_or(i32::MAX);
        if !corpus.has_files() || is_wide {
            let Some(document) = Document::of_chunk(corpus, best.ranked.chunk_id)? else { return Ok(None) };
            let from_zero = |offset: i32| usize::try_from(offset - 1).unwrap_or_default();
            // Characters of markup are not those of its text: the quote is somewhere in the passage.
            let whole = from_zero(passage.start)..from_zero(passage.end);
            let near = if document.is_markup() { whole.start } else { from_zero(start) };
            let Some(place) = document.place_within(whole, quote, &hash, near)? else { return Ok(None) };
            let offset = |place: usize| i32::try_from(place + 1).unwrap_or(i32::MAX);
            (start, end) = (offset(place.start), offset(place.end));
        }
        let mut members = vec![
            format!("\"number\":{number}"),
            format!("\"corpus\":{}", value::string(&best.corpus)),
            format!("\"source_key\":{}", best.key.0),
            format!("\"start_offset\":{start}"),
            format!("\"end_offset\":{end}"),
            format!("\"quote\":{}", value::string(quote)),
            format!("\"content_sha256\":{}", value::string(&hash)),
            format!("\"support\":{:.3}", self.support),
        ];
        members.extend(best.title.as_ref().map(|title| format!("\"title\":{}", value::string(title))));
        members.extend(numbered.page(start).map(|page| format!("\"page\":{page}")));
        let extractor = extractor(corpus, best.ranked.chunk_id)?;
        members.extend(extractor.map(|name| format!("\"extractor\":{}", value::string(&name))));
        let confidence = recognition_confidence(corpus, best.ranked.chunk_id)?;
        members.extend(confidence.map(|sure| format!("\"recognition_confidence\":{sure:.3}")));
        members.extend(confidence.filter(|sure| is_unsure(*sure)).map(|_| "\"recognition_unsure\":true".to_string()));
        Ok(Some(format!("{{{}}}", members.join(","))))
    }
}

fn is_unsure(confidence: f32) -> bool {
    confidence * 1000.0 < f32::from(RecognizedPage::UNSURE_PERMILLE)
}

/// What the text of a chunk was extracted with, where that is known and the caller may read it; `None` for a text that is a value of
/// a column.
fn extractor(corpus: &CorpusSpec, chunk: i64) -> Result<Option<String>> {
    if !may_read_extractor(corpus) {
        return Ok(None);
    }
    let sql = corpus.sql(EXTRACTOR);
    let found = as_reader(corpus, || plan_cache::rows(&sql, &[chunk.into()], 1, |row| row.get::<String>(1)))?;
    Ok(found.into_iter().flatten().next())
}

/// How sure the model was that recognised the text of a chunk in a picture, from 0 to 1; `None` for the text of the file.
fn recognition_confidence(corpus: &CorpusSpec, chunk: i64) -> Result<Option<f32>> {
    if corpus.options.ocr_model.is_none() {
        return Ok(None);
    }
    let sql = corpus.sql(RECOGNITION);
    let found = as_reader(corpus, || plan_cache::rows(&sql, &[chunk.into()], 1, |row| row.get::<f32>(1)))?;
    Ok(found.into_iter().flatten().next())
}
