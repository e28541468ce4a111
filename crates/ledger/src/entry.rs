//! Entries and the lines that they stand in.

use crate::fault::Fault;
use crate::hash::Hash;
use crate::{json, time};
use serde_json::{Map, Value};

/// Most bytes of the body of an entry.
pub const MAX_BODY: usize = 1 << 20;

/// Digits of a hash and the space after it.
const BEFORE_BODY: usize = 65;

/// An entry that is to be written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// What has happened, in one word.
    pub kind: String,
    /// All about it. The names `at`, `kind` and `number` are those of the ledger itself.
    pub fields: Map<String, Value>,
}

/// Where an entry stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp {
    /// Its number in its chain, from 1.
    pub number: u64,
    /// Its hash, which depends on all before it.
    pub hash: Hash,
}

/// An entry that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where it stands.
    pub stamp: Stamp,
    /// When it was written.
    pub at: String,
    /// What has happened.
    pub kind: String,
    /// The whole body, as it is written.
    pub body: String,
    /// The body, read.
    pub fields: Map<String, Value>,
}

impl Draft {
    /// An entry of this kind without fields.
    pub fn new(kind: &str) -> Self {
        Self { kind: kind.to_string(), fields: Map::new() }
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_string(), value.into());
        self
    }

    /// The line of the entry with this number, without its LF, and its hash.
    ///
    /// # Errors
    /// When it is too large.
    pub(crate) fn line(&self, previous: Hash, number: u64) -> Result<(String, Hash), Fault> {
        let mut fields = self.fields.clone();
        fields.insert("at".into(), time::now().into());
        fields.insert("kind".into(), self.kind.as_str().into());
        fields.insert("number".into(), number.into());
        let body = json::canonical(&fields);
        if body.len() > MAX_BODY {
            return Err(Fault::refusal(format!("an entry has {} bytes, the limit is {MAX_BODY}", body.len())));
        }
        let hash = Hash::chained(previous, &body);
        Ok((format!("{hash} {body}"), hash))
    }
}

impl Entry {
    /// Reads a line, given without its LF, that comes after an entry with this hash.
    ///
    /// # Errors
    /// A sentence on what is wrong with it.
    pub fn read(line: &str, previous: Hash, number: u64) -> Result<Self, String> {
        let entry = Self::read_unchained(line)?;
        if entry.stamp.number != number {
            return Err(format!("entry {} stands where entry {number} should", entry.stamp.number));
        }
        if Hash::chained(previous, &entry.body) != entry.stamp.hash {
            return Err(format!("entry {number} does not have its hash: it, or the one before it, was changed"));
        }
        Ok(entry)
    }

    /// Reads a line without looking at what is before it.
    ///
    /// # Errors
    /// A sentence on what is wrong with it.
    pub fn read_unchained(line: &str) -> Result<Self, String> {
        let wrong = || "there is a line that is no entry".to_string();
        let (hash, body) = (line.get(..BEFORE_BODY - 1), line.get(BEFORE_BODY..));
        let (Some(hash), Some(body), Some(b' ')) = (hash, body, line.as_bytes().get(BEFORE_BODY - 1)) else {
            return Err(wrong());
        };
        let hash = Hash::parse(hash).ok_or_else(wrong)?;
        let fields: Map<String, Value> = serde_json::from_str(body).map_err(|_| wrong())?;
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_string).ok_or_else(wrong);
        let number = fields.get("number").and_then(Value::as_u64).ok_or_else(wrong)?;
        let (at, kind) = (text("at")?, text("kind")?);
        Ok(Self { stamp: Stamp { number, hash }, at, kind, body: body.to_string(), fields })
    }
}
