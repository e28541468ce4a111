//! Turns byte offsets into character offsets. Does not remember more than the last place it was asked for.

use super::slice;

/// Counts characters from the place it was asked for last, so that asking in rising order costs one pass.
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
