//! SQL over the tables of one corpus, or over a table of files: templates with names in braces.
//!
//! Names are quoted by [`identifier`]; values are parameters, except the few that a definition stores, which
//! [`literal`] quotes.

use super::{CorpusSpec, Role};
use pgrx::spi::{quote_identifier, quote_literal};

const LARGE_OBJECT: &str = include_str!("../../sql/corpus/large_object.sql");

/// Value of `refusal` for a large object that the owner of the corpus may not read.
pub const UNREADABLE: &str = "unreadable";

/// Expands a statement for a corpus. `{name}` stands for:
///
/// - `source`, `source_table`, `chunk`, `change`, `document`: relations, the first with `ONLY` where the source has no
///   partitions; `donor`, `token_donor`: the other table to look for vectors of equal chunks and of their tokens in, `chunk`
///   if there is none;
/// - `keys x`, `first_key x`: the key columns of a table with alias `x`, where `s` is the source and any other alias a
///   table of the corpus; `key_names`, `first_key_name`: their names in the tables of the corpus;
/// - `batches x`: the columns of a change log that hold many keys at once;
/// - `same x y`: the keys of two aliases are equal;
/// - `text x`, `hash x`, `refusal x`: of the source `s`; files of more than `x` bytes are not read; `refusal` says why
///   there is no text;
/// - `size`, `media_type`, `file_name`, `language`, `template_values`, `read_columns`: of the source `s`;
/// - what `extra` names.
pub fn expand(statement: &str, corpus: &CorpusSpec, extra: &[(&str, &str)]) -> String {
    let mut sql = String::with_capacity(2 * statement.len());
    let mut rest = statement;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        sql.push_str(before);
        sql.push_str(&fragment(name, corpus, extra));
        rest = after;
    }
    sql.push_str(rest);
    sql
}

/// Expands a statement over one table of the user: `{target}` stands for its name.
pub fn over(statement: &str, schema: &str, table: &str) -> String {
    statement.replace("{target}", &qualified(schema, table))
}

/// A name as an SQL identifier, quoted where needed.
pub fn identifier(name: &str) -> String {
    quote_identifier(name)
}

/// A text as an SQL literal.
pub fn literal(text: &str) -> String {
    quote_literal(text)
}

/// Name of the column of a change log with the values of key column number `at`, from 0, of many rows.
pub fn batch_name(at: usize) -> String {
    format!("batch_{}", at + 1)
}

fn qualified(schema: &str, table: &str) -> String {
    format!("{}.{}", identifier(schema), identifier(table))
}

fn fragment(name: &str, corpus: &CorpusSpec, extra: &[(&str, &str)]) -> String {
    let mut words = name.split(' ');
    let (word, first, second) = (words.next().unwrap_or_default(), words.next(), words.next());
    let own = |table: &str| qualified(&corpus.tables.chunk_schema, table);
    match (word, first, second) {
        ("source", None, None) if corpus.tables.partitioned => {
            qualified(&corpus.tables.source_schema, &corpus.tables.source_table)
        }
        ("source", None, None) => {
            format!("ONLY {}", qualified(&corpus.tables.source_schema, &corpus.tables.source_table))
        }
        ("source_table", None, None) => qualified(&corpus.tables.source_schema, &corpus.tables.source_table),
        ("chunk", None, None) => own(&corpus.tables.chunk_table),
        ("change", None, None) => own(&corpus.tables.change_table),
        ("document", None, None) => own(&corpus.tables.document_table),
        ("donor", None, None) => own(corpus.tables.donor.as_ref().unwrap_or(&corpus.tables.chunk_table)),
        ("token_donor", None, None) => own(corpus.tables.token_donor.as_ref().unwrap_or(&corpus.tables.chunk_table)),
        ("name", None, None) => literal(&corpus.name),
        ("key_names", None, None) => list(corpus.tables.chunk_key_columns.iter().map(|column| identifier(column))),
        ("first_key_name", None, None) => {
            corpus.tables.chunk_key_columns.first().map(|column| identifier(column)).unwrap_or_default()
        }
        ("keys", Some(alias), None) => list(keys(corpus, alias)),
        ("first_key", Some(alias), None) => keys(corpus, alias).next().unwrap_or_default(),
        ("batches", Some(alias), None) => {
            list((0..corpus.tables.key_columns.len()).map(|at| format!("{alias}.{}", batch_name(at))))
        }
        ("same", Some(left), Some(right)) => same(corpus, left, right),
        ("text", Some(limit), None) => text(corpus, limit),
        ("refusal", Some(limit), None) => file(corpus, limit).map_or("NULL::text".into(), |file| file.refusal),
        ("size", None, None) => size(corpus),
        ("media_type", None, None) => hint(corpus, Role::MediaType),
        ("file_name", None, None) => hint(corpus, Role::FileName),
        ("hash", Some(limit), None) => hash(corpus, limit),
        ("template_values", None, None) => {
            let values = corpus.options.template_columns.iter().map(|column| as_text(corpus, column));
            format!("ARRAY[{}]::text[]", list(values))
        }
        ("language", None, None) => {
            corpus.options.language_column.as_deref().map_or("NULL".into(), |column| as_text(corpus, column))
        }
        ("read_columns", None, None) => list(corpus.read_columns().into_iter().map(of_source)),
        _ => extra.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_string()).unwrap_or_default(),
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

fn of_source(column: &str) -> String {
    format!("s.{}", identifier(column))
}

/// A column of the source as text, see [`crate::pg::value`]: an output function gives '' for NULL.
fn as_text(corpus: &CorpusSpec, column: &str) -> String {
    let value = of_source(column);
    if corpus.foreign_columns.iter().any(|foreign| foreign == column) {
        format!("CASE WHEN num_nulls({value}) = 0 THEN format('%s', {value}) END")
    } else {
        format!("{value}::text")
    }
}

/// The key columns; `self` is the chunk table under its own name, as in a policy, which gives it no alias.
fn keys<'a>(corpus: &'a CorpusSpec, alias: &'a str) -> Box<dyn Iterator<Item = String> + 'a> {
    let own = corpus.tables.chunk_key_columns.iter();
    match alias {
        "s" => Box::new(corpus.tables.key_columns.iter().map(|column| of_source(column))),
        "self" => Box::new(own.map(|column| qualified(&corpus.tables.chunk_table, column))),
        alias => Box::new(own.map(move |column| format!("{alias}.{}", identifier(column)))),
    }
}

fn same(corpus: &CorpusSpec, left: &str, right: &str) -> String {
    let sides = keys(corpus, left).zip(keys(corpus, right)).zip(&corpus.tables.key_operators);
    sides.map(|((left, right), operator)| format!("{left} {operator} {right}")).collect::<Vec<_>>().join(" AND ")
}

/// Size of a document in bytes. That of a large object is not known before it is read: it gets the largest size, so
/// that it is synced by itself.
fn size(corpus: &CorpusSpec) -> String {
    if corpus.content_column(Role::LargeObject).is_some() {
        return format!("{}::bigint", i32::MAX);
    }
    let sizes =
        corpus.options.content_columns.iter().map(|column| format!("coalesce(octet_length({}), 0)", of_source(column)));
    format!("({})::bigint", sizes.collect::<Vec<_>>().join(" + "))
}

/// A column that describes a file, as text.
fn hint(corpus: &CorpusSpec, role: Role) -> String {
    corpus.content_column(role).map_or("NULL::text".into(), |column| as_text(corpus, column))
}

/// SQL expressions for a file.
struct File {
    /// The bytes; NULL if they are not read.
    bytes: String,
    /// What identifies the contents, as text; for a file that is not read, only why.
    identity: String,
    /// Why it is not read: [`UNREADABLE`], or its size; NULL if it is read.
    refusal: String,
}

/// The expressions for a file of at most `limit` bytes; `None` where documents are texts. The size of a `bytea` is
/// known without reading it; a large object is too large if it has a byte beyond the limit.
fn file(corpus: &CorpusSpec, limit: &str) -> Option<File> {
    let limit = format!("{limit}::bigint");
    if let Some(column) = corpus.content_column(Role::LargeObject).map(of_source) {
        let of_object = |what: &str| LARGE_OBJECT.replace("{what}", what).replace("{column}", &column);
        let fits = format!("octet_length(lo_get(o.oid, {limit}, 1)) = 0");
        let choice = |object: &str, large: &str, small: &str| {
            of_object(&format!("CASE WHEN NOT r.readable THEN {object} WHEN {fits} THEN {small} ELSE {large} END"))
        };
        let (unreadable, large) = (literal(UNREADABLE), format!("format('more than %s', {limit})"));
        return Some(File {
            bytes: choice("NULL", "NULL", "lo_get(o.oid)"),
            identity: choice(&unreadable, &large, "encode(sha256(lo_get(o.oid)), 'hex')"),
            refusal: choice(&unreadable, &large, "NULL"),
        });
    }
    let column = of_source(corpus.content_column(Role::Document)?);
    let size = format!("octet_length({column})");
    Some(File {
        bytes: format!("CASE WHEN {size} <= {limit} THEN {column} END"),
        identity: format!("CASE WHEN {size} <= {limit} THEN encode(sha256({column}), 'hex') ELSE {size}::text END"),
        refusal: format!("CASE WHEN {size} > {limit} THEN {size}::text END"),
    })
}

/// The document: the file, or the text columns that are not empty, with an empty line between them.
fn text(corpus: &CorpusSpec, limit: &str) -> String {
    if let Some(file) = file(corpus, limit) {
        return format!("coalesce({}, '')", file.bytes);
    }
    match corpus.options.content_columns.as_slice() {
        [column] => format!("coalesce({}, '')", as_text(corpus, column)),
        columns => {
            let columns = columns.iter().map(|column| format!("nullif({}, '')", as_text(corpus, column)));
            format!("concat_ws(E'\\n\\n', {})", list(columns))
        }
    }
}

/// Hash of everything that the chunks of a row and their keywords depend on. Lengths separate the columns.
fn hash(corpus: &CorpusSpec, limit: &str) -> String {
    let file = file(corpus, limit).map(|file| format!("coalesce({}, '-')", file.identity));
    // The file column is left out: its text depends on settings of the session, such as bytea_output.
    let texts = corpus.read_columns().into_iter().skip(usize::from(file.is_some()));
    let columns = texts.chain(corpus.options.language_column.as_deref()).map(|column| {
        let text = as_text(corpus, column);
        format!("coalesce(octet_length({text})::text, '-'), ':', {text}")
    });
    format!("sha256(convert_to(concat({}), 'UTF8'))", list(file.into_iter().chain(columns)))
}
