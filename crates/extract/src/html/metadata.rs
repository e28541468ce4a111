//! The metadata of a page: title, language and `<meta>` elements.

use super::boilerplate::value;
use super::token::Attributes;
use socle_core::document::Metadata;

/// Maximum length of title and author in characters.
const MAX_LINE: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct PageMetadata {
    title: String,
    has_title: bool,
    shared_title: Option<String>,
    author: Option<String>,
    language: Option<String>,
    created: Option<String>,
    modified: Option<String>,
}

impl PageMetadata {
    pub(super) fn title(&mut self, text: &str) {
        if !self.has_title && self.title.len() < 4 * MAX_LINE {
            self.title.push_str(text);
        }
    }

    /// Ends the title. Later titles are ignored.
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
            // Some pages give the URL of a page about the author instead.
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
            | "creation_date" => (&mut self.created, crate::timestamp::rfc_3339(&content)),
            "article:modified_time"
            | "og:updated_time"
            | "last-modified"
            | "dcterms.modified"
            | "datemodified"
            | "modified"
            | "changed" => (&mut self.modified, crate::timestamp::rfc_3339(&content)),
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

/// Normalises a language tag: `pt_BR` becomes `pt-BR`. `None` for other text.
fn language(name: &str) -> Option<String> {
    let name = name.split(',').next()?.trim().replace('_', "-");
    let known = (2..=35).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    known.then_some(name)
}
