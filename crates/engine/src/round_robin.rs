//! A queue that is fair between connections: items are taken in round-robin order.

use std::collections::{HashMap, VecDeque};

/// Queued items: first in, first out within a connection, round-robin between connections.
#[derive(Debug)]
pub struct RoundRobin<T> {
    /// The items of each connection; no entry is empty.
    waiting: HashMap<u64, VecDeque<T>>,
    /// Connections that have items, the next one first.
    order: VecDeque<u64>,
}

impl<T> Default for RoundRobin<T> {
    fn default() -> Self {
        Self { waiting: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T> RoundRobin<T> {
    /// Appends to the queue of a connection.
    pub fn push(&mut self, connection: u64, item: T) {
        let queue = self.waiting.entry(connection).or_default();
        if queue.is_empty() {
            self.order.push_back(connection);
        }
        queue.push_back(item);
    }

    /// Takes the oldest item of the first connection that is `eligible`, which then becomes the last in the order.
    pub fn take(&mut self, eligible: impl Fn(u64) -> bool) -> Option<T> {
        let at = self.order.iter().position(|connection| eligible(*connection))?;
        let connection = self.order.remove(at)?;
        let queue = self.waiting.get_mut(&connection)?;
        let item = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&connection);
        } else {
            self.order.push_back(connection);
        }
        item
    }

    /// Removes all items of a connection.
    pub fn remove_connection(&mut self, connection: u64) {
        self.waiting.remove(&connection);
        self.order.retain(|other| *other != connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_alternate_and_the_ineligible_wait() {
        let mut turns = RoundRobin::default();
        for item in ["a1", "a2", "a3"] {
            turns.push(1, item);
        }
        turns.push(2, "b1");
        assert_eq!(turns.take(|_| true), Some("a1"));
        assert_eq!(turns.take(|_| true), Some("b1"));
        turns.push(2, "b2");
        assert_eq!(turns.take(|connection| connection != 1), Some("b2"));
        assert_eq!(turns.take(|connection| connection != 1), None);
        turns.push(3, "c1");
        turns.remove_connection(1);
        assert_eq!(turns.take(|_| true), Some("c1"));
        assert_eq!(turns.take(|_| true), None);
    }
}
