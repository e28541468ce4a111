//! A manifest is read as it was written, and anything that contradicts itself is damage.

use super::*;

fn manifest() -> Manifest {
    let key = ArchivedKey {
        source_column: "id".into(),
        column: "source_id".into(),
        type_name: "bigint".into(),
        collation: None,
    };
    let corpus = Definition {
        name: "handbook".into(),
        source_schema: "public".into(),
        source_table: "article".into(),
        key: vec![key],
        content: vec![ContentColumn { column: "body".into(), role: "text".into() }],
        template: "{heading}\n{content}".into(),
        max_tokens: 100,
        max_attempts: 1,
        hnsw_m: 16,
        hnsw_ef_construction: 64,
        ..Definition::default()
    };
    let file = ArchiveFile { name: part_name(1), rows: 3, bytes: 10, sha256: "ab".repeat(32) };
    Manifest {
        format: FORMAT.into(),
        format_version: 1,
        corpus,
        model: ArchivedModel { dimensions: 2, ..ArchivedModel::default() },
        chunk_count: 3,
        files: vec![file],
        ..Manifest::default()
    }
}

fn parsed(manifest: &Manifest) -> Result<Manifest> {
    Manifest::parse(&serde_json::to_vec(manifest).unwrap())
}

#[test]
fn a_manifest_is_read_as_it_was_written() {
    assert_eq!(parsed(&manifest()).unwrap(), manifest());
    let lines = format!("{}  chunks-00001.parquet\ncd  manifest.json\n", "ab".repeat(32));
    assert_eq!(manifest().checksums("cd"), lines);
}

#[test]
fn one_that_contradicts_itself_is_refused() {
    let kind = |change: &dyn Fn(&mut Manifest)| {
        let mut changed = manifest();
        change(&mut changed);
        parsed(&changed).unwrap_err().kind
    };
    assert_eq!(kind(&|manifest| manifest.chunk_count = 4), Kind::DamagedDocument);
    assert_eq!(kind(&|manifest| manifest.files[0].name = "../chunks-00001.parquet".into()), Kind::DamagedDocument);
    assert_eq!(kind(&|manifest| manifest.format = "zip".into()), Kind::DamagedDocument);
    assert_eq!(kind(&|manifest| manifest.corpus.key.clear()), Kind::DamagedDocument);
    assert_eq!(kind(&|manifest| manifest.model.dimensions = 0), Kind::DamagedDocument);
    assert_eq!(kind(&|manifest| manifest.format_version = 2), Kind::NotSupported);
    let set = |change: fn(&mut ArchivedTable)| {
        let column = ArchivedColumn { name: "id".into(), type_name: "integer".into() };
        let file = ArchiveFile { name: evaluation_set_name(1), rows: 2, bytes: 10, sha256: "ab".repeat(32) };
        let (schema, table) = ("public".into(), "question".into());
        let mut set = ArchivedTable { schema, table, columns: vec![column], row_security: false, file };
        change(&mut set);
        parsed(&Manifest { evaluation_sets: vec![set], ..manifest() })
    };
    assert!(set(|_| ()).unwrap().checksums("cd").contains("evaluation-00001.parquet"));
    let changes: [fn(&mut ArchivedTable); 4] = [
        |set| set.file.name = "../evaluation-00001.parquet".into(),
        |set| set.file.sha256.clear(),
        |set| set.table.clear(),
        |set| set.columns = vec![set.columns[0].clone(); 2_000],
    ];
    for change in changes {
        assert_eq!(set(change).unwrap_err().kind, Kind::DamagedDocument);
    }
    let evil = |manifest: &mut Manifest| manifest.corpus.key[0].type_name = "int DEFAULT evil()".into();
    assert_eq!(kind(&evil), Kind::NotSupported);
    assert_eq!(Manifest::parse(b"{}").unwrap_err().kind, Kind::DamagedDocument);
}

#[test]
fn a_zero_byte_in_any_text_is_damage() {
    fn texts(value: &Value, path: &str) -> Vec<String> {
        let below = |name: &dyn std::fmt::Display, value| texts(value, &format!("{path}/{name}"));
        match value {
            Value::String(_) => vec![path.to_string()],
            Value::Array(all) => all.iter().enumerate().flat_map(|(at, value)| below(&at, value)).collect(),
            Value::Object(all) => all.iter().flat_map(|(name, value)| below(name, value)).collect(),
            _ => Vec::new(),
        }
    }
    let mut whole = manifest();
    whole.corpus.key[0].collation = Some(("pg_catalog".into(), "C".into()));
    whole.corpus.word_rules = vec![ArchivedRule { kind: "stop_word".into(), ..ArchivedRule::default() }];
    whole.model.registered = Some(serde_json::json!({"license": "MIT"}));
    let value = serde_json::to_value(&whole).unwrap();
    let found = texts(&value, "");
    assert!(found.iter().any(|path| path == "/corpus/key/0/collation/1") && found.len() > 20, "{found:?}");
    for path in found {
        let mut changed = value.clone();
        *changed.pointer_mut(&path).unwrap() = "a\0b".into();
        let error = Manifest::parse(changed.to_string().as_bytes()).unwrap_err();
        assert_eq!(
            (error.kind, error.detail.as_deref()),
            (Kind::DamagedDocument, Some("A text has a zero byte.")),
            "{path}"
        );
    }
    whole.corpus.template = "a \\u0000 {content}".into();
    assert_eq!(parsed(&whole).unwrap(), whole, "a backslash before such letters is none");
}

#[test]
fn what_no_export_writes_is_damage_and_is_not_repeated_at_length() {
    type Change = fn(&mut Manifest);
    let changes: [Change; 19] = [
        |manifest| manifest.files[0].bytes = 1 << 62,
        |manifest| manifest.files[0].name = "x".repeat(5_000),
        |manifest| manifest.files[0].sha256 = "x".repeat(64),
        |manifest| manifest.files[0].sha256 = "ab".repeat(5_000),
        |manifest| manifest.format = "x".repeat(5_000),
        |manifest| manifest.corpus.name = String::new(),
        |manifest| manifest.corpus.key[0].column = String::new(),
        |manifest| manifest.corpus.key[0].column = "x".repeat(64),
        |manifest| manifest.corpus.key[0].collation = Some(("x".repeat(5_000), "C".into())),
        |manifest| manifest.corpus.key[0].type_name = "x".repeat(5_000),
        |manifest| manifest.corpus.content[0].role = "x".repeat(5_000),
        |manifest| manifest.corpus.template = "{content} and more".into(),
        |manifest| manifest.corpus.max_tokens = 0,
        |manifest| manifest.corpus.max_tokens = u32::MAX,
        |manifest| manifest.corpus.overlap_tokens = 100,
        |manifest| manifest.corpus.max_attempts = 0,
        |manifest| manifest.corpus.hnsw_m = -7,
        |manifest| manifest.corpus.hnsw_ef_construction = 31,
        |manifest| manifest.corpus.word_rules = vec![ArchivedRule { kind: "other".into(), ..ArchivedRule::default() }],
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut changed = manifest();
        change(&mut changed);
        let error = parsed(&changed).unwrap_err();
        assert_eq!(error.kind, Kind::DamagedDocument, "change {number}");
        assert!(error.detail.unwrap().len() < 300, "change {number}");
    }
    let wrong = format!("{{\"format\": \"x\", \"format_version\": \"{}\"}}", "é".repeat(5_000));
    assert!(Manifest::parse(wrong.as_bytes()).unwrap_err().detail.unwrap().len() < 300);
}
