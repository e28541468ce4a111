//! The vectors of the tokens of a document for late interaction (ColBERT), in the form in which a chunk table stores them,
//! and their comparison with those of a query.
//!
//! Vectors are turned first, all alike, which changes no product: models give a few numbers of every vector more weight than
//! all others, and after the turn each number is a sum over many. Of each number `BITS` bits are kept: the nearest of the
//! levels that Lloyd and Max computed for normally distributed numbers (Max, Quantizing for minimum distortion, 1960). Each
//! vector has a factor besides, by which its product with itself is what it was: scores are on the same scale as those of the
//! model. Turn and factor are those of RaBitQ (Gao and Long, 2024).
//!
//! The form, little-endian: format (1 byte), bits of a number (1), numbers of a vector (2), number of vectors (4); then for
//! each vector its factor (4) and its numbers, the first one in the lowest bits, up to a whole byte.
//!
//! Whoever owns the table may have written anything there: reading refuses what does not have this form.

use crate::{Error, Kind, Result, memory};

/// Number of the form, to be raised with every change of it.
const FORMAT: u8 = 1;

/// Bits of a number. Figures for others are in bench/README.md.
const BITS: usize = 2;

/// Numbers in a byte.
const IN_BYTE: usize = 8 / BITS;

/// The values that [`BITS`] bits stand for, ascending.
const LEVELS: [f32; 1 << BITS] = [-1.510_418, -0.452_78, 0.452_78, 1.510_418];

/// Bytes before the vectors.
const HEADER: usize = 8;

/// Bytes of a factor.
const FACTOR: usize = 4;

/// Rounds of a turn, each over the first or the last numbers, as many as the largest power of two.
const ROUNDS: usize = 4;

/// How vectors of one length are turned: signs that look random, and the Walsh-Hadamard transform, in rounds.
struct Turn([Vec<f32>; ROUNDS]);

/// The vectors of a query, to be compared with stored ones.
#[derive(Clone, Debug)]
pub struct Query {
    width: usize,
    turned: Vec<f32>,
}

/// Stored vectors whose form has been checked.
#[derive(Clone, Copy, Debug)]
pub struct TokenVectors<'a> {
    width: usize,
    vectors: &'a [u8],
}

/// Bytes of `count` vectors of `width` numbers.
pub fn size(width: usize, count: usize) -> usize {
    HEADER.saturating_add(count.saturating_mul(vector_size(width)))
}

fn vector_size(width: usize) -> usize {
    FACTOR + width.div_ceil(IN_BYTE)
}

/// Stores vectors of `width` numbers.
///
/// # Errors
/// `DimensionMismatch` for other vectors and for more than the form has room for; `OutOfMemory`.
pub fn pack(vectors: &[&[f32]], width: usize) -> Result<Vec<u8>> {
    let refused = || Error::new(Kind::DimensionMismatch, format!("{} token vectors cannot be stored", vectors.len()));
    let count = u32::try_from(vectors.len()).map_err(|_| refused())?;
    let short = u16::try_from(width).map_err(|_| refused())?;
    if vectors.iter().any(|vector| vector.len() != width) {
        return Err(refused());
    }
    let mut bytes = memory::with_capacity(size(width, vectors.len()))?;
    bytes.extend([FORMAT, BITS as u8]);
    bytes.extend(short.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    let turn = Turn::new(width);
    for vector in vectors {
        let mut turned = vector.to_vec();
        turn.apply(&mut turned);
        pack_one(&turned, &mut bytes);
    }
    Ok(bytes)
}

fn pack_one(vector: &[f32], bytes: &mut Vec<u8>) {
    let of_itself = dot(vector, vector);
    // The numbers of a vector of this length vary as the levels do.
    let scale = if of_itself > 0.0 { (vector.len() as f32 / of_itself).sqrt() } else { 0.0 };
    let codes: Vec<usize> = vector.iter().map(|value| nearest(value * scale)).collect();
    let product: f32 = codes.iter().zip(vector).map(|(code, value)| LEVELS[*code] * value).sum();
    let factor = of_itself / product;
    bytes.extend(if factor.is_finite() { factor } else { 0.0 }.to_le_bytes());
    for codes in codes.chunks(IN_BYTE) {
        bytes.push(codes.iter().rev().fold(0, |byte, code| (byte << BITS) | *code as u8));
    }
}

/// Index of the level that is nearest to a value.
fn nearest(value: f32) -> usize {
    LEVELS.windows(2).filter(|pair| value > (pair[0] + pair[1]) / 2.0).count()
}

impl Turn {
    /// The turn of vectors of `width` numbers. It is part of the form.
    fn new(width: usize) -> Self {
        let sign = |round: usize, at: usize| if splitmix((round * width + at) as u64) & 1 == 0 { -1.0 } else { 1.0 };
        Self(std::array::from_fn(|round| (0..width).map(|at| sign(round, at)).collect()))
    }

    fn apply(&self, vector: &mut [f32]) {
        let length = if vector.is_empty() { 0 } else { 1 << vector.len().ilog2() };
        let scale = 1.0 / (length.max(1) as f32).sqrt();
        for (round, signs) in self.0.iter().enumerate() {
            vector.iter_mut().zip(signs).for_each(|(value, sign)| *value *= sign);
            let from = if round % 2 == 0 { 0 } else { vector.len() - length };
            let part = &mut vector[from..from + length];
            hadamard(part);
            part.iter_mut().for_each(|value| *value *= scale);
        }
    }
}

/// The Walsh-Hadamard transform of as many numbers as a power of two, not scaled.
fn hadamard(values: &mut [f32]) {
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_exact_mut(2 * half) {
            let (first, second) = pair.split_at_mut(half);
            for (a, b) in first.iter_mut().zip(second) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
}

/// Number `at` of the generator splitmix64 (Steele, Lea and Flood, 2014).
fn splitmix(at: u64) -> u64 {
    let mixed = (at.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Query {
    /// Vectors of `width` numbers, one after the other.
    pub fn new(mut vectors: Vec<f32>, width: usize) -> Self {
        let turn = Turn::new(width);
        vectors.chunks_exact_mut(width.max(1)).for_each(|vector| turn.apply(vector));
        Self { width, turned: vectors }
    }
}

impl<'a> TokenVectors<'a> {
    /// Reads vectors of `width` numbers, at most `most` of them. `None` for bytes that do not hold that.
    pub fn read(bytes: &'a [u8], width: usize, most: usize) -> Option<Self> {
        let (header, vectors) = bytes.split_first_chunk::<HEADER>()?;
        let [format, bits, w0, w1, c0, c1, c2, c3] = *header;
        let count = usize::try_from(u32::from_le_bytes([c0, c1, c2, c3])).ok()?;
        let fits = (format, usize::from(bits)) == (FORMAT, BITS)
            && usize::from(u16::from_le_bytes([w0, w1])) == width
            && count <= most
            && bytes.len() == size(width, count);
        fits.then_some(Self { width, vectors })
    }

    /// The sum, over the vectors of a query, of the greatest inner product with one of these; 0 if there are none. `None` if
    /// that is no finite number, and for a query of another length.
    pub fn max_sim(&self, query: &Query) -> Option<f32> {
        if query.width != self.width {
            return None;
        }
        let values = values_of_bytes();
        let query: Vec<&[f32]> = query.turned.chunks_exact(self.width.max(1)).collect();
        let mut greatest = vec![f32::NEG_INFINITY; query.len()];
        let mut vector = vec![0.0; self.width.next_multiple_of(IN_BYTE)];
        for stored in self.vectors.chunks_exact(vector_size(self.width)) {
            let (factor, codes) = stored.split_first_chunk::<FACTOR>()?;
            let factor = Some(f32::from_le_bytes(*factor)).filter(|factor| factor.is_finite())?;
            for (place, code) in vector.chunks_exact_mut(IN_BYTE).zip(codes) {
                place.copy_from_slice(&values[usize::from(*code)]);
            }
            for (greatest, query) in greatest.iter_mut().zip(&query) {
                *greatest = greatest.max(factor * dot(query, &vector[..self.width]));
            }
        }
        let score = if self.vectors.is_empty() { 0.0 } else { greatest.iter().sum::<f32>() };
        score.is_finite().then_some(score)
    }
}

/// The values that each byte of codes stands for.
fn values_of_bytes() -> [[f32; IN_BYTE]; 256] {
    let code = |byte: usize, at: usize| (byte >> (at * BITS)) & (LEVELS.len() - 1);
    std::array::from_fn(|byte| std::array::from_fn(|at| LEVELS[code(byte, at)]))
}

/// The dot product. Eight partial sums, so that the compiler can use vector instructions.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of length 1 from a generator of numbers with mean 0.
    fn vectors(count: usize, width: usize, seed: u64) -> Vec<Vec<f32>> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 24) as f32
        };
        let mut normal = || (0..12).map(|_| next()).sum::<f32>() - 6.0;
        let mut unit = || {
            let vector: Vec<f32> = (0..width).map(|_| normal()).collect();
            let norm = dot(&vector, &vector).sqrt();
            vector.into_iter().map(|value| value / norm).collect()
        };
        (0..count).map(|_| unit()).collect()
    }

    fn packed(vectors: &[Vec<f32>], width: usize) -> Vec<u8> {
        let vectors: Vec<&[f32]> = vectors.iter().map(Vec::as_slice).collect();
        pack(&vectors, width).unwrap()
    }

    fn max_sim(query: &[Vec<f32>], document: &[Vec<f32>]) -> f32 {
        let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let greatest = |query: &Vec<f32>| document.iter().map(|other| product(query, other)).fold(f32::MIN, f32::max);
        query.iter().map(greatest).sum()
    }

    #[test]
    fn a_dot_product_is_one_whatever_the_length() {
        for length in 0..40_u16 {
            let a: Vec<f32> = (0..length).map(f32::from).collect();
            let expected: f32 = a.iter().map(|value| value * value).sum();
            assert_eq!(dot(&a, &a), expected);
        }
    }

    #[test]
    fn a_score_is_that_of_the_vectors_but_for_what_rounding_costs() {
        for (width, count) in [(384, 60), (383, 7), (96, 20)] {
            let document = vectors(count, width, 1);
            // Near to tokens of the document, as those of a query that it answers are.
            let noise = vectors(9, width, 2);
            let near = |(own, noise): (&Vec<f32>, &Vec<f32>)| -> Vec<f32> {
                own.iter().zip(noise).map(|(own, noise)| 0.8 * own + 0.6 * noise).collect()
            };
            let query: Vec<Vec<f32>> = document.iter().zip(&noise).map(near).collect();
            let bytes = packed(&document, width);
            assert_eq!(bytes.len(), size(width, count));
            let read = TokenVectors::read(&bytes, width, count).unwrap();
            let (expected, found) =
                (max_sim(&query, &document), read.max_sim(&Query::new(query.concat(), width)).unwrap());
            assert!((expected - found).abs() < 0.04 * query.len() as f32, "{width}: {found}, not {expected}");
            let own = read.max_sim(&Query::new(document.concat(), width)).unwrap();
            assert!((own - count as f32).abs() < 1e-3, "{width}: a vector has its product with itself, {own}");
        }
    }

    #[test]
    fn a_turn_changes_no_product_and_spreads_every_number() {
        for width in [1, 2, 6, 96, 384, 1000] {
            let two = vectors(2, width, 7);
            let turned = |vector: &[f32]| Query::new(vector.to_vec(), width).turned;
            let product = dot(&turned(&two[0]), &turned(&two[1]));
            assert!((product - dot(&two[0], &two[1])).abs() < 1e-5, "{width}");
            let mut single = vec![0.0; width];
            single[width - 1] = 1.0;
            let largest = turned(&single).into_iter().map(f32::abs).fold(0.0, f32::max);
            assert!(width < 96 || largest < 0.3, "{width}: {largest}");
        }
    }

    #[test]
    fn few_vectors_of_any_length_are_kept() {
        assert_eq!(TokenVectors::read(&packed(&[], 5), 5, 0).unwrap().max_sim(&Query::new(vec![1.0; 5], 5)), Some(0.0));
        let zero = packed(&[vec![0.0; 5]], 5);
        assert_eq!(TokenVectors::read(&zero, 5, 1).unwrap().max_sim(&Query::new(vec![1.0; 5], 5)), Some(0.0));
        let long = packed(&[vec![40.0, -30.0, 0.0]], 3);
        let found = TokenVectors::read(&long, 3, 1).unwrap().max_sim(&Query::new(vec![40.0, -30.0, 0.0], 3)).unwrap();
        assert!((found - 2500.0).abs() < 0.1, "{found}");
        assert_eq!(pack(&[&[1.0, 2.0]], 3).unwrap_err().kind, Kind::DimensionMismatch);
        assert_eq!(pack(&[], 70_000).unwrap_err().kind, Kind::DimensionMismatch);
    }

    #[test]
    fn other_bytes_are_refused() {
        let bytes = packed(&vectors(3, 10, 3), 10);
        assert!(TokenVectors::read(&bytes, 10, 3).is_some());
        for length in 0..bytes.len() {
            assert!(TokenVectors::read(&bytes[..length], 10, 3).is_none(), "{length}");
        }
        assert!(TokenVectors::read(&[bytes.as_slice(), &[0]].concat(), 10, 3).is_none());
        assert!(TokenVectors::read(&bytes, 11, 3).is_none() && TokenVectors::read(&bytes, 10, 2).is_none());
        for at in 0..HEADER {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert!(TokenVectors::read(&other, 10, 100).is_none(), "{at}");
        }
        for factor in [f32::NAN, f32::INFINITY] {
            let mut other = bytes.clone();
            other[HEADER..HEADER + FACTOR].copy_from_slice(&factor.to_le_bytes());
            assert_eq!(
                TokenVectors::read(&other, 10, 3).unwrap().max_sim(&Query::new(vec![9.0; 10], 10)),
                None,
                "{factor}"
            );
        }
    }
}
