//! Chunks on their way out of a database and into another: what a row of an exported file holds, and which types of keys
//! can be written and read again.

use super::chunk_hash;
use super::template::Template;
use crate::{Error, Kind, Result};
use serde::{Deserialize, Serialize};

/// How a key column is written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum KeyKind {
    /// A number of 32 bits: `smallint`, `integer`.
    Int32,
    /// A number of 64 bits: `bigint`.
    Int64,
    /// The text that PostgreSQL writes, with ISO dates in UTC.
    Text,
}

/// A value of a key column.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum KeyValue {
    /// Of [`KeyKind::Int32`] or [`KeyKind::Int64`].
    Integer(i64),
    /// Of [`KeyKind::Text`].
    Text(String),
}

impl KeyValue {
    /// The value as PostgreSQL reads it.
    pub fn into_text(self) -> String {
        match self {
            Self::Integer(number) => number.to_string(),
            Self::Text(text) => text,
        }
    }
}

/// What differs between the files of two corpora.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ArchiveLayout {
    /// The key columns: their names in the chunk table, and how they are written.
    pub keys: Vec<(String, KeyKind)>,
    /// Number of dimensions of each vector.
    pub dimensions: u32,
    /// Whether there is a column of token vectors.
    pub token_vectors: bool,
}

/// What a file of an export looks like.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum FileLayout {
    /// One with chunks.
    Chunks(ArchiveLayout),
    /// One with the rows of a table, as texts; the names of its columns.
    Texts(Vec<String>),
}

/// A row of a file of texts, one for each column; `None` is NULL.
pub type TextRow = Vec<Option<String>>;

/// The rows of a file of an export, in order.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum FileRows {
    /// Of [`FileLayout::Chunks`].
    Chunks(Vec<ArchivedChunk>),
    /// Of [`FileLayout::Texts`].
    Texts(Vec<TextRow>),
}

/// A row of an exported file: a chunk, as its columns in the chunk table say.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct ArchivedChunk {
    /// Key of its document, one value for each column of [`ArchiveLayout::keys`].
    pub key: Vec<KeyValue>,
    /// Position in the document, from 1.
    pub ordinal: i32,
    /// The text.
    pub content: String,
    /// Headings above it, outermost first.
    pub heading_path: Vec<String>,
    /// Page that it begins on, from 1.
    pub page: Option<i32>,
    /// First character in the document, from 1.
    pub start_offset: i32,
    /// Position after the last character.
    pub end_offset: i32,
    /// Size in tokens of the model.
    pub token_count: i32,
    /// SHA-256 of what was embedded.
    pub content_hash: Vec<u8>,
    /// The vector.
    pub embedding: Vec<f32>,
    /// Vectors of its tokens, see [`crate::search::token_vectors`].
    pub token_vectors: Option<Vec<u8>>,
}

impl ArchivedChunk {
    /// Size in bytes, about.
    pub fn size(&self) -> usize {
        let key = |value: &KeyValue| if let KeyValue::Text(text) = value { text.len() } else { 8 };
        let headings: usize = self.heading_path.iter().map(|heading| heading.len() + 8).sum();
        let tokens = self.token_vectors.as_ref().map_or(0, Vec::len);
        let keys: usize = self.key.iter().map(key).sum();
        keys + headings + tokens + self.content.len() + self.content_hash.len() + 4 * self.embedding.len() + 32
    }

    /// What shows that no export has written this row, as a sentence. The text is compared with its hash if `template`,
    /// that of its corpus, names no column: the values of columns are not among what is exported.
    pub fn damage(&self, template: &Template) -> Option<&'static str> {
        let is_positive = |number: i32| number >= 1;
        if !is_positive(self.ordinal) || self.token_count < 0 || !self.page.is_none_or(is_positive) {
            return Some("Its position, page or size is not one that a chunk has.");
        }
        if !is_positive(self.start_offset) || self.end_offset < self.start_offset {
            return Some("Its offsets are not those of a chunk.");
        }
        if self.content_hash.len() != HASH_BYTES {
            return Some("Its hash is not a SHA-256.");
        }
        // pgvector stores no others, and vectors are made without its input function.
        if !self.embedding.iter().all(|number| number.is_finite()) {
            return Some("Its vector has a number that is not finite.");
        }
        let is_alone = template.columns().is_empty();
        let is_other =
            || chunk_hash(&template.head(&self.heading_path, |_| None), &self.content)[..] != self.content_hash;
        (is_alone && is_other()).then_some("Its text and headings are not those that its hash was made of.")
    }
}

/// Bytes of a SHA-256.
const HASH_BYTES: usize = 32;

/// Types whose values can be read again from the text that PostgreSQL writes, as it names them. All of them are built in, so
/// that nothing but PostgreSQL itself runs when a value is read.
const TYPES: [&str; 26] = [
    "bigint",
    "bit",
    "bit varying",
    "boolean",
    "bytea",
    "character",
    "character varying",
    "cidr",
    "date",
    "double precision",
    "inet",
    "integer",
    "interval",
    "macaddr",
    "macaddr8",
    "name",
    "numeric",
    "oid",
    "real",
    "smallint",
    "text",
    "time with time zone",
    "time without time zone",
    "timestamp with time zone",
    "timestamp without time zone",
    "uuid",
];

/// How a key column is written whose type PostgreSQL calls `name`, as `numeric(10,2)`. A name that passes can stand in a
/// statement as it is.
///
/// # Errors
/// `NotSupported` for any other type than the built-in ones that are listed here.
pub fn key_kind(name: &str) -> Result<KeyKind> {
    let modified = name.split_once('(').map(|(before, rest)| (before, rest.split_once(')')));
    let is_number =
        |number: &str| (1..=4).contains(&number.len()) && number.bytes().all(|digit| digit.is_ascii_digit());
    let (before, after, is_sound) = match modified {
        None => (name, "", true),
        Some((before, Some((numbers, after)))) => (before, after, numbers.split(',').all(is_number)),
        Some((before, None)) => (before, "", false),
    };
    if !is_sound || !TYPES.contains(&format!("{before}{after}").as_str()) {
        return Err(Error::new(Kind::NotSupported, format!("a key of type {name} cannot be exported"))
            .detail("Only built-in types are read again as they were written.")
            .hint("Use socle.export_corpus_rows(), which returns keys as JSON."));
    }
    Ok(match before {
        "smallint" | "integer" => KeyKind::Int32,
        "bigint" => KeyKind::Int64,
        _ => KeyKind::Text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_known_as_postgres_names_them() {
        for (name, kind) in [
            ("integer", KeyKind::Int32),
            ("smallint", KeyKind::Int32),
            ("bigint", KeyKind::Int64),
            ("text", KeyKind::Text),
            ("character varying(10)", KeyKind::Text),
            ("numeric(10,2)", KeyKind::Text),
            ("timestamp(3) with time zone", KeyKind::Text),
            ("time without time zone", KeyKind::Text),
        ] {
            assert_eq!(key_kind(name).unwrap(), kind, "{name}");
        }
    }

    #[test]
    fn nothing_else_gets_into_a_statement() {
        for name in [
            "integer DEFAULT evil()",
            "text)",
            "text(",
            "text()",
            "text(1",
            "numeric(10,2); DROP TABLE x",
            "numeric(a)",
            "numeric(10)(2)",
            "public.integer",
            "\"integer\"",
            "mood",
            "integer[]",
            "",
            "text(1)x",
            "Integer",
        ] {
            assert_eq!(key_kind(name).unwrap_err().kind, Kind::NotSupported, "{name}");
        }
    }

    fn template(text: &str) -> Template {
        Template::parse(text, None).unwrap()
    }

    fn chunk(template: &Template) -> ArchivedChunk {
        let heading_path = vec!["Backups".to_string(), "Retention".to_string()];
        let content = "Backups are kept for 30 days.".to_string();
        let content_hash = chunk_hash(&template.head(&heading_path, |_| None), &content).to_vec();
        let (ordinal, start_offset, end_offset) = (1, 1, 30);
        let embedding = vec![0.5];
        ArchivedChunk {
            ordinal,
            content,
            heading_path,
            start_offset,
            end_offset,
            content_hash,
            embedding,
            ..ArchivedChunk::default()
        }
    }

    #[test]
    fn a_text_that_was_changed_is_noticed_where_the_hash_covers_nothing_else() {
        let headings = template("{heading}\n{content}");
        let sound = chunk(&headings);
        assert_eq!(sound.damage(&headings), None);
        let forged = |text: &str| ArchivedChunk { content: text.into(), ..sound.clone() };
        let found = forged("Backups are kept for 99 days.").damage(&headings).unwrap();
        assert!(found.contains("hash") && !found.contains("99"), "{found}");
        let other = ArchivedChunk { heading_path: vec!["Restore".into()], ..sound.clone() };
        assert!(other.damage(&headings).is_some());
        assert_eq!(forged("other").damage(&template("{title}\n{content}")), None, "the title is in the source alone");
    }

    #[test]
    fn rows_that_no_export_writes_are_damaged() {
        let headings = template("{heading}\n{content}");
        let changes: [fn(&mut ArchivedChunk); 10] = [
            |chunk| chunk.ordinal = 0,
            |chunk| chunk.token_count = -1,
            |chunk| chunk.page = Some(0),
            |chunk| chunk.page = Some(-1),
            |chunk| chunk.start_offset = 0,
            |chunk| chunk.start_offset = 31,
            |chunk| chunk.end_offset = -1,
            |chunk| chunk.content_hash = vec![0; 10_000],
            |chunk| chunk.content_hash.clear(),
            |chunk| chunk.embedding[0] = f32::NAN,
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut changed = chunk(&headings);
            change(&mut changed);
            assert!(changed.damage(&headings).is_some(), "change {number}");
        }
        assert_eq!(ArchivedChunk { page: Some(1), ..chunk(&headings) }.damage(&headings), None);
    }
}
