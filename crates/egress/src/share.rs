//! Places for requests, and who has them: nobody takes so many that others find none.

use socle_core::{Error, Kind, Result};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most requests in progress. Each has a thread and a connection.
pub const MAX_REQUESTS: usize = 64;

/// Most requests of one role.
pub const MAX_OF_ROLE: usize = MAX_REQUESTS / 4;

/// Places that are left to roles that have none yet.
const KEPT_FREE: usize = 8;

/// The requests in progress, by role.
#[derive(Debug, Default)]
pub struct Shares(Mutex<HashMap<String, usize>>);

/// A place, as long as it lives.
#[derive(Debug)]
pub struct Place<'a> {
    shares: &'a Shares,
    role: &'a str,
}

impl Shares {
    /// Takes a place for a role.
    ///
    /// # Errors
    /// `OutOfMemory` when it has as many as it may have, or too few are left.
    pub fn take<'a>(&'a self, role: &'a str) -> Result<Place<'a>> {
        let mut all = self.lock();
        let taken: usize = all.values().sum();
        let own = all.get(role).copied().unwrap_or_default();
        let full = |detail: String| {
            Err(Error::new(Kind::OutOfMemory, "too many requests to endpoints are in progress")
                .detail(detail)
                .hint("Try again later, or with fewer sessions at a time."))
        };
        if own >= MAX_OF_ROLE {
            return full(format!("Role \"{role}\" has {own} of them, which is the limit for one role."));
        }
        if taken >= MAX_REQUESTS || (own > 0 && taken >= MAX_REQUESTS - KEPT_FREE) {
            return full(format!(
                "There are {taken}; the limit is {MAX_REQUESTS}, and the last {KEPT_FREE} are for roles without one."
            ));
        }
        all.insert(role.to_string(), own + 1);
        Ok(Place { shares: self, role })
    }

    /// Number of requests in progress.
    pub fn taken(&self) -> usize {
        self.lock().values().sum()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut all = self.shares.lock();
        match all.get_mut(self.role) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(all.remove(self.role)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_role_leaves_places_to_others() {
        let shares = Shares::default();
        let names: Vec<String> = (0..KEPT_FREE).map(|number| format!("role {number}")).collect();
        let mut places: Vec<_> = (0..MAX_OF_ROLE).map(|_| shares.take("greedy").unwrap()).collect();
        assert_eq!(shares.take("greedy").unwrap_err().kind, Kind::OutOfMemory);
        for role in ["a", "b", "c"] {
            places.extend(std::iter::from_fn(|| shares.take(role).ok()));
        }
        assert_eq!(shares.taken(), MAX_REQUESTS - KEPT_FREE, "the last places are for others");
        let newcomer = shares.take("newcomer").unwrap();
        assert!(shares.take("newcomer").is_err(), "which get one each");
        drop(newcomer);
        places.extend(names.iter().map(|name| shares.take(name).unwrap()));
        assert_eq!((shares.taken(), shares.take("last").is_err()), (MAX_REQUESTS, true));
        drop(places);
        assert_eq!(shares.taken(), 0);
        assert!(shares.take("greedy").is_ok());
    }
}
