//! Old workbooks, put together record by record: what LibreOffice would not write, or only on request.

use super::{document, read};
use socle_core::Kind;
use std::io::{Cursor, Write};

fn record(kind: u16, content: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &u16::try_from(content.len()).unwrap().to_le_bytes(), content].concat()
}

fn begin(kind: u16) -> Vec<u8> {
    record(0x809, &[0x0600_u16.to_le_bytes(), kind.to_le_bytes(), [0; 2], [0; 2]].concat())
}

/// A string with a length of two bytes, its characters as wide as `is_wide` says.
fn string(text: &str, is_wide: bool) -> Vec<u8> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let mut bytes = u16::try_from(units.len()).unwrap().to_le_bytes().to_vec();
    bytes.push(u8::from(is_wide));
    if is_wide {
        bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    } else {
        bytes.extend(units.iter().map(|unit| *unit as u8));
    }
    bytes
}

fn label(row: u16, column: u16, text: &str) -> Vec<u8> {
    let place = [row.to_le_bytes(), column.to_le_bytes(), [0; 2]].concat();
    record(0x204, &[place, string(text, !text.is_ascii())].concat())
}

/// A workbook of sheets with their names, kinds and records. `head`: records before the sheets.
fn workbook(head: &[Vec<u8>], sheets: &[(&str, u8, Vec<Vec<u8>>)]) -> Vec<u8> {
    let bodies: Vec<Vec<u8>> = sheets
        .iter()
        .map(|(_, kind, records)| {
            let kind = match kind {
                1 => 0x40,
                2 => 0x20,
                _ => 0x10,
            };
            [begin(kind), records.concat(), record(0x0a, &[])].concat()
        })
        .collect();
    let list = |place: usize| {
        let mut place = place;
        sheets
            .iter()
            .zip(&bodies)
            .flat_map(|((name, kind, _), body)| {
                let mut content = u32::try_from(place).unwrap().to_le_bytes().to_vec();
                content.extend([0, *kind, u8::try_from(name.len()).unwrap(), 0]);
                content.extend(name.as_bytes());
                place += body.len();
                record(0x85, &content)
            })
            .collect::<Vec<u8>>()
    };
    let head = |place| [begin(5), head.concat(), list(place), record(0x0a, &[])].concat();
    let stream = [head(head(0).len()), bodies.concat()].concat();
    let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    file.create_stream("/Workbook").unwrap().write_all(&stream).unwrap();
    file.into_inner().into_inner()
}

#[test]
fn old_workbooks_are_read_like_new_ones() {
    assert_eq!(document("workbook.xls").markdown, document("workbook.xlsx").markdown);
    let metadata = document("workbook.xls").metadata;
    assert_eq!(metadata.created, document("workbook.xlsx").metadata.created);
}

#[test]
fn cells_far_from_each_other_cost_no_more_than_others() {
    let cells = vec![label(0, 0, "first"), label(65_535, 255, "last")];
    let bytes = workbook(&[], &[("Far", 0, cells)]);
    assert_eq!(read(&bytes, "far.xls").unwrap().markdown, "# Far\n\nfirst\n\nlast");
    let diagonal: Vec<Vec<u8>> = (0..30_000_u16).map(|at| label(at * 2, at % 256, "x")).collect();
    let text = read(&workbook(&[], &[("Far", 0, diagonal)]), "far.xls").unwrap().markdown;
    assert_eq!(text.matches('x').count(), 30_000);
}

#[test]
fn cells_of_all_kinds_are_shown() {
    // Texts that go on in another record, narrow and then wide, with runs of fonts behind them.
    let long = "a".repeat(20);
    let first =
        [2_u32.to_le_bytes().to_vec(), 2_u32.to_le_bytes().to_vec(), vec![26, 0, 8, 1, 0], long.clone().into_bytes()]
            .concat();
    let wide: Vec<u8> = "żółćęą".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let rest = [&[1][..], &wide, &[0; 4], &string("second", false)].concat();
    let date = record(0x41e, &[&[164, 0][..], &string("dd.mm.yyyy", false)].concat());
    let money = record(0x41e, &[&[165, 0][..], &string("0.00\\ \"€\"", true)].concat());
    let style = |format: u16| record(0xe0, &[&[0, 0][..], &format.to_le_bytes(), &[0; 16]].concat());
    let head = [date, money, style(0), style(164), style(165), style(10), record(0xfc, &first), record(0x3c, &rest)];
    let place =
        |row: u16, column: u16, style: u16| [row.to_le_bytes(), column.to_le_bytes(), style.to_le_bytes()].concat();
    let number = |row, style, value: f64| record(0x203, &[place(row, 1, style), value.to_le_bytes().to_vec()].concat());
    let shared = |row: u16, at: u32| record(0xfd, &[place(row, 0, 0), at.to_le_bytes().to_vec()].concat());
    let formula = |row, value: [u8; 8]| record(0x06, &[place(row, 1, 0), value.to_vec(), vec![0; 8]].concat());
    let packed = [
        place(5, 1, 0)[..4].to_vec(),
        vec![0, 0],
        (7_u32 << 2 | 2).to_le_bytes().to_vec(),
        vec![3, 0],
        (1250_u32 << 2 | 3).to_le_bytes().to_vec(),
        vec![2, 0],
    ]
    .concat();
    let cells = vec![
        shared(0, 0),
        number(0, 0, 3.0),
        shared(1, 1),
        number(1, 1, 45_356.0),
        label(2, 0, "Größe"),
        number(2, 2, 1250.5),
        label(3, 0, "formula"),
        formula(3, [0, 0, 0, 0, 0, 0, 0xff, 0xff]),
        record(0x4bc, &[0; 8]),
        record(0x207, &string("its text", false)),
        label(4, 0, "truth"),
        record(0x205, &[place(4, 1, 0), vec![1, 0]].concat()),
        label(5, 0, "short"),
        record(0xbd, &packed),
        label(6, 0, "error"),
        formula(6, [2, 0, 7, 0, 0, 0, 0xff, 0xff]),
    ];
    let text = read(&workbook(&head, &[("All", 0, cells)]), "a.xls").unwrap().markdown;
    let wanted = format!(
        "# All\n\n| {long}żółćęą | 3 |  |\n| --- | --- | --- |\n| second | 2024-03-05 |\n| Größe | 1250.50 € |\n| formula | its text |\n\
         | truth | TRUE |\n| short | 7 | 1250.00% |\n| error | #DIV/0! |"
    );
    assert_eq!(text, wanted);
}

#[test]
fn boxes_and_titles_are_read_and_macros_and_comments_are_not() {
    let object = |kind: u16| record(0x5d, &[&[0x15, 0, 0x12, 0][..], &kind.to_le_bytes(), &[0; 16]].concat());
    let drawn = |text: &str| {
        let mut content = [0; 18];
        content[10] = u8::try_from(text.len()).unwrap();
        [record(0x1b6, &content), record(0x3c, &[&[0], text.as_bytes()].concat())].concat()
    };
    let title = |text: &str| record(0x100d, &[&[0, 0, u8::try_from(text.len()).unwrap(), 0], text.as_bytes()].concat());
    let sheet = vec![
        label(0, 0, "cell"),
        object(6),
        drawn("In a box"),
        object(0x19),
        drawn("A comment"),
        object(5),
        begin(0x20),
        title("Height"),
        record(0x0a, &[]),
        label(1, 0, "after"),
    ];
    let bytes = workbook(
        &[],
        &[
            ("Data", 0, sheet),
            ("Macro1", 1, vec![label(0, 0, "=EXEC()")]),
            ("Chart1", 2, vec![title("Tides")]),
            ("Module1", 6, vec![]),
        ],
    );
    let document = read(&bytes, "a.xls").unwrap();
    assert_eq!(document.markdown, "# Data\n\ncell\nafter\n\nIn a box\n\nHeight\n\n# Chart1\n\nTides");
    assert_eq!(document.metadata.page_count, Some(4));
    let picture = workbook(&[], &[("Data", 0, vec![object(8)])]);
    assert_eq!(read(&picture, "a.xls").unwrap_err().message, "document has no text: its pages are images");
    let locked = workbook(&[record(0x2f, &[0; 6])], &[("Data", 0, vec![])]);
    assert_eq!(read(&locked, "a.xls").unwrap_err().message, "document is encrypted");
}

/// A workbook of the binary variant with one sheet.
fn binary(book: &[u8], cells: &[u8]) -> Vec<u8> {
    let relations = "<Relationships xmlns='http://schemas.openxmlformats.org/package/2006/relationships'><Relationship Id='rId1' \
                     Type='http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet' \
                     Target=\"/xl/worksheets/sheet1.bin\"/></Relationships>";
    super::hostile::packed(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("xl/workbook.bin", book),
        ("xl/_rels/workbook.bin.rels", relations.as_bytes()),
        ("xl/worksheets/sheet1.bin", cells),
    ])
}

#[test]
fn the_binary_variant_of_workbooks_is_read() {
    let record = |kind: &[u8], content: &[u8]| [kind, &[u8::try_from(content.len()).unwrap()], content].concat();
    let wide = |text: &str| {
        let units: Vec<u16> = text.encode_utf16().collect();
        [
            &u32::try_from(units.len()).unwrap().to_le_bytes()[..],
            &units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<u8>>(),
        ]
        .concat()
    };
    let sheet = [&[0; 4][..], &[1, 0, 0, 0], &wide("rId1"), &wide("Data")].concat();
    let book = [
        record(&[0x83, 1], &[]),
        record(&[0x8f, 1], &[]),
        record(&[0x9c, 1], &sheet),
        record(&[0x90, 1], &[]),
        record(&[0x84, 1], &[]),
    ]
    .concat();
    let cell = |column: u8| vec![column, 0, 0, 0, 0, 0, 0, 0];
    let row = |row: u8| record(&[0], &[&[row, 0, 0, 0][..], &[0; 21]].concat());
    let cells = [
        record(&[0x81, 1], &[]),
        record(&[0x94, 1], &[0; 16]),
        record(&[0x91, 1], &[]),
        row(0),
        record(&[6], &[cell(0), wide("Größe")].concat()),
        record(&[5], &[cell(1), 2.5_f64.to_le_bytes().to_vec()].concat()),
        row(1),
        record(&[6], &[cell(0), wide("next")].concat()),
        record(&[4], &[cell(1), vec![1]].concat()),
        record(&[0x92, 1], &[]),
    ]
    .concat();
    let document = read(&binary(&book, &cells), "a.xlsb").unwrap();
    assert_eq!(document.markdown, "# Data\n\n| Größe | 2.5 |\n| --- | --- |\n| next | TRUE |");
    assert_eq!(document.metadata.page_count, Some(1));
    // Whatever is damaged costs the document alone.
    for at in 0..cells.len() {
        let mut damaged = cells.clone();
        damaged[at] = damaged[at].wrapping_add(77);
        if let Err(error) = read(&binary(&book, &damaged), "a.xlsb") {
            assert!(matches!(error.kind, Kind::DamagedDocument | Kind::InputTooLong | Kind::NotSupported), "{error:?}");
        }
    }
}
