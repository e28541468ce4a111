//! Texts of many kinds and languages, and what fonts with wrong tables make of them.

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
    let bad =
        "Tl1e inv0ice 0f ~l2.O5.2O24 am0unts t0 l,234.5O {EUR} |BAN D£89 37O4 due ln 3O d^ys frcm tde d@te ot rec3ipt";
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
