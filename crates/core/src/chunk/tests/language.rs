//! Sentences and words of many languages stay whole where they fit. Not covered: abbreviations before a capital
//! ("M. Durand"), which the Unicode rules take for the end of a sentence.

use super::*;

fn assert_cut(text: &str, max_size: usize, expected: &[&str]) {
    let chunks = checked(text, &rule(max_size, 0, Format::Plain), &Characters);
    assert_eq!(chunks.iter().map(|chunk| chunk.content.as_str()).collect::<Vec<_>>(), expected);
}

#[test]
fn french() {
    assert_cut(
        "Le paquet s'installe en une minute. Faut-il le configurer ? Oui, à 8 h 30. « C'est simple ! » dit-elle.\n\n\
         La suite est décrite au chapitre 3.1. On y trouve des exemples.",
        80,
        &[
            "Le paquet s'installe en une minute. Faut-il le configurer ? Oui, à 8 h 30.",
            "« C'est simple ! » dit-elle.",
            "La suite est décrite au chapitre 3.1. On y trouve des exemples.",
        ],
    );
}

#[test]
fn german() {
    assert_cut(
        "Der Server läuft seit dem 3. Oktober. Er braucht z. B. keinen Neustart. \
         Die Donaudampfschifffahrtsgesellschaft prüft ihn täglich!\n\nWeitere Größen stehen in Abb. 2.",
        80,
        &[
            "Der Server läuft seit dem 3. Oktober. Er braucht z. B. keinen Neustart.",
            "Die Donaudampfschifffahrtsgesellschaft prüft ihn täglich!",
            "Weitere Größen stehen in Abb. 2.",
        ],
    );
}

#[test]
fn polish() {
    assert_cut(
        "Łódź leży w środku Polski. Czy pakiet jest już zainstalowany? Tak, zrobiła to pani Żółć. Źródła są dostępne.",
        70,
        &[
            "Łódź leży w środku Polski. Czy pakiet jest już zainstalowany?",
            "Tak, zrobiła to pani Żółć. Źródła są dostępne.",
        ],
    );
}

#[test]
fn greek() {
    assert_cut(
        "Το πακέτο εγκαθίσταται σε ένα λεπτό. Χρειάζεται ρύθμιση; Ναι, αλλά μόνο μία φορά. Δείτε το κεφάλαιο 3.",
        75,
        &["Το πακέτο εγκαθίσταται σε ένα λεπτό.", "Χρειάζεται ρύθμιση; Ναι, αλλά μόνο μία φορά. Δείτε το κεφάλαιο 3."],
    );
}

#[test]
fn chinese() {
    assert_cut(
        "数据库保存所有文件。用户可以随时搜索吗？可以，只要有权限！结果按相关性排序，最相关的排在最前面。更多信息请参阅第三章。",
        30,
        &[
            "数据库保存所有文件。用户可以随时搜索吗？可以，只要有权限！",
            "结果按相关性排序，最相关的排在最前面。更多信息请参阅第三章。",
        ],
    );
}

#[test]
fn japanese() {
    assert_cut(
        "データベースはすべての文書を保存します。検索はいつでもできますか？はい、権限があればできます。\
         結果は関連度の順に並びます。詳細は第三章をご覧ください。",
        30,
        &[
            "データベースはすべての文書を保存します。",
            "検索はいつでもできますか？はい、権限があればできます。",
            "結果は関連度の順に並びます。詳細は第三章をご覧ください。",
        ],
    );
}

/// Thai has no space between words: they come from a dictionary.
#[test]
fn thai() {
    let text = "ฐานข้อมูลเก็บเอกสารทั้งหมดไว้ในที่เดียว ผู้ใช้สามารถค้นหาได้ตลอดเวลา ผลลัพธ์จะเรียงตามความเกี่ยวข้อง";
    let expected = ["ฐานข้อมูลเก็บเอกสารทั้งหมดไว้ในที่เดียว", "ผู้ใช้สามารถค้นหาได้ตลอดเวลา ผลลัพธ์จะ", "เรียงตามความเกี่ยวข้อง"];
    assert_cut(text, 40, &expected);
}

#[test]
fn arabic() {
    assert_cut(
        "تحفظ قاعدة البيانات جميع الوثائق. هل يمكن البحث في أي وقت؟ نعم، إذا كانت لديك الصلاحية. تُرتب النتائج حسب الصلة.",
        60,
        &[
            "تحفظ قاعدة البيانات جميع الوثائق. هل يمكن البحث في أي وقت؟",
            "نعم، إذا كانت لديك الصلاحية. تُرتب النتائج حسب الصلة.",
        ],
    );
}

/// Clusters that other implementations cut: each is one chunk when there is room for one character only.
#[test]
fn grapheme_clusters_stay_whole() {
    for cluster in
        ["👩‍👩‍👧‍👦", "🏳️‍🌈", "🇫🇷", "👍🏽", "각", "e\u{301}", "a\u{308}\u{323}", "क्षि", "กำ", "ที่", "\u{600}1", " \u{301}"]
    {
        for format in [Format::Plain, Format::Markdown, Format::Html] {
            let chunks = checked(&format!("{cluster}{cluster}x"), &rule(1, 0, format), &Characters);
            let contents = chunks.iter().map(|chunk| chunk.content.as_str()).collect::<Vec<_>>();
            assert_eq!(contents, [cluster, cluster, "x"], "{format:?}");
            assert_eq!(chunks[0].size, cluster.chars().count(), "the size is the true one");
        }
    }
    let chunks = checked("a\r\nb", &rule(1, 0, Format::Plain), &Characters);
    assert_eq!(chunks.iter().map(|chunk| (chunk.start, chunk.end)).collect::<Vec<_>>(), [(0, 1), (3, 4)]);
}

/// The end of emphasis is the end of an element for Markdown and the middle of a cluster for a reader.
#[test]
fn markup_does_not_cut_an_accent_off() {
    let chunks = checked("*mot*\u{301} *mot*\u{301}", &rule(4, 0, Format::Markdown), &Characters);
    assert!(chunks.iter().any(|chunk| chunk.content.contains("*\u{301}")), "{chunks:?}");
}
