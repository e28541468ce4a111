//! A least-recently-used cache whose entries have weights, and whose total weight is limited.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// The cache.
#[derive(Debug)]
pub struct Lru<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// Keys by the number of their last use.
    order: BTreeMap<u64, K>,
    /// Number of the last use of any entry.
    uses: u64,
    /// Total weight of the entries.
    weight: u64,
    /// Largest total weight.
    limit: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: u64,
    used: u64,
}

impl<K: Clone + Eq + Hash, V: Clone> Lru<K, V> {
    /// A cache for entries of this total weight.
    pub fn new(limit: u64) -> Self {
        Self { entries: HashMap::new(), order: BTreeMap::new(), uses: 0, weight: 0, limit }
    }

    /// The value of a key. Counts as a use.
    pub fn get(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.get_mut(key)?;
        self.uses += 1;
        self.order.remove(&entry.used);
        self.order.insert(self.uses, key.clone());
        entry.used = self.uses;
        Some(entry.value.clone())
    }

    /// Adds an entry and returns those that were evicted: the entry itself if it alone exceeds the limit.
    pub fn insert(&mut self, key: K, value: V, weight: u64) -> Vec<(K, V)> {
        self.remove(&key);
        if weight > self.limit {
            return vec![(key, value)];
        }
        self.uses += 1;
        self.order.insert(self.uses, key.clone());
        self.entries.insert(key, Entry { value, weight, used: self.uses });
        self.weight += weight;
        let mut gone = Vec::new();
        while self.weight > self.limit {
            let Some((_, oldest)) = self.order.first_key_value() else { break };
            let oldest = oldest.clone();
            if let Some(value) = self.remove(&oldest) {
                gone.push((oldest, value));
            }
        }
        gone
    }

    /// Removes an entry and returns its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.order.remove(&entry.used);
        self.weight -= entry.weight;
        Some(entry.value)
    }

    /// Removes the entries whose keys do not pass.
    pub fn retain(&mut self, passes: impl Fn(&K) -> bool) {
        let gone: Vec<K> = self.entries.keys().filter(|key| !passes(key)).cloned().collect();
        for key in gone {
            self.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut lru = Lru::new(10);
        lru.insert("a", 1, 4);
        lru.insert("b", 2, 4);
        assert_eq!(lru.get(&"a"), Some(1));
        assert_eq!(lru.insert("c", 3, 4), [("b", 2)]);
        assert_eq!(lru.insert("d", 4, 11), [("d", 4)]);
        assert_eq!(lru.insert("a", 5, 1), []);
        assert_eq!((lru.get(&"a"), lru.get(&"b"), lru.remove(&"c"), lru.get(&"d")), (Some(5), None, Some(3), None));
        assert_eq!(lru.insert("e", 6, 9), []);
        assert_eq!(lru.get(&"a"), Some(5));
    }
}
