//! A page: where its lines are, how it is turned, and its words once all lines are read.

use crate::characters::Characters;
use crate::line::{Line, LineWord, ReadLine};
use crate::margins::map_without_margins;
use crate::picture::Picture;
use crate::pixels::{Pixels, Tones};
use crate::recognized::{Recognized, Word};
use crate::regions::{Region, regions};
use crate::repeated::complete;
use crate::shape::{Place, Point, Rectangle, turned, turned_back};
use crate::tensor::Graphs;
use socle_core::Result;

/// Longest side of what the detection graph is given, in pixels. On A4, 10 points of type are then 21 pixels high. With 1,408,
/// the boxes of lines are less exact, and more accents and commas are read wrongly; more than this is hardly better.
const MAX_DETECTION_SIDE: f32 = 1_728.0;

/// Shortest length of the longer side of what the detection graph is given: smaller pictures are enlarged.
const MIN_DETECTION_SIDE: f32 = 736.0;

/// How much a picture is enlarged at most.
const MAX_ENLARGEMENT: f32 = 3.0;

/// The sides of what the detection graph is given are multiples of this.
const DETECTION_STEP: f32 = 32.0;

/// How much longer than high a region is that says something about the direction of lines.
const LINE_RATIO: f32 = 1.5;

/// How much longer than high a line is whose angle is exact.
const LONG_LINE_RATIO: f32 = 5.0;

/// How many pixels of the detection graph the longest line of a page has to descend by, if it is no longer than so many of them: the
/// angle of a few short words is not known to less.
const EXACT: f32 = 2.5;
const SHORT_LINE: f32 = 400.0;

/// Share of its height along the page that a long line has at most in its own direction where it has one: on a page that did not lie
/// flat, less than a degree takes half of a line away.
const OWN_HEIGHT: f32 = 0.9;

/// How much higher than wide a line is that is written upwards or downwards on an upright page.
const UPRIGHT_RATIO: f32 = 2.5;

/// How many lines say whether the page stands on its head.
const VOTES: usize = 12;

/// Mean vote from which the direction graph is believed: 1 is certainty. Otherwise, lines are read both ways.
const CLEAR_VOTE: f32 = 0.5;

/// How many lines are read both ways.
const TRIALS: usize = 3;

/// Mean confidence of a line below which it is no text; the value of PP-OCR.
const MIN_CONFIDENCE: f32 = 0.5;

/// A page whose lines have been found.
#[derive(Debug)]
pub struct Page {
    picture: Picture,
    tones: Tones,
    lines: Vec<Place>,
    rotation: u8,
    skew: f32,
}

impl Page {
    /// Finds the lines of a picture.
    ///
    /// # Errors
    /// `ExtractionFailed` when the picture is too large or not what it says; `InferenceFailed` and `Cancelled` as the graphs.
    pub fn find(picture: Picture, graphs: &dyn Graphs, characters: &Characters) -> Result<Self> {
        picture.check()?;
        let tones = Tones::of(&picture);
        let pixels = Pixels::new(&picture, &tones);
        let (width, height) = pixels.size();
        let (to_width, to_height) = detection_size(width, height);
        let page = pixels.scaled(to_height, to_width);
        let map = map_without_margins(page, DETECTION_STEP as usize, |part| graphs.detect(part))?;
        let mut regions = regions(&map, (width / to_width as f32, height / to_height as f32))?;
        let quarters = u8::from(is_sideways(&regions));
        for region in &mut regions {
            region.hull.iter_mut().for_each(|point| *point = turned(*point, (width, height), quarters));
            // It is measured in the picture, where these lines stand upright.
            region.bend = if quarters == 0 { region.bend } else { 0.0 };
        }
        let skew = skew(&regions, width / to_width as f32);
        let found = in_order(regions.iter().map(|region| (rectangle(region, skew), region.bend)).collect(), skew);
        let usual = usual_height(&found);
        let mut page = Self { picture, tones, lines: Vec::new(), rotation: quarters, skew };
        let back = |corners: [Point; 4]| corners.map(|point| turned_back(point, (width, height), quarters));
        let mut lines: Vec<Place> = Vec::with_capacity(found.len());
        for (rectangle, bend) in &found {
            let corners = back(rectangle.corners());
            lines.push(if rectangle.height > UPRIGHT_RATIO * rectangle.width.max(usual) {
                page.upwards_or_downwards(corners, graphs)?
            } else {
                Place { corners, bend: *bend }
            });
        }
        if page.is_on_its_head(&lines, graphs, characters)? {
            page.rotation = (quarters + 2) % 4;
            lines.reverse();
            lines.iter_mut().for_each(|place| *place = place.turned_over());
        }
        page.lines = lines;
        Ok(page)
    }

    /// Number of lines that are to be read.
    pub fn line_count(&self) -> usize {
        self.lines.len()
    }

    /// A measure of the work of reading a line: its length in multiples of its height.
    pub fn line_length(&self, at: usize) -> f32 {
        self.lines.get(at).map_or(0.0, |place| place.length() / place.height().max(1.0))
    }

    /// Bytes of its picture.
    pub fn picture_bytes(&self) -> usize {
        self.picture.pixels.len()
    }

    /// Reads a line. Lines may be read in any order, and by several threads.
    ///
    /// # Errors
    /// As the recognition graph and [`Characters::read`].
    pub fn read(&self, at: usize, graphs: &dyn Graphs, characters: &Characters) -> Result<ReadLine> {
        match self.lines.get(at) {
            Some(place) => self.read_at(*place, graphs, characters),
            None => Ok(ReadLine::default()),
        }
    }

    fn read_at(&self, place: Place, graphs: &dyn Graphs, characters: &Characters) -> Result<ReadLine> {
        let mut all = ReadLine::default();
        for mut line in Line::cut_out(&self.pixels(), place) {
            let output = graphs.recognize(line.take_pixels())?;
            let mut read = line.read(&characters.read(&output)?);
            for word in &mut read.words {
                complete(word, &self.pixels(), graphs, characters)?;
            }
            all.words.extend(read.words);
            all.unread += read.unread;
        }
        Ok(all)
    }

    fn pixels(&self) -> Pixels<'_> {
        Pixels::new(&self.picture, &self.tones)
    }

    /// The result, of what was read in all lines in their order.
    pub fn finish(&self, lines: Vec<ReadLine>) -> Recognized {
        let (sure, unsure): (Vec<ReadLine>, Vec<ReadLine>) =
            lines.into_iter().partition(|line| confidence(&line.words) >= MIN_CONFIDENCE);
        let left_out: usize = unsure.iter().map(|line| characters(&line.words)).sum();
        let unread = left_out as f32 + sure.iter().chain(&unsure).map(|line| line.unread).sum::<f32>();
        let words = (0..).zip(sure).flat_map(|(line, read)| {
            let word =
                move |word: LineWord| Word { text: word.text, quad: word.quad, confidence: word.confidence, line };
            read.words.into_iter().map(word)
        });
        Recognized {
            words: words.collect(),
            unread: unread.round() as u32,
            rotation: self.rotation,
            skew_degrees: self.skew.to_degrees(),
        }
    }

    /// A line that is higher than wide, as it is read: from below, or from above where the direction graph says so.
    fn upwards_or_downwards(&self, [a, b, c, d]: [Point; 4], graphs: &dyn Graphs) -> Result<Place> {
        let upwards = Place::straight([d, a, b, c]);
        let line = Line::cut_out(&self.pixels(), upwards).into_iter().next();
        let Some(line) = line else { return Ok(upwards) };
        Ok(if vote(&line, graphs)?.is_some_and(|vote| vote > 0.0) { upwards.turned_over() } else { upwards })
    }

    /// Whether most of the longest lines stand on their heads.
    fn is_on_its_head(&self, lines: &[Place], graphs: &dyn Graphs, characters: &Characters) -> Result<bool> {
        let mut longest: Vec<_> = lines.iter().filter(|place| place.length() > place.height()).collect();
        longest.sort_by(|a, b| b.length().total_cmp(&a.length()));
        longest.truncate(VOTES);
        let mut votes = Vec::new();
        for place in &longest {
            let Some(line) = Line::cut_out(&self.pixels(), **place).into_iter().next() else { continue };
            match vote(&line, graphs)? {
                Some(vote) => votes.push(vote),
                None => return Ok(false),
            }
        }
        let mean = votes.iter().sum::<f32>() / votes.len().max(1) as f32;
        if mean.abs() >= CLEAR_VOTE {
            return Ok(mean > 0.0);
        }
        let mut sure = [0.0, 0.0];
        for place in longest.into_iter().take(TRIALS) {
            sure[0] += confidence(&self.read_at(*place, graphs, characters)?.words);
            sure[1] += confidence(&self.read_at(place.turned_over(), graphs, characters)?.words);
        }
        Ok(sure[1] > sure[0])
    }
}

/// From −1, where a line certainly stands upright, to 1, where it stands on its head; `None` without a direction graph.
fn vote(line: &Line, graphs: &dyn Graphs) -> Result<Option<f32>> {
    let output = graphs.direction(line.middle())?;
    Ok(output.map(|output| match output.values.as_slice() {
        [upright, on_its_head] => on_its_head - upright,
        _ => 0.0,
    }))
}

/// The mean confidence of words, each as often as it has characters.
fn confidence(words: &[LineWord]) -> f32 {
    let sure: f32 = words.iter().map(|word| word.confidence * word.text.chars().count() as f32).sum();
    sure / characters(words).max(1) as f32
}

fn characters(words: &[LineWord]) -> usize {
    words.iter().map(|word| word.text.chars().count()).sum()
}

/// Width and height of what the detection graph is given for a picture of this size.
fn detection_size(width: f32, height: f32) -> (usize, usize) {
    let longest = width.max(height);
    let scale = if longest < MIN_DETECTION_SIDE {
        (MIN_DETECTION_SIDE / longest).min(MAX_ENLARGEMENT)
    } else {
        (MAX_DETECTION_SIDE / longest).min(1.0)
    };
    let rounded = |side: f32| ((side * scale / DETECTION_STEP).round().max(1.0) * DETECTION_STEP) as usize;
    (rounded(width), rounded(height))
}

/// Whether lines run up or down the picture, so that the page was turned by a quarter.
fn is_sideways(regions: &[Region]) -> bool {
    let mut balance = 0.0;
    for region in regions {
        let Rectangle { width, height, .. } = region.smallest();
        if height > LINE_RATIO * width {
            balance += height;
        } else if width > LINE_RATIO * height {
            balance -= width;
        }
    }
    balance > 0.0
}

/// The angle of the lines of a page in radians: the median over long lines, each as often as it is long. `pixel` is the side of
/// what was a pixel for the detection graph: a page of short lines that descend by hardly one is straight.
fn skew(regions: &[Region], pixel: f32) -> f32 {
    let mut angles: Vec<(f32, f32)> = regions
        .iter()
        .map(Region::smallest)
        .filter(|rectangle| rectangle.width > LONG_LINE_RATIO * rectangle.height)
        .map(|rectangle| (rectangle.angle, rectangle.width))
        .collect();
    angles.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = angles.iter().map(|(_, width)| width).sum::<f32>() / 2.0;
    let mut seen = 0.0;
    let median = angles.iter().find(|(_, width)| {
        seen += width;
        seen >= half
    });
    let longest = angles.iter().map(|(_, width)| *width).fold(0.0, f32::max);
    let angle = median.map_or(0.0, |(angle, _)| *angle);
    let is_exact = longest > SHORT_LINE * pixel || angle.abs() * longest >= EXACT * pixel;
    if is_exact { angle } else { 0.0 }
}

/// The rectangle of a line: along the page, unless it is long and runs otherwise.
fn rectangle(region: &Region, skew: f32) -> Rectangle {
    let (own, along) = (region.smallest(), region.line(skew));
    let differs = own.width > LONG_LINE_RATIO * own.height && own.height < OWN_HEIGHT * along.height;
    if differs { own } else { along }
}

/// The median height of lines.
fn usual_height(lines: &[(Rectangle, f32)]) -> f32 {
    let mut heights: Vec<f32> = lines.iter().map(|(rectangle, _)| rectangle.height.min(rectangle.width)).collect();
    heights.sort_by(f32::total_cmp);
    heights.get(heights.len() / 2).copied().unwrap_or_default()
}

/// Rectangles with their bends from top to bottom, those beside one another from left to right.
fn in_order(mut lines: Vec<(Rectangle, f32)>, skew: f32) -> Vec<(Rectangle, f32)> {
    let (sin, cos) = skew.sin_cos();
    let across = |rectangle: &Rectangle| rectangle.center.1 * cos - rectangle.center.0 * sin;
    let along = |rectangle: &Rectangle| rectangle.center.0 * cos + rectangle.center.1 * sin;
    lines.sort_by(|a, b| across(&a.0).total_cmp(&across(&b.0)));
    let is_beside = |a: &Rectangle, b: &Rectangle| across(b) - across(a) < a.height.min(b.height) / 2.0;
    let mut rest = lines.as_mut_slice();
    while let Some((first, _)) = rest.first().copied() {
        let beside = rest.iter().take_while(|(rectangle, _)| is_beside(&first, rectangle)).count().max(1);
        let (row, below) = rest.split_at_mut(beside);
        row.sort_by(|a, b| along(&a.0).total_cmp(&along(&b.0)));
        rest = below;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_made_smaller_and_a_stamp_is_made_larger_for_detection() {
        assert_eq!(detection_size(2480.0, 3508.0), (1216, 1728));
        assert_eq!(detection_size(827.0, 1169.0), (832, 1184));
        assert_eq!(detection_size(200.0, 50.0), (608, 160));
        assert_eq!(detection_size(30_000.0, 10.0), (1728, 32));
    }

    fn region(rectangle: Rectangle) -> Region {
        Region { hull: rectangle.corners().to_vec(), bend: 0.0 }
    }

    #[test]
    fn the_angle_of_a_page_is_that_of_most_of_its_long_lines() {
        let line = |angle: f32, width: f32| {
            region(Rectangle { center: (500.0, 500.0), width, height: 10.0, angle: angle.to_radians() })
        };
        let regions = [line(2.0, 800.0), line(2.1, 700.0), line(1.9, 600.0), line(-30.0, 300.0), line(40.0, 20.0)];
        assert!((skew(&regions, 1.4).to_degrees() - 2.0).abs() < 0.01);
        assert_eq!(skew(&[], 1.4), 0.0);
        // Words of a contents page, whose ends are a pixel lower.
        let words = [line(0.5, 150.0), line(0.6, 170.0), line(0.6, 160.0)];
        assert_eq!(skew(&words, 1.4), 0.0);
        assert!((skew(&[line(0.1, 1_000.0)], 1.4).to_degrees() - 0.1).abs() < 0.01);
        assert!(!is_sideways(&regions));
        assert!((rectangle(&regions[3], skew(&regions, 1.4)).angle.to_degrees() + 30.0).abs() < 0.01);
        assert!((rectangle(&regions[4], skew(&regions, 1.4)).angle.to_degrees() - 2.0).abs() < 0.01);
    }

    #[test]
    fn lines_come_from_top_to_bottom_and_from_left_to_right_on_a_page_that_is_not_straight() {
        let angle = 5.0_f32.to_radians();
        let (sin, cos) = angle.sin_cos();
        let at = |along: f32, across: f32| Rectangle {
            center: (along * cos - across * sin, along * sin + across * cos),
            width: 90.0,
            height: 20.0,
            angle,
        };
        let order = [at(0.0, 0.0), at(1000.0, 1.0), at(0.0, 30.0), at(500.0, 31.0), at(1000.0, 29.0), at(0.0, 60.0)];
        let order = order.map(|rectangle| (rectangle, 0.0));
        let mut mixed = order.to_vec();
        mixed.reverse();
        assert_eq!(in_order(mixed, angle), order);
    }
}
