//! How often a sign-in may fail.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::problem::{Problem, ProblemKind};

/// Failures are counted over this time.
const WINDOW: Duration = Duration::from_mins(5);
/// For one account, from anywhere.
const PER_ACCOUNT: usize = 10;
/// From one peer, for any account.
const PER_PEER: usize = 30;
/// More keys than these are not remembered: the oldest go.
const MOST_KEYS: usize = 10_000;

/// Counts failed sign-ins by account and by peer, in memory: a restart forgives.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: Mutex<HashMap<String, Vec<Instant>>>,
}

impl Throttle {
    /// Refuses when there were too many failures; otherwise counts this try, which [`Self::succeeded`] takes back. Counted
    /// before the check, so that tries at the same time count, too.
    pub fn begin(&self, account: &str, peer: IpAddr, now: Instant) -> Result<(), Problem> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = keys(account, peer);
        for (key, most) in keys.iter().zip([PER_ACCOUNT, PER_PEER]) {
            let times = failures.entry(key.clone()).or_default();
            times.retain(|time| now.duration_since(*time) < WINDOW);
            if times.len() >= most {
                return Err(Problem::new(
                    ProblemKind::TooManyRequests,
                    "Too many failed sign-ins. Wait five minutes and try again.",
                ));
            }
        }
        for key in keys {
            failures.entry(key).or_default().push(now);
        }
        if failures.len() > MOST_KEYS {
            failures.retain(|_, times| times.last().is_some_and(|last| now.duration_since(*last) < WINDOW));
        }
        if failures.len() > MOST_KEYS {
            let oldest = failures.iter().min_by_key(|(_, times)| times.last().copied()).map(|(key, _)| key.clone());
            oldest.map(|key| failures.remove(&key));
        }
        Ok(())
    }

    /// The sign-in went well: the account starts anew, and the peer's try does not count.
    pub fn succeeded(&self, account: &str, peer: IpAddr) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let [account, peer] = keys(account, peer);
        failures.remove(&account);
        if let Some(times) = failures.get_mut(&peer) {
            times.pop();
        }
    }
}

fn keys(account: &str, peer: IpAddr) -> [String; 2] {
    // One household or one machine has a whole IPv6 network of 64 bits.
    let peer = match peer {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            address.to_ipv4_mapped().map_or_else(|| format!("{:x?}", &address.segments()[..4]), |mapped| mapped.to_string())
        }
    };
    [format!("account {}", account.to_lowercase()), format!("peer {peer}")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_and_a_peer_have_so_many_tries() {
        let throttle = Throttle::default();
        let now = Instant::now();
        let peer = |last: u8| IpAddr::from([10, 0, 0, last]);
        for _ in 0..PER_ACCOUNT {
            throttle.begin("Anna", peer(1), now).unwrap();
        }
        assert!(throttle.begin("anna", peer(2), now).is_err(), "the account, from elsewhere");
        assert!(throttle.begin("bert", peer(1), now).is_ok(), "another account");
        assert!(throttle.begin("anna", peer(2), now + WINDOW).is_ok(), "later");
        for round in 0..PER_PEER {
            throttle.begin(&format!("user {round}"), peer(3), now).unwrap();
        }
        assert!(throttle.begin("one more", peer(3), now).is_err(), "the peer");
    }

    #[test]
    fn a_success_starts_the_account_anew() {
        let throttle = Throttle::default();
        let now = Instant::now();
        let peer = IpAddr::from([10, 0, 0, 1]);
        for _ in 0..100 {
            throttle.begin("anna", peer, now).unwrap();
            throttle.succeeded("anna", peer);
        }
    }
}
