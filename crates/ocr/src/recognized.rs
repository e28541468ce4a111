//! What was recognised in a picture.

use serde::{Deserialize, Serialize};

/// A word and its place.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Word {
    /// Its characters, without spaces. In writing without spaces, a run of characters.
    pub text: String,
    /// Its corners in pixels of the picture, in the order of its writing: where it begins above, where it ends above, where
    /// it ends below, where it begins below.
    pub quad: [(f32, f32); 4],
    /// How sure the model is, from 0 to 1: the mean over its characters.
    pub confidence: f32,
    /// Number of its line, from 0. Words of a line follow one another as they are read.
    pub line: u32,
}

/// The words of a picture. Lines come as they are found, top to bottom on the upright page: columns are not told apart.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Recognized {
    /// The words.
    pub words: Vec<Word>,
    /// About how many characters there are beside them of which nothing was read, or nothing that is sure enough: of writing
    /// that the model does not know, or by hand.
    pub unread: u32,
    /// Quarter turns clockwise, from 0 to 3, that put the picture upright.
    pub rotation: u8,
    /// How much the lines of the upright picture descend to the right, in degrees; negative where they rise.
    pub skew_degrees: f32,
}

/// The box of a word on the page put upright and straight, in pixels of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the sides of a box, from the left and from the top")]
pub struct UprightWord {
    pub left: f32,
    pub top: f32,
    pub right: f32,
    pub bottom: f32,
}

impl Recognized {
    /// The boxes of all words on the page put upright and straight, and the width and height of that page. `width` and
    /// `height` are those of the picture.
    pub fn upright(&self, width: u32, height: u32) -> (Vec<UprightWord>, f32, f32) {
        let (width, height) = (width as f32, height as f32);
        let (page_width, page_height) = if self.rotation.is_multiple_of(2) { (width, height) } else { (height, width) };
        let turned = |(x, y): (f32, f32)| match self.rotation % 4 {
            0 => (x, y),
            1 => (height - y, x),
            2 => (width - x, height - y),
            _ => (y, width - x),
        };
        let (sin, cos) = (-self.skew_degrees).to_radians().sin_cos();
        let (cx, cy) = (page_width / 2.0, page_height / 2.0);
        let straight = |point| {
            let (x, y) = turned(point);
            (cx + (x - cx) * cos - (y - cy) * sin, cy + (x - cx) * sin + (y - cy) * cos)
        };
        let boxes = self.words.iter().map(|word| {
            // Opposite sides are averaged: what the straightening leaves of an angle does not enlarge the box.
            let [a, b, c, d] = word.quad.map(straight);
            let (left, right) = ((a.0 + d.0) / 2.0, (b.0 + c.0) / 2.0);
            let (top, bottom) = ((a.1 + b.1) / 2.0, (c.1 + d.1) / 2.0);
            UprightWord { left: left.min(right), top: top.min(bottom), right: right.max(left), bottom: bottom.max(top) }
        });
        (boxes.collect(), page_width, page_height)
    }

    /// The mean confidence over all characters, 0 for those that are not read; `None` where there is no word.
    pub fn confidence(&self) -> Option<f32> {
        let characters = |word: &Word| word.text.chars().count() as f32;
        let all: f32 = self.words.iter().map(characters).sum();
        let sure: f32 = self.words.iter().map(|word| word.confidence * characters(word)).sum();
        (all > 0.0).then(|| sure / (all + self.unread as f32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(quad: [(f32, f32); 4]) -> Recognized {
        Recognized {
            words: vec![Word { text: "word".into(), quad, confidence: 0.9, line: 0 }],
            ..Recognized::default()
        }
    }

    #[test]
    fn a_page_turned_by_quarters_is_put_upright() {
        // A word at the top left of an upright page of 100 × 200, on the picture of that page turned three ways.
        let upright = UprightWord { left: 10.0, top: 20.0, right: 40.0, bottom: 30.0 };
        let turned = [
            (0, (100, 200), [(10.0, 20.0), (40.0, 20.0), (40.0, 30.0), (10.0, 30.0)]),
            (1, (200, 100), [(20.0, 90.0), (20.0, 60.0), (30.0, 60.0), (30.0, 90.0)]),
            (2, (100, 200), [(90.0, 180.0), (60.0, 180.0), (60.0, 170.0), (90.0, 170.0)]),
            (3, (200, 100), [(180.0, 10.0), (180.0, 40.0), (170.0, 40.0), (170.0, 10.0)]),
        ];
        for (rotation, (width, height), quad) in turned {
            let (boxes, page_width, page_height) = Recognized { rotation, ..word(quad) }.upright(width, height);
            assert_eq!((boxes[0], page_width, page_height), (upright, 100.0, 200.0), "{rotation}");
        }
    }

    #[test]
    fn lines_that_descend_become_level() {
        let quad = [(0.0, 0.0), (100.0, 10.0), (99.0, 20.0), (-1.0, 10.0)];
        let skew_degrees = (10.0_f32 / 100.0).atan().to_degrees();
        let (boxes, ..) = Recognized { skew_degrees, ..word(quad) }.upright(100, 100);
        assert!((boxes[0].bottom - boxes[0].top - 10.05).abs() < 0.1, "{boxes:?}");
        assert!((boxes[0].right - boxes[0].left - 100.5).abs() < 0.1, "{boxes:?}");
    }
}
