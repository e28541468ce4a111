//! Regular patterns of bytes, and the automaton that tells which bytes may come next.
//!
//! An automaton is a set of positions in the pattern, moved forward byte by byte (Thompson, 1968), so that time and memory
//! are bounded by the size of the pattern.

use socle_core::{Error, Kind, Result};
use std::sync::Arc;

/// Most positions of an automaton.
const MAX_NODES: usize = 50_000;

/// A pattern of bytes.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// These bytes.
    Bytes(Vec<u8>),
    /// One byte in one of these ranges, bounds included.
    Byte(Vec<(u8, u8)>),
    /// One pattern after the other.
    Sequence(Vec<Self>),
    /// One of the patterns.
    OneOf(Vec<Self>),
    /// The pattern any number of times.
    Repeat(Box<Self>),
    /// A pattern that occurs in several places.
    Shared(Arc<Self>),
}

impl Pattern {
    /// The bytes of a text.
    pub fn text(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }

    /// The pattern or nothing.
    pub fn optional(pattern: Self) -> Self {
        Self::OneOf(vec![pattern, Self::Sequence(Vec::new())])
    }

    /// At least one and at most `most` times the pattern.
    pub fn up_to(pattern: &Self, most: usize) -> Self {
        let rest = if most > 1 { Self::optional(Self::up_to(pattern, most - 1)) } else { Self::Sequence(Vec::new()) };
        Self::Sequence(vec![pattern.clone(), rest])
    }
}

#[derive(Clone, Debug)]
enum Node {
    /// Takes a byte of the ranges and goes on.
    Byte(Vec<(u8, u8)>, usize),
    /// Goes on at each of these.
    Split(Vec<usize>),
    End,
}

/// The places in a pattern where a text that was read so far may stand, ascending.
pub type Positions = Vec<usize>;

/// A pattern, ready to be moved through.
#[derive(Clone, Debug)]
pub struct Automaton {
    nodes: Vec<Node>,
    start: usize,
}

impl Automaton {
    /// The automaton of a pattern.
    ///
    /// # Errors
    /// `InvalidArgument` when it is too large.
    pub fn new(pattern: &Pattern) -> Result<Self> {
        let mut automaton = Self { nodes: vec![Node::End], start: 0 };
        automaton.start = automaton.add(pattern, 0)?;
        Ok(automaton)
    }

    /// Adds the nodes of a pattern that is followed by `next`. Returns the first.
    fn add(&mut self, pattern: &Pattern, next: usize) -> Result<usize> {
        match pattern {
            Pattern::Bytes(bytes) => {
                bytes.iter().rev().try_fold(next, |next, byte| self.push(Node::Byte(vec![(*byte, *byte)], next)))
            }
            Pattern::Byte(ranges) => self.push(Node::Byte(ranges.clone(), next)),
            Pattern::Sequence(parts) => parts.iter().rev().try_fold(next, |next, part| self.add(part, next)),
            Pattern::OneOf(patterns) => {
                let starts = patterns.iter().map(|pattern| self.add(pattern, next)).collect::<Result<_>>()?;
                self.push(Node::Split(starts))
            }
            Pattern::Shared(pattern) => self.add(pattern, next),
            Pattern::Repeat(pattern) => {
                let again = self.push(Node::Split(vec![next]))?;
                let start = self.add(pattern, again)?;
                self.nodes[again] = Node::Split(vec![start, next]);
                Ok(again)
            }
        }
    }

    fn push(&mut self, node: Node) -> Result<usize> {
        if self.nodes.len() >= MAX_NODES {
            return Err(Error::new(Kind::InvalidArgument, "the constraint of the answer is too large")
                .hint("Use fewer properties, choices, or values."));
        }
        self.nodes.push(node);
        Ok(self.nodes.len() - 1)
    }

    /// The positions before the first byte.
    pub fn start(&self) -> Positions {
        let mut positions = Vec::new();
        self.enter(self.start, &mut positions);
        positions.sort_unstable();
        positions
    }

    /// Adds the positions that are reached from a node without a byte.
    fn enter(&self, node: usize, positions: &mut Positions) {
        let mut pending = vec![node];
        let mut seen = vec![];
        while let Some(node) = pending.pop() {
            match &self.nodes[node] {
                // A repetition of something empty would lead here again and again.
                Node::Split(_) if seen.contains(&node) => {}
                Node::Split(nodes) => {
                    seen.push(node);
                    pending.extend(nodes);
                }
                _ if positions.contains(&node) => {}
                _ => positions.push(node),
            }
        }
    }

    /// The positions after these bytes; empty when the pattern does not permit them.
    pub fn after(&self, positions: &Positions, bytes: &[u8]) -> Positions {
        let mut current = positions.clone();
        for byte in bytes {
            let mut next = Vec::new();
            for position in &current {
                if let Node::Byte(ranges, following) = &self.nodes[*position]
                    && ranges.iter().any(|(low, high)| (low..=high).contains(&byte))
                {
                    self.enter(*following, &mut next);
                }
            }
            next.sort_unstable();
            current = next;
            if current.is_empty() {
                break;
            }
        }
        current
    }

    /// Which bytes may come next.
    pub fn next_bytes(&self, positions: &Positions) -> [bool; 256] {
        let mut next = [false; 256];
        for position in positions {
            if let Node::Byte(ranges, _) = &self.nodes[*position] {
                for (low, high) in ranges {
                    next[usize::from(*low)..=usize::from(*high)].fill(true);
                }
            }
        }
        next
    }

    /// Whether the text may end here.
    pub fn may_end(&self, positions: &Positions) -> bool {
        positions.iter().any(|position| matches!(self.nodes[*position], Node::End))
    }

    /// Whether the text must end here.
    pub fn must_end(&self, positions: &Positions) -> bool {
        positions.iter().all(|position| matches!(self.nodes[*position], Node::End))
    }

    /// Whether the pattern matches a whole text.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        self.may_end(&self.after(&self.start(), bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_sequences_and_repetitions() {
        let digits = Pattern::Byte(vec![(b'0', b'9')]);
        let list = Pattern::Sequence(vec![
            digits.clone(),
            Pattern::Repeat(Box::new(Pattern::Sequence(vec![Pattern::text(", "), digits.clone()]))),
        ]);
        let automaton = Automaton::new(&list).unwrap();
        for text in ["1", "1, 2", "1, 2, 3, 4"] {
            assert!(automaton.matches(text.as_bytes()), "{text}");
        }
        for text in ["", "1,", "1, ", "1 2", "12"] {
            assert!(!automaton.matches(text.as_bytes()), "{text}");
        }
        let few = Automaton::new(&Pattern::up_to(&digits, 3)).unwrap();
        let matching: Vec<bool> =
            ["", "1", "12", "123", "1234"].iter().map(|text| few.matches(text.as_bytes())).collect();
        assert_eq!(matching, [false, true, true, true, false]);
    }

    #[test]
    fn it_tells_what_may_come_next() {
        let automaton = Automaton::new(&Pattern::OneOf(vec![Pattern::text("ab"), Pattern::text("ac")])).unwrap();
        let start = automaton.start();
        let next = |positions: &Positions| {
            let next = automaton.next_bytes(positions);
            (0..=255u8).filter(|byte| next[usize::from(*byte)]).map(char::from).collect::<String>()
        };
        assert_eq!(next(&start), "a");
        let after = automaton.after(&start, b"a");
        assert_eq!(next(&after), "bc");
        assert!(!automaton.may_end(&after));
        let end = automaton.after(&after, b"c");
        assert!(automaton.may_end(&end) && automaton.must_end(&end));
        assert!(automaton.after(&start, b"x").is_empty());
    }

    #[test]
    fn repetitions_of_nothing_end() {
        let nothing = Pattern::Repeat(Box::new(Pattern::Repeat(Box::new(Pattern::Sequence(vec![])))));
        assert!(Automaton::new(&nothing).unwrap().matches(b""));
    }

    #[test]
    fn a_pattern_that_is_too_large_is_refused() {
        let error = Automaton::new(&Pattern::Bytes(vec![b'x'; MAX_NODES])).unwrap_err();
        assert_eq!(error.kind, Kind::InvalidArgument);
    }
}
