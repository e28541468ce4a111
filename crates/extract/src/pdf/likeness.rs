//! Whether the letters of a text follow one another as those of a language that is written in Latin letters do. Where a font
//! maps to wrong characters, as one whose table is shifted, they do not.

use unicode_normalization::UnicodeNormalization;

/// The commonest pairs of letters of 45 languages, Swahili and Finnish among them, each language counted alike: half of all
/// pairs of a text are among them, accents aside. Measured with the translated messages of the programs of Debian 12.
const COMMON: &[u8] = b"anereninarretaratelaaldeonnastrilitiatesngisleorelkamasenintdadimeneasetsiitilnd\
      amsaiktoadpahaunnorokoirchloakosvaaiiepotrveurheolicprgacaombadojeaccoidioemtupe";
/// Share of these below which a piece of text is like no language, in percent. Of pieces of translated messages, one of
/// 6,000 had less; of shifted ones, 29 of 30 have.
const LEAST_PERCENT: usize = 22;
/// Share of letters with accents, or of other kinds that ASCII lacks, above which it is like none. Vietnamese and Crimean Tatar
/// have a third of them, Cyrillic letters that are taken for Latin ones are all of these.
const MOST_ACCENTED_PERCENT: usize = 60;
/// Letters of a piece of text, and of a word that counts: shorter ones are units, abbreviations and variables.
const PIECE: usize = 80;
const LEAST_LETTERS: usize = 4;
/// Share of letters in such pieces from which the whole text is like no language, in percent; and by how much the shares of
/// two texts have to differ that one is better.
pub(super) const UNLIKE_PERCENT: usize = 30;

const PAIRS: [[bool; 26]; 26] = pairs();

const fn pairs() -> [[bool; 26]; 26] {
    let mut pairs = [[false; 26]; 26];
    let mut rest: &[u8] = COMMON;
    while let [first, second, after @ ..] = rest {
        pairs[(*first - b'a') as usize][(*second - b'a') as usize] = true;
        rest = after;
    }
    pairs
}

/// How many letters of a text were looked at, in whole pieces, and how many of these are in pieces like no language.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Likeness {
    letters: usize,
    unlike: usize,
}

impl Likeness {
    /// That of a text. Other scripts, and words with other characters in them, are not looked at.
    pub(super) fn of(text: &str) -> Self {
        let (mut found, mut piece) = (Self::default(), Piece::default());
        for word in text.split(|c: char| !c.is_alphabetic()) {
            if word.chars().count() >= LEAST_LETTERS && word.chars().all(is_latin) {
                piece.add(word);
            }
            if piece.letters >= PIECE {
                found.letters += piece.letters;
                found.unlike += if piece.is_like_a_language() { 0 } else { piece.letters };
                piece = Piece::default();
            }
        }
        found
    }

    /// Whether much of the text is like no language.
    pub(super) fn is_unlike(self) -> bool {
        self.percent_unlike() >= UNLIKE_PERCENT
    }

    /// Share of letters in pieces like no language, in percent.
    pub(super) fn percent_unlike(self) -> usize {
        self.unlike * 100 / self.letters.max(1)
    }

    /// Number of letters in pieces that are like a language.
    pub(super) fn alike(self) -> usize {
        self.letters - self.unlike
    }
}

/// Some consecutive words of a text.
#[derive(Default)]
struct Piece {
    letters: usize,
    accented: usize,
    pairs: usize,
    common: usize,
}

impl Piece {
    fn add(&mut self, word: &str) {
        let mut before: Option<usize> = None;
        for c in word.chars() {
            self.letters += 1;
            self.accented += usize::from(!c.is_ascii());
            let base = std::iter::once(c).nfd().next().unwrap_or(c).to_ascii_lowercase();
            let place = base.is_ascii_lowercase().then(|| base as usize - usize::from(b'a'));
            if let (Some(before), Some(place)) = (before, place) {
                self.pairs += 1;
                self.common += usize::from(PAIRS.get(before).and_then(|row| row.get(place)).is_some_and(|pair| *pair));
            }
            before = place;
        }
    }

    fn is_like_a_language(&self) -> bool {
        self.common * 100 >= self.pairs * LEAST_PERCENT && self.accented * 100 <= self.letters * MOST_ACCENTED_PERCENT
    }
}

fn is_latin(c: char) -> bool {
    matches!(c, 'a'..='z' | 'A'..='Z' | '\u{aa}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}')
}
