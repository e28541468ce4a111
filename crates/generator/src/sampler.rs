//! Chooses the next token from the numbers that a model gives for each.

use crate::constraint::pattern::{Automaton, Positions};
use crate::prompt::Token;
use std::sync::Arc;

/// What the tokens of a model are, as far as choosing one needs it.
pub trait Pieces {
    /// The bytes of a token; empty for a special one.
    fn bytes(&self, token: Token) -> &[u8];

    /// Whether the token ends an answer.
    fn is_end(&self, token: Token) -> bool;
}

/// Chooses the tokens of one answer.
#[derive(Debug)]
pub struct Sampler {
    temperature: f32,
    random: Random,
    constraint: Option<(Arc<Automaton>, Positions)>,
}

impl Sampler {
    /// A sampler. Without a temperature it takes the most likely token, otherwise it draws one.
    pub fn new(temperature: f32, seed: u64, constraint: Option<Automaton>) -> Self {
        let constraint = constraint.map(|automaton| {
            let start = automaton.start();
            (Arc::new(automaton), start)
        });
        Self { temperature, random: Random(seed), constraint }
    }

    /// The next token; `None` when the constraint permits none or the model gave no numbers.
    pub fn choose(&mut self, logits: &[f32], pieces: &impl Pieces) -> Option<Token> {
        let token = if self.temperature > 0.0 { self.draw(logits, pieces) } else { self.most_likely(logits, pieces) }?;
        if let Some((automaton, positions)) = &mut self.constraint
            && !pieces.is_end(token)
        {
            *positions = automaton.after(positions, pieces.bytes(token));
        }
        Some(token)
    }

    /// Whether the constraint permits nothing more.
    pub fn is_complete(&self) -> bool {
        self.constraint.as_ref().is_some_and(|(automaton, positions)| automaton.must_end(positions))
    }

    fn most_likely(&self, logits: &[f32], pieces: &impl Pieces) -> Option<Token> {
        let best =
            (0..logits.len()).filter(|at| !logits[*at].is_nan()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]))?;
        if self.constraint.is_none() || self.permits(best as Token, pieces) {
            return Some(best as Token);
        }
        let mut order: Vec<usize> = (0..logits.len()).filter(|at| !logits[*at].is_nan()).collect();
        order.sort_unstable_by(|a, b| logits[*b].total_cmp(&logits[*a]));
        let permitted = self.filter(pieces);
        order.into_iter().map(|at| at as Token).find(|token| permitted(*token))
    }

    fn draw(&mut self, logits: &[f32], pieces: &impl Pieces) -> Option<Token> {
        let permitted = self.filter(pieces);
        let candidates: Vec<usize> =
            (0..logits.len()).filter(|at| logits[*at].is_finite() && permitted(*at as Token)).collect();
        drop(permitted);
        let most = candidates.iter().map(|at| logits[*at]).fold(f32::NEG_INFINITY, f32::max);
        let weight = |at: &usize| f64::from((logits[*at] - most) / self.temperature).exp();
        let total: f64 = candidates.iter().map(weight).sum();
        let mut left = self.random.next() * total;
        for at in &candidates {
            left -= weight(at);
            if left < 0.0 {
                return Some(*at as Token);
            }
        }
        // Rounding.
        candidates.last().map(|at| *at as Token)
    }

    fn permits(&self, token: Token, pieces: &impl Pieces) -> bool {
        self.filter(pieces)(token)
    }

    /// Tells of each token whether the constraint permits it next.
    fn filter<'a>(&'a self, pieces: &'a impl Pieces) -> Box<dyn Fn(Token) -> bool + 'a> {
        let Some((automaton, positions)) = &self.constraint else { return Box::new(|_| true) };
        // Most tokens are refused by their first byte.
        let first = automaton.next_bytes(positions);
        let may_end = automaton.may_end(positions);
        Box::new(move |token| {
            if pieces.is_end(token) {
                return may_end;
            }
            let bytes = pieces.bytes(token);
            bytes.first().is_some_and(|byte| first[usize::from(*byte)]) && !automaton.after(positions, bytes).is_empty()
        })
    }
}

/// Random numbers that a seed repeats: SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Debug)]
struct Random(u64);

impl Random {
    /// A number from 0 up to 1, without 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constraint;
    use socle_core::generator::Constraint;

    /// Tokens with these bytes; the last ends an answer.
    struct Words(Vec<&'static [u8]>);

    impl Pieces for Words {
        fn bytes(&self, token: Token) -> &[u8] {
            self.0[token as usize]
        }

        fn is_end(&self, token: Token) -> bool {
            token as usize == self.0.len() - 1
        }
    }

    fn words() -> Words {
        Words(vec![b"maybe", b"ye", b"s", b"no", b"", b"y", b""])
    }

    #[test]
    fn without_temperature_the_most_likely_token_wins() {
        let mut sampler = Sampler::new(0.0, 1, None);
        assert_eq!(sampler.choose(&[0.1, f32::NAN, 3.0, 2.0], &words()), Some(2));
        assert_eq!(sampler.choose(&[], &words()), None);
        assert!(!sampler.is_complete());
    }

    #[test]
    fn a_seed_repeats_what_is_drawn() {
        let logits = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4];
        let drawn = |seed| {
            let mut sampler = Sampler::new(1.0, seed, None);
            (0..20).map(|_| sampler.choose(&logits, &words()).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        // The colder, the more certain.
        let mut cold = Sampler::new(0.001, 3, None);
        assert!((0..20).all(|_| cold.choose(&logits, &words()) == Some(0)));
    }

    #[test]
    fn what_is_drawn_has_the_probabilities_of_the_model() {
        let logits = [2.0f32.ln(), 1.0f32.ln(), 1.0f32.ln()];
        let mut sampler = Sampler::new(1.0, 11, None);
        let mut counts = [0; 3];
        for _ in 0..4000 {
            counts[sampler.choose(&logits, &words()).unwrap() as usize] += 1;
        }
        assert!((1900..2100).contains(&counts[0]) && (900..1100).contains(&counts[1]), "{counts:?}");
    }

    #[test]
    fn a_constraint_permits_only_what_fits() {
        let automaton = || constraint::compile(&Constraint::Choices(vec!["yes", "no"])).unwrap();
        let logits = [9.0, 3.0, 8.0, 2.0, 7.0, 1.0, 6.0];
        let mut sampler = Sampler::new(0.0, 1, automaton());
        assert_eq!(sampler.choose(&logits, &words()), Some(1));
        assert!(!sampler.is_complete());
        assert_eq!(sampler.choose(&logits, &words()), Some(2));
        assert!(sampler.is_complete());
        for seed in 0..20 {
            let mut sampler = Sampler::new(2.0, seed, automaton());
            let first = sampler.choose(&logits, &words()).unwrap();
            assert!([1, 3, 5].contains(&first), "{first}");
        }
        // No token leads on from "y" but "es", which there is none of.
        let mut stuck = Sampler::new(0.0, 1, constraint::compile(&Constraint::Choices(vec!["yx"])).unwrap());
        assert_eq!(stuck.choose(&logits, &words()), Some(5));
        assert_eq!(stuck.choose(&logits, &words()), None);
    }
}
