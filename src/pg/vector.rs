//! pgvector's `vector` as Postgres stores it (vector.h, struct Vector): header, dimensions, a zero, 32-bit numbers.

use super::arguments::{Arguments, Texts};
use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::{Datum, DatumWithOid, FromDatum};
use pgrx::pg_sys;
use socle_core::{Error, Kind, Result};

/// Bytes before the numbers: varlena header, dimensions, unused.
const HEADER: usize = 4 + 2 + 2;

/// Most dimensions that pgvector stores (vector.h, VECTOR_MAX_DIM).
pub const MAX_DIMENSIONS: usize = 16_000;

/// Largest value (memutils.h, MaxAllocSize).
const MAX_ALLOC_SIZE: usize = 0x3fff_ffff;

/// A `vector` or `vector[]` to be returned to Postgres.
#[derive(Clone, Copy, Debug)]
pub struct VectorDatum(pg_sys::Datum);

// SAFETY: only `datum` and `array` below make one, in the memory context of the call.
unsafe impl BoxRet for VectorDatum {
    unsafe fn box_into<'fcx>(self, call: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        // SAFETY: see above.
        unsafe { call.return_raw_datum(self.0) }
    }
}

impl VectorDatum {
    /// The same value as a parameter of a statement; `vector` is its type.
    pub fn parameter(self, vector: pg_sys::Oid) -> DatumWithOid<'static> {
        // SAFETY: what is made here is of pgvector's type, and lives as long as the memory context of the call.
        unsafe { DatumWithOid::new(self.0, vector) }
    }
}

/// The elements of a `vector` that a statement returned.
#[derive(Clone, Debug, Default)]
pub struct Values(pub Vec<f32>);

impl FromDatum for Values {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _type: pg_sys::Oid) -> Option<Self> {
        if is_null {
            return None;
        }
        // SAFETY: the caller guarantees a vector: a varlena with a header and as many numbers as that says, which are
        // copied. The size is checked first.
        unsafe {
            let vector = pg_sys::pg_detoast_datum(datum.cast_mut_ptr());
            let size = pgrx::varlena::varsize_any(vector);
            let bytes = vector.cast::<u8>();
            let count = usize::try_from(bytes.add(4).cast::<i16>().read_unaligned()).ok()?;
            if size < HEADER + 4 * count {
                return None;
            }
            let numbers = bytes.add(HEADER).cast::<f32>();
            Some(Self((0..count).map(|at| numbers.add(at).read_unaligned()).collect()))
        }
    }
}

/// Size of a vector in bytes.
pub fn size(dimensions: usize) -> usize {
    HEADER + dimensions * size_of::<f32>()
}

/// Makes a vector in the current memory context.
///
/// # Errors
/// `InputTooLong` beyond [`MAX_DIMENSIONS`].
pub fn datum(values: &[f32]) -> Result<VectorDatum> {
    let dimensions = i16::try_from(values.len()).ok().filter(|_| values.len() <= MAX_DIMENSIONS).ok_or_else(|| {
        Error::new(Kind::InputTooLong, format!("vector cannot have more than {MAX_DIMENSIONS} dimensions"))
    })?;
    let size = HEADER + size_of_val(values);
    // SAFETY: palloc0 gives `size` zeroed bytes, aligned for any type; the writes stay within them.
    unsafe {
        let vector = pg_sys::palloc0(size).cast::<u8>();
        pgrx::varlena::set_varsize_4b(vector.cast(), size as i32);
        vector.add(4).cast::<i16>().write(dimensions);
        std::ptr::copy_nonoverlapping(values.as_ptr(), vector.add(HEADER).cast::<f32>(), values.len());
        Ok(VectorDatum(pg_sys::Datum::from(vector)))
    }
}

/// Checks that this number of vectors fits into one array.
///
/// # Errors
/// `InputTooLong`.
pub fn check_array_size(vectors: usize, dimensions: usize) -> Result<()> {
    if vectors.saturating_mul(HEADER + 4 * dimensions + 1) < MAX_ALLOC_SIZE {
        return Ok(());
    }
    Err(Error::new(Kind::InputTooLong, format!("{vectors} vectors of {dimensions} dimensions exceed one array"))
        .detail(format!("A value has at most {MAX_ALLOC_SIZE} bytes."))
        .hint("Embed the texts in several arrays."))
}

/// A `vector[]` of the shape of `like`; elements without a vector are NULL. `call` is the call that returns it.
///
/// # Errors
/// Those of [`datum`].
pub fn array(call: Arguments, vectors: &[Option<Vec<f32>>], like: &Texts) -> Result<VectorDatum> {
    // SAFETY: catalog lookups; the element type is that of our own declared result.
    let element = unsafe { pg_sys::get_element_type(pg_sys::get_func_rettype(call.function())) };
    let vectors: Vec<Option<&[f32]>> = vectors.iter().map(Option::as_deref).collect();
    shaped_array(element, &vectors, like.dimensions.clone(), like.lower_bounds.clone()).map(VectorDatum)
}

/// A `vector[]` of one dimension as a parameter of a statement; `element` is the type `vector`.
///
/// # Errors
/// Those of [`datum`].
pub fn plain_array(element: pg_sys::Oid, vectors: &[Option<&[f32]>]) -> Result<DatumWithOid<'static>> {
    let length = i32::try_from(vectors.len()).unwrap_or(i32::MAX);
    let array = shaped_array(element, vectors, vec![length], vec![1])?;
    // SAFETY: an array of elements of this type, in the memory context of the call.
    Ok(unsafe { DatumWithOid::new(array, pg_sys::get_array_type(element)) })
}

fn shaped_array(
    element: pg_sys::Oid,
    vectors: &[Option<&[f32]>],
    mut dimensions: Vec<i32>,
    mut lower_bounds: Vec<i32>,
) -> Result<pg_sys::Datum> {
    let mut nulls: Vec<bool> = vectors.iter().map(Option::is_none).collect();
    let mut datums = Vec::with_capacity(vectors.len());
    for vector in vectors {
        datums.push(vector.map_or(Ok(pg_sys::Datum::null()), |vector| Ok(datum(vector)?.0))?);
    }
    // SAFETY: the vectors hold one entry for each element, and dimensions and bounds are those of an array with as many
    // elements of this type.
    unsafe {
        if datums.is_empty() {
            return Ok(pg_sys::Datum::from(pg_sys::construct_empty_array(element)));
        }
        let (mut length, mut by_value, mut align) = (0, false, 0);
        pg_sys::get_typlenbyvalalign(element, &mut length, &mut by_value, &mut align);
        let array = pg_sys::construct_md_array(
            datums.as_mut_ptr(),
            nulls.as_mut_ptr(),
            dimensions.len() as i32,
            dimensions.as_mut_ptr(),
            lower_bounds.as_mut_ptr(),
            element,
            i32::from(length),
            by_value,
            align,
        );
        Ok(pg_sys::Datum::from(array))
    }
}
