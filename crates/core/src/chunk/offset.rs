//! Converts byte offsets to character offsets.

use super::slice;

/// Counts characters from the offset of the last call, so that ascending offsets cost one pass in total.
pub(super) struct CharacterOffset<'a> {
    text: &'a str,
    byte: usize,
    character: usize,
}

impl<'a> CharacterOffset<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, byte: 0, character: 0 }
    }

    /// The number of characters before `byte`, which must lie between two characters.
    pub(super) fn at(&mut self, byte: usize) -> usize {
        if byte >= self.byte {
            self.character += slice(self.text, self.byte..byte).chars().count();
        } else {
            self.character -= slice(self.text, byte..self.byte).chars().count();
        }
        self.byte = byte;
        self.character
    }
}
