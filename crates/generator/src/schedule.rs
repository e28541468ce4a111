//! Decides what runs next: which requests have a sequence, what beginnings of prompts are kept for the next ones, and how
//! many tokens of each prompt run at once.
//!
//! Knows neither models nor clocks.

use crate::prompt::Token;
use std::time::Duration;

/// Most requests that are in progress at the same time with one model.
pub const MAX_RUNNING: usize = 8;

/// Sequences of a context: those in progress, and as many beginnings that are kept.
pub const SEQUENCES: usize = 2 * MAX_RUNNING;

/// Most tokens of prompts in one run: fewer are slower, more are not faster (bench/README.md). As many run while no answer is
/// written, whatever the pace: slices of another size round otherwise, and the same prompt should have the same answer.
const MAX_SLICE: usize = 128;

/// Most tokens of one run.
pub const MAX_RUN_TOKENS: usize = MAX_SLICE + MAX_RUNNING;

/// Fewest tokens of prompts in one run.
const MIN_SLICE: usize = MAX_RUNNING;

/// Processor time that a run with prompts should take while answers are written, each of which waits for it.
const RUN_TIME: Duration = Duration::from_millis(150);

/// Shortest beginning that is worth sharing, in tokens.
pub const MIN_SHARED: usize = 8;

/// Divides the tokens of a run between prompts: each has an equal share or all that it needs. `turn` says who has the tokens
/// that are left over.
pub fn slices(remaining: &[usize], budget: usize, turn: usize) -> Vec<usize> {
    let mut slices = vec![0; remaining.len()];
    let mut left = budget;
    loop {
        let open: Vec<usize> = (0..remaining.len()).filter(|at| slices[*at] < remaining[*at]).collect();
        if open.is_empty() || left == 0 {
            return slices;
        }
        let share = left / open.len();
        for (at, index) in open.iter().enumerate() {
            let is_first = (at + turn) % open.len() < left % open.len();
            let more = (share + usize::from(share == 0 && is_first)).min(remaining[*index] - slices[*index]).min(left);
            slices[*index] += more;
            left -= more;
        }
    }
}

/// How many tokens of prompts a run has.
#[derive(Debug, Default)]
pub struct Pace {
    seconds_per_token: f64,
}

impl Pace {
    /// Tokens for the next run. `beside_answers` says that answers are written in it, too.
    pub fn slice(&self, beside_answers: bool) -> usize {
        if !beside_answers {
            return MAX_SLICE;
        }
        if self.seconds_per_token <= 0.0 {
            return MIN_SLICE * 2;
        }
        ((RUN_TIME.as_secs_f64() / self.seconds_per_token) as usize).clamp(MIN_SLICE, MAX_SLICE)
    }

    /// Records a run. Short ones say little, because each reads all weights.
    pub fn record(&mut self, tokens: usize, time: Duration) {
        if tokens >= MIN_SLICE {
            let now = time.as_secs_f64() / tokens as f64;
            let before = if self.seconds_per_token > 0.0 { self.seconds_per_token } else { now };
            self.seconds_per_token = 0.75 * before + 0.25 * now;
        }
    }
}

#[derive(Debug)]
enum Slot {
    Empty,
    /// A beginning that was computed, and when it was used last.
    Kept(Vec<Token>, u64),
    /// A request, the beginning of its prompt that others may share once it is computed, and the tokens that it may need.
    Busy {
        head: Vec<Token>,
        is_computed: bool,
        reserved: usize,
    },
}

/// The sequences of a context and what they hold.
///
/// Only the beginning of a prompt, before its last message, is kept for other requests: the time to the first token would
/// otherwise tell whether another session has read the same passages.
#[derive(Debug)]
pub struct Slots {
    slots: Vec<Slot>,
    /// Tokens that the cache holds.
    size: usize,
    clock: u64,
}

/// How a request begins.
#[derive(Debug, Eq, PartialEq)]
pub struct Admission {
    /// Its sequence.
    pub slot: usize,
    /// Sequences to empty first.
    pub evicted: Vec<usize>,
    /// A sequence whose first tokens it shares, and how many.
    pub shared: Option<(usize, usize)>,
}

impl Slots {
    /// Empty sequences that share a cache of `size` tokens.
    pub fn new(size: usize) -> Self {
        Self { slots: (0..SEQUENCES).map(|_| Slot::Empty).collect(), size, clock: 0 }
    }

    /// Gives a sequence to a request that needs at most `reserved` tokens of the cache; `None` while there is no room.
    pub fn admit(&mut self, prompt: &[Token], head: usize, reserved: usize) -> Option<Admission> {
        let busy = self.slots.iter().filter(|slot| matches!(slot, Slot::Busy { .. })).count();
        if busy >= MAX_RUNNING || self.reserved() + reserved > self.size {
            return None;
        }
        self.clock += 1;
        let mut shared = self.longest_beginning(prompt);
        if let Some((from, _)) = shared
            && let Slot::Kept(_, used) = &mut self.slots[from]
        {
            *used = self.clock;
        }
        let mut evicted = Vec::new();
        let is_full = |slots: &Self| !slots.slots.iter().any(|slot| matches!(slot, Slot::Empty));
        while self.reserved() + self.kept() + reserved > self.size || is_full(self) {
            let slot = self.oldest_kept()?;
            shared = shared.filter(|(from, _)| *from != slot);
            self.slots[slot] = Slot::Empty;
            evicted.push(slot);
        }
        let slot = self.slots.iter().position(|slot| matches!(slot, Slot::Empty))?;
        let head = prompt.get(..head).unwrap_or_default().to_vec();
        self.slots[slot] = Slot::Busy { head, is_computed: false, reserved };
        Some(Admission { slot, evicted, shared })
    }

    /// Notes that the beginning of the prompt of a request is computed.
    pub fn head_computed(&mut self, slot: usize) {
        if let Some(Slot::Busy { is_computed, .. }) = self.slots.get_mut(slot) {
            *is_computed = true;
        }
    }

    /// Ends a request. Returns how many tokens of its sequence are kept.
    pub fn finish(&mut self, slot: usize) -> usize {
        let Slot::Busy { head, is_computed, .. } = std::mem::replace(&mut self.slots[slot], Slot::Empty) else {
            return 0;
        };
        let is_kept = self.slots.iter().any(|slot| matches!(slot, Slot::Kept(tokens, _) if tokens.starts_with(&head)));
        if !is_computed || head.len() < MIN_SHARED || is_kept {
            return 0;
        }
        let kept = head.len();
        self.slots[slot] = Slot::Kept(head, self.clock);
        kept
    }

    /// Forgets what a sequence holds.
    pub fn clear(&mut self, slot: usize) {
        self.slots[slot] = Slot::Empty;
    }

    /// The sequence with the longest beginning of a prompt, and its length. The last token of a prompt is always computed.
    fn longest_beginning(&self, prompt: &[Token]) -> Option<(usize, usize)> {
        let most = prompt.len().saturating_sub(1);
        let common = |tokens: &[Token]| tokens.iter().zip(prompt).take_while(|(a, b)| a == b).count().min(most);
        let lengths = self.slots.iter().map(|slot| match slot {
            Slot::Kept(tokens, _) | Slot::Busy { head: tokens, is_computed: true, .. } => common(tokens),
            _ => 0,
        });
        lengths.enumerate().max_by_key(|(_, length)| *length).filter(|(_, length)| *length >= MIN_SHARED)
    }

    fn reserved(&self) -> usize {
        let reserved = |slot: &Slot| if let Slot::Busy { reserved, .. } = slot { *reserved } else { 0 };
        self.slots.iter().map(reserved).sum()
    }

    fn kept(&self) -> usize {
        self.slots.iter().map(|slot| if let Slot::Kept(tokens, _) = slot { tokens.len() } else { 0 }).sum()
    }

    fn oldest_kept(&self) -> Option<usize> {
        let used = |slot: &Slot| if let Slot::Kept(_, used) = slot { Some(*used) } else { None };
        let kept = self.slots.iter().enumerate().filter_map(|(at, slot)| Some((used(slot)?, at)));
        kept.min().map(|(_, at)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_share_a_run() {
        assert_eq!(slices(&[1000], 64, 0), [64]);
        assert_eq!(slices(&[10], 64, 0), [10]);
        assert_eq!(slices(&[1000, 1000], 64, 0), [32, 32]);
        // A short prompt beside long ones is done at once, and leaves them its rest.
        assert_eq!(slices(&[1000, 8, 1000], 64, 0), [28, 8, 28]);
        assert_eq!(slices(&[0, 5], 64, 0), [0, 5]);
        assert_eq!(slices(&[], 64, 0), Vec::<usize>::new());
        for turn in 0..3 {
            let few = slices(&[9, 9, 9], 2, turn);
            assert_eq!(few.iter().sum::<usize>(), 2);
        }
        assert_ne!(slices(&[9, 9, 9], 1, 0), slices(&[9, 9, 9], 1, 1), "another one's turn");
    }

    #[test]
    fn runs_are_short_while_answers_wait_for_them() {
        let mut pace = Pace::default();
        assert!(pace.slice(true) <= 2 * MIN_SLICE, "nothing is known yet");
        pace.record(64, Duration::from_millis(6));
        assert_eq!((pace.slice(true), pace.slice(false)), (MAX_SLICE, MAX_SLICE));
        for _ in 0..30 {
            pace.record(64, Duration::from_millis(320));
        }
        assert!((29..=30).contains(&pace.slice(true)), "{}", pace.slice(true));
        for _ in 0..30 {
            pace.record(16, Duration::from_millis(4000));
        }
        assert_eq!(pace.slice(true), MIN_SLICE);
        pace.record(1, Duration::from_millis(1));
        assert_eq!(pace.slice(true), MIN_SLICE, "a single token says nothing");
        assert_eq!(pace.slice(false), MAX_SLICE, "the same, however fast it is");
    }

    fn prompt(head: Token, rest: Token) -> Vec<Token> {
        [vec![head; 20], vec![rest; 10]].concat()
    }

    #[test]
    fn a_beginning_is_computed_once() {
        let mut slots = Slots::new(1000);
        let first = slots.admit(&prompt(1, 2), 20, 100).unwrap();
        assert_eq!(first, Admission { slot: 0, evicted: vec![], shared: None });
        // Not before it is computed.
        assert_eq!(slots.admit(&prompt(1, 3), 20, 100).unwrap().shared, None);
        slots.head_computed(0);
        assert_eq!(slots.admit(&prompt(1, 4), 20, 100).unwrap().shared, Some((0, 20)));
        assert_eq!(slots.finish(0), 20);
        // What follows the beginning is shared with nobody.
        assert_eq!(slots.admit(&prompt(1, 2), 20, 100).unwrap().shared, Some((0, 20)));
        // A second one with the same beginning keeps nothing.
        slots.head_computed(1);
        assert_eq!(slots.finish(1), 0);
        assert_eq!(slots.admit(&prompt(9, 2), 20, 100).unwrap().shared, None);
    }

    #[test]
    fn the_last_token_of_a_prompt_is_always_computed() {
        let mut slots = Slots::new(1000);
        let all = prompt(1, 2);
        slots.admit(&all, all.len(), 100).unwrap();
        slots.head_computed(0);
        assert_eq!(slots.admit(&all, all.len(), 100).unwrap().shared, Some((0, all.len() - 1)));
    }

    #[test]
    fn the_cache_is_never_promised_twice() {
        let mut slots = Slots::new(250);
        slots.admit(&prompt(1, 1), 20, 100).unwrap();
        slots.head_computed(0);
        slots.admit(&prompt(2, 1), 20, 100).unwrap();
        assert_eq!(slots.admit(&prompt(3, 1), 20, 100), None);
        assert_eq!(slots.finish(0), 20);
        let third = slots.admit(&prompt(3, 1), 20, 100).unwrap();
        assert!(third.evicted.is_empty(), "a beginning has room beside two requests");
        assert_eq!(slots.finish(1), 0, "not computed");
        let fourth = slots.admit(&prompt(1, 1), 20, 150).unwrap();
        assert_eq!((fourth.evicted, fourth.shared), (vec![0], None), "what has no room is not shared either");
    }

    #[test]
    fn requests_and_beginnings_are_bounded() {
        let mut slots = Slots::new(100_000);
        for round in 0..40 {
            let admission = slots.admit(&prompt(round, 1), 20, 100).unwrap();
            slots.head_computed(admission.slot);
            assert_eq!(slots.finish(admission.slot), 20);
        }
        // The last ones are kept.
        assert!(slots.admit(&prompt(39, 2), 20, 100).unwrap().shared.is_some());
        assert!(slots.admit(&prompt(0, 2), 20, 100).unwrap().shared.is_none());
        for round in 2..MAX_RUNNING {
            assert!(slots.admit(&prompt(100 + round as Token, 1), 20, 100).is_some());
        }
        assert_eq!(slots.admit(&prompt(1, 1), 20, 100), None);
    }
}
