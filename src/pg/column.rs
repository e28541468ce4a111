//! A column of a table, and how its values are stored. Rows are read with it by [`super::trigger_call`] and
//! [`super::heap`], which check that a row has this type in that column.

use pgrx::pg_sys;
use std::ffi::{CStr, CString, c_char};

/// A column of a table as it was looked up.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Position in a row, from 0.
    pub(super) index: usize,
    pub(super) type_oid: pg_sys::Oid,
    pub(super) array_oid: pg_sys::Oid,
    /// Length in bytes; -1 for a varlena, -2 for a C string (typlen).
    pub(super) length: i16,
    /// Whether values are passed by value.
    pub(super) by_value: bool,
    /// Alignment (typalign).
    pub(super) align: c_char,
}

impl Column {
    /// The column with this attribute number, unless it is a system column. To be called inside a transaction.
    pub fn of(relation: pg_sys::Oid, number: i16) -> Option<Self> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        let (mut length, mut by_value, mut align) = (0, false, 0);
        // SAFETY: catalog lookups inside a transaction. A type that does not exist raises an error.
        let (type_oid, array_oid) = unsafe {
            let type_oid = pg_sys::get_atttype(relation, number);
            pg_sys::get_typlenbyvalalign(type_oid, &mut length, &mut by_value, &mut align);
            (type_oid, pg_sys::get_array_type(type_oid))
        };
        Some(Self { index, type_oid, array_oid, length, by_value, align })
    }

    /// The column with this name, unless there is none, it is a system column, or it is generated.
    pub fn named(relation: pg_sys::Oid, name: &str) -> Option<Self> {
        let name = CString::new(name).ok()?;
        // SAFETY: catalog lookups inside a transaction.
        let number = unsafe {
            let number = pg_sys::get_attnum(relation, name.as_ptr());
            if number < 1 || pg_sys::get_attgenerated(relation, number) != 0 {
                return None;
            }
            number
        };
        Self::of(relation, number)
    }

    /// The type of the column.
    pub fn type_oid(&self) -> pg_sys::Oid {
        self.type_oid
    }

    /// The type of arrays of such values.
    pub fn array_oid(&self) -> pg_sys::Oid {
        self.array_oid
    }

    /// Whether the values are arrays.
    pub fn holds_arrays(&self) -> bool {
        // SAFETY: a catalog lookup inside a transaction.
        unsafe { pg_sys::get_element_type(self.type_oid) != pg_sys::InvalidOid }
    }

    /// Number of columns that a row is deformed up to for this one.
    pub fn width(&self) -> usize {
        self.index + 1
    }

    /// The bytes of a value passed by reference, not detoasted, as datumIsEqual (datum.c) compares them.
    ///
    /// # Safety
    /// The value is of this type and lives as long as the result is used.
    pub(super) unsafe fn bytes<'a>(&self, value: pg_sys::Datum) -> &'a [u8] {
        // SAFETY: see above.
        unsafe {
            match self.length {
                -1 => {
                    let varlena = value.cast_mut_ptr::<pg_sys::varlena>();
                    std::slice::from_raw_parts(varlena.cast::<u8>(), pgrx::varlena::varsize_any(varlena))
                }
                -2 => CStr::from_ptr(value.cast_mut_ptr()).to_bytes(),
                length => std::slice::from_raw_parts(value.cast_mut_ptr(), usize::try_from(length).unwrap_or_default()),
            }
        }
    }

    /// A copy in the current memory context, detoasted.
    ///
    /// # Safety
    /// The value is of this type.
    pub(super) unsafe fn copy(&self, value: pg_sys::Datum) -> pg_sys::Datum {
        if self.by_value {
            return value;
        }
        // SAFETY: see above; palloc0 returns at least as many bytes as are copied, and the final zero of a C string.
        unsafe {
            if self.length == -1 {
                return pg_sys::Datum::from(pg_sys::pg_detoast_datum_copy(value.cast_mut_ptr()));
            }
            let bytes = self.bytes(value);
            let copy = pg_sys::palloc0(bytes.len() + 1).cast::<u8>();
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
            pg_sys::Datum::from(copy)
        }
    }
}
