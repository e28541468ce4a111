//! What handbooks rarely have.

use super::hostile::packed;
use super::{document, read};

const EXPECTED: &str = "# Title of all

# 1 Changes and links

Before inserted words after. A link with text, a tab and a
break.

Visible again.

With a box at its side.

text in the box

Two notes[^1] here[^2].

[^1]: at the foot

[^2]: at the end

## Lists and tables

1. first
   - a) under first
     - I. deepest
   - b) also under first
2. second

Between the parts.

3. third

| wide |  | c1 |
| --- | --- | --- |
| tall | b2 more b2 | in1, in2 |
|  | b3 | c3 |

# 2 Last words

Finis: fin œuvre Straße żółw 5 < 6 & 7 | 8.";

#[test]
fn features_of_texts_are_understood() {
    for name in ["features.odt", "features.docx"] {
        assert_eq!(document(name).markdown, EXPECTED, "{name}");
    }
}

#[test]
fn features_of_rtf_are_understood() {
    // LibreOffice anchors the box before the paragraph and moves the last row of a table with a table in it to the left.
    let found = document("features.rtf").markdown;
    let box_first =
        EXPECTED.replace("With a box at its side.\n\ntext in the box", "text in the box\n\nWith a box at its side.");
    assert_eq!(found, box_first.replace("|  | b3 | c3 |", "| b3 | c3 |"));
}

/// A Word document with this body, these styles and other parts, each with its kind.
fn docx(body: &str, styles: &str, parts: &[(&str, &str)]) -> Vec<u8> {
    let mut relations = String::from("<Relationships>");
    for (at, (kind, _)) in parts.iter().chain(&[("styles", "")]).enumerate() {
        relations += &format!("<Relationship Id='r{at}' Type='http://x/relationships/{kind}' Target='{kind}.xml'/>");
    }
    relations.push_str("</Relationships>");
    let body = format!("<w:document><w:body>{body}</w:body></w:document>");
    let styles = format!("<w:styles>{styles}</w:styles>");
    let names: Vec<String> = parts.iter().map(|(kind, _)| format!("word/{kind}.xml")).collect();
    let mut entries: Vec<(&str, &[u8])> = vec![
        ("[Content_Types].xml", b"<Types/>"),
        ("word/document.xml", body.as_bytes()),
        ("word/_rels/document.xml.rels", relations.as_bytes()),
        ("word/styles.xml", styles.as_bytes()),
        ("docProps/app.xml", b"<Properties><Pages>2</Pages></Properties>"),
    ];
    entries.extend(names.iter().zip(parts).map(|(name, (_, part))| (&**name, part.as_bytes())));
    packed(&entries)
}

/// A paragraph with these properties.
fn paragraph(properties: &str, text: &str) -> String {
    format!("<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>")
}

#[test]
fn headings_of_word_are_known_by_name_and_outline() {
    let styles = "<w:style w:type='paragraph' w:default='1' w:styleId='Standard'><w:name w:val='Normal'/></w:style>\
                  <w:style w:styleId='berschrift2'><w:name w:val='heading 2'/><w:basedOn w:val='Standard'/></w:style>\
                  <w:style w:styleId='Eigene'><w:name w:val='Eigene'/><w:basedOn w:val='berschrift2'/></w:style>\
                  <w:style w:styleId='Kreis'><w:name w:val='Kreis'/><w:basedOn w:val='Kreis'/></w:style>\
                  <w:style w:styleId='Code'><w:name w:val='HTML Preformatted'/></w:style>";
    let body = [
        paragraph("<w:pStyle w:val='berschrift2'/>", "by name"),
        paragraph("<w:pStyle w:val='Eigene'/>", "by the style below"),
        paragraph("<w:outlineLvl w:val='3'/>", "by itself"),
        paragraph("<w:pStyle w:val='berschrift2'/><w:outlineLvl w:val='9'/>", "not at all"),
        paragraph("<w:pStyle w:val='Kreis'/>", "in a circle"),
        paragraph("<w:pStyle w:val='Code'/>", "if a:"),
        paragraph("<w:pStyle w:val='Code'/>", "  b()"),
    ];
    let found = read(&docx(&body.concat(), styles, &[]), "styles.docx").unwrap().markdown;
    let expected =
        "## by name\n\n## by the style below\n\n#### by itself\n\nnot at all\n\nin a circle\n\n```\nif a:\n  b()\n```";
    assert_eq!(found, expected);
}

#[test]
fn changes_of_word_are_accepted() {
    let run = |properties: &str, text: &str| format!("<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r>");
    let cell = |text: &str| format!("<w:tc>{}</w:tc>", paragraph("", text));
    let body = [
        format!(
            "<w:p><w:moveFrom>{}</w:moveFrom><w:del>{}</w:del><w:ins>{}</w:ins></w:p>",
            run("", "moved away "),
            "<w:r><w:delText>deleted </w:delText><w:tab/></w:r>",
            run("", "inserted")
        ),
        paragraph("<w:rPr><w:del/></w:rPr>", "joined with "),
        paragraph("", "the next"),
        paragraph("<w:framePr w:dropCap='drop'/>", "B"),
        paragraph("", "ig letter"),
        format!(
            "<w:p>{}{}{}</w:p>",
            run("<w:vanish/>", "hidden"),
            run("", "seen"),
            run("<w:vanish w:val='0'/>", " too")
        ),
        format!(
            "<w:tbl><w:tr>{}{}</w:tr><w:tr><w:trPr><w:del/></w:trPr>{}{}</w:tr><w:tr><w:trPr><w:gridBefore w:val='1'/></w:trPr>{}</w:tr></w:tbl>",
            cell("a"),
            cell("b"),
            cell("gone"),
            cell("gone"),
            cell("d")
        ),
        "<w:p><w:r><w:lastRenderedPageBreak/><w:t>one</w:t><w:noBreakHyphen/><w:t>two</w:t></w:r></w:p>".to_string(),
    ];
    let found = read(&docx(&body.concat(), "", &[]), "changes.docx").unwrap();
    let expected =
        "inserted\n\njoined with the next\n\nBig letter\n\nseen too\n\n| a | b |\n| --- | --- |\n|  | d |\n\none-two";
    assert_eq!(found.markdown, expected);
    // The mark is in the paragraph that goes over to the next page, which began on the page before.
    assert_eq!(found.blocks.last().unwrap().page, Some(1));
}

#[test]
fn margins_count_only_if_there_is_nothing_else() {
    let header = format!("<w:hdr>{}</w:hdr>", paragraph("", "in the margin"));
    let found = |body: &str| read(&docx(body, "", &[("header", &header)]), "margin.docx").unwrap().markdown;
    assert_eq!(found(&paragraph("", "text")), "text");
    assert_eq!(found(""), "in the margin");
}

#[test]
fn charts_are_tables() {
    let point = |at: usize, value: &str| format!("<c:pt idx='{at}'><c:v>{value}</c:v></c:pt>");
    let series = |name: &str, values: &[&str]| {
        let points: String = values.iter().enumerate().map(|(at, value)| point(at, value)).collect();
        let categories = format!("{}{}", point(0, "Monday"), point(1, "Friday"));
        format!(
            "<c:ser><c:tx><c:strRef>{}</c:strRef></c:tx><c:cat>{categories}</c:cat><c:val>{points}</c:val></c:ser>",
            point(0, name)
        )
    };
    let chart = format!(
        "<c:chartSpace><c:chart><c:title><c:tx><a:p><a:r><a:t>Visitors</a:t></a:r></a:p></c:tx></c:title><c:plotArea>{}{}\
         <c:valAx><c:title><a:t>axis</a:t></c:title></c:valAx></c:plotArea></c:chart></c:chartSpace>",
        series("2023", &["5", "7"]),
        series("2024", &["6"]),
    );
    let body = "<w:p><w:r><w:t>See</w:t><w:drawing><c:chart r:id='r0'/></w:drawing></w:r></w:p>";
    let found = read(&docx(body, "", &[("chart", &chart)]), "chart.docx").unwrap().markdown;
    let expected =
        "See\n\nVisitors\n\naxis\n\n|  | 2023 | 2024 |\n| --- | --- | --- |\n| Monday | 5 | 6 |\n| Friday | 7 |";
    assert_eq!(found, expected);
}

#[test]
fn code_pages_of_rtf_are_read() {
    let rtf = b"{\\rtf1\\ansi\\ansicpg1250{\\fonttbl{\\f0\\fcharset238 A;}{\\f1\\fcharset204 B;}{\\f2\\fcharset2 Symbol;}}\
        {\\*\\generator none}\\f0 Za\\'bf\\'f3\\'b3\\'e6 {\\f1 \\'cf\\'f0\\'e8\\'e2\\'e5\\'f2} {\\f2 \\'61}\\uc1\\u8364\\'80 \\uc2\\u26085\\'93\\'fa \
        \\u-10179?\\u-8694?{\\v hidden}{\\deleted gone} {\\upr{old}{\\*\\ud{new}}}\\par}";
    let found = read(rtf, "pages.rtf").unwrap().markdown;
    assert_eq!(found, "Zażółć Привет € 日 😊 new");
}

#[test]
fn files_in_a_word_document_stand_at_their_place() {
    let relation = |id: &str, target: &str| {
        format!("<Relationship Id='{id}' Type='http://x/relationships/aFChunk' Target='{target}'/>")
    };
    let relations = [relation("h", "a.html"), relation("t", "b.txt"), relation("r", "c.rtf"), relation("p", "d.png")];
    let relations = format!("<Relationships>{}</Relationships>", relations.concat());
    let chunk = |id: &str| format!("<w:altChunk r:id='{id}'/>");
    let paragraph = |text: &str| format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>");
    let body = format!(
        "<w:document><w:body>{}{}{}{}{}{}<w:tbl><w:tr><w:tc>{}</w:tc><w:tc>{}</w:tc></w:tr></w:tbl></w:body></w:document>",
        paragraph("before"),
        chunk("h"),
        paragraph("between"),
        chunk("t"),
        chunk("p"),
        paragraph("after"),
        chunk("r"),
        paragraph("cell"),
    );
    let bytes = packed(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("word/document.xml", body.as_bytes()),
        ("word/_rels/document.xml.rels", relations.as_bytes()),
        (
            "word/a.html",
            "<html><head><title>no</title></head><body><h1>Head</h1><p>é<ul><li>item</ul></body></html>".as_bytes(),
        ),
        ("word/b.txt", b"plain text"),
        ("word/c.rtf", br"{\rtf1 rich}"),
        ("word/d.png", b"\x89PNG\r\n\x1a\n"),
    ]);
    let document = read(&bytes, "a.docx").unwrap();
    assert_eq!(
        document.markdown,
        "before\n\n## Head\n\né\n\n- item\n\nbetween\n\nplain text\n\nattachment d.png: PNG image cannot be read\n\nafter\n\n\
         | rich | cell |\n| --- | --- |"
    );
    assert_eq!(document.metadata.title, None);
}

#[test]
fn shapes_of_a_slide_are_read_from_top_to_bottom() {
    let place = |x: i64, y: i64| format!("<p:spPr><a:xfrm><a:off x='{x}' y='{y}'/></a:xfrm></p:spPr>");
    let shape = |head: &str, place: &str, text: &str| {
        format!(
            "<p:sp><p:nvSpPr>{head}</p:nvSpPr>{place}<p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"
        )
    };
    let shapes = [
        shape("", &place(0, 5_000_000), "foot"),
        shape("", "", "nowhere"),
        shape("", &place(4_000_000, 2_000_000), "right"),
        // A little lower, as hands place it.
        shape("", &place(-10, 2_050_000), "left"),
        // Places in a group are those of the group.
        format!(
            "<p:grpSp><p:grpSpPr><a:xfrm><a:off x='0' y='3000000'/></a:xfrm></p:grpSpPr>{}{}</p:grpSp>",
            shape("", &place(0, 900), "group, second"),
            shape("", &place(0, 0), "group, first")
        ),
        shape("<p:ph idx='7'/>", "", "of the layout"),
        shape("<p:ph type='title'/>", &place(0, 9_000_000), "title"),
    ];
    let slide = format!("<p:sld><p:cSld><p:spTree>{}</p:spTree></p:cSld></p:sld>", shapes.concat());
    let layout = format!("<p:sldLayout>{}</p:sldLayout>", shape("<p:ph idx='7'/>", &place(0, 1_000_000), ""));
    let relation = |kind: &str, target: &str| {
        format!("<Relationships><Relationship Id='r1' Type='x/{kind}' Target='{target}'/></Relationships>")
    };
    let bytes = packed(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("ppt/presentation.xml", b"<p:presentation><p:sldIdLst><p:sldId r:id='r1'/></p:sldIdLst></p:presentation>"),
        ("ppt/_rels/presentation.xml.rels", relation("slide", "slides/slide1.xml").as_bytes()),
        ("ppt/slides/slide1.xml", slide.as_bytes()),
        ("ppt/slides/_rels/slide1.xml.rels", relation("slideLayout", "../layout.xml").as_bytes()),
        ("ppt/layout.xml", layout.as_bytes()),
    ]);
    let markdown = read(&bytes, "a.pptx").unwrap().markdown;
    let wanted = ["# title", "of the layout", "nowhere", "left", "right", "group, second", "group, first", "foot"];
    assert_eq!(markdown.split("\n\n").collect::<Vec<_>>(), wanted);
}
