//! What a page says about itself.

use super::furniture::value;
use super::token::Attributes;
use socle_core::document::Metadata;

/// Longest title and author that are kept, in characters.
const MAX_LINE: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct Head {
    title: String,
    has_title: bool,
    shared_title: Option<String>,
    author: Option<String>,
    language: Option<String>,
    created: Option<String>,
    modified: Option<String>,
}

impl Head {
    pub(super) fn title(&mut self, text: &str) {
        if !self.has_title && self.title.len() < 4 * MAX_LINE {
            self.title.push_str(text);
        }
    }

    /// The first title counts.
    pub(super) fn end_title(&mut self) {
        self.has_title = !self.title.trim().is_empty();
    }

    pub(super) fn language(&mut self, attributes: &Attributes) {
        let found = value(attributes, "lang").or_else(|| value(attributes, "xml:lang"));
        if self.language.is_none() {
            self.language = found.and_then(|name| language(&name));
        }
    }

    pub(super) fn meta(&mut self, attributes: &Attributes) {
        let name = value(attributes, "name")
            .or_else(|| value(attributes, "property"))
            .or_else(|| value(attributes, "http-equiv"))
            .unwrap_or_default()
            .to_ascii_lowercase();
        let Some(content) = value(attributes, "content").and_then(|content| line(&content)) else { return };
        let (slot, content) = match name.trim() {
            "og:title" | "dc.title" | "dcterms.title" => (&mut self.shared_title, Some(content)),
            // Some name a page about the author instead.
            "author" | "article:author" | "dc.creator" | "dcterms.creator" | "citation_author" => {
                (&mut self.author, Some(content).filter(|name| !name.starts_with("http")))
            }
            "content-language" | "dc.language" | "dcterms.language" | "og:locale" => {
                (&mut self.language, language(&content))
            }
            "article:published_time"
            | "date"
            | "dc.date"
            | "dcterms.created"
            | "dcterms.issued"
            | "created"
            | "og:published_time"
            | "datepublished"
            | "dcterms.date"
            | "pubdate"
            | "creation_date" => (&mut self.created, time(&content)),
            "article:modified_time"
            | "og:updated_time"
            | "last-modified"
            | "dcterms.modified"
            | "datemodified"
            | "modified"
            | "changed" => (&mut self.modified, time(&content)),
            _ => return,
        };
        if slot.is_none() {
            *slot = content;
        }
    }

    pub(super) fn write(self, metadata: &mut Metadata) {
        metadata.title = line(&self.title).or(self.shared_title);
        metadata.author = self.author;
        metadata.language = self.language;
        metadata.created = self.created;
        metadata.modified = self.modified;
    }
}

fn line(text: &str) -> Option<String> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!line.is_empty()).then(|| line.chars().take(MAX_LINE).collect())
}

/// A tag of a language, `pt_BR` written as `pt-BR`.
fn language(name: &str) -> Option<String> {
    let name = name.split(',').next()?.trim().replace('_', "-");
    let known = (2..=35).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    known.then_some(name)
}

/// A time of ISO 8601 as RFC 3339. One without an offset is taken for UTC; a day alone stays a day.
pub(crate) fn time(text: &str) -> Option<String> {
    let text = text.trim();
    let date = text.get(..10)?;
    let shape = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text
                .bytes()
                .zip(shape.bytes())
                .all(|(byte, like)| if like == b'0' { byte.is_ascii_digit() } else { byte == like })
    };
    if !shape(date, "0000-00-00") {
        return None;
    }
    let Some(rest) = text.get(11..) else { return (text.len() == 10).then(|| date.to_string()) };
    if !matches!(text.get(10..11), Some("T" | "t" | " ")) {
        return None;
    }
    let minutes = rest.get(..5).filter(|minutes| shape(minutes, "00:00"))?;
    let rest = rest.get(5..)?;
    let seconds = rest.get(..3).filter(|seconds| shape(seconds, ":00"));
    let rest = if seconds.is_some() { rest.get(3..)? } else { rest };
    let rest = rest.strip_prefix('.').map_or(rest, |part| part.trim_start_matches(|c: char| c.is_ascii_digit()));
    let rest = rest.trim();
    let offset = match rest {
        "" | "Z" | "z" | "UTC" | "GMT" => "Z".to_string(),
        _ if shape(rest.get(1..)?, "00:00") => rest.to_string(),
        _ if shape(rest.get(1..)?, "0000") => format!("{}:{}", rest.get(..3)?, rest.get(3..)?),
        _ => return None,
    };
    matches!(offset.chars().next(), Some('Z' | '+' | '-'))
        .then(|| format!("{date}T{minutes}{}{offset}", seconds.unwrap_or(":00")))
}
