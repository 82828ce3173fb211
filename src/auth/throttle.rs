//! Limits failed sign-ins and invalid tokens.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::token::digest;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::text::folded;
use crate::state::Attempts;

/// Failed sign-ins are counted over this time.
const WINDOW: Duration = Duration::from_mins(5);
/// Failures from one address, over all accounts.
const PER_PEER: usize = 30;
/// Failures from one address for one account.
const PER_PAIR: usize = 10;
/// Failures from anywhere for one account; further tries are delayed, not refused, so that nobody can lock another person out.
const BEFORE_DELAY: usize = 10;
/// Each further try is delayed by a second more than the one before, up to this.
const MOST_DELAY_S: usize = 5;
/// Invalid tokens are counted over this time.
const TOKEN_WINDOW: Duration = Duration::from_mins(1);
/// Invalid tokens from one address.
const WRONG_TOKENS: usize = 100;

/// Refuses after too many failures. Otherwise counts this try, which [`succeeded`] takes back, and returns how long to wait
/// before it is verified. Counted before verification, so that concurrent tries count too.
pub fn begin(attempts: &Attempts, account: &str, peer: IpAddr, now: Instant) -> Result<Duration, Problem> {
    let keys = Keys::of(account, peer);
    let limits = [(keys.peer, PER_PEER), (keys.pair, PER_PAIR), (keys.account.clone(), usize::MAX)];
    if !attempts.begin(limits, WINDOW, now) {
        return Err(Problem::new(ProblemKind::TooManyRequests, "Too many failed sign-ins. Wait five minutes and try again."));
    }
    let over = attempts.count(&keys.account, WINDOW, now).saturating_sub(BEFORE_DELAY);
    Ok(Duration::from_secs(over.min(MOST_DELAY_S) as u64))
}

/// Takes a successful try back and clears the failures of this address with this account.
pub fn succeeded(attempts: &Attempts, account: &str, peer: IpAddr) {
    let keys = Keys::of(account, peer);
    attempts.forget(&keys.pair);
    attempts.take_back(&keys.account);
    attempts.take_back(&keys.peer);
}

/// Counts an invalid token. Valid tokens are never throttled.
pub fn wrong_token(attempts: &Attempts, peer: IpAddr, now: Instant) -> Result<(), Problem> {
    if attempts.begin([(format!("token {}", network_of(peer)), WRONG_TOKENS)], TOKEN_WINDOW, now) {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::TooManyRequests, "Too many wrong tokens. Wait a minute and try again."))
}

/// Characters of a name that are looked at; no account's is as long.
const LONGEST_NAME: usize = 200;

/// The keys by which tries are counted.
struct Keys {
    peer: String,
    pair: String,
    account: String,
}

impl Keys {
    fn of(account: &str, peer: IpAddr) -> Self {
        // as accounts are found by it, or each way of writing a name would have its own tries
        let start: String = account.chars().take(LONGEST_NAME).collect();
        // a digest, so that long names take no more memory
        let account = hex::encode(digest(&folded(&start)));
        let peer = network_of(peer);
        Self { pair: format!("pair {peer} {account}"), peer: format!("peer {peer}"), account: format!("account {account}") }
    }
}

/// Whom a client's tries and connections are counted for: an IPv6 client usually has a whole /64 network.
pub fn network_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_an_ipv6_client_are_one_network() {
        let network = |text: &str| network_of(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:10.0.0.1"), "10.0.0.1");
        assert_ne!(network("10.0.0.1"), network("10.0.0.2"));
    }

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn a_peer_has_so_many_tries_with_an_account_and_others_go_on() {
        let attempts = Attempts::default();
        let now = Instant::now();
        for _ in 0..PER_PAIR {
            assert_eq!(begin(&attempts, "Anna", peer(1), now).unwrap(), Duration::ZERO);
        }
        assert!(begin(&attempts, "anna", peer(1), now).is_err());
        assert!(begin(&attempts, "bert", peer(1), now).is_ok(), "another account");
        assert_eq!(begin(&attempts, "anna", peer(2), now).unwrap(), Duration::from_secs(1), "from elsewhere: later, not never");
        for last in 3..20 {
            begin(&attempts, "anna", peer(last), now).unwrap();
        }
        assert_eq!(begin(&attempts, "anna", peer(20), now).unwrap(), Duration::from_secs(MOST_DELAY_S as u64));
        assert_eq!(begin(&attempts, "anna", peer(1), now + WINDOW).unwrap(), Duration::ZERO, "later");
    }

    #[test]
    fn a_peer_has_so_many_tries_with_all_accounts() {
        let attempts = Attempts::default();
        let now = Instant::now();
        for round in 0..PER_PEER {
            begin(&attempts, &format!("user {round}"), peer(3), now).unwrap();
        }
        for round in 0..10_000 {
            assert!(begin(&attempts, &format!("{round}"), peer(3), now).is_err());
        }
        assert!(attempts.remembered() <= 2 * PER_PEER + 1, "nothing is kept of what was refused: {}", attempts.remembered());
    }

    #[test]
    fn a_success_takes_its_try_back() {
        let attempts = Attempts::default();
        let now = Instant::now();
        for _ in 0..100 {
            assert_eq!(begin(&attempts, "anna", peer(1), now).unwrap(), Duration::ZERO);
            succeeded(&attempts, "anna", peer(1));
        }
    }

    #[test]
    fn wrong_tokens_are_counted_by_peer() {
        let attempts = Attempts::default();
        let now = Instant::now();
        for _ in 0..WRONG_TOKENS {
            wrong_token(&attempts, peer(1), now).unwrap();
        }
        assert!(wrong_token(&attempts, peer(1), now).is_err());
        assert!(wrong_token(&attempts, peer(2), now).is_ok());
        assert!(wrong_token(&attempts, peer(1), now + TOKEN_WINDOW).is_ok());
    }
}
