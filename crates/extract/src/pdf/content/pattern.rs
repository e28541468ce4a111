//! Patterns that areas are filled with: some programs write a scan as one.

use super::{FARTHEST, Run};
use hayro_font::kurbo::{Point, Rect};
use hayro_syntax::content::ops::TypedInstruction as Op;
use hayro_syntax::object::{Name, Object, Stream};
use hayro_syntax::page::Resources;
use socle_core::Result;

/// Most patterns of a page that are looked at: maps have hundreds, of hatches.
const MAX_PATTERNS: usize = 32;

impl<'a> Run<'_, 'a> {
    /// Notes whether what is filled from now on shows pictures.
    pub(super) fn color_operation(&mut self, operation: &Op<'_, '_>, resources: &Resources<'a>) -> Result<()> {
        match operation {
            Op::NonStrokeColorNamed(color) => {
                self.state.pattern_has_pictures = match color.1 {
                    Some(name) => self.pattern_has_pictures(name, resources)?,
                    None => false,
                }
            }
            Op::ColorSpaceNonStroke(_)
            | Op::NonStrokeColor(_)
            | Op::NonStrokeColorDeviceGray(_)
            | Op::NonStrokeColorDeviceRgb(_)
            | Op::NonStrokeColorCmyk(_) => self.state.pattern_has_pictures = false,
            _ => {}
        }
        Ok(())
    }

    fn pattern_has_pictures(&mut self, name: &Name<'_>, resources: &Resources<'a>) -> Result<bool> {
        let Some(Object::Stream(pattern)) = resources.get_pattern(name) else { return Ok(false) };
        if self.patterns == MAX_PATTERNS {
            return Ok(false);
        }
        self.patterns += 1;
        self.draws_pictures(&pattern, resources)
    }

    /// Whether a content stream draws pictures. Its text is decoration, and left out.
    fn draws_pictures(&mut self, stream: &Stream<'a>, resources: &Resources<'a>) -> Result<bool> {
        let page = std::mem::take(&mut self.page);
        let path = std::mem::take(&mut self.path);
        let done = self.object(stream, resources);
        let drawn = std::mem::replace(&mut self.page, page);
        self.path = path;
        done.map(|()| drawn.images)
    }

    /// Notes the pictures that the present path is filled with.
    pub(super) fn fill_with_pictures(&mut self) {
        if !self.state.pattern_has_pictures {
            return;
        }
        let points = || self.path.iter().flat_map(|(from, to)| [*from, *to]);
        let is_near = |point: &Point| point.x.abs() <= FARTHEST && point.y.abs() <= FARTHEST;
        let Some(first) = points().find(is_near) else { return };
        let whole = points().filter(is_near).fold(Rect::from_points(first, first), |all, point| all.union_pt(point));
        self.page.images = true;
        self.page.picture_area += whole.area();
    }
}
