//! How often a sign-in may fail.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::domain::problem::{Problem, ProblemKind};
use crate::state::Attempts;

/// Failures are counted over this time.
const WINDOW: Duration = Duration::from_mins(5);
/// For one account, from anywhere.
const PER_ACCOUNT: usize = 10;
/// From one peer, for any account.
const PER_PEER: usize = 30;

/// Refuses when there were too many failures; otherwise counts this try, which [`succeeded`] takes back. Counted before the
/// check, so that tries at the same time count, too.
pub fn begin(attempts: &Attempts, account: &str, peer: IpAddr, now: Instant) -> Result<(), Problem> {
    let [account, peer] = keys(account, peer);
    if attempts.begin([(account, PER_ACCOUNT), (peer, PER_PEER)], WINDOW, now) {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::TooManyRequests, "Too many failed sign-ins. Wait five minutes and try again."))
}

/// The sign-in went well: the account starts anew, and the peer's try does not count.
pub fn succeeded(attempts: &Attempts, account: &str, peer: IpAddr) {
    let [account, peer] = keys(account, peer);
    attempts.forget(&account);
    attempts.take_back(&peer);
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
        let attempts = Attempts::default();
        let now = Instant::now();
        let peer = |last: u8| IpAddr::from([10, 0, 0, last]);
        for _ in 0..PER_ACCOUNT {
            begin(&attempts, "Anna", peer(1), now).unwrap();
        }
        assert!(begin(&attempts, "anna", peer(2), now).is_err(), "the account, from elsewhere");
        assert!(begin(&attempts, "bert", peer(1), now).is_ok(), "another account");
        assert!(begin(&attempts, "anna", peer(2), now + WINDOW).is_ok(), "later");
        for round in 0..PER_PEER {
            begin(&attempts, &format!("user {round}"), peer(3), now).unwrap();
        }
        assert!(begin(&attempts, "one more", peer(3), now).is_err(), "the peer");
    }

    #[test]
    fn a_success_starts_the_account_anew() {
        let attempts = Attempts::default();
        let now = Instant::now();
        let peer = IpAddr::from([10, 0, 0, 1]);
        for _ in 0..100 {
            begin(&attempts, "anna", peer, now).unwrap();
            succeeded(&attempts, "anna", peer);
        }
    }
}
