//! From a server's name to its addresses.

use std::net::{SocketAddr, ToSocketAddrs};

use dyno_measure::address::Address;

/// Asks for the IP addresses, once, before the clock starts: connections are made to these and no others, so that
/// a name which changes its meaning after the check leads nowhere else.
///
/// # Errors
/// When the name is not found; of kind `PermissionDenied` when one of its addresses is not allowed.
pub fn resolve(address: &Address) -> std::io::Result<Vec<SocketAddr>> {
    let found: Vec<SocketAddr> = (address.host.as_str(), address.port).to_socket_addrs()?.collect();
    if let Some(policy) = &address.policy {
        for found in &found {
            policy
                .check(found.ip(), found.port())
                .map_err(|refusal| std::io::Error::new(std::io::ErrorKind::PermissionDenied, refusal.sentence()))?;
        }
    }
    Ok(found)
}
