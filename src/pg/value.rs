//! Converts values of user-defined types to text or JSON: by output functions, which only superusers can create. A cast
//! is code of the owner of the type, and would run as the reader.
//!
//! Built-in types are cast and become JSON as Postgres has it: numbers and booleans stay such. A domain counts as its
//! base type.

use super::jsonb_key::Key;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use std::ffi::{CStr, CString};

/// Whether a type came with the server, or is a domain over one that did.
pub fn is_built_in(type_oid: pg_sys::Oid) -> bool {
    base_type(type_oid).to_u32() < pg_sys::FirstNormalObjectId
}

/// The base type of a domain; any other type itself.
pub fn base_type(type_oid: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: a catalog lookup inside a transaction.
    unsafe { pg_sys::getBaseType(type_oid) }
}

/// The current type of a column of a relation, if there is such a column.
pub fn column_type(relation: pg_sys::Oid, column: &str) -> Option<pg_sys::Oid> {
    let name = CString::new(column).ok()?;
    // SAFETY: catalog lookups inside a transaction.
    let found = unsafe { pg_sys::get_atttype(relation, pg_sys::get_attnum(relation, name.as_ptr())) };
    (found != pg_sys::InvalidOid).then_some(found)
}

/// A value as text.
///
/// # Safety
/// The value is of this type and not null.
pub unsafe fn text(value: pg_sys::Datum, type_oid: pg_sys::Oid) -> String {
    let (mut function, mut is_varlena) = (pg_sys::InvalidOid, false);
    // SAFETY: catalog lookups inside a transaction; an output function returns a C string.
    unsafe {
        pg_sys::getTypeOutputInfo(type_oid, &mut function, &mut is_varlena);
        CStr::from_ptr(pg_sys::OidOutputFunctionCall(function, value)).to_string_lossy().into_owned()
    }
}

/// A value as JSON.
///
/// # Safety
/// As for [`text`].
pub unsafe fn json(value: pg_sys::Datum, type_oid: pg_sys::Oid) -> String {
    // SAFETY: the value is of the type; `to_jsonb` makes a jsonb of a built-in type.
    unsafe {
        if is_built_in(type_oid) {
            text(to_jsonb(value, base_type(type_oid)), pg_sys::JSONBOID)
        } else {
            string(&text(value, type_oid))
        }
    }
}

/// A text as a JSON string.
pub fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The value that a text stands for in a type; raises the errors of the input function. Not for a type that contains a
/// domain: see [`is_read_without_checks`].
pub fn read(text: &str, type_oid: pg_sys::Oid) -> pg_sys::Datum {
    let text = CString::new(text).unwrap_or_default();
    let (mut function, mut parameter) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
    // SAFETY: catalog lookups inside a transaction; an input function reads a C string and copies what it keeps of it.
    unsafe {
        pg_sys::getTypeInputInfo(type_oid, &mut function, &mut parameter);
        pg_sys::OidInputFunctionCall(function, text.as_ptr().cast_mut(), parameter, -1)
    }
}

/// The seconds of an interval, a month having 30 days; infinity for an infinite one (PostgreSQL 17 and later).
pub fn seconds(interval: &pg_sys::Interval) -> f64 {
    if (interval.month, interval.day, interval.time) == (i32::MAX, i32::MAX, i64::MAX) {
        return f64::INFINITY;
    }
    let days = f64::from(interval.month) * 30.0 + f64::from(interval.day);
    days * 86_400.0 + interval.time as f64 / 1e6
}

/// [`seconds`] of the interval that a text stands for; raises the errors of its input function.
pub fn interval_seconds(text: &str) -> f64 {
    // SAFETY: an interval, as its type says, which is passed as a pointer.
    unsafe { seconds(&*read(text, pg_sys::INTERVALOID).cast_mut_ptr()) }
}

/// Like [`read`], as a parameter of a statement.
pub fn parameter(text: &str, type_oid: pg_sys::Oid) -> DatumWithOid<'static> {
    // SAFETY: a value of this type, in memory of the call.
    unsafe { DatumWithOid::new(read(text, type_oid), type_oid) }
}

/// Loads the library with the input function of a type, wherever that is.
pub fn load_library(type_oid: pg_sys::Oid) {
    let (mut function, mut parameter) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
    let mut info = pg_sys::FmgrInfo::default();
    // SAFETY: catalog lookups inside a transaction; the function is not called.
    unsafe {
        pg_sys::getTypeInputInfo(type_oid, &mut function, &mut parameter);
        pg_sys::fmgr_info(function, &mut info);
    }
}

/// Whether the input of this type runs code of superusers alone: it contains no domain, whose checks would run. A
/// composite type may come to contain one at any time.
pub fn is_read_without_checks(type_oid: pg_sys::Oid) -> bool {
    if type_oid.to_u32() < pg_sys::FirstNormalObjectId {
        return true;
    }
    // SAFETY: catalog lookups inside a transaction.
    unsafe {
        match pg_sys::get_typtype(type_oid).cast_unsigned() {
            b'e' => true,
            b'b' => {
                let element = pg_sys::get_element_type(type_oid);
                element == pg_sys::InvalidOid || is_read_without_checks(element)
            }
            b'r' => is_read_without_checks(pg_sys::get_range_subtype(type_oid)),
            b'm' => is_read_without_checks(pg_sys::get_multirange_range(type_oid)),
            _ => false,
        }
    }
}

/// The JSON of what a text stands for in a type; for a type that is not built in, the text itself.
pub fn json_of(text: &str, type_oid: pg_sys::Oid) -> String {
    if is_built_in(type_oid) {
        // SAFETY: a value of this type.
        unsafe { json(read(text, base_type(type_oid)), type_oid) }
    } else {
        string(text)
    }
}

/// A JSON text as `jsonb` writes it: equal values have equal texts.
pub fn canonical(json: &str) -> Key {
    // SAFETY: a jsonb, as its type says.
    Key(unsafe { text(read(json, pg_sys::JSONBOID), pg_sys::JSONBOID) })
}

/// A key as a JSON object of its columns. The value of a column is JSON, or `None` for NULL.
pub fn key(columns: &[String], values: impl Iterator<Item = Option<String>>) -> Key {
    let pairs = columns.iter().zip(values);
    let pairs: Vec<String> =
        pairs.map(|(name, value)| format!("{}:{}", string(name), value.unwrap_or_else(|| "null".into()))).collect();
    canonical(&format!("{{{}}}", pairs.join(",")))
}

/// # Safety
/// The value is of this type, which is built in.
unsafe fn to_jsonb(value: pg_sys::Datum, type_oid: pg_sys::Oid) -> pg_sys::Datum {
    let function = pg_sys::Oid::from(pg_sys::F_TO_JSONB);
    // SAFETY: the function looks up the type of its argument in the expression of its call, which is made here.
    unsafe {
        let null = pg_sys::Datum::null();
        let argument = pg_sys::makeConst(type_oid, -1, pg_sys::InvalidOid, -1, null, true, false);
        let arguments = pg_sys::lappend(std::ptr::null_mut(), argument.cast());
        let form = pg_sys::CoercionForm::COERCE_EXPLICIT_CALL;
        let none = pg_sys::InvalidOid;
        let mut info = pg_sys::FmgrInfo::default();
        pg_sys::fmgr_info(function, &mut info);
        info.fn_expr = pg_sys::makeFuncExpr(function, pg_sys::JSONBOID, arguments, none, none, form).cast();
        pg_sys::FunctionCall1Coll(&mut info, none, value)
    }
}

/// Converts an index from 0 to a position from 1, as SQL counts.
pub fn position(at: usize) -> i32 {
    count(at.saturating_add(1))
}

/// A count as an SQL integer.
pub fn count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
