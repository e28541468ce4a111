//! What boxes of PowerPoint inherit: their bullets, and their places. A paragraph rarely says whether it has one: its box, the same box in the layout of the slide,
//! and the master of the layout are asked, in this order.

use crate::list_label::{Label, format_number};
use crate::xml::{Element, Token, Xml};
use socle_core::Result;
use std::collections::HashMap;

/// Levels of text.
pub const LEVELS: usize = 9;

/// What is before a paragraph.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Bullet {
    /// Nothing.
    Nothing,
    /// A sign or a picture.
    Sign,
    /// A number, with the name of its format and the number that it starts with.
    Number(String, u64),
}

/// What is before the paragraphs of each level, where that is said.
pub type Levels = [Option<Bullet>; LEVELS];

/// Bullets that the boxes of a slide inherit.
#[derive(Debug, Default)]
pub struct Inherited {
    /// By the identifier of the box.
    boxes: HashMap<String, Levels>,
    /// Upper and left edges of the boxes.
    places: HashMap<String, (i64, i64)>,
    /// For all boxes that hold the content of a slide.
    master: Levels,
}

impl Inherited {
    /// Reads a layout.
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

    /// Reads the master of the layout.
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

    /// Upper and left edge of a box that does not say them itself.
    pub fn place(&self, id: &str) -> Option<(i64, i64)> {
        self.places.get(id).copied()
    }

    /// What is before a paragraph of a level in a box for content.
    pub fn get(&self, id: &str, level: usize) -> Bullet {
        let own = self.boxes.get(id).and_then(|levels| levels.get(level)?.clone());
        own.or_else(|| self.master.get(level)?.clone()).unwrap_or(Bullet::Nothing)
    }
}

/// Upper and left edge that an element states.
pub fn place(element: &Element<'_>) -> Option<(i64, i64)> {
    let edge = |name: &str| element.get(name)?.trim().parse().ok();
    Some((edge("y")?, edge("x")?))
}

/// Reads the rest of a list of levels: `lstStyle`, or `bodyStyle`, whose start was the last token.
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

/// The bullet that an element stands for, if it does.
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

/// How far the paragraphs of a box have counted.
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
