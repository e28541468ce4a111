//! Writes the rows of a table, as texts, as one Parquet file. Holds one row group in memory.

use crate::columns::Optional;
use crate::schema::schema_of_texts;
use crate::unwritable;
use crate::write::{column, properties};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::Result as ParquetResult;
use parquet::file::writer::SerializedFileWriter;
use socle_core::corpus::archive::TextRow;
use socle_core::{Result, memory};
use std::io::Write;
use std::sync::Arc;

/// Bytes of rows in a row group, and how many times as many are needed to write it; as for chunks.
const ROW_GROUP_BYTES: usize = 8 << 20;
const ROOM: usize = 4;

/// A file that is being written.
pub struct TextsWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<Optional<ByteArray>>,
    group_bytes: usize,
    row_count: u64,
}

impl<W: Write + Send> TextsWriter<W> {
    /// Begins a file with columns of these names; `stored` are keys with values in it.
    ///
    /// # Errors
    /// `UnreadableFile`, `DiskFull` for what `out` fails with.
    pub fn begin(out: W, columns: &[String], stored: &[(&str, &str)]) -> Result<Self> {
        let options = Arc::new(properties(stored).build());
        let file = schema_of_texts(columns).and_then(|schema| SerializedFileWriter::new(out, schema, options));
        let file = file.map_err(|error| unwritable(&error))?;
        let columns = columns.iter().map(|_| Optional::default()).collect();
        Ok(Self { file, columns, group_bytes: 0, row_count: 0 })
    }

    /// Appends a row, which has a value for each column.
    ///
    /// # Errors
    /// Those of [`Self::begin`]; `OutOfMemory`.
    pub fn push(&mut self, row: TextRow) -> Result<()> {
        self.row_count += 1;
        for (column, value) in self.columns.iter_mut().zip(row.into_iter().chain(std::iter::repeat(None))) {
            self.group_bytes += value.as_ref().map_or(1, String::len);
            column.push(value.map(|text| text.into_bytes().into()));
        }
        if self.group_bytes >= ROW_GROUP_BYTES { self.flush() } else { Ok(()) }
    }

    /// Number of rows.
    pub fn row_count(&self) -> u64 {
        self.row_count
    }

    /// Ends the file and returns what it was written to.
    ///
    /// # Errors
    /// Those of [`Self::push`].
    pub fn finish(mut self) -> Result<W> {
        self.flush()?;
        self.file.into_inner().map_err(|error| unwritable(&error))
    }

    fn flush(&mut self) -> Result<()> {
        memory::ensure(ROOM * self.group_bytes)?;
        self.group_bytes = 0;
        let empty = self.columns.iter().map(|_| Optional::default()).collect();
        let columns = std::mem::replace(&mut self.columns, empty);
        if columns.first().is_none_or(|column| column.levels.is_empty()) {
            return Ok(());
        }
        let mut written = || -> ParquetResult<()> {
            let mut group = self.file.next_row_group()?;
            for Optional { values, levels } in &columns {
                column::<ByteArrayType, W>(&mut group, values, Some(levels), None)?;
            }
            group.close().map(drop)
        };
        written().map_err(|error| unwritable(&error))
    }
}
