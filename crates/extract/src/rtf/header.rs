//! The RTF header: code pages of fonts, paragraph styles, and metadata.

use super::encoding::CodePage;
use socle_core::document::Metadata;
use std::collections::HashMap;

/// A paragraph style.
#[derive(Clone, Debug, Default)]
pub struct Style {
    /// Outline level, from 0.
    pub outline: Option<u8>,
    /// Whether its paragraphs are preformatted.
    pub is_code: bool,
    /// Number of its parent style.
    based_on: Option<i32>,
}

/// The contents of the header.
#[derive(Debug)]
pub struct Header {
    /// The code page of the document.
    pub code_page: CodePage,
    /// Code pages by font number.
    pub fonts: HashMap<i32, CodePage>,
    /// Paragraph styles by number.
    styles: HashMap<i32, Style>,
    /// The metadata.
    pub metadata: Metadata,
    font: i32,
    style: i32,
    open: Style,
    /// Year, month, day, hour, minute and second of the current time entry.
    moment: [i32; 6],
}

impl Default for Header {
    fn default() -> Self {
        Self {
            code_page: CodePage::Web(encoding_rs::WINDOWS_1252),
            fonts: HashMap::new(),
            styles: HashMap::new(),
            metadata: Metadata::default(),
            font: 0,
            style: 0,
            open: Style::default(),
            moment: [0; 6],
        }
    }
}

impl Header {
    /// Handles a control word in the font table.
    pub fn font_word(&mut self, word: &str, number: i32) {
        match word {
            "f" => self.font = number,
            "fcharset" => self.fonts.extend(CodePage::of_font(number).map(|page| (self.font, page))),
            "cpg" => self.fonts.extend(CodePage::numbered(number).map(|page| (self.font, page))),
            _ => {}
        }
    }

    /// Handles a control word in the style sheet.
    pub fn style_word(&mut self, word: &str, number: Option<i32>) {
        match word {
            "s" => self.style = number.unwrap_or(0),
            "sbasedon" => self.open.based_on = number,
            "outlinelevel" => self.open.outline = number.and_then(|level| u8::try_from(level).ok()),
            // Character and table styles have separate numbers, which must not be taken for those of paragraph styles.
            "cs" | "ds" | "ts" => self.style = -1,
            _ => {}
        }
    }

    /// Ends a style with its name.
    pub fn end_style(&mut self, name: &str) {
        let name = name.trim().trim_end_matches(';').trim().to_lowercase();
        let mut style = std::mem::take(&mut self.open);
        let number = std::mem::take(&mut self.style);
        let heading = name.strip_prefix("heading ").and_then(|level| level.parse::<u8>().ok());
        style.outline = style.outline.or(heading.and_then(|level| level.checked_sub(1)));
        if name == "title" {
            style.outline = style.outline.or(Some(0));
        }
        style.is_code =
            matches!(name.as_str(), "html preformatted" | "preformatted text" | "source code" | "macro text");
        if number >= 0 {
            self.styles.insert(number, style);
        }
    }

    /// A style with inherited properties.
    pub fn style(&self, number: i32) -> Style {
        let mut style = self.styles.get(&number).cloned().unwrap_or_default();
        // A longer chain is circular.
        for _ in 0..32 {
            let Some(base) = style.based_on.and_then(|base| self.styles.get(&base)) else { break };
            style.outline = style.outline.or(base.outline);
            style.is_code |= base.is_code;
            style.based_on = base.based_on;
        }
        style
    }

    /// Handles a control word of a time entry.
    pub fn moment_word(&mut self, word: &str, number: i32) {
        let place = match word {
            "yr" => 0,
            "mo" => 1,
            "dy" => 2,
            "hr" => 3,
            "min" => 4,
            "sec" => 5,
            _ => return,
        };
        if let Some(place) = self.moment.get_mut(place) {
            *place = number;
        }
    }

    /// Ends a metadata entry with its text.
    pub fn end_info(&mut self, name: &str, text: &str) {
        let text = Some(text.trim().to_string()).filter(|text| !text.is_empty());
        let [year, month, day, hour, minute, second] = std::mem::take(&mut self.moment);
        let is_moment = (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
        let moment = || format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
        match name {
            "title" => self.metadata.title = text,
            "author" => self.metadata.author = text,
            "creatim" => self.metadata.created = is_moment.then(moment),
            "revtim" => self.metadata.modified = is_moment.then(moment),
            _ => {}
        }
    }
}

/// The language tag of a Windows language identifier.
pub fn language(number: i32) -> Option<&'static str> {
    Some(match number {
        1031 => "de-DE",
        2055 => "de-CH",
        3079 => "de-AT",
        1033 => "en-US",
        2057 => "en-GB",
        1034 | 3082 => "es-ES",
        1036 => "fr-FR",
        3084 => "fr-CA",
        2060 => "fr-BE",
        4108 => "fr-CH",
        1040 => "it-IT",
        1043 => "nl-NL",
        1045 => "pl-PL",
        1046 => "pt-BR",
        2070 => "pt-PT",
        1029 => "cs-CZ",
        1049 => "ru-RU",
        1053 => "sv-SE",
        1041 => "ja-JP",
        2052 => "zh-CN",
        _ => return None,
    })
}
