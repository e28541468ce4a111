//! A queue of tokenized texts from which batches for a model are taken.
//!
//! It has to be fair between connections, so that a single query does not wait behind the million texts of another
//! session, and batches have to hold texts of similar length, so that little is computed on padding. The first text of a
//! batch comes from the next connection in round-robin order; the rest are those of the same model nearest in length, of
//! all connections.

use crate::round_robin::RoundRobin;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::ops::Bound;

/// Largest ratio of the longest text of a batch to its shortest, in tokens. Beyond it, padding costs more than another run.
const MAX_LENGTH_RATIO: usize = 2;

/// Limits of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Tokens, padding included. A text that has more runs alone.
    pub tokens: usize,
    /// A batch has one text only.
    pub single: bool,
}

/// Queued items, each with its connection, its model and a length in tokens.
#[derive(Debug)]
pub struct BatchQueue<M, T> {
    /// Key of the next item.
    next: u64,
    items: HashMap<u64, Waiting<M, T>>,
    by_length: HashMap<M, BTreeSet<(usize, u64)>>,
    /// Keys of items in the order of connections. Keys of items that were taken to fill a batch stay until their turn.
    turns: RoundRobin<u64>,
    /// Queued tokens of each connection.
    tokens: HashMap<u64, usize>,
}

#[derive(Debug)]
struct Waiting<M, T> {
    connection: u64,
    model: M,
    tokens: usize,
    item: T,
}

impl<M, T> Default for BatchQueue<M, T> {
    fn default() -> Self {
        Self {
            next: 0,
            items: HashMap::new(),
            by_length: HashMap::new(),
            turns: RoundRobin::default(),
            tokens: HashMap::new(),
        }
    }
}

impl<M: Clone + Eq + Hash, T> BatchQueue<M, T> {
    /// Adds an item of `tokens` tokens.
    pub fn push(&mut self, connection: u64, model: M, tokens: usize, item: T) {
        let key = self.next;
        self.next += 1;
        self.by_length.entry(model.clone()).or_default().insert((tokens, key));
        self.turns.push(connection, key);
        *self.tokens.entry(connection).or_default() += tokens;
        self.items.insert(key, Waiting { connection, model, tokens, item });
    }

    /// Takes the next batch, within the limits that `budget` gives for its first item. `None` when the queue is empty.
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

    /// Keys of the items of the same model nearest in length to `first`, as many as fit into `budget` tokens.
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

    /// Removes all items of a connection.
    pub fn remove_connection(&mut self, connection: u64) {
        self.turns.remove_connection(connection);
        let keys: Vec<u64> =
            self.items.iter().filter(|(_, waiting)| waiting.connection == connection).map(|(key, _)| *key).collect();
        for key in keys {
            self.remove(key);
        }
    }

    /// Queued tokens of a connection.
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

    fn queue(items: &[(u64, &'static str, usize)]) -> BatchQueue<&'static str, (u64, usize)> {
        let mut queue = BatchQueue::default();
        for (connection, model, tokens) in items {
            queue.push(*connection, *model, *tokens, (*connection, *tokens));
        }
        queue
    }

    fn lengths(batch: Vec<(u64, usize)>) -> Vec<usize> {
        batch.into_iter().map(|(_, tokens)| tokens).collect()
    }

    const BUDGET: Budget = Budget { tokens: 100, single: false };

    #[test]
    fn a_batch_holds_the_nearest_lengths_and_stays_within_the_budget() {
        let mut queue = queue(&[(1, "m", 20), (1, "m", 90), (1, "m", 22), (1, "m", 21), (1, "m", 18), (1, "m", 24)]);
        assert_eq!(lengths(queue.take(|_| BUDGET).unwrap()), [20, 21, 18, 22]);
        assert_eq!(lengths(queue.take(|_| BUDGET).unwrap()), [90]);
        assert_eq!(lengths(queue.take(|_| BUDGET).unwrap()), [24]);
        assert!(queue.take(|_| BUDGET).is_none());
    }

    #[test]
    fn a_text_beyond_the_budget_runs_alone_and_lengths_far_apart_do_not_mix() {
        let mut queue = queue(&[(1, "m", 500), (1, "m", 5), (1, "m", 11)]);
        assert_eq!(lengths(queue.take(|_| BUDGET).unwrap()), [500]);
        assert_eq!(lengths(queue.take(|_| BUDGET).unwrap()), [5]);
        assert_eq!(lengths(queue.take(|_| BUDGET).unwrap()), [11]);
    }

    #[test]
    fn models_and_single_runs_do_not_mix() {
        let mut several = queue(&[(1, "m", 10), (1, "n", 10), (1, "m", 10)]);
        assert_eq!(several.take(|_| BUDGET).unwrap().len(), 2);
        assert_eq!(several.take(|_| BUDGET).unwrap().len(), 1);
        let mut single = queue(&[(1, "m", 10), (1, "m", 10)]);
        assert_eq!(single.take(|_| Budget { tokens: 100, single: true }).unwrap().len(), 1);
    }

    #[test]
    fn a_small_connection_is_served_after_one_batch_of_a_large_one() {
        let mut queue = BatchQueue::default();
        for _ in 0..1000 {
            queue.push(1, "m", 10, (1, 10));
        }
        queue.push(2, "m", 60, (2, 60));
        assert!(queue.take(|_| BUDGET).unwrap().iter().all(|(connection, _)| *connection == 1));
        assert_eq!(queue.take(|_| BUDGET).unwrap(), [(2, 60)]);
        assert_eq!(queue.tokens_of(1), 9900);
        queue.remove_connection(1);
        assert_eq!(queue.tokens_of(1), 0);
        assert!(queue.take(|_| BUDGET).is_none());
    }
}
