//! Writes chunks as one Parquet file. Holds one row group in memory.

use crate::columns::{Lists, Optional};
use crate::schema::schema;
use crate::unwritable;
use parquet::basic::{Compression, Encoding};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int32Type, Int64Type};
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::KeyValue as Property;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::ColumnPath;
use socle_core::corpus::archive::{ArchiveLayout, ArchivedChunk, KeyKind, KeyValue};
use socle_core::{Result, memory};
use std::io::Write;
use std::sync::Arc;

/// Bytes of rows in a row group. The writer takes a few times as much while it writes one.
const ROW_GROUP_BYTES: usize = 8 << 20;

/// How many times the bytes of a row group are needed to write it: the values, their levels and the encoded pages.
const ROOM: usize = 4;

/// Values of a key column.
enum KeyColumn {
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Text(Vec<ByteArray>),
}

/// The rows of a row group, by column.
#[derive(Default)]
struct Rows {
    keys: Vec<KeyColumn>,
    ordinal: Vec<i32>,
    content: Vec<ByteArray>,
    heading_path: Lists<ByteArray>,
    page: Optional<i32>,
    start_offset: Vec<i32>,
    end_offset: Vec<i32>,
    token_count: Vec<i32>,
    content_hash: Vec<ByteArray>,
    embedding: Lists<f32>,
    token_vectors: Optional<ByteArray>,
    bytes: usize,
}

/// A file that is being written.
pub struct PartWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    layout: ArchiveLayout,
    rows: Rows,
    row_count: u64,
    byte_count: usize,
}

impl<W: Write + Send> PartWriter<W> {
    /// Begins a file; `properties` are stored in it as keys with values.
    ///
    /// # Errors
    /// `UnreadableFile`, `DiskFull` for what `out` fails with.
    pub fn begin(out: W, layout: &ArchiveLayout, properties: &[(&str, &str)]) -> Result<Self> {
        // Vectors do not get smaller.
        let options = self::properties(properties).set_column_compression(vector_path(), Compression::UNCOMPRESSED);
        let options = options.build();
        let schema = schema(layout).map_err(|error| unwritable(&error))?;
        let file = SerializedFileWriter::new(out, schema, Arc::new(options)).map_err(|error| unwritable(&error))?;
        let rows = Rows::new(layout);
        Ok(Self { file, layout: layout.clone(), rows, row_count: 0, byte_count: 0 })
    }

    /// Appends a chunk. What it does not have according to the layout is left out.
    ///
    /// # Errors
    /// Those of [`Self::begin`]; `OutOfMemory`.
    pub fn push(&mut self, chunk: ArchivedChunk) -> Result<()> {
        let size = chunk.size();
        self.row_count += 1;
        self.byte_count += size;
        self.rows.push(chunk, size);
        if self.rows.bytes >= ROW_GROUP_BYTES { self.flush() } else { Ok(()) }
    }

    /// Number of chunks.
    pub fn row_count(&self) -> u64 {
        self.row_count
    }

    /// Bytes of all chunks, before they are compressed.
    pub fn byte_count(&self) -> usize {
        self.byte_count
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
        memory::ensure(ROOM * self.rows.bytes)?;
        let rows = std::mem::replace(&mut self.rows, Rows::new(&self.layout));
        if rows.ordinal.is_empty() {
            return Ok(());
        }
        let has_tokens = self.layout.token_vectors;
        let mut written = || -> ParquetResult<()> {
            let mut group = self.file.next_row_group()?;
            rows.write(&mut group, has_tokens)?;
            group.close().map(drop)
        };
        written().map_err(|error| unwritable(&error))
    }
}

/// What all files have in common; `stored` are keys with values in the file.
pub fn properties(stored: &[(&str, &str)]) -> WriterPropertiesBuilder {
    let stored = stored.iter().map(|(key, value)| Property::new((*key).to_string(), (*value).to_string()));
    WriterProperties::builder()
        .set_created_by(format!("socle {}", env!("CARGO_PKG_VERSION")))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_encoding(Encoding::PLAIN)
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(stored.collect()))
}

fn vector_path() -> ColumnPath {
    ColumnPath::new(["embedding", "list", "element"].map(str::to_string).to_vec())
}

impl Rows {
    fn new(layout: &ArchiveLayout) -> Self {
        let keys = layout.keys.iter().map(|(_, kind)| match kind {
            KeyKind::Int32 => KeyColumn::Int32(Vec::new()),
            KeyKind::Int64 => KeyColumn::Int64(Vec::new()),
            KeyKind::Text => KeyColumn::Text(Vec::new()),
        });
        Self { keys: keys.collect(), ..Self::default() }
    }

    fn push(&mut self, chunk: ArchivedChunk, size: usize) {
        self.bytes += size;
        for (column, value) in self.keys.iter_mut().zip(chunk.key) {
            match (column, value) {
                (KeyColumn::Int32(values), KeyValue::Integer(number)) => {
                    values.push(i32::try_from(number).unwrap_or_default());
                }
                (KeyColumn::Int64(values), KeyValue::Integer(number)) => values.push(number),
                (KeyColumn::Text(values), value) => values.push(value.into_text().into_bytes().into()),
                (KeyColumn::Int32(values), KeyValue::Text(_)) => values.push(0),
                (KeyColumn::Int64(values), KeyValue::Text(_)) => values.push(0),
            }
        }
        self.ordinal.push(chunk.ordinal);
        self.content.push(chunk.content.into_bytes().into());
        self.heading_path.push(chunk.heading_path.into_iter().map(|heading| heading.into_bytes().into()));
        self.page.push(chunk.page);
        self.start_offset.push(chunk.start_offset);
        self.end_offset.push(chunk.end_offset);
        self.token_count.push(chunk.token_count);
        self.content_hash.push(chunk.content_hash.into());
        self.embedding.push(chunk.embedding);
        self.token_vectors.push(chunk.token_vectors.map(Into::into));
    }

    fn write<W: Write + Send>(
        &self,
        group: &mut SerializedRowGroupWriter<'_, W>,
        has_tokens: bool,
    ) -> ParquetResult<()> {
        for key in &self.keys {
            match key {
                KeyColumn::Int32(values) => column::<Int32Type, W>(group, values, None, None)?,
                KeyColumn::Int64(values) => column::<Int64Type, W>(group, values, None, None)?,
                KeyColumn::Text(values) => column::<ByteArrayType, W>(group, values, None, None)?,
            }
        }
        column::<Int32Type, W>(group, &self.ordinal, None, None)?;
        column::<ByteArrayType, W>(group, &self.content, None, None)?;
        let Lists { values, definition, repetition } = &self.heading_path;
        column::<ByteArrayType, W>(group, values, Some(definition), Some(repetition))?;
        column::<Int32Type, W>(group, &self.page.values, Some(&self.page.levels), None)?;
        for values in [&self.start_offset, &self.end_offset, &self.token_count] {
            column::<Int32Type, W>(group, values, None, None)?;
        }
        column::<ByteArrayType, W>(group, &self.content_hash, None, None)?;
        let Lists { values, definition, repetition } = &self.embedding;
        column::<FloatType, W>(group, values, Some(definition), Some(repetition))?;
        if has_tokens {
            let Optional { values, levels } = &self.token_vectors;
            column::<ByteArrayType, W>(group, values, Some(levels), None)?;
        }
        Ok(())
    }
}

/// Writes the next column of a row group.
pub fn column<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    definition: Option<&Vec<i16>>,
    repetition: Option<&Vec<i16>>,
) -> ParquetResult<()> {
    let Some(mut writer) = group.next_column()? else { return Ok(()) };
    let (definition, repetition) = (definition.map(Vec::as_slice), repetition.map(Vec::as_slice));
    writer.typed::<T>().write_batch(values, definition, repetition)?;
    writer.close()
}
