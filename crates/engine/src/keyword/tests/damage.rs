//! Damaged segments: an error, never a panic.

use super::*;
use socle_core::Kind;

#[test]
fn equal_input_gives_equal_bytes() {
    let texts = [(2, "two words"), (1, "another text")];
    let reversed = [texts[1], texts[0]];
    assert_eq!(segment_bytes(Some("english"), &texts), segment_bytes(Some("english"), &reversed));
}

#[test]
fn another_format_is_outdated_and_anything_else_damaged() {
    let (digest, bytes) = segment_bytes(Some("english"), &[(1, "text")]);
    let changed = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        open(digest, bytes).unwrap_err().kind
    };
    assert_eq!(changed(0, b'x'), Kind::DamagedIndex);
    assert_eq!(changed(8, 99), Kind::OutdatedIndex);
    assert_eq!(changed(13, 255), Kind::DamagedIndex);
    for bytes in [Vec::new(), b"socle-kw".to_vec(), vec![0; 4096]] {
        assert_eq!(open(digest, bytes).unwrap_err().kind, Kind::DamagedIndex);
    }
}

#[test]
fn no_damage_panics() {
    let all = texts(300, 5);
    let pairs: Vec<(i64, &str)> = all.iter().map(|(id, text)| (*id, text.as_str())).collect();
    let (digest, bytes) = segment_bytes(Some("simple"), &pairs);
    let try_all = |bytes: Vec<u8>| {
        let Ok(segment) = open(digest, bytes) else { return };
        for query in ["w1 w2", "\"w0 w1\" -w3", "w1*"] {
            if let Err(error) = search(std::slice::from_ref(&segment), &request(query), &|| false) {
                assert_eq!(error.kind, Kind::DamagedIndex);
            }
        }
        if let Err(error) = merge(&[segment], &[1, 2], &|| false, &mut Vec::new()) {
            assert_eq!(error.kind, Kind::DamagedIndex);
        }
    };
    std::panic::set_hook(Box::new(|_| {}));
    let mut state = 1;
    for at in (0..bytes.len()).step_by(bytes.len() / 400 + 1) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << random(&mut state, 8);
        try_all(flipped);
        try_all(bytes[..at].to_vec());
    }
    let _ = std::panic::take_hook();
    try_all(bytes);
}
