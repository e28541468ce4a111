//! British spellings and irregular plurals of English, as the form that the stemmer takes.
//!
//! The same is done to texts and to queries, so that a rule may change words that it does not mean (`otherwise`) as long as
//! it makes no two words one.

use std::borrow::Cow;

/// Plurals that no rule forms, and words that are written in two ways.
const WORDS: [(&str, &str); 44] = [
    ("children", "child"),
    ("men", "man"),
    ("women", "woman"),
    ("mice", "mouse"),
    ("feet", "foot"),
    ("teeth", "tooth"),
    ("geese", "goose"),
    ("lice", "louse"),
    ("oxen", "ox"),
    ("analyses", "analysis"),
    ("crises", "crisis"),
    ("theses", "thesis"),
    ("hypotheses", "hypothesis"),
    ("diagnoses", "diagnosis"),
    ("syntheses", "synthesis"),
    ("criteria", "criterion"),
    ("phenomena", "phenomenon"),
    ("bacteria", "bacterium"),
    ("indices", "index"),
    ("indexes", "index"),
    ("matrices", "matrix"),
    ("vertices", "vertex"),
    ("appendices", "appendix"),
    ("knives", "knife"),
    ("wives", "wife"),
    ("wolves", "wolf"),
    ("shelves", "shelf"),
    ("halves", "half"),
    ("calves", "calf"),
    ("loaves", "loaf"),
    ("thieves", "thief"),
    ("catalogue", "catalog"),
    ("catalogues", "catalog"),
    ("dialogue", "dialog"),
    ("dialogues", "dialog"),
    ("programme", "program"),
    ("programmes", "program"),
    ("grey", "gray"),
    ("licence", "license"),
    ("licences", "license"),
    ("defence", "defense"),
    ("aluminium", "aluminum"),
    ("tyre", "tire"),
    ("tyres", "tire"),
];

/// What precedes `our` in words that are written with `or` in American English.
const OUR: [&str; 24] = [
    "arm", "behavi", "cand", "clam", "col", "discol", "endeav", "fav", "flav", "harb", "hon", "hum", "lab", "neighb",
    "od", "parl", "ranc", "rum", "sav", "splend", "tum", "val", "vap", "vig",
];

/// What precedes `re` in words that are written with `er` in American English; other letters may stand before it.
const RE: [&str; 7] = ["cent", "met", "lit", "theat", "fib", "calib", "spect"];

/// American endings for which `is` or `ys` is written in British English. The other way round, `precise` would part from
/// `precision`.
const IZE: [&str; 13] =
    ["ization", "izations", "ize", "ized", "izer", "izers", "izes", "izing", "yze", "yzed", "yzer", "yzers", "yzing"];

/// Shortest word whose ending is changed: `prize` is another word than `prise`.
const MIN_IZE: usize = 7;

/// The word as the stemmer takes it.
pub fn normalized(word: &str) -> Cow<'_, str> {
    if !word.is_ascii() {
        return Cow::Borrowed(word);
    }
    if let Some((_, other)) = WORDS.iter().find(|(known, _)| *known == word) {
        return Cow::Borrowed(*other);
    }
    let ending = IZE.iter().find(|ending| word.len() >= MIN_IZE && word.ends_with(**ending));
    if let Some(ending) = ending {
        let (stem, rest) = word.split_at(word.len() - ending.len() + 1);
        return Cow::Owned(format!("{stem}s{}", &rest[1..]));
    }
    if let Some((stem, rest)) = word.split_once("our")
        && OUR.contains(&stem)
    {
        return Cow::Owned(format!("{stem}or{rest}"));
    }
    let singular = word.strip_suffix('s').or_else(|| word.strip_suffix('d')).unwrap_or(word);
    if let Some(stem) = singular.strip_suffix("re")
        && RE.iter().any(|known| stem.ends_with(known))
    {
        return Cow::Owned(format!("{stem}er{}", &word[singular.len()..]));
    }
    Cow::Borrowed(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_one() {
        for (one, other) in [
            ("colour", "color"),
            ("colours", "colors"),
            ("neighbouring", "neighboring"),
            ("customise", "customize"),
            ("organisations", "organizations"),
            ("analysed", "analyzed"),
            ("centres", "centers"),
            ("kilometre", "kilometer"),
            ("children", "child"),
        ] {
            assert_eq!(normalized(one), normalized(other));
        }
    }

    #[test]
    fn other_words_stay() {
        for word in ["hour", "four", "contour", "rise", "wise", "prize", "precise", "more", "store", "été", "analysis"]
        {
            assert_eq!(normalized(word), word);
        }
    }
}
