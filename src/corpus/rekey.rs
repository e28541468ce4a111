//! Gives the documents and chunks of a corpus another key without embedding any of them again.

use super::binding_check::BindingCheck;
use super::source::Source;
use super::{create, ddl_events};
use crate::catalog::CorpusSpec;
use crate::catalog::sql_template::{batch_name, expand, identifier};
use crate::pg::{gucs, spi};
use crate::vector_index;
use socle_core::corpus::key::Widening;
use socle_core::{Error, Kind, Result};

const BEGIN: &str = include_str!("../../sql/corpus/rekey_begin.sql");
const DOCUMENTS: &str = include_str!("../../sql/corpus/rekey_documents.sql");
const CHUNKS: &str = include_str!("../../sql/corpus/rekey_chunks.sql");
const END: &str = include_str!("../../sql/corpus/rekey_end.sql");

/// Widens the key columns of the tables of a corpus to the current types of the source. To be called as the owner.
///
/// # Errors
/// What Postgres raises, such as for a view of a user that depends on the column.
pub fn widen(corpus: &CorpusSpec, binding: &BindingCheck) -> Result<()> {
    let _suppressed = ddl_events::SuppressDdlEvents::begin();
    let types = binding.key_types();
    let columns = |names: Vec<String>, suffix: &str, limits: bool| {
        let changed = names.iter().zip(&types).map(|(name, type_name)| {
            let type_name = if limits { *type_name } else { type_name.split(" COLLATE ").next().unwrap_or_default() };
            format!("ALTER COLUMN {name} TYPE {type_name}{suffix}")
        });
        changed.collect::<Vec<_>>().join(", ")
    };
    let keys = columns(corpus.tables.chunk_key_columns.iter().map(|name| identifier(name)).collect(), "", true);
    let batches = columns((0..types.len()).map(batch_name).collect(), "[]", false);
    // The policy depends on the column as well.
    spi::execute(&corpus.sql("DROP POLICY IF EXISTS socle_source_row ON {chunk}"))?;
    if binding.types() == super::binding_check::Types::Wider(Widening::Rewrite) {
        drop_vector_index(corpus)?;
    }
    for (table, columns) in [("chunk", &keys), ("document", &keys), ("change", &format!("{keys}, {batches}"))] {
        spi::execute(&expand(&format!("ALTER TABLE {{{table}}} {{columns}}"), corpus, &[("columns", columns)]))?;
    }
    create::protect(corpus)
}

/// Gives each document the key of the row with the same contents, and removes documents whose contents no row has. To
/// be called as the owner. The policy of the chunk table is closed.
///
/// # Errors
/// `NotInState` while the corpus is being altered; what Postgres raises.
pub fn rekey(corpus: &CorpusSpec, source: &Source) -> Result<CorpusSpec> {
    if let Some(successor) = corpus.successor()? {
        return Err(Error::new(Kind::NotInState, format!("corpus \"{}\" is being changed", corpus.name))
            .hint(format!("Cancel that first with socle.drop_corpus('{}').", successor.name)));
    }
    let _suppressed = ddl_events::SuppressDdlEvents::begin();
    let mut new = corpus.clone();
    new.tables.key_columns = source.key.iter().map(|column| column.name.clone()).collect();
    new.tables.key_operators = source.key.iter().map(|column| column.operator.clone()).collect();
    new.tables.chunk_key_columns = source.key_names();
    let room = |at: usize| format!("rekey_{}", at + 1);
    let all = |form: &dyn Fn(usize) -> String| (0..source.key.len()).map(form).collect::<Vec<_>>().join(", ");
    let definition = |at: usize| source.key.get(at).map(|column| column.definition.clone()).unwrap_or_default();
    let own = |at: usize| new.tables.chunk_key_columns.get(at).map(|name| identifier(name)).unwrap_or_default();
    let drops =
        |names: Vec<String>| names.iter().map(|name| format!("DROP COLUMN {name}")).collect::<Vec<_>>().join(", ");
    let old_batches = (0..corpus.tables.chunk_key_columns.len()).map(batch_name).collect();
    let renames = [new.sql("{chunk}"), new.sql("{document}")];
    let renames = renames.iter().flat_map(|table| {
        let rename = |at| format!("ALTER TABLE {table} RENAME COLUMN {} TO {};\n", room(at), own(at));
        (0..source.key.len()).map(rename).collect::<Vec<_>>()
    });
    let renames: String = renames.collect();
    let extra = [
        ("new_columns", all(&|at| format!("ADD COLUMN {} {}", room(at), definition(at)))),
        ("new_names", all(&room)),
        ("first_new_name", room(0)),
        ("row_names", all(&|at| format!("r.{}", room(at)))),
        ("document_names", all(&|at| format!("d.{}", room(at)))),
        ("new_keys", new.sql("{keys s}")),
        ("drop_columns", drops(corpus.tables.chunk_key_columns.iter().map(|name| identifier(name)).collect())),
        ("drop_batches", drops(old_batches)),
        ("rename_columns", renames),
        ("set_not_null", all(&|at| format!("ALTER COLUMN {} SET NOT NULL", own(at)))),
        ("add_keys", all(&|at| format!("ADD COLUMN {} {}", own(at), definition(at)))),
        (
            "add_batches",
            source.batch_columns().map(|column| format!("ADD COLUMN {column}")).collect::<Vec<_>>().join(", "),
        ),
    ];
    let extra: Vec<(&str, &str)> = extra.iter().map(|(name, text)| (*name, text.as_str())).collect();
    drop_vector_index(corpus)?;
    spi::execute(&expand(BEGIN, corpus, &extra))?;
    let limit = gucs::max_document_bytes() as i64;
    let documents = expand(DOCUMENTS, corpus, &extra);
    gucs::with_gucs(&gucs::RENDERING, || spi::run(&documents, &[limit.into()]))?;
    spi::execute(&expand(CHUNKS, corpus, &extra))?;
    spi::execute(&expand(END, &new, &extra))?;
    Ok(new)
}

/// Drops the vector index: every row that is rewritten would be inserted into it one by one.
fn drop_vector_index(corpus: &CorpusSpec) -> Result<()> {
    let indexes = vector_index::indexes(corpus)?;
    let mut statements = indexes.iter().map(|index| vector_index::drop_statement(corpus, index));
    gucs::with_gucs(&[gucs::QUIET], || statements.try_for_each(|statement| spi::execute(&statement)))
}
