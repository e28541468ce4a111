//! Fields of forms, text that was put on a page later, and forms whose pages do not show them.

use super::LIMITS;
use super::made::{made, object, stream, text};
use socle_core::Kind;
use socle_core::document::Document;
use socle_extract::extract;

/// A page with annotations, numbered from 5, of a document whose catalog has more entries.
fn form(catalog: &str, contents: &str, annotations: &[Vec<u8>]) -> Vec<u8> {
    let list: Vec<String> = (0..annotations.len()).map(|at| format!("{} 0 R", 5 + at)).collect();
    let page = format!(
        "<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Annots [{}] /Resources <</Font <</F \
         <</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>>>>>>>",
        list.join(" ")
    );
    let mut objects = vec![
        object(&format!("<</Type /Catalog /Pages 2 0 R {catalog}>>")),
        object("<</Type /Pages /Kids [3 0 R] /Count 1>>"),
        object(&page),
        stream("", contents.as_bytes()),
    ];
    objects.extend_from_slice(annotations);
    made(&objects)
}

fn read(bytes: &[u8]) -> Document {
    extract(bytes, None, None, LIMITS).unwrap()
}

const FORM: &str = "/AcroForm <</Fields [5 0 R] /NeedAppearances true /DA (/Helv 11 Tf 0 g) /DR <</Font <</Helv <</Type /Font \
    /Subtype /Type1 /BaseFont /Helvetica>>>>>>>>";

#[test]
fn fields_without_appearance_have_their_values() {
    let labels = text(72.0, 740.0, 11.0, "Application")
        + &text(72.0, 694.0, 11.0, "Name:")
        + &text(72.0, 664.0, 11.0, "Country:")
        + &text(72.0, 634.0, 11.0, "Member:")
        + &text(72.0, 604.0, 11.0, "Remarks:");
    let field =
        |entries: &str, y: i32| object(&format!("<</Subtype /Widget /Rect [150 {} 350 {}] {entries}>>", y - 4, y + 16));
    let annotations = [
        field("/FT /Tx /V (Wanda Example)", 694),
        field("/FT /Ch /V (RU) /Opt [[(RU) (Ruritania)] [(UT) (Utopia)]]", 664),
        field("/FT /Btn /AS /Yes", 634),
        object(
            "<</Subtype /FreeText /Contents (Note put on the page later) /Rect [150 600 350 620] /DA (/Helv 11 Tf)>>",
        ),
        object("<</Subtype /Text /Contents (Note of the reviewer) /Rect [400 690 420 710]>>"),
        object("<</Subtype /Highlight /Contents (Remark on a highlight) /Rect [72 690 140 705]>>"),
        field("/FT /Tx /Ff 8192 /V (password)", 500),
        field("/FT /Tx /F 2 /V (hidden)", 500),
        field("/FT /Btn /AS /Off", 500),
        field("/FT /Tx /V ()", 500),
        // The value of the field that it is a part of, over two lines.
        field("/Parent <</FT /Tx /Ff 4096 /V (First line\\nand a second)>>", 450),
    ];
    let document = read(&form(FORM, &labels, &annotations));
    let words = document.markdown.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = "Application Name: Wanda Example Country: Ruritania Member: ✓ Remarks: Note put on the page later \
        First line and a second";
    assert_eq!(words, wanted);
    for gone in ["reviewer", "highlight", "password", "hidden"] {
        assert!(!document.markdown.contains(gone), "{gone}");
    }
    // Whatever was drawn before, where the form says that it may be old.
    let old = stream("/Subtype /Form /BBox [0 0 200 20]", b"BT /Helv 11 Tf 2 5 Td (Old Name) Tj ET");
    let field = object("<</Subtype /Widget /FT /Tx /V (New Name) /Rect [150 690 350 710] /AP <</N 6 0 R>>>>");
    assert_eq!(read(&form(FORM, "", &[field.clone(), old.clone()])).markdown, "New Name");
    // Else what is drawn counts, in a font that the form brings; an empty drawing does not.
    let sound = FORM.replace("/NeedAppearances true", "");
    assert_eq!(read(&form(&sound, "", &[field.clone(), old])).markdown, "Old Name");
    let empty = stream("/Subtype /Form /BBox [0 0 200 20]", b"/Tx BMC EMC");
    assert_eq!(read(&form(&sound, "", &[field, empty])).markdown, "New Name");
}

#[test]
fn long_values_stay_in_their_rectangles() {
    let words = "The crane may lift ten tons of stone and no more than that in winter";
    let field = |flags: u32, rect: &str| {
        object(&format!("<</Subtype /Widget /FT /Tx /Ff {flags} /V ({words}) /Rect [{rect}]>>"))
    };
    for annotation in [field(4096, "72 600 172 700"), field(4096, "72 690 172 700"), field(0, "72 690 172 700")] {
        let label =
            text(72.0, 720.0, 11.0, "Above") + &text(72.0, 580.0, 11.0, "Below") + &text(180.0, 690.0, 11.0, "Beside");
        let found = read(&form(FORM, &label, &[annotation])).markdown;
        let found: Vec<&str> =
            found.split_whitespace().filter(|word| !["Beside", "|", "---", "#"].contains(word)).collect();
        assert_eq!(found.join(" "), format!("Above {words} Below"));
    }
}

#[test]
fn forms_that_only_ask_to_wait() {
    let page = text(72.0, 740.0, 16.0, "Please wait...")
        + &text(72.0, 700.0, 11.0, "If this message is not eventually replaced by the contents of the document,")
        + &text(72.0, 686.0, 11.0, "your viewer may not be able to display this type of document.");
    let data = |inner: &str| {
        format!(
            "<xdp:xdp xmlns:xdp=\"x\"><template><Name>Title of the field</Name></template><xfa:datasets xmlns:xfa=\"y\">\
             <xfa:data><form1>{inner}</form1></xfa:data></xfa:datasets></xdp:xdp>"
        )
    };
    let filled = data(
        "<Name>Wanda Example</Name><Town>Harbour &amp; Town</Town><Empty/><Note><body><p>In <b>bold</b></p></body></Note>",
    );
    for catalog in ["/NeedsRendering true /AcroForm <</Fields [] /XFA 5 0 R>>", "/AcroForm <</XFA [(a) 5 0 R]>>"] {
        let document = read(&form(catalog, &page, &[stream("", filled.as_bytes())]));
        assert_eq!(document.markdown, "Name: Wanda Example\nTown: Harbour & Town\nNote: In bold", "{catalog}");
        assert_eq!(document.metadata.page_count, Some(1));
        let error = extract(&form(catalog, &page, &[stream("", data("").as_bytes())]), None, None, LIMITS).unwrap_err();
        assert_eq!(
            (error.kind, error.message.as_str()),
            (Kind::NotSupported, "document is a form that only Adobe's programs show (XFA)")
        );
        assert!(error.hint.unwrap().contains("print"));
    }
    // A form that shows itself is read as it is shown.
    let shown = text(72.0, 740.0, 11.0, "Name: Wanda Example");
    let document = read(&form("/AcroForm <</Fields [] /XFA 5 0 R>>", &shown, &[stream("", data("").as_bytes())]));
    assert_eq!(document.markdown, "Name: Wanda Example");
}
