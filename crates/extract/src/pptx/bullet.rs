//! Inherited bullets and positions of PowerPoint text boxes. Properties that a paragraph lacks come from its box, the
//! placeholder in the slide layout, and the slide master, in this order.

use crate::list_label::{Label, format_number};
use crate::xml::{Element, Token, Xml};
use socle_core::Result;
use std::collections::HashMap;

/// Number of text levels.
pub const LEVELS: usize = 9;

/// The bullet of a paragraph.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Bullet {
    /// No bullet.
    Nothing,
    /// A character or a picture.
    Sign,
    /// A number: the name of its format and the start number.
    Number(String, u64),
}

/// The bullet of each level; `None` is inherited.
pub type Levels = [Option<Bullet>; LEVELS];

/// Bullets that the boxes of a slide inherit.
#[derive(Debug, Default)]
pub struct Inherited {
    /// Bullets by identifier of the box.
    boxes: HashMap<String, Levels>,
    /// Upper and left edges by identifier of the box.
    places: HashMap<String, (i64, i64)>,
    /// Bullets of all content boxes, from the slide master.
    master: Levels,
}

impl Inherited {
    /// Reads a slide layout.
    ///
    /// # Errors
    /// [`DamagedDocument`](socle_core::Kind::DamagedDocument) if it is not XML; the same holds for the other methods.
    pub fn layout(&mut self, text: &str) -> Result<()> {
        let mut xml = Xml::new(text);
        let mut id = None;
        while let Some(token) = xml.next()? {
            let Token::Start(element) = token else { continue };
            match element.name().local() {
                "sp" => id = None,
                "ph" => id = element.get("idx"),
                "off" => self.places.extend(id.clone().zip(place(&element))),
                "lstStyle" => {
                    let levels = levels(&mut xml)?;
                    self.boxes.extend(id.take().map(|id| (id, levels)));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads the slide master of the layout.
    ///
    /// # Errors
    /// As [`Self::layout`].
    pub fn master(&mut self, text: &str) -> Result<()> {
        let mut xml = Xml::new(text);
        while let Some(token) = xml.next()? {
            if let Token::Start(element) = token
                && element.name().local() == "bodyStyle"
            {
                self.master = levels(&mut xml)?;
            }
        }
        Ok(())
    }

    /// Inherited upper and left edge of a box, in English Metric Units.
    pub fn place(&self, id: &str) -> Option<(i64, i64)> {
        self.places.get(id).copied()
    }

    /// The inherited bullet of a level in a content box.
    pub fn get(&self, id: &str, level: usize) -> Bullet {
        let own = self.boxes.get(id).and_then(|levels| levels.get(level)?.clone());
        own.or_else(|| self.master.get(level)?.clone()).unwrap_or(Bullet::Nothing)
    }
}

/// Upper and left edge given by an `off` element.
pub fn place(element: &Element<'_>) -> Option<(i64, i64)> {
    let edge = |name: &str| element.get(name)?.trim().parse().ok();
    Some((edge("y")?, edge("x")?))
}

/// Reads the rest of `lstStyle` or `bodyStyle`, whose start tag was the last token.
///
/// # Errors
/// As [`Inherited::layout`].
pub fn levels(xml: &mut Xml<'_>) -> Result<Levels> {
    let mut levels = Levels::default();
    let mut level = None;
    let mut depth = 1usize;
    while depth > 0 {
        match xml.next()? {
            Some(Token::Start(element)) => {
                depth += 1;
                let name = element.name().local();
                if let Some(number) = name.strip_prefix("lvl").and_then(|name| name.strip_suffix("pPr")) {
                    level = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
                }
                if let (Some(place), Some(bullet)) = (level.and_then(|at| levels.get_mut(at)), bullet(&element)) {
                    *place = Some(bullet);
                }
            }
            Some(Token::End(_)) => depth -= 1,
            Some(Token::Text(_)) => {}
            None => break,
        }
    }
    Ok(levels)
}

/// The bullet that an element defines; `None` for other elements.
pub fn bullet(element: &Element<'_>) -> Option<Bullet> {
    match element.name().local() {
        "buNone" => Some(Bullet::Nothing),
        "buChar" | "buBlip" => Some(Bullet::Sign),
        "buAutoNum" => {
            let start = element.number("startAt").and_then(|start| u64::try_from(start).ok());
            Some(Bullet::Number(element.get("type").unwrap_or_default(), start.unwrap_or(1)))
        }
        _ => None,
    }
}

/// Counters of the numbered paragraphs of a box.
#[derive(Debug, Default)]
pub struct Counters([u64; LEVELS]);

impl Counters {
    /// Counts a paragraph and returns its label.
    pub fn next(&mut self, level: usize, bullet: &Bullet) -> Label {
        for counter in self.0.iter_mut().skip(level + 1) {
            *counter = 0;
        }
        let Some(counter) = self.0.get_mut(level) else { return Label::Bullet };
        let Bullet::Number(format, start) = bullet else {
            *counter = 0;
            return if *bullet == Bullet::Sign { Label::Bullet } else { Label::Nothing };
        };
        *counter = if *counter == 0 { *start } else { counter.saturating_add(1) };
        let number = *counter;
        let name = match format.get(..7).unwrap_or_default() {
            "alphaLc" => "lowerLetter",
            "alphaUc" => "upperLetter",
            "romanLc" => "lowerRoman",
            "romanUc" => "upperRoman",
            _ => return Label::Number(number, number.to_string()),
        };
        let text = format_number(number, name);
        Label::Text(if format.ends_with("ParenBoth") {
            format!("({text})")
        } else if format.ends_with("ParenR") {
            format!("{text})")
        } else {
            format!("{text}.")
        })
    }
}
