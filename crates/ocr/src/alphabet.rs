//! The letters of languages: what a model must be able to write.
//!
//! From the exemplar sets of Unicode's Common Locale Data Repository, without letters of foreign words. Capitals count, too.
//! Of scripts with thousands of characters, some common ones stand for all.

use crate::characters::Characters;

/// Canonical names of languages and the small letters that their texts need, and capitals that are not those of small ones.
/// Languages that are not listed are not judged.
const ALPHABETS: [(&str, &str); 46] = [
    ("afrikaans", "abcdefghijklmnopqrstuvwxyzáâéèêëîïôöúû"),
    ("arabic", "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىي"),
    ("armenian", "աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆև"),
    ("basque", "abcdefghijklmnopqrstuvwxyzçñ"),
    ("bulgarian", "абвгдежзийклмнопрстуфхцчшщъьюя"),
    ("catalan", "abcdefghijklmnopqrstuvwxyzàçéèíïóòúü·"),
    ("chinese", "的一是不了在人有我他这中大来上国个到说们"),
    ("croatian", "abcdefghijklmnopqrstuvwxyzčćđšž"),
    ("czech", "abcdefghijklmnopqrstuvwxyzáčďéěíňóřšťúůýž"),
    ("danish", "abcdefghijklmnopqrstuvwxyzæøå"),
    ("dutch", "abcdefghijklmnopqrstuvwxyzáäéëíïóöúü"),
    ("english", "abcdefghijklmnopqrstuvwxyz"),
    ("esperanto", "abcdefghijklmnopqrstuvwxyzĉĝĥĵŝŭ"),
    ("estonian", "abcdefghijklmnopqrstuvwxyzäõöüšž"),
    ("finnish", "abcdefghijklmnopqrstuvwxyzšžåäö"),
    ("french", "abcdefghijklmnopqrstuvwxyzàâæçéèêëîïôœùûüÿ"),
    ("german", "abcdefghijklmnopqrstuvwxyzäöüß"),
    ("greek", "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ"),
    ("hebrew", "אבגדהוזחטיכךלמםנןסעפףצץקרשת"),
    (
        "hindi",
        "अआइईउऊऋएऐऑओऔकखगघङचछजझञटठडढणतथदधनपफबभमयरलळवशषसह\
         \u{901}\u{902}\u{903}\u{93c}\u{93e}\u{93f}\u{940}\u{941}\u{942}\u{943}\u{945}\u{947}\u{948}\u{949}\u{94b}\u{94c}\u{94d}",
    ),
    ("hungarian", "abcdefghijklmnopqrstuvwxyzáéíóöőúüű"),
    ("indonesian", "abcdefghijklmnopqrstuvwxyz"),
    ("irish", "abcdefghijklmnopqrstuvwxyzáéíóú"),
    ("italian", "abcdefghijklmnopqrstuvwxyzàéèìóòù"),
    ("japanese", "あいうえおかきくけこさしすせそアイウエオカキクケコ日本語人年月"),
    ("korean", "가나다라마바사아자차카타파하는을이"),
    ("latvian", "abcdefghijklmnopqrstuvwxyzāčēģīķļņšūž"),
    ("lithuanian", "abcdefghijklmnopqrstuvwxyząčęėįšųūž"),
    (
        "nepali",
        "अआइईउऊऋएऐओऔकखगघङचछजझञटठडढणतथदधनपफबभमयरलवशषसह\
         \u{901}\u{902}\u{903}\u{93e}\u{93f}\u{940}\u{941}\u{942}\u{943}\u{947}\u{948}\u{94b}\u{94c}\u{94d}",
    ),
    ("norwegian", "abcdefghijklmnopqrstuvwxyzæøåàéóòô"),
    ("persian", "ءآأؤئابپةتثجچحخدذرزژسشصضطظعغفقکگلمنوهی"),
    ("polish", "abcdefghijklmnopqrstuvwxyząćęłńóśźż"),
    ("portuguese", "abcdefghijklmnopqrstuvwxyzáàâãçéêíóôõú"),
    ("romanian", "abcdefghijklmnopqrstuvwxyzăâîșț"),
    ("russian", "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"),
    ("serbian", "абвгдђежзијклљмнњопрстћуфхцчџш"),
    ("slovak", "abcdefghijklmnopqrstuvwxyzáäčďéíĺľňóôŕšťúýž"),
    ("slovenian", "abcdefghijklmnopqrstuvwxyzčšž"),
    ("spanish", "abcdefghijklmnopqrstuvwxyzáéíñóúü¿¡"),
    ("swedish", "abcdefghijklmnopqrstuvwxyzåäöàé"),
    (
        "tamil",
        "ஃஅஆஇஈஉஊஎஏஐஒஓஔகஙசஜஞடணதநனபமயரறலளழவஷஸஹ\
         \u{bbe}\u{bbf}\u{bc0}\u{bc1}\u{bc2}\u{bc6}\u{bc7}\u{bc8}\u{bca}\u{bcb}\u{bcc}\u{bcd}",
    ),
    (
        "thai",
        "กขฃคฅฆงจฉชซฌญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรฤลฦวศษสหฬอฮะาำเแโใไๆฯ\
         \u{e31}\u{e34}\u{e35}\u{e36}\u{e37}\u{e38}\u{e39}\u{e47}\u{e48}\u{e49}\u{e4a}\u{e4b}\u{e4c}",
    ),
    ("turkish", "abcçdefgğhıiİjklmnoöprsştuüvyz"),
    ("ukrainian", "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя"),
    (
        "vietnamese",
        "aăâbcdđeêghiklmnoôơpqrstuưvxy\
         àảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ",
    ),
    ("yiddish", "אבגדהוזחטיכךלמםנןסעפףצץקרשת"),
];

/// The letters that a model with these characters cannot write, by language, small ones before capitals; languages without
/// such letters are left out.
pub fn missing_letters(characters: &Characters) -> Vec<(String, String)> {
    let missing = ALPHABETS.iter().map(|(language, letters)| {
        let capitals = letters.chars().filter_map(capital);
        let mut missing = String::new();
        for letter in letters.chars().chain(capitals) {
            if !characters.contains(letter) && !missing.contains(letter) {
                missing.push(letter);
            }
        }
        (language.to_string(), missing)
    });
    missing.filter(|(_, letters)| !letters.is_empty()).collect()
}

/// The capital of a letter; `None` if it has none of its own, as `ß`, which is written as two.
fn capital(letter: char) -> Option<char> {
    let mut capital = letter.to_uppercase();
    capital.next().filter(|first| capital.next().is_none() && *first != letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(letters: impl Iterator<Item = char>, language: &str) -> Option<String> {
        let list: String = letters.flat_map(|letter| [letter, '\n']).collect();
        let all = missing_letters(&Characters::new(&list).unwrap());
        all.into_iter().find(|(name, _)| name == language).map(|(_, letters)| letters)
    }

    #[test]
    fn what_a_model_lacks_is_told_by_language() {
        let latin = || ('a'..='z').chain('A'..='Z').chain("äöüßéèàêëÄÖÜÉÈÀ".chars());
        let of = |name: &str| missing(latin(), name);
        assert_eq!((of("english"), of("german"), of("swedish").as_deref()), (None, None, Some("åÅ")));
        assert_eq!(of("polish").as_deref(), Some("ąćęłńóśźżĄĆĘŁŃÓŚŹŻ"));
        assert_eq!(of("russian").map(|letters| letters.chars().count()), Some(66));
    }

    #[test]
    fn capitals_are_looked_at_where_there_are_any() {
        let of = |letters: &str, name: &str| missing(('a'..='z').chain(letters.chars()), name);
        let capitals: String = ('A'..='Z').collect();
        assert_eq!(of("", "english"), Some(capitals.clone()));
        // There is no capital of ß that texts need, and Turkish has two of i.
        assert_eq!(of(&format!("{capitals}äöüß"), "german").as_deref(), Some("ÄÖÜ"));
        assert_eq!(of(&format!("{capitals}çğıöşüÇĞÖŞÜ"), "turkish").as_deref(), Some("İ"));
        // Two small letters with one capital.
        let greek = of("", "greek").unwrap();
        assert_eq!((greek.matches('Σ').count(), greek.contains('ς'), greek.contains('Ϊ')), (1, true, true));
    }

    #[test]
    fn vietnamese_has_each_vowel_with_each_tone() {
        let plain = ('a'..='z').chain('A'..='Z').chain("ăâđêôơưĂÂĐÊÔƠƯ".chars());
        let letters = missing(plain, "vietnamese").unwrap();
        assert_eq!(letters.chars().count(), 2 * 12 * 5, "{letters}");
        for letter in "àảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ".chars()
        {
            assert!(letters.contains(letter) && letters.contains(capital(letter).unwrap()), "{letter}");
        }
    }

    #[test]
    fn each_language_is_one_that_corpora_may_have() {
        for (language, _) in ALPHABETS {
            assert_eq!(socle_core::language::canonical(language).unwrap(), language);
        }
    }
}
