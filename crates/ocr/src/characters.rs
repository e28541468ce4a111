//! The characters that a recognition graph knows, and what it says about a line.
//!
//! Connectionist temporal classification (Graves et al. 2006): each step along a line is a character or the blank between
//! two; of steps that follow one another with the same character, one counts. The most probable path is read.

use crate::tensor::Tensor;
use socle_core::{Error, Kind, Result};

/// Most characters that a list may have.
const MAX_CHARACTERS: usize = 1 << 20;

/// The characters of a recognition graph, in the order of its classes.
#[derive(Clone, Debug)]
pub struct Characters {
    list: Vec<String>,
}

/// A character of a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Read<'a> {
    /// The character, which may consist of several code points.
    pub text: &'a str,
    /// Where its middle is: 0 is the beginning of what the graph was given, 1 its end.
    pub at: f32,
    /// How surely it is this one.
    pub confidence: f32,
    /// How surely there is a space before it, though none was read.
    pub space_before: f32,
}

impl Characters {
    /// The list as PP-OCR states it: one character a line, in the metadata of the graph as `character` or in a file.
    ///
    /// # Errors
    /// `DamagedModelFile` when it is empty or too long.
    pub fn new(list: &str) -> Result<Self> {
        let list: Vec<String> = list
            .trim_end_matches(['\r', '\n'])
            .split('\n')
            .map(|line| line.trim_end_matches('\r').to_string())
            .collect();
        if list.len() < 2 || list.len() > MAX_CHARACTERS {
            return Err(Error::new(Kind::DamagedModelFile, "the list of characters is empty or too long"));
        }
        Ok(Self { list })
    }

    /// Whether it has a character of its own for this one.
    pub fn contains(&self, character: char) -> bool {
        let mut buffer = [0; 4];
        let text: &str = character.encode_utf8(&mut buffer);
        self.list.iter().any(|known| known == text)
    }

    /// Whether a graph with so many classes belongs to this list: there is the blank, which is the first, and a space after
    /// the last, unless the list has one itself.
    pub fn fits(&self, classes: usize) -> bool {
        (self.list.len() + 1..=self.list.len() + 2).contains(&classes)
    }

    /// The text of a line.
    ///
    /// # Errors
    /// `InferenceFailed` when the output has another number of classes.
    pub fn read(&self, output: &Tensor) -> Result<Vec<Read<'_>>> {
        let (steps, classes) = output.table()?;
        if !self.fits(classes) {
            return Err(Error::new(Kind::InferenceFailed, "the graph has other characters than its list")
                .detail(format!("It tells {classes} classes apart, the list has {} characters.", self.list.len())));
        }
        let mut read: Vec<(Read<'_>, usize)> = Vec::new();
        let mut previous = 0;
        let space = self.list.iter().position(|known| known == " ").unwrap_or(self.list.len()) + 1;
        let mut space_before = 0.0_f32;
        for (step, probabilities) in output.values.chunks_exact(classes).enumerate() {
            let (class, confidence) = largest(probabilities);
            space_before = space_before.max(probabilities.get(space).copied().unwrap_or_default());
            if class == previous && class != 0 {
                if let Some((read, begin)) = read.last_mut() {
                    read.confidence = read.confidence.max(confidence);
                    read.at = ((*begin + step) as f32 / 2.0 + 0.5) / steps as f32;
                }
            } else if class != 0 {
                let text = self.list.get(class - 1).map_or(" ", String::as_str);
                read.push((Read { text, at: (step as f32 + 0.5) / steps as f32, confidence, space_before }, step));
                space_before = 0.0;
            }
            previous = class;
        }
        Ok(read.into_iter().map(|(read, _)| read).collect())
    }
}

/// The largest value and its index; the first of equal ones.
fn largest(values: &[f32]) -> (usize, f32) {
    // In parts, because the compiler turns a plain maximum into vector instructions, but not one with its index.
    const PART: usize = 256;
    let mut best = (0, f32::MIN);
    for (part, values) in values.chunks(PART).enumerate() {
        let largest = values.iter().copied().fold(f32::MIN, f32::max);
        if largest > best.1 {
            let at = values.iter().position(|value| *value == largest).unwrap_or_default();
            best = (part * PART + at, largest);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(steps: &[(usize, f32)]) -> Tensor {
        let mut values = vec![0.0; steps.len() * 5];
        for (at, (class, confidence)) in steps.iter().enumerate() {
            values[at * 5 + class] = *confidence;
        }
        Tensor { shape: vec![1, steps.len(), 5], values }
    }

    #[test]
    fn repeated_steps_are_one_character_unless_a_blank_is_between() {
        let characters = Characters::new("a\nb\nc\n").unwrap();
        let steps = [(0, 1.0), (1, 0.6), (1, 0.8), (0, 0.9), (1, 0.7), (4, 0.9), (2, 0.5), (3, 0.4)];
        let output = output(&steps);
        let read = characters.read(&output).unwrap();
        assert_eq!(read.iter().map(|read| read.text).collect::<String>(), "aa bc");
        assert_eq!((read[0].at, read[0].confidence), (2.0 / 8.0, 0.8));
        assert_eq!((read[1].at, read[4].confidence), (4.5 / 8.0, 0.4));
    }

    #[test]
    fn a_space_that_is_not_the_most_probable_is_told() {
        let characters = Characters::new("a\nb\nc\n").unwrap();
        let mut output = output(&[(1, 0.9), (0, 0.6), (2, 0.9), (3, 0.9)]);
        output.values[5 + 4] = 0.3;
        let spaces: Vec<f32> = characters.read(&output).unwrap().iter().map(|read| read.space_before).collect();
        assert_eq!(spaces, [0.0, 0.3, 0.0]);
    }

    #[test]
    fn a_graph_with_other_classes_is_refused() {
        let characters = Characters::new("a\nb\nc\nd\ne").unwrap();
        assert_eq!(characters.read(&output(&[(1, 1.0)])).unwrap_err().kind, Kind::InferenceFailed);
        assert!(characters.contains('e') && !characters.contains('f'));
        assert!(Characters::new("\n").is_err());
    }

    #[test]
    fn the_largest_of_many_is_found() {
        let mut values = vec![0.1; 1000];
        values[777] = 0.5;
        values[900] = 0.5;
        assert_eq!(largest(&values), (777, 0.5));
    }
}
