//! Names of languages, as in PostgreSQL text search configurations and ISO 639-1.
//!
//! Stemmers and stop words are in the engine.

use crate::{Error, Kind, Result};

/// Every language: its canonical name, which is that of PostgreSQL's configuration where there is one, and its ISO
/// 639-1 code. `simple` is text of no particular language: words as they stand.
pub const LANGUAGES: [(&str, &str); 47] = [
    ("simple", "und"),
    ("arabic", "ar"),
    ("armenian", "hy"),
    ("basque", "eu"),
    ("bulgarian", "bg"),
    ("catalan", "ca"),
    ("chinese", "zh"),
    ("croatian", "hr"),
    ("czech", "cs"),
    ("danish", "da"),
    ("dutch", "nl"),
    ("english", "en"),
    ("esperanto", "eo"),
    ("estonian", "et"),
    ("finnish", "fi"),
    ("french", "fr"),
    ("german", "de"),
    ("greek", "el"),
    ("hebrew", "he"),
    ("hindi", "hi"),
    ("hungarian", "hu"),
    ("indonesian", "id"),
    ("irish", "ga"),
    ("italian", "it"),
    ("japanese", "ja"),
    ("korean", "ko"),
    ("latvian", "lv"),
    ("lithuanian", "lt"),
    ("nepali", "ne"),
    ("norwegian", "no"),
    ("persian", "fa"),
    ("polish", "pl"),
    ("portuguese", "pt"),
    ("romanian", "ro"),
    ("russian", "ru"),
    ("serbian", "sr"),
    ("slovak", "sk"),
    ("slovenian", "sl"),
    ("spanish", "es"),
    ("swedish", "sv"),
    ("tamil", "ta"),
    ("thai", "th"),
    ("turkish", "tr"),
    ("ukrainian", "uk"),
    ("vietnamese", "vi"),
    ("yiddish", "yi"),
    ("afrikaans", "af"),
];

/// Other codes of languages above: the two written forms of Norwegian.
const OTHER_CODES: [(&str, &str); 2] = [("nb", "norwegian"), ("nn", "norwegian")];

/// The canonical name of a language given by name, code, or code with a region (`fr-CA`, `pt_BR`), in any case.
///
/// # Errors
/// `InvalidArgument` for any other name.
pub fn canonical(name: &str) -> Result<&'static str> {
    let lower = name.trim().to_lowercase();
    let code = lower.split(['-', '_']).next().unwrap_or_default();
    let known = LANGUAGES.iter().find(|(name, iso)| *name == lower || *iso == code).map(|(name, _)| *name);
    let known = known.or_else(|| OTHER_CODES.iter().find(|(other, _)| *other == code).map(|(_, name)| *name));
    known.ok_or_else(|| {
        let names: Vec<&str> = LANGUAGES.iter().map(|(name, _)| *name).collect();
        Error::new(Kind::InvalidArgument, format!("language \"{name}\" is not known"))
            .hint(format!("Known languages are {}, or their ISO 639-1 codes.", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_lead_to_one_name() {
        for name in ["french", "fr", "FR", " French ", "fr-CA", "fr_FR"] {
            assert_eq!(canonical(name), Ok("french"), "{name}");
        }
        assert_eq!(canonical("nb"), Ok("norwegian"));
        assert_eq!(canonical("simple"), Ok("simple"));
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_list() {
        for name in ["", "-", "klingon", "frenchx", "f"] {
            let error = canonical(name).unwrap_err();
            assert_eq!(error.kind, Kind::InvalidArgument);
            assert!(error.hint.unwrap().contains("polish"));
        }
    }

    #[test]
    fn no_name_or_code_is_there_twice() {
        let mut all: Vec<&str> = LANGUAGES.iter().flat_map(|(name, code)| [*name, *code]).collect();
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
