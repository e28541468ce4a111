//! Languages: stemmers, stop words and detection.
//!
//! In a language without a stemmer, the stem of a word is its folded form. The language of a text that cannot be detected
//! is `simple`.

use super::fold::fold;
use super::light_stemmer::{LightStemmer, light_stemmer};
use frostem::{Algorithm, Stemmer};
use socle_core::Result;
use socle_core::language::{LANGUAGES, canonical};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{LazyLock, OnceLock};
use whatlang::{Detector, Info, Lang};

/// A language of [`LANGUAGES`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Language(u8);

/// The language `simple`, without stemmer and stop words.
pub const SIMPLE: Language = Language(0);

/// Bytes at the beginning of a text from which its language is detected.
const DETECTED_BYTES: usize = 600;

/// Texts of a source are taken to be of the languages that at least one in so many has, where detection is not reliable.
const COMMON_RATIO: u64 = 20;

/// A language that fewer than one in so many texts have is not believed of a short text.
const RARE_RATIO: u64 = 200;

/// Longest text that is short, in bytes.
const SHORT_BYTES: usize = 200;

/// Least confidence of a detection that is used at all (0 to 1).
const MIN_CONFIDENCE: f64 = 0.1;

/// Polish stop words, which the crate `stop_words` does not have.
const POLISH: &str = "a aby albo ale ani aż bardzo bez bo bowiem być byli był była było były będzie będą ci co coś czy \
    czyli dla do gdy gdyż gdzie go i ich ile im inne innych iż ja jak jako je jednak jego jej jest jeszcze jeśli jeżeli \
    już każdy kiedy kto która które którego której który których którym którzy lub ma mają mi mnie może można mu my na \
    nad nam nas nawet nich nie niego niej nim niż no o od ona one oni oraz po pod ponieważ poza przed przez przy są się \
    skąd swoje ta tak taka taki także tam te tego tej ten też to tu tych tylko tym u w we więc wszystko wy z za zaś ze że";

/// Words that ask, as far as the crate `stop_words` does not have them: what is asked for stands in the texts, and they do not.
const INTERROGATIVES: [(&str, &str); 8] = [
    ("danish", "hvad hvem hvor hvordan hvorfor hvornår hvilken hvilket hvilke"),
    ("dutch", "wie wat waar wanneer waarom welk welke hoe hoeveel waarmee waarvan"),
    (
        "french",
        "comment combien lequel laquelle lesquels lesquelles où pourquoi quand quel quelle quelles quels qui quoi",
    ),
    (
        "german",
        "wann warum wer wem wen weshalb wessen wie wieso wieviel wo wodurch woher wohin womit wozu was welche welcher welches",
    ),
    ("italian", "chi che come cosa dove perché quale quali quando quanta quante quanti quanto"),
    ("portuguese", "como onde porque porquê quais qual quando quanta quantas quanto quantos quem"),
    ("spanish", "adónde cómo cuál cuáles cuándo cuánta cuántas cuánto cuántos dónde qué quién quiénes"),
    ("swedish", "hur vad vem var varför när vilken vilket vilka"),
];

/// Words elided before an apostrophe, of which the crate `stop_words` has the full forms only.
const ELIDED: [(&str, &str); 3] = [
    ("italian", "c l un m t s v d all dall dell nell sull coll pell gl agl dagl degl negl sugl quell quest sant"),
    ("catalan", "d l m n s t"),
    ("french", "l m t qu n s j d c jusqu quoiqu lorsqu puisqu"),
];

/// A script, as far as it tells which languages a word can be of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Script {
    /// Latin.
    Latin,
    /// Cyrillic.
    Cyrillic,
    /// Greek.
    Greek,
    /// Arabic and Persian.
    Arabic,
    /// Hebrew and Yiddish.
    Hebrew,
    /// Armenian.
    Armenian,
    /// Devanagari.
    Devanagari,
    /// Those of which whatlang and the stemmers know one language each, or that have no spaces.
    Asian,
    /// None, as that of digits, or one of any language.
    Other,
}

impl Script {
    /// The script of the first letter of a word.
    pub fn of(word: &str) -> Self {
        let letter = word.chars().find(|sign| sign.is_alphabetic()).map_or(0, u32::from);
        match letter {
            0x41..=0x24f | 0x1e00..=0x1eff => Self::Latin,
            0x370..=0x3ff | 0x1f00..=0x1fff => Self::Greek,
            0x400..=0x52f => Self::Cyrillic,
            0x530..=0x58f => Self::Armenian,
            0x590..=0x5ff => Self::Hebrew,
            0x600..=0x77f | 0xfb50..=0xfdff | 0xfe70..=0xfeff => Self::Arabic,
            0x900..=0x97f => Self::Devanagari,
            0 => Self::Other,
            _ => Self::Asian,
        }
    }
}

/// What takes the stem of a word.
enum WordStemmer {
    Snowball(Stemmer),
    Light(LightStemmer),
    None,
}

/// Stemmer and stop words of a language.
struct Rules {
    stemmer: WordStemmer,
    stop_words: HashSet<String>,
    german: bool,
    before: Before,
}

/// What is done to a word before its stem is taken.
enum Before {
    Nothing,
    Turkish,
    English,
}

static RULES: [OnceLock<Rules>; LANGUAGES.len()] = [const { OnceLock::new() }; LANGUAGES.len()];

/// The languages that can be detected and have an entry in [`LANGUAGES`].
static KNOWN: LazyLock<Vec<(Lang, Language)>> =
    LazyLock::new(|| Lang::all().iter().filter_map(|lang| Some((*lang, language_of(*lang)?))).collect());

/// Detects all of them.
static DETECTOR: LazyLock<Detector> = LazyLock::new(|| detector(|_| true));

impl Language {
    /// The language of a name or code.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown one.
    pub fn named(name: &str) -> Result<Self> {
        let canonical = canonical(name)?;
        Ok(Self::of(canonical).unwrap_or(SIMPLE))
    }

    /// Its canonical name.
    pub fn name(self) -> &'static str {
        LANGUAGES.get(usize::from(self.0)).map_or("simple", |(name, _)| name)
    }

    /// The stem, without accents, of a word in lower case and normal form NFKC.
    pub fn stem(self, word: &str) -> String {
        let rules = self.rules();
        let word = match rules.before {
            Before::Nothing => Cow::Borrowed(word),
            Before::Turkish => Cow::Owned(word.replace("i\u{307}", "i")),
            Before::English => super::english::normalized(word),
        };
        let stem = match &rules.stemmer {
            WordStemmer::Snowball(stemmer) => stemmer.stem(&word),
            WordStemmer::Light(stem) => Cow::Owned(stem(&word)),
            WordStemmer::None => Cow::Borrowed(&*word),
        };
        let folded = fold(&stem);
        if rules.german { fold_umlauts(&folded) } else { folded.into_owned() }
    }

    /// Whether a normalized word is a stop word.
    pub fn is_stop_word(self, word: &str) -> bool {
        self.rules().stop_words.contains(word)
    }

    /// The script that the language is written in.
    pub fn script(self) -> Script {
        match self.name() {
            "simple" => Script::Other,
            "bulgarian" | "russian" | "ukrainian" => Script::Cyrillic,
            // In both.
            "serbian" => Script::Other,
            "greek" => Script::Greek,
            "arabic" | "persian" => Script::Arabic,
            "hebrew" | "yiddish" => Script::Hebrew,
            "armenian" => Script::Armenian,
            "hindi" | "nepali" => Script::Devanagari,
            "chinese" | "japanese" | "korean" | "tamil" | "thai" => Script::Asian,
            _ => Script::Latin,
        }
    }

    /// All languages, `simple` among them.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        LANGUAGES.iter().filter_map(|(name, _)| Self::of(name))
    }

    fn of(name: &str) -> Option<Self> {
        let at = LANGUAGES.iter().position(|(known, _)| *known == name)?;
        u8::try_from(at).ok().map(Self)
    }

    fn rules(self) -> &'static Rules {
        let at = usize::from(self.0).min(LANGUAGES.len() - 1);
        RULES[at].get_or_init(|| {
            let (name, code) = LANGUAGES[at];
            let mut words: Vec<&str> = stop_words::lookup(code).unwrap_or_default().to_vec();
            let more = ELIDED.iter().chain(&INTERROGATIVES).filter(|(language, _)| *language == name);
            words.extend(more.flat_map(|(_, words)| words.split(' ')));
            if name == "polish" {
                words.extend(POLISH.split_whitespace());
            }
            // Words are split at apostrophes, and the lists have the part before it as an entry of its own.
            let plain = words.iter().filter(|word| !word.contains('\'')).map(|word| super::words::normalize(word));
            let stop_words = plain.flat_map(|word| [fold(&word).into_owned(), word.into_owned()]).collect();
            let stemmer = match (Algorithm::from_name(name), light_stemmer(name)) {
                (Ok(algorithm), _) => WordStemmer::Snowball(Stemmer::new(algorithm)),
                (Err(_), Some(stem)) => WordStemmer::Light(stem),
                (Err(_), None) => WordStemmer::None,
            };
            let before = match name {
                "turkish" => Before::Turkish,
                "english" => Before::English,
                _ => Before::Nothing,
            };
            Rules { stemmer, stop_words, german: name == "german", before }
        })
    }
}

/// Whether a normalized word is a stop word in any language.
pub fn is_stop_word_of_any(word: &str) -> bool {
    Language::all().any(|language| language.is_stop_word(word))
}

/// Folds umlauts written as two letters like those that lost their accents: `ae`, `oe`, and `ue` unless a vowel or q
/// precedes it (as in `neue`, `quer`), as in the German2 variant of Snowball.
fn fold_umlauts(word: &str) -> String {
    let mut result = String::with_capacity(word.len());
    let mut last = ' ';
    for character in word.chars() {
        let umlaut = character == 'e' && matches!(last, 'a' | 'o' | 'u');
        let before = result.chars().rev().nth(1).unwrap_or(' ');
        if umlaut && (last != 'u' || !matches!(before, 'a' | 'e' | 'i' | 'o' | 'u' | 'y' | 'q')) {
            last = ' ';
            continue;
        }
        result.push(character);
        last = character;
    }
    result
}

/// The most likely language of a text, and whether the detection is reliable.
pub fn detect(text: &str) -> (Language, bool) {
    let Some(info) = DETECTOR.detect(beginning(text)) else { return (SIMPLE, false) };
    let language = known(info.lang()).unwrap_or(SIMPLE);
    (if info.confidence() < MIN_CONFIDENCE { SIMPLE } else { language }, info.is_reliable())
}

/// The languages of texts of one source, of which other texts are `known`: their languages, and how many there are of each.
/// Texts whose detection is not reliable get the most likely of the languages that at least one in twenty of the others
/// have; so do short ones whose language hardly any other has.
pub fn detect_all(texts: &[&str], known: &[(Language, u32)]) -> Vec<Language> {
    let detected: Vec<(Language, bool)> = texts.iter().map(|text| detect(text)).collect();
    let mut counts: HashMap<Language, u64> = HashMap::new();
    let certain = detected.iter().filter(|(_, certain)| *certain).map(|(language, _)| (*language, 1));
    for (language, count) in known.iter().copied().chain(certain).filter(|(language, _)| *language != SIMPLE) {
        *counts.entry(language).or_default() += u64::from(count);
    }
    let all: u64 = counts.values().sum();
    let is_one_in = |ratio: u64, language: Language| counts.get(&language).is_some_and(|count| count * ratio >= all);
    let is_common = |language: Language| is_one_in(COMMON_RATIO, language);
    if !counts.keys().copied().any(is_common) {
        return detected.into_iter().map(|(language, _)| language).collect();
    }
    let detector = detector(is_common);
    let guesses = texts.iter().zip(detected);
    guesses
        .map(|(text, (language, certain))| {
            let is_believed = certain && (text.len() > SHORT_BYTES || is_one_in(RARE_RATIO, language));
            if is_believed { language } else { detect_with(&detector, text).unwrap_or(language) }
        })
        .collect()
}

/// Detects the language of a text among those of its index.
#[derive(Debug)]
pub enum LanguageDetector {
    /// The index has one language.
    One(Language),
    /// The index has several.
    Several(Detector),
    /// The languages of the index are not known.
    Any,
}

impl LanguageDetector {
    /// A detector for an index of these languages.
    pub fn new(languages: &[Language]) -> Self {
        let mut real = languages.iter().copied().filter(|language| *language != SIMPLE);
        match (real.next(), real.next()) {
            (Some(one), None) => Self::One(one),
            (Some(_), Some(_)) => Self::Several(detector(|language| languages.contains(&language))),
            (None, _) if languages.is_empty() => Self::Any,
            (None, _) => Self::One(SIMPLE),
        }
    }

    /// The language of a text.
    pub fn detect(&self, text: &str) -> Language {
        match self {
            Self::One(language) => *language,
            Self::Several(detector) => detect_with(detector, text).unwrap_or(SIMPLE),
            Self::Any => detect(text).0,
        }
    }
}

/// A detector of the known languages for which `wanted` is true.
fn detector(wanted: impl Fn(Language) -> bool) -> Detector {
    Detector::with_allowlist(KNOWN.iter().filter(|(_, language)| wanted(*language)).map(|(lang, _)| *lang).collect())
}

fn detect_with(detector: &Detector, text: &str) -> Option<Language> {
    detector.detect(beginning(text)).as_ref().map(Info::lang).and_then(known)
}

fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(DETECTED_BYTES)]
}

fn known(lang: Lang) -> Option<Language> {
    KNOWN.iter().find(|(known, _)| *known == lang).map(|(_, language)| *language)
}

/// The language that `whatlang` calls `lang`, by its name or code.
fn language_of(lang: Lang) -> Option<Language> {
    let code = match lang {
        Lang::Cmn => "zh",
        Lang::Nob => "no",
        Lang::Pes => "fa",
        Lang::Slv => "sl",
        other => return Language::of(&other.eng_name().to_lowercase()),
    };
    let (name, _) = LANGUAGES.iter().find(|(_, other)| *other == code)?;
    Language::of(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inflected_words_share_a_stem() {
        for (language, one, other) in [
            ("english", "connection", "connected"),
            ("french", "sauvegardes", "sauvegarde"),
            ("german", "häuser", "haus"),
            ("german", "fuer", "für"),
            ("german", "strasse", "straße"),
            ("spanish", "canciones", "canción"),
            ("italian", "città", "citta"),
            ("polish", "bazami", "bazach"),
            ("czech", "smlouvami", "smlouvy"),
            ("czech", "serverem", "servery"),
            ("ukrainian", "книги", "книгами"),
            ("ukrainian", "договору", "договором"),
            ("bulgarian", "езиците", "език"),
            ("hebrew", "והמכתב", "מכתב"),
            ("russian", "книги", "книгами"),
        ] {
            let language = Language::named(language).unwrap();
            assert_eq!(language.stem(one), language.stem(other), "{one} {other}");
        }
        assert_eq!(SIMPLE.stem("sauvegardés"), "sauvegardes");
        let german = Language::named("de").unwrap();
        assert_ne!(german.stem("neue"), german.stem("nu"));
    }

    #[test]
    fn stop_words_hold_elided_articles() {
        let stop = |language: &str, word: &str| Language::named(language).unwrap().is_stop_word(word);
        assert!(stop("french", "l") && stop("french", "qu") && stop("french", "à") && stop("italian", "dell"));
        assert!(stop("french", "comment") && stop("german", "warum") && stop("spanish", "donde"));
        assert!(stop("english", "the") && stop("polish", "się") && stop("german", "für"));
        assert!(!stop("english", "computer") && !stop("simple", "the"));
    }

    #[test]
    fn languages_are_told_apart_and_short_texts_follow_the_others() {
        let texts = [
            "Le serveur conserve toutes les données dans un répertoire que l'administrateur choisit lors de l'installation.",
            "La sauvegarde logique produit un fichier contenant des commandes que le serveur saura relire plus tard.",
            "PostgreSQL",
        ];
        let french = Language::named("fr").unwrap();
        assert_eq!(detect_all(&texts, &[]), [french, french, french]);
        assert_eq!(
            detect("Baza danych przechowuje wszystkie informacje o klientach oraz ich zamówieniach.").0.name(),
            "polish"
        );
        assert_eq!(
            detect("Der Server speichert alle Daten in einem Verzeichnis, das der Betreiber festlegt.").0.name(),
            "german"
        );
        assert_eq!(detect("12345 !!"), (SIMPLE, false));
        assert_eq!(detect("これは日本語の文章です。").0.name(), "japanese");
    }

    #[test]
    fn a_short_text_follows_the_others_of_its_corpus() {
        let [english, german, polish] = ["en", "de", "pl"].map(|code| Language::named(code).unwrap());
        let known = [(english, 900), (german, 95), (polish, 1)];
        for text in ["Restore a backup", "PostgreSQL", "Disk full", "VACUUM ANALYZE"] {
            assert_eq!(detect_all(&[text], &known), [english], "{text}");
        }
        assert_eq!(detect_all(&["Die Sicherung wird jede Nacht geschrieben"], &known), [german]);
        let long = "Kopie zapasowe są wykonywane każdej nocy, a administrator sprawdza rano, czy wszystkie pliki zostały \
                    zapisane w archiwum, ponieważ bez nich nie można odtworzyć bazy danych po awarii serwera w nocy.";
        assert_eq!(detect_all(&[long], &known), [polish], "a long text is what it is");
        assert_eq!(detect_all(&["12345"], &[(SIMPLE, 50)]), [SIMPLE]);
    }

    #[test]
    fn every_language_can_be_used() {
        for (name, code) in LANGUAGES {
            let language = Language::named(name).unwrap();
            assert_eq!(language.name(), name);
            assert_eq!(Language::named(code), Ok(language));
            assert!(!language.stem("word").is_empty());
        }
    }
}
