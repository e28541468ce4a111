//! Fallible allocation for data that grows with input. A failed Rust allocation aborts the process, and an aborted
//! backend makes PostgreSQL restart all others, so large allocations go through these functions and fail with an error.

use crate::{Error, Kind, Result};

/// Size in bytes up to which [`ensure`] does not check.
const SMALL: usize = 64 << 10;

/// An empty vector with capacity for `count` elements.
///
/// # Errors
/// Kind `OutOfMemory`.
pub fn with_capacity<T>(count: usize) -> Result<Vec<T>> {
    let mut list = Vec::new();
    list.try_reserve_exact(count).map_err(|_| exhausted(count.saturating_mul(size_of::<T>())))?;
    Ok(list)
}

/// Reserves capacity for `count` more elements.
///
/// # Errors
/// Kind `OutOfMemory`.
pub fn reserve<T>(list: &mut Vec<T>, count: usize) -> Result<()> {
    list.try_reserve(count).map_err(|_| exhausted(count.saturating_mul(size_of::<T>())))
}

/// A copy of a text.
///
/// # Errors
/// Kind `OutOfMemory`.
pub fn copy(text: &str) -> Result<String> {
    let mut copy = String::new();
    copy.try_reserve_exact(text.len()).map_err(|_| exhausted(text.len()))?;
    copy.push_str(text);
    Ok(copy)
}

/// A copy of bytes.
///
/// # Errors
/// Kind `OutOfMemory`.
pub fn copy_bytes(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut copy = with_capacity(bytes.len())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// Checks that `bytes` can be allocated, for code that allocates them in pieces. Allocates and frees them; no other
/// thread of the process takes them in between.
///
/// # Errors
/// Kind `OutOfMemory`.
pub fn ensure(bytes: usize) -> Result<()> {
    if bytes <= SMALL { Ok(()) } else { with_capacity::<u8>(bytes).map(drop) }
}

/// The error for a failed allocation of `bytes`.
#[must_use]
pub fn exhausted(bytes: usize) -> Error {
    Error::new(Kind::OutOfMemory, "out of memory").detail(format!("Failed on request of size {bytes}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_had_is_an_error() {
        let wanted = isize::MAX as usize;
        assert_eq!(ensure(wanted).unwrap_err().kind, Kind::OutOfMemory);
        assert_eq!(with_capacity::<u64>(wanted).unwrap_err().kind, Kind::OutOfMemory);
        assert_eq!(reserve(&mut vec![1_u8], wanted).unwrap_err().kind, Kind::OutOfMemory);
        assert_eq!(copy("text").unwrap(), "text");
        assert_eq!(copy_bytes(b"bytes").unwrap(), b"bytes");
        assert!(ensure(1 << 20).is_ok());
    }
}
