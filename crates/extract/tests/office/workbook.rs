//! The workbook in all formats: cells say what a reader sees.

use super::{document, read};
use std::fmt::Write;

const LOANS: &str = "# Loans

| Borrower | Since | Returned at | Boxes | Fee | Share | Open |
| --- | --- | --- | --- | --- | --- | --- |
| Małgorzata Wiśniewska | 2024-03-05 | 2024-04-01 16:30 | 3 | 1250.50 € | 12.5% | TRUE |
| Jürgen Größe | 1999-12-31 | 2000-01-01 00:15 | 12 | 8.00 € | 50.0% | FALSE |
| Zoë L’Œuvre | 2023-02-28 | 2023-03-01 09:05 | 2.75 | 0.20 € | 37.5% | TRUE |
| Total |  |  | 17.75 | 1258.70 € |
";

const OTHERS: &str = "
# Öffnungszeiten

| Opening hours |  |  |
| --- | --- | --- |
| Day | From | To |
| Monday | 09:00 | 17:30 |

| Temperature \\| limit | 18.5 | 0.30 |
| --- | --- | --- |

# Safe

| Combination | 123456789012 |
| --- | --- |
| Code | 00420 |
| Tiny | 0.3 |";

#[test]
fn cells_of_excel_are_shown_as_they_look() {
    assert_eq!(document("workbook.xlsx").markdown, format!("{LOANS}{OTHERS}"));
}

#[test]
fn cells_of_libreoffice_are_shown_as_they_look() {
    let found = document("workbook.ods").markdown;
    assert_eq!(found, format!("{}{OTHERS}", LOANS.replace("1250", "1,250").replace("1258", "1,258")));
}

#[test]
fn sheets_are_pages() {
    for name in ["workbook.xlsx", "workbook.xls", "workbook.ods"] {
        let document = document(name);
        let pages: Vec<(Option<u32>, &str)> = document.rows().map(|row| (row.page, row.kind.name())).collect();
        let expected =
            [(1, "heading"), (1, "table"), (2, "heading"), (2, "table"), (2, "table"), (3, "heading"), (3, "table")];
        assert_eq!(pages, expected.map(|(page, kind)| (Some(page), kind)), "{name}");
        assert_eq!(document.metadata.page_count, Some(3), "{name}");
        assert_eq!(document.metadata.title.as_deref(), Some("Loans of the archive"), "{name}");
    }
}

#[test]
fn a_cell_far_away_costs_nothing() {
    let cell = |at: &str, text: &str| format!("<row><c r='{at}' t='inlineStr'><is><t>{text}</t></is></c></row>");
    let mut sheet =
        String::from("<worksheet xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'><sheetData>");
    for (at, text) in [("A1", "here"), ("XFD2", "right"), ("XFD1048576", "bottom")] {
        write!(sheet, "{}", cell(at, text)).unwrap();
    }
    sheet.push_str("</sheetData></worksheet>");
    let found = read(&super::hostile::xlsx(&sheet), "far.xlsx").unwrap();
    assert_eq!(found.markdown, "# Far\n\n| here |  |\n| --- | --- |\n|  | right |\n\nbottom");
}

#[test]
fn sheets_of_macros_are_left_out() {
    let sheet = |text: &str| {
        format!(
            "<worksheet xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'><sheetData><row><c r='A1' t='inlineStr'>\
             <is><t>{text}</t></is></c></row></sheetData></worksheet>"
        )
    };
    let part = |number: usize| format!("xl/sheets/sheet{number}.xml");
    let kinds = ["worksheet", "xlMacrosheet", "dialogsheet", "xlIntlMacrosheet", "worksheet"];
    for folder in ["xl/", ""] {
        let sheets: String = (1..=kinds.len())
            .map(|number| format!("<sheet name='S{number}' sheetId='{number}' r:id='r{number}'/>"))
            .collect();
        let book = format!(
            "<workbook xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main' xmlns:r='http://schemas.openxmlformats.org/\
             officeDocument/2006/relationships'><sheets>{sheets}</sheets></workbook>"
        );
        let relations: String = (1..)
            .zip(kinds)
            .map(|(number, kind)| {
                format!("<Relationship Id='r{number}' Type=\"http://schemas.microsoft.com/office/2006/relationships/{kind}\" Target='/{}'/>", part(number))
            })
            .collect();
        let namespace = "xmlns='http://schemas.openxmlformats.org/package/2006/relationships'";
        let relations = format!("<Relationships {namespace}>{relations}</Relationships>");
        let main = format!(
            "<Relationships {namespace}><Relationship Id='r' Type='http://schemas.openxmlformats.org/officeDocument/2006/relationships/\
             officeDocument' Target='{folder}workbook.xml'/></Relationships>"
        );
        let types = "<Types><Override PartName='/workbook.xml' ContentType='application/vnd.ms-excel.sheet.macroEnabled.main+xml'/></Types>";
        let mut entries: Vec<(String, String)> = vec![
            ("[Content_Types].xml".into(), types.into()),
            ("_rels/.rels".into(), main),
            (format!("{folder}workbook.xml"), book),
            (format!("{folder}_rels/workbook.xml.rels"), relations),
        ];
        entries.extend((1..=kinds.len()).map(|number| (part(number), sheet(&format!("words {number}")))));
        let entries: Vec<(&str, &[u8])> =
            entries.iter().map(|(name, content)| (name.as_str(), content.as_bytes())).collect();
        let found = read(&super::hostile::packed(&entries), "a.xlsm").unwrap();
        assert_eq!(found.markdown, "# S1\n\nwords 1\n\n# S5\n\nwords 5", "{folder}");
        assert_eq!(found.blocks.last().and_then(|block| block.page), Some(5));
    }
}
