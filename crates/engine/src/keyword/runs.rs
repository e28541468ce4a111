//! Run-length encoding of bytes, for the lengths of fields that most chunks lack: pairs of a length and a text, of which the
//! text stands as it is, and then a run of one byte. Anything can be encoded; what is not an encoding is refused.

/// Shortest run that is encoded as such: length and byte, and what the text that it interrupts costs.
const MIN_RUN: usize = 5;

/// Encodes bytes.
pub fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    let (mut text, mut at) = (0, 0);
    while at < bytes.len() {
        let run = bytes[at..].iter().take_while(|byte| **byte == bytes[at]).count();
        if run >= MIN_RUN {
            put(&mut encoded, &bytes[text..at]);
            put_number(&mut encoded, run);
            encoded.push(bytes[at]);
            text = at + run;
        }
        at += run;
    }
    put(&mut encoded, &bytes[text..]);
    encoded
}

fn put(encoded: &mut Vec<u8>, text: &[u8]) {
    put_number(encoded, text.len());
    encoded.extend_from_slice(text);
}

/// Seven bits in a byte, the lowest first; the highest bit says that more follow.
fn put_number(encoded: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        encoded.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    encoded.push(number as u8);
}

/// Decodes what [`encode`] has returned, up to `limit` bytes. `None` for anything else.
pub fn decode(mut encoded: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut bytes: Vec<u8> = Vec::new();
    while !encoded.is_empty() {
        let length = number(&mut encoded)?;
        let (text, rest) = encoded.split_at_checked(length)?;
        bytes.extend_from_slice(text);
        encoded = rest;
        if !encoded.is_empty() {
            let length = number(&mut encoded)?;
            let (byte, rest) = encoded.split_first()?;
            encoded = rest;
            bytes.resize(bytes.len().checked_add(length).filter(|length| *length <= limit)?, *byte);
        }
    }
    (bytes.len() <= limit).then_some(bytes)
}

fn number(encoded: &mut &[u8]) -> Option<usize> {
    let mut number = 0_usize;
    for shift in (0..usize::BITS).step_by(7) {
        let (byte, rest) = encoded.split_first()?;
        *encoded = rest;
        number |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_and_runs_take_no_room() {
        for bytes in [vec![], vec![7], vec![0; 6], [vec![1, 2, 3], vec![0; 70_000], vec![9, 9, 9, 4]].concat()] {
            assert_eq!(decode(&encode(&bytes), bytes.len()), Some(bytes));
        }
        assert!(encode(&vec![0; 1_000_000]).len() < 8);
        let mixed: Vec<u8> = (0..100_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        assert!(encode(&mixed).len() < mixed.len() + 100);
    }

    #[test]
    fn what_is_no_encoding_is_refused() {
        assert_eq!(decode(&encode(&[0; 1_000]), 999), None, "longer than it may be");
        assert_eq!(decode(&[5, 1], 100), None, "a text that ends too early");
        assert_eq!(decode(&[0, 5], 100), None, "a run of nothing");
        assert_eq!(decode(&[0xff; 20], 100), None, "a number that does not end");
        assert_eq!(decode(&[0, 0xff, 0xff, 0xff, 0xff, 0x7f, 0], 100), None, "a run beyond all bounds");
    }
}
