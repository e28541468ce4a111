//! Pictures of RTF, which stand in the text or are properties of a shape.

use super::Reader;
use crate::picture::Crop;
use socle_core::Result;

/// A picture whose group is open.
#[derive(Debug, Default)]
pub(super) struct PictureData {
    /// Whether it is a property of a shape.
    is_of_shape: bool,
    is_hidden: bool,
    bytes: Vec<u8>,
    /// The first digit of a byte.
    digit: Option<u8>,
    /// Width and height in twips before anything is cut off.
    size: [i32; 2],
    /// What is cut off in twips: left, top, right, bottom.
    cut: [i32; 4],
}

impl PictureData {
    /// A picture in the text, or one that is a property of a shape.
    pub(super) fn of_shape(is_of_shape: bool) -> Self {
        Self { is_of_shape, ..Self::default() }
    }

    /// Adds bytes as hexadecimal digits, between which there may be anything else.
    pub(super) fn hexadecimal(&mut self, text: &[u8]) {
        for digit in text.iter().filter_map(|byte| char::from(*byte).to_digit(16)) {
            let digit = digit as u8;
            match self.digit.take() {
                Some(first) => self.bytes.push(first << 4 | digit),
                None => self.digit = Some(digit),
            }
        }
    }

    /// Adds bytes as they are.
    pub(super) fn binary(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Handles a control word of the picture.
    pub(super) fn word(&mut self, word: &str, number: i32) {
        let [left, top, right, bottom] = &mut self.cut;
        let [width, height] = &mut self.size;
        let place = match word {
            "picwgoal" => width,
            "pichgoal" => height,
            "piccropl" => left,
            "piccropt" => top,
            "piccropr" => right,
            "piccropb" => bottom,
            _ => return,
        };
        *place = number;
    }

    /// Reads a property: its name, and after a line break its value.
    pub(super) fn property(&mut self, text: &str) {
        let (name, value) = property(text);
        self.is_hidden |= name == "fHidden" && value != 0;
    }

    fn crop(&self) -> Crop {
        let [width, height] = self.size;
        shares([width, height, width, height], self.cut)
    }
}

/// The shape that is open, with what is known when it ends alone.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pictures: Vec<String>,
    is_hidden: bool,
    /// What is cut off its picture: left, top, right, bottom.
    cut: [i32; 4],
}

impl Shape {
    /// Reads a property: its name, and after a line break its value.
    pub(super) fn property(&mut self, text: &str) {
        let (name, value) = property(text);
        let [left, top, right, bottom] = &mut self.cut;
        match name {
            "fHidden" => self.is_hidden = value != 0,
            "cropFromLeft" => *left = value,
            "cropFromTop" => *top = value,
            "cropFromRight" => *right = value,
            "cropFromBottom" => *bottom = value,
            _ => {}
        }
    }
}

impl Reader<'_> {
    /// Whether a picture that begins here is shown, and recognised.
    pub(super) fn reads_picture(&mut self) -> bool {
        self.flow.writer().ocr().is_on() && !self.state.is_hidden && !self.state.is_deleted
    }

    /// Ends a picture: one of a shape is added at the end of that.
    pub(super) fn end_picture(&mut self) -> Result<()> {
        let picture = std::mem::take(&mut self.picture);
        if picture.bytes.is_empty() || picture.is_hidden {
            return Ok(());
        }
        let reference = format!("data:image/;base64,{}", crate::base64::encode(&picture.bytes));
        match self.shapes.last_mut().filter(|_| picture.is_of_shape) {
            Some(shape) => shape.pictures.push(reference),
            None => self.add_picture(reference, picture.crop())?,
        }
        Ok(())
    }

    /// Ends a shape: adds its pictures, unless it is hidden.
    pub(super) fn end_shape(&mut self) -> Result<()> {
        /// The whole of a width or height.
        const WHOLE: i32 = 1 << 16;
        let Shape { pictures, is_hidden, cut } = self.shapes.pop().unwrap_or_default();
        for picture in pictures.into_iter().filter(|_| !is_hidden) {
            self.add_picture(picture, shares([WHOLE; 4], cut))?;
        }
        Ok(())
    }

    fn add_picture(&mut self, reference: String, crop: Crop) -> Result<()> {
        self.begin_paragraph()?;
        self.flow.picture(reference, crop)
    }
}

/// The name and the value of a property, which a line break parts.
fn property(text: &str) -> (&str, i32) {
    let (name, value) = text.split_once('\n').unwrap_or_default();
    (name.trim(), value.trim().parse().unwrap_or_default())
}

/// What is cut off at each side, as a share of these lengths.
fn shares(whole: [i32; 4], cut: [i32; 4]) -> Crop {
    if cut == [0; 4] || whole.contains(&0) {
        return Crop::Nothing;
    }
    let mut sides = cut;
    for (side, whole) in sides.iter_mut().zip(whole) {
        *side = (f64::from(*side) / f64::from(whole) * f64::from(Crop::WHOLE)).round() as i32;
    }
    Crop::Shares(sides)
}
