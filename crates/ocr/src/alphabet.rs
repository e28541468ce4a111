//! The letters of languages: what a model must be able to write.
//!
//! From the exemplar sets of Unicode's Common Locale Data Repository, small letters only, without those of foreign words.
//! Of scripts with thousands of characters, some common ones stand for all.

use crate::characters::Characters;

/// Canonical names of languages and the letters that their texts need. Languages that are not listed are not judged.
const ALPHABETS: [(&str, &str); 42] = [
    ("afrikaans", "abcdefghijklmnopqrstuvwxyzáâéèêëîïôöúû"),
    ("arabic", "ابتثجحخدذرزسشصضطظعغفقكلمنهوي"),
    ("armenian", "աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆ"),
    ("basque", "abcdefghijklmnopqrstuvwxyzñ"),
    ("bulgarian", "абвгдежзийклмнопрстуфхцчшщъьюя"),
    ("catalan", "abcdefghijklmnopqrstuvwxyzàçéèíïóòúü"),
    ("chinese", "的一是不了在人有我他这中大来上国个到说们"),
    ("croatian", "abcdefghijklmnopqrstuvwxyzčćđšž"),
    ("czech", "abcdefghijklmnopqrstuvwxyzáčďéěíňóřšťúůýž"),
    ("danish", "abcdefghijklmnopqrstuvwxyzæøå"),
    ("dutch", "abcdefghijklmnopqrstuvwxyzáäéëíïóöúü"),
    ("english", "abcdefghijklmnopqrstuvwxyz"),
    ("esperanto", "abcdefghijklmnopqrstuvwxyzĉĝĥĵŝŭ"),
    ("estonian", "abcdefghijklmnopqrstuvwxyzäõöüšž"),
    ("finnish", "abcdefghijklmnopqrstuvwxyzäöå"),
    ("french", "abcdefghijklmnopqrstuvwxyzàâæçéèêëîïôœùûüÿ"),
    ("german", "abcdefghijklmnopqrstuvwxyzäöüß"),
    ("greek", "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώ"),
    ("hebrew", "אבגדהוזחטיכלמנסעפצקרשת"),
    ("hindi", "अआइईउऊएकखगघचछजझटठडढणतथदधनपफबभमयरलवशषसह"),
    ("hungarian", "abcdefghijklmnopqrstuvwxyzáéíóöőúüű"),
    ("indonesian", "abcdefghijklmnopqrstuvwxyz"),
    ("irish", "abcdefghijklmnopqrstuvwxyzáéíóú"),
    ("italian", "abcdefghijklmnopqrstuvwxyzàéèìóòù"),
    ("japanese", "あいうえおかきくけこさしすせそアイウエオカキクケコ日本語人年月"),
    ("korean", "가나다라마바사아자차카타파하는을이"),
    ("latvian", "abcdefghijklmnopqrstuvwxyzāčēģīķļņšūž"),
    ("lithuanian", "abcdefghijklmnopqrstuvwxyząčęėįšųūž"),
    ("norwegian", "abcdefghijklmnopqrstuvwxyzæøåéòô"),
    ("persian", "ابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهی"),
    ("polish", "abcdefghijklmnopqrstuvwxyząćęłńóśźż"),
    ("portuguese", "abcdefghijklmnopqrstuvwxyzáàâãçéêíóôõú"),
    ("romanian", "abcdefghijklmnopqrstuvwxyzăâîșț"),
    ("russian", "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"),
    ("serbian", "абвгдђежзијклљмнњопрстћуфхцчџш"),
    ("slovak", "abcdefghijklmnopqrstuvwxyzáäčďéíĺľňóôŕšťúýž"),
    ("slovenian", "abcdefghijklmnopqrstuvwxyzčšž"),
    ("spanish", "abcdefghijklmnopqrstuvwxyzáéíñóúü¿¡"),
    ("swedish", "abcdefghijklmnopqrstuvwxyzåäöé"),
    ("turkish", "abcçdefgğhıijklmnoöprsştuüvyz"),
    ("ukrainian", "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя"),
    ("vietnamese", "aăâbcdđeêghiklmnoôơpqrstuưvxyàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệ"),
];

/// The letters that a model with these characters cannot write, by language; languages without such letters are left out.
pub fn missing_letters(characters: &Characters) -> Vec<(String, String)> {
    let missing = ALPHABETS.iter().map(|(language, letters)| {
        let missing: String = letters.chars().filter(|letter| !characters.contains(*letter)).collect();
        (language.to_string(), missing)
    });
    missing.filter(|(_, letters)| !letters.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_model_lacks_is_told_by_language() {
        let latin: String = ('a'..='z').chain("äöüßéèêë".chars()).flat_map(|letter| [letter, '\n']).collect();
        let missing = missing_letters(&Characters::new(&latin).unwrap());
        let of =
            |name: &str| missing.iter().find(|(language, _)| language == name).map(|(_, letters)| letters.as_str());
        assert_eq!((of("english"), of("german"), of("swedish")), (None, None, Some("å")));
        assert_eq!(of("polish"), Some("ąćęłńóśźż"));
        assert_eq!(of("russian").map(|letters| letters.chars().count()), Some(33));
    }

    #[test]
    fn each_language_is_one_that_corpora_may_have() {
        for (language, _) in ALPHABETS {
            assert_eq!(socle_core::language::canonical(language).unwrap(), language);
        }
    }
}
