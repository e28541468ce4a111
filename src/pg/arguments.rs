//! Arguments of function calls: their size is checked before they are decompressed, and never above what the server
//! allows.
//!
//! The one place that reads the datums of arguments.

use super::error::{report, require};
use super::vector::Values;
use super::{allocator, extension_version, gucs, value};
use pgrx::pg_sys;
use pgrx::{FromDatum, PgMemoryContexts, fcinfo};
use socle_core::{Error, Kind, Result, memory};
use std::any::TypeId;
use std::cell::RefCell;
use std::ffi::CStr;
use std::rc::Rc;

/// Largest name, prefix or format, in bytes.
const MAX_WORD_BYTES: usize = 10_000;

/// Largest array of texts, in bytes, headers and padding included: as much as goes to the engine at once.
const MAX_ARRAY_BYTES: usize = socle_core::protocol::MAX_INPUT_BYTES;

/// The arguments of a function call.
#[derive(Clone, Copy, Debug)]
pub struct Arguments(pg_sys::FunctionCallInfo);

/// An array of texts, and its shape for the array that is returned for it.
#[derive(Debug)]
pub struct Texts {
    /// The elements, in memory of Postgres until the call ends; `None` for NULL.
    pub elements: Vec<Option<&'static str>>,
    /// Length of each dimension; empty for an empty array.
    pub dimensions: Vec<i32>,
    /// First subscript of each dimension.
    pub lower_bounds: Vec<i32>,
}

/// What [`Arguments::memory_of_call_site`] keeps.
#[repr(C)]
struct CallSiteMemory<T> {
    type_id: TypeId,
    value: Rc<RefCell<T>>,
}

impl Arguments {
    /// The arguments of a call. Raises an error where the extension is not of the version of this library, so that the
    /// arguments may be others than it expects, and where the memory reserve cannot be refilled.
    pub fn new(call: pg_sys::FunctionCallInfo) -> Self {
        if let Err(error) = extension_version::require_own_version().and_then(|()| allocator::restock()) {
            report(error).report(pgrx::PgLogLevel::ERROR);
        }
        Self(call)
    }

    /// A text whose size is limited by `socle.max_input_bytes`, checked before it is fetched and decompressed.
    ///
    /// # Errors
    /// `InputTooLong`.
    pub fn content(self, at: usize, name: &str) -> Result<Option<String>> {
        self.datum(at).map(|datum| content(datum, name)).transpose()
    }

    /// A `bytea` whose size is limited by `socle.max_document_bytes`, checked before it is fetched and decompressed.
    ///
    /// # Errors
    /// `InputTooLong`.
    pub fn document(self, at: usize, name: &str) -> Result<Option<&'static [u8]>> {
        let Some(datum) = self.datum(at) else { return Ok(None) };
        check_size(datum, name, gucs::max_document_bytes())
            .map_err(|error| error.hint("A superuser can raise socle.max_document_bytes."))?;
        // SAFETY: the SQL declaration makes this argument a bytea, which stays where Postgres holds it until the call ends.
        Ok(unsafe { <&[u8]>::from_datum(datum, false) })
    }

    /// A `bytea` of any size, for superusers and those whom they trust: what it takes in memory is up to the caller.
    pub fn bytes(self, at: usize) -> Option<&'static [u8]> {
        // SAFETY: the SQL declaration makes this argument a bytea, which stays where Postgres holds it until the call ends.
        self.datum(at).and_then(|datum| unsafe { <&[u8]>::from_datum(datum, false) })
    }

    /// A short argument: a name, a prefix, a format.
    ///
    /// # Errors
    /// `InputTooLong` beyond [`MAX_WORD_BYTES`].
    pub fn short_text(self, at: usize, name: &str) -> Result<Option<String>> {
        self.datum(at).map(|datum| text(datum, name, MAX_WORD_BYTES)).transpose()
    }

    /// An integer.
    pub fn i32(self, at: usize) -> Option<i32> {
        // SAFETY: the SQL declaration makes this argument an integer.
        self.datum(at).and_then(|datum| unsafe { i32::from_datum(datum, false) })
    }

    /// A `bigint`.
    pub fn i64(self, at: usize) -> Option<i64> {
        // SAFETY: the SQL declaration makes this argument a bigint.
        self.datum(at).and_then(|datum| unsafe { i64::from_datum(datum, false) })
    }

    /// A `double precision`.
    pub fn f64(self, at: usize) -> Option<f64> {
        // SAFETY: the SQL declaration makes this argument a double precision.
        self.datum(at).and_then(|datum| unsafe { f64::from_datum(datum, false) })
    }

    /// A `real`.
    pub fn f32(self, at: usize) -> Option<f32> {
        // SAFETY: the SQL declaration makes this argument a real.
        self.datum(at).and_then(|datum| unsafe { f32::from_datum(datum, false) })
    }

    /// A `jsonb` whose size is limited by `socle.max_input_bytes`, as [`Self::json`].
    ///
    /// # Errors
    /// `InputTooLong`.
    pub fn limited_json(self, at: usize, name: &str) -> Result<Option<String>> {
        let Some(datum) = self.datum(at) else { return Ok(None) };
        check_size(datum, name, gucs::max_input_bytes())
            .map_err(|error| error.hint("A superuser can raise socle.max_input_bytes."))?;
        Ok(self.json(at))
    }

    /// A `jsonb` as text, with every digit of its numbers.
    pub fn json(self, at: usize) -> Option<String> {
        self.datum(at).map(|datum| {
            // SAFETY: the SQL declaration makes this argument a jsonb, whose output function returns a C string.
            unsafe {
                let text = pg_sys::OidOutputFunctionCall(pg_sys::Oid::from(pg_sys::F_JSONB_OUT), datum);
                CStr::from_ptr(text).to_string_lossy().into_owned()
            }
        })
    }

    /// The numbers of a `vector` of pgvector.
    pub fn vector(self, at: usize) -> Option<Vec<f32>> {
        // SAFETY: the SQL declaration makes this argument a vector, which is copied.
        self.datum(at).and_then(|datum| unsafe { Values::from_datum(datum, false) }).map(|values| values.0)
    }

    /// A boolean.
    pub fn boolean(self, at: usize) -> Option<bool> {
        // SAFETY: the SQL declaration makes this argument a boolean.
        self.datum(at).and_then(|datum| unsafe { bool::from_datum(datum, false) })
    }

    /// An OID, e.g. of type `regclass`.
    pub fn oid(self, at: usize) -> Option<pg_sys::Oid> {
        // SAFETY: the SQL declaration makes this argument an OID.
        self.datum(at).and_then(|datum| unsafe { pg_sys::Oid::from_datum(datum, false) })
    }

    /// A value of type `name`.
    pub fn name(self, at: usize) -> Option<String> {
        self.datum(at).map(name)
    }

    /// The elements of a `name[]` without NULLs.
    pub fn names(self, at: usize) -> Option<Vec<String>> {
        self.datum(at).map(|datum| {
            let (_, _, datums, nulls) = deconstruct(datum, pg_sys::NAMEOID, (pg_sys::NAMEDATALEN as i32, false), b'c');
            datums.iter().zip(nulls).filter(|(_, null)| !**null).map(|(datum, _)| name(*datum)).collect()
        })
    }

    /// The elements of an array of OIDs, e.g. of type `regclass[]`, without NULLs.
    pub fn oids(self, at: usize) -> Option<Vec<pg_sys::Oid>> {
        self.datum(at).map(|datum| {
            let (_, _, datums, nulls) =
                deconstruct(datum, pg_sys::REGCLASSOID, (size_of::<pg_sys::Oid>() as i32, true), b'i');
            let oids = datums.iter().zip(nulls).filter(|(_, null)| !**null);
            oids.map(|(datum, _)| pg_sys::Oid::from(u32::try_from(datum.value()).unwrap_or_default())).collect()
        })
    }

    /// An interval in seconds, as [`value::seconds`].
    pub fn seconds(self, at: usize) -> Option<f64> {
        // SAFETY: the SQL declaration makes this argument an interval, which is passed as a pointer.
        self.datum(at).map(|datum| unsafe { value::seconds(&*datum.cast_mut_ptr()) })
    }

    /// An array of texts, each limited as in [`Self::content`], and all together by [`MAX_ARRAY_BYTES`], checked before
    /// they are fetched.
    ///
    /// # Errors
    /// `InputTooLong`, naming the element.
    pub fn limited_texts(self, at: usize, name: &str) -> Result<Option<Texts>> {
        self.datum(at).map(|datum| texts(datum, name)).transpose()
    }

    /// Whether an argument is written in the statement itself, as a constant or a parameter, rather than coming from a
    /// column or an expression. Only then may its type be one that PostgreSQL chose for a value without a type.
    pub fn is_written_out(self, at: usize) -> bool {
        // SAFETY: Postgres sets flinfo for every call through fmgr; its expression, where there is one, is a tree of nodes
        // that lives as long as the plan, and the list of a call has as many arguments as the function.
        unsafe {
            let call = (*(*self.0).flinfo).fn_expr;
            if call.is_null() || (*call).type_ != pg_sys::NodeTag::T_FuncExpr {
                return true;
            }
            let arguments = (*call.cast::<pg_sys::FuncExpr>()).args;
            if arguments.is_null() || at >= usize::try_from((*arguments).length).unwrap_or_default() {
                return true;
            }
            let argument = (*(*arguments).elements.add(at)).ptr_value.cast::<pg_sys::Node>();
            match (*argument).type_ {
                pg_sys::NodeTag::T_Const => true,
                pg_sys::NodeTag::T_Param => {
                    (*argument.cast::<pg_sys::Param>()).paramkind == pg_sys::ParamKind::PARAM_EXTERN
                }
                _ => false,
            }
        }
    }

    /// A value that lives as long as the call site, e.g. for all rows of a statement; at first the default. A function asks
    /// for one type only, and returns no set.
    pub fn memory_of_call_site<T: Default + 'static>(self) -> Rc<RefCell<T>> {
        // SAFETY: Postgres sets flinfo for every call through fmgr. Its fn_extra is used by functions that return sets, and
        // here; a value is dropped with fn_mcxt, and has the same layout for each type.
        unsafe {
            let info = &mut *(*self.0).flinfo;
            require(!info.fn_retset, "a function that returns a set keeps something for its call site");
            if info.fn_extra.is_null() {
                let memory = CallSiteMemory::<T> { type_id: TypeId::of::<T>(), value: Rc::default() };
                info.fn_extra = PgMemoryContexts::For(info.fn_mcxt).leak_and_drop_on_delete(memory).cast();
            }
            let memory = &*info.fn_extra.cast::<CallSiteMemory<T>>();
            require(memory.type_id == TypeId::of::<T>(), "a function keeps values of two types for its call site");
            Rc::clone(&memory.value)
        }
    }

    /// Whether an argument is NULL, or one that an older declaration of the function does not have.
    pub fn is_null(self, at: usize) -> bool {
        self.datum(at).is_none()
    }

    /// The OID of the function being called.
    pub fn function(self) -> pg_sys::Oid {
        // SAFETY: Postgres sets flinfo for every call through fmgr, and ours are never called otherwise.
        unsafe { (*(*self.0).flinfo).fn_oid }
    }

    fn datum(self, at: usize) -> Option<pg_sys::Datum> {
        // SAFETY: the call is under way, and has that many arguments. A declaration of an older version of the extension,
        // before ALTER EXTENSION UPDATE, may have fewer than this library knows.
        unsafe {
            if at >= usize::try_from((*self.0).nargs).unwrap_or_default() || fcinfo::pg_arg_is_null(self.0, at) {
                None
            } else {
                fcinfo::pg_getarg_datum(self.0, at)
            }
        }
    }
}

fn content(datum: pg_sys::Datum, name: &str) -> Result<String> {
    memory::copy(borrowed_content(datum, name)?)
}

fn borrowed_content(datum: pg_sys::Datum, name: &str) -> Result<&'static str> {
    borrowed(datum, name, gucs::max_input_bytes())
        .map_err(|error| error.hint("Split it, or have a superuser raise socle.max_input_bytes."))
}

fn check_size(datum: pg_sys::Datum, name: &str, limit: usize) -> Result<()> {
    // SAFETY: the datum is a varlena; the function reads its header alone.
    let size = unsafe { pg_sys::toast_raw_datum_size(datum) }.saturating_sub(pg_sys::VARHDRSZ);
    if size <= limit {
        return Ok(());
    }
    Err(Error::new(Kind::InputTooLong, format!("{name} has {size} bytes, the limit is {limit}")))
}

fn text(datum: pg_sys::Datum, name: &str, limit: usize) -> Result<String> {
    borrowed(datum, name, limit).map(str::to_string)
}

/// A text in memory of Postgres, fetched and decompressed if need be, until the call ends.
fn borrowed(datum: pg_sys::Datum, name: &str, limit: usize) -> Result<&'static str> {
    check_size(datum, name, limit)?;
    // SAFETY: the datum is a text, and not null; nothing here outlives the call.
    let text = unsafe { <&str>::from_datum(datum, false) };
    text.ok_or_else(|| Error::new(Kind::Bug, "a text that is not null came as null"))
}

fn name(datum: pg_sys::Datum) -> String {
    // SAFETY: the datum is a `name`, which is a C string of fixed length.
    let name = unsafe { CStr::from_ptr((*datum.cast_mut_ptr::<pg_sys::NameData>()).data.as_ptr()) };
    name.to_string_lossy().into_owned()
}

fn texts(datum: pg_sys::Datum, name: &str) -> Result<Texts> {
    check_size(datum, name, MAX_ARRAY_BYTES).map_err(|error| error.hint("Pass the texts in several arrays."))?;
    let (dimensions, lower_bounds, datums, nulls) = deconstruct(datum, pg_sys::TEXTOID, (-1, false), b'i');
    let mut elements = memory::with_capacity(datums.len())?;
    for (at, (datum, null)) in datums.iter().zip(nulls).enumerate() {
        let name = || format!("element {} of {name}", at + 1);
        elements.push(if *null { None } else { Some(borrowed_content(*datum, &name())?) });
    }
    Ok(Texts { elements, dimensions, lower_bounds })
}

/// The parts of an array of such elements, passed by reference: dimensions, lower bounds, elements, which are NULL.
fn deconstruct(
    datum: pg_sys::Datum,
    element: pg_sys::Oid,
    (length, by_value): (i32, bool),
    align: u8,
) -> (Vec<i32>, Vec<i32>, &'static [pg_sys::Datum], &'static [bool]) {
    let (mut datums, mut nulls, mut count) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
    // SAFETY: the datum is an array of that type; deconstruct_array allocates both results in the current memory context,
    // `count` elements each, and both live as long as the call, which all callers stay within. The header fields lie
    // where ARR_DIMS and ARR_LBOUND look for them (utils/array.h).
    unsafe {
        let array = pg_sys::pg_detoast_datum(datum.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
        let rank = usize::try_from((*array).ndim).unwrap_or_default();
        let header = array.add(1).cast::<i32>();
        let dimensions = std::slice::from_raw_parts(header, rank).to_vec();
        let lower_bounds = std::slice::from_raw_parts(header.add(rank), rank).to_vec();
        let align = align.cast_signed();
        pg_sys::deconstruct_array(array, element, length, by_value, align, &mut datums, &mut nulls, &mut count);
        let count = usize::try_from(count).unwrap_or_default();
        let slices = if count == 0 {
            (&[] as &[pg_sys::Datum], &[] as &[bool])
        } else {
            (std::slice::from_raw_parts(datums, count), std::slice::from_raw_parts(nulls, count))
        };
        (dimensions, lower_bounds, slices.0, slices.1)
    }
}
