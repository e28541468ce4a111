//! The schemas of files.

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::errors::Result;
use parquet::schema::types::{Type, TypePtr};
use socle_core::corpus::archive::{ArchiveLayout, KeyKind};
use std::sync::Arc;

/// The schema: the columns of the chunk table, in this order. All but `page` and `token_vectors` have no NULL.
pub fn schema(layout: &ArchiveLayout) -> Result<TypePtr> {
    let mut fields = Vec::new();
    for (name, kind) in &layout.keys {
        fields.push(match kind {
            KeyKind::Int32 => number(name, Physical::INT32, Repetition::REQUIRED)?,
            KeyKind::Int64 => number(name, Physical::INT64, Repetition::REQUIRED)?,
            KeyKind::Text => text(name)?,
        });
    }
    fields.push(number("ordinal", Physical::INT32, Repetition::REQUIRED)?);
    fields.push(text("content")?);
    fields.push(list("heading_path", text("element")?)?);
    fields.push(number("page", Physical::INT32, Repetition::OPTIONAL)?);
    for name in ["start_offset", "end_offset", "token_count"] {
        fields.push(number(name, Physical::INT32, Repetition::REQUIRED)?);
    }
    fields.push(number("content_hash", Physical::BYTE_ARRAY, Repetition::REQUIRED)?);
    fields.push(list("embedding", number("element", Physical::FLOAT, Repetition::REQUIRED)?)?);
    if layout.token_vectors {
        fields.push(number("token_vectors", Physical::BYTE_ARRAY, Repetition::OPTIONAL)?);
    }
    Ok(Arc::new(Type::group_type_builder("chunk").with_fields(fields).build()?))
}

/// The schema of a table of texts.
pub fn schema_of_texts(columns: &[String]) -> Result<TypePtr> {
    let fields = columns.iter().map(|name| {
        let builder = Type::primitive_type_builder(name, Physical::BYTE_ARRAY).with_repetition(Repetition::OPTIONAL);
        Ok(Arc::new(builder.with_logical_type(Some(LogicalType::String)).build()?))
    });
    Ok(Arc::new(Type::group_type_builder("row").with_fields(fields.collect::<Result<_>>()?).build()?))
}

fn number(name: &str, physical: Physical, repetition: Repetition) -> Result<TypePtr> {
    Ok(Arc::new(Type::primitive_type_builder(name, physical).with_repetition(repetition).build()?))
}

fn text(name: &str) -> Result<TypePtr> {
    let builder = Type::primitive_type_builder(name, Physical::BYTE_ARRAY).with_repetition(Repetition::REQUIRED);
    Ok(Arc::new(builder.with_logical_type(Some(LogicalType::String)).build()?))
}

/// A list in the form of three levels that the format prescribes.
fn list(name: &str, element: TypePtr) -> Result<TypePtr> {
    let repeated = Type::group_type_builder("list").with_repetition(Repetition::REPEATED).with_fields(vec![element]);
    let list = Type::group_type_builder(name).with_repetition(Repetition::REQUIRED);
    let list = list.with_logical_type(Some(LogicalType::List)).with_fields(vec![Arc::new(repeated.build()?)]);
    Ok(Arc::new(list.build()?))
}
