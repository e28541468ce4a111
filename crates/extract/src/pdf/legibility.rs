//! Whether the text of a page is what the page shows: fonts may map to wrong characters, and the invisible text that older
//! programs have put over scans may be full of errors.

use super::font::UNKNOWN;
use super::glyph::Glyph;
use super::likeness::{Likeness, UNLIKE_PERCENT};

/// Fewer words are no evidence.
const LEAST_WORDS: usize = 12;
/// Share of legible words below which an invisible text is recognised anew, in percent.
const INVISIBLE_PERCENT: usize = 85;
/// The same of visible text: names of parts, formulas and code are not words either.
const VISIBLE_PERCENT: usize = 40;
/// By how much more of a recognised text has to be legible where the letters of both are those of no language, in percent.
const CLEARLY_PERCENT: usize = 15;
/// Letters of a row that are all consonants, or the same, do not occur in words.
const MAX_CONSONANTS: usize = 8;
const MAX_REPEATED: usize = 3;

/// Characters that are as much evidence, if they stand in a few long words.
const LEAST_CHARACTERS: usize = 120;

/// What is known of the text of a page.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Legibility {
    words: usize,
    legible: usize,
    /// Number of characters, apart from spaces.
    characters: usize,
    likeness: Likeness,
}

impl Legibility {
    /// That of the glyphs of a page, in their order.
    pub(super) fn of(glyphs: &[Glyph]) -> Self {
        Self::of_text(&text_of(glyphs))
    }

    /// That of a text.
    pub(super) fn of_text(text: &str) -> Self {
        let mut found = Self { likeness: Likeness::of(text), ..Self::default() };
        for word in text.split_whitespace() {
            found.words += 1;
            found.legible += usize::from(is_legible(word));
            found.characters += word.chars().count();
        }
        found
    }

    /// Whether the text is to be recognised anew.
    pub(super) fn is_doubtful(self, is_invisible: bool) -> bool {
        if self.likeness.is_unlike() {
            return true;
        }
        // Logs and source code have few words, but the letters of words.
        if !is_invisible && self.likeness.alike() * 2 > self.characters {
            return false;
        }
        let percent = if is_invisible { INVISIBLE_PERCENT } else { VISIBLE_PERCENT };
        let is_enough = self.words >= LEAST_WORDS || self.characters >= LEAST_CHARACTERS;
        is_enough && self.legible * 100 < self.words * percent
    }

    /// Whether a text that was recognised on a page is better than `other`, which the page has.
    pub(super) fn is_better_than(self, other: Self) -> bool {
        let (own, others) = (self.likeness.percent_unlike(), other.likeness.percent_unlike());
        if own.abs_diff(others) >= UNLIKE_PERCENT {
            return own < others && self.characters * 2 >= other.characters;
        }
        // Both are codes or the like: the recognised one has only more errors, unless that is very clear.
        let apart = if other.likeness.is_unlike() { CLEARLY_PERCENT } else { 0 };
        let percent = |of: Self| of.legible * 100 / of.words.max(1);
        self.legible * other.words.max(1) > other.legible * self.words.max(1) && percent(self) >= percent(other) + apart
    }
}

/// The glyphs of a page in their order, with spaces where they are apart.
pub(super) fn text_of(glyphs: &[Glyph]) -> String {
    let mut text = String::with_capacity(glyphs.len());
    let mut last: Option<&Glyph> = None;
    for glyph in glyphs {
        let is_apart = last
            .is_some_and(|last| (last.y - glyph.y).abs() > 0.3 * last.size || glyph.x0 - last.x1 > 0.15 * last.size);
        if is_apart {
            text.push(' ');
        }
        text.push(glyph.c);
        last = Some(glyph);
    }
    text
}

/// Whether a word may be one: a number, or letters of one kind with punctuation around them.
fn is_legible(word: &str) -> bool {
    if word.contains(UNKNOWN) {
        return false;
    }
    if word.contains("://") {
        return word.chars().all(|c| c.is_ascii_graphic());
    }
    let whole = word;
    let word = word
        .trim_matches(|c: char| c.is_ascii_punctuation() || "«»„“”‚‘’…–—•·§°€£。、・「」！？，：；（）".contains(c));
    if word.is_empty() {
        // Dashes, dots and bullets stand alone or repeat.
        return whole.chars().count() <= 2 || whole.chars().all(|c| whole.starts_with(c));
    }
    let digits = word.chars().filter(char::is_ascii_digit).count();
    if digits > 0 {
        // Numbers, dates, amounts, and names such as A4, 3rd or DE89: digits and letters do not alternate in them.
        let changes = word.as_bytes().windows(2).filter(|pair| {
            matches!(pair, [a, b] if a.is_ascii_digit() != b.is_ascii_digit() && a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric())
        });
        // As 18h30.
        let is_between = word.starts_with(|c: char| c.is_ascii_digit()) && word.ends_with(|c: char| c.is_ascii_digit());
        return changes.count() <= if is_between { 2 } else { 1 }
            && word.chars().all(|c| c.is_alphanumeric() || ".,:/-+%'’ ".contains(c));
    }
    if word
        .chars()
        .any(|c| !(c.is_alphabetic() || "-'’./&@·\u{ad}\u{200c}\u{200d}".contains(c) || is_mark(c) || is_of_formula(c)))
    {
        return false;
    }
    let letters: Vec<char> = word.chars().filter(|c| c.is_alphabetic()).collect();
    // Lower case, then upper case: tHis, eXPLAiN.
    let mixed =
        letters.windows(2).filter(|pair| matches!(pair, [a, b] if a.is_lowercase() && b.is_uppercase())).count();
    let repeated = letters.windows(MAX_REPEATED).any(|run| run.iter().all(|c| Some(c) == run.first()));
    mixed <= 1 && !repeated && !has_no_vowels(&letters)
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{900}'..='\u{dff}' | '\u{e31}'..='\u{e4e}')
}

/// Signs of formulas: superscripts, arrows, operators.
fn is_of_formula(c: char) -> bool {
    matches!(c, '±' | '×' | '÷' | '²' | '³' | '¹' | '\u{2070}'..='\u{209c}' | '\u{2190}'..='\u{22ff}' | '\u{27c0}'..='\u{27ef}' | '\u{2980}'..='\u{2aff}')
}

/// Whether Latin letters have a run of consonants that no language has.
fn has_no_vowels(letters: &[char]) -> bool {
    let mut run = 0;
    for c in letters {
        let is_consonant = c.is_ascii_alphabetic() && !"aeiouyAEIOUY".contains(*c);
        run = if is_consonant { run + 1 } else { 0 };
        if run > MAX_CONSONANTS {
            return true;
        }
    }
    // Abbreviations are in capitals. In Czech and its neighbours, l and r can be the vowels of a word: vlk, hrst.
    let is_word = letters.iter().any(|c| matches!(c, 'l' | 'r'));
    letters.len() >= 4 && run == letters.len() && !is_word && letters.iter().all(|c| c.is_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_in_many_languages_are_legible_and_bad_recognition_is_not() {
        let good = [
            "The invoice of 12.05.2024 amounts to 1,234.50 EUR (IBAN DE89 3704 0044 0532 0130 00), due in 30 days.",
            "Sauvegardez l’ensemble des données à 18h30 ; l’œuvre coûte 12 €.",
            "Źródło: Główny Urząd Statystyczny, ul. Niepodległości 208",
            "Die Rechtschreibprüfung schlägt den Geschichtsschreiber nach.",
            "Программа сохраняет данные каждый день в полночь.",
            "東京都は 日本の 首都 である。",
        ];
        for text in good {
            let found = Legibility::of_text(text);
            assert!(found.legible * 100 >= found.words * INVISIBLE_PERCENT, "{text}: {found:?}");
        }
        let bad = "Tl1e inv0ice 0f ~l2.O5.2O24 am0unts t0 l,234.5O {EUR} |BAN D£89 37O4 due ln 3O d^ys frcm tde d@te ot rec3ipt";
        let found = Legibility::of_text(bad);
        assert!(found.is_doubtful(true), "{found:?}");
        assert!(Legibility::of_text(good[0]).is_better_than(found));
        let wrong = "\u{1}\u{2}#$ %&' (*)+ ,-.\u{fffd} 4%7$ ^~#| }{]|[ &&%$ $#~^ @!}{ ~~|| ^^%$ ##@@ &*&* )(*&";
        assert!(Legibility::of_text(wrong).is_doubtful(false), "{:?}", Legibility::of_text(wrong));
    }

    /// What a font makes of a text whose table of characters is shifted.
    fn shifted(text: &str, by: i32) -> String {
        let is_printable = |c: &char| (' '..='~').contains(c);
        let shift = |c| u32::try_from(c as i32 + by).ok().and_then(char::from_u32).unwrap_or(UNKNOWN);
        text.chars().map(|c| if is_printable(&c) { shift(c) } else { c }).collect()
    }

    const TEXTS: [&str; 8] = [
        "Der Vertrag wurde am dritten März in Köln geschlossen und gilt zwei Jahre. Die Kündigung muss schriftlich erfolgen, mit einer Frist von drei Monaten. Gerichtsstand ist Köln, soweit das Gesetz nichts anderes vorschreibt.",
        "The contract was signed in London on the third of March and remains in force for two years. Either party may give notice in writing, not later than three months before the end of a year.",
        "Le contrat est conclu à Nîmes pour une durée de deux ans. Le locataire paie un loyer de 850 euros par mois, et la caution s’élève à deux mois de loyer.",
        "Umowa została zawarta w Szczecinie na czas nieokreślony. Wypowiedzenie wymaga formy pisemnej, z zachowaniem trzymiesięcznego okresu wypowiedzenia.",
        "Smlouva byla uzavřena v Brně na dobu neurčitou. Strč prst skrz krk. Vlk zmrzl, zhltl hrst zrn. Výpověď musí být písemná a výpovědní lhůta činí tři měsíce.",
        "Daeth y cytundeb i rym yng Nghaerdydd ym mis Mawrth. Rhaid rhoi rhybudd ysgrifenedig o dri mis cyn diwedd y flwyddyn, oni bai fod y gyfraith yn mynnu fel arall.",
        "A szerződést Budapesten kötötték két évre. A felmondást írásban kell közölni, három hónapos határidővel, hacsak a törvény másként nem rendelkezik.",
        "THIS AGREEMENT IS MADE IN LONDON ON THE THIRD OF MARCH AND REMAINS IN FORCE FOR TWO YEARS. NOTICE SHALL BE GIVEN IN WRITING, NOT LATER THAN THREE MONTHS BEFORE THE END.",
    ];

    #[test]
    fn a_text_of_shifted_characters_is_recognised_and_what_is_read_is_taken() {
        for (at, text) in TEXTS.into_iter().enumerate() {
            let good = Legibility::of_text(text);
            assert!(!good.is_doubtful(false) && !good.is_doubtful(true), "{text}: {good:?}");
            // Rare shifts of so short a text have pairs of letters in common with some languages.
            let shifts = [-29, 3, 29, 1, 2, 5, -3].into_iter().take(if at < 3 { 7 } else { 3 });
            for by in shifts {
                let wrong = Legibility::of_text(&shifted(text, by));
                assert!(wrong.is_doubtful(false), "{by} {}: {wrong:?}", shifted(text, by));
                assert!(good.is_better_than(wrong) && !wrong.is_better_than(good), "{by} {text}: {wrong:?}");
            }
        }
    }

    #[test]
    fn cyrillic_that_a_font_maps_to_accented_letters_is_recognised() {
        let wrong = "Äîãîâîð áûë ïîäïèñàí â Ìîñêâå òðåòüåãî ìàðòà è äåéñòâóåò äâà ãîäà. Àðåíäàòîð ïëàòèò åæåìåñÿ÷íî ïÿòüäåñÿò òûñÿ÷ ðóáëåé.";
        let wrong = Legibility::of_text(wrong);
        assert!(wrong.is_doubtful(false), "{wrong:?}");
        let good = "Договор был подписан в Москве третьего марта и действует два года. Арендатор платит ежемесячно пятьдесят тысяч рублей.";
        assert!(Legibility::of_text(good).is_better_than(wrong));
    }

    #[test]
    fn lists_formulas_code_and_other_scripts_stay() {
        let texts = [
            "DIN EN ISO 4762 M6x40 A2-70 SHCS ZN8.8 100 STK; DIN 125 A2 200 STK; PN 4711-08-15 REV C QTY 12 PCS; SKU XK-77-BRZT MPN LM358DR SOIC8 TI; SKU 74HC595D SOT109 NXP CRCW0603 10K 1% VISHAY GRM188R71H104KA93D MURATA",
            "2026-11-30T14:37:53.123Z host kernel: [12345.678] eth0: link up, 1000Mbps; sshd[4711]: Accepted publickey for root from 10.0.0.1 port 51234 ssh2: RSA SHA256:x7Qn2Lk",
            "00000000 7f45 4c46 0201 0100 0000 0000 0000 0000 0300 3e00 0100 0000 00000010 6f2a 00ff fe13 dead beef cafe babe 0badf00d 8badf00d",
            "∂u/∂t = α∇²u, ∫₀^∞ e^(−x²) dx = √π/2, Σ aₖxᵏ, f(x) = lim (1 + x/n)ⁿ, ∀ε > 0 ∃δ > 0: |x − a| < δ ⇒ |f(x) − f(a)| < ε, λ₁ ≤ λ₂, A·B = B·A, x ∈ ℝ, y ∉ ℤ",
            "for (int i = 0; i < n; ++i) { sum += values[i] * weights[i]; } if (sum > max_sum) return -EINVAL; static inline void *kmalloc(size_t size, gfp_t flags);",
            "https://example.com/documents/2026/annual-report.pdf?download=true&version=3 https://www.example.org/laws/civil-code/paragraph-1234#section-2 https://example.net/a/very/long/address/of/a/page",
            "Η σύμβαση υπογράφηκε στην Αθήνα στις τρεις Μαρτίου και ισχύει για δύο χρόνια. Договор был подписан в Москве. العقد موقع في القاهرة لمدة عامين. अनुबंध पर दिल्ली में हस्ताक्षर किए गए थे।",
            "2-(4-isobutylphenyl)propanoic acid, N-acetyl-p-aminophenol, methylcyclohexane, 1,1,1-trichloroethane, dichlorodiphenyltrichloroethane, acetylsalicylic acid, tetrahydrocannabinol, NaHCO3, H2SO4, KMnO4",
            "* 12.3.1764 Szczebrzeszyn, † 4.11.1801 Przemyśl; ∞ I. 1788 Brzęczyszczykiewicz Grzegorz, II. 1795 Wrzesz; Kpt., Rtm., Frhr., bzw., usw., vgl., Nr., Bd., S. 12 ff.",
        ];
        for text in texts {
            let found = Legibility::of_text(text);
            assert!(!found.is_doubtful(false), "{text}: {found:?}");
        }
        // The letters of a protein and of a key are those of no language: what is recognised is no better.
        let key = "MKWVTFISLLFLFSSAYSRGVFRRDTHKSEIAHRFKDLGEEHFKGLVLIAFSQYLQQCPFDEHVKLVNELTEFAKTCVADESHAGCEKSLHTLFGDELCKVASLRETYGDMADCCEKQ MIIEvQIBADANBgkqhkiGwwBAQEFAASCBKkwggSlAgEAAoIBAQ";
        let found = Legibility::of_text(key);
        assert!(!Legibility::of_text(&key.replace("KSE", "K5E")).is_better_than(found), "{found:?}");
        assert!(!found.is_better_than(found));
    }

    #[test]
    fn few_words_are_no_evidence() {
        assert!(!Legibility::of_text("x1y2 ~~ |||").is_doubtful(true));
    }
}
