//! Numbering of Word lists. The file stores how each level counts; the numbers are computed here.

use crate::list_label::{Label, format_number, is_plain_decoration};
use crate::xml::{Token, Xml};
use socle_core::Result;
use std::collections::HashMap;

/// Number of levels of a list.
const LEVELS: usize = 9;

#[derive(Clone, Debug)]
struct Level {
    start: u64,
    format: String,
    text: String,
    /// Whether the numbers of other levels are decimal in it (`isLgl`).
    is_legal: bool,
}

impl Default for Level {
    fn default() -> Self {
        Self { start: 1, format: "decimal".to_string(), text: String::new(), is_legal: false }
    }
}

#[derive(Debug, Default)]
struct Definition {
    levels: HashMap<usize, Level>,
    /// The style that defines the levels of this list.
    style: Option<String>,
}

#[derive(Debug, Default)]
struct List {
    definition: String,
    /// Levels that this list overrides.
    levels: HashMap<usize, Level>,
    /// Start numbers that this list overrides.
    starts: HashMap<usize, u64>,
}

/// All lists of a document with their counters.
#[derive(Debug, Default)]
pub struct Numbering {
    definitions: HashMap<String, Definition>,
    lists: HashMap<String, List>,
    /// Counters by abstract definition: lists of the same definition continue each other.
    counters: HashMap<String, [Option<u64>; LEVELS]>,
}

impl Numbering {
    /// Reads the numbering part.
    ///
    /// # Errors
    /// [`DamagedDocument`](socle_core::Kind::DamagedDocument) if it is not XML.
    pub fn read(text: &str) -> Result<Self> {
        let mut xml = Xml::new(text);
        let mut numbering = Self::default();
        let mut definition: Option<(String, Definition)> = None;
        let mut list: Option<(String, List)> = None;
        let mut level: Option<(usize, Level)> = None;
        while let Some(token) = xml.next()? {
            match token {
                Token::Start(element) => {
                    let value = || element.get("val").unwrap_or_default();
                    match element.name().local() {
                        "abstractNum" => {
                            definition = element.get("abstractNumId").map(|id| (id, Definition::default()));
                        }
                        "num" => list = element.get("numId").map(|id| (id, List::default())),
                        "lvl" => level = element.number("ilvl").map(|at| (at, Level::default())),
                        "lvlOverride" => level = element.number("ilvl").map(|at| (at, Level::default())),
                        "start" => set(&mut level, |level| level.start = value().parse().unwrap_or(1)),
                        "numFmt" => set(&mut level, |level| level.format = value()),
                        "lvlText" => set(&mut level, |level| level.text = value()),
                        "isLgl" => set(&mut level, |level| level.is_legal = element.is_on()),
                        "numStyleLink" => set(&mut definition, |definition| definition.style = Some(value())),
                        "abstractNumId" => set(&mut list, |list| list.definition = value()),
                        "startOverride" => {
                            if let (Some((_, list)), Some((at, _))) = (&mut list, &level) {
                                list.starts.insert(*at, value().parse().unwrap_or(1));
                            }
                        }
                        _ => {}
                    }
                }
                Token::End(name) => match name.local() {
                    "lvl" => match (&mut list, &mut definition) {
                        (Some((_, list)), _) => list.levels.extend(level.take()),
                        (None, Some((_, definition))) => definition.levels.extend(level.take()),
                        _ => {}
                    },
                    "lvlOverride" => level = None,
                    "abstractNum" => numbering.definitions.extend(definition.take()),
                    "num" => numbering.lists.extend(list.take()),
                    _ => {}
                },
                Token::Text(_) => {}
            }
        }
        Ok(numbering)
    }

    /// Counts one list paragraph and returns its label; `None` if the list does not exist. `list_of_style` returns the
    /// list of a style.
    pub fn next(&mut self, id: &str, at: usize, list_of_style: impl Fn(&str) -> Option<String>) -> Option<Label> {
        let at = at.min(LEVELS - 1);
        let list = self.lists.get_mut(id)?;
        let mut definition = self.definitions.get(&list.definition)?;
        if let Some(other) = definition.style.as_deref().and_then(list_of_style).filter(|other| other != id) {
            let other = self.lists.get(&other).map(|list| list.definition.clone()).unwrap_or_default();
            definition = self.definitions.get(&other).unwrap_or(definition);
        }
        let list = self.lists.get_mut(id)?;
        let counters = self.counters.entry(list.definition.clone()).or_default();
        let level = |at: usize| list.levels.get(&at).or_else(|| definition.levels.get(&at));
        let own = level(at).cloned().unwrap_or_default();
        let numbers: Vec<(String, u64)> = {
            let next = counters.get(at).copied().flatten().map_or(own.start, |number| number.saturating_add(1));
            let next = list.starts.get(&at).copied().unwrap_or(next);
            for (below, counter) in counters.iter_mut().enumerate().skip(at) {
                *counter = (below == at).then_some(next);
            }
            let shown = |(at, counter): (usize, &Option<u64>)| {
                let level = level(at).cloned().unwrap_or_default();
                let format = if own.is_legal { "decimal".to_string() } else { level.format };
                (format, counter.unwrap_or(level.start))
            };
            counters.iter().enumerate().map(shown).collect()
        };
        list.starts.remove(&at);
        Some(label(&own, at, &numbers))
    }
}

fn set<T>(open: &mut Option<(impl Sized, T)>, change: impl FnOnce(&mut T)) {
    if let Some((_, value)) = open {
        change(value);
    }
}

fn label(level: &Level, at: usize, numbers: &[(String, u64)]) -> Label {
    match level.format.as_str() {
        "bullet" => return Label::Bullet,
        "none" if !level.text.contains('%') => {
            return if level.text.trim().is_empty() { Label::Nothing } else { Label::Text(level.text.clone()) };
        }
        _ => {}
    }
    let mut text = String::new();
    let mut rest = level.text.chars();
    while let Some(c) = rest.next() {
        match (c, rest.clone().next().and_then(|digit| digit.to_digit(10))) {
            ('%', Some(digit)) => {
                rest.next();
                if let Some((format, number)) = numbers.get((digit as usize).wrapping_sub(1)) {
                    text.push_str(&format_number(*number, format));
                }
            }
            _ => text.push(c),
        }
    }
    let text = text.trim();
    let own = format!("%{}", at + 1);
    match numbers.get(at) {
        _ if text.is_empty() => Label::Nothing,
        Some((format, number))
            if format == "decimal"
                && level.text.contains(&own)
                && is_plain_decoration(&level.text.replacen(&own, "", 1)) =>
        {
            Label::Number(*number, text.to_string())
        }
        _ => Label::Text(text.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_count_and_start_anew() {
        let level = |at: u8, format: &str, text: &str| {
            format!("<w:lvl w:ilvl='{at}'><w:numFmt w:val='{format}'/><w:lvlText w:val='{text}'/></w:lvl>")
        };
        let xml = format!(
            "<w:numbering><w:abstractNum w:abstractNumId='0'>{}{}{}</w:abstractNum><w:num w:numId='1'><w:abstractNumId \
             w:val='0'/></w:num><w:num w:numId='2'><w:abstractNumId w:val='0'/><w:lvlOverride w:ilvl='0'>\
             <w:startOverride w:val='5'/></w:lvlOverride></w:num></w:numbering>",
            level(0, "decimal", "%1."),
            level(1, "decimal", "%1.%2"),
            level(2, "lowerLetter", "(%3)"),
        );
        let mut numbering = Numbering::read(&xml).unwrap();
        let mut next = |list: &str, at| numbering.next(list, at, |_| None);
        assert_eq!(next("1", 0), Some(Label::Number(1, "1.".into())));
        assert_eq!(next("1", 1), Some(Label::Text("1.1".into())));
        assert_eq!(next("1", 2), Some(Label::Text("(a)".into())));
        assert_eq!(next("1", 2), Some(Label::Text("(b)".into())));
        assert_eq!(next("1", 0), Some(Label::Number(2, "2.".into())));
        assert_eq!(next("1", 1), Some(Label::Text("2.1".into())));
        assert_eq!(next("2", 0), Some(Label::Number(5, "5.".into())));
        assert_eq!(next("2", 0), Some(Label::Number(6, "6.".into())));
        assert_eq!(next("9", 0), None);
    }
}
