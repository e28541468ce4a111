//! A pull parser that reads XML as a flat sequence of start tags, end tags and text. It does not recurse, loads no
//! external entities and resolves only predefined entities and character references, so that entity bombs have no
//! effect.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use socle_core::{Error, Kind, Result};
use std::borrow::Cow;

/// A token of XML.
pub enum Token<'a> {
    /// A start tag. That of an empty element is followed by an end.
    Start(Element<'a>),
    /// An end tag.
    End(Name),
    /// Text. Resolved entities are tokens of their own.
    Text(Cow<'a, str>),
}

/// The name of an element, with its prefix.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Name(String);

impl Name {
    /// The name without its prefix. Prefixes are arbitrary; where local names are ambiguous, [`Self::full`] is used.
    pub fn local(&self) -> &str {
        self.0.rsplit(':').next().unwrap_or_default()
    }

    /// The name with its prefix.
    pub fn full(&self) -> &str {
        &self.0
    }
}

/// A start tag with its attributes.
pub struct Element<'a> {
    start: BytesStart<'a>,
    name: Name,
}

impl Element<'_> {
    /// The name of the element.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The value of the attribute with this local name.
    pub fn get(&self, name: &str) -> Option<String> {
        self.named(name).next()
    }

    /// The values of all attributes with this local name.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.named(name).collect()
    }

    fn named(&self, name: &str) -> impl Iterator<Item = String> {
        let attribute = move |found: &str| found.rsplit(':').next() == Some(name) && !found.starts_with("xmlns");
        let mut attributes = self.start.attributes();
        // Checking for duplicates would take quadratic time.
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

    /// Whether a boolean property is on: `<b/>` and `<b val="true"/>`, but not `<b val="0"/>`.
    pub fn is_on(&self) -> bool {
        !matches!(self.get("val").as_deref(), Some("0" | "false" | "off" | "none"))
    }
}

/// The parser.
pub struct Xml<'a> {
    reader: Reader<&'a [u8]>,
    /// The end of an empty element that is still to be returned.
    due: Option<Name>,
}

impl<'a> Xml<'a> {
    /// A parser for `text`.
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

    /// Skips the rest of the element whose start tag was the last token.
    ///
    /// # Errors
    /// As [`Self::next`].
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

    /// The text in the rest of the element whose start tag was the last token.
    ///
    /// # Errors
    /// As [`Self::next`].
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

/// Decodes XML: UTF-8 unless a byte order mark or the declaration says otherwise.
pub fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    let head = String::from_utf8_lossy(bytes.get(..100).unwrap_or(bytes));
    let declared = head.split_once("encoding=").and_then(|(_, rest)| {
        let quote = rest.chars().next()?;
        encoding_rs::Encoding::for_label(rest.get(1..)?.split(quote).next()?.as_bytes())
    });
    // A readable declaration rules out UTF-16, whatever it says.
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
