//! Signatures of manifests, as `minisign` makes them: Ed25519 over the BLAKE2b hash of the file.

use minisign_verify::Signature;
use socle_core::{Error, Kind, Result};

/// Longest text of a public key in bytes: two lines, one of them a comment.
const MAX_KEY_BYTES: usize = 1_000;

/// Digits of base 64.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes of a public key: two that name the algorithm, eight of its identity, 32 of the key itself.
const KEY_BYTES: usize = 42;

/// A public key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicKey {
    /// The key in base 64, as `minisign -P` takes it.
    pub text: String,
    /// Its identity, as `minisign` shows it: 16 hexadecimal digits.
    pub id: String,
}

impl PublicKey {
    /// Reads a key: the line that `minisign -P` takes, or the whole file with its comment.
    ///
    /// # Errors
    /// `InvalidArgument`; the text is not repeated, as it may be a secret key.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = || {
            Error::new(Kind::InvalidArgument, "the text is not a public key of minisign")
                .hint("It is the second line of the file minisign.pub, 56 letters that begin with RW.")
        };
        let line = text.trim().lines().last().unwrap_or_default().trim();
        if text.len() > MAX_KEY_BYTES || minisign_verify::PublicKey::from_base64(line).is_err() {
            return Err(invalid());
        }
        let bytes = decode(line).filter(|bytes| bytes.len() == KEY_BYTES).ok_or_else(invalid)?;
        // A number whose lowest byte comes first.
        let id = bytes.iter().skip(2).take(8).rev().map(|byte| format!("{byte:02X}")).collect();
        Ok(Self { text: line.to_string(), id })
    }
}

/// Checks that a key has signed these bytes. Returns the comment that it has signed with them.
///
/// # Errors
/// `DamagedDocument` for a text that is no signature; `NotPermitted` for one of another key or of other bytes.
pub fn check_signature(key: &PublicKey, bytes: &[u8], signature: &str) -> Result<String> {
    let refused = |why: String| Error::new(Kind::NotPermitted, "the signature of the package is not valid").detail(why);
    let signature = Signature::decode(signature.trim_end())
        .map_err(|_| Error::new(Kind::DamagedDocument, "the text is not a signature of minisign"))?;
    let public = minisign_verify::PublicKey::from_base64(&key.text).map_err(|error| refused(error.to_string()))?;
    // Not the older form, which signs the bytes themselves: minisign has written it only when told to, since 2021.
    public.verify(bytes, &signature, false).map_err(|error| refused(format!("For key {}: {error}.", key.id)))?;
    Ok(signature.trusted_comment().chars().filter(|letter| !letter.is_control()).collect())
}

/// The identity of the key that a signature says it was made with; `None` for a text that is no signature.
pub fn key_of(signature: &str) -> Option<String> {
    let bytes = decode(signature.lines().nth(1)?.trim())?;
    let id = bytes.get(2..10)?;
    Some(id.iter().rev().map(|byte| format!("{byte:02X}")).collect())
}

/// The bytes of a text in base 64.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let digit = DIGITS.iter().position(|known| *known == letter)?;
        bits = (bits << 6) | digit as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}
