//! Pictures of Office Open XML drawings: which part of one its author shows, and which shapes are hidden.

use crate::picture::Crop;
use crate::xml::Element;

/// The picture that a shape is filled with, while its elements are read.
#[derive(Debug, Default)]
pub(crate) struct PictureFill {
    /// The identifier of the picture among the relationships.
    id: Option<String>,
    /// What is cut off: left, top, right, bottom.
    source: [i32; 4],
    /// The distances from the sides of the shape to what fills it; negative where that is larger than the shape.
    stretch: [i32; 4],
}

impl PictureFill {
    /// Reads an element of a fill; `false` if it is none.
    pub(crate) fn read(&mut self, element: &Element<'_>) -> bool {
        match element.name().local() {
            "blip" => *self = Self { id: Some(element.get("embed").unwrap_or_default()), ..Self::default() },
            "srcRect" => self.source = sides(element, ["l", "t", "r", "b"], share),
            "fillRect" => self.stretch = sides(element, ["l", "t", "r", "b"], share),
            // The older form of a drawing, which has no element for its parts.
            "imagedata" => {
                *self = Self {
                    id: Some(element.get("id").unwrap_or_default()),
                    source: sides(element, ["cropleft", "croptop", "cropright", "cropbottom"], vml_share),
                    ..Self::default()
                }
            }
            _ => return false,
        }
        true
    }

    /// The picture that was read, at the end of its fill or of what contains that.
    pub(crate) fn take(&mut self, end: &str) -> Option<(String, Crop)> {
        if !matches!(end, "blipFill" | "buBlip" | "imagedata" | "pic" | "sp" | "drawing" | "pict") {
            return None;
        }
        let Self { id, source, stretch } = std::mem::take(self);
        Some((id?, crop(source, stretch)))
    }
}

/// What is cut off by both: the source is a part of the picture, and the shape is a part of what that is stretched to.
fn crop(source: [i32; 4], stretch: [i32; 4]) -> Crop {
    if source == [0; 4] && stretch.iter().all(|side| *side >= 0) {
        return Crop::Nothing;
    }
    let whole = f64::from(Crop::WHOLE);
    let along = |first: usize, last: usize| {
        let of = |sides: [i32; 4], at: usize| sides.get(at).map_or(0.0, |side| f64::from(*side));
        let shown = (whole - of(source, first) - of(source, last)).max(0.0);
        let filled = whole - of(stretch, first) - of(stretch, last);
        let cut =
            |at: usize| of(source, at) + if filled > 0.0 { shown * (-of(stretch, at)).max(0.0) / filled } else { 0.0 };
        (cut(first).ceil() as i32, cut(last).ceil() as i32)
    };
    let ((left, right), (top, bottom)) = (along(0, 2), along(1, 3));
    Crop::Shares([left, top, right, bottom])
}

fn sides(element: &Element<'_>, names: [&str; 4], share: fn(&str) -> Option<f64>) -> [i32; 4] {
    let side = |name: &str| element.get(name).and_then(|value| share(value.trim())).unwrap_or_default();
    names.map(|name| (side(name) * f64::from(Crop::WHOLE)) as i32)
}

/// "25000", or in the strict variant of the standard "25%".
fn share(value: &str) -> Option<f64> {
    match value.strip_suffix('%') {
        Some(percent) => Some(percent.parse::<f64>().ok()? / 100.0),
        None => Some(value.parse::<f64>().ok()? / f64::from(Crop::WHOLE)),
    }
}

/// "16384f", which are parts of 65,536, or "0.25" or "25%".
fn vml_share(value: &str) -> Option<f64> {
    if let Some(parts) = value.strip_suffix('f') {
        return Some(parts.parse::<f64>().ok()? / 65_536.0);
    }
    if value.ends_with('%') { share(value) } else { value.parse().ok() }
}

/// The shapes that are open, and from which of them on they are hidden.
#[derive(Debug, Default)]
pub(crate) struct OpenShapes {
    count: usize,
    hidden_from: Option<usize>,
}

impl OpenShapes {
    /// Begins a shape.
    pub(crate) fn begin(&mut self) {
        self.count += 1;
    }

    /// Ends the innermost shape.
    pub(crate) fn end(&mut self) {
        self.hidden_from = self.hidden_from.filter(|from| *from < self.count);
        self.count = self.count.saturating_sub(1);
    }

    /// Number of open shapes: groups contain others.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Whether a shape that is open is hidden.
    pub(crate) fn is_hidden(&self) -> bool {
        self.hidden_from.is_some()
    }

    /// Reads the properties that say whether the innermost shape is hidden.
    pub(crate) fn properties(&mut self, element: &Element<'_>) {
        let is_hidden = || matches!(element.get("hidden").as_deref(), Some("1" | "true" | "on"));
        if self.count > 0 && matches!(element.name().local(), "cNvPr" | "docPr") && is_hidden() {
            self.hidden_from.get_or_insert(self.count);
        }
    }
}

/// Whether an element of the older form of a drawing (VML) is a shape that is not to be seen.
pub(crate) fn is_hidden_vml(element: &Element<'_>) -> bool {
    let is_shape =
        matches!(element.name().local(), "shape" | "group" | "rect" | "roundrect" | "oval" | "line" | "polyline");
    is_shape
        && element.get("style").is_some_and(|style| {
            style.split(';').any(|property| {
                let (name, value) = property.split_once(':').unwrap_or_default();
                matches!((name.trim(), value.trim()), ("visibility", "hidden") | ("display", "none"))
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Token, Xml};

    fn shown(xml: &str) -> Option<Crop> {
        let (mut xml, mut fill, mut found) = (Xml::new(xml), PictureFill::default(), None);
        while let Some(token) = xml.next().unwrap() {
            match token {
                Token::Start(element) => drop(fill.read(&element)),
                Token::End(name) => found = found.or(fill.take(name.local())),
                Token::Text(_) => {}
            }
        }
        found.map(|(id, crop)| {
            assert_eq!(id, "a");
            crop
        })
    }

    #[test]
    fn what_a_shape_shows_of_its_picture_is_computed_from_both_rectangles() {
        let fill =
            |more: &str| shown(&format!("<blipFill><blip embed='a'/>{more}<stretch><fillRect/></stretch></blipFill>"));
        assert_eq!(fill(""), Some(Crop::Nothing));
        assert_eq!(fill("<srcRect/>"), Some(Crop::Nothing));
        assert_eq!(fill("<srcRect l='10000' b='50000'/>"), Some(Crop::Shares([10_000, 0, 0, 50_000])));
        assert_eq!(fill("<srcRect t='25%' r='-5000'/>"), Some(Crop::Shares([0, 25_000, -5_000, 0])));
        let stretched = |source: &str, fill: &str| {
            shown(&format!(
                "<blipFill><blip embed='a'/><srcRect {source}/><stretch><fillRect {fill}/></stretch></blipFill>"
            ))
        };
        // Twice as wide as the shape, of which the second half is shown; and of the second half of a picture the first.
        assert_eq!(stretched("", "l='-100000'"), Some(Crop::Shares([50_000, 0, 0, 0])));
        assert_eq!(stretched("l='50000'", "r='-100000'"), Some(Crop::Shares([50_000, 0, 25_000, 0])));
        assert_eq!(stretched("", "l='20000'"), Some(Crop::Nothing));
        let vml = "<imagedata id='a' cropleft='16384f' croptop='.5' cropbottom='-6554f'/>";
        assert_eq!(shown(vml), Some(Crop::Shares([25_000, 50_000, 0, -10_000])));
    }
}
