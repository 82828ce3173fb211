//! Which addresses a request may connect to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// Why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefusal {
    /// Link-local and cloud metadata services.
    #[error("the address is link-local or a metadata service")]
    LinkLocal,
    /// Multicast, broadcast, unspecified and reserved.
    #[error("the address is not a single host's")]
    NotOneHost,
    /// This machine, which only a portal with a single user may use unasked.
    #[error("the address is this machine's own (loopback)")]
    Loopback,
    #[error("the address is the portal's own")]
    Portal,
}

impl AddressRefusal {
    /// What a person reads.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::LinkLocal => "The address is link-local or a metadata service. Dyno never sends requests there.",
            Self::NotOneHost => "The address does not belong to a single host. Dyno never sends requests there.",
            Self::Loopback => {
                "The address is the portal's own machine. With several users an administrator must allow that (DYNO_ALLOW_LOOPBACK)."
            }
            Self::Portal => "The address is the portal itself. Dyno never sends requests there.",
        }
    }
}

/// Which addresses a request may connect to. It travels to the load process with the plan, which checks again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressPolicy {
    /// Whether the machine itself may be asked.
    pub loopback: bool,
    /// Ports of the portal on this machine.
    pub own_ports: Vec<u16>,
    /// Addresses of this machine besides loopback. They lead to its own services just as well, so they count as loopback.
    pub own_addresses: Vec<IpAddr>,
}

impl AddressPolicy {
    /// Checks one address at the moment before a connection to it is made.
    pub fn check(&self, address: IpAddr, port: u16) -> Result<(), AddressRefusal> {
        let address = plain(address);
        let own = address.is_loopback() || address.is_unspecified() || self.own_addresses.contains(&address);
        if own && self.own_ports.contains(&port) {
            return Err(AddressRefusal::Portal);
        }
        if is_link_local(address) {
            return Err(AddressRefusal::LinkLocal);
        }
        if is_no_single_host(address) {
            return Err(AddressRefusal::NotOneHost);
        }
        if own && !self.loopback {
            return Err(AddressRefusal::Loopback);
        }
        Ok(())
    }
}

/// The IPv4 address that an IPv6 address stands for, where it does: mapped, translated (RFC 2765), compatible, NAT64 with the
/// well-known (RFC 6052) and the local-use prefix (RFC 8215), and 6to4.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let segments = v6.segments();
    let embedded = match segments {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => Some((high, low)),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some((high, low)),
        _ => None,
    };
    match embedded {
        Some((high, low)) => IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))),
        None => address,
    }
}

fn is_link_local(address: IpAddr) -> bool {
    /// Metadata services that are not in a link-local range: Azure's, Alibaba's, Oracle's.
    const METADATA_V4: [Ipv4Addr; 3] =
        [Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
    /// AWS's metadata service over IPv6.
    const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || METADATA_V4.contains(&v4),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.segments()[0] & 0xffc0 == 0xfec0 || v6 == METADATA_V6,
    }
}

fn is_no_single_host(address: IpAddr) -> bool {
    match address {
        // The whole of 0.0.0.0/8 leads to this machine on Linux; 240.0.0.0/4 is reserved, broadcast included.
        IpAddr::V4(v4) => v4.octets()[0] == 0 || v4.is_multicast() || v4.octets()[0] >= 240,
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: &AddressPolicy, address: &str, port: u16) -> Result<(), AddressRefusal> {
        policy.check(address.parse().unwrap(), port)
    }

    #[test]
    fn some_addresses_are_never_asked() {
        let policy = AddressPolicy { loopback: true, ..AddressPolicy::default() };
        for address in [
            "169.254.169.254",
            "169.254.1.1",
            "fe80::1",
            "fec0::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "168.63.129.16",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "64:ff9b:1:7:8:9:a9fe:a9fe",
            "::ffff:0:a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "::169.254.169.254",
        ] {
            assert_eq!(check(&policy, address, 80), Err(AddressRefusal::LinkLocal), "{address}");
        }
        for address in ["224.0.0.1", "255.255.255.255", "0.0.0.0", "0.1.2.3", "ff02::1", "::", "240.0.0.1"] {
            assert_eq!(check(&policy, address, 80), Err(AddressRefusal::NotOneHost), "{address}");
        }
    }

    #[test]
    fn loopback_only_where_it_is_allowed() {
        for address in ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b:1::7f00:1"] {
            assert_eq!(check(&AddressPolicy::default(), address, 80), Err(AddressRefusal::Loopback), "{address}");
            assert_eq!(check(&AddressPolicy { loopback: true, ..AddressPolicy::default() }, address, 80), Ok(()), "{address}");
        }
    }

    #[test]
    fn the_portal_itself_is_never_asked() {
        let own = "192.168.7.9".parse().unwrap();
        let policy = AddressPolicy { loopback: true, own_ports: vec![3000], own_addresses: vec![own] };
        let strict = AddressPolicy { loopback: false, ..policy.clone() };
        assert_eq!(
            check(&strict, "192.168.7.9", 8100),
            Err(AddressRefusal::Loopback),
            "the machine's own address is the machine"
        );
        for address in ["127.0.0.1", "::1", "192.168.7.9", "::ffff:192.168.7.9", "0.0.0.0"] {
            assert_eq!(check(&policy, address, 3000), Err(AddressRefusal::Portal), "{address}");
        }
        assert_eq!(check(&policy, "192.168.7.9", 8100), Ok(()));
        assert_eq!(check(&policy, "192.168.7.10", 3000), Ok(()));
    }

    #[test]
    fn ordinary_addresses_are_asked() {
        for address in ["10.0.0.4", "192.168.1.1", "8.8.8.8", "2001:db8::1", "fd12::1"] {
            assert_eq!(check(&AddressPolicy::default(), address, 443), Ok(()), "{address}");
        }
    }
}
