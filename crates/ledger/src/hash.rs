//! SHA-256, what is chained with it, and keyed hashes of texts that are not to be guessed.

use sha2::{Digest, Sha256};

/// A SHA-256.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What the first entry of a chain has as the hash before it.
    pub const NONE: Self = Self([0; 32]);

    /// The hash of these parts, one after the other.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        parts.iter().for_each(|part| hash.update(part));
        Self(hash.finalize().into())
    }

    /// The hash of an entry: of the one before it in hexadecimal, and of its body.
    pub fn chained(previous: Self, body: &str) -> Self {
        Self::of(&[previous.to_string().as_bytes(), body.as_bytes()])
    }

    /// Reads 64 hexadecimal digits in small letters.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hexadecimal(&self.0))
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Bytes as hexadecimal digits in small letters.
pub fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// HMAC-SHA-256 (RFC 2104) of a text, in hexadecimal. Of a short question a plain hash could be guessed; this one only by who has
/// the key.
pub fn keyed(key: &[u8], text: &[u8]) -> String {
    const BLOCK: usize = 64;
    let mut block = [0_u8; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Hash::of(&[key]).0);
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Hash::of(&[&block.map(|byte| byte ^ 0x36), text]);
    Hash::of(&[&block.map(|byte| byte ^ 0x5c), &inner.0]).to_string()
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyed_hashes_are_those_of_rfc_4231() {
        let first = keyed(&[0x0b; 20], b"Hi There");
        assert_eq!(first, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        let second = keyed(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(second, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let long = keyed(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(long, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn a_hash_has_one_spelling() {
        let hash = Hash::of(&[b"a"]);
        assert_eq!(Hash::parse(&hash.to_string()), Some(hash));
        assert_eq!(Hash::parse(&hash.to_string().to_uppercase()), None);
        assert_eq!(Hash::parse(&hash.to_string()[1..]), None);
    }
}
