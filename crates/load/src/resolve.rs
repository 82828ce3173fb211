//! Name resolution of servers.

use std::net::{SocketAddr, ToSocketAddrs};

use dyno_measure::address::Address;

/// Resolves the IP addresses once, before the measurement. Connections are made to these only, so that a name that resolves
/// differently after the policy check leads nowhere else.
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
