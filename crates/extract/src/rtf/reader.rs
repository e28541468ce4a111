//! Tracks the state of an RTF document and writes its paragraphs.

mod paragraph;
mod picture;
mod word;

use super::encoding::CodePage;
use super::header::Header;
use super::token::Token;
use crate::Writer;
use crate::block_builder::BlockBuilder;
use picture::{PictureData, Shape};
use socle_core::Result;

/// Maximum number of cells of a row, as in Word.
const MAX_CELLS: usize = 63;

/// Maximum nesting of tables.
const MAX_TABLES: usize = 8;

/// The destination of text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Target {
    Body,
    Nowhere,
    Fonts,
    Styles,
    /// The metadata group, and one of its entries.
    Info,
    InfoPart(&'static str),
    /// The label of a list item.
    Label,
    /// A drawing, of which the text and the pictures are read.
    Drawing,
    /// A property of a drawing.
    Property,
    /// The bytes of a picture.
    Picture,
}

/// The state of a group, which is restored at its end.
#[derive(Clone, Debug)]
struct State {
    target: Target,
    /// Whether this group started its destination.
    is_first: bool,
    /// Whether `\*` was read: the group is skipped if the next control word is unknown.
    is_optional: bool,
    is_hidden: bool,
    is_deleted: bool,
    /// Number of fallback characters after each Unicode character (`\uc`).
    fallback: usize,
    font: Option<CodePage>,
}

/// Paragraph properties, reset by `\pard`.
#[derive(Clone, Debug, Default)]
struct Paragraph {
    style: i32,
    outline: Option<u8>,
    /// Table nesting depth.
    tables: usize,
    /// List level.
    level: usize,
}

/// An open table.
#[derive(Default)]
struct Table {
    has_row: bool,
    has_cell: bool,
    /// Whether a row was defined, which text then starts; LibreOffice does not end rows that end with a table.
    is_defined: bool,
    /// Right cell edges of each row, and of the row before the definition.
    edges: Vec<Vec<i32>>,
    last_edges: Vec<i32>,
}

/// The state suspended by a note or text box.
struct Suspended {
    depth: usize,
    is_note: bool,
    paragraph: Paragraph,
    is_open: bool,
    tables: Vec<Table>,
    label: String,
}

/// The reader, which writes while reading.
pub struct Reader<'w> {
    flow: BlockBuilder<'w>,
    head: Header,
    state: State,
    /// States of the enclosing groups.
    around: Vec<State>,
    paragraph: Paragraph,
    /// Whether a paragraph is open.
    is_open: bool,
    tables: Vec<Table>,
    /// Right cell edges of the row being defined.
    edges: Vec<i32>,
    /// Right cell edges of the outer row while a row of a nested table is defined.
    outer_edges: Vec<i32>,
    outside: Vec<Suspended>,
    label: String,
    /// Text of the current header entry or property.
    text: String,
    picture: PictureData,
    /// The open drawings, innermost last.
    shapes: Vec<Shape>,
    bytes: Vec<u8>,
    /// A pending high surrogate.
    surrogate: Option<u16>,
    /// Remaining fallback characters to skip.
    skip: usize,
    /// Destination of text that is given twice, the second time without Unicode (`\upr`).
    twice: Target,
}

impl<'w> Reader<'w> {
    /// A reader at the start of a document.
    pub fn new(writer: &'w mut Writer) -> Self {
        let state = State {
            target: Target::Body,
            is_first: false,
            is_optional: false,
            is_hidden: false,
            is_deleted: false,
            fallback: 1,
            font: None,
        };
        Self {
            flow: BlockBuilder::new(writer),
            head: Header::default(),
            state,
            around: Vec::new(),
            paragraph: Paragraph::default(),
            is_open: false,
            tables: Vec::new(),
            edges: Vec::new(),
            outer_edges: Vec::new(),
            outside: Vec::new(),
            label: String::new(),
            text: String::new(),
            picture: PictureData::default(),
            shapes: Vec::new(),
            bytes: Vec::new(),
            surrogate: None,
            skip: 0,
            twice: Target::Body,
        }
    }

    /// Begins a group.
    ///
    /// # Errors
    /// As [`crate::extract`]; the same holds for the other methods.
    pub fn open(&mut self) -> Result<()> {
        self.flush()?;
        self.skip = 0;
        self.around.push(self.state.clone());
        self.state.is_first = false;
        self.state.is_optional = false;
        Ok(())
    }

    /// Ends a group.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn close(&mut self) -> Result<()> {
        self.flush()?;
        self.skip = 0;
        match self.state.target {
            Target::Styles if !self.state.is_first => self.head.end_style(&std::mem::take(&mut self.text)),
            Target::InfoPart(name) if self.state.is_first => self.head.end_info(name, &std::mem::take(&mut self.text)),
            Target::Property if self.state.is_first => {
                let text = std::mem::take(&mut self.text);
                if self.around.last().is_some_and(|around| around.target == Target::Picture) {
                    self.picture.property(&text);
                } else if let Some(shape) = self.shapes.last_mut() {
                    shape.property(&text);
                }
            }
            Target::Picture if self.state.is_first => self.end_picture()?,
            Target::Drawing if self.state.is_first => self.end_shape()?,
            _ => {}
        }
        if self.outside.last().is_some_and(|outside| outside.depth == self.around.len()) {
            self.end_note_or_box()?;
        }
        if let Some(state) = self.around.pop() {
            self.state = state;
        }
        Ok(())
    }

    /// Handles any other token.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn token(&mut self, token: &Token<'_>) -> Result<()> {
        if self.skip > 0 {
            self.skip -= 1;
            if !matches!(token, Token::Word("par" | "cell" | "row" | "u" | "uc", _)) {
                return Ok(());
            }
        }
        match *token {
            Token::Byte(byte) => self.bytes.push(byte),
            Token::Word("u", number) => {
                self.flush()?;
                self.unicode(number.unwrap_or(0))?;
            }
            Token::Word(word, number) => {
                self.flush()?;
                self.word(word, number)?;
            }
            Token::Symbol(symbol) => {
                self.flush()?;
                match symbol {
                    b'*' => self.state.is_optional = true,
                    b'~' => self.write("\u{a0}")?,
                    b'_' => self.write("-")?,
                    b'\\' => self.write("\\")?,
                    b'{' => self.write("{")?,
                    b'}' => self.write("}")?,
                    b'\n' | b'\r' => self.end_paragraph()?,
                    _ => {}
                }
            }
            Token::Binary(bytes) if self.state.target == Target::Picture => self.picture.binary(bytes),
            Token::Binary(_) | Token::Open | Token::Close => {}
        }
        Ok(())
    }

    /// Ends the document.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn finish(&mut self) -> Result<()> {
        self.flush()?;
        while !self.outside.is_empty() {
            self.end_note_or_box()?;
        }
        self.end_open()?;
        self.tables_to(0)?;
        self.flow.finish()?;
        let stated = std::mem::take(&mut self.head.metadata);
        let metadata = self.flow.writer().metadata();
        let media_type = std::mem::take(&mut metadata.media_type);
        *metadata = socle_core::document::Metadata { media_type, ..stated };
        Ok(())
    }

    /// Decodes and writes the pending bytes.
    fn flush(&mut self) -> Result<()> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.bytes);
        if self.state.target == Target::Picture {
            self.picture.hexadecimal(&bytes);
            return Ok(());
        }
        let page = self.state.font.unwrap_or(self.head.code_page);
        self.write(&page.decode(&bytes))
    }

    fn unicode(&mut self, number: i32) -> Result<()> {
        self.skip = self.state.fallback;
        let unit = (number & 0xffff) as u16;
        let units = [self.surrogate.take().unwrap_or(unit), unit];
        let units = if units[0] == unit { &units[1..] } else { &units[..] };
        if (0xd800..0xdc00).contains(&unit) {
            self.surrogate = Some(unit);
            return Ok(());
        }
        // Private-use characters of symbol fonts have no meaning of their own.
        let text: String =
            char::decode_utf16(units.iter().copied()).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        match unit {
            0xf0b7 => self.write("•"),
            0xf000..=0xf0ff => Ok(()),
            _ => self.write(&text),
        }
    }

    fn write(&mut self, text: &str) -> Result<()> {
        match self.state.target {
            Target::Body if !self.state.is_hidden && !self.state.is_deleted => {
                self.begin_paragraph()?;
                self.flow.text(text);
            }
            Target::Label => self.label.push_str(text),
            Target::Styles | Target::InfoPart(_) | Target::Property => self.text.push_str(text),
            Target::Body | Target::Nowhere | Target::Fonts | Target::Info | Target::Drawing | Target::Picture => {}
        }
        Ok(())
    }

    fn word(&mut self, word: &str, number: Option<i32>) -> Result<()> {
        let is_optional = std::mem::take(&mut self.state.is_optional);
        if word == "ud" {
            self.state.target = self.twice;
            return Ok(());
        }
        if word == "pict" {
            self.flow.writer().picture();
        }
        if self.state.target == Target::Nowhere {
            return Ok(());
        }
        if self.begin_target(word)? {
            return Ok(());
        }
        if is_optional {
            self.state.target = Target::Nowhere;
            return Ok(());
        }
        match self.state.target {
            Target::Fonts => self.head.font_word(word, number.unwrap_or(0)),
            Target::Styles => self.head.style_word(word, number),
            Target::InfoPart(_) => self.head.moment_word(word, number.unwrap_or(0)),
            Target::Info if word == "nofpages" => {
                let pages = number.and_then(|pages| u32::try_from(pages).ok());
                self.head.metadata.page_count = pages.filter(|pages| *pages > 0);
            }
            Target::Body => {
                self.character_word(word, number);
                self.paragraph_word(word, number);
                return self.text_word(word);
            }
            Target::Label => {
                self.character_word(word, number);
                return self.text_word(word);
            }
            Target::Property if word == "sv" => self.text.push('\n'),
            Target::Picture => self.picture.word(word, number.unwrap_or(0)),
            Target::Info | Target::Nowhere | Target::Drawing | Target::Property => {}
        }
        Ok(())
    }

    /// Handles destination control words. Returns whether `word` is one.
    fn begin_target(&mut self, word: &str) -> Result<bool> {
        let in_body = self.state.target == Target::Body;
        let target = match word {
            "fonttbl" => Target::Fonts,
            "stylesheet" => Target::Styles,
            "info" => Target::Info,
            "title" | "author" | "creatim" | "revtim" if self.state.target == Target::Info => {
                Target::InfoPart(match word {
                    "title" => "title",
                    "author" => "author",
                    "creatim" => "creatim",
                    _ => "revtim",
                })
            }
            "listtext" | "pntext" if in_body => {
                self.label.clear();
                Target::Label
            }
            "footnote" if in_body => {
                self.begin_note_or_box(true)?;
                Target::Body
            }
            "shptxt" | "dptxbxtext" if self.state.target == Target::Drawing => {
                self.begin_note_or_box(false)?;
                Target::Body
            }
            "shp" | "do" if in_body || self.state.target == Target::Drawing => {
                self.shapes.push(Shape::default());
                Target::Drawing
            }
            "sp" if matches!(self.state.target, Target::Drawing | Target::Picture) => Target::Property,
            "pict" if (in_body || self.state.target == Target::Property) && self.reads_picture() => {
                self.picture = PictureData::of_shape(!in_body);
                Target::Picture
            }
            // Known control words after `\*` without effect.
            "nesttableprops" => {
                self.outer_edges = std::mem::take(&mut self.edges);
                return Ok(true);
            }
            "shpinst" | "shpgrp" | "shppict" | "picprop" | "moMath" | "moMathPara" => return Ok(true),
            "upr" => {
                self.twice = self.state.target;
                Target::Nowhere
            }
            "colortbl" | "listtable" | "listoverridetable" | "rsidtbl" | "revtbl" | "filetbl" | "xmlnstbl" | "pict"
            | "nonshppict" | "objdata" | "nonesttables" | "shprslt" | "fldinst" | "header" | "headerl" | "headerr"
            | "headerf" | "footer" | "footerl" | "footerr" | "footerf" | "ftnsep" | "ftnsepc" | "ftncn" | "aftnsep"
            | "aftnsepc" | "aftncn" | "annotation" | "atnid" | "atnauthor" | "xe" | "tc" | "rxe" | "txe"
            | "formfield" | "datafield" | "sp" | "bkmkstart" | "bkmkend" => Target::Nowhere,
            _ => return Ok(false),
        };
        self.state.target = target;
        self.state.is_first = true;
        Ok(true)
    }
}
