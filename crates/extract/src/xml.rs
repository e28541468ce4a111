//! Reads XML as a flat sequence of starts, ends and text. It never recurses, loads nothing from outside and expands no
//! entity but the five of XML and characters by number, so that entity bombs stay as small as they were sent.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use socle_core::{Error, Kind, Result};
use std::borrow::Cow;

/// What comes next.
pub enum Token<'a> {
    /// An element begins; an empty one is followed by its end.
    Start(Element<'a>),
    /// An element ends.
    End(Name),
    /// Text, with entities in their own pieces.
    Text(Cow<'a, str>),
}

/// The name of an element as it is written, prefix and all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Name(String);

impl Name {
    /// The name without its prefix: prefixes are free to choose, and no format needs them to tell its elements apart
    /// but in the few cases where [`Self::full`] is asked.
    pub fn local(&self) -> &str {
        self.0.rsplit(':').next().unwrap_or_default()
    }

    /// The name with its prefix.
    pub fn full(&self) -> &str {
        &self.0
    }
}

/// The start of an element.
pub struct Element<'a> {
    start: BytesStart<'a>,
    name: Name,
}

impl Element<'_> {
    /// Its name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The value of an attribute, found by its name without prefix.
    pub fn get(&self, name: &str) -> Option<String> {
        self.named(name).next()
    }

    /// The values of all attributes of that name, whatever their prefix.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.named(name).collect()
    }

    fn named(&self, name: &str) -> impl Iterator<Item = String> {
        let attribute = move |found: &str| found.rsplit(':').next() == Some(name) && !found.starts_with("xmlns");
        let mut attributes = self.start.attributes();
        // Duplicates harm nobody, and looking for them takes time that grows with the square of their number.
        attributes.with_checks(false);
        attributes
            .flatten()
            .filter(move |found| attribute(found.key.as_ref()))
            .map(|found| unescaped(found.value.as_ref()))
    }

    /// The value of an attribute as a number.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.get(name)?.trim().parse().ok()
    }

    /// Whether a property that is given by an element alone is on: `<b/>` and `<b val="true"/>`, not `<b val="0"/>`.
    pub fn is_on(&self) -> bool {
        !matches!(self.get("val").as_deref(), Some("0" | "false" | "off" | "none"))
    }
}

/// Reads tokens.
pub struct Xml<'a> {
    reader: Reader<&'a [u8]>,
    /// An empty element was reported and its end is due.
    due: Option<Name>,
}

impl<'a> Xml<'a> {
    /// A reader of a text.
    pub fn new(text: &'a str) -> Self {
        let mut reader = Reader::from_str(text);
        reader.config_mut().allow_dangling_amp = true;
        Self { reader, due: None }
    }

    /// The next token, `None` at the end.
    ///
    /// # Errors
    /// [`Kind::DamagedDocument`] if it is not well-formed.
    pub fn next(&mut self) -> Result<Option<Token<'a>>> {
        if let Some(name) = self.due.take() {
            return Ok(Some(Token::End(name)));
        }
        loop {
            match self.reader.read_event().map_err(|error| damaged(&error.to_string()))? {
                Event::Start(start) => return Ok(Some(Token::Start(element(start)))),
                Event::Empty(start) => {
                    let element = element(start);
                    self.due = Some(element.name.clone());
                    return Ok(Some(Token::Start(element)));
                }
                Event::End(end) => return Ok(Some(Token::End(Name(end.name().as_ref().to_string())))),
                Event::Text(text) => return Ok(Some(Token::Text(text.xml10_content().into_owned().into()))),
                Event::CData(text) => return Ok(Some(Token::Text(text.into_inner()))),
                Event::GeneralRef(name) => {
                    let known = name.resolve_char_ref().ok().flatten().or_else(|| entity(&name));
                    if let Some(c) = known {
                        return Ok(Some(Token::Text(c.to_string().into())));
                    }
                }
                Event::Eof => return Ok(None),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
    }

    /// Passes over the rest of an element whose start was the last token.
    ///
    /// # Errors
    /// See [`Self::next`].
    pub fn skip(&mut self) -> Result<()> {
        let mut depth = 1usize;
        while depth > 0 {
            match self.next()? {
                Some(Token::Start(_)) => depth += 1,
                Some(Token::End(_)) => depth -= 1,
                Some(Token::Text(_)) => {}
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// The text in the rest of an element whose start was the last token.
    ///
    /// # Errors
    /// See [`Self::next`].
    pub fn text(&mut self) -> Result<String> {
        let mut text = String::new();
        let mut depth = 1usize;
        while depth > 0 {
            match self.next()? {
                Some(Token::Start(_)) => depth += 1,
                Some(Token::End(_)) => depth -= 1,
                Some(Token::Text(more)) => text.push_str(&more),
                None => break,
            }
        }
        Ok(text)
    }
}

/// Bytes of XML as text: UTF-8 unless a byte order mark or the declaration says otherwise.
pub fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    let head = String::from_utf8_lossy(bytes.get(..100).unwrap_or(bytes));
    let declared = head.split_once("encoding=").and_then(|(_, rest)| {
        let quote = rest.chars().next()?;
        encoding_rs::Encoding::for_label(rest.get(1..)?.split(quote).next()?.as_bytes())
    });
    // A declaration that could be read is not in UTF-16, whatever it says.
    let encoding = declared.filter(|encoding| encoding.is_ascii_compatible()).unwrap_or(encoding_rs::UTF_8);
    encoding.decode(bytes).0
}

fn element(start: BytesStart<'_>) -> Element<'_> {
    let name = Name(start.name().as_ref().to_string());
    Element { start, name }
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

fn unescaped(value: &str) -> String {
    quick_xml::escape::unescape(value).map_or_else(|_| value.to_string(), Cow::into_owned)
}

fn damaged(detail: &str) -> Error {
    Error::new(Kind::DamagedDocument, "document is damaged").detail(detail)
}
