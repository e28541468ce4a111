//! Memory for what grows with input. An allocation that fails ends the process, and a process of Postgres takes the whole
//! server along: what may be large is asked for here first, and becomes an error.

use crate::{Error, Kind, Result};

/// Below that, nothing is asked for first.
const SMALL: usize = 64 << 10;

/// An empty list with room for that many elements.
///
/// # Errors
/// Kind `OutOfMemory`.
pub fn with_capacity<T>(count: usize) -> Result<Vec<T>> {
    let mut list = Vec::new();
    list.try_reserve_exact(count).map_err(|_| exhausted(count.saturating_mul(size_of::<T>())))?;
    Ok(list)
}

/// Makes room for that many elements more.
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

/// Whether so many bytes can be had, for code that asks for them in pieces. They are given back, and nobody else in the
/// process takes them.
///
/// # Errors
/// Kind `OutOfMemory`.
pub fn ensure(bytes: usize) -> Result<()> {
    if bytes <= SMALL { Ok(()) } else { with_capacity::<u8>(bytes).map(drop) }
}

/// The error for so many bytes that are not there.
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
