//! How sure the model is of the text of a passage that was recognised in pictures.

use super::Document;
use std::ops::Range;

/// The recognised parts of a document.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Certainty {
    /// Ranges of characters, ascending, and how sure the model is of each, from 0 to 1000.
    parts: Vec<(Range<usize>, u16)>,
}

impl Certainty {
    /// Those of a document.
    pub fn of(document: &Document) -> Self {
        let mut parts: Vec<(Range<usize>, u16)> = Vec::new();
        if document.blocks.iter().all(|block| block.permille.is_none()) {
            return Self { parts };
        }
        let count = |bytes: Range<usize>| document.markdown.get(bytes).map_or(0, |text| text.chars().count());
        let (mut byte, mut character) = (0, 0);
        for block in &document.blocks {
            let start = character + count(byte..block.start);
            (byte, character) = (block.end, start + count(block.start..block.end));
            parts.extend(block.permille.map(|permille| (start..character, permille)));
        }
        Self { parts }
    }

    /// How sure the model is of the characters in a range, from 0 to 1: that of the least sure page or picture which any of them
    /// was recognised in; `None` if none was.
    pub fn at(&self, characters: Range<usize>) -> Option<f32> {
        let first = self.parts.partition_point(|(part, _)| part.end <= characters.start);
        let parts = self.parts.iter().skip(first).take_while(|(part, _)| part.start < characters.end);
        parts.map(|(_, permille)| *permille).min().map(|permille| (f64::from(permille) / 1000.0) as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Block, BlockKind};

    #[test]
    fn a_passage_has_the_certainty_of_what_was_recognised_of_it() {
        let mut document = Document::default();
        for (text, permille) in [("éé", None), ("aaaa", Some(900)), ("bb", Some(600)), ("cc", None)] {
            let start = document.markdown.len();
            document.markdown.push_str(text);
            let end = document.markdown.len();
            document.blocks.push(Block { kind: BlockKind::Paragraph, page: None, start, end, permille });
        }
        let found = Certainty::of(&document);
        assert_eq!(found.at(0..2), None);
        assert_eq!(found.at(0..4), Some(0.9));
        assert_eq!(found.at(2..8), Some(0.6));
        assert_eq!(found.at(7..10), Some(0.6));
        assert_eq!(found.at(8..10), None);
        document.blocks.iter_mut().for_each(|block| block.permille = None);
        assert_eq!(Certainty::of(&document), Certainty::default());
    }
}
