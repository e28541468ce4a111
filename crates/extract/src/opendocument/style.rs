//! OpenDocument styles: which are headings, code or hidden text, and how lists are numbered.

use crate::list_label::{Label, format_number, is_plain_decoration};
use crate::picture::Crop;
use crate::xml::{Element, Token, Xml};
use socle_core::Result;
use std::collections::HashMap;

/// Maximum length of a chain of parent styles; a longer one is circular.
const MAX_CHAIN: usize = 32;

/// Number of levels of a list.
pub const LEVELS: usize = 10;

/// Key of the outline numbering of headings, which no list style can have.
pub const OUTLINE: &str = "";

#[derive(Debug, Default)]
struct Style {
    name: String,
    parent: Option<String>,
    is_hidden: Option<bool>,
    /// What is cut off a picture.
    crop: Option<Crop>,
}

#[derive(Clone, Debug, Default)]
struct Level {
    /// Value of `num-format`: "1", "a", "I"; `None` for a bullet.
    format: Option<String>,
    prefix: String,
    suffix: String,
    start: Option<u64>,
    /// Number of levels displayed.
    shown: usize,
}

/// All styles of a document.
#[derive(Debug, Default)]
pub struct Styles {
    /// Styles by family and identifier.
    styles: HashMap<(String, String), Style>,
    lists: HashMap<String, Vec<Level>>,
}

impl Styles {
    /// Adds the styles of one part; named and automatic styles are in different parts.
    ///
    /// # Errors
    /// [`DamagedDocument`](socle_core::Kind::DamagedDocument) if it is not XML.
    pub fn read(&mut self, text: &str) -> Result<()> {
        let mut xml = Xml::new(text);
        let mut style: Option<((String, String), Style)> = None;
        let mut list: Option<(String, Vec<Level>)> = None;
        while let Some(token) = xml.next()? {
            match token {
                Token::Start(element) => match element.name().full() {
                    "office:body" | "office:master-styles" => xml.skip()?,
                    "style:style" => style = Some(named(&element)),
                    "style:text-properties" => {
                        if let (Some((_, style)), Some(display)) = (&mut style, element.get("display")) {
                            style.is_hidden = Some(display == "none");
                        }
                    }
                    "style:graphic-properties" => {
                        if let (Some((_, style)), Some(clip)) = (&mut style, element.get("clip")) {
                            style.crop = Some(clipped(&clip));
                        }
                    }
                    "text:list-style" => {
                        list = element.get("name").map(|name| (name, vec![Level::default(); LEVELS]));
                    }
                    "text:outline-style" => list = Some((OUTLINE.to_string(), vec![Level::default(); LEVELS])),
                    "text:list-level-style-number" | "text:outline-level-style" | "text:list-level-style-bullet" => {
                        if let Some((_, levels)) = &mut list
                            && let Some(level) = levels.get_mut(element.number("level").unwrap_or(0).wrapping_sub(1))
                        {
                            *level = numbered(&element);
                        }
                    }
                    _ => {}
                },
                Token::End(name) => match name.full() {
                    "style:style" => self.styles.extend(style.take()),
                    "text:list-style" | "text:outline-style" => self.lists.extend(list.take()),
                    _ => {}
                },
                Token::Text(_) => {}
            }
        }
        Ok(())
    }

    /// Whether a style of that family hides its text.
    pub fn is_hidden(&self, family: &str, id: &str) -> bool {
        self.chain(family, id).find_map(|style| style.is_hidden).unwrap_or_default()
    }

    /// What a frame cuts off the picture in it. It has a style of one family, and its text may have another one.
    pub(crate) fn crop(&self, frame: &Element<'_>) -> Crop {
        let of = |family: &str, id: &str| self.chain(family, id).find_map(|style| style.crop);
        let crops =
            frame.all("style-name").into_iter().filter_map(|id| of("graphic", &id).or_else(|| of("presentation", &id)));
        crops.into_iter().find(|crop| *crop != Crop::Nothing).unwrap_or_default()
    }

    /// Whether a paragraph style is for code.
    pub fn is_code(&self, id: &str) -> bool {
        self.chain("paragraph", id).any(|style| {
            let name = style.name.as_str();
            matches!(name, "preformatted text" | "preformatted_20_text" | "source code" | "code" | "html preformatted")
        })
    }

    /// Whether a paragraph style is for the title of the document.
    pub fn is_title(&self, id: &str) -> bool {
        self.chain("paragraph", id).any(|style| style.name == "title")
    }

    /// The label of an item, given the counters of all levels.
    pub fn label(&self, list: &str, at: usize, counters: &[u64; LEVELS]) -> Label {
        let levels = self.lists.get(list).map(Vec::as_slice).unwrap_or_default();
        let Some(level) = levels.get(at) else { return if list == OUTLINE { Label::Nothing } else { Label::Bullet } };
        let format = match level.format.as_deref() {
            None => return Label::Bullet,
            Some("") => return Label::Nothing,
            Some(format) => format,
        };
        let first = (at + 1).saturating_sub(level.shown.max(1));
        let shown = levels.iter().zip(counters).take(at + 1).skip(first);
        let numbers = shown.filter_map(|(level, number)| {
            let format = level.format.as_deref().filter(|format| !format.is_empty())?;
            Some(format_number(*number, in_word(format)))
        });
        let numbers = numbers.collect::<Vec<_>>().join(".");
        let text = format!("{}{numbers}{}", level.prefix.trim_start(), level.suffix.trim_end());
        if format == "1" && level.shown <= 1 && is_plain_decoration(&level.prefix) && is_plain_decoration(&level.suffix)
        {
            return Label::Number(counters.get(at).copied().unwrap_or(1), text);
        }
        Label::Text(text)
    }

    /// The start number of a level.
    pub fn start(&self, list: &str, at: usize) -> u64 {
        self.lists.get(list).and_then(|levels| levels.get(at)?.start).unwrap_or(1)
    }

    fn chain(&self, family: &str, id: &str) -> impl Iterator<Item = &Style> {
        let get = move |id: &str, family: &str| self.styles.get(&(family.to_string(), id.to_string()));
        let family = family.to_string();
        std::iter::successors(get(id, &family), move |style| get(style.parent.as_deref()?, &family)).take(MAX_CHAIN)
    }
}

fn named(element: &Element<'_>) -> ((String, String), Style) {
    let id = element.get("name").unwrap_or_default();
    let name = element.get("display-name").unwrap_or_else(|| id.clone()).to_lowercase();
    let style = Style { name, parent: element.get("parent-style-name"), is_hidden: None, crop: None };
    ((element.get("family").unwrap_or_default(), id), style)
}

fn numbered(element: &Element<'_>) -> Level {
    let is_bullet = element.name().local() == "list-level-style-bullet";
    Level {
        format: (!is_bullet).then(|| element.get("num-format").unwrap_or_default()),
        prefix: element.get("num-prefix").unwrap_or_default(),
        suffix: element.get("num-suffix").unwrap_or_default(),
        start: element.number("start-value").and_then(|start| u64::try_from(start).ok()),
        shown: element.number("display-levels").unwrap_or(1),
    }
}

/// What "rect(1cm, 0cm, 2.5cm, 0cm)" cuts off: in this order, at the top, right, bottom and left. "auto" is none.
fn clipped(clip: &str) -> Crop {
    let inside = clip.trim().strip_prefix("rect(").and_then(|rest| rest.strip_suffix(')')).unwrap_or_default();
    let mut sides = inside.split([',', ' ']).filter(|side| !side.is_empty()).map(|side| micrometres(side).unwrap_or(0));
    let mut next = || sides.next().unwrap_or(0);
    let (top, right, bottom, left) = (next(), next(), next(), next());
    if [left, top, right, bottom] == [0; 4] { Crop::Nothing } else { Crop::Lengths([left, top, right, bottom]) }
}

/// A length with its unit.
fn micrometres(length: &str) -> Option<i32> {
    const UNITS: [(&str, f64); 7] = [
        ("cm", 10_000.0),
        ("mm", 1000.0),
        ("inch", 25_400.0),
        ("in", 25_400.0),
        ("pt", 25_400.0 / 72.0),
        ("pc", 25_400.0 / 6.0),
        ("px", 25_400.0 / 96.0),
    ];
    let (number, unit) = UNITS.iter().find_map(|(name, unit)| Some((length.strip_suffix(name)?, unit)))?;
    Some((number.parse::<f64>().ok()? * unit).round() as i32)
}

/// The Word name of a number format.
fn in_word(format: &str) -> &'static str {
    match format {
        "a" => "lowerLetter",
        "A" => "upperLetter",
        "i" => "lowerRoman",
        "I" => "upperRoman",
        _ => "decimal",
    }
}
