//! Reads the rows of a file that [`crate::PartWriter`] or [`crate::TextsWriter`] has written. Trusts nothing of it; to be called where a crash costs
//! this file alone.

use crate::columns::{Lists, Optional};
use crate::damaged;
use crate::schema::{schema, schema_of_texts};
use bytes::Bytes;
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::TypePtr;
use socle_core::Result;
use socle_core::corpus::archive::{ArchiveLayout, ArchivedChunk, FileLayout, FileRows, KeyKind, KeyValue, TextRow};
use std::vec::IntoIter;

/// The rows of a file, in order.
///
/// # Errors
/// `DamagedDocument` for bytes that are no such file, or one of another layout.
pub fn read_file(bytes: Vec<u8>, layout: &FileLayout) -> Result<FileRows> {
    match layout {
        FileLayout::Chunks(layout) => read(bytes, layout).map(FileRows::Chunks),
        FileLayout::Texts(columns) => read_texts(bytes, columns).map(FileRows::Texts),
    }
}

/// The chunks of a file, in order.
///
/// # Errors
/// Those of [`read_file`].
pub fn read(bytes: Vec<u8>, layout: &ArchiveLayout) -> Result<Vec<ArchivedChunk>> {
    let mut chunks = Vec::new();
    for_each_group(bytes, schema(layout), &mut |group| group.read(layout, &mut chunks))?;
    Ok(chunks)
}

fn read_texts(bytes: Vec<u8>, names: &[String]) -> Result<Vec<TextRow>> {
    let mut rows: Vec<TextRow> = Vec::new();
    for_each_group(bytes, schema_of_texts(names), &mut |mut group| {
        let mut columns = Vec::with_capacity(names.len());
        for _ in names {
            columns.push(group.optional::<ByteArrayType>()?);
        }
        for _ in 0..group.count {
            let values = columns.iter_mut().map(|column| column.next().flatten().map(text).transpose());
            rows.push(values.collect::<Result<_>>()?);
        }
        Ok(())
    })?;
    Ok(rows)
}

/// Passes on the row groups of a file that has this schema.
fn for_each_group(
    bytes: Vec<u8>,
    wanted: Result<TypePtr, ParquetError>,
    take: &mut dyn FnMut(Group<'_>) -> Result<()>,
) -> Result<()> {
    let file = SerializedFileReader::new(Bytes::from(bytes)).map_err(invalid)?;
    if file.metadata().file_metadata().schema() != wanted.map_err(invalid)?.as_ref() {
        return Err(damaged("Its columns are not those that the manifest describes."));
    }
    for at in 0..file.num_row_groups() {
        let group = file.get_row_group(at).map_err(invalid)?;
        let count = usize::try_from(group.metadata().num_rows()).map_err(|_| damaged("A row group has no size."))?;
        take(Group { reader: group.as_ref(), count, next: 0 })?;
    }
    Ok(())
}

/// A row group whose columns are read one after the other.
struct Group<'a> {
    reader: &'a dyn RowGroupReader,
    count: usize,
    next: usize,
}

/// Values and levels of a column.
struct Column<T> {
    values: Vec<T>,
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

impl Group<'_> {
    fn read(mut self, layout: &ArchiveLayout, chunks: &mut Vec<ArchivedChunk>) -> Result<()> {
        let mut keys = Vec::with_capacity(layout.keys.len());
        for (_, kind) in &layout.keys {
            keys.push(self.key(*kind)?);
        }
        let mut ordinal = self.numbers()?;
        let mut content = self.texts()?;
        let mut heading_path = self.lists::<ByteArrayType>()?;
        let mut page = self.optional::<Int32Type>()?;
        let (mut start, mut end, mut tokens) = (self.numbers()?, self.numbers()?, self.numbers()?);
        let mut hash = self.plain::<ByteArrayType>()?;
        let mut embedding = self.lists::<FloatType>()?;
        let mut token_vectors =
            if layout.token_vectors { self.optional::<ByteArrayType>()? } else { Vec::new().into_iter() };
        let short = || damaged("A column has fewer rows than another.");
        for _ in 0..self.count {
            let key: Option<Vec<KeyValue>> = keys.iter_mut().map(Iterator::next).collect();
            let embedding = embedding.next().ok_or_else(short)?;
            if embedding.len() != layout.dimensions as usize {
                let found = embedding.len();
                return Err(damaged(format!("A vector has {found} dimensions, not {}.", layout.dimensions)));
            }
            let headings = heading_path.next().ok_or_else(short)?;
            chunks.push(ArchivedChunk {
                key: key.ok_or_else(short)?,
                ordinal: ordinal.next().ok_or_else(short)?,
                content: content.next().ok_or_else(short)?,
                heading_path: headings.into_iter().map(text).collect::<Result<_>>()?,
                page: page.next().ok_or_else(short)?,
                start_offset: start.next().ok_or_else(short)?,
                end_offset: end.next().ok_or_else(short)?,
                token_count: tokens.next().ok_or_else(short)?,
                content_hash: hash.next().ok_or_else(short)?.data().to_vec(),
                embedding,
                token_vectors: token_vectors.next().flatten().map(|vectors| vectors.data().to_vec()),
            });
        }
        Ok(())
    }

    fn key(&mut self, kind: KeyKind) -> Result<IntoIter<KeyValue>> {
        let values: Vec<KeyValue> = match kind {
            KeyKind::Int32 => self.numbers()?.map(|number| KeyValue::Integer(number.into())).collect(),
            KeyKind::Int64 => self.plain::<Int64Type>()?.map(KeyValue::Integer).collect(),
            KeyKind::Text => self.texts()?.map(KeyValue::Text).collect(),
        };
        Ok(values.into_iter())
    }

    fn numbers(&mut self) -> Result<IntoIter<i32>> {
        self.plain::<Int32Type>()
    }

    fn texts(&mut self) -> Result<IntoIter<String>> {
        let texts: Vec<String> = self.plain::<ByteArrayType>()?.map(text).collect::<Result<_>>()?;
        Ok(texts.into_iter())
    }

    fn plain<T: DataType>(&mut self) -> Result<IntoIter<T::T>> {
        Ok(self.column::<T>()?.values.into_iter())
    }

    fn optional<T: DataType>(&mut self) -> Result<IntoIter<Option<T::T>>> {
        let Column { values, definition: levels, .. } = self.column::<T>()?;
        let rows: Vec<Option<T::T>> = Optional { values, levels }.into_rows().collect();
        Ok(rows.into_iter())
    }

    fn lists<T: DataType>(&mut self) -> Result<IntoIter<Vec<T::T>>> {
        let Column { values, definition, repetition } = self.column::<T>()?;
        Ok(Lists { values, definition, repetition }.into_rows().into_iter())
    }

    /// The next column. Its type is that of the schema, which has been compared.
    fn column<T: DataType>(&mut self) -> Result<Column<T::T>> {
        let reader = self.reader.get_column_reader(self.next).map_err(invalid)?;
        self.next += 1;
        let mut reader = get_typed_column_reader::<T>(reader);
        let mut column = Column { values: Vec::new(), definition: Vec::new(), repetition: Vec::new() };
        let levels = (Some(&mut column.definition), Some(&mut column.repetition));
        let (records, ..) = reader.read_records(self.count, levels.0, levels.1, &mut column.values).map_err(invalid)?;
        if records == self.count { Ok(column) } else { Err(damaged("A column has fewer rows than its row group.")) }
    }
}

fn text(bytes: ByteArray) -> Result<String> {
    let text = bytes.as_utf8().map_err(invalid)?;
    if text.contains('\0') { Err(damaged("A text has a zero byte.")) } else { Ok(text.to_string()) }
}

fn invalid(error: ParquetError) -> socle_core::Error {
    damaged(error.to_string())
}
