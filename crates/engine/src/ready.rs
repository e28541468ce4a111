//! Texts that wait for their model, and which of them run together next.
//!
//! Two aims pull apart: connections take turns, so that nobody waits behind somebody else's million texts, and texts
//! of one length run together, so that little is computed on padding. Each batch is begun by the connection whose turn
//! it is and filled with the texts nearest in length, whosever they are.

use crate::turns::Turns;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::ops::Bound;

/// The longest text of a batch may have this many times the tokens of the shortest: beyond it, padding costs more than
/// another run does.
const MAX_LENGTH_RATIO: usize = 2;

/// How large a batch may become.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Tokens, padding included. A longer text runs alone.
    pub tokens: usize,
    /// Only one text in a run.
    pub single: bool,
}

/// Waiting items, each of one connection, one model and a length in tokens.
#[derive(Debug)]
pub struct Ready<M, T> {
    next: u64,
    items: HashMap<u64, Waiting<M, T>>,
    by_length: HashMap<M, BTreeSet<(usize, u64)>>,
    /// Keys of items; those that ran in somebody else's batch are still in here.
    turns: Turns<u64>,
    tokens: HashMap<u64, usize>,
}

#[derive(Debug)]
struct Waiting<M, T> {
    connection: u64,
    model: M,
    tokens: usize,
    item: T,
}

impl<M, T> Default for Ready<M, T> {
    fn default() -> Self {
        Self {
            next: 0,
            items: HashMap::new(),
            by_length: HashMap::new(),
            turns: Turns::default(),
            tokens: HashMap::new(),
        }
    }
}

impl<M: Clone + Eq + Hash, T> Ready<M, T> {
    /// Adds a text of a connection.
    pub fn push(&mut self, connection: u64, model: M, tokens: usize, item: T) {
        let key = self.next;
        self.next += 1;
        self.by_length.entry(model.clone()).or_default().insert((tokens, key));
        self.turns.push(connection, key);
        *self.tokens.entry(connection).or_default() += tokens;
        self.items.insert(key, Waiting { connection, model, tokens, item });
    }

    /// Takes the next batch. `budget` is asked for the item that begins it.
    pub fn take(&mut self, budget: impl Fn(&T) -> Budget) -> Option<Vec<T>> {
        let (key, first) = loop {
            let key = self.turns.take(|_| true)?;
            if let Some(first) = self.remove(key) {
                break (key, first);
            }
        };
        let budget = budget(&first.item);
        let companions = if budget.single { Vec::new() } else { self.companions(key, &first, budget.tokens) };
        let mut batch = vec![first.item];
        batch.extend(companions.into_iter().filter_map(|key| self.remove(key)).map(|waiting| waiting.item));
        Some(batch)
    }

    /// The texts of the same model nearest in length, as many as fit.
    fn companions(&self, key: u64, first: &Waiting<M, T>, budget: usize) -> Vec<u64> {
        let mut companions = Vec::new();
        let Some(lengths) = self.by_length.get(&first.model) else { return companions };
        let at = (first.tokens, key);
        let mut below = lengths.range(..at).rev().peekable();
        let mut above = lengths.range((Bound::Excluded(at), Bound::Unbounded)).peekable();
        let (mut shortest, mut longest) = (first.tokens, first.tokens);
        loop {
            let to_below = below.peek().map(|(tokens, _)| first.tokens - tokens);
            let to_above = above.peek().map(|(tokens, _)| tokens - first.tokens);
            let nearest = match (to_below, to_above) {
                (Some(below_by), Some(above_by)) if above_by < below_by => above.next(),
                (Some(_), _) => below.next(),
                (None, _) => above.next(),
            };
            let Some(&(tokens, key)) = nearest else { break };
            shortest = shortest.min(tokens);
            longest = longest.max(tokens);
            let padded = (companions.len() + 2) * longest;
            if padded > budget || longest > shortest * MAX_LENGTH_RATIO {
                break;
            }
            companions.push(key);
        }
        companions
    }

    /// Forgets everything of a connection.
    pub fn remove_connection(&mut self, connection: u64) {
        self.turns.remove_connection(connection);
        let keys: Vec<u64> =
            self.items.iter().filter(|(_, waiting)| waiting.connection == connection).map(|(key, _)| *key).collect();
        for key in keys {
            self.remove(key);
        }
    }

    /// Tokens of a connection that wait.
    pub fn tokens_of(&self, connection: u64) -> usize {
        self.tokens.get(&connection).copied().unwrap_or_default()
    }

    fn remove(&mut self, key: u64) -> Option<Waiting<M, T>> {
        let waiting = self.items.remove(&key)?;
        if let Some(lengths) = self.by_length.get_mut(&waiting.model) {
            lengths.remove(&(waiting.tokens, key));
            if lengths.is_empty() {
                self.by_length.remove(&waiting.model);
            }
        }
        if let Some(tokens) = self.tokens.get_mut(&waiting.connection) {
            *tokens -= waiting.tokens;
            if *tokens == 0 {
                self.tokens.remove(&waiting.connection);
            }
        }
        Some(waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(items: &[(u64, &'static str, usize)]) -> Ready<&'static str, (u64, usize)> {
        let mut ready = Ready::default();
        for (connection, model, tokens) in items {
            ready.push(*connection, *model, *tokens, (*connection, *tokens));
        }
        ready
    }

    fn lengths(batch: Vec<(u64, usize)>) -> Vec<usize> {
        batch.into_iter().map(|(_, tokens)| tokens).collect()
    }

    const BUDGET: Budget = Budget { tokens: 100, single: false };

    #[test]
    fn a_batch_holds_the_nearest_lengths_and_stays_within_the_budget() {
        let mut ready = ready(&[(1, "m", 20), (1, "m", 90), (1, "m", 22), (1, "m", 21), (1, "m", 18), (1, "m", 24)]);
        assert_eq!(lengths(ready.take(|_| BUDGET).unwrap()), [20, 21, 18, 22]);
        assert_eq!(lengths(ready.take(|_| BUDGET).unwrap()), [90]);
        assert_eq!(lengths(ready.take(|_| BUDGET).unwrap()), [24]);
        assert!(ready.take(|_| BUDGET).is_none());
    }

    #[test]
    fn a_text_beyond_the_budget_runs_alone_and_lengths_far_apart_do_not_mix() {
        let mut ready = ready(&[(1, "m", 500), (1, "m", 5), (1, "m", 11)]);
        assert_eq!(lengths(ready.take(|_| BUDGET).unwrap()), [500]);
        assert_eq!(lengths(ready.take(|_| BUDGET).unwrap()), [5]);
        assert_eq!(lengths(ready.take(|_| BUDGET).unwrap()), [11]);
    }

    #[test]
    fn models_and_single_runs_do_not_mix() {
        let mut several = ready(&[(1, "m", 10), (1, "n", 10), (1, "m", 10)]);
        assert_eq!(several.take(|_| BUDGET).unwrap().len(), 2);
        assert_eq!(several.take(|_| BUDGET).unwrap().len(), 1);
        let mut single = ready(&[(1, "m", 10), (1, "m", 10)]);
        assert_eq!(single.take(|_| Budget { tokens: 100, single: true }).unwrap().len(), 1);
    }

    #[test]
    fn a_small_connection_is_served_after_one_batch_of_a_large_one() {
        let mut ready = Ready::default();
        for _ in 0..1000 {
            ready.push(1, "m", 10, (1, 10));
        }
        ready.push(2, "m", 60, (2, 60));
        assert!(ready.take(|_| BUDGET).unwrap().iter().all(|(connection, _)| *connection == 1));
        assert_eq!(ready.take(|_| BUDGET).unwrap(), [(2, 60)]);
        assert_eq!(ready.tokens_of(1), 9900);
        ready.remove_connection(1);
        assert_eq!(ready.tokens_of(1), 0);
        assert!(ready.take(|_| BUDGET).is_none());
    }
}
