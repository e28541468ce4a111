//! Queues that are fair between connections, and between the requests of each: items are taken in round-robin order.

use crate::request::Request;
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

/// Queued items: first in, first out within a request, round-robin between the requests of a connection and between
/// connections. So a document with many pictures does not keep the others of its session waiting.
#[derive(Debug)]
pub struct RequestTurns<T> {
    /// The number of the connection, once for each item of it.
    turns: RoundRobin<u64>,
    /// The items of each connection by request.
    waiting: HashMap<u64, RoundRobin<T>>,
}

impl<T> Default for RequestTurns<T> {
    fn default() -> Self {
        Self { turns: RoundRobin::default(), waiting: HashMap::new() }
    }
}

impl<T> RequestTurns<T> {
    /// Appends to the queue of a request.
    pub fn push(&mut self, request: &Request, item: T) {
        self.turns.push(request.connection, request.connection);
        self.waiting.entry(request.connection).or_default().push(request.id.into(), item);
    }

    /// Takes the oldest item of the request whose turn it is.
    pub fn take(&mut self) -> Option<T> {
        let connection = self.turns.take(|_| true)?;
        let requests = self.waiting.get_mut(&connection)?;
        let item = requests.take(|_| true);
        if requests.order.is_empty() {
            self.waiting.remove(&connection);
        }
        item
    }

    /// Removes all items of a connection.
    pub fn remove_connection(&mut self, connection: u64) {
        self.turns.remove_connection(connection);
        self.waiting.remove(&connection);
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
