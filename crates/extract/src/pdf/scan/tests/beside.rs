//! What a page has beside its picture: text that stays, hidden text that is replaced, letters that are drawn.

use super::*;

/// The first page of the handbook turned clockwise by quarters, and its words as a recognizer finds them there.
fn turned(quarters: u8) -> (Picture, Recognized) {
    let (mut pictures, mut words) = scanned(&file("handbook.pdf"), 1);
    let (mut picture, mut recognized) = (pictures.remove(0), words.remove(0).unwrap());
    let count = picture.channels.bytes();
    for _ in 0..quarters {
        let (width, height) = (picture.width as usize, picture.height as usize);
        let mut pixels = vec![0; picture.pixels.len()];
        for y in 0..height {
            for x in 0..width {
                let (from, to) = ((y * width + x) * count, (x * height + height - 1 - y) * count);
                pixels[to..to + count].copy_from_slice(&picture.pixels[from..from + count]);
            }
        }
        for word in &mut recognized.words {
            word.quad = word.quad.map(|(x, y)| (height as f32 - y, x));
        }
        picture = Picture { width: picture.height, height: picture.width, pixels, ..picture };
    }
    recognized.rotation = (4 - quarters) % 4;
    (picture, recognized)
}

#[test]
fn a_scan_that_was_turned_keeps_what_is_printed_on_top() {
    let upright = words_of(&extract(&file("handbook.pdf"), None, None, LIMITS).unwrap(), 1).len();
    for quarters in 0..4 {
        let (picture, mut recognized) = turned(quarters);
        // The recognizer sees the stamp as well, on its side or upside down, and makes little of it.
        let line = recognized.words.last().unwrap().line + 1;
        let height = picture.height as f32;
        let quad = [(140.0, -40.0), (300.0, -40.0), (300.0, -14.0), (140.0, -14.0)].map(|(x, y)| (x, height + y));
        recognized.words.push(Word { text: "paAjapay".into(), quad, confidence: 0.6, line });
        let pdf = of_pictures(&[picture], "BT /F 8 Tf 52 8 Td (Received 12 May) Tj ET");
        let read = super::recognized(&pdf, OcrMode::Auto, VecDeque::from([recognized]));
        assert_eq!(read.markdown.matches("Received 12 May").count(), 1, "{quarters}: {}", read.markdown);
        assert!(!read.markdown.contains("paAjapay"), "{quarters}: {}", read.markdown);
        assert!(words_of(&read, 1).len() * 10 > upright * 9, "{quarters}: {}", read.markdown);
    }
}

#[test]
fn the_large_letters_of_a_watermark_hide_nothing_of_the_scan() {
    let (pictures, words) = scanned(&file("handbook.pdf"), 1);
    let expected = words_of(&extract(&file("handbook.pdf"), None, None, LIMITS).unwrap(), 1).len();
    for matrix in ["1 0 0 1 40 600", "0.7 0.7 -0.7 0.7 120 200"] {
        let mark = format!("BT /F 90 Tf {matrix} Tm (DRAFT) Tj ET");
        let read = recognized(&of_pictures(&pictures, &mark), OcrMode::Auto, words.clone());
        assert!(read.markdown.contains("DRAFT") && words_of(&read, 1).len() > expected, "{matrix}: {}", read.markdown);
    }
}

#[test]
fn a_hidden_text_that_is_not_that_of_the_scan_hides_nothing_of_it() {
    let (pictures, words) = scanned(&file("handbook.pdf"), 1);
    let plain = recognized(&of_pictures(&pictures, ""), OcrMode::Auto, words.clone());
    let over = |text: &str| {
        let first = words[0].words[0].quad[3];
        let (x, y) = (first.0 / PIXELS_OF_POINT, (pictures[0].height as f32 - first.1) / PIXELS_OF_POINT);
        format!("BT 3 Tr /F 14 Tf {x} {y} Td ({text}) Tj ET")
    };
    let advert = "Scanned with the free version of a program that would like to be bought, and says so on each page that it makes";
    for hidden in ["CamScanner", advert] {
        let read = recognized(&of_pictures(&pictures, &over(hidden)), OcrMode::Auto, words.clone());
        assert_eq!(read.markdown, plain.markdown, "{hidden}");
    }
    // The text of the page is not read twice, and stays where the model is not sure.
    let own: Vec<&str> =
        words_of(&plain, 1).into_iter().filter(|word| word.chars().all(char::is_alphanumeric)).collect();
    let mut unsure = words.clone();
    unsure[0].words.iter_mut().for_each(|word| word.confidence = 0.55);
    let shown = recognized(&of_pictures(&pictures, &over("CamScanner")), OcrMode::Auto, unsure);
    assert!(shown.markdown.contains("CamScanner"));
    let few = Recognized { words: words[0].words[..8].to_vec(), ..Recognized::default() };
    let text = own[..6].join(" ");
    let kept = recognized(&of_pictures(&pictures, &over(&text)), OcrMode::Auto, VecDeque::from([few]));
    assert!(kept.markdown.contains(&text), "{}", kept.markdown);
}

#[test]
fn who_wants_everything_recognised_gets_it_in_place_of_a_hidden_text() {
    let (pictures, words) = scanned(&file("handbook.pdf"), 1);
    let old = "BT 3 Tr /F 10 Tf 40 700 Td (The whole of this invisible text over the picture can be read by everybody who wants to read it now) Tj ET";
    let read = recognized(&of_pictures(&pictures, old), OcrMode::Always, words);
    assert!(!read.markdown.contains("invisible") && read.metadata.recognized.len() == 1, "{}", read.markdown);
}

#[test]
fn a_printed_header_over_a_scan_does_not_hide_its_text() {
    let (pictures, words) = scanned(&file("handbook.pdf"), 1);
    let header = "Case 1:20-cv-01234-ABC-DEF Document 45-2 Filed 03/04/21 District of Colorado Page 1 of 3 PageID 1234, certified copy";
    let printed = format!("BT /F 6 Tf 40 4 Td ({header}) Tj ET");
    let read = recognized(&of_pictures(&pictures, &printed), OcrMode::Auto, words);
    assert!(read.markdown.contains(header) && read.metadata.recognized.len() == 1, "{}", read.markdown);
    // Where nothing is recognised, it is said that something is missing.
    let off = extract(&of_pictures(&pictures, &printed), None, None, LIMITS).unwrap();
    assert_eq!((off.markdown.as_str(), off.metadata.pages_without_text), (header, Some(1)));
}

#[test]
fn pages_whose_writing_the_model_does_not_know_are_counted() {
    let (pictures, words) = scanned(&file("handbook.pdf"), 2);
    let unknown = Recognized { unread: 400, ..Recognized::default() };
    let read = recognized(&of_pictures(&pictures, ""), OcrMode::Auto, VecDeque::from([words[0].clone(), unknown]));
    assert_eq!((read.metadata.recognized.len(), read.metadata.pages_without_text), (1, Some(1)));
    // Of specks and pictures, nothing is missing.
    let specks = Recognized { unread: 3, ..Recognized::default() };
    let read = recognized(&of_pictures(&pictures, ""), OcrMode::Auto, VecDeque::from([words[0].clone(), specks]));
    assert_eq!((read.metadata.recognized.len(), read.metadata.pages_without_text), (1, None));
    let mut partly = words[0].clone();
    partly.unread = words[0].words.iter().map(|word| word.text.chars().count() as u32).sum();
    let read = recognized(&of_pictures(&pictures[..1], ""), OcrMode::Auto, VecDeque::from([partly]));
    assert!((470..=480).contains(&read.metadata.recognized[0].permille) && read.metadata.recognized[0].is_unsure());
}

/// A page with this content, and a pattern P that draws a picture over all of it.
fn drawn(content: &str, picture: &Picture) -> Vec<u8> {
    let (width, height) = (picture.width as f32 / PIXELS_OF_POINT, picture.height as f32 / PIXELS_OF_POINT);
    let page = format!(
        "<</Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents 4 0 R /Resources <</Pattern <</P 5 0 R>>>>>>"
    );
    let pattern = format!(
        "/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 {width} {height}] /XStep {width} /YStep {height} \
         /Resources <</XObject <</I 6 0 R>>>>"
    );
    assembled(&[
        b"<</Type /Catalog /Pages 2 0 R>>".to_vec(),
        b"<</Type /Pages /Kids [3 0 R] /Count 1>>".to_vec(),
        page.into_bytes(),
        stream("", content.as_bytes()),
        stream(&pattern, format!("{width} 0 0 {height} 0 0 cm /I Do").as_bytes()),
        image_of(picture),
    ])
}

#[test]
fn a_scan_that_is_painted_as_a_pattern_is_read() {
    let (pictures, words) = scanned(&file("handbook.pdf"), 1);
    let plain = recognized(&of_pictures(&pictures, ""), OcrMode::Auto, words.clone());
    let page = drawn("/Pattern cs /P scn 0 0 2000 2000 re f", &pictures[0]);
    assert_eq!(recognized(&page, OcrMode::Auto, words).markdown, plain.markdown);
    let error = extract(&page, None, None, LIMITS).unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (Kind::NotSupported, "document has no text: its pages are images")
    );
    // A pattern that nothing is filled with, or another colour after it.
    for content in ["/Pattern cs /P scn", "/Pattern cs /P scn 0 g 0 0 2000 2000 re f"] {
        assert_eq!(extract(&drawn(content, &pictures[0]), None, None, LIMITS).unwrap().markdown, "");
    }
}

#[test]
fn letters_that_are_drawn_with_straight_lines_are_read() {
    let (pictures, words) = scanned(&file("handbook.pdf"), 1);
    let letter = |at: usize| {
        let (x, y) = (40 + at % 40 * 12, 60 + at / 40 * 20);
        format!("{x} {y} m {} {} l {} {y} l {} {} l {} {} l S ", x + 4, y + 10, x + 8, x + 6, y + 4, x + 2, y + 4)
    };
    let many: String = (0..120).map(letter).collect();
    let read = recognized(&drawn(&many, &pictures[0]), OcrMode::Auto, words);
    assert_eq!(read.metadata.recognized.len(), 1);
    assert!(extract(&drawn(&many, &pictures[0]), None, None, LIMITS).unwrap_err().hint.unwrap().contains("ocr_model"));
    let few: String = (0..20).map(letter).collect();
    assert_eq!(extract(&drawn(&few, &pictures[0]), None, None, LIMITS).unwrap().markdown, "");
}
