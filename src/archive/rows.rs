//! `socle.export_corpus_rows`: the chunks of a corpus as rows, made some at a time.

use super::read_chunks::{self, KeyForm, KeyedChunk, Position};
use crate::ledger::{self, Event, EventKind};
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::pg::jsonb_key::Key;
use crate::search::{with_corpora, with_corpora_again};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::{Error, Kind, Result};
use std::vec::IntoIter;

type Row = (Key, i32, String, Vec<String>, Option<i32>, i32, i32, i32, Vec<u8>, Vec<f32>);

type Rows = TableIterator<
    'static,
    (
        name!(source_key, Key),
        name!(ordinal, i32),
        name!(content, String),
        name!(heading_path, Vec<String>),
        name!(page, Option<i32>),
        name!(start_offset, i32),
        name!(end_offset, i32),
        name!(token_count, i32),
        name!(content_hash, Vec<u8>),
        name!(embedding, Vec<f32>),
    ),
>;

/// The rows that are still to be returned.
struct ChunkRows {
    names: [String; 1],
    position: Position,
    ready: IntoIter<KeyedChunk>,
}

#[pg_extern(sql = false)]
fn export_corpus_rows(call: pg_sys::FunctionCallInfo) -> Result<Rows, ErrorReport> {
    begun(Arguments::new(call)).map(TableIterator::new).map_err(report)
}

fn begun(arguments: Arguments) -> Result<ChunkRows> {
    let name = arguments.short_text(0, "corpus")?;
    let names = [name.ok_or_else(|| Error::new(Kind::InvalidArgument, "corpus must not be null"))?];
    let incomplete = arguments.boolean(1).unwrap_or_default();
    with_corpora(&names, |corpora| {
        corpora.iter().try_for_each(|corpus| read_chunks::check_complete(corpus, incomplete).map(drop))
    })?;
    let event = Event::new(EventKind::ExportCorpus).with("corpus", names[0].as_str());
    ledger::tell(&event.with("form", "rows"));
    Ok(ChunkRows { names, position: Position::default(), ready: Vec::new().into_iter() })
}

impl Iterator for ChunkRows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        loop {
            if let Some((chunk, key)) = self.ready.next() {
                return Some((
                    key.unwrap_or_default(),
                    chunk.ordinal,
                    chunk.content,
                    chunk.heading_path,
                    chunk.page,
                    chunk.start_offset,
                    chunk.end_offset,
                    chunk.token_count,
                    chunk.content_hash,
                    chunk.embedding,
                ));
            }
            if self.position.at_end {
                return None;
            }
            if let Err(error) = self.read() {
                report(error).report(PgLogLevel::ERROR);
            }
        }
    }
}

impl ChunkRows {
    fn read(&mut self) -> Result<()> {
        pgrx::check_for_interrupts!();
        let position = &mut self.position;
        let found = with_corpora_again(&self.names, |corpora| match corpora.first() {
            Some(corpus) => read_chunks::next(corpus, KeyForm::Json, false, position),
            None => Ok(Vec::new()),
        })?;
        self.ready = found.into_iter();
        if position.at_end && position.left_out > 0 {
            pgrx::notice!("{} chunks left out: their documents have changed or are gone", position.left_out);
        }
        Ok(())
    }
}
