//! Places the values of form fields that have no appearance of their own.

use super::{FARTHEST, MAX_GLYPHS, Run};
use crate::pdf::glyph::Glyph;
use hayro_font::kurbo::Rect;

/// Default font size of fields in points, and usual character width as a multiple of it.
const USUAL_SIZE: f64 = 11.0;
const LETTER: f64 = 0.5;

impl Run<'_, '_> {
    /// Places text in a rectangle, in font size `size` if it fits; `wraps`: with line breaks.
    pub(in crate::pdf) fn write(&mut self, text: &str, rect: [f64; 4], size: Option<f64>, wraps: bool) {
        let place = self.state.ctm.transform_rect_bbox(Rect::new(rect[0], rect[1], rect[2], rect[3]));
        let (width, height) = (place.width(), place.height());
        let far = [place.x0, place.y0, place.x1, place.y1].into_iter().any(|n| n.is_nan() || n.abs() > FARTHEST);
        if far || width < 1.0 || height < 1.0 {
            return;
        }
        let size = size.unwrap_or(USUAL_SIZE).clamp(4.0, 40.0).min(0.9 * height);
        let most = if wraps { (width / (size * LETTER)) as usize } else { usize::MAX };
        let lines = wrapped(text, most.max(8));
        let step = (1.2 * size).min(height / lines.len().max(1) as f64);
        let size = size.min(0.85 * step);
        let top = if wraps { place.y0 } else { place.center().y - 0.5 * step * lines.len() as f64 };
        for (at, line) in lines.iter().enumerate() {
            let letters = line.chars().count().max(1) as f64;
            let letter = (LETTER * size).min((width - 1.0).max(0.5) / letters);
            let y = (top + (at as f64 + 0.8) * step) as f32;
            let room = MAX_GLYPHS.saturating_sub(self.page.glyphs.len());
            for (at, c) in line.chars().enumerate().take(room) {
                let x = |at: usize| (place.x0 + 0.5 + letter * at as f64) as f32;
                let (x0, x1, size) = (x(at), x(at + 1), size as f32);
                let look = Glyph {
                    c,
                    x0,
                    x1,
                    y,
                    size,
                    angle: 0,
                    bold: false,
                    mono: false,
                    vertical: false,
                    tagged: false,
                    hidden: false,
                };
                self.page.glyphs.push(look);
            }
        }
    }
}

/// The lines of a text, wrapped between words at `most` characters.
fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for whole in text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()) {
        let mut line = String::new();
        let mut length = 0;
        for word in whole.split_whitespace() {
            let more = word.chars().count() + 1;
            if length > 0 && length + more > most {
                lines.push(std::mem::take(&mut line));
                length = 0;
            }
            if length > 0 {
                line.push(' ');
            }
            line.push_str(word);
            length += more;
        }
        lines.push(line);
    }
    lines
}
