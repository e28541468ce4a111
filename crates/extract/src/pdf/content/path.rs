//! Paths: collects straight horizontal and vertical lines.

use super::{FARTHEST, MAX_RULES, Run, THIN};
use crate::pdf::glyph::Rule;
use hayro_font::kurbo::{Point, Vec2};
use hayro_syntax::content::ops::TypedInstruction as Op;

impl Run<'_, '_> {
    pub(super) fn path_operation(&mut self, operation: &Op<'_, '_>) {
        let is_stroke = matches!(operation, Op::CubicTo(_) | Op::CubicStartTo(_) | Op::CubicEndTo(_) | Op::LineTo(_));
        self.page.strokes += usize::from(is_stroke);
        let is_fill = matches!(
            operation,
            Op::FillPathNonZero(_)
                | Op::FillPathNonZeroCompatibility(_)
                | Op::FillPathEvenOdd(_)
                | Op::FillAndStrokeNonZero(_)
                | Op::FillAndStrokeEvenOdd(_)
                | Op::CloseFillAndStrokeNonZero(_)
                | Op::CloseFillAndStrokeEvenOdd(_)
        );
        if is_fill {
            self.fill_with_pictures();
        }
        match operation {
            Op::MoveTo(to) => {
                self.start = Point::new(to.0.as_f64(), to.1.as_f64());
                self.last = self.start;
            }
            Op::LineTo(to) => self.line_to(Point::new(to.0.as_f64(), to.1.as_f64())),
            Op::CubicTo(to) => self.last = Point::new(to.4.as_f64(), to.5.as_f64()),
            Op::CubicStartTo(to) => self.last = Point::new(to.2.as_f64(), to.3.as_f64()),
            Op::CubicEndTo(to) => self.last = Point::new(to.2.as_f64(), to.3.as_f64()),
            Op::ClosePath(_) => self.line_to(self.start),
            Op::RectPath(r) => {
                self.start = Point::new(r.0.as_f64(), r.1.as_f64());
                self.last = self.start;
                let (width, height) = (Vec2::new(r.2.as_f64(), 0.0), Vec2::new(0.0, r.3.as_f64()));
                for corner in [width, width + height, height, Vec2::ZERO] {
                    self.line_to(self.start + corner);
                }
            }
            Op::StrokePath(_)
            | Op::FillAndStrokeNonZero(_)
            | Op::FillAndStrokeEvenOdd(_)
            | Op::CloseAndStrokePath(_)
            | Op::CloseFillAndStrokeNonZero(_)
            | Op::CloseFillAndStrokeEvenOdd(_) => self.draw(false),
            Op::FillPathNonZero(_) | Op::FillPathNonZeroCompatibility(_) | Op::FillPathEvenOdd(_) => self.draw(true),
            Op::EndPath(_) => self.path.clear(),
            _ => {}
        }
    }

    fn line_to(&mut self, to: Point) {
        if self.path.len() < MAX_RULES {
            self.path.push((self.state.ctm * self.last, self.state.ctm * to));
        }
        self.last = to;
    }

    /// Adds the straight lines of the path. A thin filled rectangle is a line; the edges of others are lines, because
    /// table cells may be filled.
    fn draw(&mut self, filled: bool) {
        let path = std::mem::take(&mut self.path);
        for four in path.chunks(if filled { 4 } else { 1 }) {
            if filled && thickness(four) <= THIN {
                let length = |(from, to): &&(Point, Point)| (*to - *from).hypot2();
                let longest = four.iter().max_by(|a, b| length(a).total_cmp(&length(b)));
                longest.into_iter().for_each(|line| self.rule(line));
            } else {
                four.iter().for_each(|line| self.rule(line));
            }
        }
    }

    fn rule(&mut self, (from, to): &(Point, Point)) {
        let length = (*to - *from).hypot();
        let far = [from.x, from.y, to.x, to.y].into_iter().any(|n| n.is_nan() || n.abs() > FARTHEST);
        if far || length < THIN || self.page.rules.len() >= MAX_RULES {
            return;
        }
        let vertical = (to.y - from.y).abs() > (to.x - from.x).abs();
        let pair = |a: f64, b: f64| (a.min(b) as f32, a.max(b) as f32);
        let (along, across) =
            if vertical { (pair(from.y, to.y), pair(from.x, to.x)) } else { (pair(from.x, to.x), pair(from.y, to.y)) };
        if across.1 - across.0 < 1.0 {
            let at = (across.0 + across.1) / 2.0;
            self.page.rules.push(Rule { vertical, at, from: along.0, to: along.1 });
        }
    }
}

/// Thickness of a segment or rectangle.
fn thickness(path: &[(Point, Point)]) -> f64 {
    let points = || path.iter().flat_map(|(from, to)| [*from, *to]);
    let extent = |of: fn(Point) -> f64| {
        let (low, high) = points().map(of).fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
        high - low
    };
    extent(|point| point.x).min(extent(|point| point.y))
}
