//! Values of one column, copied from rows and kept until the transaction ends.

use super::column::Column;
use super::error::require;
use super::trigger_call::Row;
use super::version::local_transaction;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;

/// Copies in TopTransactionContext, which are used in their transaction only.
#[derive(Debug)]
pub struct TransactionValues {
    column: Column,
    values: Vec<pg_sys::Datum>,
    transaction: pg_sys::LocalTransactionId,
}

impl TransactionValues {
    /// No values yet.
    pub fn new(column: Column) -> Self {
        Self { column, values: Vec::new(), transaction: local_transaction() }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Adds the value that a row has in a column of the same type; NULL is not added.
    pub fn push(&mut self, row: Row<'_>, column: &Column) {
        self.require_transaction();
        require(column.type_oid == self.column.type_oid, "values of two types are kept together");
        // SAFETY: the context exists as long as the transaction. After an error, Postgres switches back itself.
        let value = unsafe {
            let before = pg_sys::MemoryContextSwitchTo(pg_sys::TopTransactionContext);
            let value = row.copy(column);
            pg_sys::MemoryContextSwitchTo(before);
            value
        };
        self.values.extend(value);
    }

    /// A single value as a parameter of its type, several as an array.
    pub fn parameter(&self) -> DatumWithOid<'_> {
        self.require_transaction();
        let column = &self.column;
        match self.values.as_slice() {
            // SAFETY: a value of the type of the column, of this transaction.
            [value] => unsafe { DatumWithOid::new(*value, column.type_oid) },
            // SAFETY: as above; Postgres copies the values into the array.
            values => unsafe {
                let array = pg_sys::construct_array(
                    values.as_ptr().cast_mut(),
                    i32::try_from(values.len()).unwrap_or(i32::MAX),
                    column.type_oid,
                    i32::from(column.length),
                    column.by_value,
                    column.align,
                );
                DatumWithOid::new(pg_sys::Datum::from(array), column.array_oid)
            },
        }
    }

    /// Frees the values before the transaction ends.
    pub fn free(&mut self) {
        self.require_transaction();
        let by_value = self.column.by_value;
        for value in self.values.drain(..).filter(|_| !by_value) {
            // SAFETY: copied by `push` in this transaction, and not used again.
            unsafe { pg_sys::pfree(value.cast_mut_ptr()) };
        }
    }

    fn require_transaction(&self) {
        let same = self.transaction != 0 && self.transaction == local_transaction();
        require(same, "values of a transaction are used in another one");
    }
}
