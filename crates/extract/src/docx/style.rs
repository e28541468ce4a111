//! Word styles: which are headings, lists, code or hidden text. A style has an identifier, which may be localised
//! ("berschrift1"), and a name, which is not ("heading 1").

use crate::xml::{Token, Xml};
use socle_core::Result;
use std::collections::HashMap;

/// Maximum length of a chain of parent styles; a longer one is circular.
const MAX_CHAIN: usize = 32;

/// Properties of a style or paragraph; `None` is inherited from the parent style.
#[derive(Clone, Debug, Default)]
pub struct Properties {
    /// Outline level, from 0; 9 is body text.
    pub outline: Option<u8>,
    /// Identifier of the list; "0" removes the paragraph from the list.
    pub list: Option<String>,
    /// List level, from 0.
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
    /// The default paragraph style.
    default: String,
    /// The default language.
    pub language: Option<String>,
}

/// The effective style of a paragraph.
#[derive(Debug, Default)]
pub struct Resolved {
    /// Properties with inheritance applied.
    pub properties: Properties,
    /// Heading level, from 1; `None` if it is not a heading.
    pub heading: Option<u8>,
    /// Whether it is preformatted.
    pub is_code: bool,
}

impl Styles {
    /// Reads the styles part.
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

    /// The effective style of a paragraph; `id` is `None` for the default style.
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
        // An explicit outline level takes precedence over the name.
        if let Some(outline) = resolved.properties.outline {
            resolved.heading = (outline < 9).then_some(outline + 1);
        }
        resolved
    }
}

/// The heading level by style name.
fn heading(name: &str) -> Option<u8> {
    if name == "title" {
        return Some(1);
    }
    name.strip_prefix("heading ")?.parse().ok().filter(|level| (1..=9).contains(level))
}

/// Whether a style is for code, by the style names of Word, LibreOffice and pandoc.
fn is_code(name: &str) -> bool {
    matches!(name, "html preformatted" | "preformatted text" | "source code" | "macro text" | "code" | "code block")
}
