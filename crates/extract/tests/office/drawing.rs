//! What stands in drawings: text boxes, charts and diagrams in all formats, each said once; and documents that are nothing
//! but pictures.

use super::hostile::{packed, xlsx_of};
use super::read;
use socle_core::Kind;

/// A document of Office with a main part, and parts that it refers to as `r1`, `r2` …, each with the kind of relation.
fn office(main: &str, body: &str, parts: &[(&str, &str, &str)]) -> Vec<u8> {
    let (folder, file) = main.split_once('/').unwrap();
    let relations: String = (1..)
        .zip(parts)
        .map(|(number, (kind, name, _))| {
            format!("<Relationship Id='r{number}' Type='http://x/{kind}' Target='/{folder}/{name}'/>")
        })
        .collect();
    let relations = format!("<Relationships>{relations}</Relationships>");
    let relations_name = format!("{folder}/_rels/{file}.rels");
    let names: Vec<String> = parts.iter().map(|(_, name, _)| format!("{folder}/{name}")).collect();
    let mut entries: Vec<(&str, &[u8])> =
        vec![("[Content_Types].xml", b"<Types/>"), (main, body.as_bytes()), (&relations_name, relations.as_bytes())];
    entries.extend(names.iter().zip(parts).map(|(name, (.., content))| (name.as_str(), content.as_bytes())));
    packed(&entries)
}

fn docx(body: &str, parts: &[(&str, &str, &str)]) -> Vec<u8> {
    office("word/document.xml", &format!("<w:document><w:body>{body}</w:body></w:document>"), parts)
}

fn markdown(bytes: &[u8], name: &str) -> String {
    read(bytes, name).unwrap().markdown
}

const CHART: &str = "<c:chartSpace><c:chart><c:title><c:tx><c:rich><a:p><a:r><a:t>Height of</a:t></a:r></a:p><a:p><a:r><a:t>the tide</a:t>\
    </a:r></a:p></c:rich></c:tx></c:title><c:plotArea><c:barChart><c:ser><c:tx><c:strRef><c:strCache><c:pt idx='0'><c:v>North</c:v>\
    </c:pt></c:strCache></c:strRef></c:tx><c:cat><c:strRef><c:strCache><c:pt idx='0'><c:v>May</c:v></c:pt></c:strCache></c:strRef>\
    </c:cat><c:val><c:numRef><c:numCache><c:pt idx='0'><c:v>3.5</c:v></c:pt></c:numCache></c:numRef></c:val></c:ser></c:barChart>\
    <c:valAx><c:title><c:tx><c:rich><a:p><a:r><a:t>Metres</a:t></a:r></a:p></c:rich></c:tx></c:title></c:valAx></c:plotArea>\
    <c:legend><c:legendEntry><c:txPr><a:t>no</a:t></c:txPr></c:legendEntry></c:legend></c:chart></c:chartSpace>";
const EXTENDED: &str = "<cx:chartSpace><cx:chartData><cx:data id='0'><cx:strDim type='cat'><cx:f>A1</cx:f><cx:lvl><cx:pt idx='0'>Sand</cx:pt>\
    </cx:lvl></cx:strDim><cx:numDim type='val'><cx:lvl><cx:pt idx='0'>7</cx:pt></cx:lvl></cx:numDim></cx:data></cx:chartData><cx:chart>\
    <cx:title><cx:tx><cx:rich><a:p><a:r><a:t>Cargo</a:t></a:r></a:p></cx:rich></cx:tx></cx:title><cx:plotArea><cx:plotAreaRegion>\
    <cx:series><cx:tx><cx:txData><cx:f>B1</cx:f><cx:v>Tons</cx:v></cx:txData></cx:tx></cx:series></cx:plotAreaRegion><cx:axis><cx:title>\
    <cx:tx><cx:rich><a:p><a:r><a:t>Kind</a:t></a:r></a:p></cx:rich></cx:tx></cx:title></cx:axis></cx:plotArea></cx:chart></cx:chartSpace>";
const DIAGRAM: &str = "<dgm:dataModel><dgm:ptLst><dgm:pt type='doc'><dgm:t><a:p/></dgm:t></dgm:pt><dgm:pt><dgm:t> <a:p><a:r><a:t>Survey</a:t></a:r>\
    </a:p><a:p><a:r><a:t>the quay</a:t></a:r></a:p></dgm:t></dgm:pt><dgm:pt><dgm:t><a:p><a:r><a:t>Build</a:t></a:r></a:p></dgm:t></dgm:pt>\
    <dgm:pt type='pres'/></dgm:ptLst></dgm:dataModel>";
const DRAWN: [(&str, &str, &str); 3] =
    [("chart", "chart1.xml", CHART), ("diagramData", "data1.xml", DIAGRAM), ("chartEx", "chart2.xml", EXTENDED)];
const SAID: &str = "Height of the tide\n\nMetres\n\n|  | North |\n| --- | --- |\n| May | 3.5 |\n\n- Survey the quay\n- Build\n\nCargo\n\nKind\n\n\
    |  | Tons |\n| --- | --- |\n| Sand | 7 |";

#[test]
fn drawings_of_word_are_said_once() {
    let boxed = |text: &str| format!("<w:txbxContent><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:txbxContent>");
    let body = format!(
        "<w:p><w:r><w:t>Before</w:t></w:r><w:r><mc:AlternateContent><mc:Choice Requires='wps'><w:drawing><wpg:grpSp><wps:txbx>{0}</wps:txbx>\
         </wpg:grpSp></w:drawing></mc:Choice><mc:Fallback><w:pict><v:shape><v:textbox>{0}</v:textbox></v:shape></w:pict></mc:Fallback>\
         </mc:AlternateContent></w:r><w:r><w:pict><v:group><v:shape><v:textbox>{1}</v:textbox></v:shape></v:group></w:pict></w:r></w:p>\
         <w:p><w:r><w:drawing><c:chart r:id='r1'/></w:drawing></w:r></w:p><w:p><w:r><w:drawing><dgm:relIds r:dm='r2' r:lo='x'/></w:drawing>\
         </w:r></w:p><w:p><w:r><mc:AlternateContent><mc:Choice Requires='cx1'><cx:chart r:id='r3'/></mc:Choice><mc:Fallback><w:t>This chart \
         is not available</w:t></mc:Fallback></mc:AlternateContent></w:r></w:p>",
        boxed("New box"),
        boxed("Old box")
    );
    assert_eq!(markdown(&docx(&body, &DRAWN), "a.docx"), format!("Before\n\nNew box\n\nOld box\n\n{SAID}"));
}

fn pptx(slides: &[&str], parts: &[(&str, &str, &str)]) -> Vec<u8> {
    let ids: String = (1..=slides.len()).map(|number| format!("<p:sldId id='{number}' r:id='s{number}'/>")).collect();
    let presentation = format!("<p:presentation>{ids}</p:presentation>");
    let list: String = (1..=slides.len())
        .map(|number| format!("<Relationship Id='s{number}' Type='x/slide' Target='slides/slide{number}.xml'/>"))
        .collect();
    let list = format!("<Relationships>{list}</Relationships>");
    let mut entries: Vec<(String, String)> = vec![
        ("[Content_Types].xml".into(), "<Types/>".into()),
        ("ppt/presentation.xml".into(), presentation),
        ("ppt/_rels/presentation.xml.rels".into(), list),
    ];
    let relations: String = (1..)
        .zip(parts)
        .map(|(number, (kind, name, _))| format!("<Relationship Id='r{number}' Type='x/{kind}' Target='/ppt/{name}'/>"))
        .collect();
    for (number, slide) in (1..).zip(slides) {
        entries.push((
            format!("ppt/slides/slide{number}.xml"),
            format!("<p:sld><p:cSld><p:spTree>{slide}</p:spTree></p:cSld></p:sld>"),
        ));
        entries.push((
            format!("ppt/slides/_rels/slide{number}.xml.rels"),
            format!("<Relationships>{relations}</Relationships>"),
        ));
    }
    entries.extend(parts.iter().map(|(_, name, content)| (format!("ppt/{name}"), (*content).to_string())));
    let entries: Vec<(&str, &[u8])> =
        entries.iter().map(|(name, content)| (name.as_str(), content.as_bytes())).collect();
    packed(&entries)
}

#[test]
fn drawings_of_slides_are_said_once() {
    let shape = "<p:grpSp><p:grpSp><p:sp><p:txBody><a:p><a:r><a:t>Grouped</a:t></a:r></a:p></p:txBody></p:sp></p:grpSp></p:grpSp>";
    let frame = |inner: &str| format!("<p:graphicFrame><a:graphic>{inner}</a:graphic></p:graphicFrame>");
    let slide = [
        shape.to_string(),
        frame("<c:chart r:id='r1'/>"),
        frame("<dgm:relIds r:dm='r2'/>"),
        format!(
            "<mc:AlternateContent><mc:Choice Requires='cx1'>{}</mc:Choice><mc:Fallback><p:sp><p:txBody><a:p><a:r><a:t>no</a:t></a:r></a:p>\
             </p:txBody></p:sp></mc:Fallback></mc:AlternateContent>",
            frame("<cx:chart r:id='r3'/>")
        ),
    ];
    assert_eq!(markdown(&pptx(&[&slide.concat()], &DRAWN), "a.pptx"), format!("Grouped\n\n{SAID}"));
}

#[test]
fn drawings_of_workbooks_come_after_the_cells() {
    // The numbers of a chart are in the cells already.
    let sheet = "<worksheet xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'><sheetData><row><c r='A1' t='inlineStr'><is>\
                 <t>cell</t></is></c></row></sheetData></worksheet>";
    let shape = |text: &str| {
        format!(
            "<xdr:sp><xdr:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p><a:p><a:r><a:t>line</a:t></a:r></a:p></xdr:txBody></xdr:sp>"
        )
    };
    let drawing = format!(
        "<xdr:wsDr>{}<xdr:grpSp>{}</xdr:grpSp><mc:AlternateContent><mc:Choice><cx:chart r:id='r3'/></mc:Choice><mc:Fallback>{}</mc:Fallback>\
         </mc:AlternateContent><c:chart r:id='r1'/><dgm:relIds r:dm='r2'/></xdr:wsDr>",
        shape("Box"),
        shape("Grouped"),
        shape("no")
    );
    let vml = "<xml><v:shape><v:textbox><div><font>Button</font><br></br>text</div></v:textbox><x:ClientData ObjectType='Button'/></v:shape>\
               <v:shape><v:textbox><div>a comment</div></v:textbox><x:ClientData ObjectType='Note'/></v:shape></xml>";
    let relations = |list: &[(&str, &str)]| {
        let list: String = (1..)
            .zip(list)
            .map(|(number, (kind, name))| format!("<Relationship Id='r{number}' Type='x/{kind}' Target='/xl/{name}'/>"))
            .collect();
        format!("<Relationships>{list}</Relationships>")
    };
    let of_sheet = relations(&[("drawing", "drawings/drawing1.xml"), ("vmlDrawing", "drawings/vml1.vml")]);
    let of_drawing = relations(&[("chart", "chart1.xml"), ("diagramData", "data1.xml"), ("chartEx", "chart2.xml")]);
    let parts = [
        ("xl/worksheets/_rels/sheet1.xml.rels", of_sheet.as_str()),
        ("xl/drawings/drawing1.xml", &drawing),
        ("xl/drawings/_rels/drawing1.xml.rels", &of_drawing),
        ("xl/drawings/vml1.vml", vml),
        ("xl/chart1.xml", CHART),
        ("xl/data1.xml", DIAGRAM),
        ("xl/chart2.xml", EXTENDED),
    ];
    let wanted = "# Far\n\ncell\n\nBox\nline\n\nGrouped\nline\n\nCargo\n\nKind\n\nHeight of the tide\n\nMetres\n\nSurvey the quay\n\nBuild\n\n\
                  Button\ntext";
    assert_eq!(markdown(&xlsx_of(sheet, "worksheet", &parts), "a.xlsx"), wanted);
    // A sheet that is a chart.
    let wanted = wanted.replace("cell\n\n", "");
    assert_eq!(markdown(&xlsx_of("<chartsheet/>", "chartsheet", &parts), "a.xlsx"), wanted);
}

/// A document of LibreOffice of that kind.
fn open(kind: &str, body: &str, parts: &[(&str, &str)]) -> Vec<u8> {
    let content = format!("<office:document-content><office:body>{body}</office:body></office:document-content>");
    let mut entries: Vec<(&str, &[u8])> =
        vec![("content.xml", content.as_bytes()), ("META-INF/manifest.xml", b"<manifest/>")];
    entries.extend(parts.iter().map(|(name, content)| (*name, content.as_bytes())));
    let bytes = packed(&entries);
    // The kind is told by the name of the file where no media type is stated.
    assert!(["odt", "odp", "ods"].contains(&kind));
    bytes
}

const OPEN_CHART: &str = "<office:document-content><office:body><office:chart><chart:chart><chart:title><text:p>Height of the tide</text:p></chart:title>\
    <chart:legend><text:p>no</text:p></chart:legend><chart:axis><chart:title><text:p>Metres</text:p></chart:title></chart:axis><table:table \
    table:name='local-table'><table:table-row><table:table-cell><text:p>May</text:p></table:table-cell><table:table-cell><text:p>3.5</text:p>\
    </table:table-cell></table:table-row><table:table-row><table:table-cell><text:p>June</text:p></table:table-cell><table:table-cell>\
    <text:p>4</text:p></table:table-cell></table:table-row></table:table></chart:chart></office:chart></office:body></office:document-content>";

#[test]
fn drawings_of_libreoffice_are_read() {
    let object = "<draw:frame><draw:object xlink:href='./Object 1'/><draw:image xlink:href='./x'/></draw:frame>";
    let parts = [("Object 1/content.xml", OPEN_CHART)];
    let text = format!("<office:text><text:p>Before{object}</text:p><text:p>After</text:p></office:text>");
    let wanted = "Before\n\nHeight of the tide\n\nMetres\n\n| May | 3.5 |\n| --- | --- |\n| June | 4 |\n\nAfter";
    assert_eq!(markdown(&open("odt", &text, &parts), "a.odt"), wanted);
    let sheet = format!(
        "<office:spreadsheet><table:table table:name='S'><table:shapes>{object}<draw:g><draw:custom-shape><text:p>In a <text:span>box</text:span>\
         </text:p><text:p>line</text:p></draw:custom-shape></draw:g></table:shapes><table:table-row><table:table-cell><text:p>x</text:p>\
         </table:table-cell></table:table-row></table:table></office:spreadsheet>"
    );
    let wanted = "# S\n\nx\n\nHeight of the tide\n\nMetres\n\nIn a box\nline";
    assert_eq!(markdown(&open("ods", &sheet, &parts), "a.ods"), wanted);
}

/// Documents of each format that are nothing but a picture.
fn pictures() -> Vec<(&'static str, Vec<u8>)> {
    let image = "<draw:frame><draw:image xlink:href='Pictures/a.png'/></draw:frame>";
    let text = format!("<office:text><text:p>{image}</text:p></office:text>");
    let slides = format!("<office:presentation><draw:page>{image}</draw:page></office:presentation>");
    let sheet = format!(
        "<office:spreadsheet><table:table table:name='S'><table:shapes>{image}</table:shapes></table:table></office:spreadsheet>"
    );
    let flat = "<office:document xmlns:office='urn:oasis:names:tc:opendocument:xmlns:office:1.0' office:mimetype='application/vnd.oasis.opendocument.text'>\
         <office:body><office:text><text:p><draw:frame><draw:image><office:binary-data>iVBORw0KGgo</office:binary-data></draw:image></draw:frame>\
         </text:p></office:text></office:body></office:document>";
    let book = packed(&[
        ("META-INF/container.xml", b"<container><rootfile full-path='c.opf'/></container>"),
        (
            "c.opf",
            b"<package><manifest><item id='a' href='a.xhtml'/></manifest><spine><itemref idref='a'/></spine></package>",
        ),
        ("a.xhtml", b"<html><body><svg><image href='c.jpg'/></svg></body></html>"),
    ]);
    let drawn = [
        (
            "xl/worksheets/_rels/sheet1.xml.rels",
            "<Relationships><Relationship Id='r1' Type='x/drawing' Target='/xl/d.xml'/></Relationships>",
        ),
        ("xl/d.xml", "<xdr:wsDr><xdr:pic><xdr:blipFill><a:blip r:embed='r1'/></xdr:blipFill></xdr:pic></xdr:wsDr>"),
    ];
    vec![
        ("a.docx", docx(PICTURE, &[])),
        ("old.docx", docx("<w:p><w:r><w:pict><v:shape><v:imagedata r:id='r1'/></v:shape></w:pict></w:r></w:p>", &[])),
        ("a.pptx", pptx(&["<p:pic><p:blipFill><a:blip r:embed='r1'/></p:blipFill></p:pic>"], &[])),
        ("a.xlsx", xlsx_of("<worksheet><sheetData/></worksheet>", "worksheet", &drawn)),
        ("a.odt", open("odt", &text, &[])),
        ("a.odp", open("odp", &slides, &[])),
        ("a.ods", open("ods", &sheet, &[])),
        ("a.fodt", flat.as_bytes().to_vec()),
        ("a.epub", book),
        ("a.html", b"<html><body><p><img src='a.png'></p></body></html>".to_vec()),
        ("svg.html", b"<html><body><svg><path d='M0 0'/></svg></body></html>".to_vec()),
        ("a.rtf", br"{\rtf1{\pict\pngblip 89504e47}\par}".to_vec()),
        ("word.rtf", br"{\rtf1{\*\shppict{\pict\pngblip 89504e47}}{\nonshppict{\pict\wmetafile8 00}}\par}".to_vec()),
        ("a.fb2", b"<FictionBook><body><section><image href='#c'/></section></body><binary id='c'>iVBORw0KGgo</binary></FictionBook>".to_vec()),
    ]
}

const PICTURE: &str = "<w:p><w:r><w:drawing><a:blip r:embed='r1'/></w:drawing></w:r></w:p>";

#[test]
fn a_document_of_nothing_but_pictures_is_an_error_like_a_scan() {
    for (name, bytes) in pictures() {
        let error = read(&bytes, name).unwrap_err();
        assert_eq!(
            (error.kind, error.message.as_str()),
            (Kind::NotSupported, "document has no text: its pages are images"),
            "{name}"
        );
        assert!(error.hint.is_some_and(|hint| hint.contains("OCR")), "{name}");
    }
    // What is empty is empty.
    for (name, bytes) in [
        ("a.docx", docx("<w:p/>", &[])),
        ("a.odt", open("odt", "<office:text><text:p/></office:text>", &[])),
        ("a.pptx", pptx(&["<p:sp/>"], &[])),
        ("a.html", b"<html><body></body></html>".to_vec()),
        ("a.rtf", br"{\rtf1\par}".to_vec()),
    ] {
        assert_eq!(markdown(&bytes, name), "", "{name}");
    }
    // A word beside the picture is the text.
    let both = format!("{PICTURE}<w:p><w:r><w:t>words</w:t></w:r></w:p>");
    assert_eq!(markdown(&docx(&both, &[]), "a.docx"), "words");
}

#[test]
fn slides_and_sheets_of_nothing_but_pictures_are_counted() {
    let picture = "<p:pic><p:blipFill><a:blip r:embed='r1'/></p:blipFill></p:pic>";
    let words = "<p:sp><p:txBody><a:p><a:r><a:t>words</a:t></a:r></a:p></p:txBody></p:sp>";
    let both = [picture, words].concat();
    let document = read(&pptx(&[picture, words, &both, "<p:sp/>", picture], &[]), "a.pptx").unwrap();
    assert_eq!((document.metadata.page_count, document.metadata.pages_without_text), (Some(5), Some(2)));
    let document = read(&pptx(&[words, &both], &[]), "a.pptx").unwrap();
    assert_eq!(document.metadata.pages_without_text, None);
}

#[test]
fn a_chart_of_endless_series_is_an_error() {
    let series: String =
        (0..2000).map(|at| format!("<c:ser><c:val><c:pt idx='{at}'><c:v>{at}</c:v></c:pt></c:val></c:ser>")).collect();
    let chart = format!("<c:chartSpace>{series}</c:chartSpace>");
    let body = "<w:p><w:r><c:chart r:id='r1'/></w:r></w:p>";
    let error = read(&docx(body, &[("chart", "chart1.xml", &chart)]), "a.docx").unwrap_err();
    assert_eq!(error.kind, Kind::InputTooLong);
    let series: String =
        (0..100).map(|at| format!("<c:ser><c:val><c:pt idx='0'><c:v>v{at}</c:v></c:pt></c:val></c:ser>")).collect();
    let chart = format!("<c:chartSpace>{series}</c:chartSpace>");
    let text = markdown(&docx(body, &[("chart", "chart1.xml", &chart)]), "a.docx");
    assert!(text.contains("| v0 |") && text.contains("| v99 |"), "{text}");
}
