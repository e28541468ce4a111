//! Checkpoints: what a chain said at some size, in three lines (C2SP tlog-checkpoint). Kept where nobody who can write the ledger
//! can write, one holds a chain to what it said.

use crate::hash::Hash;

/// Begins the origin line, so that a checkpoint of a ledger of socle is none of another log.
const ORIGIN_PREFIX: &str = "socle/ledger/";

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A chain, its number of entries, and the root of the tree over them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    /// Origin of the chain.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over their lines.
    pub root: Hash,
}

impl Checkpoint {
    /// Reads the text of a checkpoint. Further lines, as signatures, are not looked at.
    ///
    /// # Errors
    /// A sentence on what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        let origin = lines.next().unwrap_or_default();
        let Some(origin) = origin.strip_prefix(ORIGIN_PREFIX) else {
            return Err(format!("Its first line has to begin with {ORIGIN_PREFIX}."));
        };
        let size = lines.next().unwrap_or_default();
        let parsed = size.parse::<u64>().ok().filter(|parsed| parsed.to_string() == size);
        let size = parsed.ok_or_else(|| "Its second line has to be a number of entries.".to_string())?;
        let root = decoded(lines.next().unwrap_or_default());
        let root = root.ok_or_else(|| "Its third line has to be 32 bytes in base64.".to_string())?;
        Ok(Self { origin: origin.to_string(), size, root })
    }
}

impl std::fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{ORIGIN_PREFIX}{}\n{}\n{}\n", self.origin, self.size, encoded(self.root))
    }
}

fn encoded(hash: Hash) -> String {
    let mut text = String::new();
    for part in hash.0.chunks(3) {
        let bits = part.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - part.len()));
        let letters = (0..=part.len()).map(|at| char::from(BASE64[(bits >> (18 - 6 * at)) as usize & 63]));
        text.extend(letters);
    }
    text.push('=');
    text
}

fn decoded(text: &str) -> Option<Hash> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.trim().strip_suffix('=')?.bytes() {
        let value = BASE64.iter().position(|known| *known == letter)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    // What is left over are zeros, or else one hash had several spellings.
    if bits != 0 {
        return None;
    }
    bytes.try_into().ok().map(Hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_read_as_it_was_written() {
        let checkpoint = Checkpoint { origin: "0a".into(), size: 20_852_163, root: Hash::of(&[b"x"]) };
        let text = checkpoint.to_string();
        assert_eq!(text, "socle/ledger/0a\n20852163\nLXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=\n");
        assert_eq!(Checkpoint::parse(&text), Ok(checkpoint.clone()));
        assert_eq!(Checkpoint::parse(&format!("{text}\n— name c2lnbmF0dXJl\n")), Ok(checkpoint));
    }

    #[test]
    fn what_is_none_is_refused_with_its_reason() {
        let good = Checkpoint { origin: "0a".into(), size: 1, root: Hash::NONE }.to_string();
        for (from, to, word) in [
            ("socle/", "other/", "first"),
            ("\n1\n", "\n01\n", "second"),
            ("\n1\n", "\n-1\n", "second"),
            ("AA=", "AB=", "third"),
            ("AA=", "A=", "third"),
        ] {
            let error = Checkpoint::parse(&good.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(word), "{to}: {error}");
        }
        assert!(Checkpoint::parse("").is_err());
    }
}
