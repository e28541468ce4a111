//! The languages of the text that was recognised in the pictures of a document.

use crate::keyword::language::{Language, SIMPLE, detect_all};
use socle_core::document::Document;
use std::collections::BTreeMap;

/// Characters of a page that are looked at: more do not make the language surer.
const MAX_CHARACTERS: usize = 2_000;
/// A language with a smaller share of the text is an error of the detection.
const LEAST_PERCENT: usize = 5;

/// The languages of the recognised pages of a document, that of most of the text first; none if no text was recognised.
pub fn recognized_languages(document: &Document) -> Vec<String> {
    let mut pages: BTreeMap<Option<u32>, String> = BTreeMap::new();
    for block in document.blocks.iter().filter(|block| block.permille.is_some()) {
        let text = pages.entry(block.page).or_default();
        if text.len() < MAX_CHARACTERS {
            text.push_str(document.markdown.get(block.start..block.end).unwrap_or_default());
            text.push('\n');
        }
    }
    let texts: Vec<&str> = pages.values().map(String::as_str).collect();
    let mut lengths: Vec<(Language, usize)> = Vec::new();
    for (language, text) in detect_all(&texts, &[]).into_iter().zip(&texts).filter(|(language, _)| *language != SIMPLE)
    {
        match lengths.iter_mut().find(|(known, _)| *known == language) {
            Some((_, length)) => *length += text.len(),
            None => lengths.push((language, text.len())),
        }
    }
    lengths.sort_by_key(|(_, length)| std::cmp::Reverse(*length));
    let all: usize = lengths.iter().map(|(_, length)| length).sum();
    let common = lengths.into_iter().filter(|(_, length)| length * 100 >= all * LEAST_PERCENT);
    common.map(|(language, _)| language.name().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use socle_core::document::{Block, BlockKind};

    #[test]
    fn the_languages_of_what_was_recognised_are_told_and_not_those_of_the_file() {
        let texts = [
            (
                "Ships that are longer than forty metres take a pilot, who comes aboard at the outer buoy.",
                Some(1),
                Some(990),
            ),
            (
                "Le port est ouvert toute la nuit jusqu’à l’aube. Les navires de plus de quarante mètres prennent un pilote. \
              Les droits de quai sont dus à l’arrivée, et la caution est rendue au départ.",
                Some(2),
                Some(980),
            ),
            ("Der Hafen ist in der Nacht geschlossen, und die Schiffe warten an der Einfahrt.", Some(3), None),
            ("12 34 56", Some(4), Some(900)),
        ];
        let mut document = Document::default();
        for (text, page, permille) in texts {
            let start = document.markdown.len();
            document.markdown.push_str(text);
            let end = document.markdown.len();
            document.blocks.push(Block { kind: BlockKind::Paragraph, page, start, end, permille });
        }
        assert_eq!(recognized_languages(&document), ["french", "english"]);
        document.blocks.iter_mut().for_each(|block| block.permille = None);
        assert!(recognized_languages(&document).is_empty());
    }
}
