//! Where the text of a picture stands in the documents that contain it: after the paragraph, cell or shape of the picture.

use super::{LIMITS, Measure, picture};
use crate::archive::tests::packed;
use crate::{Ocr, extract_with_ocr};
use image::ImageFormat;
use socle_core::document::{Document, OcrMode};

fn read(bytes: &[u8]) -> Document {
    extract_with_ocr(bytes, None, None, LIMITS, Ocr::new(OcrMode::Auto, Box::new(Measure::default()))).unwrap()
}

/// Page, headings above and text of each block.
fn blocks(document: &Document) -> Vec<(Option<u32>, String, &str)> {
    document.rows().map(|row| (row.page, row.heading_path.join(" / "), row.content)).collect()
}

/// What was recognised is marked, and nothing else.
fn recognized(document: &Document) -> Vec<&str> {
    let blocks = document.blocks.iter().filter(|block| block.permille == Some(500));
    blocks.map(|block| &document.markdown[block.start..block.end]).collect()
}

fn png(width: u32, height: u32) -> Vec<u8> {
    picture(width, height, ImageFormat::Png)
}

const RELATIONS: &str = r#"<Relationships>
    <Relationship Id="a" Type="x/image" Target="media/a.png"/><Relationship Id="b" Type="x/image" Target="media/b.png"/>
    </Relationships>"#;

/// A document of Word with nothing but a picture.
pub(super) fn document_of_picture(bytes: &[u8]) -> Vec<u8> {
    packed(&[
        ("[Content_Types].xml", b"<Types/>"),
        (
            "word/document.xml",
            b"<document><body><p><r><drawing><blip embed=\"a\"/></drawing></r></p></body></document>",
        ),
        ("word/_rels/document.xml.rels", RELATIONS.as_bytes()),
        ("word/media/a.png", bytes),
    ])
}

#[test]
fn a_picture_in_word_is_read_where_it_stands() {
    let paragraph = |text: &str| format!("<p><r><t>{text}</t></r></p>");
    let head = |text: &str| format!("<p><pPr><outlineLvl val=\"0\"/></pPr><r><t>{text}</t></r></p>");
    let drawing = |id: &str| format!("<r><drawing><blip embed=\"{id}\"/></drawing></r>");
    let item = |text: &str, more: &str| {
        format!("<p><pPr><numPr><ilvl val=\"0\"/><numId val=\"1\"/></numPr></pPr><r><t>{text}</t></r>{more}</p>")
    };
    let numbering = r#"<numbering><abstractNum abstractNumId="0"><lvl ilvl="0"><numFmt val="bullet"/></lvl></abstractNum>
        <num numId="1"><abstractNumId val="0"/></num></numbering>"#;
    let document = |body: &str| {
        let xml = format!("<document><body>{body}</body></document>");
        let relations = RELATIONS.replace(
            "</Relationships>",
            "<Relationship Id=\"n\" Type=\"x/numbering\" Target=\"numbering.xml\"/></Relationships>",
        );
        read(&packed(&[
            ("[Content_Types].xml", b"<Types/>"),
            ("word/document.xml", xml.as_bytes()),
            ("word/_rels/document.xml.rels", relations.as_bytes()),
            ("word/numbering.xml", numbering.as_bytes()),
            ("word/media/a.png", &png(800, 300)),
            ("word/media/b.png", &png(900, 300)),
        ]))
    };
    let inline = format!("<p><r><t>See here:</t></r>{}</p>", drawing("a"));
    let found =
        document(&[head("One"), inline, paragraph("After."), head("Two"), format!("<p>{}</p>", drawing("b"))].concat());
    assert_eq!(found.markdown, "# One\n\nSee here:\n\n800x300\n\nAfter.\n\n# Two\n\n900x300", "{:?}", blocks(&found));
    assert_eq!(blocks(&found)[2], (None, "One".into(), "800x300"));
    assert_eq!(blocks(&found)[5], (None, "Two".into(), "900x300"));
    assert_eq!(recognized(&found), ["800x300", "900x300"]);
    // Between the items of a list, and below a table.
    let list = [item("first", &drawing("a")), item("second", "")].concat();
    assert_eq!(document(&list).markdown, "- first\n\n800x300\n\n- second");
    let cell = |text: &str, more: &str| format!("<tc><p><r><t>{text}</t></r>{more}</p></tc>");
    let row = |cells: [String; 2]| format!("<tr>{}</tr>", cells.concat());
    let rows = [row([cell("a", ""), cell("b", &drawing("b"))]), row([cell("c", ""), cell("d", "")])].concat();
    let table = format!("<tbl>{rows}</tbl>{}", paragraph("After."));
    assert_eq!(document(&table).markdown, "| a | b |\n| --- | --- |\n| c | d |\n\n900x300\n\nAfter.");
}

#[test]
fn a_picture_on_a_slide_is_read_where_it_stands() {
    let place = |top: u32| format!("<xfrm><off x=\"0\" y=\"{top}\"/></xfrm>");
    let text = |top: u32, text: &str| {
        format!("<sp><spPr>{}</spPr><txBody><p><r><t>{text}</t></r></p></txBody></sp>", place(top))
    };
    let shown = |top: u32, id: &str| {
        format!("<pic><blipFill><blip embed=\"{id}\"/></blipFill><spPr>{}</spPr></pic>", place(top))
    };
    let title = "<sp><nvPr><ph type=\"title\"/></nvPr><txBody><p><r><t>Plan</t></r></p></txBody></sp>";
    let slide = |body: String| format!("<sld>{body}</sld>");
    // In the order of the file, the picture comes first.
    let first =
        slide([shown(2_000_000, "a"), title.into(), text(1_000_000, "above"), text(3_000_000, "below")].concat());
    let second = slide([text(1_000_000, "Next."), shown(2_000_000, "b")].concat());
    let notes =
        "<notes><sp><nvPr><ph type=\"body\"/></nvPr><txBody><p><r><t>Say this.</t></r></p></txBody></sp></notes>";
    let relations = RELATIONS.replace("media/", "../media/");
    let with_notes = relations.replace(
        "</Relationships>",
        "<Relationship Id=\"n\" Type=\"x/notesSlide\" Target=\"../notesSlides/notesSlide1.xml\"/></Relationships>",
    );
    let file = packed(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("ppt/presentation.xml", b"<presentation><sldId id=\"r1\"/><sldId id=\"r2\"/></presentation>"),
        (
            "ppt/_rels/presentation.xml.rels",
            br#"<Relationships><Relationship Id="r1" Type="x/slide" Target="slides/slide1.xml"/>
                <Relationship Id="r2" Type="x/slide" Target="slides/slide2.xml"/></Relationships>"#,
        ),
        ("ppt/slides/slide1.xml", first.as_bytes()),
        ("ppt/slides/slide2.xml", second.as_bytes()),
        ("ppt/slides/_rels/slide1.xml.rels", with_notes.as_bytes()),
        ("ppt/slides/_rels/slide2.xml.rels", relations.as_bytes()),
        ("ppt/notesSlides/notesSlide1.xml", notes.as_bytes()),
        ("ppt/media/a.png", &png(800, 300)),
        ("ppt/media/b.png", &png(900, 300)),
    ]);
    let found = read(&file);
    let pages: Vec<(Option<u32>, &str)> = found.rows().map(|row| (row.page, row.content)).collect();
    let (one, two) = (Some(1), Some(2));
    assert_eq!(
        pages,
        [
            (one, "Plan"),
            (one, "above"),
            (one, "800x300"),
            (one, "below"),
            (one, "Say this."),
            (two, "Next."),
            (two, "900x300")
        ]
    );
    assert_eq!(found.metadata.recognized.iter().map(|page| page.page).collect::<Vec<_>>(), [one, two]);
}

#[test]
fn a_picture_in_an_open_document_is_read_where_it_stands() {
    let body = |picture: &str| {
        format!(
            "<office:document xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" office:mimetype=\"application/vnd.oasis.opendocument.text\"><office:body><office:text>\
             <text:h text:outline-level=\"1\">One</text:h>\
             <text:p>See: <draw:frame><draw:image {picture}</draw:image></draw:frame></text:p>\
             <text:p>After.</text:p></office:text></office:body></office:document>"
        )
    };
    let archived = packed(&[
        ("META-INF/manifest.xml", b"<manifest/>"),
        ("content.xml", body("xlink:href=\"Pictures/a.png\">").as_bytes()),
        ("Pictures/a.png", &png(800, 300)),
    ]);
    let packed = crate::base64::encode(&png(800, 300));
    let flat = body(&format!("><office:binary-data>{packed}</office:binary-data>"));
    for file in [archived, format!("<?xml version=\"1.0\"?>{flat}").into_bytes()] {
        let found = read(&file);
        assert_eq!(found.markdown, "# One\n\nSee:\n\n800x300\n\nAfter.");
        assert_eq!(blocks(&found)[2], (None, "One".into(), "800x300"));
        assert_eq!(recognized(&found), ["800x300"]);
    }
}

#[test]
fn a_picture_in_a_book_is_read_where_it_stands() {
    let chapter = "<html><body><h1>One</h1><p>Before.</p><p><img src=\"../a.png\"/></p><p>After.</p></body></html>";
    // A whole page, as scanned books have them.
    let drawing = "<html><body><svg><image xlink:href=\"../b.png\"/></svg></body></html>";
    let file = packed(&[
        ("mimetype", b"application/epub+zip"),
        ("META-INF/container.xml", b"<container><rootfiles><rootfile full-path=\"book.opf\"/></rootfiles></container>"),
        (
            "book.opf",
            br#"<package><manifest><item id="a" href="text/a.xhtml"/><item id="b" href="text/b.xhtml"/></manifest>
                <spine><itemref idref="a"/><itemref idref="b"/></spine></package>"#,
        ),
        ("text/a.xhtml", chapter.as_bytes()),
        ("text/b.xhtml", drawing.as_bytes()),
        ("a.png", &png(800, 300)),
        ("b.png", &png(900, 300)),
    ]);
    let found = read(&file);
    assert_eq!(found.markdown, "# One\n\nBefore.\n\n800x300\n\nAfter.\n\n900x300");
    assert_eq!(recognized(&found), ["800x300", "900x300"]);
}

fn image(width: u32) -> String {
    format!("<img src=\"data:image/png;base64,{}\">", crate::base64::encode(&png(width, 300)))
}

#[test]
fn a_picture_in_a_web_page_is_read_where_it_stands() {
    let markdown = |body: &str| read(format!("<!doctype html>{body}").as_bytes()).markdown;
    let (a, b) = (image(800), image(900));
    assert_eq!(markdown(&format!("<h1>One{a}</h1><p>Text{b} goes on.</p><p>End.")), {
        "# One\n\n800x300\n\nText goes on.\n\n900x300\n\nEnd."
    });
    assert_eq!(markdown(&format!("<ul><li>{a}first<li>second</ul>")), "- first\n\n800x300\n\n- second");
    assert_eq!(
        markdown(&format!("<ul><li>first{a}<ul><li>inner</ul><li>second</ul>")),
        "- first\n  - inner\n\n800x300\n\n- second"
    );
    let cells = format!("<table><tr><td>a<td>b{a}<tr><td>c<td>d</table><p>End.");
    assert_eq!(markdown(&cells), "| a | b |\n| --- | --- |\n| c | d |\n\n800x300\n\nEnd.");
    // Schemes and types may be in capitals.
    for head in ["DATA:image/PNG;BASE64,", " Data:Image/png;charset=utf-8;Base64 ,"] {
        assert_eq!(markdown(&format!("<p>x{}<p>y", a.replace("data:image/png;base64,", head))), "x\n\n800x300\n\ny");
    }
    assert_eq!(markdown("<p>x<img src=\"DATA:text/plain;BASE64,QUJD\"><p>y"), "x\n\ny");
    // The same picture once, where it first stands.
    assert_eq!(markdown(&format!("<p>x<p>{a}<p>y<p>{a}")), "x\n\n800x300\n\ny");
}

#[test]
fn a_picture_in_the_text_of_a_mail_is_no_attachment() {
    let html = "<p>Dear all,</p><p><img src=\"cid:one@x\"></p><p>Regards</p>";
    let part = |head: &str, bytes: &[u8]| {
        format!("--x\n{head}\nContent-Transfer-Encoding: base64\n\n{}\n", crate::base64::encode(bytes))
    };
    let mail = [
        "From: a@b.c\nSubject: Scan\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=x\n\n".to_string(),
        part("Content-Type: text/html; charset=utf-8", html.as_bytes()),
        part("Content-Type: image/png; name=\"one.png\"\nContent-ID: <one@x>", &png(800, 300)),
        part("Content-Type: image/png; name=\"two.png\"", &png(900, 300)),
        "--x--\n".to_string(),
    ];
    let found = read(mail.concat().as_bytes());
    assert_eq!(found.markdown, "# Scan\n\nFrom: a@b.c\n\nDear all,\n\n800x300\n\nRegards\n\n## two.png\n\n900x300");
    assert_eq!(recognized(&found), ["800x300", "900x300"]);
}

#[test]
fn the_scan_of_a_page_below_a_letter_is_read() {
    let text = |count: usize| "word ".repeat(count);
    let page = |words: usize, (width, height): (u32, u32), format: ImageFormat| {
        let packed = crate::base64::encode(&picture(width, height, format));
        read(format!("<p>{}<p><img src='data:image/png;base64,{packed}'>", text(words)).as_bytes()).markdown
    };
    let is_read = |words, size, format| page(words, size, format).ends_with(&format!("{}x{}", size.0, size.1));
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        assert!(is_read(60, (900, 1270), format));
        assert!(!is_read(300, (900, 1270), format));
        // A photograph, or a picture that is too small for a page.
        assert!(!is_read(60, (1270, 900), format));
        assert!(!is_read(60, (600, 840), format));
    }
    assert!(is_read(10, (1270, 900), ImageFormat::Png));
}
