//! Points, their convex hull, and rectangles around them.

/// A place in a picture: pixels from the left and from the top.
pub type Point = (f32, f32);

/// A rectangle whose long sides need not be level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rectangle {
    /// Its middle.
    pub center: Point,
    /// Length along its direction.
    pub width: f32,
    /// Length across.
    pub height: f32,
    /// Angle of its direction in radians, from −π/4 to π/4; positive where it descends to the right.
    pub angle: f32,
}

impl Rectangle {
    /// The smallest rectangle of this direction around the points.
    pub fn around(points: &[Point], angle: f32) -> Self {
        let (sin, cos) = angle.sin_cos();
        let mut bounds = [f32::MAX, f32::MIN, f32::MAX, f32::MIN];
        for (x, y) in points {
            let (along, across) = (x * cos + y * sin, y * cos - x * sin);
            bounds = [bounds[0].min(along), bounds[1].max(along), bounds[2].min(across), bounds[3].max(across)];
        }
        let [left, right, top, bottom] = bounds;
        let (along, across) = ((left + right) / 2.0, (top + bottom) / 2.0);
        let center = (along * cos - across * sin, along * sin + across * cos);
        Self { center, width: right - left, height: bottom - top, angle }
    }

    /// The smallest rectangle around a convex hull: one of its sides lies on a side of the hull (Freeman and Shapira 1975).
    pub fn smallest(hull: &[Point]) -> Self {
        let sides = hull.iter().zip(hull.iter().cycle().skip(1));
        let angles = sides.map(|(a, b)| {
            let angle = (b.1 - a.1).atan2(b.0 - a.0);
            // The direction nearest to level among that of the side and the three at right angles to it.
            angle - (angle / std::f32::consts::FRAC_PI_2).round() * std::f32::consts::FRAC_PI_2
        });
        let area = |rectangle: &Self| rectangle.width * rectangle.height;
        let all = angles.map(|angle| Self::around(hull, angle));
        all.min_by(|a, b| area(a).total_cmp(&area(b))).unwrap_or_else(|| Self::around(hull, 0.0))
    }

    /// Its corners: left above, right above, right below, left below.
    pub fn corners(&self) -> [Point; 4] {
        let (sin, cos) = self.angle.sin_cos();
        let (w, h) = (self.width / 2.0, self.height / 2.0);
        [(-w, -h), (w, -h), (w, h), (-w, h)]
            .map(|(x, y)| (self.center.0 + x * cos - y * sin, self.center.1 + x * sin + y * cos))
    }
}

/// Where a line is in a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Its corners in the order of its writing: begins above, ends above, ends below, begins below.
    pub corners: [Point; 4],
    /// How much lower its ends are than its middle, in pixels across: lines are bent where a page did not lie flat.
    pub bend: f32,
}

impl Place {
    /// A line that is straight.
    pub fn straight(corners: [Point; 4]) -> Self {
        Self { corners, bend: 0.0 }
    }

    /// The same for somebody who stands on his head.
    pub fn turned_over(mut self) -> Self {
        self.corners.rotate_left(2);
        Self { bend: -self.bend, ..self }
    }

    /// Its length.
    pub fn length(&self) -> f32 {
        distance(self.corners[0], self.corners[1])
    }

    /// Its height.
    pub fn height(&self) -> f32 {
        distance(self.corners[0], self.corners[3])
    }

    /// How far the line is from its corners at a part of its length, in pixels across.
    pub fn sag(&self, share: f32) -> f32 {
        sag(self.bend, 2.0 * share - 1.0)
    }
}

/// How far a bent line is from the straight one that is nearest to it, `at` from −1 where it begins to 1 where it ends.
pub fn sag(bend: f32, at: f32) -> f32 {
    bend * (at * at - 1.0 / 3.0)
}

/// The distance of two points.
pub fn distance(a: Point, b: Point) -> f32 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

/// The convex hull of points, in order around it (Andrew 1979).
pub fn hull(mut points: Vec<Point>) -> Vec<Point> {
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    points.dedup();
    if points.len() < 3 {
        return points;
    }
    let half = |points: &mut dyn Iterator<Item = &Point>| {
        let mut side: Vec<Point> = Vec::new();
        for &point in points {
            while let [.., a, b] = side.as_slice()
                && (b.0 - a.0) * (point.1 - a.1) - (b.1 - a.1) * (point.0 - a.0) <= 0.0
            {
                side.pop();
            }
            side.push(point);
        }
        side.pop();
        side
    };
    let mut around = half(&mut points.iter());
    around.extend(half(&mut points.iter().rev()));
    around
}

/// A point of a picture of this size after so many quarter turns clockwise.
pub fn turned((x, y): Point, (width, height): (f32, f32), quarters: u8) -> Point {
    match quarters % 4 {
        0 => (x, y),
        1 => (height - y, x),
        2 => (width - x, height - y),
        _ => (y, width - x),
    }
}

/// The point that [`turned`] takes to this one.
pub fn turned_back(point: Point, (width, height): (f32, f32), quarters: u8) -> Point {
    let size = if quarters.is_multiple_of(2) { (width, height) } else { (height, width) };
    turned(point, size, (4 - quarters % 4) % 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_rectangle_follows_what_is_turned() {
        let level = [(0.0, 0.0), (200.0, 0.0), (200.0, 20.0), (0.0, 20.0)];
        for degrees in [-30.0_f32, -2.0, 0.0, 2.0, 30.0] {
            let (sin, cos) = degrees.to_radians().sin_cos();
            let mut points: Vec<Point> =
                level.iter().map(|(x, y)| (x * cos - y * sin + 500.0, x * sin + y * cos + 500.0)).collect();
            points.push((500.0 + 50.0 * cos - 5.0 * sin, 500.0 + 50.0 * sin + 5.0 * cos));
            let rectangle = Rectangle::smallest(&hull(points.clone()));
            assert!((rectangle.angle.to_degrees() - degrees).abs() < 0.01, "{degrees}: {rectangle:?}");
            assert!((rectangle.width - 200.0).abs() < 0.01 && (rectangle.height - 20.0).abs() < 0.01);
            assert!(rectangle.corners().iter().zip(&points).all(|(a, b)| (a.0 - b.0).hypot(a.1 - b.1) < 0.01));
        }
    }

    #[test]
    fn a_hull_leaves_out_what_is_inside_or_on_a_side() {
        let points = vec![(0.0, 0.0), (2.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0), (2.0, 2.0), (0.0, 0.0)];
        let mut around = hull(points);
        around.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert_eq!(around, [(0.0, 0.0), (0.0, 4.0), (4.0, 0.0), (4.0, 4.0)]);
    }

    #[test]
    fn a_turn_can_be_undone() {
        for quarters in 0..4 {
            let there = turned((10.0, 20.0), (100.0, 300.0), quarters);
            assert_eq!(turned_back(there, (100.0, 300.0), quarters), (10.0, 20.0), "{quarters}");
        }
    }
}
