//! A queue in which connections take turns: one thing from each, and round again.

use std::collections::{HashMap, VecDeque};

/// Things that wait, in order within a connection and in turns between connections.
#[derive(Debug)]
pub struct Turns<T> {
    waiting: HashMap<u64, VecDeque<T>>,
    /// Connections with something waiting, the next one first.
    order: VecDeque<u64>,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { waiting: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T> Turns<T> {
    /// Adds to the end of a connection's queue.
    pub fn push(&mut self, connection: u64, thing: T) {
        let queue = self.waiting.entry(connection).or_default();
        if queue.is_empty() {
            self.order.push_back(connection);
        }
        queue.push_back(thing);
    }

    /// Takes the next thing of the first connection in turn that is `eligible`, which then goes to the end.
    pub fn take(&mut self, eligible: impl Fn(u64) -> bool) -> Option<T> {
        let at = self.order.iter().position(|connection| eligible(*connection))?;
        let connection = self.order.remove(at)?;
        let queue = self.waiting.get_mut(&connection)?;
        let thing = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&connection);
        } else {
            self.order.push_back(connection);
        }
        thing
    }

    /// Forgets everything of a connection.
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
        let mut turns = Turns::default();
        for thing in ["a1", "a2", "a3"] {
            turns.push(1, thing);
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
