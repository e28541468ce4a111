//! What is written is read again bit by bit, and nothing else is taken for it.
#![allow(clippy::unwrap_used, missing_docs)]

use proptest::prelude::*;
use socle_archive::{PartWriter, TextsWriter, read, read_file};
use socle_core::Kind;
use socle_core::corpus::archive::{ArchiveLayout, ArchivedChunk, FileLayout, FileRows, KeyKind, KeyValue, TextRow};

fn layout() -> ArchiveLayout {
    let keys = [("source_id", KeyKind::Int64), ("source_small", KeyKind::Int32), ("source_Nâme \"q\"", KeyKind::Text)];
    let keys = keys.map(|(name, kind)| (name.to_string(), kind)).to_vec();
    ArchiveLayout { keys, dimensions: 3, token_vectors: true }
}

fn chunk(number: i32) -> ArchivedChunk {
    ArchivedChunk {
        key: vec![
            KeyValue::Integer(i64::MIN + i64::from(number)),
            KeyValue::Integer(-7),
            KeyValue::Text("it's \"é\"".into()),
        ],
        ordinal: number,
        content: format!("مرحبا {number}"),
        heading_path: if number % 2 == 0 { vec![] } else { vec!["a".into(), String::new()] },
        page: (number % 3 == 0).then_some(number),
        start_offset: 1,
        end_offset: 8,
        token_count: 3,
        content_hash: vec![0, 255],
        embedding: vec![f32::MIN_POSITIVE, -0.0, f32::from_bits(0x3f80_0001)],
        token_vectors: (number % 2 == 0).then(|| vec![0, 1, 2]),
    }
}

fn written(layout: &ArchiveLayout, chunks: &[ArchivedChunk]) -> Vec<u8> {
    let mut writer = PartWriter::begin(Vec::new(), layout, &[("socle.model_digest", "abc")]).unwrap();
    chunks.iter().for_each(|chunk| writer.push(chunk.clone()).unwrap());
    assert_eq!(writer.row_count(), chunks.len() as u64);
    writer.finish().unwrap()
}

fn bits(chunks: &[ArchivedChunk]) -> Vec<Vec<u32>> {
    chunks.iter().map(|chunk| chunk.embedding.iter().map(|number| number.to_bits()).collect()).collect()
}

#[test]
fn chunks_are_read_as_they_were_written() {
    let chunks: Vec<ArchivedChunk> = (0..1_000).map(chunk).collect();
    let found = read(written(&layout(), &chunks), &layout()).unwrap();
    assert_eq!(found, chunks);
    assert_eq!(bits(&found), bits(&chunks));
}

#[test]
fn a_file_may_be_empty_and_may_have_many_row_groups() {
    assert_eq!(read(written(&layout(), &[]), &layout()).unwrap(), []);
    let large = ArchivedChunk { content: "x".repeat(3 << 20), ..chunk(1) };
    let chunks = vec![large; 10];
    assert_eq!(read(written(&layout(), &chunks), &layout()).unwrap(), chunks);
}

#[test]
fn a_file_of_another_layout_is_refused() {
    let bytes = written(&layout(), &[chunk(1)]);
    let changes: [fn(&mut ArchiveLayout); 4] = [
        |layout| layout.token_vectors = false,
        |layout| layout.keys[0].1 = KeyKind::Text,
        |layout| layout.keys[0].0 = "other".into(),
        |layout| layout.dimensions = 4,
    ];
    for change in changes {
        let mut other = layout();
        change(&mut other);
        assert_eq!(read(bytes.clone(), &other).unwrap_err().kind, Kind::DamagedDocument);
    }
}

#[test]
fn a_file_that_is_cut_off_is_refused() {
    let bytes = written(&layout(), &(0..10).map(chunk).collect::<Vec<_>>());
    for length in 0..bytes.len() {
        assert_eq!(read(bytes[..length].to_vec(), &layout()).unwrap_err().kind, Kind::DamagedDocument, "{length}");
    }
}

#[test]
fn a_full_disk_is_told_apart() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let written = PartWriter::begin(Full, &layout(), &[]).and_then(|mut writer| {
        writer.push(chunk(1))?;
        writer.finish()
    });
    assert_eq!(written.err().unwrap().kind, Kind::DiskFull);
}

fn texts(columns: &[String], rows: &[TextRow]) -> Vec<u8> {
    let mut writer = TextsWriter::begin(Vec::new(), columns, &[]).unwrap();
    rows.iter().for_each(|row| writer.push(row.clone()).unwrap());
    assert_eq!(writer.row_count(), rows.len() as u64);
    writer.finish().unwrap()
}

#[test]
fn rows_of_texts_are_read_as_they_were_written_and_under_no_other_names() {
    let columns = ["id", "a.b \"q\"", "grade"].map(str::to_string).to_vec();
    let text = |text: &str| Some(text.to_string());
    let rows: Vec<TextRow> = vec![
        vec![text("1"), text("How long is a backup kept? \u{645}"), None],
        vec![None, text(""), text("3")],
        vec![text("2"), text(&"x".repeat(9 << 20)), text("1")],
        vec![text("4"), None, None],
    ];
    let found = read_file(texts(&columns, &rows), &FileLayout::Texts(columns.clone())).unwrap();
    assert_eq!(found, FileRows::Texts(rows.clone()));
    let none = read_file(texts(&columns, &[]), &FileLayout::Texts(columns.clone())).unwrap();
    assert_eq!(none, FileRows::Texts(Vec::new()));
    for other in [vec!["id".to_string()], ["id", "a.b", "grade"].map(str::to_string).to_vec()] {
        let error = read_file(texts(&columns, &rows), &FileLayout::Texts(other)).unwrap_err();
        assert_eq!(error.kind, Kind::DamagedDocument);
    }
    let small = texts(&columns, &rows[..2]);
    for length in 0..small.len() {
        let cut = read_file(small[..length].to_vec(), &FileLayout::Texts(columns.clone()));
        assert_eq!(cut.unwrap_err().kind, Kind::DamagedDocument, "{length}");
    }
}

proptest! {
    #[test]
    fn any_text_and_any_finite_vector_come_back(
        content in "\\PC*", headings in proptest::collection::vec("\\PC*", 0..4), page in any::<Option<i32>>(),
        bits in proptest::collection::vec(any::<u32>(), 3), key in any::<i64>(), name in "\\PC*",
    ) {
        let chunk = ArchivedChunk {
            key: vec![KeyValue::Integer(key), KeyValue::Integer(1), KeyValue::Text(name)],
            content, heading_path: headings, page,
            embedding: bits.iter().map(|bits| f32::from_bits(*bits)).collect(),
            ..ArchivedChunk::default()
        };
        let found = read(written(&layout(), std::slice::from_ref(&chunk)), &layout()).unwrap();
        let numbers: Vec<u32> = found[0].embedding.iter().map(|number| number.to_bits()).collect();
        prop_assert_eq!(numbers, bits);
        prop_assert_eq!(&found[0].content, &chunk.content);
        prop_assert_eq!(&found[0].heading_path, &chunk.heading_path);
        prop_assert_eq!(&found[0].key, &chunk.key);
        prop_assert_eq!(found[0].page, chunk.page);
    }
}
