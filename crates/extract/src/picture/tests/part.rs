//! Of a picture that a document shows in part, that part is recognised, and of one that it hides nothing.

use super::{LIMITS, Measure, picture};
use crate::archive::tests::packed;
use crate::{Ocr, extract_with_ocr};
use image::ImageFormat;
use socle_core::document::{Document, OcrMode};

/// The text of a document, which has the sizes of the pictures as they are recognised.
fn read(bytes: &[u8]) -> String {
    read_as("a.odt", bytes).markdown
}

fn read_as(name: &str, bytes: &[u8]) -> Document {
    let ocr = Ocr::new(OcrMode::Auto, Box::new(Measure::default()));
    extract_with_ocr(bytes, None, Some(name), LIMITS, ocr).unwrap()
}

fn relations(folder: &str) -> String {
    let picture = |id: &str| format!("<Relationship Id='{id}' Type='x/image' Target='{folder}{id}.png'/>");
    let styles = "<Relationship Id='s' Type='x/styles' Target='styles.xml'/>";
    format!("<Relationships>{}{}{styles}</Relationships>", picture("a"), picture("b"))
}

/// A fill with a picture of 800 by 400 pixels.
fn fill(more: &str) -> String {
    format!("<blipFill><blip embed='a'/>{more}<stretch><fillRect/></stretch></blipFill>")
}

fn word(body: &str) -> String {
    read(&packed(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("word/document.xml", format!("<document><body>{body}</body></document>").as_bytes()),
        ("word/_rels/document.xml.rels", relations("media/").as_bytes()),
        ("word/styles.xml", b"<styles><style styleId='Secret'><rPr><vanish/></rPr></style></styles>"),
        ("word/media/a.png", &picture(800, 400, ImageFormat::Png)),
        ("word/media/b.png", &picture(600, 400, ImageFormat::Png)),
    ]))
}

#[test]
fn what_is_cut_off_a_picture_in_word_is_not_read() {
    let drawing = |fill: &str| format!("<p><r><drawing><inline><pic>{fill}</pic></inline></drawing></r></p>");
    assert_eq!(word(&drawing(&fill("<srcRect b='50000'/>"))), "800x200");
    assert_eq!(word(&drawing(&fill("<srcRect l='25000' t='-10000' r='25000'/>"))), "400x400");
    assert_eq!(word(&drawing(&fill("<srcRect/>"))), "800x400");
    // Twice, with another part each time, and once more.
    let parts = ["<srcRect b='50000'/>", "<srcRect t='50000' r='25000'/>", "<srcRect b='50000'/>"];
    let twice: String = parts.into_iter().map(|part| drawing(&fill(part))).collect();
    assert_eq!(word(&twice), "800x200\n\n600x200");
    // Too little is left for a text, or nothing.
    let text = "<p><r><t>words</t></r></p>";
    for part in ["<srcRect b='80000'/>", "<srcRect l='60000' r='40000'/>"] {
        assert_eq!(word(&[drawing(&fill(part)), text.into()].concat()), "words");
    }
    let older = "<p><r><pict><shape><imagedata id='a' croptop='16384f' cropright='32768f'/></shape></pict></r></p>";
    assert_eq!(word(older), "400x300");
}

#[test]
fn hidden_pictures_in_word_are_not_read() {
    let run = |properties: &str, drawing: &str| format!("<p><r>{properties}<drawing>{drawing}</drawing></r></p>");
    let pic = |properties: &str| format!("<pic><nvPicPr><cNvPr id='0' {properties}/></nvPicPr>{}</pic>", fill(""));
    let inline = |properties: &str, inner: &str| format!("<inline><docPr id='1' {properties}/>{inner}</inline>");
    let boxed = |text: &str| format!("<wsp><txbx><txbxContent><p><r><t>{text}</t></r></p></txbxContent></txbx></wsp>");
    let after = "<p><r><t>after</t></r><r><drawing><inline><docPr id='2' hidden='0'/><pic><blipFill><blip embed='b'/></blipFill></pic></inline></drawing></r></p>";
    for hidden in [
        run("<rPr><vanish/></rPr>", &inline("", &pic(""))),
        run("<rPr><vanish/></rPr>", &inline("", &boxed("secret"))),
        "<p><pPr><pStyle val='Secret'/></pPr><r><t>secret</t></r></p>".into(),
        run("", &inline("hidden='1'", &pic(""))),
        run("", &inline("hidden='true'", &boxed("secret"))),
        run("", &inline("", &pic("hidden='1'"))),
        format!(
            "<p><r><pict><shape style='width:9pt;visibility:hidden'>{}</shape></pict></r></p>",
            "<imagedata id='a'/>"
        ),
    ] {
        assert_eq!(word(&[&hidden, after].concat()), "after\n\n600x400", "{hidden}");
    }
    assert_eq!(word(&run("<rPr><vanish val='0'/></rPr>", &inline("", &pic("")))), "800x400");
}

/// A presentation of one slide.
fn slide(shapes: &str) -> String {
    read(&packed(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("ppt/presentation.xml", b"<presentation><sldId id='r1'/></presentation>"),
        (
            "ppt/_rels/presentation.xml.rels",
            b"<Relationships><Relationship Id='r1' Type='x/slide' Target='slides/slide1.xml'/></Relationships>",
        ),
        ("ppt/slides/slide1.xml", format!("<sld><spTree>{shapes}</spTree></sld>").as_bytes()),
        ("ppt/slides/_rels/slide1.xml.rels", relations("../media/").as_bytes()),
        ("ppt/media/a.png", &picture(800, 400, ImageFormat::Png)),
        ("ppt/media/b.png", &picture(600, 400, ImageFormat::Png)),
    ]))
}

#[test]
fn what_is_cut_off_or_hidden_on_a_slide_is_not_read() {
    assert_eq!(slide(&format!("<pic>{}</pic>", fill("<srcRect b='50000'/>"))), "800x200");
    let stretched =
        "<sp><spPr><blipFill><blip embed='a'/><stretch><fillRect l='-100000'/></stretch></blipFill></spPr></sp>";
    assert_eq!(slide(stretched), "400x400");
    let text = |properties: &str, text: &str| {
        format!("<sp><nvSpPr><cNvPr {properties}/></nvSpPr><txBody><p><r><t>{text}</t></r></p></txBody></sp>")
    };
    let pic = |properties: &str| format!("<pic><nvPicPr><cNvPr {properties}/></nvPicPr>{}</pic>", fill(""));
    let hidden = "hidden='1'";
    let group = format!("<grpSp><nvGrpSpPr><cNvPr {hidden}/></nvGrpSpPr>{}{}</grpSp>", text("", "secret"), pic(""));
    let shapes = [text("", "seen"), text(hidden, "secret"), pic(hidden), group, text("hidden='0'", "too")].concat();
    assert_eq!(slide(&shapes), "seen\n\ntoo");
    // What follows a hidden shape is shown.
    assert_eq!(slide(&[pic(hidden), pic("")].concat()), "800x400");
}

/// A text of OpenDocument, whose frames of the style "f" are clipped.
fn open_text(clip: &str, body: &str, picture: &[u8]) -> String {
    let style = format!(
        "<style:style style:name='f' style:family='graphic'><style:graphic-properties fo:clip='{clip}'/></style:style>"
    );
    let hidden =
        "<style:style style:name='h' style:family='text'><style:text-properties text:display='none'/></style:style>";
    let content = format!(
        "<office:document-content><office:automatic-styles>{style}{hidden}</office:automatic-styles>\
         <office:body><office:text>{body}</office:text></office:body></office:document-content>"
    );
    read(&packed(&[
        ("META-INF/manifest.xml", b"<manifest:manifest/>"),
        ("content.xml", content.as_bytes()),
        ("Pictures/a.png", picture),
    ]))
}

#[test]
fn what_is_clipped_or_hidden_in_open_document_is_not_read() {
    let png = picture(800, 400, ImageFormat::Png);
    let frame = |style: &str| format!("<draw:frame {style}><draw:image xlink:href='Pictures/a.png'/></draw:frame>");
    let clipped = format!("<text:p>{}</text:p>", frame("draw:style-name='f'"));
    // At 96 pixels an inch: two inches off the bottom, an inch off the right.
    for (clip, left) in [
        ("rect(0cm, 1in, 5.08cm, 0cm)", "704x208"),
        ("rect(0in 1in 144pt 0in)", "704x208"),
        ("rect(-1cm, 0cm, 0cm, 0cm)", "800x400"),
        ("rect(auto, auto, auto, auto)", "800x400"),
        ("auto", "800x400"),
    ] {
        assert_eq!(open_text(clip, &clipped, &png), left, "{clip}");
    }
    assert_eq!(open_text("rect(1in, 0in, 0in, 0in)", &format!("<text:p>{}</text:p>", frame("")), &png), "800x400");
    let shown = "<text:p>seen</text:p>";
    for hidden in [
        format!("<text:p><text:span text:style-name='h'>{}</text:span></text:p>", frame("")),
        format!("<text:section text:display='none'><text:p>secret {}</text:p></text:section>", frame("")),
        "<text:section text:condition='x' text:is-hidden='true'><text:p>secret</text:p></text:section>".into(),
        format!("<text:p>{}</text:p>", frame("draw:display='none'")),
        format!("<text:p><draw:g drawooo:display='none'>{}</draw:g></text:p>", frame("")),
    ] {
        assert_eq!(open_text("auto", &[&hidden, shown].concat(), &png), "seen", "{hidden}");
    }
}

#[test]
fn pictures_on_the_sheets_of_a_workbook_are_read_as_they_are_shown() {
    let book = |cells: &str, shapes: &str| {
        let workbook = "<workbook><sheets><sheet name='One' sheetId='1' r:id='r1'/></sheets></workbook>";
        let to = |id: &str, kind: &str, target: &str| {
            format!(
                "<Relationships><Relationship Id='{id}' Type='http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}' Target='{target}'/></Relationships>"
            )
        };
        packed(&[
            ("[Content_Types].xml", b"<Types/>"),
            ("_rels/.rels", to("r", "officeDocument", "xl/workbook.xml").as_bytes()),
            ("xl/workbook.xml", workbook.as_bytes()),
            ("xl/_rels/workbook.xml.rels", to("r1", "worksheet", "worksheets/sheet1.xml").as_bytes()),
            ("xl/worksheets/sheet1.xml", format!("<worksheet><sheetData>{cells}</sheetData></worksheet>").as_bytes()),
            ("xl/worksheets/_rels/sheet1.xml.rels", to("d", "drawing", "../drawings/drawing1.xml").as_bytes()),
            ("xl/drawings/drawing1.xml", format!("<wsDr><twoCellAnchor>{shapes}</twoCellAnchor></wsDr>").as_bytes()),
            ("xl/drawings/_rels/drawing1.xml.rels", relations("../media/").as_bytes()),
            ("xl/media/a.png", &picture(800, 400, ImageFormat::Png)),
            ("xl/media/b.png", &picture(600, 400, ImageFormat::Png)),
        ])
    };
    let pic =
        |properties: &str, part: &str| format!("<pic><nvPicPr><cNvPr {properties}/></nvPicPr>{}</pic>", fill(part));
    assert_eq!(read(&book("", &pic("", "<srcRect b='50000'/>"))), "# One\n\n800x200");
    let cells = "<row r='1'><c r='A1' t='inlineStr'><is><t>cell</t></is></c></row>";
    let hidden = "<sp><nvSpPr><cNvPr hidden='1'/></nvSpPr><txBody><p><r><t>secret</t></r></p></txBody></sp>";
    let shapes = [pic("hidden='1'", ""), pic("", ""), hidden.into()].concat();
    assert_eq!(read(&book(cells, &shapes)), "# One\n\ncell\n\n800x400");
}

#[test]
fn pictures_on_the_sheets_of_open_document_are_read_as_they_are_shown() {
    let open_sheet = |bytes: &[u8]| read_as("a.ods", bytes).markdown;
    let frame = |more: &str, image: &str| format!("<draw:frame {more}>{image}</draw:frame>");
    let image = "<draw:image xlink:href='Pictures/a.png'/>";
    let content = |root: &str, cell: &str, shapes: &str| {
        let style = "<style:style style:name='f' style:family='graphic'><style:graphic-properties fo:clip='rect(0in, 0in, 144pt, 0in)'/></style:style>";
        format!(
            "<{root}><office:automatic-styles>{style}</office:automatic-styles><office:body><office:spreadsheet>\
             <table:table table:name='Bare'><table:table-row/></table:table>\
             <table:table table:name='One'><table:shapes>{shapes}</table:shapes><table:table-row><table:table-cell>\
             {cell}</table:table-cell></table:table-row></table:table>\
             </office:spreadsheet></office:body></{root}>"
        )
    };
    let png = picture(800, 400, ImageFormat::Png);
    let chart = b"<office:chart><chart:title><text:p>Tide</text:p></chart:title></office:chart>";
    let book = |cell: &str, shapes: &str| {
        packed(&[
            ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
            ("META-INF/manifest.xml", b"<manifest:manifest/>"),
            ("content.xml", content("office:document-content", cell, shapes).as_bytes()),
            ("Pictures/a.png", &png),
            ("Chart/content.xml", chart),
            ("ObjectReplacements/Chart", &[b"VCLMTF".as_slice(), &[9; 100]].concat()),
        ])
    };
    assert_eq!(open_sheet(&book("", &frame("", image))), "# One\n\n800x400");
    let clipped = frame("draw:style-name='f'", image);
    assert_eq!(open_sheet(&book(&format!("<text:p>cell</text:p>{clipped}"), "")), "# One\n\ncell\n\n800x208");
    let group = format!("<draw:g><draw:g draw:display='none'>{}</draw:g>{clipped}</draw:g>", frame("", image));
    let hidden = frame("drawooo:display='none'", image);
    assert_eq!(open_sheet(&book("<text:p>cell</text:p>", &[hidden, group].concat())), "# One\n\ncell\n\n800x208");
    // An object has a picture of itself for programs that cannot draw it.
    let object = frame("", &format!("<draw:object xlink:href='./Chart'/>{image}"));
    assert_eq!(open_sheet(&book("<text:p>cell</text:p>", &object)), "# One\n\ncell\n\nTide");
    let replacement = frame("", "<draw:image xlink:href='./ObjectReplacements/Chart'/>");
    let extracted = read_as("a.ods", &book("<text:p>cell</text:p>", &replacement));
    assert_eq!((extracted.markdown.as_str(), extracted.metadata.unread_pictures), ("# One\n\ncell", None));
    // Flat XML has the bytes within.
    let kind = "xmlns:office='urn:oasis:names:tc:opendocument:xmlns:office:1.0' office:mimetype='application/vnd.oasis.opendocument.spreadsheet'";
    let bytes = format!("<office:binary-data>{}</office:binary-data>", crate::base64::encode(&png));
    let flat =
        content("office:document", "", &frame("draw:style-name='f'", &format!("<draw:image>{bytes}</draw:image>")));
    assert_eq!(
        open_sheet(flat.replacen("<office:document", &format!("<office:document {kind}"), 1).as_bytes()),
        "# One\n\n800x208"
    );
}

#[test]
fn pictures_of_rtf_are_read_as_they_are_shown() {
    let rtf = |bytes: &[u8]| read_as("a.rtf", bytes).markdown;
    let png = picture(800, 400, ImageFormat::Png);
    let digits: String = png.iter().map(|byte| format!("{byte:02x}")).collect();
    let (first, second) = digits.split_at(101);
    let pict = |words: &str| {
        format!(
            "{{\\pict\\pngblip\\picw800\\pich400\\picwgoal12000\\pichgoal6000{words}{{\\*\\blipuid 0badcafe}} {first}\r\n{second}}}"
        )
    };
    let document = |body: &str| rtf(format!("{{\\rtf1\\ansi before\\par {body}\\par after}}").as_bytes());
    let around = |text: &str| format!("before\n\n{text}\n\nafter");
    let twice = format!("{{\\*\\shppict{}}}{{\\nonshppict{{\\pict\\wmetafile8 0100090000}}}}", pict(""));
    assert_eq!(document(&twice), around("800x400"));
    assert_eq!(document(&pict("\\piccropl3000\\piccropt-10\\piccropb3000")), around("600x200"));
    let hiding = pict("{\\*\\picprop{\\sp{\\sn fHidden}{\\sv 1}}}");
    for hidden in [format!("{{\\v {}}}", pict("")), format!("{{\\deleted {}}}", pict("")), hiding] {
        assert_eq!(document(&hidden), "before\n\nafter");
    }
    // As bytes, which contain braces and backslashes.
    let mut bytes = b"{\\rtf1 words\\par {\\pict\\pngblip\\bin".to_vec();
    bytes.extend(format!("{} ", png.len()).bytes().chain(png.iter().copied()).chain(*b"}\\par}"));
    assert_eq!(rtf(&bytes), "words\n\n800x400");
    // A property of a shape, which may be hidden, and one that is beside it.
    let property = |name: &str, value: &str| format!("{{\\sp{{\\sn {name}}}{{\\sv {value}}}}}");
    let shape = |more: &str| {
        let pib = property("pib", &pict(""));
        format!("{{\\shp{{\\*\\shpinst\\shpleft0{}{pib}{more}}}{{\\shprslt{{\\*\\do}}}}}}", property("shapeType", "75"))
    };
    assert_eq!(document(&shape("")), around("800x400"));
    assert_eq!(document(&shape(&property("cropFromBottom", "32768"))), around("800x200"));
    assert_eq!(document(&shape(&property("fHidden", "1"))), "before\n\nafter");
    let boxed = "{\\shp{\\*\\shpinst{\\shptxt boxed\\par}}}";
    assert_eq!(document(&[&shape(&property("fHidden", "1")), boxed].concat()), around("boxed"));
    // What is cut short is no picture; what it is is counted.
    let damaged = format!("{{\\rtf1 words\\par {{\\pict\\pngblip {}}}}}", &digits[..300]);
    let read = read_as("a.rtf", damaged.as_bytes());
    assert_eq!((read.markdown.as_str(), read.metadata.unread_pictures), ("words", Some(1)));
}
