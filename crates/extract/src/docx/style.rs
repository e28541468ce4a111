//! Styles of Word: which of them make headings, lists, code or hidden text. Each is known by an identifier that programs
//! translate ("berschrift1"), and by a name that they do not ("heading 1").

use crate::xml::{Token, Xml};
use socle_core::Result;
use std::collections::HashMap;

/// Longest chain of styles that are based on each other; one that is longer goes in a circle.
const MAX_CHAIN: usize = 32;

/// What a style, or a paragraph for itself, says. `None` is left to the style that it is based on.
#[derive(Clone, Debug, Default)]
pub struct Properties {
    /// Level of the outline, from 0; 9 is running text.
    pub outline: Option<u8>,
    /// The list; "0" is none.
    pub list: Option<String>,
    /// Level in the list, from 0.
    pub level: Option<usize>,
    /// Whether its text is hidden.
    pub is_hidden: Option<bool>,
}

#[derive(Debug, Default)]
struct Style {
    name: String,
    based_on: Option<String>,
    properties: Properties,
}

/// All styles of a document.
#[derive(Debug, Default)]
pub struct Styles {
    styles: HashMap<String, Style>,
    /// The style of paragraphs that name none.
    default: String,
    /// The language of the document.
    pub language: Option<String>,
}

/// What the styles say about a paragraph.
#[derive(Debug, Default)]
pub struct Resolved {
    /// All properties that are set somewhere in the chain.
    pub properties: Properties,
    /// The level of a heading, from 1.
    pub heading: Option<u8>,
    /// Whether every space of it counts.
    pub is_code: bool,
}

impl Styles {
    /// Reads the part with the styles.
    ///
    /// # Errors
    /// [`DamagedDocument`](socle_core::Kind::DamagedDocument) if it is not XML.
    pub fn read(text: &str) -> Result<Self> {
        let mut xml = Xml::new(text);
        let mut styles = Self::default();
        let mut current: Option<(String, Style)> = None;
        while let Some(token) = xml.next()? {
            match token {
                Token::Start(element) => match (element.name().local(), &mut current) {
                    ("style", _) => {
                        let id = element.get("styleId").unwrap_or_default();
                        let is_default = matches!(element.get("default").as_deref(), Some("1" | "true" | "on"));
                        if is_default && element.get("type").as_deref() == Some("paragraph") {
                            styles.default.clone_from(&id);
                        }
                        current = Some((id, Style::default()));
                    }
                    ("lang", None) => styles.language = styles.language.take().or_else(|| element.get("val")),
                    (name, Some((_, style))) => {
                        let value = element.get("val");
                        match name {
                            "name" => style.name = value.unwrap_or_default().to_lowercase(),
                            "basedOn" => style.based_on = value,
                            "outlineLvl" => style.properties.outline = value.and_then(|value| value.parse().ok()),
                            "numId" => style.properties.list = value,
                            "ilvl" => style.properties.level = element.number("val"),
                            "vanish" => style.properties.is_hidden = Some(element.is_on()),
                            _ => {}
                        }
                    }
                    _ => {}
                },
                Token::End(name) if name.local() == "style" => styles.styles.extend(current.take()),
                Token::End(_) | Token::Text(_) => {}
            }
        }
        Ok(styles)
    }

    /// What the style of a paragraph says, together with those it is based on.
    pub fn resolve(&self, id: Option<&str>) -> Resolved {
        let mut resolved = Resolved::default();
        let mut id = id.unwrap_or(&self.default);
        for _ in 0..MAX_CHAIN {
            let Some(style) = self.styles.get(id) else { break };
            let own = &style.properties;
            let all = &mut resolved.properties;
            all.outline = all.outline.or(own.outline);
            all.list = all.list.take().or_else(|| own.list.clone());
            all.level = all.level.or(own.level);
            all.is_hidden = all.is_hidden.or(own.is_hidden);
            resolved.heading = resolved.heading.or_else(|| heading(&style.name));
            resolved.is_code |= is_code(&style.name);
            let Some(next) = &style.based_on else { break };
            id = next;
        }
        // A level of the outline that is set counts more than a name.
        if let Some(outline) = resolved.properties.outline {
            resolved.heading = (outline < 9).then_some(outline + 1);
        }
        resolved
    }
}

/// The level of a heading by the name of its style.
fn heading(name: &str) -> Option<u8> {
    if name == "title" {
        return Some(1);
    }
    name.strip_prefix("heading ")?.parse().ok().filter(|level| (1..=9).contains(level))
}

/// Whether a style is for code, by the names that Word, LibreOffice and pandoc give.
fn is_code(name: &str) -> bool {
    matches!(name, "html preformatted" | "preformatted text" | "source code" | "macro text" | "code" | "code block")
}
