//! Straight lines in a picture: the rules of tables and forms.

use super::glyph::Rule;
use crate::recognition::Ink;

/// Length from which a row of dark pixels may be a rule, as a multiple of the size of the text: strokes of letters are
/// shorter.
const LEAST_LENGTH: f32 = 2.5;
/// Thickness up to which it is one, as a multiple of the size of the text.
const MOST_THICKNESS: f32 = 0.35;
/// Longest break in a rule, in pixels: rules are thin, and scans drop pixels.
const MOST_GAP: usize = 3;
/// Number of vertical rules beside one, within the size of the text, from which they are the bars of a code, hatching, or the grain
/// of a shadow.
const MOST_BESIDE: usize = 3;
/// Distance up to which two pieces are of one rule, as a multiple of the size of the text.
const SAME_PLACE: f32 = 0.05;
/// Share of a rule that lies in the small letters of words, from which it is none.
const MOST_COVERED: f32 = 0.3;
/// Share of its length that is dark in a vertical rule. Between strokes of letters one below the other, there is more white.
const SOLID: f32 = 0.93;
/// Share of the length of such strokes that lies in lines of text with a word at that place.
const LEAST_LETTERED: f32 = 0.9;
/// Most rules of a page; a picture with more is a drawing or a photograph.
const MAX_RULES: usize = 600;
/// Most runs that are looked at, which bounds the time on noise.
const MAX_RUNS: usize = 200_000;

/// A run of dark pixels: where it is across its direction, and from where to where along it.
#[derive(Clone, Copy)]
struct Run {
    at: usize,
    from: usize,
    to: usize,
}

/// The rules of a picture whose text has this size, all in pixels.
pub(super) fn rules(ink: &Ink, size: f32) -> Vec<Rule> {
    let least = ((LEAST_LENGTH * size) as usize).max(16);
    let thick = ((MOST_THICKNESS * size) as usize).max(3);
    let mut rules = Vec::new();
    for vertical in [false, true] {
        let runs = runs(ink, vertical, least);
        let found: Vec<(f32, f32, f32)> = merged(&runs, thick);
        let is_single = |rule: &&(f32, f32, f32)| !vertical || beside(rule, &found, size) < MOST_BESIDE;
        rules.extend(found.iter().filter(is_single).map(|(at, from, to)| Rule {
            vertical,
            at: *at,
            from: *from,
            to: *to,
        }));
    }
    if rules.len() > MAX_RULES { Vec::new() } else { rules }
}

/// Where a word is: its ends, its baseline and its size, in pixels.
pub(super) struct WordPlace {
    pub(super) left: f32,
    pub(super) right: f32,
    pub(super) baseline: f32,
    pub(super) size: f32,
}

/// The rules without those that are strokes of letters one below the other, as of three "j" at the beginning of a word.
pub(super) fn without_letters(mut rules: Vec<Rule>, ink: &Ink, words: &[WordPlace]) -> Vec<Rule> {
    rules.retain(|rule| {
        let (x, rows) = (rule.at as usize, rule.from as usize..rule.to as usize);
        let length = rows.len() as f32;
        let is_dark = |y: &usize| (x.saturating_sub(1)..=x + 1).any(|x| ink.at(x, *y));
        if !rule.vertical || rows.filter(is_dark).count() as f32 >= SOLID * length {
            return true;
        }
        let has_letter = |word: &&WordPlace| (word.left - 1.0..word.right + 1.0).contains(&rule.at);
        // A letter is as high as the size at most, with what is below the line.
        let zone = |word: &WordPlace| {
            (rule.to.min(word.baseline + 0.3 * word.size) - rule.from.max(word.baseline - 0.9 * word.size)).max(0.0)
        };
        words.iter().filter(has_letter).map(zone).sum::<f32>() < LEAST_LETTERED * length
    });
    rules
}

/// The rules that run between words. What runs through them is the edge of a shadow, or of the sheet on a photograph.
pub(super) fn between(mut rules: Vec<Rule>, words: &[WordPlace]) -> Vec<Rule> {
    rules.retain(|rule| {
        let crossed = words.iter().filter(|word| {
            let (y, inner) = (word.baseline - 0.25 * word.size, 0.2 * word.size);
            let is_in_word = (word.left + inner..word.right - inner).contains(&rule.at);
            let is_in_zone = (word.baseline - 0.45 * word.size..word.baseline - 0.12 * word.size).contains(&rule.at);
            if rule.vertical { is_in_word && (rule.from..rule.to).contains(&y) } else { is_in_zone }
        });
        if rule.vertical {
            // Now and then, the words of two cells are read as one.
            let count = crossed.count();
            count < 2 || count < rows_beside(rule, words).div_ceil(2)
        } else {
            let covered =
                crossed.map(|word| (word.right.min(rule.to) - word.left.max(rule.from)).max(0.0)).sum::<f32>();
            covered < MOST_COVERED * (rule.to - rule.from)
        }
    });
    rules
}

/// Number of lines that a vertical rule passes.
fn rows_beside(rule: &Rule, words: &[WordPlace]) -> usize {
    let passed = words.iter().filter(|word| (rule.from..rule.to).contains(&(word.baseline - 0.25 * word.size)));
    let mut rows: Vec<&WordPlace> = passed.collect();
    rows.sort_by(|a, b| a.baseline.total_cmp(&b.baseline));
    rows.chunk_by(|a, b| b.baseline - a.baseline < 0.5 * a.size).count()
}

/// Number of others that are beside a rule, no farther away than a letter. The pieces of a broken one count once.
fn beside((at, from, to): &(f32, f32, f32), rules: &[(f32, f32, f32)], size: f32) -> usize {
    let is_beside = |other: &&(f32, f32, f32)| (other.0 - at).abs() < size && other.1 < *to && other.2 > *from;
    let mut places: Vec<f32> = rules.iter().filter(is_beside).map(|other| other.0).collect();
    places.sort_by(f32::total_cmp);
    places.dedup_by(|a, b| *a - *b < SAME_PLACE * size);
    places.len().saturating_sub(1)
}

/// The picture without these rules, which were found for text of this size: the frame of a field is not part of the
/// letters in it.
pub(super) fn without(ink: &Ink, rules: &[Rule], size: f32) -> Ink {
    let (least, thick) = (((LEAST_LENGTH * size) as usize).max(16), ((MOST_THICKNESS * size) as usize).max(3));
    let mut bare = ink.clone();
    for rule in rules {
        let (middle, from, to) = (rule.at as usize, rule.from as usize, rule.to as usize);
        for at in middle.saturating_sub(thick / 2 + 1)..=middle + thick / 2 + 1 {
            let pixel = |along: usize| if rule.vertical { (at, along) } else { (along, at) };
            let mut begun = None;
            for along in from..=to {
                let (x, y) = pixel(along);
                let is_dark = along < to && ink.at(x, y);
                begun = match begun {
                    None => is_dark.then_some(along),
                    Some(start) if is_dark => Some(start),
                    Some(start) => {
                        // Rows beside the rule have the strokes of letters that touch it.
                        if along - start >= least / 2 {
                            (start..along).map(pixel).for_each(|(x, y)| bare.clear(x, y));
                        }
                        None
                    }
                };
            }
        }
    }
    bare
}

/// The long runs of all rows, or of all columns.
fn runs(ink: &Ink, vertical: bool, least: usize) -> Vec<Run> {
    let (across, along) = if vertical { (ink.width(), ink.height()) } else { (ink.height(), ink.width()) };
    let mut runs = Vec::new();
    for at in 0..across {
        let mut open: Option<(usize, usize)> = None;
        for place in 0..along {
            let is_dark = if vertical { ink.at(at, place) } else { ink.at(place, at) };
            match open {
                Some((from, _)) if is_dark => open = Some((from, place + 1)),
                Some((from, to)) if place - to > MOST_GAP => {
                    if to - from >= least {
                        runs.push(Run { at, from, to });
                    }
                    open = None;
                }
                None if is_dark => open = Some((place, place + 1)),
                _ => {}
            }
        }
        if let Some((from, to)) = open.filter(|(from, to)| to - from >= least) {
            runs.push(Run { at, from, to });
        }
        if runs.len() > MAX_RUNS {
            return Vec::new();
        }
    }
    runs
}

/// Runs on neighbouring rows that overlap are one rule, if that is thin: where it is, and from where to where.
fn merged(runs: &[Run], thick: usize) -> Vec<(f32, f32, f32)> {
    /// Runs on consecutive rows.
    struct Bar {
        first: usize,
        last: usize,
        from: usize,
        to: usize,
    }
    let mut open: Vec<Bar> = Vec::new();
    let mut rules = Vec::new();
    let mut close = |bar: &Bar| {
        if bar.last - bar.first < thick {
            rules.push(((bar.first + bar.last + 1) as f32 / 2.0, bar.from as f32, bar.to as f32));
        }
    };
    for run in runs {
        open.retain(|bar| {
            let goes_on = run.at <= bar.last + 2;
            if !goes_on {
                close(bar);
            }
            goes_on
        });
        match open.iter_mut().find(|bar| run.from < bar.to && bar.from < run.to) {
            Some(bar) => {
                bar.last = run.at;
                (bar.from, bar.to) = (bar.from.min(run.from), bar.to.max(run.to));
            }
            None => open.push(Bar { first: run.at, last: run.at, from: run.from, to: run.to }),
        }
    }
    open.iter().for_each(close);
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use socle_ocr::{Channels, Picture};

    #[test]
    fn thin_lines_are_rules_and_letters_and_boxes_are_not() {
        let (width, height) = (200_usize, 120_usize);
        let mut pixels = vec![255_u8; width * height];
        let mut fill = |x: std::ops::Range<usize>, y: std::ops::Range<usize>| {
            y.for_each(|y| x.clone().for_each(|x| pixels[y * width + x] = 0));
        };
        fill(10..190, 20..22);
        fill(10..100, 60..62);
        fill(110..190, 60..62);
        fill(10..12, 20..100);
        // A letter, and a filled box.
        fill(30..38, 30..40);
        fill(60..160, 70..110);
        let picture =
            Picture { width: width as u32, height: height as u32, channels: Channels::Grey, pixels, dpi: None };
        let found = rules(&Ink::of(&picture), 12.0);
        let of = |vertical: bool| {
            found
                .iter()
                .filter(move |rule| rule.vertical == vertical)
                .map(|rule| (rule.at, rule.from, rule.to))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(false), [(21.0, 10.0, 190.0), (61.0, 10.0, 100.0), (61.0, 110.0, 190.0)]);
        assert_eq!(of(true), [(11.0, 20.0, 100.0)]);
        let bare = without(&Ink::of(&picture), &found, 12.0);
        assert_eq!([20, 21, 60, 61].map(|y| bare.in_row(y, 0..200)), [0; 4]);
        assert_eq!((bare.in_column(11, 0..120), bare.in_row(35, 30..38), bare.in_row(80, 60..160)), (0, 8, 100));
    }

    #[test]
    fn what_runs_through_words_is_no_rule() {
        let word = |left: f32, baseline: f32| WordPlace { left, right: left + 80.0, baseline, size: 20.0 };
        let words: Vec<WordPlace> =
            (1..6_u8).flat_map(|row| [0.0, 100.0, 200.0].map(|left| word(left, 40.0 * f32::from(row)))).collect();
        let across = |at: f32| Rule { vertical: false, at, from: 0.0, to: 280.0 };
        let down = |at: f32| Rule { vertical: true, at, from: 0.0, to: 220.0 };
        let found = between(vec![across(50.0), across(74.0), down(90.0), down(140.0)], &words);
        assert_eq!(found.iter().map(|rule| rule.at).collect::<Vec<_>>(), [50.0, 90.0]);
        // In one row of a table, the words of two cells are read as one.
        let wide = WordPlace { left: 0.0, right: 180.0, baseline: 240.0, size: 20.0 };
        assert_eq!(between(vec![down(90.0)], &words.into_iter().chain([wide]).collect::<Vec<_>>()).len(), 1);
    }

    #[test]
    fn letters_one_below_the_other_are_no_rule() {
        let mut pixels = vec![255_u8; 200 * 120];
        let mut fill = |x: usize, rows: std::ops::Range<usize>| rows.for_each(|y| pixels[y * 200 + x] = 0);
        // A "j" in each of three lines; a rule that touches words; a dotted one between them.
        for line in [10, 32, 54] {
            fill(50, line..line + 2);
            fill(50, line + 4..line + 19);
        }
        fill(100, 10..73);
        (10..73).step_by(3).for_each(|y| fill(150, y..y + 2));
        let picture = Picture { width: 200, height: 120, channels: Channels::Grey, pixels, dpi: None };
        let ink = Ink::of(&picture);
        let found = rules(&ink, 18.0);
        assert_eq!(found.iter().map(|rule| rule.at).collect::<Vec<_>>(), [50.5, 100.5, 150.5]);
        let word = |left: f32, baseline: f32| WordPlace { left, right: left + 30.0, baseline, size: 18.0 };
        let words: Vec<WordPlace> =
            [25.0, 47.0, 69.0].into_iter().flat_map(|y| [word(50.0, y), word(100.0, y)]).collect();
        let kept = without_letters(found, &ink, &words);
        assert_eq!(kept.iter().map(|rule| rule.at).collect::<Vec<_>>(), [100.5, 150.5]);
    }

    #[test]
    fn bars_closer_than_letters_are_no_rules() {
        let mut pixels = vec![255_u8; 200 * 100];
        // A code of bars, and a double rule.
        for x in [20, 24, 29, 33, 38, 150, 154] {
            (10..90).for_each(|y| pixels[y * 200 + x] = 0);
        }
        let picture = Picture { width: 200, height: 100, channels: Channels::Grey, pixels, dpi: None };
        let found = rules(&Ink::of(&picture), 20.0);
        assert_eq!(found.iter().map(|rule| rule.at).collect::<Vec<_>>(), [150.5, 154.5]);
    }
}
