//! Reads the rows of a heap table without planning or running a statement, so that no code of its owner is called.

use super::column::Column;
use super::error::require;
use super::{version, wait};
use pgrx::pg_sys;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// Pause between two attempts to lock a table.
const RETRY: Duration = Duration::from_millis(20);

/// A heap table, locked in ACCESS SHARE mode until it is dropped.
#[derive(Debug)]
pub struct Table(pg_sys::Relation);

/// A column whose values are arrays.
#[derive(Clone, Copy, Debug)]
pub struct ArrayColumn(Column);

/// A deformed row, valid during the visit.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    values: &'a [pg_sys::Datum],
    nulls: &'a [bool],
    table: &'a Table,
}

/// Locks a table for reading, as a query does; false when it is locked for longer than `patience`. To be called inside a
/// transaction.
pub fn lock(relation: pg_sys::Oid, patience: Duration) -> bool {
    let begun = Instant::now();
    // SAFETY: inside a transaction.
    while !unsafe { pg_sys::ConditionalLockRelationOid(relation, pg_sys::AccessShareLock.cast_signed()) } {
        if begun.elapsed() > patience {
            return false;
        }
        wait::wait_for_time(RETRY);
    }
    true
}

impl Table {
    /// Opens a table; `None` when it does not exist, is no ordinary table of the heap access method, or is locked for
    /// longer than `patience`. To be called inside a transaction.
    pub fn open(relation: pg_sys::Oid, patience: Duration) -> Option<Self> {
        if !lock(relation, patience) {
            return None;
        }
        // SAFETY: the lock is held, which opening needs; the structure lives until the table is closed.
        unsafe {
            let table = pg_sys::try_relation_open(relation, pg_sys::NoLock.cast_signed());
            if table.is_null() {
                pg_sys::UnlockRelationOid(relation, pg_sys::AccessShareLock.cast_signed());
                return None;
            }
            let table = Self(table);
            let class = &*(*table.0).rd_rel;
            let ordinary = class.relkind == pg_sys::RELKIND_RELATION.cast_signed();
            (ordinary && class.relam == pg_sys::HEAP_TABLE_AM_OID).then_some(table)
        }
    }

    /// A column of that very type, and not generated.
    pub fn column(&self, name: &str, wanted: pg_sys::Oid) -> Option<Column> {
        self.any_column(name).filter(|column| column.type_oid == wanted)
    }

    /// A column of arrays of any type, and not generated.
    pub fn array_column(&self, name: &str) -> Option<ArrayColumn> {
        self.any_column(name).filter(Column::holds_arrays).map(ArrayColumn)
    }

    /// A column of any type, and not generated.
    pub fn any_column(&self, name: &str) -> Option<Column> {
        // SAFETY: the table is open.
        Column::named(unsafe { (*self.0).rd_id }, name)
    }

    /// Visits the rows that the calling statement sees, until `visit` breaks.
    pub fn for_each(&self, mut visit: impl FnMut(&Row<'_>) -> ControlFlow<()>) {
        use pg_sys::ScanOptions as Scan;
        let flags = Scan::SO_TYPE_SEQSCAN | Scan::SO_ALLOW_STRAT | Scan::SO_ALLOW_SYNC | Scan::SO_ALLOW_PAGEMODE;
        // SAFETY: reads a variable of this process.
        require(unsafe { pg_sys::ActiveSnapshotSet() }, "a table is read without a snapshot");
        // SAFETY: the table is open and a heap; a row lives until the next one is fetched, and the arrays have one
        // element per column.
        unsafe {
            let width = usize::try_from((*(*self.0).rd_att).natts).unwrap_or_default();
            let (mut values, mut nulls) = (vec![pg_sys::Datum::null(); width], vec![true; width]);
            let snapshot = pg_sys::GetActiveSnapshot();
            let none = std::ptr::null_mut();
            let scan = pg_sys::heap_beginscan(self.0, snapshot, 0, none, std::ptr::null_mut(), flags);
            loop {
                pgrx::check_for_interrupts!();
                let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
                if tuple.is_null() {
                    break;
                }
                pg_sys::heap_deform_tuple(tuple, (*self.0).rd_att, values.as_mut_ptr(), nulls.as_mut_ptr());
                if visit(&Row { values: &values, nulls: &nulls, table: self }).is_break() {
                    break;
                }
            }
            pg_sys::heap_endscan(scan);
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // After an error Postgres releases everything itself.
        if !std::thread::panicking() {
            // SAFETY: opened and locked above, once.
            unsafe { pg_sys::relation_close(self.0, pg_sys::AccessShareLock.cast_signed()) };
        }
    }
}

impl Row<'_> {
    /// Whether a column of arrays is NULL.
    pub fn is_null_array(&self, column: ArrayColumn) -> bool {
        self.is_null(column.0)
    }

    /// Whether a column is NULL.
    pub fn is_null(&self, column: Column) -> bool {
        self.value(column).is_none()
    }

    /// A value of type `boolean`; `None` for NULL.
    pub fn bool(&self, column: Column) -> Option<bool> {
        self.value(column).map(|value| value.value() != 0)
    }

    /// A value of type `integer`; `None` for NULL.
    pub fn int4(&self, column: Column) -> Option<i32> {
        self.value(column).map(|value| value.value() as i32)
    }

    /// A value of type `timestamptz`, in microseconds since 2000-01-01; `None` for NULL.
    pub fn timestamp(&self, column: Column) -> Option<i64> {
        self.value(column).map(|value| value.value() as i64)
    }

    /// A value of type `text`; `None` for NULL, and for a column of another type.
    pub fn text(&self, column: Column) -> Option<String> {
        if column.type_oid != pg_sys::TEXTOID {
            return None;
        }
        // SAFETY: the column is of type text.
        self.value(column).and_then(|value| unsafe { pgrx::FromDatum::from_datum(value, false) })
    }

    /// Number of elements of an array, of which only the header is detoasted; `None` for NULL.
    pub fn array_length(&self, column: ArrayColumn) -> Option<i32> {
        const HEAD: i32 = (size_of::<pg_sys::ArrayType>() + 6 * size_of::<i32>()) as i32;
        let value = self.value(column.0)?;
        // SAFETY: the column holds arrays; the dimensions, six at most, follow the header. The length word of the
        // varlena does not count as part of a slice.
        unsafe {
            let head = pg_sys::pg_detoast_datum_slice(value.cast_mut_ptr(), 0, HEAD).cast::<pg_sys::ArrayType>();
            let length = pg_sys::ArrayGetNItems((*head).ndim, head.add(1).cast());
            pg_sys::pfree(head.cast());
            Some(length)
        }
    }

    /// The bytes of a value, detoasted; `None` for NULL.
    pub fn bytes(&self, column: Column) -> Option<Vec<u8>> {
        let value = self.value(column)?;
        if column.by_value {
            return Some(value.value().to_ne_bytes().to_vec());
        }
        // SAFETY: `value` has checked the type.
        unsafe {
            if column.length != -1 {
                return Some(column.bytes(value).to_vec());
            }
            let start = value.cast_mut_ptr::<pg_sys::varlena>();
            let plain = pg_sys::pg_detoast_datum_packed(start);
            let bytes = pgrx::varlena::varlena_to_byte_slice(plain).to_vec();
            if plain != start {
                pg_sys::pfree(plain.cast());
            }
            Some(bytes)
        }
    }

    /// A value of the type of the column; `None` for NULL. Raises an error when the table has another type there.
    fn value(&self, column: Column) -> Option<pg_sys::Datum> {
        // SAFETY: the table is open.
        let found = unsafe { version::column_type((*self.table.0).rd_att, column.index) };
        require(found == Some(column.type_oid), "a table has other columns than were looked up");
        (!self.nulls[column.index]).then(|| self.values[column.index])
    }
}
