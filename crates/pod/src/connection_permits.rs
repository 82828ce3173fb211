//! How many connections may be open, in all and of one peer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const ALL: usize = 256;
/// Most connections of one address: the portal has a few, whoever else is in the cluster none that last.
const OF_PEER: usize = 64;

/// The permits for connections.
#[derive(Clone, Default)]
pub(crate) struct ConnectionPermits(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A connection's permit, given back when it is dropped.
pub(crate) struct ConnectionPermit {
    permits: ConnectionPermits,
    peer: IpAddr,
}

impl ConnectionPermits {
    /// A permit for a connection of this address, if there is one.
    pub(crate) fn take(&self, peer: IpAddr) -> Option<ConnectionPermit> {
        let peer = peer.to_canonical();
        let mut taken = self.taken();
        if taken.values().sum::<usize>() >= ALL || taken.get(&peer).is_some_and(|of_peer| *of_peer >= OF_PEER) {
            return None;
        }
        *taken.entry(peer).or_default() += 1;
        Some(ConnectionPermit { permits: self.clone(), peer })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut taken = self.permits.taken();
        if let Some(of_peer) = taken.get_mut(&self.peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                taken.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_its_share_and_gets_its_permits_back() {
        let permits = ConnectionPermits::default();
        let peer = |last: u8| IpAddr::from([10, 0, 0, last]);
        let mut open: Vec<ConnectionPermit> = (0..OF_PEER).map(|_| permits.take(peer(1)).unwrap()).collect();
        assert!(permits.take(peer(1)).is_none());
        assert!(permits.take("::ffff:10.0.0.1".parse().unwrap()).is_none(), "the same address as IPv6 writes it");
        for other in 2..5 {
            open.extend((0..OF_PEER).map(|_| permits.take(peer(other)).unwrap()));
        }
        assert!(permits.take(peer(5)).is_none(), "all are taken");
        open.truncate(OF_PEER);
        assert!(permits.take(peer(5)).is_some());
        open.pop();
        assert!(permits.take(peer(1)).is_some());
        open.clear();
        assert!(permits.taken().is_empty());
    }
}
