//! Names of languages: those of PostgreSQL's text search configurations, and ISO 639-1 codes as a second way to say them.
//!
//! Only names. What is done with a text of a language is the engine's.

use crate::{Error, Kind, Result};

/// No language: words are compared as they are written.
pub const SIMPLE: &str = "simple";

/// Every language that keyword search knows, with its ISO 639-1 code.
pub const LANGUAGES: [(&str, &str); 30] = [
    ("arabic", "ar"),
    ("bulgarian", "bg"),
    ("catalan", "ca"),
    ("chinese", "zh"),
    ("croatian", "hr"),
    ("czech", "cs"),
    ("danish", "da"),
    ("dutch", "nl"),
    ("english", "en"),
    ("estonian", "et"),
    ("finnish", "fi"),
    ("french", "fr"),
    ("german", "de"),
    ("greek", "el"),
    ("hungarian", "hu"),
    ("italian", "it"),
    ("japanese", "ja"),
    ("korean", "ko"),
    ("latvian", "lv"),
    ("lithuanian", "lt"),
    ("norwegian", "no"),
    ("polish", "pl"),
    ("portuguese", "pt"),
    ("romanian", "ro"),
    ("russian", "ru"),
    ("slovak", "sk"),
    ("spanish", "es"),
    ("swedish", "sv"),
    ("turkish", "tr"),
    ("ukrainian", "uk"),
];

/// The one name of a language that is given by name or code, in any case: `"FR"` is `"french"`. A region is left out:
/// `"pt-BR"` is `"portuguese"`.
///
/// # Errors
/// `InvalidArgument`, with the names there are.
pub fn canonical(name: &str) -> Result<&'static str> {
    let wanted = name.trim().to_lowercase();
    let code = wanted.split(['-', '_']).next().unwrap_or_default();
    if wanted == SIMPLE {
        return Ok(SIMPLE);
    }
    let found = LANGUAGES.iter().find(|(known, short)| *known == wanted || *short == code);
    found.map(|(known, _)| *known).ok_or_else(|| {
        let names: Vec<&str> = LANGUAGES.iter().map(|(name, _)| *name).collect();
        Error::new(Kind::InvalidArgument, format!("language \"{name}\" is not known"))
            .hint(format!("Languages are {}, and {SIMPLE} for any other.", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_known_by_name_and_code_in_any_case() {
        for name in ["french", "FR", " fr ", "fr-CA", "fr_FR"] {
            assert_eq!(canonical(name).unwrap(), "french", "{name}");
        }
        assert_eq!(canonical("simple").unwrap(), SIMPLE);
    }

    #[test]
    fn what_is_not_known_is_refused_with_the_names() {
        for name in ["", "klingon", "x-fr", "french-"] {
            let error = canonical(name).unwrap_err();
            assert_eq!(error.kind, Kind::InvalidArgument);
            assert!(error.hint.unwrap().contains("polish"));
        }
    }

    #[test]
    fn names_and_codes_are_sorted_and_each_there_once() {
        assert!(LANGUAGES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let mut codes: Vec<&str> = LANGUAGES.iter().map(|(_, code)| *code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), LANGUAGES.len());
    }
}
