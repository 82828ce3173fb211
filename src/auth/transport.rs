//! The transport of a request: https, or plain http from this machine or from elsewhere.

use axum::http::{HeaderMap, Uri, header};

use crate::state::Config;
use crate::state::config::is_loopback;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// https, by the public address.
    Https,
    /// Plain http on this machine.
    Loopback,
    /// Plain http from elsewhere: accepted with tokens, not with cookies.
    Plain,
}

/// The host without its port.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.is_empty() => host,
        _ => authority,
    }
}

/// The request's authority: that of the request line where there is one (HTTP/2), else the `Host` header.
pub fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    uri.authority()
        .map(axum::http::uri::Authority::as_str)
        .or_else(|| headers.get(header::HOST).and_then(|host| host.to_str().ok()))
}

/// The transport of a request with this authority; `None` when the host is not one of the portal's names.
pub fn transport(config: &Config, authority: &str) -> Option<Transport> {
    let authority = authority.to_ascii_lowercase();
    if let Some(public) = &config.public_url
        && public.authority == authority
    {
        return Some(if public.https { Transport::Https } else { Transport::Loopback });
    }
    let host = host_of(&authority);
    if is_loopback(host) {
        return Some(Transport::Loopback);
    }
    // DNS rebinding needs a name: an IP address that the portal listens on is accepted
    let ip: std::net::IpAddr = host.trim_matches(['[', ']']).parse().ok()?;
    let listens_there = config.site_addr.ip().is_unspecified() || config.site_addr.ip() == ip;
    listens_there.then_some(Transport::Plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_lose_their_port() {
        for (authority, host) in [("a.b:80", "a.b"), ("a.b", "a.b"), ("[::1]:3000", "[::1]"), ("[::1]", "[::1]")] {
            assert_eq!(host_of(authority), host);
        }
        assert!(is_loopback("[::1]") && is_loopback("127.0.0.1") && is_loopback("localhost"));
        assert!(!is_loopback("localhost.evil.example") && !is_loopback("10.0.0.1"));
    }
}
